import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { isPing } from "@effect-claude/client/MessageEvents"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { asked, why } from "./fallbackSupport.ts"
import { createMessage, runFor, streamEvents, using } from "./support.ts"

describe("withFallback: an open circuit", () => {
  const open = Fault.circuitOpen({ retryAfter: Duration.seconds(40) })

  it.effect("costs no time while another target is left; the last one is waited for", () =>
    Effect.gen(function*() {
      const { millis, result } = yield* runFor(createMessage, "5 minutes")
      const info = AnswerInfo.of(Result.isSuccess(result) ? result.success : {})
      assert.deepStrictEqual(info.source, { _tag: "Model", model: "claude-opus-5-5" })
      assert.deepStrictEqual(why(info), [
        ["claude-sonnet-5-5", "CircuitOpenError"],
        ["claude-haiku-5-5", "CircuitOpenError"]
      ])
      assert.deepStrictEqual(yield* asked, [
        "claude-sonnet-5-5",
        "claude-haiku-5-5",
        "claude-opus-5-5",
        "claude-opus-5-5"
      ])
      assert.isAtLeast(millis, 40_000)
      assert.isAtMost(millis, 60_000)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([open, open, open, Reply.text("hi")]).pipe(
          ClaudeLayer.withRetry(),
          ClaudeLayer.withFallback({ models: ["claude-haiku-5-5", "claude-opus-5-5"] }),
          ClaudeLayer.withDeadline("2 minutes")
        )
      )
    ))

  it.effect("costs no time at all with an answer of the program's own behind it, streams too", () =>
    Effect.gen(function*() {
      const { millis, result } = yield* runFor(streamEvents, "5 minutes")
      const events = Result.isSuccess(result) ? result.success.filter((event) => !isPing(event)) : []
      assert.strictEqual(
        events[0]?.type === "message_start" ? AnswerInfo.of(events[0].message).source._tag : "",
        "Static"
      )
      assert.strictEqual(millis, 0)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([open, open]).pipe(
          ClaudeLayer.withRetry(),
          ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"], answer: () => "busy" }),
          ClaudeLayer.withDeadline("2 minutes")
        )
      )
    ))

  it.effect("is waited for when the targets behind it turn out to be none", () =>
    Effect.gen(function*() {
      const { millis, result } = yield* runFor(createMessage, "5 minutes")
      const info = AnswerInfo.of(Result.isSuccess(result) ? result.success : {})
      assert.deepStrictEqual(info.source, { _tag: "Requested" })
      assert.deepStrictEqual(why(info), [["claude-sonnet-5-5", "CircuitOpenError"], ["cached answer", "no cache"]])
      assert.isAtLeast(millis, 40_000)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([open, open, Reply.text("hi")]).pipe(
          ClaudeLayer.withRetry(),
          ClaudeLayer.withFallback({ targets: [{ cached: true }] }),
          ClaudeLayer.withDeadline("2 minutes")
        )
      )
    ))

  it.effect("is waited for when the program does not let it fall through", () =>
    Effect.gen(function*() {
      const { millis, result } = yield* runFor(createMessage, "5 minutes")
      assert.isTrue(Result.isSuccess(result))
      assert.deepStrictEqual(yield* asked, ["claude-sonnet-5-5", "claude-sonnet-5-5", "claude-sonnet-5-5"])
      assert.isAtLeast(millis, 40_000)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([open, open, Reply.text("hi")]).pipe(
          ClaudeLayer.withRetry(),
          ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"], shouldFallback: ["OverloadedError"] }),
          ClaudeLayer.withDeadline("2 minutes")
        )
      )
    ))
})
