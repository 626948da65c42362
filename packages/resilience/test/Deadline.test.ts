import * as Deadline from "@effect-claude/resilience/Deadline"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { countSleeps } from "./SleepCounter.ts"

const exceeded = (limit: Duration.Input) =>
  Exit.fail(new Deadline.DeadlineExceededError({ limit: Duration.fromInputUnsafe(limit) }))

const remainingMillis = Effect.map(Deadline.remaining, Option.map(Duration.toMillis))

/** Runs under the test clock; how it ended, and at what time. */
const timed = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const begin = yield* Clock.currentTimeMillis
    const fiber = yield* Effect.forkChild(
      Effect.flatMap(Effect.exit(effect), (exit) =>
        Effect.map(Clock.currentTimeMillis, (now) => ({ exit, at: now - begin })))
    )
    yield* TestClock.adjust("1 day")
    return yield* Fiber.join(fiber)
  })

describe("Deadline.withDeadline", () => {
  it.effect("interrupts and fails when the time is over", () =>
    Effect.gen(function*() {
      let aborted = false
      const call = Effect.callback<never>((_resume, signal) => {
        signal.addEventListener("abort", () => {
          aborted = true
        })
      })
      const { at, exit } = yield* timed(Deadline.withDeadline(call, "30 seconds"))
      assert.deepStrictEqual([at, exit, aborted], [30_000, exceeded("30 seconds"), true])
    }))

  it.live("ends a call on the live clock too", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Deadline.withDeadline(Effect.never, "5 millis"))
      assert.deepStrictEqual(error.limit, Duration.millis(5))
    }))

  it.live("backoff overflow: a deadline beyond a timer's reach is not one of a millisecond", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* Deadline.withDeadline(Effect.as(Effect.sleep("10 millis"), "answer"), "60 days"),
        "answer"
      )
    }))

  it.effect("leaves a result, a failure and a defect alone", () =>
    Effect.gen(function*() {
      const within = Deadline.withDeadline("1 second")
      assert.strictEqual(yield* within(Effect.succeed(1)), 1)
      assert.strictEqual(yield* Effect.flip(within(Effect.fail("own"))), "own")
      assert.deepStrictEqual(yield* Effect.exit(within(Effect.die("bug"))), Exit.die("bug"))
    }))

  it.effect("shows what is left, also to fibers inside", () =>
    Effect.gen(function*() {
      const call = Effect.gen(function*() {
        yield* Effect.sleep("10 seconds")
        const fiber = yield* Effect.forkChild(Effect.delay(remainingMillis, "5 seconds"))
        return [yield* remainingMillis, yield* Fiber.join(fiber)]
      })
      const { exit } = yield* timed(Deadline.withDeadline(call, "30 seconds"))
      assert.deepStrictEqual(exit, Exit.succeed([Option.some(20_000), Option.some(15_000)]))
      assert.deepStrictEqual(yield* remainingMillis, Option.none())
    }))

  it.effect("nested: the earlier one governs", () =>
    Effect.gen(function*() {
      const inner = (limit: Duration.Input) =>
        timed(Effect.never.pipe(Deadline.withDeadline(limit), Deadline.withDeadline("10 seconds")))
      assert.deepStrictEqual(yield* inner("4 seconds"), { at: 4000, exit: exceeded("4 seconds") })
      assert.deepStrictEqual(yield* inner("10 seconds"), { at: 10_000, exit: exceeded("10 seconds") })
      assert.deepStrictEqual(yield* inner("1 hour"), { at: 10_000, exit: exceeded("10 seconds") })
    }))

  it.effect("nested: a later one shows the outer remainder and starts no timer", () =>
    countSleeps(({ active, started }) =>
      Effect.gen(function*() {
        const left = yield* remainingMillis.pipe(Deadline.withDeadline("1 hour"), Deadline.withDeadline("10 seconds"))
        assert.deepStrictEqual(left, Option.some(10_000))
        const before = started()
        const fiber = yield* Effect.forkChild(
          Effect.never.pipe(Deadline.withDeadline("1 hour"), Deadline.withDeadline("10 seconds"), Effect.exit)
        )
        yield* TestClock.adjust("1 second")
        assert.strictEqual(started() - before, 1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(active(), 0)
      })
    ))

  it.effect("nested: time spent before an inner deadline does not extend the outer one", () =>
    Effect.gen(function*() {
      const inner = Effect.delay(Deadline.withDeadline(Effect.never, "8 seconds"), "5 seconds")
      assert.deepStrictEqual(yield* timed(Deadline.withDeadline(inner, "10 seconds")), {
        at: 10_000,
        exit: exceeded("10 seconds")
      })
    }))

  it.effect("a finalizer that runs after the deadline can have one of its own", () =>
    Effect.gen(function*() {
      const cleanup = Effect.ignore(Deadline.withDeadline(Effect.never, "5 seconds"))
      const call = Effect.onInterrupt(Effect.never, () => cleanup)
      assert.deepStrictEqual(yield* timed(Deadline.withDeadline(call, "30 seconds")), {
        at: 35_000,
        exit: exceeded("30 seconds")
      })
    }))

  it.effect("zero does not start the effect; infinity changes nothing", () =>
    Effect.gen(function*() {
      let started = false
      const call = Effect.sync(() => {
        started = true
      })
      assert.deepStrictEqual(yield* Effect.exit(Deadline.withDeadline(call, 0)), exceeded(0))
      assert.isFalse(started)
      assert.deepStrictEqual(yield* Deadline.withDeadline(remainingMillis, "Infinity"), Option.none())
    }))

  it.effect("withoutDeadline hides it", () =>
    Effect.gen(function*() {
      const left = remainingMillis.pipe(Deadline.withoutDeadline, Deadline.withDeadline("1 second"))
      assert.deepStrictEqual(yield* left, Option.none())
    }))

  it.effect("orElse runs outside, with the limit", () =>
    Effect.gen(function*() {
      const { at, exit } = yield* timed(Deadline.withDeadlineOrElse(Effect.never, {
        duration: "3 seconds",
        orElse: ({ limit }) => Effect.map(remainingMillis, (left) => [Duration.toMillis(limit), left])
      }))
      assert.deepStrictEqual([at, exit], [3000, Exit.succeed([3000, Option.none()])])
    }))

  it("the error goes to JSON and back, and is final", () => {
    const error = new Deadline.DeadlineExceededError({ limit: Duration.seconds(30) })
    const codec = Schema.toCodecJson(Deadline.DeadlineExceededError)
    const decoded = Schema.decodeUnknownSync(codec)(JSON.parse(JSON.stringify(Schema.encodeSync(codec)(error))))
    assert.instanceOf(decoded, Deadline.DeadlineExceededError)
    assert.deepStrictEqual([decoded.limit, decoded.message, decoded.verdict._tag], [
      Duration.seconds(30),
      "Deadline of 30s exceeded",
      "Stop"
    ])
  })

  it("refuses a negative duration and NaN", () => {
    assert.throws(
      () => Deadline.withDeadline(Effect.void, "-1 seconds"),
      RangeError,
      `Deadline.withDeadline: option "duration" must be a duration of zero or more, got "-1 seconds"`
    )
    assert.throws(
      () => Deadline.streamWithDeadline(Stream.empty, Number.NaN),
      RangeError,
      "Deadline.streamWithDeadline"
    )
    assert.throws(
      () => Deadline.withDeadlineOrElse(Effect.void, { duration: -1, orElse: () => Effect.void }),
      RangeError,
      "Deadline.withDeadlineOrElse"
    )
    assert.throws(
      () => Deadline.streamWithDeadlineOrElse(Stream.empty, { duration: -1, orElse: () => Stream.empty }),
      RangeError,
      "Deadline.streamWithDeadlineOrElse"
    )
  })
})

