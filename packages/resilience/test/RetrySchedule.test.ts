import * as Deadline from "@effect-claude/resilience/Deadline"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { TestClock } from "effect/testing"

interface Failure extends Verdict.HasVerdict {
  readonly call: number
}

/** Fails with each verdict in turn, the last one for ever; returns when each call started and how it all ended. */
const run = (
  schedule: Schedule.Schedule<RetrySchedule.RetryDecision, Verdict.HasVerdict>,
  verdicts: ReadonlyArray<Verdict.Verdict>,
  around: (
    effect: Effect.Effect<never, Failure>
  ) => Effect.Effect<never, Failure | Deadline.DeadlineExceededError> = (effect) => effect
) =>
  Effect.gen(function*() {
    const begin = yield* Clock.currentTimeMillis
    const starts: Array<number> = []
    const decisions: Array<RetrySchedule.RetryDecision> = []
    const call = Effect.gen(function*() {
      starts.push((yield* Clock.currentTimeMillis) - begin)
      const verdict = verdicts[Math.min(starts.length, verdicts.length) - 1] ?? Verdict.stop
      return yield* Effect.fail<Failure>({ call: starts.length, verdict })
    })
    const tapped = schedule.pipe(Schedule.tap(({ output }) => Effect.sync(() => decisions.push(output))))
    const fiber = yield* Effect.forkChild(around(Effect.retry(call, tapped)))
    yield* TestClock.adjust("10 days")
    const exit = fiber.pollUnsafe()
    yield* Fiber.interrupt(fiber)
    return { starts, decisions, exit, waits: decisions.map(({ wait }) => Duration.toMillis(wait)) }
  })

const draws = (seed: string, count: number) =>
  Random.withSeed(Effect.all(Array.from({ length: count }, () => Random.next)), seed)

const fixedRandom = (value: number) =>
  Effect.provideService(Random.Random, { nextDoubleUnsafe: () => value, nextIntUnsafe: () => 0 })

