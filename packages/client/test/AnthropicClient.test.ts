import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import { fromMessage } from "@effect-claude/client/MessageEvents"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"

const request = {
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  messages: [{ role: "user" as const, content: "Hello" }]
}

const message = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: request.model,
  content: [],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 1, output_tokens: 1 }
}

const createMessage = Effect.flatMap(ClaudeService, (claude) => claude.createMessage(request))

const clientOf = (fetch: typeof globalThis.fetch) =>
  AnthropicClient.layer({ apiKey: Redacted.make("sk-ant-example"), sdk: { fetch } })

/** A server that answers after so many milliseconds, unless the client hangs up before. */
const answersAfter = (millis: number): typeof fetch => (_, init) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(Response.json(message)), millis)
    init?.signal?.addEventListener("abort", () => {
      clearTimeout(timer)
      reject(init.signal?.reason)
    })
  })

describe("the timeout for headers", () => {
  for (const headers of ["1500.5 millis", "0.4 seconds", "30 days"] as const) {
    it.live(`takes ${headers}`, () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* createMessage).id, "msg_1")
      }).pipe(Effect.provide(clientOf(answersAfter(50)).pipe(ClaudeLayer.withAttemptTimeout({ headers })))))
  }

  it.live("fires for a fraction of a millisecond", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(createMessage)
      assert.strictEqual(error._tag === "AttemptTimeoutError" ? error.phase : error._tag, "headers")
    }).pipe(
      Effect.provide(clientOf(answersAfter(10_000)).pipe(ClaudeLayer.withAttemptTimeout({ headers: "0.5 millis" })))
    ))
})

describe("countTokens", () => {
  it.effect("names the request whose answer is none", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const error = yield* Effect.flip(claude.countTokens({ model: request.model, messages: request.messages }))
      assert.strictEqual(error._tag, "InvalidResponseError")
      assert.strictEqual(error.requestId, "req_1")
    }).pipe(
      Effect.provide(clientOf(() => Promise.resolve(Response.json({}, { headers: { "request-id": "req_1" } }))))
    ))
})

describe("an answer that is none", () => {
  const { messages, model } = request
  const answering = (body: object) => clientOf(() => Promise.resolve(Response.json(body)))

  for (const body of [{}, { type: "error", content: [] }, { content: [] }]) {
    it.effect(`${JSON.stringify(body)} is no message`, () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* Effect.flip(createMessage))._tag, "InvalidResponseError")
      }).pipe(Effect.provide(answering(body))))
  }

  for (const body of [{ input_tokens: "5" }, { input_tokens: null }]) {
    it.effect(`${JSON.stringify(body)} is no count`, () =>
      Effect.gen(function*() {
        const claude = yield* ClaudeService
        assert.strictEqual((yield* Effect.flip(claude.countTokens({ model, messages })))._tag, "InvalidResponseError")
      }).pipe(Effect.provide(answering(body))))
  }

  it.effect("a count is given as it is", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      assert.deepStrictEqual(yield* claude.countTokens({ model, messages }), { input_tokens: 5 })
    }).pipe(Effect.provide(answering({ input_tokens: 5 }))))
})

describe("streamMessage", () => {
  const streamed = Effect.flatMap(ClaudeService, (claude) => Stream.runCollect(claude.streamMessage(request)))

  it.effect("asks for a stream, and gives its events", () =>
    Effect.gen(function*() {
      const bodies: Array<unknown> = []
      const events = fromMessage(message as never)
      const wire = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("")
      const layer = clientOf((_, init) => {
        if (typeof init?.body === "string") bodies.push(JSON.parse(init.body))
        return Promise.resolve(new Response(wire, { headers: { "content-type": "text/event-stream" } }))
      })
      const seen = yield* Effect.provide(streamed, layer)
      assert.deepStrictEqual(seen.map(({ type }) => type), events.map(({ type }) => type))
      assert.deepStrictEqual(bodies, [{ ...request, stream: true }])
    }))

  it.effect("fails with what the server said in place of a stream", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.provide(
        streamed,
        clientOf(() =>
          Promise.resolve(Response.json({ type: "error", error: { type: "overloaded_error", message: "m" } }, {
            status: 529
          }))
        )
      ))
      assert.strictEqual(error._tag, "OverloadedError")
    }))
})

