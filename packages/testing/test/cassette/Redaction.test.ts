import type * as Cassette from "@effect-claude/testing/Cassette"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type Fetch, post, recordingOf, recordWith, replayWith, textOf, withFile } from "./support.ts"

// One word for each place, so that a failure says which place leaks.
const planted = {
  key: "sk-ant-api03-PLANTED-KEY_0",
  bearer: "plantedBearer.token-0",
  cookie: "plantedCookie0",
  proxy: "cGxhbnRlZDpQcm94eTA=",
  custom: "plantedGatewaySecret0",
  urlPassword: "plantedUrlPassword0",
  gatewayPath: "plantedGatewayPath0",
  query: "plantedQueryValue0",
  setCookie: "plantedSetCookie0",
  serverHeader: "plantedServerHeader0",
  organization: "planted-organization-0",
  workspace: "planted-workspace-0"
}

const word = (place: string): string => `PLANTED prompt of ${place}`

/** Free text in every field that may hold some, known to the API or not. */
const prompts = {
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  stream: true,
  system: [{ type: "text", text: word("system"), cache_control: { type: "ephemeral", ttl: "1h" } }],
  metadata: { user_id: word("user"), [word("metadata key")]: word("metadata") },
  stop_sequences: [word("stop")],
  container: word("container"),
  mcp_servers: [{ url: word("mcp"), authorization_token: word("mcp token") }],
  field_of_tomorrow: { [word("key")]: word("unknown"), number: 4111111111111111 },
  [word("top key")]: 1,
  output_config: { effort: "high", format: { type: "json_schema", schema: { description: word("schema") } } },
  tools: [{
    name: "lookup",
    description: word("description"),
    input_schema: { type: "object", properties: { [word("property")]: { enum: [word("enum")] } } }
  }],
  messages: [
    { role: "user", content: word("content") },
    {
      role: "user",
      content: [
        { type: "text", text: word("text"), citations: { enabled: true }, novelty: word("novelty") },
        { type: "image", source: { type: "base64", media_type: "image/png", data: btoa(word("image")) } },
        { type: "image", source: { type: "url", url: `https://example.com/${word("url")}` } },
        {
          type: "document",
          title: word("title"),
          context: word("context"),
          source: { type: "text", media_type: "text/plain", data: word("document") }
        },
        { type: "document", source: { type: "content", content: [{ type: "text", text: word("inner") }] } }
      ]
    },
    {
      role: "assistant",
      content: [
        { type: "thinking", thinking: word("thinking"), signature: btoa(word("signature")) },
        { type: "redacted_thinking", data: btoa(word("redacted")) },
        {
          type: "tool_use",
          id: "toolu_01",
          name: "lookup",
          input: { [word("input key")]: word("input"), card: 4222222222222222 }
        }
      ]
    },
    {
      role: "user",
      content: [
        { type: "tool_result", tool_use_id: "toolu_01", is_error: false, content: word("result") },
        { type: "tool_result", tool_use_id: word("odd id"), content: [{ type: "text", text: word("result block") }] }
      ]
    }
  ]
}

const headers = {
  "x-api-key": planted.key,
  authorization: `Bearer ${planted.bearer}`,
  cookie: `session=${planted.cookie}; theme=dark`,
  "proxy-authorization": `Basic ${planted.proxy}`,
  "x-gateway-secret": planted.custom,
  "anthropic-version": "2026-10-21",
  "x-request-note": word("request header")
}

const gateway = `https://gateway.example/${planted.gatewayPath}/v1/messages?beta=true&sig=${planted.query}`

const responseHeaders = {
  "content-type": "application/json",
  "set-cookie": `id=${planted.setCookie}`,
  "x-internal": planted.serverHeader,
  "anthropic-organization-id": planted.organization,
  "anthropic-workspace-id": planted.workspace,
  "request-id": "req_1"
}

const recordedText = (
  fetch: Fetch,
  options: Partial<Cassette.RecordOptions> = {},
  asked: unknown = prompts
) =>
  withFile((file) =>
    Effect.gen(function*() {
      yield* recordWith({ file, fetch, ...options }, async (fetch) => {
        const init = { method: "POST", headers, body: JSON.stringify(asked) }
        await fetch(gateway, init).then((response) => response.text(), () => undefined)
      })
      return { text: yield* textOf(file), recording: yield* recordingOf(file) }
    })
  )

const json = (body: unknown, status = 200): Fetch => async () =>
  new Response(JSON.stringify(body), { status, headers: responseHeaders })

