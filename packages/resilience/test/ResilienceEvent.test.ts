import * as AttemptTimeout from "@effect-claude/resilience/AttemptTimeout"
import * as Deadline from "@effect-claude/resilience/Deadline"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as Retry from "@effect-claude/resilience/Retry"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"

const listening = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const events: Array<ResilienceEvent.ResilienceEvent> = []
    const fiber = yield* effect.pipe(
      ResilienceEvent.listen((event) => {
        events.push(event)
      }),
      Effect.exit,
      Effect.forkChild
    )
    yield* TestClock.adjust("1 hour")
    yield* Fiber.join(fiber)
    return events
  })

const overloaded = Effect.fail({ _tag: "Busy", message: "a secret", verdict: Verdict.retry("overloaded") })

describe("ResilienceEvent", () => {
  it.effect("retries tell of each wait before it, and of the end", () =>
    Effect.gen(function*() {
      const schedule = RetrySchedule.standard({ jitter: "none" })
      const events = yield* listening(Retry.retry(overloaded, schedule))
      const retried = { _tag: "RetryScheduled", kind: "overloaded", error: "Busy" } as const
      assert.deepStrictEqual<ReadonlyArray<unknown>>(events, [
        { ...retried, attempt: 1, wait: Duration.seconds(1) },
        { ...retried, attempt: 2, wait: Duration.seconds(2) },
        { _tag: "RetriesEnded", attempt: 3, error: "Busy", reason: "schedule" }
      ])
      const ofStream = yield* listening(
        Stream.runDrain(Retry.retryStream(Stream.fromEffect(overloaded), { schedule, isContent: () => true }))
      )
      assert.deepStrictEqual(ofStream, events)
    }))

  it.effect("a schedule that fails is a budget that does not pay, and one that dies has decided nothing", () =>
    Effect.gen(function*() {
      const unpaid = Schedule.fromStep(Effect.succeed(() => Effect.fail("no budget")))
      assert.deepStrictEqual<ReadonlyArray<unknown>>(
        yield* listening(Retry.retry(overloaded, unpaid)),
        [{ _tag: "RetriesEnded", attempt: 1, error: "Busy", reason: "budget" }]
      )
      assert.deepStrictEqual(
        yield* listening(Retry.retry(overloaded, Schedule.fromStep(Effect.succeed(() => Effect.die("a bug"))))),
        []
      )
    }))

  it.effect("clocks tell when they run out", () =>
    Effect.gen(function*() {
      const limit = Duration.seconds(5)
      const timedOut = { _tag: "AttemptTimedOut", limit } as const
      const exceeded = { _tag: "DeadlineExceeded", limit } as const
      assert.deepStrictEqual<ReadonlyArray<unknown>>(
        yield* listening(AttemptTimeout.withAttemptTimeout(Effect.never, limit)),
        [{ ...timedOut, phase: "attempt" }]
      )
      assert.deepStrictEqual<ReadonlyArray<unknown>>(
        yield* listening(Stream.runDrain(AttemptTimeout.streamWithTimeouts(Stream.never, { firstEvent: limit }))),
        [{ ...timedOut, phase: "firstEvent" }]
      )
      assert.deepStrictEqual<ReadonlyArray<unknown>>(
        yield* listening(Deadline.withDeadline(Effect.never, limit)),
        [exceeded]
      )
      assert.deepStrictEqual<ReadonlyArray<unknown>>(
        yield* listening(Stream.runDrain(Deadline.streamWithDeadline(Stream.never, limit))),
        [exceeded]
      )
    }))

  it("tells both listeners, the second also when the first throws, and just the second when there is no first", () => {
    const heard: Array<string> = []
    const event = { _tag: "CacheMissed" } as const
    const second = () => void heard.push("second")
    ResilienceEvent.both(undefined, second)(event)
    ResilienceEvent.both(() => void heard.push("first"), second)(event)
    const broken = ResilienceEvent.both(() => {
      throw new Error("a broken listener")
    }, second)
    assert.throws(() => broken(event), "a broken listener")
    assert.deepStrictEqual(heard, ["second", "first", "second", "second"])
    assert.strictEqual(ResilienceEvent.both(undefined, second), second)
  })

  it.effect("is heard only where somebody listens", () =>
    Effect.gen(function*() {
      const heard = Effect.withFiber((fiber) => Effect.succeed(ResilienceEvent.isHeard(fiber)))
      assert.isFalse(yield* heard)
      assert.isTrue(yield* ResilienceEvent.listen(heard, () => {}))
    }))

  it.effect("listeners further out hear too, and one that throws breaks nothing", () =>
    Effect.gen(function*() {
      let heard = 0
      const events = yield* listening(
        ResilienceEvent.listen(Deadline.withDeadline(Effect.never, "1 second"), () => {
          heard += 1
          throw new Error("a broken listener")
        })
      )
      assert.strictEqual(heard, 1)
      assert.strictEqual(events.length, 1)
    }))
})
