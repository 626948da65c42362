import * as AdaptiveConcurrency from "@effect-claude/resilience/AdaptiveConcurrency"
import * as Bulkhead from "@effect-claude/resilience/Bulkhead"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { PermitPool } from "../src/internal/concurrency/PermitPool.ts"
import { countSleeps } from "./SleepCounter.ts"

const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const overloaded = { verdict: Verdict.retry("overloaded") }

const idle = { permits: 3, inFlight: 0, queued: 0 }

describe("Failures that bulkheads are known for", () => {
  it("lost permit: one that came just before the queue timeout is neither lost nor given out twice", () => {
    const pool = new PermitPool(1, () => {})
    assert.isTrue(pool.tryTake())
    const claim = pool.join(0, 10)
    assert.isDefined(claim)
    if (claim === undefined) return
    pool.release()
    pool.expire(claim)
    assert.strictEqual(claim.phase, "granted")
    assert.isFalse(pool.tryTake())
    pool.leave(claim)
    pool.leave(claim)
    assert.strictEqual(pool.state.inFlight, 0)
  })

  it.effect("lost permit: a waiter that is interrupted at the moment it gets one gives it on", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1 })
      let end: (() => void) | undefined
      const first = yield* start(bulkhead.withPermit(Effect.callback<void>((resume) => {
        end = () => resume(Effect.void)
      })))
      const second = yield* start(bulkhead.withPermit(Effect.never))
      const third = yield* start(bulkhead.withPermit(Effect.succeed("ran")))
      end?.()
      second.interruptUnsafe()
      yield* Fiber.join(first)
      assert.strictEqual(yield* Fiber.join(third), "ran")
      assert.strictEqual((yield* bulkhead.state()).inFlight, 0)
    }))

  it.effect("lost cancellation: an interrupted call is interrupted inside, and one in the queue never begins", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1 })
      let aborted = 0
      let begun = 0
      const call = Effect.onInterrupt(
        Effect.suspend(() => {
          begun += 1
          return Effect.never
        }),
        () =>
          Effect.sync(() => {
            aborted += 1
          })
      )
      const running = yield* start(bulkhead.withPermit(call))
      const queued = yield* start(Stream.runDrain(bulkhead.withPermitStream(Stream.fromEffect(call))))
      yield* Fiber.interrupt(queued)
      yield* Fiber.interrupt(running)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([begun, aborted], [1, 1])
    }))

  it.effect("timer leak: no queue timeout outlives its wait", () =>
    countSleeps((sleeps) =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ permits: 1, queueTimeout: "1 hour" })
        const calls = yield* Effect.forEach(
          Array.from({ length: 50 }),
          () => start(bulkhead.withPermit(Effect.sleep(10)))
        )
        const gone = yield* Effect.forEach(Array.from({ length: 50 }), () => start(bulkhead.withPermit(Effect.void)))
        yield* Effect.forEach(gone, Fiber.interrupt)
        yield* TestClock.adjust("1 second")
        yield* Effect.forEach(calls, Fiber.join)
        assert.isAbove(sleeps.started(), 100)
        assert.strictEqual(sleeps.active(), 0)
      })
    ))

  it.effect(
    "memory per key: 100,000 calls over 10,000 keys, failed and interrupted ones among them, leave no more than `maxKeys`",
    () =>
      countSleeps((sleeps) =>
        Effect.gen(function*() {
          const bulkhead = yield* Bulkhead.make({ permits: 3, queue: 2, queueTimeout: "1 minute", maxKeys: 100 })
          const adaptive = yield* AdaptiveConcurrency.make({
            initial: 3,
            minimum: 3,
            maximum: 3,
            queue: 2,
            maxKeys: 100
          })
          const outcomes = [
            Effect.void,
            Effect.fail(overloaded),
            Effect.yieldNow,
            Effect.andThen(Effect.yieldNow, Effect.die("bug")),
            Effect.never
          ]
          let largest = 0
          for (let batch = 0; batch < 1000; batch++) {
            const pairs = yield* Effect.forEach(Array.from({ length: 50 }), () =>
              Effect.gen(function*() {
                const key = `key ${yield* Random.nextIntBetween(0, 9999)}`
                const call = outcomes[yield* Random.nextIntBetween(0, 4)] ?? Effect.void
                return [
                  yield* start(Effect.exit(bulkhead.withPermit(call, { key }))),
                  yield* start(
                    Effect.exit(Stream.runDrain(adaptive.withPermitStream(Stream.fromEffect(call), { key })))
                  )
                ]
              }))
            const fibers: ReadonlyArray<Fiber.Fiber<unknown, unknown>> = pairs.flat()
            for (const fiber of fibers) fiber.interruptUnsafe()
            yield* Fiber.awaitAll(fibers)
            largest = Math.max(largest, (yield* bulkhead.states).size, (yield* adaptive.states).size)
          }
          assert.isAtMost(largest, 100)
          for (const states of [yield* bulkhead.states, yield* adaptive.states]) {
            assert.isTrue(Array.from(states.values()).every((state) => state.inFlight === 0 && state.queued === 0))
          }
          assert.strictEqual(sleeps.active(), 0)
        }).pipe(Random.withSeed("keys"))
      ),
    60_000
  )

  it.effect("memory per key: the keys that go are those not used for longest, and a limit in use is not forgotten", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 10, maxKeys: 8 })
      yield* Effect.exit(limiter.withPermit(Effect.fail(overloaded), { key: "often" }))
      for (let n = 0; n < 100; n++) {
        yield* limiter.withPermit(Effect.void, { key: `once ${n}` })
        yield* limiter.withPermit(Effect.void, { key: "often" })
      }
      const states = yield* limiter.states
      assert.isAtMost(states.size, 8)
      assert.strictEqual(states.get("often")?.permits, 9)
      assert.isTrue(states.has("once 99"))
    }))

  it.effect("clock skew: the order of the queue does not follow the wall clock", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1 })
      const begun: Array<string> = []
      const call = (name: string) =>
        Effect.suspend(() => {
          begun.push(name)
          return Effect.sleep(10)
        })
      const clock = yield* Clock.Clock
      const yesterday: Clock.Clock = Object.assign(Object.create(clock), {
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() - 86_400_000
      })
      yield* start(bulkhead.withPermit(call("first")))
      const second = yield* start(bulkhead.withPermit(call("second")))
      yield* TestClock.adjust(5)
      const third = yield* start(Effect.provideService(bulkhead.withPermit(call("third")), Clock.Clock, yesterday))
      yield* TestClock.adjust(100)
      yield* Fiber.join(second)
      yield* Fiber.join(third)
      assert.deepStrictEqual(begun, ["first", "second", "third"])
    }))

  it.effect("deep recursion: a long line of calls that end at once is let in one after the other", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1, queue: 20_000 })
      const first = yield* start(bulkhead.withPermit(Effect.sleep(10)))
      const line = yield* Effect.forEach(Array.from({ length: 20_000 }), () => start(bulkhead.withPermit(Effect.void)))
      yield* TestClock.adjust(10)
      yield* Fiber.join(first)
      yield* Effect.forEach(line, Fiber.join)
      assert.strictEqual((yield* bulkhead.state()).inFlight, 0)
    }))

  it.effect("collapse by one outage of the queue: rejections, refusals and interruptions leave the limit alone", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 3, minimum: 1, queue: 0 })
      const running = yield* Effect.forEach([1, 2, 3], () => start(limiter.withPermit(Effect.never)))
      for (let n = 0; n < 100; n++) yield* Effect.exit(limiter.withPermit(Effect.void))
      yield* Effect.forEach(running, Fiber.interrupt)
      assert.deepStrictEqual(yield* limiter.state(), idle)
    }))

  it.effect("529 missed: an overload counts at the end of a stream as it does at the end of a call", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 10 })
      const broken = Stream.concat(Stream.make("message_start", "text"), Stream.fail(overloaded))
      yield* Effect.exit(Stream.runDrain(limiter.withPermitStream(broken)))
      assert.strictEqual((yield* limiter.state()).permits, 9)
    }))

  it.effect("foreign failure: what the consumer of a stream fails with is not read as the stream's own", () =>
    Effect.gen(function*() {
      const read: Array<unknown> = []
      const limiter = yield* AdaptiveConcurrency.make({
        classify: (error: { readonly verdict: Verdict.Verdict }) => {
          read.push(error)
          return error.verdict
        }
      })
      const stream = Stream.make(1, 2, 3).pipe(Stream.rechunk(1), limiter.withPermitStream())
      const error = yield* Effect.flip(
        Effect.scoped(Effect.andThen(Stream.toPull(stream), (pull) => Effect.andThen(pull, Effect.fail("too late"))))
      )
      assert.strictEqual(error, "too late")
      assert.deepStrictEqual(read, [])
      assert.strictEqual((yield* limiter.state()).inFlight, 0)
    }))
})
