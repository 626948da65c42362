import * as Hedge from "@effect-claude/resilience/Hedge"
import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"

const calls = 10_000
const slowShare = 0.02
const slowFactor = 20

/** A service that answers in 500 to 1500 ms, and 2 % of its requests 20 times slower. */
const makeService = () => {
  const service = { requests: 0 }
  const firstEvent = Effect.gen(function*() {
    service.requests += 1
    const usual = 500 + 1000 * (yield* Random.next)
    yield* Effect.sleep((yield* Random.next) < slowShare ? usual * slowFactor : usual)
  })
  return { service, firstEvent }
}

type Measured = (
  firstEvent: Effect.Effect<void>,
  answered: Effect.Effect<void>
) => Effect.Effect<void>

/** 20 calls a second for eight minutes, and the times of their first events. */
const run = (call: Measured) =>
  Effect.gen(function*() {
    const { firstEvent, service } = makeService()
    const times: Array<number> = []
    const fiber = yield* Effect.forEach(
      Array.from({ length: calls }, (_, index) => index),
      (index) =>
        Effect.flatMap(Effect.delay(Clock.currentTimeMillis, index * 50), (start) =>
          call(
            firstEvent,
            Effect.map(Clock.currentTimeMillis, (now) => {
              times.push(now - start)
            })
          )),
      { concurrency: "unbounded", discard: true }
    ).pipe(Effect.forkChild)
    yield* TestClock.adjust("20 minutes")
    yield* Fiber.join(fiber)
    assert.strictEqual(times.length, calls)
    const p99 = times.sort((a, b) => a - b)[Math.ceil(calls * 0.99) - 1] as number
    return { p99, requests: service.requests }
  })

const effects = (hedge: Hedge.Hedge): Measured => (firstEvent, answered) =>
  Effect.andThen(hedge.hedge(firstEvent), answered)

const streams = (hedge: Hedge.Hedge): Measured => (firstEvent, answered) =>
  Stream.fromEffect(firstEvent).pipe(
    (stream) => hedge.hedgeStream(stream),
    Stream.runForEach(() => answered)
  )

const seeds = ["1", "2", "3"]

describe("with 2 % of calls 20 times slower", () => {
  for (const [name, hedged] of [["effects", effects], ["streams", streams]] as const) {
    for (const seed of seeds) {
      it.effect(
        `p99 of the first event falls by 5 times for at most 5 % more requests: ${name}, seed ${seed}`,
        () =>
          Effect.gen(function*() {
            const budget = yield* RetryBudget.make()
            const plain = yield* run((firstEvent, answered) => Effect.andThen(firstEvent, answered))
            const hedge = yield* Hedge.make({ delay: { quantile: 0.95 }, budget })
            const { p99, requests } = yield* run(hedged(hedge))
            assert.isAtLeast(plain.p99 / p99, 5)
            assert.strictEqual(plain.requests, calls)
            assert.isAtMost(requests, calls * 1.05)
            // The hedges of a healthy service leave the bucket to its retries.
            assert.isAtLeast(yield* budget.level, 400)
          }).pipe(Random.withSeed(seed)),
        60_000
      )
    }
  }

  it.effect("a service that slows down as a whole does not get 5 % more either", () =>
    Effect.gen(function*() {
      const hedge = yield* Hedge.make({ delay: { quantile: 0.95 } })
      const { requests } = yield* run((firstEvent, answered) =>
        Effect.gen(function*() {
          const isSlow = (yield* Clock.currentTimeMillis) % 240_000 > 120_000
          const call = isSlow ? Effect.andThen(firstEvent, Effect.sleep("10 seconds")) : firstEvent
          yield* Effect.andThen(hedge.hedge(call), answered)
        })
      )
      assert.isAtMost(requests, calls * 1.05)
    }).pipe(Random.withSeed("slow")), 60_000)
})
