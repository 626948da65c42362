import * as Deadline from "@effect-claude/resilience/Deadline"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import { TestClock } from "effect/testing"
import type * as Model from "./RetryScheduleModel.ts"
import { allowed } from "./RetryScheduleModel.ts"

interface Case {
  readonly options: Model.Options
  readonly steps: ReadonlyArray<Model.Step & { readonly takes: number }>
  readonly deadline: number | undefined
}

const between = (least: number, most: number) => Random.nextIntBetween(least, most)
const oneOf = <A>(...values: ReadonlyArray<A>) => Effect.orDie(Random.choice(values))
const sometimes = <A>(effect: Effect.Effect<A>) =>
  Effect.flatMap(Random.nextBoolean, (yes): Effect.Effect<A | undefined> => yes ? effect : Effect.undefined)

const randomCase: Effect.Effect<Case> = Effect.gen(function*() {
  const cap = yield* oneOf(0, 1, 900, 20_000, 5_000_000)
  const base = Math.min(cap, yield* oneOf(0, 1, 500, 1234.567, 5000))
  const attempts = yield* between(1, 12)
  const jitter = yield* oneOf<RetrySchedule.Jitter>("full", "equal", "decorrelated", "none")
  const kinds: Partial<Record<Verdict.RetryKind, { readonly base: number; readonly attempts: number }>> = {}
  for (const kind of Verdict.retryKinds) {
    const limit = yield* sometimes(between(1, attempts))
    if (limit !== undefined) kinds[kind] = { base: Math.min(cap, yield* oneOf(0, 3, 1000)), attempts: limit }
  }
  const steps: Array<Model.Step & { readonly takes: number }> = []
  for (let i = 0; i < 13; i++) {
    steps.push({
      kind: (yield* between(0, 20)) === 0 ? "stop" : yield* oneOf(...Verdict.retryKinds),
      after: yield* sometimes(oneOf(0, 40, 1500.25, 30_000, 61_000, 3_600_000)),
      takes: yield* oneOf(0, 0, 10, 2500)
    })
  }
  return {
    options: {
      attempts,
      jitter,
      base,
      cap,
      factor: jitter === "decorrelated" ? undefined : yield* oneOf(1, 1.5, 2, 1e200),
      kinds,
      serverWaitJitter: yield* oneOf(0, 0.2, 1),
      maxWait: yield* oneOf(0, 1000, 60_000, Number.POSITIVE_INFINITY)
    },
    steps,
    deadline: yield* sometimes(oneOf(1, 600, 30_000, 45_000.5, 4_000_000))
  }
})

const verdictOf = (step: Model.Step): Verdict.Verdict =>
  step.kind === "stop" ? Verdict.stop : Verdict.retry(step.kind, step.after)

/** Runs a case for real, and compares every start of an attempt, and the end, with what the model allows. */
const check = ({ deadline, options, steps }: Case) =>
  Effect.gen(function*() {
    const begin = yield* Clock.currentTimeMillis
    const now = Effect.map(Clock.currentTimeMillis, (time) => time - begin)
    const starts: Array<number> = []
    const ends: Array<number> = []

    const attempt = Effect.gen(function*() {
      starts.push(yield* now)
      // Rejections are free within a deadline, so that nothing else may end a case.
      const step = steps[starts.length - 1] ?? { kind: "stop", after: undefined, takes: 0 }
      yield* Effect.sleep(step.takes)
      ends.push(yield* now)
      return yield* Effect.fail(step)
    })
    const retried = Effect.retry(attempt, RetrySchedule.standard({ ...options, classify: verdictOf }))
    const fiber = yield* Effect.forkChild(
      deadline === undefined ? retried : Deadline.withDeadline(retried, deadline)
    )
    yield* TestClock.adjust("2 days")
    const exit = yield* Fiber.await(fiber)

    // The clock adds milliseconds as floating point numbers and rounds durations to nanoseconds.
    const tolerance = 1e-3
    for (let i = 0; i < ends.length; i++) {
      const end = ends[i] ?? Number.NaN
      const remaining = deadline === undefined ? Number.POSITIVE_INFINITY : deadline - end
      if (i >= steps.length) break
      const { mayRetry, mayStop } = allowed(options, steps.slice(0, i + 1), remaining)
      const start = starts[i + 1]
      if (start === undefined) {
        assert.isTrue(mayStop, `gave up after attempt ${i + 1} for no reason`)
        assert.isTrue(
          Exit.isFailure(exit) && Option.getOrUndefined(Cause.findErrorOption(exit.cause)) === steps[i],
          "did not fail with the last error"
        )
      } else {
        assert.isDefined(mayRetry, `retried after attempt ${i + 1}`)
        const wait = start - end
        assert.isAtLeast(wait + tolerance, mayRetry?.least ?? 0, `waited too little after attempt ${i + 1}`)
        assert.isAtMost(wait - tolerance, mayRetry?.most ?? 0, `waited too long after attempt ${i + 1}`)
        if (deadline !== undefined) assert.isAtMost(start, deadline, "an attempt started past the deadline")
      }
    }
    if (ends.length < starts.length) {
      assert.isTrue(Exit.isFailure(exit))
      assert.isDefined(deadline, "an attempt was cut without a deadline")
    }
    return starts.length
  })

describe("RetrySchedule against a model", () => {
  it.effect(
    "never waits less than the server asked, nor past the deadline, over 2000 random cases",
    () =>
      Effect.gen(function*() {
        let attempts = 0
        for (let i = 0; i < 2000; i++) {
          const seed = `case ${i}`
          const generated = yield* Random.withSeed(randomCase, seed)
          attempts += yield* check(generated).pipe(
            Random.withSeed(`${seed}, run`),
            Effect.catchDefect((cause) =>
              Effect.die(
                new Error(`seed "${seed}": ${cause instanceof Error ? cause.message : String(cause)}`, {
                  cause: { generated, cause }
                })
              )
            )
          )
        }
        // A generator that only made calls that give up at once would prove nothing.
        assert.isAbove(attempts, 4000)
      }),
    60_000
  )

  it.effect("keeps exactly the server's wait and the order of retries in decisions", () =>
    Effect.gen(function*() {
      const after = Duration.millis(1500.25)
      const schedule = RetrySchedule.standard({ serverWaitJitter: 0, base: 0, attempts: 2 })
      const fiber = yield* Effect.forkChild(
        Effect.retry(Effect.fail({ verdict: Verdict.retry("rateLimited", after) }), schedule)
      )
      yield* TestClock.adjust("1500250 micros")
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
    }))
})
