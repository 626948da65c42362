import { Anthropic, AnthropicError } from "@anthropic-ai/sdk"
import { jsonSchemaOutputFormat } from "@anthropic-ai/sdk/helpers/json-schema"
import type { Message, MessageCreateParamsNonStreaming } from "@anthropic-ai/sdk/resources/messages/messages"
import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import * as ClaudeAnswer from "@effect-claude/client/ClaudeAnswer"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeServiceShape, MessageRequest } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import type { FakeClaudeApi } from "@effect-claude/testing/FakeClaudeApi"
import type { FaultPlanInput } from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { quickPipeline, request, withWire } from "./support.ts"

// Each kind of a 200 that is a failure, through the official SDK and through this toolkit, over the same socket.

type Api = FakeClaudeApi["Service"]

const sdkOf = (api: Api) => new Anthropic({ apiKey: "sk-ant-wire", baseURL: api.url, maxRetries: 0, logLevel: "off" })

type Way = "message" | "stream"
const ways: ReadonlyArray<Way> = ["message", "stream"]

const send = (api: Api, way: Way, body: MessageRequest, signal: AbortSignal): Promise<Message> =>
  way === "message"
    ? sdkOf(api).messages.create(body, { signal })
    : sdkOf(api).messages.stream(body, { signal }).finalMessage()

/** The message that the official SDK gives. */
const official = (api: Api, way: Way, body: MessageRequest = request): Effect.Effect<Message> =>
  Effect.promise((signal) => send(api, way, body, signal))

/** What the official SDK throws. */
const thrownBy = (run: (signal: AbortSignal) => Promise<unknown>): Effect.Effect<unknown> =>
  Effect.promise((signal) => run(signal).then(() => assert.fail("The SDK gave a message"), (thrown: unknown) => thrown))

/** What this toolkit makes of it: a message, or a typed error. */
const ours = (
  claude: ClaudeServiceShape,
  way: Way,
  body: MessageRequest = request
): Effect.Effect<Message, ClaudeError> =>
  way === "message"
    ? claude.createMessage(body)
    : Effect.map(MessageEvents.message(claude.streamMessage(body)), (message) => message as Message)

const whole = quickPipeline({ completeAnswers: {} })

const failing = (plan: FaultPlanInput, way: Way, test: (error: ClaudeError, sdk: Message, api: Api) => void) =>
  withWire(plan, ({ api, claude }) =>
    Effect.gen(function*() {
      const sdk = yield* official(api, way)
      const error = yield* Effect.flip(ours(claude, way))
      test(error, sdk, api)
    }), whole)

/** A stream as the API would send it, for what no healthy API sends. */
const streamOf = (events: ReadonlyArray<object>) =>
  FaultStep.response({
    status: 200,
    contentType: "text/event-stream; charset=utf-8",
    headers: { "request-id": "req_raw" },
    body: events.map((event) => `event: ${(event as { type: string }).type}\ndata: ${JSON.stringify(event)}\n\n`).join(
      ""
    )
  })

/** A stream whose one block is the call of a tool, with its input in these pieces of JSON. */
const toolStream = (pieces: ReadonlyArray<string>, stop_reason: string) =>
  streamOf([
    {
      type: "message_start",
      message: {
        id: "msg_raw",
        type: "message",
        role: "assistant",
        model: request.model,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 20, output_tokens: 1 }
      }
    },
    {
      type: "content_block_start",
      index: 0,
      content_block: { type: "tool_use", id: "toolu_raw", name: "run", input: {} }
    },
    ...pieces.map((partial_json) => ({
      type: "content_block_delta",
      index: 0,
      delta: { type: "input_json_delta", partial_json }
    })),
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 9 } },
    { type: "message_stop" }
  ])

const inputsOf = (message: Message): ReadonlyArray<unknown> =>
  message.content.flatMap((block) => block.type === "tool_use" ? [block.input] : [])