const stream = (text: string): Fetch => async () =>
  new Response(text, { headers: { ...responseHeaders, "content-type": "text/event-stream" } })

const keys = Object.values(planted)

const assertNoKeys = (text: string) => {
  for (const key of keys) assert.notInclude(text, key)
}

const assertNoPrompts = (text: string) => {
  assert.notInclude(text, "PLANTED prompt")
  assert.notInclude(text, "PLANTED%20prompt")
  assert.notInclude(text, btoa("PLANTED prompt").slice(0, 12))
  assert.notInclude(text, "4111111111111111")
  assert.notInclude(text, "4222222222222222")
}

const echo = { type: "message", content: [{ type: "text", text: `Your key is ${planted.key}, or ${planted.bearer}` }] }

const deltas = (...texts: ReadonlyArray<string>): string =>
  texts.map((text) =>
    `event: content_block_delta\ndata: ${
      JSON.stringify({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } })
    }\n\n`
  ).join("")

describe("what is stored", () => {
  it.effect("has no key and no prompt, wherever they were", () =>
    Effect.gen(function*() {
      const { recording, text } = yield* recordedText(json(echo))
      assertNoKeys(text)
      assertNoPrompts(text)
      const { body, headers, path } = recording.exchanges[0]?.request ?? {}
      assert.match(path ?? "", /^\/v1\/messages\?<field, \w{32}>=<text of 18, \w{32}>&beta=true$/)
      assert.deepStrictEqual(
        headers,
        { "anthropic-version": "2026-10-21" }
      )
      // What is left is the shape.
      assert.include(JSON.stringify(body), `"model":"claude-sonnet-5-5","max_tokens":100,"stream":true`)
      assert.include(text, `"type": "base64"`)
      assert.include(text, `"media_type": "image/png"`)
      assert.include(text, `"name": "lookup"`)
    }))

  it.effect("replays nevertheless", () =>
    withFile((file) =>
      Effect.gen(function*() {
        yield* recordWith({ file, fetch: json({ type: "message" }) }, async (fetch) => {
          await (await post(fetch, prompts, { headers })).text()
        })
        const status = yield* replayWith({ file }, async (fetch) => (await post(fetch, prompts)).status)
        assert.strictEqual(status, 200)
      })
    ))

  it.effect("keeps prompts when told, and still no key", () =>
    Effect.gen(function*() {
      const asked = { ...prompts, messages: [{ role: "user", content: `My key is ${planted.key}, ${word("kept")}` }] }
      const { text } = yield* recordedText(json(echo), { prompts: "keep" }, asked)
      assertNoKeys(text.replaceAll(planted.gatewayPath, ""))
      assert.include(text, `"My key is <redacted>, PLANTED prompt of kept"`)
      assert.include(text, word("description"))
    }))

  it.effect("has no prompt that the API repeats in an error", () =>
    Effect.gen(function*() {
      const message = `messages.0.content: "${word("content")}" is wrong, and so is ${
        word("description")
      }; key ${planted.key}`
      const bodies = [
        { type: "error", error: { type: "invalid_request_error", message, details: { seen: word("system") } } },
        { detail: message }
      ]
      for (const body of bodies) {
        const { text } = yield* recordedText(json(body, 400))
        assertNoKeys(text)
        assertNoPrompts(text)
      }
      const page = yield* recordedText(async () => new Response(`<html>\n<p>${message}</p>\n</html>`, { status: 502 }))
      assertNoKeys(page.text)
      assertNoPrompts(page.text)
      const event = `event: error\ndata: ${JSON.stringify(bodies[0])}\n\n`
      const inStream = yield* recordedText(stream(event))
      assertNoKeys(inStream.text)
      assertNoPrompts(inStream.text)
      assert.include(inStream.text, "invalid_request_error")
    }))

  it.effect("has no key in what the transport says", () =>
    Effect.gen(function*() {
      const cause = Object.assign(
        new Error(`connect to ${planted.urlPassword} gateway.example 10.1.2.3:8443 with ${planted.key}`),
        {
          code: "ECONNRESET"
        }
      )
      const failing = yield* recordedText(() =>
        Promise.reject(new TypeError(`https://me:${planted.urlPassword}@gateway.example failed`, { cause }))
      )
      assertNoKeys(failing.text.replaceAll("connect to plantedUrlPassword0", ""))
      assert.notInclude(failing.text, "gateway.example")
      assert.notInclude(failing.text, "10.1.2.3")
      assert.include(failing.text, "ECONNRESET")
    }))

  it.effect("has nothing of where a gateway is, in what is said about a failure", () =>
    Effect.gen(function*() {
      const { text } = yield* recordedText(() => Promise.reject(new TypeError(`Failed to fetch ${gateway}`)))
      assertNoKeys(text)
      assert.notInclude(text, "gateway.example")
      assert.include(text, "Failed to fetch https://<host>/v1/messages")
      const page = yield* recordedText(json({ error: { message: `No route for ?sig=${planted.query}` } }, 404))
      assertNoKeys(page.text)
    }))

  it.effect("has no key that comes in two events, pieces or encodings", () =>
    Effect.gen(function*() {
      const [first, second] = [planted.key.slice(0, 9), planted.key.slice(9)]
      const events = yield* recordedText(stream(deltas("It is ", first, second, " indeed")))
      assertNoKeys(events.text)
      assert.notInclude(events.text, second)
      const input = ["{\"key\":\"sk-", "ant-api03-PLANTED-KEY_0\"}"].map((partial_json) =>
        `data: ${
          JSON.stringify({ type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json } })
        }\n\n`
      ).join("")
      assert.notInclude((yield* recordedText(stream(input))).text, "PLANTED-KEY_0")
      const escaped = JSON.stringify(echo).replaceAll("sk-ant", "sk\\u002dant")
      assert.notInclude((yield* recordedText(stream(escaped))).text, "PLANTED-KEY_0")
      const binary = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(planted.key)])
      const { recording } = yield* recordedText(async () => new Response(new Uint8Array(binary)))
      const outcome = recording.exchanges[0]?.outcome
      const content = outcome?.kind === "response" ? outcome.body?.content : undefined
      const stored = content?.kind === "base64" ? Buffer.from(content.lines.join(""), "base64").toString("latin1") : ""
      assert.strictEqual(stored.slice(2), "<redacted>")
    }))

  it.effect("has none of one's own patterns", () =>
    Effect.gen(function*() {
      const { text } = yield* recordedText(
        json({ content: [{ type: "text", text: "Write to jo@example.com and ann@example.com" }] }),
        { patterns: [/[\w.]+@[\w.]+/] }
      )
      assert.notInclude(text, "@example.com")
      assert.include(text, "Write to <redacted> and <redacted>")
    }))

  it.effect("has no number that matches them", () =>
    Effect.gen(function*() {
      const card = 4111111111111111
      const options: Partial<Cassette.RecordOptions> = { prompts: "keep", patterns: [/\b4\d{15}\b/] }
      const input = { card, password: 123456, amount: 20 }
      const whole = yield* recordedText(json({ content: [{ type: "tool_use", name: "pay", input }] }), options, input)
      const pieces = [`{"card": 41111111`, `11111111, "password": 123456, "amount": 20}`]
      const events = pieces.map((partial_json) =>
        `data: ${
          JSON.stringify({ type: "content_block_delta", index: 0, delta: { type: "input_json_delta", partial_json } })
        }\n\n`
      )
      const streamed = yield* recordedText(stream(events.join("")), options, input)
      for (const { recording, text } of [whole, streamed]) {
        for (const secret of ["41111111", "123456"]) assert.notInclude(text, secret)
        assert.match(text, /amount\W+20/)
        assert.deepStrictEqual(recording.exchanges[0]?.request.body, { card: 0, password: 0, amount: 20 })
      }
    }))

  it.effect("has no token that the server gave out, nor one for another server", () =>
    Effect.gen(function*() {
      const jwt = ["eyJhbGciOiJI", "eyJzdWIiOiIx", "c2lnbmF0dXJl"].join(".")
      const given = { access_token: "plantedAccess0", refresh_token: "plantedRefresh0", note: `Use ${jwt}` }
      const asked = { model: "a", mcp_servers: [{ authorization_token: "plantedMcp0" }] }
      const { text } = yield* recordedText(json(given), { prompts: "keep" }, asked)
      for (const secret of ["plantedAccess0", "plantedRefresh0", "plantedMcp0", jwt]) assert.notInclude(text, secret)
    }))

  it.effect("has no prompt in what the transport says", () =>
    Effect.gen(function*() {
      const { text } = yield* recordedText(() => Promise.reject(new TypeError(`cannot send ${word("system")}`)))
      assertNoPrompts(text)
      assert.include(text, `"name": "TypeError"`)
    }))

  it.effect("has headers and identities that are asked for", () =>
    Effect.gen(function*() {
      const { text } = yield* recordedText(json(echo), { headers: ["X-Internal"], identities: "keep" })
      for (const kept of [planted.serverHeader, planted.organization, planted.workspace]) assert.include(text, kept)
      assert.notInclude(text, planted.setCookie)
    }))

  it.effect("moves the pieces of a body along with what is taken out of it", () =>
    withFile((file) =>
      Effect.gen(function*() {
        const text = deltas("It is ", planted.key, " indeed") + "data: after\n\n"
        const half = Math.floor(text.length / 2)
        const fetch: Fetch = async () =>
          new Response(
            new ReadableStream({
              start: (controller) => {
                controller.enqueue(new TextEncoder().encode(text.slice(0, half)))
                controller.enqueue(new TextEncoder().encode(text.slice(half)))
                controller.close()
              }
            }),
            { headers: { "content-length": String(text.length) } }
          )
        yield* recordWith({ file, fetch }, async (fetch) => {
          await (await post(fetch, {})).text()
        })
        const [body, length] = yield* replayWith({ file }, async (fetch) => {
          const response = await post(fetch, {})
          return [await response.text(), response.headers.get("content-length")]
        })
        assert.strictEqual(body, text.replace(planted.key, "<redacted>"))
        assert.isNull(length)
      })
    ))
})

