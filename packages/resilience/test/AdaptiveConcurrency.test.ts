import * as AdaptiveConcurrency from "@effect-claude/resilience/AdaptiveConcurrency"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const overloaded = { verdict: Verdict.retry("overloaded") }

const failing = (verdict: Verdict.Verdict, after: Duration.Input = 10) =>
  Effect.andThen(Effect.sleep(after), Effect.fail({ verdict }))

type Limiter = AdaptiveConcurrency.AdaptiveConcurrency

/** Starts `count` calls at once and lets time pass until the last one has ended. */
const burst = <E extends Verdict.HasVerdict>(limiter: Limiter, count: number, call: Effect.Effect<unknown, E>) =>
  Effect.gen(function*() {
    const fibers = yield* Effect.forEach(
      Array.from({ length: count }),
      () => start(Effect.exit(limiter.withPermit(call)))
    )
    yield* TestClock.adjust("1 minute")
    return yield* Effect.forEach(fibers, Fiber.join)
  })

const permitsOf = (limiter: Limiter) => Effect.map(limiter.state(), ({ permits }) => permits)

describe("The limit of AdaptiveConcurrency", () => {
  it.effect("grows by half with every round in full use until overload", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 4, maximum: 100 })
      const calls = yield* Effect.forEach(
        Array.from({ length: 200 }),
        () => start(limiter.withPermit(Effect.sleep(10)))
      )
      const permits: Array<number> = []
      for (let round = 0; round < 6; round++) {
        permits.push(yield* permitsOf(limiter))
        yield* TestClock.adjust(10)
      }
      assert.deepStrictEqual(permits, [4, 6, 9, 13, 20, 30])
      yield* TestClock.adjust(100)
      yield* Effect.forEach(calls, Fiber.join)
    }))

  it.effect("stays where it is while it is not in full use", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 10 })
      for (let round = 0; round < 50; round++) yield* burst(limiter, 5, Effect.sleep(10))
      assert.strictEqual(yield* permitsOf(limiter), 10)
    }))

  it.effect("decreases once for all calls of a round trip", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 20 })
      yield* burst(limiter, 20, failing(overloaded.verdict))
      assert.strictEqual(yield* permitsOf(limiter), 18)
      yield* burst(limiter, 18, failing(overloaded.verdict))
      assert.strictEqual(yield* permitsOf(limiter), 16)
    }))

  it.effect("is not moved by the probes of a service that is down", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 20 })
      yield* burst(limiter, 20, failing(overloaded.verdict))
      for (let probe = 0; probe < 100; probe++) yield* burst(limiter, 1, failing(overloaded.verdict))
      assert.strictEqual(yield* permitsOf(limiter), 18)
    }))

  it.effect("is not raised by calls that began before the decrease", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 10, decrease: 0.5 })
      yield* Effect.forEach(Array.from({ length: 9 }), () => start(limiter.withPermit(Effect.sleep(10))))
      yield* Effect.exit(limiter.withPermit(Effect.fail(overloaded)))
      assert.strictEqual(yield* permitsOf(limiter), 5)
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* permitsOf(limiter), 5)
    }))

  it.effect("goes slowly near the limit of the last overload, and fast past it", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 40 })
      yield* burst(limiter, 40, failing(overloaded.verdict))
      assert.strictEqual(yield* permitsOf(limiter), 36)
      yield* Effect.forEach(Array.from({ length: 2000 }), () => start(limiter.withPermit(Effect.sleep(10))))
      const permits: Array<number> = []
      for (let round = 0; round < 11; round++) {
        permits.push(yield* permitsOf(limiter))
        yield* TestClock.adjust(10)
      }
      const steps = permits.slice(1).map((limit, round) => limit - (permits[round] ?? 0))
      assert.isTrue(steps.slice(0, 8).every((step) => step <= 1), permits.join())
      assert.isAbove(steps.at(-1) ?? 0, 20, permits.join())
    }))

  it.effect("remembers where overload struck through an outage, which says nothing of it", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 40 })
      yield* burst(limiter, 39, Effect.sleep(10))
      yield* burst(limiter, 40, failing(overloaded.verdict))
      for (let round = 0; round < 40; round++) yield* burst(limiter, 40, failing(overloaded.verdict))
      assert.strictEqual(yield* permitsOf(limiter), 4)
      yield* Effect.forEach(Array.from({ length: 3000 }), () => start(limiter.withPermit(Effect.sleep(10))))
      const permits: Array<number> = []
      for (let round = 0; round < 12; round++) {
        permits.push(yield* permitsOf(limiter))
        yield* TestClock.adjust(10)
      }
      // Fast up to where it was, and slowly from there.
      assert.isAbove(permits[7] ?? 0, 35, permits.join())
      assert.isBelow(permits[10] ?? 0, 46, permits.join())
    }))

  it.effect("falls back to what the last round trip took when it has grown fast into an overload", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 20 })
      yield* burst(limiter, 60, Effect.sleep(10))
      const grown = yield* permitsOf(limiter)
      assert.isAbove(grown, 40)
      yield* burst(limiter, grown, failing(overloaded.verdict))
      assert.approximately(yield* permitsOf(limiter), grown / 1.5, 1)
    }))

  it.effect("never leaves its bounds", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 5, minimum: 3, maximum: 6 })
      for (let round = 0; round < 30; round++) yield* burst(limiter, 10, failing(overloaded.verdict))
      assert.strictEqual(yield* permitsOf(limiter), 3)
      for (let round = 0; round < 30; round++) yield* burst(limiter, 10, Effect.sleep(10))
      assert.strictEqual(yield* permitsOf(limiter), 6)
    }))

  for (const kind of Verdict.retryKinds.filter((kind) => kind !== "overloaded")) {
    it.effect(`is not moved by ${kind}`, () =>
      Effect.gen(function*() {
        const limiter = yield* AdaptiveConcurrency.make({ initial: 5 })
        yield* burst(limiter, 50, failing(Verdict.retry(kind)))
        assert.deepStrictEqual(yield* limiter.state(), { permits: 5, inFlight: 0, queued: 0 })
      }))
  }

  it.effect("is not moved by what speaks of the request, the program or the caller", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 5 })
      yield* burst(limiter, 20, failing(Verdict.stop))
      yield* burst(limiter, 20, Effect.die("bug"))
      const fibers = yield* Effect.forEach(Array.from({ length: 20 }), () => start(limiter.withPermit(Effect.never)))
      yield* Effect.forEach(fibers, Fiber.interrupt)
      assert.deepStrictEqual(yield* limiter.state(), { permits: 5, inFlight: 0, queued: 0 })
    }))

  it.effect("asks `classify` about foreign errors, and survives one that throws", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({
        initial: 10,
        classify: (status: number) => {
          if (status === 0) throw new Error("what is this?")
          return status === 529 ? Verdict.retry("overloaded") : Verdict.stop
        }
      })
      yield* Effect.exit(limiter.withPermit(Effect.fail(400)))
      assert.strictEqual((yield* limiter.state()).permits, 10)
      yield* Effect.exit(limiter.withPermit(Effect.fail(529)))
      assert.strictEqual((yield* limiter.state()).permits, 9)
      yield* Effect.exit(limiter.withPermit(Effect.fail(0)))
      assert.deepStrictEqual(yield* limiter.state(), { permits: 9, inFlight: 0, queued: 0 })
    }))

  it.effect("belongs to a key, and is remembered while the key is idle", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 10 })
      yield* Effect.exit(limiter.withPermit(Effect.fail(overloaded), { key: "a" }))
      assert.deepStrictEqual(
        Array.from(yield* limiter.states, ([key, { permits }]) => [key, permits]),
        [["a", 9]]
      )
      assert.strictEqual((yield* limiter.state("b")).permits, 10)
    }))

  it.effect("tells how it moves", () =>
    Effect.gen(function*() {
      const seen: Array<ResilienceEvent.ResilienceEvent> = []
      const limiter = yield* AdaptiveConcurrency.make({ initial: 1, minimum: 1 })
      yield* limiter.withPermit(Effect.void).pipe(
        Effect.andThen(limiter.withPermit(Effect.void)),
        Effect.andThen(limiter.withPermit(Effect.fail(overloaded))),
        Effect.ignore,
        ResilienceEvent.listen((event) => {
          seen.push(event)
        })
      )
      assert.deepStrictEqual(seen, [
        { _tag: "ConcurrencyLimitChanged", key: "default", from: 1, to: 2, reason: "success" },
        { _tag: "ConcurrencyLimitChanged", key: "default", from: 2, to: 1, reason: "overload" }
      ])
    }))
})

