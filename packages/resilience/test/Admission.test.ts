import * as Admission from "@effect-claude/resilience/Admission"
import * as Attempt from "@effect-claude/resilience/Attempt"
import * as Retry from "@effect-claude/resilience/Retry"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"

const rank = (handicap: number) => Effect.withFiber((fiber) => Effect.succeed(Admission.rank(fiber, handicap)))

describe("Admission", () => {
  it.effect("orders calls by their start, and batch behind what begins within its handicap", () =>
    Effect.gen(function*() {
      const batch = yield* Admission.withPriority(rank(30_000), "batch")
      yield* TestClock.adjust("29 seconds")
      assert.isBelow(yield* rank(30_000), batch)
      yield* TestClock.adjust("2 seconds")
      assert.isAbove(yield* rank(30_000), batch)
    }))

  it.effect("a retried call keeps the place of its start", () =>
    Effect.gen(function*() {
      const ranks: Array<number> = []
      const call = Effect.flatMap(rank(0), (own) => {
        ranks.push(own)
        return Effect.fail("again")
      })
      const fiber = yield* Effect.forkChild(Effect.exit(Retry.retry(
        call,
        Schedule.addDelay(
          Schedule.recurs(2),
          () => Effect.succeed("10 seconds")
        )
      )))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.strictEqual(ranks.length, 3)
      assert.strictEqual(new Set(ranks).size, 1)
      assert.isAbove(yield* rank(0), ranks[0] ?? Number.POSITIVE_INFINITY)
    }))

  it.effect("so does a retried stream", () =>
    Effect.gen(function*() {
      const ranks: Array<number> = []
      const stream = Stream.unwrap(Effect.map(rank(0), (own) => {
        ranks.push(own)
        return Stream.fail("again")
      }))
      const fiber = yield* stream.pipe(
        Retry.retryStream({
          schedule: Schedule.addDelay(Schedule.recurs(2), () => Effect.succeed("10 seconds")),
          isContent: () => true
        }),
        Stream.runDrain,
        Effect.exit,
        Effect.forkChild
      )
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.strictEqual(ranks.length, 3)
      assert.strictEqual(new Set(ranks).size, 1)
    }))

  it.effect("a rejected attempt keeps its number for the next one", () =>
    Effect.gen(function*() {
      const attempts: Array<number> = []
      const verdicts = [Verdict.retry("rejected"), Verdict.retry("rejected"), Verdict.retry("timeout")]
      const call = Effect.flatMap(Attempt.CurrentAttempt, (attempt) => {
        attempts.push(attempt)
        return Effect.fail({ verdict: verdicts[attempts.length - 1] ?? Verdict.stop })
      })
      yield* Effect.exit(Retry.retry(call, Schedule.recurs(3)))
      assert.deepStrictEqual(attempts, [1, 1, 1, 2])
    }))
})