describe("a body of which something is taken out", () => {
  const fragments = [
    planted.key,
    planted.bearer,
    "\n",
    "\r\n",
    "data: ",
    "event: error",
    "plain words",
    "ü🎉",
    JSON.stringify(echo),
    deltas("a", planted.key.slice(0, 8), planted.key.slice(8)),
    "{\"type\":\"error\",\"error\":{\"message\":\"no\"}}"
  ]
  const Fragment = Schema.Literals(fragments)
  const Size = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 }))

  it.effect.prop(
    "is still a body, in pieces that fit it, and has no key",
    [Schema.Array(Fragment), Schema.Array(Size), Schema.Literals([200, 400]), Schema.Boolean, Schema.Boolean],
    ([parts, sizes, status, cutsCharacter, doubles]) =>
      withFile((file) =>
        Effect.gen(function*() {
          const whole = Buffer.from(parts.join(""))
          const all = cutsCharacter ? Buffer.concat([whole, Buffer.from([0xc3])]) : whole
          let from = 0
          const pieces = [...sizes, all.length].map((size) => all.subarray(from, from += size))
          const fetch: Fetch = async () =>
            new Response(
              new ReadableStream({
                start: (controller) => {
                  for (const piece of pieces) controller.enqueue(new Uint8Array(piece))
                  controller.close()
                }
              }),
              { status }
            )
          const answers = doubles ? (text: string) => `${text}${text}` : "keep"
          yield* recordWith({ file, fetch, answers }, async (fetch) => {
            await (await post(fetch, prompts, { headers })).arrayBuffer()
          })
          const text = yield* replayWith({ file }, async (fetch) => {
            const response = await post(fetch, prompts)
            return Buffer.from(await response.arrayBuffer()).toString()
          })
          assert.notInclude(text, planted.key)
          assert.notInclude(text, planted.bearer)
          if (!/key|PLANTED|Bearer|message|data|event/.test(parts.join("")) && !doubles) {
            assert.strictEqual(text, all.toString())
          }
        })
      ),
    { arbitrary: { runs: 80, seed: 5 } }
  )
})

