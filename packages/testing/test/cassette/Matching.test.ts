import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import { ClaudeBatches } from "@effect-claude/client/ClaudeBatches"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService, type MessageRequest } from "@effect-claude/client/ClaudeService"
import * as Cassette from "@effect-claude/testing/Cassette"
import { CassetteMismatchError } from "@effect-claude/testing/CassetteError"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { type Fetch, post, recordWith, replayWith, textOf, withFile } from "./support.ts"

const body = {
  model: "claude-sonnet-5-5",
  max_tokens: 10,
  stream: false,
  metadata: { user_id: "user-1" },
  messages: [
    { role: "user", content: "What is the capital of France?" },
    { role: "assistant", content: [{ type: "text", text: "Paris" }] },
    { role: "user", content: [{ type: "text", text: "And of Spain?" }] }
  ],
  tools: [{ name: "lookup", description: "Looks up", input_schema: { type: "object", properties: { city: {} } } }]
}

/** Answers with the number of the request. */
const counting = (): Fetch => {
  let count = 0
  return async () => new Response(`answer ${++count}`)
}

const texts = async (fetch: Fetch, ...bodies: ReadonlyArray<unknown>): Promise<ReadonlyArray<string>> => {
  const out: Array<string> = []
  for (const body of bodies) out.push(await (await post(fetch, body)).text())
  return out
}

const caught = (call: Promise<unknown>): Promise<CassetteMismatchError> =>
  call.then(
    () => Promise.reject(new Error("Expected a mismatch")),
    (thrown: unknown) => thrown instanceof CassetteMismatchError ? thrown : Promise.reject(thrown)
  )

const mismatch = (
  asked: unknown,
  options: { readonly recorded?: ReadonlyArray<unknown>; readonly prompts?: "redact" | "keep" } = {}
) =>
  withFile((file) =>
    Effect.gen(function*() {
      const { prompts, recorded = [body] } = options
      yield* recordWith({ file, fetch: counting(), prompts }, (fetch) => texts(fetch, ...recorded))
      return yield* replayWith({ file, strict: false }, (fetch) => caught(post(fetch, asked)))
    })
  )