describe("The latency of the first event", () => {
  const events = (firstAfter: number) =>
    Stream.concat(Stream.make("ping"), Stream.fromEffect(Effect.as(Effect.sleep(firstAfter), "text")))
  const isEvent = (element: string) => element !== "ping"

  /** Rounds of streams in full use. */
  const rounds = (limiter: Limiter, count: number, stream: Stream.Stream<string, Verdict.HasVerdict>) =>
    Effect.gen(function*() {
      for (let round = 0; round < count; round++) {
        const { permits } = yield* limiter.state()
        const fibers = yield* Effect.forEach(
          Array.from({ length: permits }),
          () => start(Effect.exit(Stream.runDrain(limiter.withPermitStream(stream, { isEvent }))))
        )
        yield* TestClock.adjust("1 minute")
        yield* Effect.forEach(fibers, Fiber.join)
      }
    })

  it.effect("shrinks the limit when it is well above normal, but not below where it began", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 8, maximum: 16 })
      yield* rounds(limiter, 50, events(100))
      assert.strictEqual(yield* permitsOf(limiter), 16)
      const moves: Array<ResilienceEvent.ResilienceEvent> = []
      yield* ResilienceEvent.listen(rounds(limiter, 2, events(500)), (event) => {
        moves.push(event)
      })
      assert.isBelow(yield* permitsOf(limiter), 16)
      assert.deepInclude(moves[0], { _tag: "ConcurrencyLimitChanged", from: 16, reason: "latency" })
      yield* rounds(limiter, 10, events(500))
      assert.strictEqual(yield* permitsOf(limiter), 8)
    }))

  it.effect("becomes the normal case if it stays", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 8, maximum: 16 })
      yield* rounds(limiter, 10, events(100))
      yield* rounds(limiter, 100, events(500))
      assert.strictEqual(yield* permitsOf(limiter), 16)
    }))

  it.effect("does not mind a single slow call", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 8, maximum: 16 })
      yield* rounds(limiter, 10, events(100))
      yield* Stream.runDrain(limiter.withPermitStream(events(0), { isEvent }))
      const slow = yield* start(Stream.runDrain(limiter.withPermitStream(events(59_000), { isEvent })))
      yield* rounds(limiter, 3, events(100))
      yield* Fiber.join(slow)
      assert.strictEqual(yield* permitsOf(limiter), 16)
    }))

  it.effect("counts a call that timed out before its first event as that slow", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 8, maximum: 16 })
      yield* rounds(limiter, 10, events(100))
      yield* rounds(limiter, 2, Stream.fromEffect(failing(Verdict.retry("timeout"), 500)))
      assert.isBelow(yield* permitsOf(limiter), 16)
    }))

  it.effect("says nothing when it is switched off", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 8, maximum: 16, latency: false })
      yield* rounds(limiter, 10, events(100))
      yield* rounds(limiter, 10, events(500))
      assert.strictEqual(yield* permitsOf(limiter), 16)
    }))

  it.effect("is the duration of an effect where that is asked for, and nothing otherwise", () =>
    Effect.gen(function*() {
      const timed = yield* AdaptiveConcurrency.make({ initial: 8, maximum: 16, latency: { effects: true } })
      const untimed = yield* AdaptiveConcurrency.make({ initial: 8, maximum: 16 })
      for (const limiter of [timed, untimed]) {
        for (let round = 0; round < 10; round++) yield* burst(limiter, 16, Effect.sleep(100))
        for (let round = 0; round < 5; round++) yield* burst(limiter, 16, Effect.sleep(500))
      }
      assert.isBelow(yield* permitsOf(timed), 16)
      assert.strictEqual(yield* permitsOf(untimed), 16)
    }))
})