describe("answers", () => {
  const answer = {
    type: "message",
    id: "msg_1",
    model: "claude-sonnet-5-5",
    content: [
      { type: "text", text: "Dear Ms Müller, 42!" },
      { type: "tool_use", id: "toolu_1", name: "send", input: { to: "Müller", amount: 4200, urgent: true } }
    ],
    stop_reason: "tool_use",
    usage: { input_tokens: 12, output_tokens: 34 }
  }

  it.effect("are kept by default", () =>
    Effect.gen(function*() {
      const { text } = yield* recordedText(json(answer))
      assert.include(text, "Dear Ms Müller")
    }))

  it.effect("are left alone where they only sound like credentials", () =>
    Effect.gen(function*() {
      const prose =
        "Basic understanding, bearer transportation: password: none. See https://medium.com/@jo // a@b, sk-ants."
      const { text } = yield* recordedText(json({ content: [{ type: "text", text: prose }] }))
      assert.include(text, prose)
      const other = yield* recordedText(
        json({ content: [{ type: "text", text: "Basic dXNlcjpwYXNzMQ== of Bearer abcdefgh1" }] })
      )
      assert.include(other.text, "Basic <redacted> of Bearer <redacted>")
    }))

  it.effect("are searched in no time, whatever they repeat", () =>
    Effect.gen(function*() {
      for (const text of [" ".repeat(100_000), "eyJaaaaaaaa-".repeat(4_000)]) {
        const recorded = yield* recordedText(json({ content: [{ type: "text", text }] }))
        assert.include(recorded.text, text)
      }
    }))

  it.effect("lose their letters with redact", () =>
    Effect.gen(function*() {
      const { recording, text } = yield* recordedText(json(answer), { answers: "redact" })
      assert.notInclude(text, "Müller")
      assert.notInclude(text, "4200")
      const outcome = recording.exchanges[0]?.outcome
      assert.deepStrictEqual(outcome?.kind === "response" ? outcome.body?.content : undefined, {
        kind: "json",
        json: {
          ...answer,
          content: [
            { type: "text", text: "xxxx xx xxxxxx, xx!" },
            { type: "tool_use", id: "toolu_1", name: "send", input: { to: "xxxxxx", amount: 0, urgent: true } }
          ]
        }
      })
    }))

  it.effect("keep names and ids with redact", () =>
    Effect.gen(function*() {
      const named = { type: "x", id: "a1", file_id: "file_011", tool_name: "lookup", server_name: "maps" }
      const { recording } = yield* recordedText(json({ content: [named] }), { answers: "redact" })
      const outcome = recording.exchanges[0]?.outcome
      assert.deepStrictEqual(outcome?.kind === "response" ? outcome.body?.content : undefined, {
        kind: "json",
        json: { content: [named] }
      })
    }))

  it.effect("are what a function makes of them, of a stream in one piece", () =>
    Effect.gen(function*() {
      const texts: Array<string> = []
      const answers = (text: string) => {
        texts.push(text)
        return text.replace("Ms Müller", "***")
      }
      const { text } = yield* recordedText(stream(deltas("Dear Ms ", "Müller", ", hello")), { answers })
      assert.include(texts, "Dear Ms Müller, hello")
      assert.notInclude(text, "Müller")
      assert.include(text, "Dear ***")
    }))

  it.effect("of a stream lose their letters too", () =>
    Effect.gen(function*() {
      const events = [
        { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "Müller is" } },
        { type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "TXVlbGxlcg" } },
        { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: "{\"to\":\"Mül" } },
        {
          type: "content_block_delta",
          index: 1,
          delta: { type: "input_json_delta", partial_json: "ler\",\"amount\":4200}" }
        },
        { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 34 } }
      ]
      const body = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("")
      const { text } = yield* recordedText(stream(body), { answers: "redact" })
      for (const gone of ["Mül", "ler\"", "4200", "TXVlbGxlcg"]) assert.notInclude(text, gone)
      assert.include(text, "\\\"output_tokens\\\":34")
      assert.include(text, "end_turn")
    }))
})

