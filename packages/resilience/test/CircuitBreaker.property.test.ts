import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { TestClock } from "effect/testing"
import type { ModelCall, Options, Rejected, Result } from "./CircuitBreakerModel.ts"
import { makeModel } from "./CircuitBreakerModel.ts"

const spread = 1000
const keys = ["a", "b"]

type Failure = { readonly outcome: CircuitBreaker.Outcome } | { readonly rejection: CircuitBreaker.Rejection }

interface Caller {
  readonly call: ModelCall
  readonly fiber: Fiber.Fiber<void, Failure>
  readonly resume: (effect: Effect.Effect<void, Failure>) => void
  readonly recheck: Effect.Effect<void, Failure>
}

const oneOf = <A>(...values: ReadonlyArray<A>) => Effect.orDie(Random.choice(values))

const randomOptions: Effect.Effect<Options> = Effect.gen(function*() {
  const failures = yield* oneOf(1, 2, 3, undefined)
  const ratio = {
    threshold: yield* oneOf(0.3, 0.5, 1),
    window: yield* oneOf(2000, 20_000),
    minimumCalls: yield* oneOf(1, 3, 5)
  }
  return {
    failures,
    ratio: failures === undefined || (yield* Random.nextBoolean) ? ratio : undefined,
    openFor: yield* oneOf("fixed" as const, "growing" as const, "schedule" as const),
    maxServerOpenFor: yield* oneOf(0, 8000),
    closeAfter: yield* oneOf(1, 2),
    probeLease: 10_000
  }
})

const openFor = {
  fixed: "5 seconds",
  growing: CircuitBreaker.growing({ jitter: 0 }),
  schedule: Schedule.exponential("1 second")
} as const

/** How a call ends for the breaker, and for the model. */
type Ending = readonly [Effect.Effect<void, Failure> | "interrupt", Result]

const ending: Effect.Effect<Ending> = Effect.gen(function*() {
  const fail = (outcome: CircuitBreaker.Outcome) => Effect.fail({ outcome })
  const after = yield* oneOf(undefined, undefined, 3000, 60_000)
  const opens = yield* oneOf(undefined, 7000)
  const trip = (scope: "key" | "all"): Ending => [
    fail(CircuitBreaker.trip({ scope, openFor: opens })),
    { _tag: "trip", scope, openFor: opens }
  ]
  const success: Ending = [Effect.void, { _tag: "success" }]
  const failure: Ending = [fail(CircuitBreaker.failure({ after })), { _tag: "failure", after }]
  return yield* oneOf<Ending>(
    success,
    success,
    success,
    failure,
    failure,
    failure,
    failure,
    [fail(CircuitBreaker.alive), { _tag: "alive" }],
    [fail(CircuitBreaker.ignored), { _tag: "nothing" }],
    [Effect.die("a bug"), { _tag: "nothing" }],
    ["interrupt", { _tag: "nothing" }],
    yield* oneOf(failure, trip("key")),
    yield* oneOf(success, trip("all"))
  )
})

const agrees = (rejection: CircuitBreaker.Rejection, expected: Rejected) => {
  assert.strictEqual(rejection.reason, expected.reason)
  assert.strictEqual(rejection.remaining === undefined, expected.remaining === undefined)
  if (rejection.remaining !== undefined && expected.remaining !== undefined) {
    assert.approximately(Duration.toMillis(rejection.remaining), expected.remaining, 1e-3)
  }
  if (rejection.retryAfter === undefined) return
  const share = Duration.toMillis(rejection.retryAfter) - (expected.remaining ?? 0)
  assert.isAtLeast(share, expected.remaining === undefined ? 50 : -1e-6)
  assert.isAtMost(share, Math.min(spread, 5 * expected.callers) + (expected.remaining === undefined ? 1000 : 1e-6))
}

