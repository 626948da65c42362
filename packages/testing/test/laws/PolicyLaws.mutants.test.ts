import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as PolicyLaws from "@effect-claude/testing/PolicyLaws"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"

/** What a broken policy is told: the promise it broke, and the smallest story of it. */
const broken = (law: Effect.Effect<PolicyLaws.LawReport, PolicyLaws.LawViolation>) => Effect.flip(law)

const isRetried = ({ verdict }: ClaudeError) => verdict._tag === "Retry"

const askedWait = ({ verdict }: ClaudeError) =>
  verdict._tag === "Retry" && verdict.after !== undefined ? Duration.toMillis(verdict.after) : 0

describe("a broken retry", () => {
  const retry = (policy: PolicyLaws.Policy | Schedule.Schedule<unknown, ClaudeError>) =>
    broken(PolicyLaws.retry(policy, { attempts: 3 }))

  it.effect("that makes one attempt too many is found, in the smallest case", () =>
    Effect.gen(function*() {
      const violation = yield* retry(RetrySchedule.standard({ attempts: 4, base: 0, jitter: "none" }))
      assert.strictEqual(violation.promise, "more than 3 attempts are made")
      assert.deepStrictEqual(violation.story, [
        "     0.000 s  attempt 1 starts",
        "     0.000 s  attempt 1 fails with OverloadedError",
        "     0.000 s  attempt 2 starts",
        "     0.000 s  attempt 2 fails with OverloadedError",
        "     0.000 s  attempt 3 starts",
        "     0.000 s  attempt 3 fails with OverloadedError",
        "     0.000 s  attempt 4 starts",
        "     0.000 s  attempt 4 succeeds"
      ])
      assert.include(violation.message, "The law of retry does not hold: more than 3 attempts are made\n\n     0.000 s")
      assert.include(violation.message, `Seed "law", after ${violation.cases} cases`)
    }))

  it.effect("that never ends is found", () =>
    Effect.gen(function*() {
      const violation = yield* retry((call) => Effect.retry(call, { while: isRetried }))
      assert.match(violation.promise, /more than 3 attempts|asked for/)
    }))

  it.effect("that repeats a Stop is found", () =>
    Effect.gen(function*() {
      const violation = yield* retry(Schedule.recurs(2))
      assert.strictEqual(violation.promise, "attempt 2 follows a failure that says to stop")
    }))

  it.effect("that waits less than the server asked is found", () =>
    Effect.gen(function*() {
      const halfAsLong: PolicyLaws.Policy = (call) =>
        call.pipe(
          Effect.tapError((error) => Effect.sleep(askedWait(error) / 2)),
          Effect.retry({ times: 2, while: isRetried })
        )
      const violation = yield* retry(halfAsLong)
      assert.match(violation.promise, /comes \d+ ms after a failure that asked for/)
    }))

  it.effect("that announces a retry it does not make is found", () =>
    Effect.gen(function*() {
      const loud: PolicyLaws.Policy = (call) =>
        call.pipe(
          Effect.tapError((error) =>
            Effect.withFiber((fiber) => {
              const wait = Duration.zero
              ResilienceEvent.emit(fiber, { _tag: "RetryScheduled", attempt: 1, error: error._tag, wait })
              return Effect.sleep(askedWait(error))
            })
          ),
          Effect.retry({ times: 2, while: isRetried })
        )
      assert.match((yield* retry(loud)).promise, /retries announced \(RetryScheduled\): \d, made: \d/)
    }))

  it.effect("that counts a retry it does not make is found", () =>
    Effect.gen(function*() {
      let count = 0
      const schedule = RetrySchedule.standard({ attempts: 3 }).pipe(
        Schedule.tap(() => Effect.sync(() => count += 1))
      )
      const counting: PolicyLaws.Policy = (call) =>
        Effect.retry(call.pipe(Effect.tapError(() => Effect.sync(() => count += 1))), schedule)
      const violation = yield* broken(
        PolicyLaws.retry(counting, { attempts: 3, counted: Effect.sync(() => count) })
      )
      assert.match(violation.promise, /retries counted: \d, made: \d/)
    }))

  it.effect("that an interrupt does not stop is found", () =>
    Effect.gen(function*() {
      const deaf: PolicyLaws.Policy = (call) =>
        Effect.flatMap(
          Effect.forkDetach(Effect.retry(call, RetrySchedule.standard({ attempts: 3 }))),
          (fiber) => Fiber.join(fiber)
        )
      assert.match((yield* retry(deaf)).promise, /an interrupt does not stop it/)
    }))

  it.effect("that waits on after an interrupt is found", () =>
    Effect.gen(function*() {
      const stubborn: PolicyLaws.Policy = (call) =>
        call.pipe(
          Effect.tapError((error) => Effect.uninterruptible(Effect.sleep(askedWait(error) + 1000))),
          Effect.retry({ times: 2, while: isRetried })
        )
      assert.strictEqual((yield* retry(stubborn)).promise, "an interrupt does not stop it: it goes on waiting")
    }))

  it.effect("that loses an answer is found", () =>
    Effect.gen(function*() {
      const schedule = RetrySchedule.standard({ attempts: 3 })
      const losing: PolicyLaws.Policy = (call) => Effect.andThen(Effect.retry(call, schedule), Effect.fail("lost"))
      assert.strictEqual((yield* retry(losing)).promise, "an attempt succeeds and the call does not")
    }))

  it.effect("that retries nothing proves nothing", () =>
    Effect.gen(function*() {
      assert.match((yield* retry((call) => call)).promise, /no case made a second attempt/)
    }))

  it.effect("is found under a layer too", () =>
    Effect.gen(function*() {
      const stubborn: PolicyLaws.PolicyLayer = (base) =>
        Layer.effect(
          ClaudeService,
          Effect.map(ClaudeService, (inner) => ({
            ...inner,
            createMessage: (request, options) => Effect.retry(inner.createMessage(request, options), { times: 2 })
          }))
        ).pipe(Layer.provide(base))
      const violation = yield* broken(PolicyLaws.retry(PolicyLaws.fromLayer(stubborn), { attempts: 3 }))
      assert.match(violation.promise, /says to stop|asked for/)
    }))
})

