import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
import * as Deadline from "@effect-claude/resilience/Deadline"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"

const down = { verdict: Verdict.retry("serverError") }
const overloaded = { verdict: Verdict.retry("overloaded") }
const badRequest = { verdict: Verdict.stop }
const rateLimited = { verdict: Verdict.retry("rateLimited", "7 seconds") }
const key = "claude"

const fails = (breaker: CircuitBreaker.CircuitBreaker, error: Verdict.HasVerdict, times = 1) =>
  Effect.repeat(Effect.ignore(breaker.execute(Effect.fail(error), { key })), { times: times - 1 })

const works = (breaker: CircuitBreaker.CircuitBreaker) => Effect.exit(breaker.execute(Effect.void, { key }))

const stateOf = (breaker: CircuitBreaker.CircuitBreaker) => Effect.map(breaker.state(key), ({ _tag }) => _tag)

const millis = (duration: Duration.Duration | undefined) =>
  duration === undefined ? Number.NaN : Duration.toMillis(duration)

/** Opens after one failure, for ten seconds, and closes after one good probe, unless the test says otherwise. */
const make = (options: CircuitBreaker.CircuitBreakerOptions = {}) =>
  CircuitBreaker.make({ failures: 1, openFor: "10 seconds", closeAfter: 1, ...options })

const halfOpen = (breaker: CircuitBreaker.CircuitBreaker) =>
  Effect.gen(function*() {
    yield* fails(breaker, down)
    yield* TestClock.adjust("10 seconds")
  })

