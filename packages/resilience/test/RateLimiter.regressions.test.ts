import * as Deadline from "@effect-claude/resilience/Deadline"
import * as RateLimiter from "@effect-claude/resilience/RateLimiter"
import * as Retry from "@effect-claude/resilience/Retry"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { countSleeps } from "./SleepCounter.ts"

const one = { costs: { requests: 1 } }

const noting = (starts: Array<number>) =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    starts.push(now)
  })

describe("RateLimiter: failures of others", () => {
  it.effect(
    "memory per key: 20,000 keys, most of their calls interrupted, leave at most as many as are allowed",
    () =>
      countSleeps((sleeps) =>
        Effect.gen(function*() {
          const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 1 } }, headroom: 1, maxKeys: 100 })
          const used = (key: number) =>
            Effect.map(limiter.levels(`key ${key}`), ({ limits }) => limits.requests.available < 1)
          for (let key = 0; key < 20_000; key++) {
            const call = limiter.withLimit(Effect.never, { ...one, key: `key ${key}` })
            const holder = yield* Effect.forkChild(
              limiter.withLimit(Effect.void, { ...one, key: `key ${key}` }),
              { startImmediately: true }
            )
            const waiter = yield* Effect.forkChild(call, { startImmediately: true })
            yield* Fiber.await(holder)
            yield* Fiber.interrupt(waiter)
          }
          const known = yield* Effect.filter(Array.from({ length: 20_000 }, (_, key) => key), used)
          assert.isAtMost(known.length, 125)
          assert.include(known, 19_999, "the last one used is still known")
          assert.strictEqual(sleeps.active(), 0)
        })
      ),
    60_000
  )

  it.effect("retry-after herd: 1,000 who wait for one retry-after start no closer together than uniform jitter", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make({
        limits: { requests: {} },
        rampUp: false,
        queueTimeout: "2 minutes"
      })
      yield* limiter.observe("default", {})
      yield* limiter.pause("default", "50 seconds")
      const starts: Array<number> = []
      yield* Effect.forEach(
        Array.from({ length: 1000 }),
        () => Effect.forkChild(limiter.withLimit(noting(starts), one))
      )
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(starts.length, 1000)
      assert.isAtLeast(Math.min(...starts), 50_000)
      // 1,000 in 10 s are one in each 10 ms; of as many that are drawn uniformly, none of the buckets holds more than 8
      // in 999 of 1,000 cases (Poisson).
      const buckets = new Map<number, number>()
      for (const start of starts) {
        const bucket = Math.floor(start / 10)
        buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1)
      }
      assert.isAtMost(Math.max(...buckets.values()), 8)
      const thirds = [0, 1, 2].map((third) =>
        starts.filter((start) => Math.floor((start - 50_000) / 3334) === third).length
      )
      for (const third of thirds) assert.approximately(third, 333, 60)
    }).pipe(Random.withSeed("herd")))

  it.effect("retry-after herd: a second, short retry-after does not push those together who come back from a long one", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make({ limits: { requests: {} }, queueTimeout: "5 minutes" })
      yield* limiter.observe("default", {})
      yield* limiter.pause("default", "1 minute")
      const starts: Array<number> = []
      yield* Effect.forEach(
        Array.from({ length: 1000 }),
        () => Effect.forkChild(limiter.withLimit(noting(starts), one))
      )
      yield* TestClock.adjust("61 seconds")
      const before = starts.length
      yield* limiter.pause("default", "1 second")
      yield* TestClock.adjust("1200 millis")
      assert.isBelow(starts.length - before, 100)
      yield* TestClock.adjust("12 seconds")
      assert.strictEqual(starts.length, 1000)
    }).pipe(Random.withSeed("two pauses")))

  it.effect("retry-after beyond deadline: those who cannot wait that long fail at once, in the queue or at the door", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 60, burst: 1000 } }, headroom: 1 })
      yield* limiter.withLimit(Effect.void, one)
      const call = limiter.withLimit(Effect.void, one).pipe(
        Retry.retry(RetrySchedule.standard()),
        Deadline.withDeadline("30 seconds"),
        Effect.flip,
        Effect.flatMap((error) => Effect.map(Clock.currentTimeMillis, (at) => ({ at, tag: error._tag })))
      )
      const waiting = yield* Effect.forkChild(call, { startImmediately: true })
      yield* TestClock.adjust("200 millis")
      yield* limiter.pause("default", "171 seconds")
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(yield* Fiber.join(waiting), { at: 200, tag: "RateLimitedLocallyError" })
      assert.deepStrictEqual(yield* call, { at: 200, tag: "RateLimitedLocallyError" })
    }))

  it.effect("cap too low: a long retry-after is kept to its end", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 60 } }, queueTimeout: "10 minutes" })
      yield* limiter.pause("default", "171 seconds")
      const starts: Array<number> = []
      yield* Effect.forkChild(limiter.withLimit(noting(starts), one))
      yield* TestClock.adjust("5 minutes")
      assert.isAtLeast(starts[0] ?? 0, 171_000)
      assert.isAtMost(starts[0] ?? 0, 171_000 * 1.2)
    }))

  it.effect("lost cancellation: a wait, a call and a grant that comes with the interruption give back what they took", () =>
    countSleeps((sleeps) =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({
          limits: { tokens: { limit: 60 } },
          headroom: 1,
          rampUp: false,
          queueTimeout: "1 hour"
        })
        const costs = { costs: { tokens: 60 } }
        const left = Effect.map(limiter.levels(), ({ inFlight, limits, waiting }) => [
          limits.tokens.available,
          waiting,
          inFlight
        ])
        for (
          const call of [
            limiter.withLimit(Effect.never, costs),
            limiter.withReservation(costs, () => Effect.never),
            Stream.runDrain(limiter.withLimitStream(Stream.never, costs))
          ]
        ) {
          const holder = yield* Effect.forkChild(call, { startImmediately: true })
          const waiter = yield* Effect.forkChild(call, { startImmediately: true })
          const next = yield* Effect.forkChild(call, { startImmediately: true })
          assert.deepStrictEqual(yield* left, [0, 2, 1])
          // Gives back, which grants the first in the queue its turn, and interrupts it before it can take that.
          holder.interruptUnsafe()
          waiter.interruptUnsafe()
          yield* Fiber.await(holder)
          yield* Fiber.await(waiter)
          assert.deepStrictEqual(yield* left, [0, 0, 1])
          yield* Fiber.interrupt(next)
          assert.deepStrictEqual(yield* left, [60, 0, 0])
        }
        assert.strictEqual(sleeps.active(), 0)
      })
    ))

  it.effect("lost permit: a function that throws instead of making the call gives back what was taken for it", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 60, burst: 1000 } }, headroom: 1 })
      const bug = (): Effect.Effect<void> => {
        throw new Error("a bug")
      }
      const bugOfStream = (): Stream.Stream<void> => {
        throw new Error("a bug")
      }
      const calls = [
        limiter.withReservation(one, bug),
        Stream.runDrain(limiter.withReservationStream(one, bugOfStream))
      ]
      for (const call of calls) {
        assert.isTrue(Exit.hasDies(yield* Effect.exit(call)))
        // The same for a call that has to wait.
        yield* Effect.forkChild(limiter.withLimit(Effect.never, one), { startImmediately: true })
        const waits = yield* Effect.forkChild(Effect.exit(call), { startImmediately: true })
        yield* TestClock.adjust("1 second")
        assert.isTrue(Exit.hasDies(yield* Fiber.join(waits)))
        const { inFlight, limits, waiting } = yield* limiter.levels()
        assert.deepStrictEqual([limits.requests.available, waiting], [1, 0])
        assert.strictEqual(inFlight, calls.indexOf(call) + 1)
      }
    }))

  it.effect("retry-after herd: those turned away for their deadline come back spread out, and none too early", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 60 } }, headroom: 1, rampUp: false })
      const waits: Array<number> = []
      const call = limiter.withLimit(Effect.void, one).pipe(
        Deadline.withDeadline("5 seconds"),
        Effect.catchTag("RateLimitedLocallyError", ({ retryAfter }) =>
          Effect.sync(() => {
            waits.push(Duration.toMillis(retryAfter))
          }))
      )
      yield* limiter.pause("default", "1 minute")
      yield* Effect.repeat(call, { times: 99 })
      assert.strictEqual(waits.length, 100)
      assert.isAtLeast(Math.min(...waits), 60_000)
      assert.isAbove(Math.max(...waits) - Math.min(...waits), 5000)
    }).pipe(Random.withSeed("deadline herd")))

  it.effect("timer leaks: 1,000 who wait share one timer, and none is left when they are gone", () =>
    countSleeps((sleeps) =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 60 } }, queueTimeout: "1 hour" })
        const fibers = yield* Effect.forEach(Array.from({ length: 1000 }), () =>
          Effect.forkChild(limiter.withLimit(Effect.void, one), { startImmediately: true }))
        assert.isAbove((yield* limiter.levels()).waiting, 900)
        assert.strictEqual(sleeps.active(), 1)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(sleeps.active(), 1)
        yield* Fiber.interruptAll(fibers)
        assert.strictEqual(sleeps.active(), 0)
        yield* TestClock.adjust("2 hours")
        assert.isBelow(sleeps.started(), 200)
      })
    ))

  it.effect("stack overflow: 5,000 who are let go at once, and end at once, do so one after the other", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make({ limits: { requests: {} }, queue: 10_000 })
      let ran = 0
      const call = limiter.withLimit(Effect.sync(() => ++ran), one)
      const fibers = yield* Effect.forEach(
        Array.from({ length: 5010 }),
        () => Effect.forkChild(call, { startImmediately: true })
      )
      // Nobody knows how long they will have to wait, so nobody is turned away.
      assert.deepStrictEqual([ran, (yield* limiter.levels()).waiting], [10, 5000])
      yield* limiter.observe("default", {})
      yield* Fiber.joinAll(fibers)
      assert.strictEqual(ran, 5010)
    }))

  it.effect("backoff overflow: a pause of 60 days is a pause of 60 days", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 60 } }, queueTimeout: Duration.infinity })
      yield* limiter.pause("default", "60 days")
      const starts: Array<number> = []
      yield* Effect.forkChild(limiter.withLimit(noting(starts), one))
      yield* TestClock.adjust("61 days")
      assert.strictEqual(starts.length, 1)
      assert.isAtLeast(starts[0] ?? 0, Duration.toMillis(Duration.days(60)))
    }))

  it.effect("clock skew: a wall clock that jumps back a day or on a year changes no wait", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 60, burst: 1000 } }, headroom: 1 })
      const clock = yield* Clock.Clock
      let skew = 0
      const skewed: Clock.Clock = Object.assign(Object.create(clock), {
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + skew
      })
      yield* limiter.withLimit(Effect.void, one)
      const call = Effect.provideService(limiter.withLimit(Effect.void, one), Clock.Clock, skewed)
      for (const jump of [-86_400_000, 366 * 86_400_000]) {
        skew = jump
        const fiber = yield* Effect.forkChild(call, { startImmediately: true })
        yield* TestClock.adjust("999 millis")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.isTrue(Exit.isSuccess(yield* Fiber.await(fiber)))
      }
    }))

  it.effect("window shorter than call: a call that lasts many windows settles once, and nothing is handed out twice", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make({
        limits: { tokens: { limit: 100, window: "1 second" } },
        headroom: 1,
        rampUp: false
      })
      const call = limiter.withLimit(Effect.sleep("10 minutes"), {
        costs: { tokens: 100 },
        settle: () => ({ tokens: 40 })
      })
      const fiber = yield* Effect.forkChild(call)
      yield* TestClock.adjust("10 minutes")
      yield* Fiber.await(fiber)
      // Full for long; what was reserved in excess does not come on top.
      assert.strictEqual((yield* limiter.levels()).limits.tokens.available, 100)
    }))

  it.effect("cooldown visibility and extension: a pause shows, and those told to wait twice do not wait for both", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 60 } }, pauseJitter: 0 })
      yield* limiter.pause("default", "10 seconds")
      yield* TestClock.adjust("4 seconds")
      yield* limiter.pause("default", "10 seconds")
      assert.deepStrictEqual((yield* limiter.levels()).pausedFor, Duration.seconds(10))
      const starts: Array<number> = []
      yield* Effect.forkChild(limiter.withLimit(noting(starts), one))
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(starts, [14_000])
    }))

  it.effect("unhandled rejections: an abandoned queue leaves no fiber that fails unseen", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 1 } }, queueTimeout: "1 hour" })
      const calls = Effect.forEach(Array.from({ length: 50 }), () => limiter.withLimit(Effect.never, one), {
        concurrency: "unbounded",
        discard: true
      })
      const exit = yield* Effect.exit(Effect.raceFirst(calls, Effect.yieldNow))
      assert.isTrue(Exit.isSuccess(exit))
      const levels = yield* limiter.levels()
      assert.deepStrictEqual([levels.waiting, levels.inFlight], [0, 0])
    }))
})