interface BreakerMutation {
  readonly failures?: number
  readonly countsStops?: boolean
  readonly twoProbes?: boolean
  readonly lateResultsCount?: boolean
  readonly leaksProbe?: boolean
  readonly opensTooBriefly?: boolean
  readonly badProbeIsIgnored?: boolean
  readonly neverCloses?: boolean
  readonly lateResultsCountOnceClosed?: boolean
}

/** A breaker that is simple and right, unless it is told to be wrong in one way. */
const breaker = (mutation: BreakerMutation): Effect.Effect<PolicyLaws.Policy> =>
  Effect.sync(() => {
    const failures = mutation.failures ?? 2
    const openFor = mutation.opensTooBriefly === true ? 5000 : 10_000
    let state: "closed" | "open" | "halfOpen" = "closed"
    let row = 0
    let since = 0
    let probing = false
    let era = 0
    const open = (now: number) => {
      state = "open"
      since = now
      row = 0
      era += 1
      probing = false
    }
    const judge = (exit: Exit.Exit<string, ClaudeError>, now: number, isProbe: boolean, admittedIn: number) => {
      if (isProbe) {
        if (Exit.hasInterrupts(exit) && mutation.leaksProbe === true) return
        probing = false
      }
      const counts = mutation.lateResultsCount === true
        || (mutation.lateResultsCountOnceClosed === true && state === "closed")
      if (admittedIn !== era && !counts) return
      if (Exit.hasInterrupts(exit)) return
      if (Exit.isSuccess(exit)) {
        row = 0
        if (state === "halfOpen" && mutation.neverCloses !== true) {
          state = "closed"
          era += 1
        }
        return
      }
      const [reason] = exit.cause.reasons
      const stops = reason?._tag === "Fail" && reason.error.verdict._tag === "Stop"
      if (stops && mutation.countsStops !== true) return
      if (state === "halfOpen") {
        if (mutation.badProbeIsIgnored !== true) open(now)
        return
      }
      if (state === "closed" && ++row >= failures) open(now)
    }
    return (call) =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        if (state === "open" && now - since >= openFor) state = "halfOpen"
        if (state === "open" || (probing && mutation.twoProbes !== true)) return yield* Effect.fail("open")
        const isProbe = state === "halfOpen"
        const admittedIn = era
        if (isProbe) probing = true
        return yield* Effect.onExit(
          call,
          (exit) => Effect.map(Clock.currentTimeMillis, (end) => judge(exit, end, isProbe, admittedIn))
        )
      })
  })