describe("max_tokens", () => {
  for (const way of ways) {
    it.live(`a text that was cut, ${way}: the SDK gives a message like any other`, () =>
      failing({ after: FaultStep.message({ text: "Once upon a", stopReason: "max_tokens" }) }, way, (error, sdk) => {
        assert.deepInclude(sdk.content[0], { type: "text", text: "Once upon a" })
        assert.strictEqual(error._tag, "OutputTruncatedError")
        assert.strictEqual(error._tag === "OutputTruncatedError" ? error.stopReason : "", "max_tokens")
        assert.strictEqual(error.partial?.text, "Once upon a")
        assert.deepInclude(error.partial?.message?.usage, {
          input_tokens: sdk.usage.input_tokens,
          output_tokens: sdk.usage.output_tokens
        })
        assert.isDefined(error.requestId)
        assert.strictEqual(error.attempt, 1)
      }))
  }

  const cut = [`{"path":"/etc",`, `"cmd":"rm -rf /tm`]

  it.live("a tool's input that was cut becomes a plausible object in the SDK, and no message here", () =>
    failing({ after: toolStream(cut, "max_tokens") }, "stream", (error, sdk) => {
      assert.deepStrictEqual(inputsOf(sdk), [{ path: "/etc" }])
      assert.strictEqual(error._tag, "OutputTruncatedError")
      // What there is of it is the text that came, which no tool takes.
      assert.deepStrictEqual(error.partial?.message === undefined ? [] : inputsOf(error.partial.message), [
        cut.join("")
      ])
      assert.strictEqual(error.partial?.message?.usage.output_tokens, 9)
      assert.strictEqual(error.requestId, "req_raw")
    }))

  it.live("a tool's input that the server repaired is not let through either, even where a cut text is", () =>
    withWire(
      {
        after: FaultStep.message({
          content: [{ type: "tool_use", name: "run", input: { path: "/etc" } }],
          stopReason: "max_tokens"
        })
      },
      ({ api, claude }) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(inputsOf(yield* official(api, "message")), [{ path: "/etc" }])
          const error = yield* Effect.flip(claude.createMessage(request))
          assert.strictEqual(error._tag, "OutputInvalidError")
        }),
      quickPipeline({ completeAnswers: { accept: ["max_tokens"] } })
    ))
})

