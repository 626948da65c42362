import * as AdaptiveConcurrency from "@effect-claude/resilience/AdaptiveConcurrency"
import * as Deadline from "@effect-claude/resilience/Deadline"
import * as Retry from "@effect-claude/resilience/Retry"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import { makeService, Overloaded } from "./ServiceUnderLoad.ts"

const quantile = (values: ReadonlyArray<number>, q: number): number =>
  values.toSorted((left, right) => left - right)[Math.floor(q * (values.length - 1))] ?? Number.NaN

/** 300 calls a second, three every 10 ms. `look` sees the state after each step. */
const offer = <E>(options: {
  readonly millis: number
  readonly call: (id: number) => Effect.Effect<unknown, E>
  readonly firstId?: number
  readonly look?: (now: number) => Effect.Effect<void>
}) =>
  Effect.gen(function*() {
    const latencies: Array<number> = []
    const fibers: Array<Fiber.Fiber<void, E>> = []
    let id = options.firstId ?? 0
    for (let now = 0; now < options.millis; now += 10) {
      for (let i = 0; i < 3; i++) fibers.push(yield* Effect.forkChild(timed(options.call(id++), latencies)))
      yield* TestClock.adjust(10)
      if (options.look !== undefined) yield* options.look(now + 10)
    }
    return { fibers, latencies }
  })

const timed = <E>(call: Effect.Effect<unknown, E>, latencies: Array<number>): Effect.Effect<void, E> =>
  Effect.gen(function*() {
    const begin = yield* Clock.currentTimeMillis
    yield* call
    latencies.push((yield* Clock.currentTimeMillis) - begin)
  })

/** A circuit as simple as can be: five failures in a row open it, one call a second tries, one success closes it. */
const makeCircuit = () => {
  let failures = 0
  let openUntil: number | undefined
  const check: Effect.Effect<void, Overloaded> = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    if (openUntil === undefined) return
    if (now >= openUntil) {
      openUntil = now + 1000
      return
    }
    const spread = yield* Random.next
    return yield* Effect.fail(new Overloaded({ verdict: Verdict.retry("rejected", openUntil - now + spread * 500) }))
  })
  const guard = <A, E extends Verdict.HasVerdict>(call: Effect.Effect<A, E>) =>
    call.pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          failures = 0
          openUntil = undefined
        })
      ),
      Effect.tapError(({ verdict }) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          if (verdict._tag === "Retry" && verdict.kind === "rejected") return
          failures += 1
          if (failures >= 5) openUntil ??= now + 1000
        })
      )
    )
  return { check, guard }
}

describe("A service that takes 50 calls at once, 100 ms each", () => {
  it.effect(
    "1,850 waiting calls and 300 new ones a second: drained at its pace, the oldest first",
    () =>
      Effect.gen(function*() {
        const limiter = yield* AdaptiveConcurrency.make({ queue: 5000 })
        const service = makeService({ capacity: 50, duration: "100 millis", refusal: "5 millis" })
        const call = (id: number) =>
          limiter.withPermit(service.call(id)).pipe(
            Retry.retry(RetrySchedule.standard({ attempts: 5 })),
            Deadline.withDeadline("1 minute")
          )
        const waiting = yield* Effect.forEach(
          Array.from({ length: 1850 }, (_, id) => id),
          (id) => Effect.forkChild(call(id))
        )
        const limits: Array<number> = []
        let drained: number | undefined
        const { fibers } = yield* offer({
          millis: 15_000,
          firstId: 1850,
          call,
          look: (now) =>
            Effect.map(limiter.state(), ({ permits, queued }) => {
              if (drained === undefined && now > 1000) limits.push(permits)
              if (queued === 0 && now > 1000) drained ??= now
            })
        })
        yield* TestClock.adjust("1 minute")
        yield* Effect.forEach(waiting, Fiber.join)
        yield* Effect.forEach(fibers, Fiber.join)

        assert.isAtLeast(Math.min(...limits), 44)
        assert.isAtMost(Math.max(...limits), 51)
        const total = 1850 + 4500
        assert.strictEqual(service.taken.length, total)
        assert.isBelow(service.refused.length, 0.02 * total)
        const ideal = 1850 / (500 - 300) * 1000
        assert.isBelow(drained ?? Number.POSITIVE_INFINITY, 1.15 * ideal)
        const refused = new Set(service.refused)
        const neverRefused = service.taken.filter((id) => !refused.has(id))
        assert.deepStrictEqual(neverRefused, neverRefused.toSorted((left, right) => left - right))
      }).pipe(Random.withSeed("drain")),
    30_000
  )

  it.effect(
    "20 s with 6 s of outage, behind a circuit: all succeed, for at most 10 % more requests than calls",
    () =>
      Effect.gen(function*() {
        const limiter = yield* AdaptiveConcurrency.make({ queue: 5000 })
        const service = makeService({
          capacity: 50,
          duration: "100 millis",
          refusal: "5 millis",
          isDown: (now) => now >= 6000 && now < 12_000
        })
        const circuit = makeCircuit()
        const call = (id: number) =>
          Effect.andThen(
            circuit.check,
            circuit.guard(limiter.withPermit(service.call(id), { afterWait: circuit.check }))
          ).pipe(
            Retry.retry(RetrySchedule.standard({ attempts: 5 })),
            Deadline.withDeadline("1 minute")
          )
        const { fibers, latencies } = yield* offer({ millis: 20_000, call })
        yield* TestClock.adjust("1 minute")
        yield* Effect.forEach(fibers, Fiber.join)

        assert.strictEqual(service.taken.length, 6000)
        assert.isAtMost(service.refused.length, 0.1 * 6000)
        assert.isBelow(quantile(latencies, 0.99), 8000)
      }).pipe(Random.withSeed("storm")),
    30_000
  )

  it.effect("an outage without a circuit takes the limit to its minimum, and half a second after it the limit is back", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ queue: 5000 })
      const service = makeService({
        capacity: 50,
        duration: "100 millis",
        refusal: "5 millis",
        isDown: (now) => now >= 2000 && now < 4000
      })
      // Callers that are never content, so that the limit is always in full use.
      const worker = Effect.forever(Effect.ignore(limiter.withPermit(service.call(0))))
      yield* Effect.forEach(Array.from({ length: 200 }), () => Effect.forkChild(worker))
      const permitsAfter = (millis: number) =>
        Effect.andThen(TestClock.adjust(millis), Effect.map(limiter.state(), ({ permits }) => permits))
      assert.isAtLeast(yield* permitsAfter(2000), 45)
      assert.strictEqual(yield* permitsAfter(2000), 4)
      assert.isAtLeast(yield* permitsAfter(600), 44)
    }))
})