describe("a request and its answer", () => {
  it.effect("are found whatever the order of the fields", () =>
    withFile((file) =>
      Effect.gen(function*() {
        yield* recordWith({ file, fetch: counting() }, (fetch) => texts(fetch, body))
        const reversed = Object.fromEntries(Object.entries(body).toReversed())
        assert.deepStrictEqual(yield* replayWith({ file }, (fetch) => texts(fetch, reversed)), ["answer 1"])
      })
    ))

  it.effect("come in the order of recording, each once", () =>
    withFile((file) =>
      Effect.gen(function*() {
        const other = { ...body, max_tokens: 11 }
        yield* recordWith({ file, fetch: counting() }, (fetch) => texts(fetch, body, other, body))
        const replayed = yield* replayWith({ file, strict: false }, async (fetch) => [
          await texts(fetch, body, body, other),
          (await caught(post(fetch, body))).message
        ])
        assert.deepStrictEqual(replayed[0], ["answer 1", "answer 3", "answer 2"])
        assert.include(replayed[1], "it was recorded 2 times, all of it is used (see \"repeat\")")
      })
    ))

  it.effect("come again with repeat", () =>
    withFile((file) =>
      Effect.gen(function*() {
        yield* recordWith({ file, fetch: counting() }, (fetch) => texts(fetch, body, body))
        assert.deepStrictEqual(
          yield* replayWith({ file, repeat: true }, (fetch) => texts(fetch, body, body, body, body)),
          ["answer 1", "answer 2", "answer 2", "answer 2"]
        )
      })
    ))

  it.effect("do without what is ignored", () =>
    withFile((file) =>
      Effect.gen(function*() {
        yield* recordWith({ file, fetch: counting() }, (fetch) => texts(fetch, body))
        const { metadata: _, ...bare } = body
        const [first, ...others] = body.messages
        const asked = { ...bare, messages: [{ ...first, content: "Another question" }, ...others] }
        const ignore = ["metadata", "messages[0].content"]
        assert.deepStrictEqual(yield* replayWith({ file, ignore }, (fetch) => texts(fetch, asked)), ["answer 1"])
      })
    ))

  it.effect("do without what is ignored, also where the API does not know it", () =>
    withFile((file) =>
      Effect.gen(function*() {
        const at = (time: number) => ({ ...body, trace: time, messages: [{ role: "user", content: "Hello", time }] })
        yield* recordWith({ file, fetch: counting() }, (fetch) => texts(fetch, at(1)))
        const ignore = ["trace", "messages[0].time"]
        assert.deepStrictEqual(yield* replayWith({ file, ignore }, (fetch) => texts(fetch, at(2))), ["answer 1"])
      })
    ))

  it.effect("are found where a prompt repeats a credential", () =>
    withFile((file) =>
      Effect.gen(function*() {
        const ask = async (fetch: Fetch) => {
          const headers = { "x-gateway-token": "gateway-token-1" }
          return (await post(fetch, { ...body, system: "The token is gateway-token-1" }, { headers })).text()
        }
        yield* recordWith({ file, fetch: counting(), prompts: "keep" }, ask)
        assert.notInclude(yield* textOf(file), "gateway-token-1")
        assert.strictEqual(yield* replayWith({ file }, ask), "answer 1")
      })
    ))

  it.effect("are told apart by method and path, not by host or key", () =>
    withFile((file) =>
      Effect.gen(function*() {
        yield* recordWith({ file, fetch: counting() }, async (fetch) => {
          const gateway = "https://gateway.example/secret/v1/models"
          await (await fetch(`${gateway}?limit=20`, { headers: { "x-api-key": "one" } })).text()
          await (await fetch(`${gateway}?limit=30`)).text()
        })
        const answers = yield* replayWith({ file }, async (fetch) => [
          await (await fetch(new URL("https://api.anthropic.com/v1/models?limit=30"))).text(),
          await (await fetch(new Request("https://api.anthropic.com/v1/models?limit=20"))).text()
        ])
        assert.deepStrictEqual(answers, ["answer 2", "answer 1"])
      })
    ))

  it.effect("are found for bodies of every sort", () =>
    withFile((file) =>
      Effect.gen(function*() {
        const form = () => {
          const data = new FormData()
          data.set("purpose", "test")
          data.set("file", new Blob(["content"], { type: "text/plain" }), "a.txt")
          return data
        }
        const all = async (fetch: Fetch) => {
          const url = "https://api.anthropic.com/v1/files"
          const out: Array<string> = []
          const bodies: ReadonlyArray<() => RequestInit> = [
            () => ({ body: form() }),
            () => ({ body: "plain text" }),
            () => ({ body: Uint8Array.from([0xff, 1, 2]) }),
            () => ({ body: new Blob(["a blob"], { type: "text/blob" }) }),
            () => ({ body: new URLSearchParams({ of: "parameters" }) }),
            () => ({ body: new Blob(["a stream"]).stream(), duplex: "half" } as RequestInit),
            () => ({})
          ]
          for (const init of bodies) out.push(await (await fetch(url, { method: "POST", ...init() })).text())
          out.push(await (await fetch(new Request(url, { method: "POST", body: "of a request" }))).text())
          return out
        }
        const arrived: Array<string> = []
        const types: Array<string | null> = []
        const reading: Fetch = async (input, init) => {
          const request = new Request(input, init)
          types.push(request.headers.get("content-type"))
          arrived.push((await request.text()).replace(/[-\w]*boundary[-\w]*/gi, ""))
          return new Response(`answer ${arrived.length}`)
        }
        const recorded = yield* recordWith({ file, fetch: reading }, all)
        assert.deepStrictEqual(types.slice(3, 5), ["text/blob", "application/x-www-form-urlencoded;charset=UTF-8"])
        assert.include(arrived[5], "a stream")
        assert.include(arrived[7], "of a request")
        assert.deepStrictEqual(yield* replayWith({ file }, all), recorded)
      })
    ))
})