describe("refusal", () => {
  const explanation = "This request was declined."
  for (const category of ["cyber", "bio", "frontier_llm", "reasoning_extraction", "general_harms", null] as const) {
    for (const way of ways) {
      it.live(`of category ${category}, ${way}: the SDK gives a message`, () =>
        failing(
          { after: FaultStep.refusal({ category, explanation: category === null ? undefined : explanation }) },
          way,
          (error, sdk) => {
            assert.strictEqual(sdk.stop_reason, "refusal")
            assert.strictEqual(error._tag, "RefusalError")
            if (error._tag !== "RefusalError") return
            assert.strictEqual(error.category, category ?? undefined)
            assert.strictEqual(error.explanation, category === null ? undefined : explanation)
            assert.deepStrictEqual(error.partial?.message?.content, [])
            assert.strictEqual(error.partial?.message?.usage.output_tokens, 0)
            assert.deepStrictEqual(error.verdict, { _tag: "Stop" })
          }
        ))
    }
  }

  it.live("is asked once, although there are retries", () =>
    withWire({ after: FaultStep.refusal() }, ({ api, claude }) =>
      Effect.gen(function*() {
        yield* Effect.flip(claude.createMessage(request))
        assert.strictEqual((yield* api.requests).length, 1)
      }), whole))

  it.live("in the middle of a stream: what was shown stays, and the stream fails instead of ending", () =>
    withWire(
      { after: FaultStep.refusal({ text: "First, you need", category: "bio" }) },
      ({ claude }) =>
        Effect.gen(function*() {
          const events: Array<MessageEvents.MessageEvent> = []
          const error = yield* claude.streamMessage(request).pipe(
            Stream.runForEach((event) => Effect.sync(() => events.push(event))),
            Effect.flip
          )
          assert.strictEqual(error._tag, "RefusalError")
          assert.strictEqual(error.partial?.text, "First, you need")
          assert.notInclude(events.map(({ type }) => type), "message_delta")
          assert.notInclude(events.map(({ type }) => type), "message_stop")
        }),
      whole
    ))

  for (const way of ways) {
    it.live(`with the API's own fallbacks another model answers, ${way}, and the answer says which`, () =>
      withWire(
        { after: FaultStep.refusal({ category: "cyber", fallbackText: "Gladly." }) },
        ({ api, claude }) =>
          Effect.gen(function*() {
            const message = yield* ours(claude, way)
            assert.deepStrictEqual(message.content.map((block): string => block.type), ["fallback", "text"])
            assert.deepStrictEqual(AnswerInfo.of(message).source, { _tag: "Model", model: "claude-opus-4-8" })
            const [sent] = yield* api.requests
            assert.strictEqual(sent?.headers["anthropic-beta"], "server-side-fallback-2026-07-01")
            assert.deepInclude(sent?.body, { fallbacks: "default" })
          }),
        (base) => base.pipe(ClaudeLayer.withServerFallbacks("default"), whole)
      ))
  }

  it.live("the credit token of a refusal is redeemed by the fallback's chain", () =>
    withWire(
      { steps: [FaultStep.refusal({ creditToken: "credit-1" })], after: FaultStep.message({ text: "Gladly." }) },
      ({ api, claude }) =>
        Effect.gen(function*() {
          const message = yield* claude.createMessage(request)
          const usage: object = message.usage
          assert.deepInclude(usage, { fallback_credit: { status: { type: "redeemed" } } })
          const [first, second] = yield* api.requests
          assert.deepStrictEqual(second?.body, {
            ...(first?.body as object),
            model: "claude-opus-4-8",
            fallback_credit_token: { token: "credit-1", mode: "best_effort" }
          })
          assert.strictEqual(second?.headers["anthropic-beta"], first?.headers["anthropic-beta"])
        }),
      (base) =>
        base.pipe(
          ClaudeLayer.withFallbackCredit(),
          quickPipeline({ completeAnswers: {}, fallback: { refusal: { models: ["claude-opus-4-8"] } } })
        )
    ))

  it.live("or by hand, going on with what was written on a model that takes no other prefill", () =>
    withWire(
      {
        steps: [FaultStep.refusal({ text: "First, you ", creditToken: "credit-1" })],
        after: FaultStep.message({ text: " need" })
      },
      ({ api, claude }) =>
        Effect.gen(function*() {
          const asked = ClaudeAnswer.withFallbackCredit({ request })
          const refusal = yield* Effect.flip(claude.createMessage(asked.request, asked.options))
          assert.strictEqual(refusal._tag, "RefusalError")
          if (refusal._tag !== "RefusalError") return
          const again = ClaudeAnswer.redeem(asked, refusal, { model: "claude-opus-4-8" })
          yield* claude.createMessage(again.request, again.options)
          const sent = (yield* api.requests)[1]?.body as MessageCreateParamsNonStreaming
          const last = sent.messages.at(-1)
          assert.strictEqual(last?.role, "assistant")
          assert.deepStrictEqual(last?.content, [{ type: "text", text: "First, you", citations: null }])
        }),
      whole
    ))

  for (const fallbacks of ["default", ["claude-opus-5"]] as const) {
    it.live(`the API's own fallbacks refuse as well: the chain redeems the token that came with them (${String(fallbacks)})`, () =>
      withWire(
        {
          steps: [
            FaultStep.refusal({ category: "cyber", creditToken: "credit" }),
            FaultStep.message({ text: "Of course." })
          ]
        },
        ({ api, claude }) =>
          Effect.gen(function*() {
            const message = yield* claude.createMessage(request)
            assert.strictEqual(message.model, "claude-opus-4-8")
            assert.strictEqual(message.stop_reason, "end_turn")
            assert.deepStrictEqual((yield* api.requests).map(({ status }) => status), [200, 200])
          }),
        (client) =>
          client.pipe(
            ClaudeLayer.withServerFallbacks(fallbacks),
            ClaudeLayer.withFallback({ refusal: { models: ["claude-opus-4-8"] } })
          )
      ))
  }
})

