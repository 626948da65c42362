import { createAnthropic } from "@ai-sdk/anthropic"
import Anthropic, { APIError, RateLimitError } from "@anthropic-ai/sdk"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { APICallError, generateText, jsonSchema, streamText, tool, type ToolSet } from "ai"
import * as Effect from "effect/Effect"
import * as FakeClaudeApi from "../src/FakeClaudeApi.ts"
import * as FaultPlan from "../src/FaultPlan.ts"
import * as FaultStep from "../src/FaultStep.ts"

const model = "claude-sonnet-5-5"
const prompt = "What is the weather in Oslo?"
const text = "Grüße aus Oslo: 7 °C 🎉 und Regen."
const input = { city: "Oslo", days: [1, 2] }

const params = { model, max_tokens: 100, messages: [{ role: "user" as const, content: prompt }] }

/** What a client says about a call, in words that both clients can be brought to. */
interface Seen {
  readonly text: string
  readonly toolInput?: unknown
  readonly finish: "stop" | "tool" | "length" | "refusal" | "other" | undefined
  readonly tokens: readonly [input: number | undefined, output: number | undefined]
}

interface Failed {
  readonly status: number | undefined
  readonly type: string | undefined
}

const quiet = { logLevel: "off" as const }

const officialFinish = (reason: Anthropic.StopReason | null): Seen["finish"] => {
  switch (reason) {
    case "end_turn":
    case "stop_sequence":
      return "stop"
    case "tool_use":
      return "tool"
    case "max_tokens":
      return "length"
    case "refusal":
      return "refusal"
    default:
      return "other"
  }
}

const officialSeen = (message: Anthropic.Message): Seen => ({
  text: message.content.flatMap((block) => block.type === "text" ? [block.text] : []).join(""),
  ...Object.fromEntries(
    message.content.flatMap((block) => block.type === "tool_use" ? [["toolInput", block.input]] : [])
  ),
  finish: officialFinish(message.stop_reason),
  tokens: [message.usage.input_tokens, message.usage.output_tokens]
})

const officialClient = (url: string) => new Anthropic({ apiKey: "sk-test", baseURL: url, maxRetries: 0, ...quiet })

const officialFailed = (cause: unknown): Failed =>
  cause instanceof APIError
    ? { status: cause.status, type: cause.type ?? undefined }
    : { status: undefined, type: undefined }

const official = {
  message: (url: string) =>
    Effect.map(
      Effect.tryPromise({ try: () => officialClient(url).messages.create(params), catch: officialFailed }),
      officialSeen
    ),
  stream: (url: string) =>
    Effect.map(
      Effect.tryPromise({
        try: () => officialClient(url).messages.stream(params).finalMessage(),
        catch: officialFailed
      }),
      officialSeen
    )
}

const aiModel = (url: string) => createAnthropic({ apiKey: "sk-test", baseURL: `${url}/v1` })(model)

const tools: ToolSet = {
  get_weather: tool({ inputSchema: jsonSchema<typeof input>({ type: "object" }) })
}

const aiOptions = (url: string) => ({
  model: aiModel(url),
  prompt,
  maxOutputTokens: 100,
  maxRetries: 0,
  tools
})

const aiFinish = (reason: string): Seen["finish"] =>
  reason === "stop"
    ? "stop"
    : reason === "tool-calls"
    ? "tool"
    : reason === "length"
    ? "length"
    : reason === "content-filter"
    ? "refusal"
    : "other"

interface AiResult {
  readonly text: string
  readonly toolCalls: ReadonlyArray<{ readonly input: unknown }>
  readonly finishReason: string
  readonly usage: { readonly inputTokens: number | undefined; readonly outputTokens: number | undefined }
}

const aiSeen = ({ finishReason, text, toolCalls, usage }: AiResult): Seen => ({
  text,
  ...(toolCalls[0] === undefined ? {} : { toolInput: toolCalls[0].input }),
  finish: aiFinish(finishReason),
  tokens: [usage.inputTokens, usage.outputTokens]
})

const isErrorBody = (body: unknown): body is { readonly error: { readonly type: string } } =>
  typeof body === "object" && body !== null && "error" in body && typeof body.error === "object" && body.error !== null

const typeIn = (json: string | undefined): string | undefined => {
  try {
    const body: unknown = JSON.parse(json ?? "")
    return isErrorBody(body) ? body.error.type : undefined
  } catch {
    return undefined
  }
}