describe("a broken circuit breaker", () => {
  const law = (mutation: BreakerMutation) =>
    PolicyLaws.circuitBreaker(breaker(mutation), { failures: 2, openFor: "10 seconds" })

  it.effect("is not found when it is not broken", () => law({}))

  const cases: ReadonlyArray<readonly [string, BreakerMutation, RegExp]> = [
    ["opens one failure too late", { failures: 3 }, /let through, though the circuit opened 0 ms ago/],
    ["opens one failure too early", { failures: 1 }, /not let through, though the circuit is closed \(1 failures/],
    ["counts a 400", { countsStops: true }, /not let through, though the circuit is closed/],
    ["lets two probes through", { twoProbes: true }, /as a second probe beside call \d+/],
    ["takes results from before the trip", { lateResultsCount: true }, /./],
    ["counts a failure from before the trip once it has closed", { lateResultsCountOnceClosed: true }, /is closed/],
    ["loses the place of an interrupted probe", { leaksProbe: true }, /though no probe is under way/],
    ["opens too briefly", { opensTooBriefly: true }, /though the circuit opened \d+ ms ago/],
    ["takes a bad probe for nothing", { badProbeIsIgnored: true }, /though the circuit opened 0 ms ago/],
    ["never closes", { neverCloses: true }, /though the circuit is closed/]
  ]
  for (const [name, mutation, promise] of cases) {
    it.effect(`that ${name} is found`, () =>
      Effect.gen(function*() {
        const violation = yield* broken(law(mutation))
        assert.match(violation.promise, promise)
        assert.isAtMost(violation.story.length, 40)
      }))
  }

  it.effect("that lets everything through proves nothing", () =>
    Effect.gen(function*() {
      const violation = yield* broken(
        PolicyLaws.circuitBreaker((call) => call, { failures: 2, openFor: "10 seconds" })
      )
      assert.match(violation.promise, /though the circuit opened 0 ms ago/)
    }))
})

describe("a broken rate limiter", () => {
  const window = 60_000

  /** Lets three calls through in any minute, in the order in which they came, unless told to be wrong. */
  const limiter = (mutation: {
    readonly limit?: number
    readonly fixedWindows?: boolean
    readonly keepsWhatWasInterrupted?: boolean
    readonly forgetsWaiters?: boolean
  }): Effect.Effect<PolicyLaws.Policy> =>
    Effect.sync(() => {
      const limit = mutation.limit ?? 3
      const starts: Array<number> = []
      const turn = Semaphore.makeUnsafe(1)
      const waitFor = (now: number): number => {
        const oldest = starts.at(-limit)
        if (oldest === undefined) return 0
        return mutation.fixedWindows === true
          ? (Math.floor(oldest / window) < Math.floor(now / window) ? 0 : window - now % window)
          : oldest + window - now
      }
      // A reservation for a time to come, which is kept although its caller has gone.
      if (mutation.keepsWhatWasInterrupted === true) {
        return (call) =>
          Effect.gen(function*() {
            const now = yield* Clock.currentTimeMillis
            const wait = Math.max(0, waitFor(now))
            starts.push(now + wait)
            if (wait > 0) yield* Effect.sleep(wait)
            return yield* call
          })
      }
      const admit = Effect.gen(function*() {
        for (;;) {
          const now = yield* Clock.currentTimeMillis
          const wait = waitFor(now)
          if (wait <= 0) {
            starts.push(now)
            return
          }
          yield* mutation.forgetsWaiters === true ? Effect.never : Effect.sleep(wait)
        }
      })
      return (call) => Effect.andThen(turn.withPermit(admit), call)
    })

  const law = (mutation: Parameters<typeof limiter>[0]) =>
    PolicyLaws.rateLimiter(limiter(mutation), { limit: 3, window: "1 minute" })

  it.effect("is not found when it is not broken", () => law({}))

  it.effect("that lets one too many through is found", () =>
    Effect.gen(function*() {
      const violation = yield* broken(law({ limit: 4 }))
      assert.strictEqual(violation.promise, "4 calls are let through within 60000 ms, from call 1 to call 4")
      assert.lengthOf(violation.story.filter((line) => line.endsWith("is let through")), 4)
    }))

  it.effect("that counts by fixed windows is found", () =>
    Effect.gen(function*() {
      assert.match((yield* broken(law({ fixedWindows: true }))).promise, /4 calls are let through within 60000 ms/)
    }))

  it.effect("that keeps what an interrupted wait took is found", () =>
    Effect.gen(function*() {
      const violation = yield* broken(law({ keepsWhatWasInterrupted: true }))
      assert.match(violation.promise, /what an interrupted wait took is not given back: call \d+ starts \d+ ms later/)
    }))

  it.effect("that forgets who waits is found", () =>
    Effect.gen(function*() {
      assert.match((yield* broken(law({ forgetsWaiters: true }))).promise, /neither let through nor turned away/)
    }))

  it.effect("is found at a high limit too, and not when it is not broken", () =>
    Effect.gen(function*() {
      const high = (limit: number) => PolicyLaws.rateLimiter(limiter({ limit }), { limit: 30, window, cases: 10 })
      yield* high(30)
      assert.match((yield* broken(high(31))).promise, /31 calls are let through within 60000 ms/)
    }))

  it.effect("that lets nothing wait proves nothing", () =>
    Effect.gen(function*() {
      const violation = yield* broken(
        PolicyLaws.rateLimiter((call) => call, { limit: 1000, window: "1 minute", cases: 20 })
      )
      assert.match(violation.promise, /no call had to wait/)
    }))
})

describe("a broken bulkhead", () => {
  it.effect("is found at a high limit too, and not when it is not broken", () =>
    Effect.gen(function*() {
      const wide = (limit: number) =>
        PolicyLaws.bulkhead(
          Effect.map(Semaphore.make(limit), (semaphore): PolicyLaws.Policy => (call) => semaphore.withPermit(call)),
          { limit: 30, cases: 10 }
        )
      yield* wide(30)
      assert.strictEqual((yield* broken(wide(31))).promise, "31 calls run at once, and 30 may")
    }))

  it.effect("that does not let go of an interrupted call is found, and does not hold the law", () =>
    Effect.gen(function*() {
      const stuck = Effect.map(Semaphore.make(2), (semaphore): PolicyLaws.Policy => (call) =>
        Effect.suspend(() => {
          let hasPlace = false
          const held = Effect.suspend(() => {
            hasPlace = true
            return call
          })
          return Effect.onInterrupt(
            semaphore.withPermit(held),
            () => hasPlace ? Effect.void : Effect.asVoid(semaphore.take(2))
          )
        }))
      assert.match((yield* broken(PolicyLaws.bulkhead(stuck, { limit: 2 }))).promise, /place is lost|waits|runs on/)
    }))

  it.effect("that has a place too many is found", () =>
    Effect.gen(function*() {
      const wide = Effect.map(Semaphore.make(3), (semaphore): PolicyLaws.Policy => (call) => semaphore.withPermit(call))
      assert.strictEqual(
        (yield* broken(PolicyLaws.bulkhead(wide, { limit: 2 }))).promise,
        "3 calls run at once, and 2 may"
      )
    }))

  it.effect("that loses the place of a failed call is found", () =>
    Effect.gen(function*() {
      const leaking = Effect.map(Semaphore.make(2), (semaphore): PolicyLaws.Policy => (call) =>
        Effect.andThen(semaphore.take(1), Effect.tap(call, semaphore.release(1))))
      assert.match(
        (yield* broken(PolicyLaws.bulkhead(leaking, { limit: 2 }))).promise,
        /a place is lost|however long it waits/
      )
    }))

  it.effect("that lets interrupted calls run on is found", () =>
    Effect.gen(function*() {
      const deaf = Effect.map(Semaphore.make(2), (semaphore): PolicyLaws.Policy => (call) =>
        semaphore.withPermit(Effect.flatMap(Effect.forkDetach(call), (fiber) =>
          Fiber.join(fiber))))
      assert.match((yield* broken(PolicyLaws.bulkhead(deaf, { limit: 2 }))).promise, /3 calls run at once|runs on/)
    }))
})

describe("a broken deadline", () => {
  const law = (policy: PolicyLaws.Policy) => broken(PolicyLaws.deadline(policy, { limit: "10 seconds" }))

  it.effect("that is late is found", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        (yield* law(Effect.timeout("11 seconds"))).promise,
        "the call has not ended after 10000 ms"
      )
    }))

  it.effect("that leaves the call running is found", () =>
    Effect.gen(function*() {
      const leaving: PolicyLaws.Policy = (call) =>
        Effect.flatMap(Effect.forkDetach(call), (fiber) => Effect.timeout(Fiber.join(fiber), "10 seconds"))
      assert.match((yield* law(leaving)).promise, /runs on/)
    }))

  it.effect("that cuts calls in time is found", () =>
    Effect.gen(function*() {
      const early: PolicyLaws.Policy = (call) =>
        Effect.timeout(call, "5 seconds").pipe(Effect.andThen(Effect.fail("no")))
      assert.match((yield* law(early)).promise, /in time, and is failed/)
    }))

  it.effect("that keeps an answer back is found", () =>
    Effect.gen(function*() {
      const slow: PolicyLaws.Policy = (call) =>
        Effect.andThen(Effect.exit(Effect.timeout(call, "9999 millis")), Effect.sleep("1 millis"))
      assert.match((yield* law(slow)).promise, /given later/)
    }))
})

