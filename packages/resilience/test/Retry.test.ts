import * as Attempt from "@effect-claude/resilience/Attempt"
import * as Retry from "@effect-claude/resilience/Retry"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"

describe("Retry.retry", () => {
  it.effect("numbers attempts from one and restores the number outside", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const call = Effect.gen(function*() {
        seen.push(yield* Attempt.CurrentAttempt)
        return yield* Effect.fail("busy")
      })
      const error = yield* Effect.flip(Retry.retry(call, Schedule.recurs(3)))
      assert.strictEqual(error, "busy")
      assert.deepStrictEqual(seen, [1, 2, 3, 4])
      assert.strictEqual(yield* Attempt.CurrentAttempt, 1)
    }))

  it.effect("counts anew inside of another retry", () =>
    Effect.gen(function*() {
      const seen: Array<readonly [number, number]> = []
      const program = Effect.gen(function*() {
        const outer = yield* Attempt.CurrentAttempt
        const inner = Effect.gen(function*() {
          seen.push([outer, yield* Attempt.CurrentAttempt])
          return yield* Effect.fail("busy")
        })
        return yield* Retry.retry(inner, Schedule.recurs(1))
      })
      yield* program.pipe(Retry.retry(Schedule.recurs(1)), Effect.flip)
      assert.deepStrictEqual(seen, [[1, 1], [1, 2], [2, 1], [2, 2]])
    }))

  it.effect("starts from one whatever the number outside", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const call = Effect.flatMap(Attempt.CurrentAttempt, (attempt) => {
        seen.push(attempt)
        return Effect.fail("busy")
      })
      yield* call.pipe(
        Retry.retry(Schedule.recurs(1)),
        Effect.provideService(Attempt.CurrentAttempt, 7),
        Effect.flip
      )
      const stream = Stream.unwrap(Effect.map(Effect.ignore(call), () => Stream.fail("cut")))
      yield* stream.pipe(
        Retry.retryStream({ schedule: Schedule.recurs(1), isContent: () => true }),
        Stream.runDrain,
        Effect.provideService(Attempt.CurrentAttempt, 7),
        Effect.flip
      )
      assert.deepStrictEqual(seen, [1, 2, 1, 2])
    }))

  it.effect("shows the schedule's metadata as Effect.retry does", () =>
    Effect.gen(function*() {
      const observe = (retrying: typeof Retry.retry | typeof Effect.retry) =>
        Effect.gen(function*() {
          const seen: Array<readonly [number, unknown]> = []
          const call = Effect.gen(function*() {
            const { attempt, input } = yield* Schedule.CurrentMetadata
            seen.push([attempt, input])
            return yield* Effect.fail(`failure ${seen.length}`)
          })
          const schedule: Schedule.Schedule<number> = Schedule.recurs(2)
          yield* Effect.flip(retrying === Effect.retry ? Effect.retry(call, schedule) : Retry.retry(call, schedule))
          return seen
        })
      assert.deepStrictEqual(yield* observe(Retry.retry), yield* observe(Effect.retry))
    }))

  it.effect("does not show the metadata of a schedule outside", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const call = Effect.flatMap(Schedule.CurrentMetadata, ({ attempt }) => {
        seen.push(attempt)
        return Effect.fail("busy")
      })
      yield* call.pipe(Retry.retry(Schedule.recurs(1)), Effect.retry(Schedule.recurs(1)), Effect.flip)
      assert.deepStrictEqual(seen, [0, 1, 0, 1])
    }))

  it.effect("waits as the schedule says, and each run starts afresh", () =>
    Effect.gen(function*() {
      const schedule = RetrySchedule.standard({ jitter: "none" })
      const call = Retry.retry(Effect.fail({ verdict: Verdict.retry("timeout") }), schedule)
      for (let run = 0; run < 2; run++) {
        const fiber = yield* Effect.forkChild(call)
        yield* TestClock.adjust("1499 millis")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.isDefined(fiber.pollUnsafe())
      }
    }))

  it.effect("does not touch the schedule when the first attempt succeeds", () =>
    Effect.gen(function*() {
      let started = 0
      const schedule = Schedule.fromStep(Effect.sync(() => {
        started += 1
        return () => Cause.done(0)
      }))
      assert.strictEqual(yield* Retry.retry(Effect.succeed("first"), schedule), "first")
      assert.strictEqual(started, 0)
      yield* Effect.exit(Retry.retry(Effect.fail("x"), schedule))
      assert.strictEqual(started, 1)
    }))

  it.effect("retries neither defects nor interruption, and fails with the last cause unchanged", () =>
    Effect.gen(function*() {
      let calls = 0
      const counted = <A, E>(effect: Effect.Effect<A, E>) =>
        Effect.suspend(() => {
          calls += 1
          return effect
        })
      const attempts = <A, E>(effect: Effect.Effect<A, E>) =>
        Effect.gen(function*() {
          calls = 0
          const exit = yield* Effect.exit(Retry.retry(counted(effect), Schedule.recurs(2)))
          return { calls, exit }
        })
      assert.deepStrictEqual(yield* attempts(Effect.die("bug")), { calls: 1, exit: Exit.die("bug") })
      assert.strictEqual((yield* attempts(Effect.interrupt)).calls, 1)
      const mixed = Cause.combine(Cause.fail("typed"), Cause.die("bug"))
      assert.strictEqual((yield* attempts(Effect.failCause(mixed))).calls, 1)
      const cause = Cause.combine(Cause.fail("one"), Cause.fail("two"))
      assert.deepStrictEqual(yield* attempts(Effect.failCause(cause)), { calls: 3, exit: Exit.failCause(cause) })
    }))

  it.effect("passes on a failure of the schedule itself", () =>
    Effect.gen(function*() {
      const schedule = Schedule.recurs(5).pipe(Schedule.tap(() => Effect.fail("budget")))
      assert.strictEqual(yield* Effect.flip(Retry.retry(Effect.fail("busy"), schedule)), "budget")
    }))

  it.effect("can be interrupted while it waits", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Retry.retry(Effect.fail("busy"), Schedule.spaced("1 hour")))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
    }))

  it.effect("keeps its stack over 20,000 retries", () =>
    Effect.gen(function*() {
      const call = Effect.flatMap(
        Attempt.CurrentAttempt,
        (attempt) => attempt < 20_000 ? Effect.fail("busy") : Effect.succeed(attempt)
      )
      assert.strictEqual(yield* Retry.retry(call, Schedule.forever), 20_000)
    }))
})
