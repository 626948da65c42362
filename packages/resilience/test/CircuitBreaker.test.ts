import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Scheduler from "effect/Scheduler"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"

const down = { verdict: Verdict.retry("serverError") }
const badRequest = { verdict: Verdict.stop }
const key = "claude"

const make = (options: CircuitBreaker.CircuitBreakerOptions = {}) =>
  CircuitBreaker.make({ failures: 1, openFor: "10 seconds", closeAfter: 1, ...options })

type Breaker = CircuitBreaker.CircuitBreaker

const fails = (breaker: Breaker, times = 1) =>
  Effect.repeat(Effect.ignore(breaker.execute(Effect.fail(down), { key })), { times: times - 1 })
const works = (breaker: Breaker) => Effect.exit(breaker.execute(Effect.succeed("answer"), { key }))
const stateOf = (breaker: Breaker) => Effect.map(breaker.state(key), ({ _tag }) => _tag)
const halfOpen = (breaker: Breaker) => Effect.andThen(fails(breaker), TestClock.adjust("10 seconds"))

const open = <E>(stream: Stream.Stream<unknown, E>) =>
  Effect.forkChild(Stream.runDrain(stream), { startImmediately: true })

describe("CircuitBreaker", () => {
  it.effect("opens after five failures in a row, for a second, and closes after two good probes", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make()
      yield* fails(breaker, 4)
      yield* works(breaker)
      yield* fails(breaker, 4)
      assert.deepStrictEqual(yield* breaker.state(key), { _tag: "Closed", key, failures: 4 })
      yield* fails(breaker)
      assert.strictEqual(yield* stateOf(breaker), "Open")
      yield* TestClock.adjust("999 millis")
      assert.isTrue(Exit.isFailure(yield* works(breaker)))
      yield* TestClock.adjust("101 millis")
      assert.isTrue(Exit.isSuccess(yield* works(breaker)))
      assert.strictEqual(yield* stateOf(breaker), "HalfOpen")
      assert.isTrue(Exit.isSuccess(yield* works(breaker)))
      assert.strictEqual(yield* stateOf(breaker), "Closed")
    }))

  describe("a burst of calls that were sent together and failed together", () => {
    const burst = Effect.fnUntraced(function*(breaker: Breaker, size: number, lasting: Duration.Input) {
      const call = Effect.andThen(Effect.sleep(lasting), Effect.fail(down))
      yield* Effect.forEach(
        Array.from({ length: size }),
        () => Effect.forkChild(Effect.exit(breaker.execute(call, { key })), { startImmediately: true })
      )
      yield* TestClock.adjust(lasting)
    })

    it.effect("opens nothing by itself, and a success in between is the end of it", () =>
      Effect.gen(function*() {
        const breaker = yield* CircuitBreaker.make()
        yield* burst(breaker, 40, "3 millis")
        assert.deepStrictEqual(yield* breaker.state(key), { _tag: "Closed", key, failures: 40 })
        yield* works(breaker)
        yield* fails(breaker, 4)
        assert.strictEqual(yield* stateOf(breaker), "Closed")
      }))

    it.effect("opens with the next failure of a call that began after it", () =>
      Effect.gen(function*() {
        const breaker = yield* CircuitBreaker.make()
        yield* burst(breaker, 5, "3 millis")
        yield* fails(breaker)
        assert.strictEqual(yield* stateOf(breaker), "Open")
      }))

    it.effect("opens once it has lasted for a second, so that calls that hang need not hang twice", () =>
      Effect.gen(function*() {
        const breaker = yield* CircuitBreaker.make()
        const hang = (limit: Duration.Input) =>
          Effect.forkChild(
            Effect.exit(breaker.execute(Effect.andThen(Effect.sleep(limit), Effect.fail(down)), { key })),
            { startImmediately: true }
          )
        yield* Effect.forEach(["60 seconds", "60 seconds", "60 seconds", "60 seconds", "61 seconds"] as const, hang)
        yield* TestClock.adjust("60 seconds")
        assert.strictEqual(yield* stateOf(breaker), "Closed")
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* stateOf(breaker), "Open")
      }))
  })

  it.effect("gives the value, the error, the defect and the interrupt of what it runs", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make()
      const through = <A>(effect: Effect.Effect<A, Verdict.HasVerdict>) => Effect.exit(breaker.execute(effect, { key }))
      for (const exit of [Exit.succeed(1), Exit.fail(down), Exit.die("a bug"), Exit.interrupt(7)]) {
        assert.deepStrictEqual(yield* through(exit), exit)
      }
    }))

  it.effect("keeps a circuit for each key", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* fails(breaker)
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(breaker.execute(Effect.void, { key: "another" }))))
    }))

  it.effect("opens by a ratio of a time, at a failure, from a least number of calls on", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ failures: false, ratio: { threshold: 0.5, window: "10 seconds", minimumCalls: 4 } })
      yield* fails(breaker)
      yield* works(breaker)
      yield* fails(breaker)
      assert.strictEqual(yield* stateOf(breaker), "Closed")
      yield* TestClock.adjust("5 seconds")
      yield* works(breaker)
      assert.strictEqual(yield* stateOf(breaker), "Closed")
      yield* fails(breaker)
      assert.strictEqual(yield* stateOf(breaker), "Open")
    }))

  it.effect("grows the open time with the outage, and begins anew after a good stretch", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ openFor: CircuitBreaker.growing({ cap: "4 seconds", jitter: 0 }) })
      const opened = Effect.gen(function*() {
        yield* fails(breaker)
        const state = yield* breaker.state(key)
        return state._tag === "Open" ? Duration.toMillis(state.remaining) : 0
      })
      const waits: Array<number> = []
      for (let i = 0; i < 12; i++) {
        waits.push(yield* opened)
        yield* TestClock.adjust(waits[i] ?? 0)
      }
      const rounded = waits.map((wait) => Math.round(wait))
      assert.deepStrictEqual(rounded, [1000, 1000, 1000, 1000, 1000, 1000, 1200, 1440, 1728, 2074, 2488, 2986])
      yield* works(breaker)
      yield* TestClock.adjust("2 seconds")
      assert.approximately(yield* opened, 3983, 1, "it flaps: the outage goes on")
      yield* TestClock.adjust("4 seconds")
      yield* works(breaker)
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* opened, 1000)
    }))

  it.effect("takes an open time of one's own, and what is wrong with it is a defect that does not lose the probe's place", () =>
    Effect.gen(function*() {
      let next: Duration.Input = "3 seconds"
      const breaker = yield* make({ openFor: () => next })
      yield* fails(breaker)
      const state = yield* breaker.state(key)
      assert.deepStrictEqual(state._tag === "Open" ? state.remaining : undefined, Duration.seconds(3))
      next = -1
      yield* TestClock.adjust("3 seconds")
      assert.isTrue(Exit.hasDies(yield* Effect.exit(breaker.execute(Effect.fail(down), { key }))))
      assert.deepInclude(yield* breaker.state(key), { _tag: "HalfOpen", probing: false })
      const waiting = yield* make({
        openFor: Schedule.spaced("1 second").pipe(Schedule.modifyDelay(() => Effect.delay(Effect.succeed(1), 1)))
      })
      assert.isTrue(Exit.hasDies(yield* Effect.exit(waiting.execute(Effect.fail(down), { key }))))
    }))

  it.effect("says in a rejection why and for how long", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ spread: 0 })
      const rejection = Effect.flip(breaker.execute(Effect.void, { key }))
      yield* fails(breaker)
      yield* TestClock.adjust("4 seconds")
      const whileOpen = yield* rejection
      assert.strictEqual(whileOpen.message, `Circuit "claude" is open; next probe in 6s`)
      assert.deepStrictEqual(whileOpen.verdict, Verdict.retry("rejected", "6 seconds"))
      assert.strictEqual(whileOpen.stack?.includes("\n    at "), false)

      yield* TestClock.adjust("6 seconds")
      const probe = yield* Effect.forkChild(breaker.execute(Effect.never, { key }), { startImmediately: true })
      const waits: Array<unknown> = []
      for (const age of ["0 millis", "1 second", "1 minute"] as const) {
        yield* TestClock.adjust(age)
        const whileProbing = yield* rejection
        assert.strictEqual(whileProbing.reason, "probing")
        assert.isUndefined(whileProbing.remaining)
        waits.push(whileProbing.verdict)
      }
      assert.deepStrictEqual(waits, [50, 200, 1000].map((wait) => Verdict.retry("rejected", wait)))
      yield* Fiber.interrupt(probe)

      yield* breaker.isolate(key)
      const isolated = yield* rejection
      assert.strictEqual(isolated.message, `Circuit "claude" is isolated`)
      assert.deepStrictEqual(isolated.verdict, Verdict.stop)
      assert.isUndefined(isolated.retryAfter)
    }))

  it.effect("sends a rejection through JSON", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ spread: 0 })
      yield* fails(breaker)
      const rejection = yield* Effect.flip(breaker.execute(Effect.void, { key }))
      const codec = Schema.toCodecJson(CircuitBreaker.CircuitOpenError)
      const json = JSON.stringify(yield* Schema.encodeEffect(codec)(rejection))
      const back = yield* Schema.decodeUnknownEffect(codec)(JSON.parse(json))
      assert.deepStrictEqual(back.verdict, rejection.verdict)
      assert.strictEqual(back.message, rejection.message)
    }))

  it.effect("rejects with an error of the caller's own", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* breaker.isolate()
      const orElse = ({ reason }: CircuitBreaker.Rejection) => `no: ${reason}`
      assert.strictEqual(yield* Effect.flip(breaker.execute(Effect.void, { key, orElse })), "no: isolated")
      assert.strictEqual(
        yield* Stream.make(1).pipe(breaker.executeStream({ key, orElse }), Stream.runDrain, Effect.flip),
        "no: isolated"
      )
    }))

  it.effect("trips one key or all at once, with a rejection that stops and tells why", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({
        closeAfter: 1,
        classify: (scope: "key" | "all" | "down") =>
          scope === "down" ? Verdict.retry("serverError") : CircuitBreaker.trip({ scope, openFor: "10 seconds" })
      })
      const call = (name: string, error?: "key" | "all" | "down") =>
        Effect.result(breaker.execute(error === undefined ? Effect.void : Effect.fail(error), { key: name }))
      yield* call("a", "key")
      const rejected = yield* Effect.flip(Effect.fromResult(yield* call("a")))
      assert.isTrue(rejected instanceof CircuitBreaker.CircuitOpenError)
      assert.deepInclude(rejected, { reason: "tripped", cause: "key" })
      assert.strictEqual((yield* call("b"))._tag, "Success")
      yield* call("b", "all")
      const other = yield* Effect.flip(Effect.fromResult(yield* call("c")))
      assert.deepInclude(other, { key: "c", reason: "tripped", cause: "all" })
      assert.deepInclude(yield* breaker.state("c"), { _tag: "Open", key: "*", tripped: true })

      yield* TestClock.adjust("10 seconds")
      yield* call("c", "down")
      assert.deepInclude(yield* breaker.state("c"), { _tag: "Open", key: "*", tripped: true })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* call("c"))._tag, "Success")
      assert.deepInclude(yield* breaker.state("c"), { _tag: "Closed", key: "c" })
      assert.deepInclude(yield* breaker.state("a"), { _tag: "Open", key: "a" })
    }))

  it.effect("isolates and resets by hand, one key or all", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* breaker.isolate(key)
      assert.deepStrictEqual(yield* breaker.state(key), { _tag: "Isolated", key })
      yield* TestClock.adjust("1 day")
      assert.isTrue(Exit.isFailure(yield* works(breaker)))
      yield* breaker.reset(key)
      assert.isTrue(Exit.isSuccess(yield* works(breaker)))

      yield* fails(breaker)
      yield* breaker.isolate()
      assert.deepStrictEqual((yield* breaker.states).map((state) => [state.key, state._tag]), [
        ["*", "Isolated"],
        [key, "Open"]
      ])
      yield* breaker.reset(key)
      assert.isTrue(Exit.isFailure(yield* works(breaker)))
      yield* breaker.reset()
      assert.isTrue(Exit.isSuccess(yield* works(breaker)))
      assert.deepStrictEqual(yield* breaker.states, [])
    }))

  it.effect("tells its transitions until its scope ends", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const breaker = yield* Scope.provide(make(), scope)
      const transitions = yield* Effect.forkChild(Stream.runCollect(breaker.transitions), { startImmediately: true })
      yield* Effect.yieldNow
      yield* halfOpen(breaker)
      yield* fails(breaker)
      yield* TestClock.adjust("10 seconds")
      yield* works(breaker)
      yield* breaker.isolate(key)
      yield* breaker.reset(key)
      yield* Scope.close(scope, Exit.void)
      const openFor = Duration.seconds(10)
      assert.deepStrictEqual(yield* Fiber.join(transitions), [
        { key, from: "Closed", to: "Open", at: 0, reason: "consecutive", openFor },
        { key, from: "Open", to: "HalfOpen", at: 10_000, reason: "openTimeOver" },
        { key, from: "HalfOpen", to: "Open", at: 10_000, reason: "probe", openFor },
        { key, from: "Open", to: "HalfOpen", at: 20_000, reason: "openTimeOver" },
        { key, from: "HalfOpen", to: "Closed", at: 20_000, reason: "probes" },
        { key, from: "Closed", to: "Isolated", at: 20_000, reason: "isolated" },
        { key, from: "Isolated", to: "Closed", at: 20_000, reason: "reset" }
      ])
      assert.isTrue(Exit.isSuccess(yield* works(breaker)))
    }))

  it.effect("emits what it decides, on the fiber of the call", () =>
    Effect.gen(function*() {
      const seen: Array<ResilienceEvent.ResilienceEvent> = []
      const breaker = yield* make({ spread: 0 })
      const openFor = Duration.seconds(10)
      yield* Effect.gen(function*() {
        yield* fails(breaker)
        yield* works(breaker)
        yield* TestClock.adjust("10 seconds")
        yield* works(breaker)
        yield* breaker.isolate()
        yield* works(breaker)
        yield* breaker.reset()
      }).pipe(ResilienceEvent.listen((event) => {
        seen.push(event)
      }))
      assert.deepStrictEqual(seen, [
        { _tag: "CircuitOpened", key, reason: "consecutive", openFor },
        { _tag: "CircuitRejected", key, reason: "open", retryAfter: openFor },
        { _tag: "CircuitHalfOpened", key },
        { _tag: "CircuitClosed", key, reason: "probes" },
        { _tag: "CircuitOpened", key: "*", reason: "isolated" },
        { _tag: "CircuitRejected", key, reason: "isolated" },
        { _tag: "CircuitClosed", key: "*", reason: "reset" }
      ])
    }))

  it.effect("never loses the place of a probe, at whatever step it is interrupted", () =>
    Effect.gen(function*() {
      for (const budget of [3, 4, 5, 6, 7, 8]) {
        for (let yields = 0; yields < 12; yields++) {
          const breaker = yield* make()
          yield* halfOpen(breaker)
          const probe = yield* Effect.yieldNow.pipe(
            breaker.execute({ key }),
            Effect.provideService(Scheduler.MaxOpsBeforeYield, budget),
            Effect.forkChild
          )
          for (let i = 0; i < yields; i++) yield* Effect.yieldNow
          yield* Fiber.interrupt(probe)
          yield* works(breaker)
          assert.strictEqual(yield* stateOf(breaker), "Closed", `a yield each ${budget} steps, ${yields} of them`)
        }
      }
    }))

  it("refuses wrong options", () => {
    const wrong: ReadonlyArray<readonly [CircuitBreaker.CircuitBreakerOptions, string]> = [
      [{ failures: 0 }, "failures"],
      [{ failures: 1.5 }, "failures"],
      [{ failures: Number.POSITIVE_INFINITY }, "failures"],
      [{ ratio: { threshold: 0 } }, "ratio.threshold"],
      [{ ratio: { threshold: 50 } }, "ratio.threshold"],
      [{ ratio: { window: 0 } }, "ratio.window"],
      [{ ratio: { minimumCalls: 0 } }, "ratio.minimumCalls"],
      [{ openFor: 0 }, "openFor"],
      [{ openFor: Number.NaN }, "openFor"],
      [{ closeAfter: 0 }, "closeAfter"],
      [{ probeLease: 0 }, "probeLease"],
      [{ maxServerOpenFor: -1 }, "maxServerOpenFor"],
      [{ spread: "Infinity" }, "spread"],
      [{ maxKeys: 0 }, "maxKeys"]
    ]
    for (const [options, name] of wrong) {
      assert.throws(() => CircuitBreaker.make(options), RangeError, `CircuitBreaker.make: option "${name}" must be`)
    }
    assert.throws(
      () => CircuitBreaker.growing({ cap: "500 millis" }),
      RangeError,
      `"cap" must be at least "first" (1s)`
    )
    const growing: ReadonlyArray<readonly [Parameters<typeof CircuitBreaker.growing>[0], string]> = [
      [{ first: 0 }, "first"],
      [{ cap: 0 }, "cap"],
      [{ share: 2 }, "share"],
      [{ jitter: -0.1 }, "jitter"]
    ]
    for (const [options, name] of growing) {
      assert.throws(
        () => CircuitBreaker.growing(options),
        RangeError,
        `CircuitBreaker.growing: option "${name}" must be`
      )
    }
    assert.throws(
      () => CircuitBreaker.trip({ openFor: 0 }),
      RangeError,
      `CircuitBreaker.trip: option "openFor" must be a duration longer than zero`
    )
    assert.throws(
      () => CircuitBreaker.failure({ after: -1 }),
      RangeError,
      `CircuitBreaker.failure: option "after" must be a duration of zero or more`
    )
  })

  it.effect("closes after a trip of all keys by its probe, when no key has a circuit of its own", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({
        closeAfter: 1,
        classify: (_: "spendLimit") => CircuitBreaker.trip({ scope: "all", openFor: "10 seconds" })
      })
      const call = breaker.execute(Effect.succeed("answer"), { key })
      yield* Effect.ignore(breaker.execute(Effect.fail("spendLimit" as const), { key }))
      assert.deepStrictEqual((yield* breaker.states).map((state) => [state.key, state._tag]), [["*", "Open"]])
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* call, "answer")
      assert.deepStrictEqual(yield* breaker.states, [])
      assert.strictEqual(yield* call, "answer")
    }))

  it.effect("is tripped anew by a probe that meets the same again", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({
        spread: 0,
        classify: (_: "spendLimit") => CircuitBreaker.trip({ openFor: "10 seconds" })
      })
      const meets = Effect.exit(breaker.execute(Effect.fail("spendLimit" as const), { key }))
      yield* meets
      yield* TestClock.adjust("10 seconds")
      yield* meets
      assert.strictEqual((yield* breaker.state(key))._tag, "Open")
      const error = yield* Effect.flip(breaker.execute(Effect.succeed("answer"), { key }))
      assert.deepInclude(error, { reason: "tripped", remaining: Duration.seconds(10), cause: "spendLimit" })
    }))

  it.effect("a schedule without a step is a defect that says so", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ openFor: Schedule.recurs(0) })
      const exit = yield* Effect.exit(breaker.execute(Effect.fail(down), { key }))
      assert.isTrue(Exit.hasDies(exit))
      assert.include(
        Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "",
        `option "openFor" must be a schedule with at least one step, got "none"`
      )
    }))

  it.effect("stays isolated by hand however long, and however many other keys come and go", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* breaker.isolate(key)
      for (let hour = 0; hour < 3; hour++) {
        yield* TestClock.adjust("1 hour")
        for (let n = 0; n < 50; n++) {
          yield* Effect.ignore(breaker.execute(Effect.fail(down), { key: `key ${hour} ${n}` }))
        }
      }
      assert.strictEqual(yield* stateOf(breaker), "Isolated")
    }))

  it.effect("counts each kind of failure as what it says of the service", () =>
    Effect.gen(function*() {
      const states: Array<readonly [string, string]> = []
      for (const kind of Verdict.retryKinds) {
        const breaker = yield* make()
        yield* Effect.ignore(breaker.execute(Effect.fail({ verdict: Verdict.retry(kind) }), { key }))
        states.push([kind, yield* stateOf(breaker)])
      }
      assert.deepStrictEqual(Object.fromEntries(states), {
        rateLimited: "Closed",
        overloaded: "Open",
        serverError: "Open",
        connection: "Open",
        timeout: "Open",
        conflict: "Closed",
        rejected: "Closed"
      })
    }))

  it.effect("a schedule of open times that dies is a defect of the call", () =>
    Effect.gen(function*() {
      const broken = Schedule.fromStep(Effect.succeed(() => Effect.die("a broken schedule")))
      const breaker = yield* make({ openFor: broken })
      const exit = yield* Effect.exit(breaker.execute(Effect.fail(down), { key }))
      assert.isTrue(Exit.hasDies(exit))
      assert.include(JSON.stringify(exit), "a broken schedule")
    }))

  it("takes options at the edge of what is allowed", () => {
    const steady = CircuitBreaker.growing({ first: "1 second", cap: "1 second", jitter: 0 })
    const opening = { key, outage: Duration.hours(1), openings: 9, random: () => 1 }
    assert.deepStrictEqual(steady(opening), Duration.seconds(1))
    const forever = Duration.infinity
    assert.deepStrictEqual(CircuitBreaker.failure({ after: "Infinity" }), { _tag: "Failure", after: forever })
    assert.deepStrictEqual(CircuitBreaker.trip(), { _tag: "Trip", scope: "key", openFor: undefined })
    assert.deepStrictEqual(CircuitBreaker.trip({ openFor: "Infinity" }), {
      _tag: "Trip",
      scope: "key",
      openFor: forever
    })
  })

  it("a rejection says whether and when to come back", () => {
    const wait = Duration.seconds(3)
    const rejection = (reason: CircuitBreaker.Rejection["reason"]) =>
      new CircuitBreaker.CircuitOpenError({ key, reason, remaining: wait, retryAfter: wait })
    const seen = (["open", "probing", "isolated", "tripped"] as const).map(rejection)
      .map(({ message, verdict }) => [message, verdict])
    assert.deepStrictEqual(seen, [
      [`Circuit "claude" is open; next probe in 3s`, Verdict.retry("rejected", wait)],
      [`Circuit "claude" is half-open, and a probe is running; next probe in 3s`, Verdict.retry("rejected", wait)],
      [`Circuit "claude" is isolated; next probe in 3s`, Verdict.stop],
      [`Circuit "claude" was tripped; next probe in 3s`, Verdict.stop]
    ])
  })
})