describe("a secret", () => {
  const secret = Redacted.make("a secret of the team")
  const fetch = json({ type: "message" })
  const ask = async (fetch: Fetch) => (await post(fetch, { model: "a" })).status

  it.effect("makes other digests", () =>
    Effect.gen(function*() {
      const plain = yield* recordedText(fetch)
      const keyed = yield* recordedText(fetch, { secret })
      const digests = ({ text }: { readonly text: string }) =>
        [...text.matchAll(/, (\w{32})>/g)].map(([, digest]) => digest)
      assert.isAbove(digests(plain).length, 20)
      assert.strictEqual(digests(plain).filter((digest) => digests(keyed).includes(digest)).length, 0)
    }))

  it.effect("has to be the same one for a replay", () =>
    withFile((file) =>
      Effect.gen(function*() {
        yield* recordWith({ file, fetch, secret }, ask)
        assert.strictEqual(yield* replayWith({ file, secret }, ask), 200)
        const without = yield* Effect.flip(replayWith({ file }, ask))
        const another = yield* Effect.flip(replayWith({ file, secret: Redacted.make("another") }, ask))
        for (const error of [without, another]) assert.strictEqual(error.reason, "Settings")
        yield* recordWith({ file, fetch }, ask)
        assert.strictEqual((yield* Effect.flip(replayWith({ file, secret }, ask))).reason, "Settings")
      })
    ))
})