describe("a broken fallback", () => {
  type Target = PolicyLaws.FallbackTarget

  const law = (policy: PolicyLaws.FallbackPolicy) => broken(PolicyLaws.fallback(policy))

  const walk = (
    targets: ReadonlyArray<Target>,
    falls: (error: ClaudeError) => boolean
  ): Effect.Effect<{ readonly source: string }, unknown> => {
    const [first, ...rest] = targets
    if (first === undefined) return Effect.fail("nobody is left")
    return first.effect.pipe(
      Effect.as({ source: first.name }),
      Effect.catch((error) => falls(error) ? walk(rest, falls) : Effect.fail(error))
    )
  }

  it.effect("is not found when it is not broken", () => PolicyLaws.fallback((targets) => walk(targets, isRetried)))

  it.effect("that asks on after a Stop is found", () =>
    Effect.gen(function*() {
      const violation = yield* law((targets) => walk(targets, () => true))
      assert.match(violation.promise, /claude-sonnet-5-5 is asked, though claude-opus-5-5 failed with Inv/)
      assert.lengthOf(violation.story, 4)
    }))

  it.effect("that has an answer of its own to a Stop is found", () =>
    Effect.gen(function*() {
      const violation = yield* law((targets) =>
        walk(targets, isRetried).pipe(Effect.orElseSucceed(() => ({ source: "Static" })))
      )
      assert.match(violation.promise, /there is an answer \(of Static\), though claude-opus-5-5 failed with/)
    }))

  it.effect("that asks a model twice is found", () =>
    Effect.gen(function*() {
      const violation = yield* law((targets) => walk(targets.flatMap((target) => [target, target]), isRetried))
      assert.strictEqual(violation.promise, "claude-opus-5-5 is asked twice")
    }))

  it.effect("that asks in another order is found", () =>
    Effect.gen(function*() {
      assert.match((yield* law((targets) => walk(targets.toReversed(), isRetried))).promise, /not asked in their order/)
    }))

  it.effect("that asks all at once is found", () =>
    Effect.gen(function*() {
      const violation = yield* law((targets) =>
        Effect.raceFirst(walk(targets.slice(0, 1), isRetried), walk(targets.slice(1), isRetried))
      )
      assert.match(violation.promise, /is asked/)
    }))

  it.effect("that says somebody else answered is found", () =>
    Effect.gen(function*() {
      const violation = yield* law((targets) =>
        Effect.map(walk(targets, isRetried), () => ({ source: targets[0].name }))
      )
      assert.strictEqual(
        violation.promise,
        "claude-sonnet-5-5 answers, and the source is said to be claude-opus-5-5"
      )
    }))

  it.effect("is found under a layer too", () =>
    Effect.gen(function*() {
      const violation = yield* broken(PolicyLaws.fallback(
        PolicyLaws.fallbackFromLayer((models) => ClaudeLayer.withFallback({ models, shouldFallback: () => true }))
      ))
      assert.match(violation.promise, /is asked, though/)
    }))
})