describe("Deadline.streamWithDeadline", () => {
  it.effect("covers the whole stream, the consumer's time included", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const consumed = Stream.range(1, 10).pipe(
        Stream.rechunk(1),
        Deadline.streamWithDeadline("10 seconds"),
        Stream.runForEach((n) => Effect.delay(Effect.sync(() => seen.push(n)), "3 seconds"))
      )
      const { at, exit } = yield* timed(consumed)
      assert.deepStrictEqual([seen, at, exit], [[1, 2, 3, 4], 12_000, exceeded("10 seconds")])
    }))

  it.effect("interrupts a pull and releases the stream at once", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const note = (what: string) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          log.push(`${now} ${what}`)
        })
      const resource = Stream.scoped(Stream.fromEffect(Effect.acquireRelease(note("open"), () => note("close"))))
      const stalled = Stream.flatMap(resource, () =>
        Stream.concat(
          Stream.make(1),
          Stream.fromEffect(Effect.onInterrupt(Effect.never, () => note("interrupt")))
        ))
      const limited = Deadline.streamWithDeadline(stalled, "10 seconds")
      const pulling = yield* timed(Stream.runDrain(limited))
      assert.deepStrictEqual([pulling.at, pulling.exit], [10_000, exceeded("10 seconds")])
      assert.deepStrictEqual(log, ["0 open", "10000 interrupt", "10000 close"])

      log.length = 0
      const busy = yield* timed(Stream.runForEach(limited, () => Effect.sleep("25 seconds")))
      assert.strictEqual(busy.at, 25_000)
      const day = Duration.toMillis("1 day")
      assert.deepStrictEqual(log, [`${day} open`, `${day + 10_000} close`])
    }))

  it.effect("shows what is left to every pull", () =>
    Effect.gen(function*() {
      const left = Stream.fromEffectRepeat(Effect.delay(remainingMillis, "2 seconds")).pipe(
        Stream.take(3),
        Deadline.streamWithDeadline("10 seconds"),
        Stream.runCollect
      )
      const { exit } = yield* timed(left)
      assert.deepStrictEqual(exit, Exit.succeed([Option.some(8000), Option.some(6000), Option.some(4000)]))
    }))

  it.effect("nested: the earlier one governs, the later one starts no timer", () =>
    countSleeps(({ active, started }) =>
      Effect.gen(function*() {
        const stream = Stream.never.pipe(
          Deadline.streamWithDeadline("1 hour"),
          Deadline.streamWithDeadline("10 seconds")
        )
        const fiber = yield* Effect.forkChild(Effect.exit(Stream.runDrain(stream)))
        yield* TestClock.adjust("9 seconds")
        assert.strictEqual(started(), 1)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.join(fiber), exceeded("10 seconds"))
        const inEffect = yield* timed(
          Stream.runDrain(Deadline.streamWithDeadline(Stream.never, "1 hour")).pipe(Deadline.withDeadline("1 second"))
        )
        assert.deepStrictEqual(inEffect, { at: 1000, exit: exceeded("1 second") })
        assert.strictEqual(active(), 0)
      })
    ))

  it.effect("continues with another stream", () =>
    Effect.gen(function*() {
      const stream = Stream.concat(Stream.make(1, 2), Stream.never).pipe(
        Deadline.streamWithDeadlineOrElse({
          duration: "1 second",
          orElse: ({ limit }) => Stream.make(Duration.toMillis(limit))
        })
      )
      const { exit } = yield* timed(Stream.runCollect(stream))
      assert.deepStrictEqual(exit, Exit.succeed([1, 2, 1000]))
      assert.deepStrictEqual(
        yield* Effect.exit(Stream.runDrain(Deadline.streamWithDeadline(Stream.die("started"), 0))),
        exceeded(0)
      )
    }))

  it.effect("leaves a stream that ends in time alone, and no timer behind", () =>
    countSleeps(({ active }) =>
      Effect.gen(function*() {
        const ended = Deadline.streamWithDeadline(Stream.range(1, 1000), "1 hour")
        const failed = Deadline.streamWithDeadline(Stream.fail("own"), "1 hour")
        let active1 = -1
        // The scope of a stream can outlive its end, the timer must not.
        const both = Stream.concat(
          ended,
          Stream.fromEffect(Effect.sync(() => {
            active1 = active()
            return 0
          }))
        )
        assert.strictEqual((yield* Stream.runCollect(both)).length, 1001)
        assert.strictEqual(active1, 0)
        assert.strictEqual(yield* Effect.flip(Stream.runDrain(failed)), "own")
        assert.strictEqual(active(), 0)
      })
    ))
})
