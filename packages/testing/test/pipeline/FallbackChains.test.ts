import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { asked, why } from "./fallbackSupport.ts"
import { calls, createMessage, request, streamEvents, using } from "./support.ts"

const stopDetails = { type: "refusal" as const, category: "cyber" as const, explanation: "not that" }

const refused = (text: string | undefined, model = request.model): Message =>
  Reply.message(text ?? "", {
    model,
    stop_reason: "refusal",
    stop_details: stopDetails,
    ...(text === undefined ? { content: [] } : undefined)
  })

// What the API's own fallback leaves when each of its models declines. The SDK's plain types do not list the block.
const handedOver: Message = {
  ...refused(undefined),
  content: [
    { type: "fallback", from: { model: request.model }, to: { model: "claude-opus-4-6" } }
  ] as unknown as Message["content"]
}

const overflowed = (text: string | undefined): Message =>
  Reply.message(text ?? "", {
    stop_reason: "model_context_window_exceeded",
    ...(text === undefined ? { content: [] } : undefined)
  })

const answerOf = (events: ReadonlyArray<MessageEvents.MessageEvent>): Message => {
  const accumulator = MessageEvents.makeAccumulator()
  for (const event of events) accumulator.add(event)
  const counts = ["message_start", "message_delta", "message_stop"].map((type) =>
    events.filter((event) => event.type === type).length
  )
  assert.deepStrictEqual(counts, [1, 1, 1])
  return accumulator.message() as Message
}

const streamed = Effect.map(streamEvents, answerOf)

const ways: ReadonlyArray<readonly [string, Effect.Effect<Message, ClaudeError, ClaudeService>]> = [
  ["a message", createMessage],
  ["a stream", streamed]
]

const refusal = { models: ["claude-opus-4-8", "claude-opus-4-7"] }

for (const [way, call] of ways) {
  describe(`withFallback: chains of their own, ${way}`, () => {
    it.effect("a refusal asks the models of its chain, and not those of the failures", () =>
      Effect.gen(function*() {
        const message = yield* call
        const info = AnswerInfo.of(message)
        assert.strictEqual(message.stop_reason, "end_turn")
        assert.deepStrictEqual(info.source, { _tag: "Model", model: "claude-opus-4-8" })
        const [passed] = info.passedOver
        assert.deepInclude(passed?.error, {
          _tag: "RefusalError",
          model: "claude-sonnet-5-5",
          category: "cyber",
          explanation: "not that"
        })
        assert.deepStrictEqual(yield* asked, ["claude-sonnet-5-5", "claude-opus-4-8"])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Reply.of(refused(undefined)), Reply.text("fine")]).pipe(
            ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"], refusal })
          )
        )
      ))

    it.effect("a refusal that comes as a failure asks them too", () =>
      Effect.gen(function*() {
        const info = AnswerInfo.of(yield* call)
        assert.deepStrictEqual(info.source, { _tag: "Model", model: "claude-opus-4-8" })
        assert.deepStrictEqual(why(info), [["claude-sonnet-5-5", "RefusalError"]])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Fault.refusal(), Reply.text("fine")]).pipe(ClaudeLayer.withFallback({ refusal }))
        )
      ))

    it.effect("without a chain of its own a refusal is the answer", () =>
      Effect.gen(function*() {
        const message = yield* call
        assert.strictEqual(message.stop_reason, "refusal")
        assert.deepStrictEqual(AnswerInfo.of(message).passedOver, [])
        assert.deepStrictEqual(yield* asked, ["claude-sonnet-5-5"])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Reply.of(refused(undefined))]).pipe(
            ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"], contextOverflow: refusal })
          )
        )
      ))

    it.effect("a refusal of all that the API itself handed the request to asks them too", () =>
      Effect.gen(function*() {
        const message = yield* call
        assert.deepStrictEqual(message.content.map((block) => block.type === "text" && block.text), ["fine"])
        assert.deepStrictEqual(why(AnswerInfo.of(message)), [["claude-sonnet-5-5", "RefusalError"]])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Reply.of(handedOver), Reply.text("fine")]).pipe(ClaudeLayer.withFallback({ refusal }))
        )
      ))

    it.effect("a refusal after a handover is the answer, mark and all, if nobody else answers", () =>
      Effect.gen(function*() {
        const message = yield* call
        assert.deepStrictEqual([message.stop_reason, message.content], ["refusal", handedOver.content])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Reply.of(handedOver), Fault.overloaded(), Fault.connection()]).pipe(
            ClaudeLayer.withFallback({ refusal })
          )
        )
      ))

    it.effect("when the whole chain refuses, the last refusal is the answer, as it is", () =>
      Effect.gen(function*() {
        const message = yield* call
        assert.strictEqual(message.stop_reason, "refusal")
        assert.deepStrictEqual(message.stop_details, stopDetails)
        assert.strictEqual(message.model, "claude-opus-4-7")
        const info = AnswerInfo.of(message)
        assert.deepStrictEqual(info.source, { _tag: "Model", model: "claude-opus-4-7" })
        assert.deepStrictEqual(why(info), [["claude-sonnet-5-5", "RefusalError"], ["claude-opus-4-8", "RefusalError"]])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([
            Reply.of(refused(undefined)),
            Reply.of(refused(undefined, "claude-opus-4-8")),
            Reply.of(refused(undefined, "claude-opus-4-7"))
          ]).pipe(ClaudeLayer.withFallback({ refusal }))
        )
      ))

    it.effect("when the rest of the chain fails, the refusal is the answer still, and says so", () =>
      Effect.gen(function*() {
        const message = yield* call
        assert.strictEqual(message.stop_reason, "refusal")
        const info = AnswerInfo.of(message)
        assert.deepStrictEqual(info.source, { _tag: "Requested" })
        assert.deepStrictEqual(why(info), [["claude-opus-4-8", "OverloadedError"], [
          "claude-opus-4-7",
          "ConnectionError"
        ]])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Reply.of(refused(undefined)), Fault.overloaded(), Fault.connection()]).pipe(
            ClaudeLayer.withFallback({ refusal })
          )
        )
      ))

    it.effect("a refusal that came as a failure ends as the last failure", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* Effect.flip(call))._tag, "ConnectionError")
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Fault.refusal(), Fault.overloaded(), Fault.connection()]).pipe(
            ClaudeLayer.withFallback({ refusal })
          )
        )
      ))

    it.effect("a model that answers for another one and refuses leads to the chain too, and nobody is asked twice", () =>
      Effect.gen(function*() {
        const info = AnswerInfo.of(yield* call)
        assert.deepStrictEqual(info.source, { _tag: "Model", model: "claude-opus-4-7" })
        assert.deepStrictEqual(why(info), [["claude-sonnet-5-5", "OverloadedError"], [
          "claude-opus-4-8",
          "RefusalError"
        ]])
        assert.deepStrictEqual(yield* asked, ["claude-sonnet-5-5", "claude-opus-4-8", "claude-opus-4-7"])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([
            Fault.overloaded(),
            Reply.of(refused(undefined, "claude-opus-4-8")),
            Reply.text("fine")
          ]).pipe(ClaudeLayer.withFallback({ models: ["claude-opus-4-8"], refusal }))
        )
      ))

    it.effect("a context window that is full asks the chain for it, which may ask the same model for less", () =>
      Effect.gen(function*() {
        const message = yield* call
        assert.deepStrictEqual(why(AnswerInfo.of(message)), [["claude-sonnet-5-5", "OutputTruncatedError"]])
        const [, second] = yield* calls
        assert.deepInclude(second?.request, {
          model: "claude-sonnet-5-5",
          messages: [{ role: "user", content: "less" }]
        })
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Reply.of(overflowed(undefined)), Reply.text("fine")]).pipe(
            ClaudeLayer.withFallback({
              contextOverflow: {
                targets: [{
                  model: "claude-sonnet-5-5",
                  adapt: (before) => ({ ...before, messages: [{ role: "user", content: "less" }] })
                }]
              }
            })
          )
        )
      ))

    it.effect("a request that does not fit goes the same way, and on to a chain for refusals, once", () =>
      Effect.gen(function*() {
        const info = AnswerInfo.of(yield* call)
        assert.deepStrictEqual(info.source, { _tag: "Static" })
        assert.deepStrictEqual(why(info), [
          ["claude-sonnet-5-5", "ContextWindowExceededError"],
          ["large", "RefusalError"],
          ["claude-opus-4-8", "ContextWindowExceededError"]
        ])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([
            Fault.contextWindowExceeded(),
            Reply.of(refused(undefined)),
            Fault.contextWindowExceeded()
          ]).pipe(
            ClaudeLayer.withFallback({
              contextOverflow: { models: ["large", "larger"] },
              refusal: { models: ["claude-opus-4-8"], answer: () => "No." },
              shouldFallback: ["ContextWindowExceededError"]
            })
          )
        )
      ))

    it.effect("the error of a refusal's chain that must not fall through ends the call", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* Effect.flip(call))._tag, "AuthenticationError")
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Reply.of(refused(undefined)), Fault.authentication()]).pipe(
            ClaudeLayer.withFallback({ refusal })
          )
        )
      ))
  })
}