describe("RetrySchedule", () => {
  describe("jitter, ten attempts deep", () => {
    const options = { base: 100, cap: 5000, attempts: 10 } as const
    const ceilings = [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]
    const millisOf = (wait: number) => Duration.toMillis(Duration.millis(wait))

    const expected: Record<RetrySchedule.Jitter, (random: ReadonlyArray<number>) => ReadonlyArray<number>> = {
      none: () => ceilings,
      full: (random) => ceilings.map((ceiling, i) => millisOf(ceiling * (random[i] ?? 0))),
      equal: (random) => ceilings.map((ceiling, i) => millisOf(ceiling / 2 + (ceiling / 2) * (random[i] ?? 0))),
      decorrelated: (random) => {
        const waits: Array<number> = []
        for (const draw of random) {
          waits.push(Math.min(5000, 100 + draw * (3 * (waits.at(-1) ?? 100) - 100)))
        }
        return waits.map(millisOf)
      }
    }

    for (const jitter of ["none", "full", "equal", "decorrelated"] as const) {
      it.effect(`standard, ${jitter}`, () =>
        Effect.gen(function*() {
          const schedule = RetrySchedule.standard({ ...options, jitter })
          const verdicts = [Verdict.retry("serverError")]
          const result = yield* run(schedule, verdicts).pipe(Random.withSeed("jitter"))
          const waits = expected[jitter](yield* draws("jitter", 9))

          assert.deepStrictEqual(result.waits, waits)
          assert.strictEqual(result.starts.length, 10)
          let at = 0
          result.starts.forEach((start, i) => {
            at += i === 0 ? 0 : waits[i - 1] ?? 0
            assert.closeTo(start, at, 1e-6)
          })
        }))

      it.effect(`backoff, ${jitter}`, () =>
        Effect.gen(function*() {
          const step = yield* Schedule.toStep(RetrySchedule.backoff({ base: 100, cap: 5000, jitter }))
          const outputs = yield* Effect.forEach(Array.from({ length: 9 }), () => step(0, "any error")).pipe(
            Random.withSeed("jitter")
          )
          const waits = expected[jitter](yield* draws("jitter", 9))
          assert.deepStrictEqual(outputs.map(([, wait]) => Duration.toMillis(wait)), waits)
          assert.deepStrictEqual(outputs.map(([output]) => Duration.toMillis(output)), waits)
        }))
    }

    it.effect("the same waits, written out", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.standard({ ...options, jitter: "full" })
        const result = yield* run(schedule, [Verdict.retry("serverError")]).pipe(Random.withSeed("jitter"))
        assert.deepStrictEqual(result.waits.map(Math.round), [2, 170, 173, 419, 1001, 686, 3875, 4608, 3815])
      }))
  })

  describe("defaults", () => {
    it.effect("are three attempts from half a second, a full one when the service is short of capacity", () =>
      Effect.gen(function*() {
        for (const kind of Verdict.retryKinds) {
          const { starts, waits } = yield* run(RetrySchedule.standard(), [Verdict.retry(kind)]).pipe(fixedRandom(0.5))
          const base = kind === "rateLimited" || kind === "overloaded" ? 1000 : 500
          assert.strictEqual(starts.length, 3, kind)
          assert.deepStrictEqual(waits, [base / 2, base], kind)
        }
      }))

    it.effect("cap at 20 seconds", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.standard({ attempts: 9, jitter: "none" })
        const { waits } = yield* run(schedule, [Verdict.retry("timeout")])
        assert.deepStrictEqual(waits, [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000])
      }))
  })

  describe("attempts", () => {
    it.effect("one means no retry, and the error is the last one", () =>
      Effect.gen(function*() {
        const { decisions, exit } = yield* run(RetrySchedule.standard({ attempts: 1 }), [Verdict.retry("timeout")])
        assert.deepStrictEqual(exit, Exit.fail({ call: 1, verdict: Verdict.retry("timeout") }))
        assert.deepStrictEqual(decisions, [])
      }))

    it.effect("are counted by kind as well as overall", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.standard({ attempts: 6, kinds: { timeout: { attempts: 2 } } })
        const timeout = Verdict.retry("timeout")
        const connection = Verdict.retry("connection")
        const calls = (verdicts: ReadonlyArray<Verdict.Verdict>) =>
          Effect.map(run(schedule, verdicts), ({ starts }) => starts.length)

        assert.strictEqual(yield* calls([timeout]), 2)
        assert.strictEqual(yield* calls([connection]), 6)
        assert.strictEqual(yield* calls([timeout, connection, connection, timeout]), 4)
        assert.strictEqual(yield* calls([timeout, connection]), 6)
      }))

    it.effect("start again with each run of the same schedule", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.standard({ jitter: "none", kinds: { timeout: { attempts: 2 } } })
        const first = yield* run(schedule, [Verdict.retry("timeout")])
        const second = yield* run(schedule, [Verdict.retry("timeout")])
        assert.deepStrictEqual(first.waits, [500])
        assert.deepStrictEqual(second.waits, [500])
      }))

    it.effect("may be unlimited", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.standard({ attempts: Number.POSITIVE_INFINITY, base: 1, cap: 1 })
        const verdicts = [...Array.from({ length: 5000 }, () => Verdict.retry("conflict")), Verdict.stop]
        const { starts } = yield* run(schedule, verdicts)
        assert.strictEqual(starts.length, 5001)
      }))
  })

  describe("kinds", () => {
    it.effect("choose their own wait; the exponent counts all retries", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.standard({
          attempts: 5,
          base: 100,
          jitter: "none",
          kinds: { rateLimited: { base: 1000, cap: 6000 }, connection: { factor: 1 } }
        })
        const kinds = ["timeout", "rateLimited", "connection", "rateLimited"] as const
        const { decisions, waits } = yield* run(schedule, kinds.map((kind) => Verdict.retry(kind)))
        assert.deepStrictEqual(waits, [100, 2000, 100, 6000])
        assert.deepStrictEqual(decisions.map(({ attempt, kind }) => [attempt, kind]), [
          [1, "timeout"],
          [2, "rateLimited"],
          [3, "connection"],
          [4, "rateLimited"]
        ])
      }))

    it.effect("stop is final, and no retry is seen by a tap", () =>
      Effect.gen(function*() {
        const { decisions, exit, starts } = yield* run(RetrySchedule.standard(), [Verdict.stop])
        assert.deepStrictEqual(exit, Exit.fail({ call: 1, verdict: Verdict.stop }))
        assert.deepStrictEqual([starts, decisions], [[0], []])
      }))
  })

  describe("the server's wait", () => {
    it.effect("is a floor that jitter adds to and the cap does not cut", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.standard({ cap: 1000 })
        const verdicts = [Verdict.retry("rateLimited", "30 seconds")]
        const low = yield* run(schedule, verdicts).pipe(fixedRandom(0))
        const high = yield* run(schedule, verdicts).pipe(fixedRandom(0.999_999))
        assert.deepStrictEqual(low.waits, [30_000, 30_000])
        high.waits.forEach((wait) => assert.closeTo(wait, 36_000, 0.1))
        assert.deepStrictEqual(low.decisions.map(({ serverWait }) => serverWait), [
          Duration.seconds(30),
          Duration.seconds(30)
        ])
      }))

    it.effect("is not a ceiling: a longer backoff stands", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.standard({ base: 5000, jitter: "none" })
        const { waits } = yield* run(schedule, [Verdict.retry("timeout", "40 millis")])
        assert.deepStrictEqual(waits, [5000, 10_000])
      }))

    it.effect("is kept to the nanosecond, also without jitter", () =>
      Effect.gen(function*() {
        const after = Duration.nanos(40_000_001n)
        const schedule = RetrySchedule.standard({ base: 0, serverWaitJitter: 0 })
        const { decisions } = yield* run(schedule, [Verdict.retry("timeout", after)])
        assert.isTrue(decisions.every(({ wait }) => Duration.equals(wait, after)))
      }))

    it.effect("longer than maxWait ends the retries at once", () =>
      Effect.gen(function*() {
        const waitsFor = (after: Duration.Input, maxWait?: Duration.Input) =>
          Effect.map(
            run(RetrySchedule.standard({ maxWait, attempts: 2 }), [Verdict.retry("rateLimited", after)]),
            ({ waits }) => waits.length
          )
        assert.strictEqual(yield* waitsFor("60 seconds"), 1)
        assert.strictEqual(yield* waitsFor("60001 millis"), 0)
        assert.strictEqual(yield* waitsFor("6 seconds", "5 seconds"), 0)
        assert.strictEqual(yield* waitsFor("5 days", Duration.infinity), 1)
        assert.strictEqual(yield* waitsFor(Duration.infinity, Duration.infinity), 0)
      }))

    it.effect("that is negative counts as none", () =>
      Effect.gen(function*() {
        const verdict = { _tag: "Retry", kind: "timeout", after: Duration.seconds(-5) } as const
        const { decisions } = yield* run(RetrySchedule.standard({ jitter: "none" }), [verdict])
        assert.deepStrictEqual(decisions.map(({ serverWait, wait }) => [Duration.toMillis(wait), serverWait]), [
          [500, undefined],
          [1000, undefined]
        ])
      }))
  })

  describe("the deadline", () => {
    it.effect("a server wait of an hour under 30 seconds fails at once with the error that carries it", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.standard({ maxWait: Duration.infinity })
        const verdict = Verdict.retry("rateLimited", "3600 seconds")
        const { decisions, exit, starts } = yield* run(schedule, [verdict], Deadline.withDeadline("30 seconds"))
        assert.deepStrictEqual(exit, Exit.fail({ call: 1, verdict }))
        assert.deepStrictEqual([starts, decisions], [[0], []])
      }))

    it.effect("refuses a wait that leaves no time and takes one that does", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.standard({ base: 1000, jitter: "none", attempts: 9 })
        const retry = [Verdict.retry("timeout")]
        const exact = yield* run(schedule, retry, Deadline.withDeadline("7 seconds"))
        assert.deepStrictEqual(exact.starts, [0, 1000, 3000])
        const longer = yield* run(schedule, retry, Deadline.withDeadline("7001 millis"))
        assert.deepStrictEqual(longer.starts, [0, 1000, 3000, 7000])
      }))

    it.effect("takes at most half of the slack for jitter on the server's wait", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.standard({ base: 0, attempts: 2 })
        const wait = (deadline: Duration.Input, random: number) =>
          Effect.map(
            run(schedule, [Verdict.retry("rateLimited", "10 seconds")], Deadline.withDeadline(deadline)).pipe(
              fixedRandom(random)
            ),
            ({ waits }) => waits[0]
          )
        assert.strictEqual(yield* wait("13 seconds", 0.5), 11_000)
        assert.strictEqual(yield* wait("11 seconds", 0), 10_000)
        assert.strictEqual(yield* wait("11 seconds", 0.5), 10_250)
        assert.closeTo((yield* wait("11 seconds", 0.999_999)) ?? 0, 10_500, 0.01)
      }))

    it.effect("of the outer effect is the one that counts", () =>
      Effect.gen(function*() {
        const around = (effect: Effect.Effect<never, Failure>) =>
          effect.pipe(Deadline.withDeadline("1 hour"), Deadline.withDeadline("5 seconds"))
        const verdict = Verdict.retry("rateLimited", "5 seconds")
        const { exit } = yield* run(RetrySchedule.standard(), [verdict], around)
        assert.deepStrictEqual(exit, Exit.fail({ call: 1, verdict }))
      }))
  })

  describe("what was rejected before it was sent", () => {
    const rejected = Verdict.retry("rejected", "40 seconds")
    const within = Deadline.withDeadline("10 minutes")

    it.effect("waits as long as the rejection says, exactly, and costs no attempt within a deadline", () =>
      Effect.gen(function*() {
        const verdicts = [rejected, rejected, rejected, rejected, Verdict.retry("timeout")]
        const schedule = RetrySchedule.standard({ attempts: 3, jitter: "none", maxWait: "1 second" })
        const { decisions, starts } = yield* run(schedule, verdicts, within)
        assert.deepStrictEqual(starts, [0, 40_000, 80_000, 120_000, 160_000, 160_500, 161_500])
        assert.deepStrictEqual(decisions.map(({ attempt }) => attempt), [1, 1, 1, 1, 1, 2])
      }))

    it.effect("ends at once when its wait would miss the deadline", () =>
      Effect.gen(function*() {
        const { exit, starts } = yield* run(RetrySchedule.standard(), [rejected], Deadline.withDeadline("90 seconds"))
        assert.deepStrictEqual(starts, [0, 40_000, 80_000])
        assert.deepStrictEqual(exit, Exit.fail({ call: 3, verdict: rejected }))
      }))

    it.effect("backs off by its own count when the rejection does not say how long", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.standard({ attempts: 2, jitter: "none", kinds: { rejected: { attempts: 5 } } })
        const { waits } = yield* run(schedule, [Verdict.retry("rejected")], within)
        assert.deepStrictEqual(waits, [500, 1000, 2000, 4000])
      }))

    it.effect("never loops without a wait", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.standard({ jitter: "none", kinds: { rejected: { attempts: 3 } } })
        const { waits } = yield* run(schedule, [Verdict.retry("rejected", 0)], within)
        assert.deepStrictEqual(waits, [500, 1000])
      }))

    it.effect("counts like any other failure without a deadline, so that nothing waits for ever", () =>
      Effect.gen(function*() {
        const { waits } = yield* run(RetrySchedule.standard({ attempts: 3 }), [rejected])
        assert.deepStrictEqual(waits, [40_000, 40_000])
      }))
  })

  describe("extremes", () => {
    it.effect("an exponent that overflows gives the cap, and no wait is NaN", () =>
      Effect.gen(function*() {
        for (const jitter of ["none", "full", "equal", "decorrelated"] as const) {
          const step = yield* Schedule.toStep(RetrySchedule.backoff(
            jitter === "decorrelated" ? { jitter } : { jitter, factor: 1e9 }
          ))
          const outputs = yield* Effect.forEach(Array.from({ length: 2000 }), () => step(0, undefined)).pipe(
            fixedRandom(0.5)
          )
          const last = Duration.toMillis(outputs.at(-1)?.[1] ?? 0)
          assert.strictEqual(last, jitter === "full" ? 10_000 : jitter === "equal" ? 15_000 : 20_000)
        }
        const zero = yield* Schedule.toStep(RetrySchedule.backoff({ base: 0, factor: 1e9 }))
        const outputs = yield* Effect.forEach(Array.from({ length: 2000 }), () => zero(0, undefined))
        assert.isTrue(outputs.every(([wait]) => Duration.isZero(wait)))
      }))

    it.effect("no backoff at all, with an exponent that overflows, still minds the deadline", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.standard({ base: 0, factor: 1e200, attempts: 9 })
        const soon = Verdict.retry("timeout")
        const late = Verdict.retry("timeout", "10 seconds")
        const { exit, starts } = yield* run(schedule, [soon, soon, soon, late], Deadline.withDeadline("5 seconds"))
        assert.deepStrictEqual([starts, exit], [[0, 0, 0, 0], Exit.fail({ call: 4, verdict: late })])
      }))

    it.effect("waits beyond what a timer can hold are slept in full", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.standard({ base: 0, maxWait: "40 days", serverWaitJitter: 0, attempts: 2 })
        const fiber = yield* Effect.forkChild(
          Effect.retry(Effect.fail({ verdict: Verdict.retry("rateLimited", "30 days") }), schedule)
        )
        yield* TestClock.adjust("29 days")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 day")
        assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
      }))

    it.effect("a classify that throws is a defect", () =>
      Effect.gen(function*() {
        const schedule = RetrySchedule.standard({
          classify: (error: string): Verdict.Verdict => {
            throw new TypeError(error)
          }
        })
        const exit = yield* Effect.exit(Effect.retry(Effect.fail("broken"), schedule))
        assert.deepStrictEqual(exit, Exit.die(new TypeError("broken")))
      }))
  })

  it.effect("hands its last decision to Effect.retryOrElse", () =>
    Effect.gen(function*() {
      const verdict = Verdict.retry("rateLimited", "1 hour")
      const refused = yield* Effect.retryOrElse(
        Effect.fail({ verdict }),
        RetrySchedule.standard(),
        (_, decision) => Effect.succeed(decision)
      )
      assert.deepStrictEqual(refused, {
        attempt: 1,
        kind: "rateLimited",
        wait: Duration.zero,
        serverWait: Duration.hours(1)
      })
    }))

  describe("wrong options throw a RangeError that names them", () => {
    const cases: ReadonlyArray<readonly [() => unknown, string]> = [
      [
        () => RetrySchedule.standard({ base: "10 seconds", cap: "5 seconds" }),
        `RetrySchedule.standard: option "cap" must not be shorter than "base", got cap 5s and base 10s`
      ],
      [
        () => RetrySchedule.standard({ kinds: { timeout: { base: "30 seconds" } } }),
        `RetrySchedule.standard: option "kinds.timeout.cap" must not be shorter than "kinds.timeout.base", got cap 20s and base 30s`
      ],
      [
        () => RetrySchedule.standard({ cap: Number.NaN }),
        `RetrySchedule.standard: option "cap" must be a finite duration of zero or more, got NaN`
      ],
      [
        () => RetrySchedule.standard({ cap: { seconds: Number.NaN } }),
        `RetrySchedule.standard: option "cap" must be a finite duration of zero or more, got {"seconds":null}`
      ],
      [
        () => RetrySchedule.standard({ base: "-1 seconds" }),
        `RetrySchedule.standard: option "base" must be a finite duration of zero or more, got "-1 seconds"`
      ],
      [
        () => RetrySchedule.standard({ base: "soon" as `${number} seconds` }),
        `RetrySchedule.standard: option "base" must be a finite duration of zero or more, got "soon"`
      ],
      [
        () => RetrySchedule.backoff({ cap: Duration.infinity }),
        `RetrySchedule.backoff: option "cap" must be a finite duration of zero or more, got Infinity`
      ],
      [
        () => RetrySchedule.backoff({ factor: 0.5 }),
        `RetrySchedule.backoff: option "factor" must be a finite number of at least 1, got 0.5`
      ],
      [
        () => RetrySchedule.backoff({ factor: 3, jitter: "decorrelated" }),
        `RetrySchedule.backoff: option "factor" has no effect with jitter "decorrelated", got 3`
      ],
      [
        () => RetrySchedule.backoff({ jitter: "some" as "full" }),
        `RetrySchedule.backoff: option "jitter" must be one of full, equal, decorrelated, none, got "some"`
      ],
      [
        () => RetrySchedule.standard({ attempts: 0 }),
        `RetrySchedule.standard: option "attempts" must be a whole number of at least 1, or Infinity, got 0`
      ],
      [
        () => RetrySchedule.standard({ attempts: 2.5 }),
        `RetrySchedule.standard: option "attempts" must be a whole number of at least 1, or Infinity, got 2.5`
      ],
      [
        () => RetrySchedule.standard({ kinds: { conflict: { attempts: Number.NaN } } }),
        `RetrySchedule.standard: option "kinds.conflict.attempts" must be a whole number of at least 1, or Infinity, got NaN`
      ],
      [
        () => RetrySchedule.standard({ kinds: { conflict: { attempts: 4 } } }),
        `RetrySchedule.standard: option "kinds.conflict.attempts" must not be greater than "attempts", got 4 and 3`
      ],
      [
        () => RetrySchedule.standard({ kinds: { other: {} } as object }),
        `RetrySchedule.standard: option "kinds" must be keyed by rateLimited, overloaded, serverError, connection, timeout, conflict, rejected, got "other"`
      ],
      [
        () => RetrySchedule.standard({ serverWaitJitter: 20 }),
        `RetrySchedule.standard: option "serverWaitJitter" must be a number from 0 to 1, got 20`
      ],
      [
        () => RetrySchedule.standard({ serverWaitJitter: -0.1 }),
        `RetrySchedule.standard: option "serverWaitJitter" must be a number from 0 to 1, got -0.1`
      ],
      [
        () => RetrySchedule.standard({ maxWait: -1 }),
        `RetrySchedule.standard: option "maxWait" must be a duration of zero or more, got -1`
      ]
    ]
    for (const [make, message] of cases) {
      it(`such as ${message}`, () => {
        try {
          make()
        } catch (error) {
          assert.instanceOf(error, RangeError)
          assert.strictEqual(error.message, message)
          return
        }
        assert.fail("nothing was thrown")
      })
    }
  })
})
