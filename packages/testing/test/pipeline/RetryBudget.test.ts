import { OverloadedError, RetryBudgetExhaustedError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as TokenEstimate from "@effect-claude/client/TokenEstimate"
import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { TestClock } from "effect/testing"
import { calls, createMessage, request, runFor, streamEvents, using } from "./support.ts"

const level = Effect.flatMap(ClaudeService, (claude) => {
  const budget = ClaudeLayer.controls(claude).retryBudget
  return budget === undefined ? Effect.die("no budget") : budget.level
})

const failureOf = <A, E>(result: Result.Result<A, E>): E | undefined =>
  Result.isFailure(result) ? result.failure : undefined

describe("ClaudeLayer.withRetryBudget", () => {
  it.effect("fails a call whose retry cannot be paid for with what would have been retried", () =>
    Effect.gen(function*() {
      const { result } = yield* runFor(createMessage, "1 hour")
      const error = failureOf(result)
      assert.instanceOf(error, RetryBudgetExhaustedError)
      assert.instanceOf(error?.cause, OverloadedError)
      assert.strictEqual(error?.attempt, 4)
      assert.strictEqual(error?.model, request.model)
      assert.strictEqual(error?.verdict._tag, "Stop")
      assert.include(
        error?.message,
        "has 0 of 15 tokens left, and another attempt costs 5; the last failure was OverloadedError"
      )
      assert.strictEqual((yield* calls).length, 4)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], { after: Fault.overloaded({ requestId: "req_1" }) }).pipe(
          ClaudeLayer.withRetry(ClaudeSchedule.make({ attempts: 10 })),
          ClaudeLayer.withRetryBudget({ capacity: 15 })
        )
      )
    ))

  it.effect("is shared by messages, streams and token counts of a client, and refunds success", () =>
    Effect.gen(function*() {
      yield* runFor(createMessage, "1 minute")
      assert.strictEqual(yield* level, 500)
      yield* runFor(streamEvents, "1 minute")
      assert.strictEqual(yield* level, 486)
      yield* runFor(
        Effect.flatMap(
          ClaudeService,
          ({ countTokens }) => countTokens({ model: request.model, messages: request.messages })
        ),
        "1 minute"
      )
      assert.strictEqual(yield* level, 487)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([
          Fault.connection(),
          Reply.text("one retry"),
          Fault.internalServer(),
          Fault.connection(),
          Reply.text("two retries"),
          Reply.text("none")
        ]).pipe(ClaudeLayer.withRetry(), ClaudeLayer.withRetryBudget())
      )
    ))

  it.effect("makes the retry of a large request cost more, and none of a small one", () =>
    Effect.gen(function*() {
      const large = { ...request, messages: [{ role: "user" as const, content: "x".repeat(330_000) }] }
      yield* runFor(Effect.flatMap(ClaudeService, (claude) => claude.createMessage(large)), "1 minute")
      const cost = 14 * TokenEstimate.ofRequest(large) / 10_000
      assert.isAbove(cost, 10 * 14)
      assert.approximately(yield* level, 500 - cost, 1e-9)
      yield* runFor(createMessage, "1 minute")
      assert.approximately(yield* level, 500 - cost - 14, 1e-9)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], { after: Fault.connection() }).pipe(
          ClaudeLayer.withRetry(ClaudeSchedule.make({ attempts: 2 })),
          ClaudeLayer.withRetryBudget()
        )
      )
    ))

  it.effect("takes another estimate and another unit, or no weight at all", () =>
    Effect.gen(function*() {
      const script = ClaudeTest.script([], { after: Fault.connection() }).pipe(
        ClaudeLayer.withRetry(ClaudeSchedule.make({ attempts: 2 }))
      )
      const spent = (options: Parameters<typeof ClaudeLayer.withRetryBudget>[0]) =>
        using(
          Effect.andThen(runFor(createMessage, "1 minute"), Effect.map(level, (left) => 500 - left)),
          script.pipe(ClaudeLayer.withRetryBudget(options))
        )
      assert.strictEqual(yield* spent({ weight: { tokens: 100, estimate: () => 300 } }), 42)
      assert.strictEqual(yield* spent({ weight: { estimate: () => 30_000 } }), 42)
      assert.strictEqual(yield* spent({ weight: false }), 14)
    }))

  it.effect("takes nothing for what a policy inside turned away", () =>
    Effect.gen(function*() {
      const { result } = yield* runFor(createMessage, "10 minutes")
      assert.isTrue(Result.isSuccess(result))
      assert.strictEqual(yield* level, 500)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.circuitOpen(), Fault.circuitOpen(), Reply.text("hi")]).pipe(
          ClaudeLayer.withRetry(),
          ClaudeLayer.withRetryBudget(),
          ClaudeLayer.withDeadline("5 minutes")
        )
      )
    ))

  it.effect("gives each layer that is built a budget of its own, unless one is given", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make()
      const script = ClaudeTest.script([], { after: Fault.connection() }).pipe(
        ClaudeLayer.withRetry(ClaudeSchedule.make({ attempts: 2 }))
      )
      const own = script.pipe(ClaudeLayer.withRetryBudget())
      const shared = script.pipe(ClaudeLayer.withRetryBudget({ budget }))
      const call = Effect.andThen(runFor(createMessage, "1 minute"), level)
      assert.strictEqual(yield* using(call, own), 486)
      assert.strictEqual(yield* using(call, own), 486)
      assert.strictEqual(yield* using(call, shared), 486)
      assert.strictEqual(yield* using(call, shared), 472)
    }))

  it("refuses options that contradict each other", () => {
    assert.throws(
      () => ClaudeLayer.withRetryBudget({ budget: RetryBudget.makeUnsafe(), capacity: 100 }),
      RangeError,
      `ClaudeLayer.withRetryBudget: option "capacity" has no effect on a "budget" that is given`
    )
    assert.throws(() => ClaudeLayer.withRetryBudget({ weight: { tokens: 0 } }), RangeError, `option "weight.tokens"`)
    assert.throws(() => ClaudeLayer.withRetryBudget({ capacity: 5 }), RangeError, `option "capacity"`)
  })

  it.effect("an interrupted wait gives its retry back", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(createMessage)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* level, 495)
      fiber.interruptUnsafe()
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* level, 500)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], { after: Fault.rateLimit({ retryAfter: "30 seconds" }) }).pipe(
          ClaudeLayer.withRetry(),
          ClaudeLayer.withRetryBudget()
        )
      )
    ))
})
