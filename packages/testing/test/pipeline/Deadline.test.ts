import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { calls, createMessage, runFor, streamEvents, using } from "./support.ts"

describe("ClaudeLayer.withDeadline", () => {
  const hour = ClaudeTest.script([], { after: Fault.rateLimit({ retryAfter: "1 hour" }) })

  it.effect("fails at once when the server's wait does not fit, with that wait", () =>
    Effect.gen(function*() {
      const { millis, result } = yield* runFor(createMessage, "1 minute")
      assert.strictEqual(millis, 0)
      const error = Result.isFailure(result) ? result.failure : undefined
      assert.strictEqual(error?._tag, "RateLimitError")
      assert.deepStrictEqual(error?.retryAfter, Duration.hours(1))
    }).pipe((test) =>
      using(
        test,
        hour.pipe(
          ClaudeLayer.withRetry(ClaudeSchedule.make({ maxWait: Duration.infinity })),
          ClaudeLayer.withDeadline("30 seconds")
        )
      )
    ))

  it.effect("ends a call that hangs, and tells of the last failure", () =>
    Effect.gen(function*() {
      const { millis, result } = yield* runFor(createMessage, "1 minute")
      assert.strictEqual(millis, 30_000)
      const error = Result.isFailure(result) ? result.failure : undefined
      assert.strictEqual(error?._tag, "DeadlineExceededError")
      assert.include(error?.message ?? "", "OverloadedError")
      assert.strictEqual(error?.attempt, 1)
      assert.strictEqual((yield* calls).at(-1)?.outcome._tag, "Interrupted")
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.overloaded()], { after: Fault.hang() }).pipe(
          ClaudeLayer.withRetry(),
          ClaudeLayer.withDeadline("30 seconds")
        )
      )
    ))

  it.effect("of two deadlines the earlier one governs, and knows the last failure too", () =>
    Effect.gen(function*() {
      for (const call of [Effect.asVoid(createMessage), Effect.asVoid(streamEvents)]) {
        const { millis, result } = yield* runFor(call, "2 minutes")
        assert.strictEqual(millis, 30_000)
        const error = Result.isFailure(result) ? result.failure : undefined
        assert.strictEqual(error?._tag, "DeadlineExceededError")
        assert.include(error?.message ?? "", "OverloadedError")
        assert.deepStrictEqual(error?.retryAfter, Duration.seconds(1))
      }
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([
          Fault.overloaded({ retryAfter: "1 second" }),
          Fault.hang(),
          Fault.overloaded({ retryAfter: "1 second" }),
          Fault.hang()
        ]).pipe(
          ClaudeLayer.withRetry(ClaudeSchedule.make({ serverWaitJitter: 0 })),
          ClaudeLayer.withDeadline("1 minute"),
          ClaudeLayer.withDeadline("30 seconds")
        )
      )
    ))

  it.effect("covers a stream to its end", () =>
    Effect.gen(function*() {
      const { millis, result } = yield* runFor(streamEvents, "1 minute")
      assert.strictEqual(millis, 30_000)
      assert.strictEqual(Result.isFailure(result) ? result.failure._tag : "", "DeadlineExceededError")
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.stallStream({ afterEvents: 3 })]).pipe(ClaudeLayer.withDeadline("30 seconds"))
      )
    ))
})