const aiFailed = (cause: unknown): Failed =>
  APICallError.isInstance(cause)
    ? { status: cause.statusCode, type: typeIn(cause.responseBody) }
    : { status: undefined, type: undefined }

const independent = {
  message: (url: string) =>
    Effect.map(Effect.tryPromise({ try: () => generateText(aiOptions(url)), catch: aiFailed }), aiSeen),
  stream: (url: string) =>
    Effect.map(
      Effect.tryPromise({
        try: async () => {
          let failure: { readonly error: unknown } | undefined
          const result = streamText({
            ...aiOptions(url),
            onError: ({ error }) => {
              failure ??= { error }
            }
          })
          await result.consumeStream()
          if (failure !== undefined) throw failure.error
          return {
            text: await result.text,
            toolCalls: await result.toolCalls,
            finishReason: await result.finishReason,
            usage: await result.usage
          }
        },
        catch: aiFailed
      }),
      aiSeen
    )
}

const clients = { "the official SDK": official, "the AI SDK": independent }

const serve = (after: FaultStep.FaultStep) => FakeClaudeApi.make({ plan: FaultPlan.make({ after }) })

beforeAll(() => {
  Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })
})

for (const [name, client] of Object.entries(clients)) {
  describe(`a call through ${name}`, () => {
    for (const form of ["message", "stream"] as const) {
      const call = client[form]

      it.live(`${form}: text, stop reason and usage`, () =>
        Effect.gen(function*() {
          const api = yield* serve(FaultStep.message({ text, usage: { input_tokens: 12, output_tokens: 34 } }))
          assert.deepStrictEqual(yield* call(api.url), { text, finish: "stop", tokens: [12, 34] })
          const [recorded] = yield* api.awaitEnded(1)
          assert.deepInclude(recorded, { path: "/v1/messages", outcome: "answered", status: 200 })
          assert.deepInclude(recorded?.body, { model, max_tokens: 100 })
          assert.notInclude(JSON.stringify(recorded), "sk-test")
        }))

      it.live(`${form}: a tool call after thinking`, () =>
        Effect.gen(function*() {
          const api = yield* serve(FaultStep.message({
            content: [
              { type: "thinking", thinking: "The user asks about Oslo." },
              { type: "text", text },
              { type: "tool_use", name: "get_weather", input }
            ]
          }))
          assert.deepInclude(yield* call(api.url), { text, finish: "tool", toolInput: input })
        }))

      for (const [stopReason, finish] of [["max_tokens", "length"], ["refusal", "refusal"]] as const) {
        it.live(`${form}: stop reason ${stopReason}`, () =>
          Effect.gen(function*() {
            const api = yield* serve(FaultStep.message({ text, stopReason }))
            assert.deepInclude(yield* call(api.url), { text, finish })
          }))
      }

      it.live(`${form}: pieces of three bytes, slow, among pings and comments`, () =>
        Effect.gen(function*() {
          const api = yield* serve(FaultStep.message({
            text,
            chunkBytes: 3,
            eventDelay: "1 millis",
            insert: [{ kind: "ping", count: 3 }, { kind: "comment", afterEvents: 0 }]
          }))
          assert.deepInclude(yield* call(api.url), { text, finish: "stop" })
        }))

      for (
        const [step, status, type] of [
          [FaultStep.invalidRequest(), 400, "invalid_request_error"],
          [FaultStep.authentication(), 401, "authentication_error"],
          [FaultStep.error({ status: 403, error: { type: "permission_error" } }), 403, "permission_error"],
          [FaultStep.error({ status: 404, error: { type: "not_found_error" } }), 404, "not_found_error"],
          [FaultStep.requestTooLarge(), 413, "request_too_large"],
          [FaultStep.rateLimit({ retryAfter: "1 second" }), 429, "rate_limit_error"],
          [FaultStep.spendLimit(), 429, "rate_limit_error"],
          [FaultStep.internalServer(), 500, "api_error"],
          [FaultStep.htmlBadGateway(), 502, undefined],
          [FaultStep.overloaded(), 529, "overloaded_error"]
        ] as const
      ) {
        it.live(`${form}: ${status} ${type ?? "without an error type"}`, () =>
          Effect.gen(function*() {
            const api = yield* serve(step)
            assert.deepStrictEqual(yield* Effect.flip(call(api.url)), { status, type })
            assert.strictEqual((yield* api.awaitEnded(1)).length, 1)
          }))
      }

      const breaks = [
        ["a reset before the headers", FaultStep.reset()],
        ["a closed connection", FaultStep.closed()],
        ["a cut in the middle", FaultStep.cutStream({ afterEvents: 4 })],
        ...(form === "message" ? [["a 200 with half a JSON value", FaultStep.invalidJson()] as const] : [])
      ] as const
      for (const [fault, step] of breaks) {
        it.live(`${form}: ${fault} is a failure without an error type`, () =>
          Effect.gen(function*() {
            const api = yield* serve(step)
            const { type } = yield* Effect.flip(call(api.url))
            assert.isUndefined(type)
          }))
      }
    }
  })
}