describe("CircuitBreaker.executeWith", () => {
  const queued = Effect.fnUntraced(function*(breaker: Breaker, sent: Effect.Effect<string, Verdict.HasVerdict>) {
    const turn = yield* Deferred.make<void>()
    const fiber = yield* Effect.forkChild(
      breaker.executeWith(
        { key },
        (recheck) => Deferred.await(turn).pipe(Effect.andThen(recheck), Effect.andThen(sent))
      ),
      { startImmediately: true }
    )
    return { finish: Effect.andThen(Deferred.succeed(turn, undefined), Fiber.await(fiber)) }
  })

  it.effect("rejects a call whose circuit opened while it waited", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      const { finish } = yield* queued(breaker, Effect.die("it was sent"))
      yield* fails(breaker)
      const exit = yield* finish
      assert.isTrue(Exit.isFailure(exit) && !Exit.hasDies(exit))
      assert.strictEqual(yield* stateOf(breaker), "Open")
    }))

  it.effect("counts a call that waited through an outage as one of now", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      const { finish } = yield* queued(breaker, Effect.fail(down))
      yield* halfOpen(breaker)
      yield* works(breaker)
      assert.strictEqual(yield* stateOf(breaker), "Closed")
      yield* finish
      assert.strictEqual(yield* stateOf(breaker), "Open")
    }))

  it.effect("makes it the probe if the place is free, and rejects it if not", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ closeAfter: 2 })
      const { finish: first } = yield* queued(breaker, Effect.succeed("answer"))
      const { finish: second } = yield* queued(breaker, Effect.succeed("answer"))
      yield* halfOpen(breaker)
      const probe = yield* Effect.forkChild(breaker.execute(Effect.never, { key }), { startImmediately: true })
      assert.isTrue(Exit.isFailure(yield* first))
      yield* Fiber.interrupt(probe)
      assert.isTrue(Exit.isSuccess(yield* second))
      assert.deepInclude(yield* breaker.state(key), { _tag: "HalfOpen", goodProbes: 1 })
    }))

  it.effect("renews the lease of a probe that had to wait", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* halfOpen(breaker)
      const { finish } = yield* queued(breaker, Effect.delay(Effect.succeed("answer"), "90 seconds"))
      yield* TestClock.adjust("90 seconds")
      const ended = yield* Effect.forkChild(finish, { startImmediately: true })
      yield* TestClock.adjust("60 seconds")
      assert.isTrue(Exit.isFailure(yield* works(breaker)))
      yield* TestClock.adjust("30 seconds")
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(ended)))
      assert.strictEqual(yield* stateOf(breaker), "Closed")
    }))
})