describe("withFallback: a refusal after content", () => {
  const Claude = ClaudeTest.script([Reply.of(refused("I was just about to"))], { after: Reply.text("fine") })

  it.effect("of a message is discarded", () =>
    Effect.gen(function*() {
      const message = yield* createMessage
      assert.strictEqual(message.stop_reason, "end_turn")
    }).pipe((test) => using(test, Claude.pipe(ClaudeLayer.withFallback({ refusal })))))

  it.effect("of a stream passes, as it has been shown", () =>
    Effect.gen(function*() {
      const message = yield* streamed
      assert.strictEqual(message.stop_reason, "refusal")
      assert.deepStrictEqual(yield* asked, ["claude-sonnet-5-5"])
    }).pipe((test) => using(test, Claude.pipe(ClaudeLayer.withFallback({ refusal })))))

  it.effect("a stream that breaks off behind its refusal has failed like any other", () =>
    Effect.gen(function*() {
      const message = yield* streamed
      assert.deepStrictEqual(why(AnswerInfo.of(message)), [["claude-sonnet-5-5", "StreamInterruptedError"]])
      assert.deepStrictEqual(AnswerInfo.of(message).source, { _tag: "Model", model: "claude-haiku-5-5" })
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([
          Fault.cutStream({ afterEvents: 2, reply: Reply.of(refused(undefined)) }),
          Reply.text("fine")
        ]).pipe(
          ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"], refusal })
        )
      )
    ))

  it.effect("pings pass while a refusal is waited for", () =>
    Effect.gen(function*() {
      const events = yield* streamEvents
      assert.strictEqual(events[0]?.type, "ping")
      assert.strictEqual(answerOf(events.filter((event) => !MessageEvents.isPing(event))).stop_reason, "end_turn")
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([
          Reply.events([{ type: "ping" }, ...MessageEvents.fromMessage(refused(undefined))]),
          Reply.text("fine")
        ]).pipe(ClaudeLayer.withFallback({ refusal }))
      )
    ))
})