describe("AdaptiveConcurrency as a bulkhead", () => {
  it.effect("queues, turns away, and runs what is to run after a wait", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 1, minimum: 1, maximum: 1, queue: 1 })
      yield* start(limiter.withPermit(Effect.sleep(10)))
      const turnedBack = yield* start(
        Effect.flip(limiter.withPermit(Effect.void, { afterWait: Effect.fail("closed" as const) }))
      )
      const error = yield* Effect.flip(limiter.withPermit(Effect.void))
      assert.instanceOf(error, AdaptiveConcurrency.ConcurrencyLimitError)
      assert.deepStrictEqual(error.verdict, Verdict.retry("rejected"))
      assert.strictEqual(error.message, `No permit for "default": 1 of 1 in use, and the queue is full (1 waiting)`)
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(turnedBack), "closed")
      assert.strictEqual((yield* limiter.state()).inFlight, 0)
    }))

  it.effect("holds a stream's permit until it ends, also for streams that break", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ initial: 10 })
      const breaks = Stream.concat(Stream.make(1), Stream.fromEffect(failing(overloaded.verdict, 100)))
      const running = yield* start(Effect.exit(Stream.runDrain(limiter.withPermitStream(breaks))))
      yield* TestClock.adjust(99)
      assert.strictEqual((yield* limiter.state()).inFlight, 1)
      yield* TestClock.adjust(1)
      yield* Fiber.join(running)
      assert.deepStrictEqual(yield* limiter.state(), { permits: 9, inFlight: 0, queued: 0 })
    }))

  it.effect("works data-last", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make()
      assert.strictEqual(yield* Effect.succeed("a").pipe(limiter.withPermit()), "a")
      const stream = Stream.make("a").pipe(limiter.withPermitStream({ isEvent: (element: string) => element !== "" }))
      assert.deepStrictEqual(yield* Stream.runCollect(stream), ["a"])
    }))

  it("refuses wrong options by name", () => {
    const refused = (options: AdaptiveConcurrency.Options, message: string) =>
      assert.throws(() => AdaptiveConcurrency.make(options), RangeError, message)
    refused({ minimum: 0 }, `AdaptiveConcurrency.make: option "minimum" must be`)
    refused({ maximum: 2.5 }, `"maximum"`)
    refused({ minimum: 9, maximum: 8 }, `option "minimum" must not be greater than "maximum", got 9 and 8`)
    refused({ initial: 300 }, `option "initial" must be from "minimum" to "maximum" (4 to 200), got 300`)
    refused({ initial: 3 }, `option "initial" must be from "minimum" to "maximum" (4 to 200), got 3`)
    refused({ decrease: 1 }, `"decrease"`)
    refused({ latency: { tolerance: 1 } }, `"latency.tolerance"`)
    refused({ queueTimeout: -1 }, `"queueTimeout"`)
    refused({ maxKeys: 0.5 }, `"maxKeys"`)
  })

  it.effect("fits its other bounds into a low maximum", () =>
    Effect.gen(function*() {
      const limiter = yield* AdaptiveConcurrency.make({ maximum: 2 })
      assert.strictEqual((yield* limiter.state()).permits, 2)
    }))
})