describe("a broken cache", () => {
  const cache = (mutation: {
    readonly keyOf?: (key: string) => string
    readonly staleFor?: number
    readonly invents?: boolean
  }): Effect.Effect<PolicyLaws.KeyedPolicy> =>
    Effect.sync(() => {
      const entries = new Map<string, { readonly text: string; readonly at: number }>()
      return (key, call) =>
        Effect.gen(function*() {
          const now = yield* Clock.currentTimeMillis
          const known = entries.get(mutation.keyOf?.(key) ?? key)
          if (known !== undefined && now - known.at < (mutation.staleFor ?? 60_000)) return known.text
          const text = yield* mutation.invents === true ? Effect.orElseSucceed(call, () => "nothing") : call
          entries.set(mutation.keyOf?.(key) ?? key, { text, at: yield* Clock.currentTimeMillis })
          return text
        })
    })

  const law = (mutation: Parameters<typeof cache>[0]) => PolicyLaws.cache(cache(mutation), { maxAge: "1 minute" })

  it.effect("is not found when it is not broken", () => law({}))

  it.effect("that mixes up keys is found", () =>
    Effect.gen(function*() {
      assert.match((yield* broken(law({ keyOf: () => "one" }))).promise, /asks for "." and is given the answer to "."/)
    }))

  it.effect("that invents an answer is found", () =>
    Effect.gen(function*() {
      assert.match((yield* broken(law({ invents: true }))).promise, /call 1 is given what nobody answered/)
    }))

  it.effect("that gives what is too old is found", () =>
    Effect.gen(function*() {
      assert.match((yield* broken(law({ staleFor: 1e9 }))).promise, /that is \d+ ms old, and 60000 ms is the most/)
    }))

  it.effect("that never ends for those who share a call that failed is found", () =>
    Effect.gen(function*() {
      const sharing: Effect.Effect<PolicyLaws.KeyedPolicy> = Effect.sync(() => {
        const flights = new Map<string, Deferred.Deferred<string>>()
        return (key, call) =>
          Effect.gen(function*() {
            const flight = flights.get(key)
            if (flight !== undefined) return yield* Deferred.await(flight)
            const own = yield* Deferred.make<string>()
            flights.set(key, own)
            const text = yield* call
            yield* Deferred.succeed(own, text)
            flights.delete(key)
            return text
          })
      })
      assert.match((yield* broken(PolicyLaws.cache(sharing))).promise, /does not end/)
    }))
})

describe("options", () => {
  it("that are wrong are refused at once", () => {
    assert.throws(() => PolicyLaws.retry((call) => call, { attempts: 0 }), /PolicyLaws.retry: option "attempts"/)
    assert.throws(() => PolicyLaws.bulkhead((call) => call, { limit: 1.5 }), /option "limit"/)
    assert.throws(() => PolicyLaws.deadline((call) => call, { limit: 0 }), /option "limit"/)
    assert.throws(() => PolicyLaws.deadline((call) => call, { limit: 1, cases: 0 }), /option "cases"/)
    assert.throws(
      () =>
        PolicyLaws.circuitBreaker((call) => call, {
          failures: 1,
          openFor: { atLeast: "2 seconds", atMost: "1 second" }
        }),
      /option "openFor"/
    )
  })
})