describe("model_context_window_exceeded", () => {
  for (const way of ways) {
    it.live(`${way}: the SDK gives a message`, () =>
      failing(
        { after: FaultStep.message({ text: "Once upon", stopReason: "model_context_window_exceeded" }) },
        way,
        (error, sdk) => {
          assert.deepInclude(sdk.content[0], { text: "Once upon" })
          assert.strictEqual(error._tag, "OutputTruncatedError")
          assert.strictEqual(
            error._tag === "OutputTruncatedError" ? error.stopReason : "",
            "model_context_window_exceeded"
          )
          assert.strictEqual(error.partial?.text, "Once upon")
        }
      ))
  }
})

describe("pause_turn", () => {
  const tools: MessageRequest["tools"] = [{ type: "web_search_20250305", name: "web_search" }]
  const searching = { ...request, tools }

  for (const way of ways) {
    it.live(`${way}: the SDK gives half a turn, here it goes back as it came until it is done`, () =>
      withWire(
        {
          steps: [FaultStep.pauseTurn({ times: 3 })],
          after: FaultStep.message({ text: "It rains in Oslo." })
        },
        ({ api, claude }) =>
          Effect.gen(function*() {
            const sdk = yield* official(api, way, searching)
            assert.strictEqual(sdk.stop_reason, "pause_turn")
            const message = yield* ours(claude, way, searching)
            assert.strictEqual(message.stop_reason, "end_turn")
            assert.deepStrictEqual(message.content.map((block) => block.type), [
              "text",
              "server_tool_use",
              "text",
              "server_tool_use",
              "text"
            ])
            const [, first, second, third] = yield* api.requests
            const content = (count: number) => message.content.slice(0, count)
            const bodies = [first, second, third].map((entry) => entry?.body as MessageCreateParamsNonStreaming)
            assert.deepStrictEqual(bodies.map(({ messages }) => messages), [
              request.messages,
              [...request.messages, { role: "assistant", content: content(2) }],
              [...request.messages, { role: "assistant", content: content(4) }]
            ])
            const turns = AnswerInfo.of(message).turns ?? []
            assert.strictEqual(turns.length, 3)
            assert.strictEqual(message.usage.input_tokens, turns.reduce((sum, turn) => sum + turn.usage.inputTokens, 0))
            assert.strictEqual(
              message.usage.output_tokens,
              turns.reduce((sum, turn) => sum + turn.usage.outputTokens, 0)
            )
          }),
        whole
      ))

    it.live(`${way}: a turn that never ends is given up after ten continuations`, () =>
      withWire({ after: FaultStep.pauseTurn() }, ({ api, claude }) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(ours(claude, way, searching))
          assert.strictEqual(error._tag, "OutputTruncatedError")
          assert.strictEqual(error._tag === "OutputTruncatedError" ? error.stopReason : "", "pause_turn")
          assert.strictEqual(error.partial?.message?.content.length, 22)
          assert.strictEqual((yield* api.requests).length, 11)
        }), whole))

    it.live(`${way}: a turn behind a pause is retried by itself`, () =>
      withWire(
        {
          steps: [FaultStep.pauseTurn(), FaultStep.overloaded()],
          after: FaultStep.message({ text: "It rains in Oslo." })
        },
        ({ api, claude }) =>
          Effect.gen(function*() {
            const message = yield* ours(claude, way, searching)
            assert.strictEqual(message.content.length, 3)
            assert.strictEqual((yield* api.requests).length, 3)
          }),
        whole
      ))
  }
})

describe("end_turn without content", () => {
  for (const way of ways) {
    it.live(`${way}: the SDK gives a message without content`, () =>
      failing({ after: FaultStep.message({ content: [], usage: { output_tokens: 2 } }) }, way, (error, sdk) => {
        assert.deepStrictEqual(sdk.content, [])
        assert.strictEqual(sdk.stop_reason, "end_turn")
        assert.strictEqual(error._tag, "OutputInvalidError")
        assert.strictEqual(error.message, "The answer is empty")
        assert.strictEqual(error._tag === "OutputInvalidError" ? error.usage?.outputTokens : 0, 2)
      }))
  }
})

