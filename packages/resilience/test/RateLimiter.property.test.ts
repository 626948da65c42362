import * as Admission from "@effect-claude/resilience/Admission"
import * as RateLimiter from "@effect-claude/resilience/RateLimiter"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import { TestClock } from "effect/testing"
import { CurrentDeadline } from "../src/internal/CurrentDeadline.ts"
import { type Call, Model } from "./RateLimiterModel.ts"
import { countSleeps } from "./SleepCounter.ts"

const oneOf = <A>(...values: ReadonlyArray<A>) => Effect.orDie(Random.choice(values))

interface Running {
  readonly call: Call
  readonly outcome: Deferred.Deferred<RateLimiter.Costs<"calls" | "units">, "failed">
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

const window = 1024
const handicap = 512

/** A random interleaving of up to eight callers, compared with the model after every step. */
const sequence = Effect.gen(function*() {
  const settings = {
    window,
    limits: [yield* oneOf(2, 4, 8), yield* oneOf(16, 64)],
    queue: yield* oneOf(1, 3, 6),
    queueTimeout: yield* oneOf(256, 1024, 4096)
  }
  const [calls = 0, units = 0] = settings.limits
  const model = new Model(settings)
  const begin = Number(yield* Clock.monotonicTimeNanos) / 1_000_000
  const started: Array<number> = []
  const ended = new Map<number, string>()
  let running: Array<Running> = []
  let next = 0

  const limiter = yield* RateLimiter.make({
    limits: { calls: { limit: calls, window }, units: { limit: units, window } },
    headroom: 1,
    queue: settings.queue,
    queueTimeout: settings.queueTimeout,
    batchHandicap: handicap,
    pauseJitter: 0,
    rampUp: false
  })

  const start = Effect.gen(function*() {
    const id = next++
    const cost = { calls: 1, units: yield* oneOf(0, 1, 4, 8, 16, 100) }
    const isBatch = yield* Random.nextBoolean
    const began = model.now - (yield* oneOf(0, 0, 100, 700))
    // Between two milliseconds, so that a turn and a deadline never fall together.
    const deadlineAt = yield* oneOf(Number.POSITIVE_INFINITY, model.now + 300.5, model.now + 2000.5)
    const outcome = yield* Deferred.make<RateLimiter.Costs<"calls" | "units">, "failed">()
    const use = Effect.suspend(() => {
      started.push(id)
      return Deferred.await(outcome)
    })
    const limited = limiter.withLimit(use, {
      costs: cost,
      settle: (exit) => exit._tag === "Success" ? exit.value : undefined
    }).pipe(
      Effect.provideService(Admission.CurrentCallStart, begin + began),
      Admission.withPriority(isBatch ? "batch" : "interactive"),
      Effect.provideService(
        CurrentDeadline,
        Number.isFinite(deadlineAt) ? { expiresAt: begin + deadlineAt, limit: Duration.seconds(1) } : undefined
      ),
      Effect.catchTag("RateLimitedLocallyError", ({ reason }) =>
        Effect.sync(() => {
          ended.set(id, reason)
        })),
      Effect.exit
    )
    const fiber = yield* Effect.forkChild(limited, { startImmediately: true })
    const rank = began + (isBatch ? handicap : 0)
    const call: Call = {
      id,
      costs: [cost.calls, cost.units],
      rank,
      deadlineAt,
      arrival: 0,
      queuedAt: 0,
      state: "over"
    }
    model.start(call)
    running.push({ call, outcome, fiber })
  })

  const steps = {
    start,
    succeed: Effect.gen(function*() {
      const found = yield* pick((call) => call.state === "running")
      if (found === undefined) return
      const actual = [1, yield* oneOf(0, 2, 8, 40)] as const
      model.end(found.call, actual)
      yield* Deferred.succeed(found.outcome, { calls: actual[0], units: actual[1] })
      yield* Fiber.await(found.fiber)
    }),
    fail: Effect.gen(function*() {
      const found = yield* pick((call) => call.state === "running")
      if (found === undefined) return
      model.end(found.call, [0, 0])
      yield* Deferred.fail(found.outcome, "failed")
      yield* Fiber.await(found.fiber)
    }),
    interrupt: Effect.gen(function*() {
      const found = yield* pick((call) => call.state === "running" || call.state === "waiting")
      if (found === undefined) return
      model.end(found.call, [0, 0])
      yield* Fiber.interrupt(found.fiber)
    }),
    pass: Effect.gen(function*() {
      const millis = yield* oneOf(1, 17, 250, 1500)
      model.pass(millis)
      yield* TestClock.adjust(millis)
    }),
    pause: Effect.gen(function*() {
      const millis = yield* oneOf(0, 40, 900, 5000)
      model.pause(millis)
      yield* limiter.pause("default", millis)
    })
  }
  const pick = (condition: (call: Call) => boolean) =>
    Effect.gen(function*() {
      const found = running.filter(({ call }) => condition(call))
      return found.length === 0 ? undefined : yield* oneOf(...found)
    })

  const compare = Effect.gen(function*() {
    yield* TestClock.adjust(0)
    const levels = yield* limiter.levels()
    assert.deepStrictEqual(started, model.started, "order of starts")
    for (const { id, state } of model.calls) {
      const reason = state === "queueFull" || state === "queueTimeout" || state === "deadline" ? state : undefined
      assert.strictEqual(ended.get(id), reason, `why call ${id} was turned away`)
    }
    assert.deepStrictEqual(
      [levels.limits.calls.available, levels.limits.units.available],
      model.levels,
      "what is left"
    )
    assert.strictEqual(levels.waiting, model.waiting.length, "calls that wait")
    assert.strictEqual(levels.inFlight, model.calls.filter(({ state }) => state === "running").length, "in flight")
    running = running.filter(({ call }) => call.state === "running" || call.state === "waiting")
  })

  for (let step = 0; step < 25; step++) {
    const name = yield* oneOf<keyof typeof steps>(
      "start",
      "start",
      "start",
      "succeed",
      "fail",
      "interrupt",
      "pass",
      "pass",
      "pause"
    )
    if (name === "start" && running.length >= 8) continue
    if (name === "pause" && (yield* Random.nextBoolean)) continue
    yield* steps[name]
    yield* compare
  }
  // Nothing is lost and nothing is made: once all have gone, the buckets fill to the brim and no further.
  for (const { call, fiber } of running) {
    model.end(call, [0, 0])
    yield* Fiber.interrupt(fiber)
  }
  yield* TestClock.adjust(60_000)
  const levels = yield* limiter.levels()
  assert.deepStrictEqual(
    [levels.limits.calls.available, levels.limits.units.available, levels.waiting, levels.inFlight],
    [calls, units, 0, 0]
  )
  return started.length
})

describe("RateLimiter against a model", () => {
  it.effect(
    "agrees with it over 1500 random interleavings, and leaves no timer behind",
    () =>
      countSleeps((sleeps) =>
        Effect.gen(function*() {
          let started = 0
          for (let i = 0; i < 1500; i++) {
            const seed = `interleaving ${i}`
            started += yield* sequence.pipe(
              Random.withSeed(seed),
              Effect.catchDefect((cause) =>
                Effect.die(
                  new Error(`seed "${seed}": ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
                )
              )
            )
            assert.strictEqual(sleeps.active(), 0, `seed "${seed}": a timer was left`)
          }
          assert.isAbove(started, 5000)
        })
      ),
    120_000
  )
})