describe("CircuitBreaker.executeStream", () => {
  it.effect("judges a stream when it ends", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* halfOpen(breaker)
      const end = yield* Deferred.make<void>()
      const stream = Stream.concat(Stream.make(1), Stream.fromEffectDrain(Deferred.await(end)))
      const reader = yield* open(breaker.executeStream(stream, { key }))
      assert.deepInclude(yield* breaker.state(key), { _tag: "HalfOpen", probing: true })
      assert.isTrue(Exit.isFailure(yield* works(breaker)))
      yield* Deferred.succeed(end, undefined)
      yield* Fiber.join(reader)
      assert.strictEqual(yield* stateOf(breaker), "Closed")
    }))

  it.effect("counts a failure in the middle, and passes on every element and the error", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      const seen: Array<number> = []
      const error = yield* Stream.concat(Stream.make(1, 2, 3), Stream.fail(down)).pipe(
        breaker.executeStream({ key }),
        Stream.runForEach((element) => Effect.sync(() => seen.push(element))),
        Effect.flip
      )
      assert.deepStrictEqual(seen, [1, 2, 3])
      assert.strictEqual(error, down)
      assert.strictEqual(yield* stateOf(breaker), "Open")
    }))

  it.effect("is admitted when it is run, each time anew", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      const stream = Stream.make(1).pipe(breaker.executeStream({ key }))
      yield* fails(breaker)
      assert.strictEqual((yield* Effect.flip(Stream.runDrain(stream)))._tag, "CircuitOpenError")
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* Stream.runCollect(stream), [1])
    }))

  for (
    const [name, isContent, expected] of [
      ["after content shows life", (element: string) => element !== "ping", "Closed"],
      ["before content says nothing", (element: string) => element === "text", "HalfOpen"]
    ] as const
  ) {
    it.effect(`dropped by its reader ${name}`, () =>
      Effect.gen(function*() {
        const breaker = yield* make()
        yield* halfOpen(breaker)
        yield* Stream.make("ping", "start").pipe(
          Stream.concat(Stream.never),
          breaker.executeStream({ key, isContent }),
          Stream.take(2),
          Stream.runDrain
        )
        assert.deepStrictEqual(yield* stateOf(breaker), expected)
        yield* works(breaker)
        assert.strictEqual(yield* stateOf(breaker), "Closed")
      }))
  }

  it.effect("dropped by its reader ends no row of failures", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ failures: 2 })
      yield* fails(breaker)
      yield* Stream.make(1, 2).pipe(breaker.executeStream({ key }), Stream.take(1), Stream.runDrain)
      assert.deepInclude(yield* breaker.state(key), { failures: 1 })
    }))

  it.effect("as a probe can be good with its first content, and still go bad", () =>
    Effect.gen(function*() {
      const breaker = yield* make({ closeAfter: 2 })
      const end = yield* Deferred.make<void, Verdict.HasVerdict>()
      const stream = Stream.concat(Stream.make(1), Stream.fromEffectDrain(Deferred.await(end))).pipe(
        breaker.executeStream({ key, goodProbeAt: "content" })
      )
      yield* halfOpen(breaker)
      const reader = yield* open(stream)
      assert.deepInclude(yield* breaker.state(key), { _tag: "HalfOpen", probing: false, goodProbes: 1 })
      yield* Deferred.fail(end, down)
      yield* Fiber.await(reader)
      assert.strictEqual(yield* stateOf(breaker), "Open")
    }))

  it.effect("as the last good probe counts like a call admitted when it closed the circuit", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      const end = yield* Deferred.make<void, Verdict.HasVerdict>()
      yield* halfOpen(breaker)
      const reader = yield* open(
        Stream.concat(Stream.make(1), Stream.fromEffectDrain(Deferred.await(end))).pipe(
          breaker.executeStream({ key, goodProbeAt: "content" })
        )
      )
      assert.strictEqual(yield* stateOf(breaker), "Closed")
      yield* Deferred.fail(end, down)
      yield* Fiber.await(reader)
      assert.strictEqual(yield* stateOf(breaker), "Open")
    }))

  it.effect("with a recheck, for a stream that had to queue", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      const turn = yield* Deferred.make<void>()
      const reader = yield* open(
        breaker.executeStreamWith(
          { key },
          (recheck) => Stream.unwrap(Deferred.await(turn).pipe(Effect.andThen(recheck), Effect.as(Stream.make(1))))
        )
      )
      yield* fails(breaker)
      yield* Deferred.succeed(turn, undefined)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(reader)))
    }))

  it.effect("a wrong request leaves a closed circuit as it is", () =>
    Effect.gen(function*() {
      const breaker = yield* make()
      yield* Stream.fail(badRequest).pipe(breaker.executeStream({ key }), Stream.runDrain, Effect.ignore)
      assert.deepStrictEqual(yield* breaker.states, [])
    }))
})