describe("tool_use with JSON that is none", () => {
  it.live("malformed: the SDK throws an AnthropicError, without message and usage; here it says what came", () =>
    withWire({ after: toolStream([`{"path":"/etc"`, `,,}`], "tool_use") }, ({ api, claude }) =>
      Effect.gen(function*() {
        const thrown = yield* thrownBy((signal) => send(api, "stream", request, signal))
        assert.instanceOf(thrown, AnthropicError)
        assert.notProperty(thrown, "usage")
        const error = yield* Effect.flip(ours(claude, "stream"))
        assert.strictEqual(error._tag, "OutputInvalidError")
        if (error._tag !== "OutputInvalidError") return
        assert.strictEqual(error.issues?.length, 1)
        assert.strictEqual(error.usage?.outputTokens, 9)
        assert.strictEqual(error.partial?.message?.stop_reason, "tool_use")
        assert.notInclude(error.message + String(error.issues), "/etc")
      }), whole))

  it.live("none at all: an empty object in both, as for a tool without parameters", () =>
    withWire({ after: toolStream([], "tool_use") }, ({ api, claude }) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(inputsOf(yield* official(api, "stream")), [{}])
        assert.deepStrictEqual(inputsOf(yield* ours(claude, "stream")), [{}])
      }), whole))

  it.live("none at all before a cut: an empty object in the SDK, and no message here", () =>
    failing({ after: toolStream([], "max_tokens") }, "stream", (error, sdk) => {
      assert.deepStrictEqual(inputsOf(sdk), [{}])
      assert.strictEqual(error._tag, "OutputTruncatedError")
    }))
})

describe("structured output that fails", () => {
  const format = jsonSchemaOutputFormat({
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false
  })
  const asking: MessageRequest = {
    ...request,
    output_config: { format: { type: "json_schema", schema: format.schema } }
  }

  const cases = [
    ["a refusal", FaultStep.refusal({ category: "cyber", text: "I cannot help" }), "RefusalError", "refusal"],
    [
      "a cut",
      FaultStep.message({ text: `{"city":"Os`, stopReason: "max_tokens" }),
      "OutputTruncatedError",
      "max_tokens"
    ]
  ] as const
  for (const [name, step, tag, stopReason] of cases) {
    it.live(`${name}: the SDK throws without message, stop reason or usage; here all of it is there`, () =>
      withWire({ after: step }, ({ api, claude }) =>
        Effect.gen(function*() {
          const body = { ...request, output_config: { format } }
          const parsed = yield* thrownBy((signal) => sdkOf(api).messages.parse(body, { signal }))
          const streamed = yield* thrownBy((signal) => sdkOf(api).messages.stream(body, { signal }).finalMessage())
          for (const thrown of [parsed, streamed]) {
            assert.instanceOf(thrown, AnthropicError)
            for (const lost of ["stop_reason", "usage", "content"]) assert.notProperty(thrown, lost)
          }
          for (const way of ways) {
            const error = yield* Effect.flip(ours(claude, way, asking))
            assert.strictEqual(error._tag, tag)
            assert.strictEqual(error.partial?.message?.stop_reason, stopReason)
            assert.isAbove(error.partial?.message?.usage.output_tokens ?? 0, 0)
          }
        }), whole))
  }

  it.live("a schema that is too complex is a 400, and is not sent again", () =>
    withWire(
      {
        after: FaultStep.error({
          status: 400,
          error: { type: "invalid_request_error", message: "output_config.format.schema: Schema is too complex." }
        })
      },
      ({ api, claude }) =>
        Effect.gen(function*() {
          assert.instanceOf(
            yield* thrownBy((signal) => send(api, "message", asking, signal)),
            Anthropic.BadRequestError
          )
          for (const way of ways) {
            const error = yield* Effect.flip(ours(claude, way, asking))
            assert.strictEqual(error._tag, "InvalidRequestError")
            assert.include(error.message, "too complex")
          }
          assert.strictEqual((yield* api.requests).length, 3)
        }),
      whole
    ))
})