describe("layerConfig", () => {
  type Environment = Readonly<Record<string, string>>

  const build = (env: Environment) =>
    Effect.exit(Effect.scoped(Layer.build(AnthropicClient.layerConfig))).pipe(
      Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env)))
    )

  /** The URL and the credential that a call is sent with. */
  const sent = (env: Environment) =>
    Effect.gen(function*() {
      const requests: Array<{ readonly url: string; readonly authorization: string | null }> = []
      const fetch = globalThis.fetch
      globalThis.fetch = (url, init) => {
        requests.push({
          url: url instanceof Request ? url.url : url.toString(),
          authorization: new Headers(init?.headers).get("authorization")
        })
        return Promise.resolve(Response.json(message))
      }
      yield* createMessage.pipe(
        Effect.provide(
          Layer.provide(AnthropicClient.layerConfig, ConfigProvider.layer(ConfigProvider.fromUnknown(env)))
        ),
        Effect.ensuring(Effect.sync(() => (globalThis.fetch = fetch)))
      )
      return requests
    })

  const blank: ReadonlyArray<Environment> = [
    { ANTHROPIC_API_KEY: "" },
    { ANTHROPIC_API_KEY: "  " },
    { ANTHROPIC_API_KEY: "", ANTHROPIC_AUTH_TOKEN: "\n" }
  ]
  for (const env of blank) {
    it.effect(`has no credentials in ${JSON.stringify(env)}`, () =>
      Effect.map(build(env), (exit) => {
        assert.isTrue(Exit.isFailure(exit))
        assert.include(String(exit), "ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN")
      }))
  }

  it.effect("takes the token when the key is blank, and no space around either", () =>
    Effect.gen(function*() {
      const url = "https://api.anthropic.com/v1/messages"
      assert.deepStrictEqual(
        yield* sent({ ANTHROPIC_API_KEY: "", ANTHROPIC_AUTH_TOKEN: " token-1\n", ANTHROPIC_BASE_URL: " " }),
        [{ url, authorization: "Bearer token-1" }]
      )
      assert.deepStrictEqual(
        yield* sent({ ANTHROPIC_API_KEY: "sk-ant-1\r\n", ANTHROPIC_BASE_URL: " http://localhost:1 " }),
        [{ url: "http://localhost:1/v1/messages", authorization: "Bearer sk-ant-1" }]
      )
    }))

  it.effect("the key wins", () =>
    Effect.map(
      sent({ ANTHROPIC_API_KEY: "sk-ant-1", ANTHROPIC_AUTH_TOKEN: "token-1" }),
      ([first]) => assert.strictEqual(first?.authorization, "Bearer sk-ant-1")
    ))
})

describe("a base URL that is none", () => {
  for (const url of ["localhost:4999", "127.0.0.1:4999", "api.anthropic.com", "ftp://api.anthropic.com", "http://"]) {
    it.effect(`${url} is refused by name, in an option and in the environment`, () =>
      Effect.gen(function*() {
        assert.throws(() => AnthropicClient.layer({ baseUrl: url }), RangeError, /"baseUrl" must be a URL/)
        const exit = yield* Effect.exit(Effect.scoped(Layer.build(AnthropicClient.layerConfig))).pipe(
          Effect.provideService(
            ConfigProvider.ConfigProvider,
            ConfigProvider.fromUnknown({ ANTHROPIC_API_KEY: "sk-ant-test", ANTHROPIC_BASE_URL: url })
          )
        )
        assert.match(String(exit), /ANTHROPIC_BASE_URL must be a URL/)
      }))
  }
})