describe("a request without an answer", () => {
  const cases: ReadonlyArray<readonly [string, unknown, string, string]> = [
    [
      "another model",
      { ...body, model: "claude-opus-5-5" },
      "model",
      "model is \"claude-opus-5-5\", recorded is \"claude-sonnet-5-5\""
    ],
    ["streaming", { ...body, stream: true }, "stream", "stream is true, recorded is false"],
    ["another limit", { ...body, max_tokens: 20 }, "max_tokens", "max_tokens is 20, recorded is 10"],
    ["a field more", { ...body, temperature: 0.5 }, "temperature", "temperature is 0.5, recorded is nothing"],
    [
      "a turn more",
      { ...body, messages: [...body.messages, { role: "user", content: "x" }] },
      "messages[3]",
      "recorded is nothing"
    ],
    [
      "another prompt",
      { ...body, messages: [{ role: "user", content: "Tell me a secret" }, ...body.messages.slice(1)] },
      "messages[0].content",
      "messages[0].content is <text of 16, "
    ],
    ["another tool", { ...body, tools: [{ ...body.tools[0], input_schema: {} }] }, "tools[0].input_schema", "<object, "]
  ]
  for (const [name, asked, difference, message] of cases) {
    it.effect(`says so: ${name}`, () =>
      Effect.gen(function*() {
        const error = yield* mismatch(asked)
        assert.strictEqual(error.difference, difference)
        assert.strictEqual(error.nearest, 1)
        assert.include(error.message, message)
        assert.include(error.message, "the nearest is exchange 1 of 1: ")
        assert.notInclude(error.message, "secret")
      }))
  }

  it.effect("names the nearest of several", () =>
    Effect.gen(function*() {
      const error = yield* mismatch({ ...body, max_tokens: 3 }, {
        recorded: [{ ...body, model: "a", max_tokens: 1 }, { ...body, max_tokens: 2 }, {
          ...body,
          model: "b",
          max_tokens: 3,
          stream: true
        }]
      })
      assert.strictEqual(error.nearest, 2)
      assert.strictEqual(error.difference, "max_tokens")
    }))

  it.effect("shows prompts only where they are kept", () =>
    Effect.gen(function*() {
      const asked = { ...body, messages: [{ role: "user", content: "It timed out" }, ...body.messages.slice(1)] }
      const error = yield* mismatch(asked, { prompts: "keep" })
      assert.include(
        error.message,
        "messages[0].content is \"It timed out\", recorded is \"What is the capital of France?\""
      )
    }))

  it.effect("says when nothing like it was recorded", () =>
    withFile((file) =>
      Effect.gen(function*() {
        yield* recordWith({ file, fetch: counting() }, (fetch) => texts(fetch, body))
        const error = yield* replayWith(
          { file, strict: false },
          (fetch) => caught(fetch("https://api.anthropic.com/v1/models"))
        )
        assert.include(error.message, "has no answer for GET /v1/models: nothing was recorded for GET /v1/models")
      })
    ))
})

const request: MessageRequest = {
  model: "claude-sonnet-5-5",
  max_tokens: 10,
  messages: [{ role: "user", content: "Hello" }]
}

/** Records a plain request for a message and replays through layers. */
const withLayers = <A, E, R>(
  program: Effect.Effect<A, E, R>,
  layers: (layer: Layer.Layer<Cassette.Cassette | ClaudeService | ClaudeBatches, unknown>) => Layer.Layer<R, unknown>,
  options: Partial<Cassette.LayerOptions> = {}
) =>
  withFile((file) =>
    Effect.gen(function*() {
      const fetch: Fetch = async () => Response.json(Reply.message("hi"))
      const client = { apiKey: Redacted.make("sk-ant-test") }
      const ask = Effect.flatMap(ClaudeService, (claude) => claude.createMessage(request))
      yield* Effect.provide(ask, Cassette.layerRecord({ file, fetch, client }))
      const services = yield* Effect.context<FileSystem>()
      const replay = Cassette.layerReplay({ file, ...options }).pipe(Layer.provide(Layer.succeedContext(services)))
      return yield* Effect.exit(Effect.provide(program, layers(replay)))
    }).pipe(Effect.orDie)
  )

const defectOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined

describe("in layers", () => {
  const strange = { ...request, max_tokens: 11 }

  const calls: Readonly<Record<string, Effect.Effect<unknown, unknown, ClaudeService | ClaudeBatches>>> = {
    createMessage: Effect.flatMap(ClaudeService, (claude) => claude.createMessage(strange)),
    streamMessage: Effect.flatMap(ClaudeService, (claude) => Stream.runDrain(claude.streamMessage(strange))),
    countTokens: Effect.flatMap(ClaudeService, (claude) => claude.countTokens(request)),
    create: Effect.flatMap(
      ClaudeBatches,
      (batches) => batches.create([{ custom_id: "a", params: { ...strange, messages: [...strange.messages] } }])
    ),
    retrieve: Effect.flatMap(ClaudeBatches, (batches) => batches.retrieve("msgbatch_1")),
    list: Effect.flatMap(ClaudeBatches, (batches) => Stream.runDrain(batches.list())),
    cancel: Effect.flatMap(ClaudeBatches, (batches) => batches.cancel("msgbatch_1")),
    delete: Effect.flatMap(ClaudeBatches, (batches) => batches.delete("msgbatch_1")),
    results: Effect.flatMap(ClaudeBatches, (batches) => Stream.runDrain(batches.results("msgbatch_1")))
  }
  for (const [name, call] of Object.entries(calls)) {
    it.effect(`${name} without an answer is a defect, asked for once, and nothing hides it`, () =>
      Effect.gen(function*() {
        let attempts = 0
        const seen = yield* withLayers(
          Effect.onExit(
            call,
            () =>
              Effect.flatMap(Cassette.Cassette, ({ mismatches }) =>
                Effect.map(mismatches, ({ length }) => {
                  attempts = length
                }))
          ),
          (layer) =>
            layer.pipe(
              ClaudeLayer.standard({ telemetry: false }),
              ClaudeLayer.withFallback({ answer: () => Reply.message("Never mind") })
            )
        )
        assert.instanceOf(defectOf(seen), CassetteMismatchError)
        assert.isTrue(Exit.isFailure(seen) && Cause.hasDies(seen.cause))
        assert.strictEqual(attempts, 1)
      }))
  }

  it.effect("a client of one's own sees an error that is not retried", () =>
    withFile((file) =>
      Effect.gen(function*() {
        yield* recordWith({ file, fetch: counting() }, (fetch) => texts(fetch, body))
        const cassette = yield* Cassette.replay({ file, strict: false })
        const layer = AnthropicClient.layer({ apiKey: Redacted.make("sk-ant-test"), sdk: { fetch: cassette.fetch } })
          .pipe(
            ClaudeLayer.withRetry()
          )
        const claude = Context.get(yield* Layer.build(layer), ClaudeService)
        const error = yield* Effect.flip(claude.createMessage(request))
        assert.strictEqual(error._tag, "ConnectionError")
        assert.strictEqual(error.verdict._tag, "Stop")
        assert.strictEqual((yield* cassette.mismatches).length, 1)
      }).pipe(Effect.orDie)
    ))

  it.effect("what nobody asked for fails a test that passed", () =>
    Effect.gen(function*() {
      const exit = yield* withLayers(Effect.asVoid(ClaudeService), (layer) => layer)
      assert.match(
        String(defectOf(exit)),
        /1 of 1 exchanges were not asked for:\n {2}1\. POST \/v1\/messages \(claude-sonnet-5-5, messages: 1\)/
      )
    }))

  it.effect("and not with strict: false", () =>
    Effect.gen(function*() {
      const exit = yield* withLayers(Effect.asVoid(ClaudeService), (layer) => layer, { strict: false })
      assert.isTrue(Exit.isSuccess(exit))
    }))

  it.effect("and does not stand before the failure of the test itself", () =>
    Effect.gen(function*() {
      const exit = yield* withLayers(Effect.fail("the test"), (layer) => layer as Layer.Layer<never, unknown>)
      assert.strictEqual(defectOf(exit), "the test")
    }))

  it.effect("a mismatch that was swallowed fails the test in the end", () =>
    withFile((file) =>
      Effect.gen(function*() {
        yield* recordWith({ file, fetch: counting() }, (fetch) => texts(fetch, body))
        const exit = yield* Effect.exit(replayWith({ file }, async (fetch) => {
          await texts(fetch, body)
          await post(fetch, { ...body, max_tokens: 1 }).catch(() => undefined)
          await post(fetch, { ...body, max_tokens: 2 }).catch(() => undefined)
        }))
        assert.match(String(defectOf(exit)), /max_tokens is 1[\s\S]*\(and 1 more\)/)
      })
    ))
})