const run = (options: Options, steps: number) =>
  Effect.gen(function*() {
    const model = makeModel(options)
    const breaker = yield* CircuitBreaker.make({
      ...options,
      failures: options.failures ?? false,
      openFor: openFor[options.openFor],
      spread,
      classify: (failure: Failure) => "outcome" in failure ? failure.outcome : CircuitBreaker.alive
    })
    const callers = new Set<Caller>()
    const seen = { probes: 0, rejections: 0, opened: 0 }

    const start = Effect.gen(function*() {
      const call = model.newCall(yield* oneOf(...keys))
      const before = model.state(call.key)._tag
      const expected = model.admit(call)
      let resume: Caller["resume"] | undefined
      let recheck: Caller["recheck"] = Effect.void
      const fiber = yield* Effect.forkChild(
        breaker.executeWith({ key: call.key, orElse: (rejection) => ({ rejection }) }, (again) => {
          recheck = again
          return Effect.callback<void, Failure>((resumed) => {
            resume = resumed
          })
        }),
        { startImmediately: true }
      )
      if (resume !== undefined) {
        assert.isUndefined(expected, "let through, and should have been rejected")
        callers.add({ call, fiber, resume, recheck })
        if (before !== "Closed") seen.probes += 1
        return
      }
      seen.rejections += 1
      const failure = yield* Effect.flip(Fiber.join(fiber))
      assert.isDefined(expected, "rejected, and should have been let through")
      if (expected !== undefined && "rejection" in failure) agrees(failure.rejection, expected)
    })

    const finish = Effect.gen(function*() {
      if (callers.size === 0) return
      const caller = yield* oneOf(...callers)
      callers.delete(caller)
      const [end, result] = yield* ending
      model.finish(caller.call, result)
      if (end === "interrupt") yield* Fiber.interrupt(caller.fiber)
      else caller.resume(end)
      yield* Fiber.await(caller.fiber)
    })

    const recheck = Effect.gen(function*() {
      if (callers.size === 0) return
      const caller = yield* oneOf(...callers)
      const expected = model.admit(caller.call)
      const exit = yield* Effect.exit(caller.recheck)
      assert.strictEqual(Exit.isFailure(exit), expected !== undefined, "recheck")
    })

    const advance = Effect.gen(function*() {
      const time = yield* oneOf(1, 50, 500, 1000, 3000, 5000, 11_000, 120_000)
      model.advance(time)
      yield* TestClock.adjust(time)
    })

    const anyKey = oneOf(...keys, undefined)
    const byHand = Effect.gen(function*() {
      const key = yield* anyKey
      if ((yield* Random.nextIntBetween(0, 3)) === 0) {
        model.isolate(key)
        yield* breaker.isolate(key)
      } else {
        model.reset(key)
        yield* breaker.reset(key)
      }
    })

    for (let i = 0; i < steps; i++) {
      const rare = (yield* Random.nextIntBetween(0, 40)) === 0
      if (rare) yield* byHand
      else {
        const room = callers.size < 8
        yield* yield* oneOf(room ? start : finish, room ? start : finish, finish, finish, advance, recheck)
      }
      for (const key of keys) {
        const { key: _, ...state } = yield* breaker.state(key)
        const expected = model.state(key)
        assert.strictEqual(state._tag, expected._tag, `state of "${key}"`)
        const comparable = "remaining" in state ? { ...state, remaining: Duration.toMillis(state.remaining) } : state
        for (const [name, value] of Object.entries(comparable)) {
          const other = expected[name as keyof typeof expected]
          if (typeof value === "number" && typeof other === "number") assert.approximately(value, other, 1e-3, name)
          else assert.strictEqual(value, other, name)
        }
        if (state._tag === "Open") seen.opened += 1
      }
    }
    for (const { fiber } of callers) yield* Fiber.interrupt(fiber)
    return seen
  }).pipe(Effect.scoped)

describe("CircuitBreaker against a model", () => {
  it.effect(
    "agrees on every state and every rejection over 1500 random sequences of up to 8 callers",
    () =>
      Effect.gen(function*() {
        const total = { probes: 0, rejections: 0, opened: 0 }
        for (let i = 0; i < 1500; i++) {
          const seed = `sequence ${i}`
          const options = yield* Random.withSeed(randomOptions, seed)
          const seen = yield* run(options, 60).pipe(
            Random.withSeed(`${seed}, steps`),
            Effect.catchDefect((cause) =>
              Effect.die(
                new Error(`seed "${seed}": ${cause instanceof Error ? cause.message : String(cause)}`, {
                  cause: { options, cause }
                })
              )
            )
          )
          total.probes += seen.probes
          total.rejections += seen.rejections
          total.opened += seen.opened
        }
        // Sequences in which nothing opens would prove nothing.
        assert.isAbove(total.probes, 2000)
        assert.isAbove(total.rejections, 3000)
        assert.isAbove(total.opened, 10_000)
      }),
    120_000
  )
})
