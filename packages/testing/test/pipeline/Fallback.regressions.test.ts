// Failures that other fallbacks are known for, each as a test that ours does not have it.
import type { MessageStreamEvent } from "@anthropic-ai/sdk/resources/messages/messages"
import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import { OverloadedError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import { fromMessage, isPing, isRestart } from "@effect-claude/client/MessageEvents"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { calls, createMessage, request, runFor, streamEvents, using } from "./support.ts"

const models = ["claude-haiku-5-5"]
const asked = Effect.map(calls, (all) => all.map((call) => call.request.model))

/** The events that a consumer saw, and how the stream ended for it. */
const watched = Effect.gen(function*() {
  const claude = yield* ClaudeService
  const seen: Array<MessageStreamEvent> = []
  const result = yield* claude.streamMessage(request).pipe(
    Stream.runForEach((event) =>
      Effect.sync(() => {
        if (!isPing(event) && !isRestart(event)) seen.push(event)
      })
    ),
    Effect.result
  )
  return { seen, result }
})

const textOf = (events: ReadonlyArray<MessageStreamEvent>) =>
  events.map((event) =>
    event.type === "content_block_delta" && event.delta.type === "text_delta" ? event.delta.text : ""
  )
    .join("")

describe("known failures of fallbacks", () => {
  it.effect("fallback lost in a stream: an error event before content is answered by the next model", () =>
    Effect.gen(function*() {
      const { result, seen } = yield* watched
      assert.isTrue(Result.isSuccess(result))
      assert.deepStrictEqual(seen.map(({ type }) => type), fromMessage(Reply.message("hi")).map(({ type }) => type))
      assert.strictEqual(textOf(seen), "hi")
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.midStream(Fault.overloaded(), { afterEvents: 1 }), Reply.text("hi")]).pipe(
          ClaudeLayer.withFallback({ models })
        )
      )
    ))

  for (const afterEvents of [2, 3, 4, 5]) {
    it.effect(`fallback duplicated in a stream: a failure after ${afterEvents} events adds no second answer`, () =>
      Effect.gen(function*() {
        const { result, seen } = yield* watched
        assert.strictEqual(Result.isFailure(result) ? result.failure._tag : "", "OverloadedError")
        assert.strictEqual(seen.length, afterEvents)
        assert.strictEqual(seen.filter(({ type }) => type === "message_start").length, 1)
        assert.notInclude(textOf(seen), "second answer")
        assert.deepStrictEqual(yield* asked, ["claude-sonnet-5-5"])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Fault.midStream(Fault.overloaded(), { afterEvents })], {
            after: Reply.text("second answer")
          }).pipe(
            ClaudeLayer.withRetry(Schedule.recurs(2)),
            ClaudeLayer.withFallback({ models, answer: () => "second answer" })
          )
        )
      ))
  }

  it.effect("output of the fallback discarded: the consumer gets each of its events, in order", () =>
    Effect.gen(function*() {
      const { seen } = yield* watched
      const [start, ...rest] = fromMessage(Reply.message("The whole answer"))
      assert.deepStrictEqual(seen.slice(1), rest)
      const got = seen[0]
      assert.deepInclude(got?.type === "message_start" ? got.message : {}, { content: [], stop_reason: null })
      assert.strictEqual(got?.type, start?.type)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([
          Fault.overloaded(),
          Reply.events(fromMessage(Reply.message("The whole answer")))
        ]).pipe(ClaudeLayer.withFallback({ models }))
      )
    ))

  it.effect("empty answer taken for a failure: an answer without content is an answer", () =>
    Effect.gen(function*() {
      const message = yield* createMessage
      assert.deepStrictEqual(message.content, [])
      const { result, seen } = yield* watched
      assert.isTrue(Result.isSuccess(result))
      assert.deepStrictEqual(seen.map(({ type }) => type), ["message_start", "message_delta", "message_stop"])
      assert.deepStrictEqual(yield* asked, ["claude-sonnet-5-5", "claude-sonnet-5-5"])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Reply.text("", { content: [] }), Reply.text("", { content: [] })]).pipe(
          ClaudeLayer.withFallback({ models, answer: () => "busy", refusal: { models }, contextOverflow: { models } })
        )
      )
    ))

  it.effect("529 missed: it falls through", () =>
    Effect.gen(function*() {
      const info = AnswerInfo.of(yield* createMessage)
      assert.strictEqual(info.passedOver[0]?.error?.status, 529)
    }).pipe((test) =>
      using(test, ClaudeTest.script([Fault.overloaded(), Reply.text("hi")]).pipe(ClaudeLayer.withFallback({ models })))
    ))

  it.effect("cancellation lost: a call that is interrupted asks nobody else", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(createMessage)
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      const streaming = yield* Effect.forkChild(streamEvents)
      yield* Effect.yieldNow
      yield* Fiber.interrupt(streaming)
      assert.deepStrictEqual(yield* asked, ["claude-sonnet-5-5", "claude-sonnet-5-5"])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.hang(), Fault.hang()]).pipe(ClaudeLayer.withFallback({ models, answer: () => "busy" }))
      )
    ))

  it.effect("a bug hidden: a defect is no failure to fall back from", () =>
    Effect.gen(function*() {
      const { result } = yield* runFor(Effect.exit(createMessage), "1 minute")
      assert.isTrue(Result.isSuccess(result) && result.success._tag === "Failure")
      assert.deepStrictEqual(yield* asked, ["claude-sonnet-5-5"])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Reply.effect(() => Effect.die("a bug"))], { after: Reply.text("hi") }).pipe(
          ClaudeLayer.withFallback({ models, answer: () => "busy" })
        )
      )
    ))

  const firstTwoFail = Reply.effect(({ number }) =>
    Effect.andThen(
      Effect.yieldNow,
      number <= 2 ? Effect.fail(new OverloadedError({ message: "Overloaded" })) : Effect.succeed(Reply.message("hi"))
    )
  )

  it.effect("state shared between calls: calls at the same time each walk their own way", () =>
    Effect.gen(function*() {
      const infos = yield* Effect.all([createMessage, createMessage, createMessage], { concurrency: 3 })
      const passed = infos.map((message) => AnswerInfo.of(message).passedOver.length)
      assert.deepStrictEqual(passed.sort((a, b) => a - b), [0, 1, 1])
    }).pipe((test) =>
      using(test, ClaudeTest.script([], { after: firstTwoFail }).pipe(ClaudeLayer.withFallback({ models })))
    ))
})