describe("mid-stream errors", () => {
  const step = FaultStep.midStreamError({ afterEvents: 5, error: { type: "overloaded_error", message: "busy" } })

  it.live("the official SDK yields what came before, then throws the error's type", () =>
    Effect.gen(function*() {
      const api = yield* serve(step)
      const seen: Array<string> = []
      const failed = yield* Effect.flip(Effect.tryPromise({
        try: async () => {
          const stream = await officialClient(api.url).messages.create({ ...params, stream: true })
          for await (const event of stream) seen.push(event.type)
        },
        catch: officialFailed
      }))
      assert.deepStrictEqual(failed, { status: undefined, type: "overloaded_error" })
      assert.deepStrictEqual(seen, [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_delta"
      ])
    }))

  it.live("the AI SDK yields what came before, then the error", () =>
    Effect.gen(function*() {
      const api = yield* serve(step)
      const { errors, seen } = yield* Effect.promise(async () => {
        const result = streamText({ ...aiOptions(api.url), onError: () => undefined })
        const errors: Array<unknown> = []
        let seen = ""
        for await (const part of result.fullStream) {
          if (part.type === "text-delta") seen += part.text
          if (part.type === "error") errors.push(part.error)
        }
        return { errors, seen }
      })
      assert.strictEqual(seen, "This answer comes ")
      assert.strictEqual(errors.length, 1)
      assert.include(JSON.stringify(errors), "overloaded_error")
    }))
})

describe("the official SDK alone", () => {
  it.live("count_tokens", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make()
      const client = officialClient(api.url)
      const { max_tokens: _, ...counted } = params
      const count = yield* Effect.promise(() => client.messages.countTokens(counted))
      const message = yield* Effect.promise(() => client.messages.create(params))
      assert.strictEqual(count.input_tokens, message.usage.input_tokens)
    }))

  it.live("request id, error code and headers of an error", () =>
    Effect.gen(function*() {
      const api = yield* serve(FaultStep.spendLimit())
      const error = yield* Effect.promise(() =>
        officialClient(api.url).messages.create(params).catch((error: unknown) => error)
      )
      assert.instanceOf(error, RateLimitError)
      assert.strictEqual(error.errorCode, "enforced_spend_limit_reached")
      assert.strictEqual(error.requestID, (yield* api.requests)[0]?.requestId)
      assert.strictEqual(error.headers.get("anthropic-ratelimit-requests-limit"), "1000000")
    }))

  it.live("a stream without message_stop ends as if it were whole", () =>
    Effect.gen(function*() {
      const api = yield* serve(FaultStep.endWithoutStop({ afterEvents: 4 }))
      const events = yield* Effect.promise(async () => {
        const seen: Array<string> = []
        const stream = await officialClient(api.url).messages.create({ ...params, stream: true })
        for await (const event of stream) seen.push(event.type)
        return seen
      })
      assert.deepStrictEqual(events.slice(2), ["content_block_delta", "content_block_delta"])
    }))

  it.live("HTML behind a 200 and an empty 200 resolve to no message", () =>
    Effect.gen(function*() {
      const html = FaultStep.response({ status: 200, contentType: "text/html", body: "<html>" })
      const api = yield* FakeClaudeApi.make({ plan: FaultPlan.make({ steps: [html, FaultStep.emptyBody()] }) })
      const ask = Effect.promise((): Promise<unknown> => officialClient(api.url).messages.create(params))
      assert.strictEqual(yield* ask, "<html>")
      assert.isUndefined(yield* ask)
    }))

  it.live("an aborted stream closes its connection", () =>
    Effect.gen(function*() {
      const api = yield* serve(FaultStep.stallStream())
      yield* Effect.promise(async () => {
        const stream = await officialClient(api.url).messages.create({ ...params, stream: true })
        for await (const event of stream) if (event.type === "content_block_delta") break
      })
      assert.strictEqual((yield* api.awaitEnded(1))[0]?.outcome, "clientClosed")
      yield* api.awaitClosed
    }))
})