describe("CircuitBreaker: failures of others", () => {
  it.effect("half-open stampede: of a thousand callers one is let through", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* halfOpen(breaker)
      const gate = yield* Deferred.make<void>()
      let started = 0
      const call = breaker.execute(
        Effect.andThen(Effect.sync(() => started++), Deferred.await(gate)),
        { key }
      )
      const fibers = yield* Effect.forEach(Array.from({ length: 1000 }), () => Effect.forkChild(Effect.exit(call)))
      yield* Effect.yieldNow
      assert.strictEqual(started, 1)
      yield* Deferred.succeed(gate, undefined)
      const exits = yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
    }))

  const freeing = {
    "an ignored error": (breaker: CircuitBreaker.CircuitBreaker) => fails(breaker, rateLimited),
    "an interrupted probe": (breaker: CircuitBreaker.CircuitBreaker) =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(breaker.execute(Effect.never, { key }), { startImmediately: true })
        assert.isTrue(Exit.isFailure(yield* works(breaker)))
        yield* Fiber.interrupt(fiber)
      }),
    "a probe that dies": (breaker: CircuitBreaker.CircuitBreaker) =>
      Effect.exit(breaker.execute(Effect.die("a bug"), { key })),
    "a probe that hangs for longer than its lease": (breaker: CircuitBreaker.CircuitBreaker) =>
      Effect.gen(function*() {
        yield* Effect.forkChild(breaker.execute(Effect.never, { key }), { startImmediately: true })
        yield* TestClock.adjust("119 seconds")
        assert.isTrue(Exit.isFailure(yield* works(breaker)))
        yield* TestClock.adjust("1 second")
      }),
    "a stream that nobody reads on": (breaker: CircuitBreaker.CircuitBreaker) =>
      Stream.never.pipe(breaker.executeStream({ key }), Stream.runDrain, Effect.timeoutOption(0))
  }
  for (const [name, probe] of Object.entries(freeing)) {
    it.effect(`stuck half-open: ${name} frees its place`, () =>
      Effect.gen(function*() {
        const breaker = yield* make()
        yield* halfOpen(breaker)
        yield* probe(breaker)
        assert.strictEqual(yield* stateOf(breaker), "HalfOpen")
        assert.isTrue(Exit.isSuccess(yield* works(breaker)))
        assert.strictEqual(yield* stateOf(breaker), "Closed")
      }))
  }

  it.effect("stuck half-open: a classify that throws frees the place, and the call dies", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({
        failures: 1,
        openFor: "10 seconds",
        closeAfter: 1,
        classify: (error: "down" | "odd") => {
          if (error === "odd") throw new Error("not classified")
          return CircuitBreaker.failure()
        }
      })
      yield* Effect.ignore(breaker.execute(Effect.fail("down" as const), { key }))
      yield* TestClock.adjust("10 seconds")
      const exit = yield* Effect.exit(breaker.execute(Effect.fail("odd" as const), { key }))
      assert.isTrue(Exit.hasDies(exit))
      assert.isTrue(Exit.isSuccess(yield* breaker.execute(Effect.void, { key }).pipe(Effect.exit)))
    }))

  it.effect("stuck half-open: a probe that hung reports too late", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ closeAfter: 2 })
      yield* halfOpen(breaker)
      const gate = yield* Deferred.make<void, Verdict.HasVerdict>()
      const hung = yield* Effect.forkChild(breaker.execute(Deferred.await(gate), { key }), { startImmediately: true })
      yield* TestClock.adjust("2 minutes")
      yield* works(breaker)
      yield* Deferred.fail(gate, down)
      yield* Fiber.await(hung)
      assert.strictEqual(yield* stateOf(breaker), "HalfOpen")
      yield* works(breaker)
      assert.strictEqual(yield* stateOf(breaker), "Closed")
    }))

  for (const late of ["success", "failure"] as const) {
    it.effect(`stale pre-trip ${late}: changes nothing in a half-open circuit`, () =>
      Effect.gen(function*() {
        const breaker = yield* make()
        const gate = yield* Deferred.make<void, Verdict.HasVerdict>()
        const old = yield* Effect.forkChild(breaker.execute(Deferred.await(gate), { key }), { startImmediately: true })
        yield* halfOpen(breaker)
        const probe = yield* Effect.forkChild(breaker.execute(Effect.never, { key }), { startImmediately: true })
        yield* late === "success" ? Deferred.succeed(gate, undefined) : Deferred.fail(gate, down)
        yield* Fiber.await(old)
        assert.deepInclude(yield* breaker.state(key), { _tag: "HalfOpen", probing: true, goodProbes: 0 })
        yield* Fiber.interrupt(probe)
      }))
  }

  it.effect("stale pre-trip failure: neither opens it again after it closed nor extends the open time", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      const gate = yield* Deferred.make<void, Verdict.HasVerdict>()
      const old = yield* Effect.forEach(
        [1, 2, 3],
        () => Effect.forkChild(breaker.execute(Deferred.await(gate), { key }), { startImmediately: true })
      )
      yield* fails(breaker, down)
      yield* TestClock.adjust("4 seconds")
      const before = yield* breaker.state(key)
      yield* Deferred.fail(gate, { verdict: Verdict.retry("overloaded", "60 seconds") })
      yield* Effect.forEach(old, Fiber.await)
      assert.deepStrictEqual(yield* breaker.state(key), before)
      yield* TestClock.adjust("6 seconds")
      yield* works(breaker)
      assert.strictEqual(yield* stateOf(breaker), "Closed")
    }))

  it.effect("stale pre-trip trip: the second call that hits a spend limit does not open it again after a reset", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({
        classify: (_: "spendLimit") => CircuitBreaker.trip({ scope: "all" })
      })
      const gate = yield* Deferred.make<void, "spendLimit">()
      const call = breaker.execute(Deferred.await(gate), { key })
      const old = yield* Effect.forkChild(call, { startImmediately: true })
      yield* breaker.isolate()
      yield* breaker.reset()
      yield* Deferred.fail(gate, "spendLimit")
      yield* Fiber.await(old)
      assert.strictEqual((yield* breaker.state(key))._tag, "Closed")
      assert.deepStrictEqual(yield* breaker.states, [])
    }))

  it.effect("stale pre-trip trip: a call from before does not trip all keys again after good probes", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({
        closeAfter: 1,
        openFor: "10 seconds",
        classify: (scope: "key" | "all") => CircuitBreaker.trip({ scope })
      })
      const gate = yield* Deferred.make<void, "all">()
      const old = yield* Effect.forkChild(breaker.execute(Deferred.await(gate), { key }), { startImmediately: true })
      yield* Effect.ignore(breaker.execute(Effect.fail("all" as const), { key }))
      yield* TestClock.adjust("10 seconds")
      // Says something about its key, and nothing about the others.
      yield* Effect.ignore(breaker.execute(Effect.fail("key" as const), { key: "other" }))
      assert.deepInclude(yield* breaker.state(key), { _tag: "HalfOpen", key: "*", goodProbes: 0 })
      yield* breaker.execute(Effect.void, { key })
      yield* Deferred.fail(gate, "all")
      yield* Fiber.await(old)
      assert.strictEqual((yield* breaker.state(key))._tag, "Closed")
    }))

  it.effect("unhandled probe error: a defect closes nothing, in a stream after its first content neither", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* halfOpen(breaker)
      yield* Effect.exit(breaker.execute(Effect.die("a bug"), { key }))
      assert.strictEqual(yield* stateOf(breaker), "HalfOpen")
      const stream = Stream.concat(Stream.make(1), Stream.die("a bug"))
      yield* stream.pipe(breaker.executeStream({ key }), Stream.runDrain, Effect.exit)
      assert.strictEqual(yield* stateOf(breaker), "HalfOpen")
    }))

  it.effect("4xx poisons the breaker: no number of wrong requests opens it", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ failures: 5, ratio: { minimumCalls: 1 } })
      yield* fails(breaker, badRequest, 1000)
      yield* fails(breaker, rateLimited, 1000)
      assert.strictEqual(yield* stateOf(breaker), "Closed")
    }))

  it.effect("4xx hides an outage: wrong requests between failures neither end the row nor thin the ratio", () =>
    Effect.gen(function*() {
      const both = Effect.fnUntraced(function*(breaker: CircuitBreaker.CircuitBreaker) {
        for (let i = 0; i < 5; i++) {
          assert.strictEqual(yield* stateOf(breaker), "Closed")
          yield* fails(breaker, down)
          yield* fails(breaker, badRequest, 10)
        }
        assert.strictEqual(yield* stateOf(breaker), "Open")
      })
      yield* both(yield* make({ failures: 5 }))
      yield* both(yield* make({ failures: false, ratio: { threshold: 0.9, minimumCalls: 5 } }))
    }))

  it.effect("4xx shows life: a refused probe is a good one", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* halfOpen(breaker)
      yield* fails(breaker, badRequest)
      assert.strictEqual(yield* stateOf(breaker), "Closed")
    }))

  it.effect("4xx of our own: a deadline or another breaker inside is no answer of the service", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      const inner = yield* make()
      yield* inner.isolate(key)
      yield* halfOpen(breaker)
      yield* Effect.void.pipe(inner.execute({ key }), breaker.execute({ key }), Effect.exit)
      yield* Effect.never.pipe(Deadline.withDeadline(0), breaker.execute({ key }), Effect.exit)
      assert.strictEqual(yield* stateOf(breaker), "HalfOpen")
    }))

  it.effect("529 missed: an overload opens it", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ failures: 5 })
      yield* fails(breaker, overloaded, 5)
      assert.strictEqual(yield* stateOf(breaker), "Open")
    }))

  it.effect("memory per key: a closed circuit without failures is not kept, others are bounded", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ failures: 3, maxKeys: 100 })
      const call = (name: string, error?: Verdict.HasVerdict) =>
        Effect.ignore(breaker.execute(error === undefined ? Effect.void : Effect.fail(error), { key: name }))
      for (let i = 0; i < 1000; i++) yield* call(`good ${i}`)
      assert.strictEqual((yield* breaker.states).length, 0)
      for (let i = 0; i < 1000; i++) {
        yield* call(`mended ${i}`, down)
        yield* call(`mended ${i}`)
      }
      assert.strictEqual((yield* breaker.states).length, 0)
      for (let i = 0; i < 1000; i++) yield* Effect.repeat(call(`down ${i}`, down), { times: i % 4 })
      assert.strictEqual((yield* breaker.states).length, 100)
    }))

  it.effect("memory per key: the closed circuit used least recently goes first, an isolated one never", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ failures: 2, maxKeys: 3 })
      const failing = (name: string) => Effect.ignore(breaker.execute(Effect.fail(down), { key: name }))
      const names = Effect.map(breaker.states, (states) => states.map((state) => state.key).toSorted())
      yield* breaker.isolate("isolated")
      yield* failing("first")
      yield* failing("second")
      yield* Effect.ignore(breaker.execute(Effect.fail(badRequest), { key: "first" }))
      yield* failing("third")
      assert.deepStrictEqual(yield* names, ["first", "isolated", "third"])
      yield* failing("first")
      yield* failing("fourth")
      assert.deepStrictEqual(yield* names, ["first", "fourth", "isolated"])
      assert.strictEqual((yield* breaker.state("first"))._tag, "Open")
      yield* failing("fourth")
      yield* failing("fifth")
      assert.deepStrictEqual(yield* names, ["fifth", "fourth", "isolated"])
    }))

  it.effect("memory per key: what counted nothing for an hour is forgotten", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ failures: 2 })
      const failing = (name: string) => Effect.ignore(breaker.execute(Effect.fail(down), { key: name }))
      yield* failing("old")
      yield* Effect.repeat(failing("broken"), { times: 1 })
      yield* TestClock.adjust("1 hour")
      yield* failing("new")
      assert.deepStrictEqual((yield* breaker.states).map((state) => state.key), ["broken", "new"])
      yield* TestClock.adjust("10 seconds")
      yield* failing("newest")
      assert.deepStrictEqual((yield* breaker.states).map((state) => state.key), ["new", "newest"])
    }))

  it.effect("memory per key: a circuit that is being probed is not forgotten, however long it was open", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ openFor: "3 hours" })
      yield* fails(breaker, down)
      yield* TestClock.adjust("3 hours")
      const probe = yield* Effect.forkChild(breaker.execute(Effect.never, { key }), { startImmediately: true })
      yield* Effect.ignore(breaker.execute(Effect.fail(down), { key: "another" }))
      assert.strictEqual(yield* stateOf(breaker), "HalfOpen")
      assert.isTrue(Exit.isFailure(yield* works(breaker)))
      yield* Fiber.interrupt(probe)
    }))

  it.effect(
    "memory per key: a hundred thousand calls over twenty thousand keys leave at most maxKeys circuits",
    () =>
      Effect.gen(function*() {
        const breaker = yield* make({ failures: 2, maxKeys: 5000 })
        for (let i = 0; i < 100_000; i++) {
          const effect = i % 3 === 0 ? Effect.fail(down) : i % 7 === 0 ? Effect.interrupt : Effect.void
          const name = `key ${yield* Random.nextIntBetween(0, 20_000)}`
          yield* Effect.exit(breaker.execute(effect, { key: name }))
          if (i % 1000 === 0) yield* TestClock.adjust("1 second")
        }
        const before = (yield* breaker.states).length
        assert.isAbove(before, 1000)
        assert.isAtMost(before, 5000)
        // What is left after an hour goes as new ones come, two for each.
        yield* TestClock.adjust("2 hours")
        for (let i = 0; i < 2500; i++) {
          yield* Effect.ignore(breaker.execute(Effect.fail(down), { key: `new ${i}` }))
        }
        assert.isTrue((yield* breaker.states).every((state) => state.key.startsWith("new")))
      }).pipe(Random.withSeed("many keys")),
    30_000
  )

  it.effect("clock skew: the wall clock may jump", () =>
    Effect.gen(function*() {
      const test = yield* Clock.Clock
      let skew = 0
      const skewed: Clock.Clock = {
        currentTimeMillisUnsafe: () => test.currentTimeMillisUnsafe() + skew,
        currentTimeMillis: Effect.map(test.currentTimeMillis, (time) => time + skew),
        currentTimeNanosUnsafe: () => test.currentTimeNanosUnsafe() + BigInt(skew) * 1_000_000n,
        currentTimeNanos: Effect.map(test.currentTimeNanos, (time) => time + BigInt(skew) * 1_000_000n),
        monotonicTimeNanosUnsafe: () => test.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: test.monotonicTimeNanos,
        sleep: (duration) => test.sleep(duration)
      }
      const breaker = yield* Effect.provideService(make(), Clock.Clock, skewed)
      yield* fails(breaker, down)
      for (const jump of [3_600_000, -7_200_000]) {
        skew = jump
        const rejection = yield* Effect.flip(breaker.execute(Effect.void, { key }))
        assert.strictEqual(millis(rejection.remaining), 10_000)
      }
      yield* TestClock.adjust("10 seconds")
      assert.isTrue(Exit.isSuccess(yield* works(breaker)))
    }))

  it.effect("window shorter than the call: calls are counted when they end", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ failures: false, ratio: { window: "10 seconds", minimumCalls: 10 } })
      const slow = breaker.execute(Effect.delay(Effect.fail(down), "1 minute"), { key })
      const fibers = yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.forkChild(Effect.ignore(slow)))
      yield* TestClock.adjust("1 minute")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(yield* stateOf(breaker), "Open")
    }))

  it.effect("ratio of calls instead of time: failures of an hour ago do not count", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ failures: false, ratio: { window: "1 minute", minimumCalls: 10 } })
      yield* fails(breaker, down, 9)
      yield* TestClock.adjust("50 minutes")
      yield* fails(breaker, down, 9)
      assert.strictEqual(yield* stateOf(breaker), "Closed")
      yield* fails(breaker, down)
      assert.strictEqual(yield* stateOf(breaker), "Open")
    }))

  it.effect("cooldown: is visible, and no rejection extends it", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* fails(breaker, down)
      for (const left of [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]) {
        const state = yield* breaker.state(key)
        assert.strictEqual(millis(state._tag === "Open" ? state.remaining : undefined), left * 1000)
        yield* Effect.repeat(works(breaker), { times: 99 })
        yield* TestClock.adjust("1 second")
      }
      assert.isTrue(Exit.isSuccess(yield* works(breaker)))
    }))

  it.effect("cooldown: the server's wait is a floor, and capped", () =>
    Effect.gen(function*() {
      const open = Effect.fnUntraced(function*(after: Duration.Input) {
        const breaker = yield* make({ maxServerOpenFor: "30 seconds" })
        yield* fails(breaker, { verdict: Verdict.retry("overloaded", after) })
        const state = yield* breaker.state(key)
        return millis(state._tag === "Open" ? state.remaining : undefined)
      })
      assert.strictEqual(yield* open("2 seconds"), 10_000)
      assert.strictEqual(yield* open("20 seconds"), 20_000)
      assert.strictEqual(yield* open("2 hours"), 30_000)
      assert.strictEqual(yield* open(Duration.infinity), 30_000)
    }))

  it.effect("backoff overflow: an open time beyond a timer's reach is not one of a millisecond", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ openFor: "30 days" })
      yield* fails(breaker, down)
      yield* TestClock.adjust("29 days")
      assert.isTrue(Exit.isFailure(yield* works(breaker)))
      yield* TestClock.adjust("1 day")
      assert.isTrue(Exit.isSuccess(yield* works(breaker)))
    }))

  it.effect("backoff overflow: a schedule that overflows leaves it open, one that ends stays at its last wait", () =>
    Effect.gen(function*() {
      const opened = Effect.fnUntraced(
        function*(openFor: Schedule.Schedule<unknown, CircuitBreaker.Opening>, times: number) {
          const breaker = yield* make({ openFor })
          const waits: Array<number> = []
          for (let i = 0; i < times; i++) {
            yield* fails(breaker, down)
            const state = yield* breaker.state(key)
            waits.push(millis(state._tag === "Open" ? state.remaining : undefined))
            yield* TestClock.adjust(waits[i] ?? 0)
          }
          return waits
        }
      )
      assert.deepStrictEqual(
        yield* opened(Schedule.exponential("1 second").pipe(Schedule.upTo({ times: 3 })), 5),
        [1000, 2000, 4000, 4000, 4000]
      )
      assert.deepStrictEqual(
        yield* opened(Schedule.exponential("1 second").pipe(Schedule.upTo({ duration: "3 seconds" })), 5),
        [1000, 2000, 4000, 4000, 4000]
      )
      const [first, second, third] = yield* opened(Schedule.exponential("1 second", 1e200), 3)
      assert.strictEqual(first, 1000)
      assert.isAbove(second ?? 0, 1e200)
      assert.strictEqual(third, Number.POSITIVE_INFINITY)
    }))

  it.effect("herd: one waiter loses nothing, a thousand come back over a second", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* fails(breaker, down)
      const shares: Array<number> = []
      for (let i = 0; i < 1000; i++) {
        const rejection = yield* Effect.flip(breaker.execute(Effect.void, { key }))
        shares.push(millis(rejection.retryAfter) - 10_000)
      }
      assert.strictEqual(shares.length, 1000)
      assert.isAtMost(shares[0] ?? Number.NaN, 5)
      const buckets = new Map<number, number>()
      for (const share of shares) {
        assert.isAtLeast(share, 0)
        assert.isAtMost(share, 1000)
        buckets.set(Math.floor(share / 10), (buckets.get(Math.floor(share / 10)) ?? 0) + 1)
      }
      // Eleven in 10 ms on average, and those that came first crowd a little at the beginning.
      assert.isAtMost(Math.max(...buckets.values()), 40)
      assert.isAbove(Math.max(...shares), 900)
    }).pipe(Random.withSeed("herd")))

  it.effect("retry amplification: a call that waits for the circuit sends nothing, and keeps its attempts", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({ failures: 3 })
      const recovery = 5 * 60_000
      let sent = 0
      const request = Effect.gen(function*() {
        sent += 1
        return (yield* Clock.currentTimeMillis) < recovery ? yield* Effect.fail(down) : "answer"
      })
      const call = request.pipe(
        breaker.execute({ key }),
        Effect.retry(RetrySchedule.standard({ attempts: 3 })),
        Deadline.withDeadline("10 minutes")
      )
      // The probes cost attempts of those who make them; there are enough callers for all of them to be made.
      const fibers = yield* Effect.forEach(Array.from({ length: 500 }), () => Effect.forkChild(Effect.exit(call)))
      yield* TestClock.adjust("6 minutes")
      const exits = yield* Effect.forEach(fibers, Fiber.join)
      // 500 answers; three failures that opened it, and a probe each second to two seconds.
      assert.isBelow(sent, 500 + 3 + 200)
      assert.isAbove(exits.filter(Exit.isSuccess).length, 450)
    }).pipe(Random.withSeed("amplification")))

  it.effect("lost cancellation: interrupting the caller interrupts what it runs", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      let interrupted = false
      const call = Effect.never.pipe(
        Effect.onInterrupt(() => Effect.sync(() => void (interrupted = true))),
        breaker.execute({ key })
      )
      const fiber = yield* Effect.forkChild(call, { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.isTrue(interrupted)
    }))

  it.effect("lost place: a probe that is rejected after its wait in a queue gives up the places it had", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* halfOpen(breaker)
      const gate = yield* Deferred.make<void>()
      const queued = yield* Effect.forkChild(
        breaker.executeWith({ key }, (recheck) => Effect.andThen(Deferred.await(gate), recheck)),
        { startImmediately: true }
      )
      yield* breaker.isolate()
      yield* Deferred.succeed(gate, undefined)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(queued)))
      assert.isFalse((yield* breaker.states).some((state) => state._tag === "HalfOpen" && state.probing))
    }))
})
