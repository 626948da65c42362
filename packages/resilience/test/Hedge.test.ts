import * as Hedge from "@effect-claude/resilience/Hedge"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"

type Behaviour<E> = { readonly after: number; readonly exit: Exit.Exit<string, E> }

const answers = (after: number, answer = "answer"): Behaviour<never> => ({ after, exit: Exit.succeed(answer) })
const fails = <E>(after: number, error: E): Behaviour<E> => ({ after, exit: Exit.fail(error) })
const hangs: Behaviour<never> = { after: Number.POSITIVE_INFINITY, exit: Exit.succeed("never") }

/** A service whose attempts behave as they are told to, and what became of them. */
const serviceOf = <E>(...behaviours: ReadonlyArray<Behaviour<E>>) => {
  const log: Array<string> = []
  const call = Effect.gen(function*() {
    const number = yield* Hedge.CurrentHedge
    const { after, exit } = behaviours[number] ?? { after: 0, exit: Exit.die(`no attempt ${number} is expected`) }
    log.push(`start ${number}`)
    yield* Effect.sleep(after)
    return yield* exit
  }).pipe(Effect.onExit((exit) =>
    Effect.map(Hedge.CurrentHedge, (number) => {
      log.push(`${Exit.isSuccess(exit) ? "answer" : Exit.hasInterrupts(exit) ? "interrupted" : "failure"} ${number}`)
    })
  ))
  return { call, log }
}

/** Runs an effect while virtual time passes, and tells how it ended and after how long. */
const runFor = <A, E, R>(effect: Effect.Effect<A, E, R>, millis: number) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Effect.timed(Effect.result(effect)))
    yield* TestClock.adjust(millis)
    const exit = fiber.pollUnsafe()
    assert.isDefined(exit)
    const [took, result] = yield* Fiber.join(fiber)
    return { took: Duration.toMillis(took), result }
  })

const events: Array<ResilienceEvent.ResilienceEvent> = []
const listening = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    events.length = 0
    return ResilienceEvent.listen(effect, (event) => {
      events.push(event)
    })
  })

const succeeded = { _tag: "Success", success: "answer" } as const
const second = { delay: "1 second" } as const

describe("Hedge.make", () => {
  const refused: ReadonlyArray<readonly [Hedge.Options, string]> = [
    [{ delay: 0 }, `Hedge.make: option "delay" must be a finite duration longer than zero, got 0`],
    [{ delay: "Infinity" }, `option "delay" must be a finite duration`],
    [{ delay: { quantile: 1 } }, `option "delay.quantile" must be between 0 and 1, got 1`],
    [{ delay: { quantile: -0.5 } }, `option "delay.quantile" must be a number from 0 to 1, got -0.5`],
    [{ delay: { quantile: 0.9, minimumSamples: 0 } }, `option "delay.minimumSamples" must be a whole number`],
    [{ delay: { quantile: 0.9, window: 1.5 } }, `option "delay.window" must be a whole number of at least 1, got 1.5`],
    [
      { delay: { quantile: 0.9, minimumSamples: 300 } },
      `option "delay.minimumSamples" must not be greater than "delay.window", got 300 and 200`
    ],
    [{ delay: "1 second", max: 0 }, `option "max" must be a whole number of at least 1, got 0`],
    [{ delay: "1 second", maxKeys: 0 }, `option "maxKeys" must be a whole number of at least 1, got 0`]
  ]
  for (const [options, message] of refused) {
    it(`refuses ${JSON.stringify(options)}`, () => {
      assert.throws(() => Hedge.makeUnsafe(options), RangeError, message)
    })
  }
})

describe("hedge", () => {
  it.effect("sends one request when it is answered in time", () =>
    Effect.gen(function*() {
      const { call, log } = serviceOf(answers(900))
      const { hedge } = yield* Hedge.make(second)
      const { result, took } = yield* runFor(hedge(call), 10_000)
      assert.deepInclude(result, succeeded)
      assert.strictEqual(took, 900)
      assert.deepStrictEqual(log, ["start 0", "answer 0"])
    }))

  it.effect("answers at once when the attempt does", () =>
    Effect.gen(function*() {
      const { hedge } = yield* Hedge.make(second)
      assert.strictEqual(yield* hedge(Effect.succeed("answer")), "answer")
      assert.strictEqual(yield* Effect.flip(hedge(Effect.fail("failure"))), "failure")
    }))

  it.effect("takes a hedge that answers first, and interrupts the first attempt", () =>
    Effect.gen(function*() {
      const { call, log } = serviceOf(answers(20_000, "slow"), answers(300))
      const { hedge } = yield* Hedge.make(second)
      const { result, took } = yield* runFor(hedge(call), 10_000)
      assert.deepInclude(result, succeeded)
      assert.strictEqual(took, 1300)
      assert.sameMembers(log, ["start 0", "start 1", "answer 1", "interrupted 0"])
    }))

  it.effect("takes the first attempt if it is still the faster one, and interrupts the hedge", () =>
    Effect.gen(function*() {
      const { call, log } = serviceOf(answers(1200), answers(300, "late"))
      const { hedge } = yield* Hedge.make(second)
      const { took } = yield* runFor(hedge(call), 10_000)
      assert.strictEqual(took, 1200)
      assert.sameMembers(log, ["start 0", "start 1", "answer 0", "interrupted 1"])
    }))

  it.effect("starts no more hedges than max, one delay after the other", () =>
    Effect.gen(function*() {
      const { call, log } = serviceOf(hangs, hangs, answers(2500))
      const { hedge } = yield* Hedge.make({ delay: "1 second", max: 2 })
      const { took } = yield* runFor(hedge(call), 10_000)
      assert.strictEqual(took, 4500)
      assert.deepStrictEqual(log.filter((line) => line.startsWith("start")), ["start 0", "start 1", "start 2"])
    }))

  it.effect("is no retry: a failure before the delay is the call's", () =>
    Effect.gen(function*() {
      const { call, log } = serviceOf(fails(900, "failure"))
      const { hedge } = yield* Hedge.make(second)
      const { result, took } = yield* runFor(hedge(call), 10_000)
      assert.deepInclude(result, { _tag: "Failure", failure: "failure" })
      assert.strictEqual(took, 900)
      assert.deepStrictEqual(log, ["start 0", "failure 0"])
    }))

  it.effect("waits for the attempt that runs when another one fails", () =>
    Effect.gen(function*() {
      const { hedge } = yield* Hedge.make(second)
      const first = yield* runFor(hedge(serviceOf(fails(1100, "failure"), answers(500)).call), 10_000)
      assert.deepInclude(first.result, succeeded)
      assert.strictEqual(first.took, 1500)
      const hedged = yield* runFor(hedge(serviceOf(answers(5000), fails(500, "failure")).call), 10_000)
      assert.deepInclude(hedged.result, succeeded)
      assert.strictEqual(hedged.took, 5000)
    }))

  it.effect("fails as the first attempt did if all fail, whoever fails last", () =>
    Effect.gen(function*() {
      const { hedge } = yield* Hedge.make(second)
      for (const [first, hedged, time] of [[1100, 500, 1500], [3000, 500, 3000]] as const) {
        const { call } = serviceOf(fails(first, "first"), fails(hedged, "second"))
        const { result, took } = yield* runFor(hedge(call), 10_000)
        assert.deepInclude(result, { _tag: "Failure", failure: "first" })
        assert.strictEqual(took, time)
      }
    }))

  it.effect("is settled at once by a failure that is final", () =>
    Effect.gen(function*() {
      const { hedge } = yield* Hedge.make(second)
      const own = serviceOf(hangs, fails(500, { verdict: Verdict.stop }))
      assert.strictEqual((yield* runFor(hedge(own.call), 10_000)).took, 1500)
      assert.include(own.log, "interrupted 0")
      const classified = serviceOf(hangs, fails(500, 400))
      const call = hedge(classified.call, {
        classify: (status) => status === 400 ? Verdict.stop : Verdict.retry("timeout")
      })
      assert.strictEqual((yield* runFor(call, 10_000)).took, 1500)
      assert.include(classified.log, "interrupted 0")
    }))

  it.effect("is settled at once by a defect", () =>
    Effect.gen(function*() {
      const { hedge } = yield* Hedge.make(second)
      const { call } = serviceOf(hangs, { after: 500, exit: Exit.die("bug") })
      const { result, took } = yield* runFor(
        hedge(Effect.catchDefect(call, (defect) => Effect.die(defect))).pipe(
          Effect.catchDefect((defect) => Effect.fail(defect))
        ),
        10_000
      )
      assert.deepInclude(result, { _tag: "Failure", failure: "bug" })
      assert.strictEqual(took, 1500)
    }))

  it.effect("gives every attempt the context of the call", () =>
    Effect.gen(function*() {
      const Tenant = Context.Reference<string>("Tenant", { defaultValue: () => "nobody" })
      const tenants: Array<string> = []
      const { hedge } = yield* Hedge.make({ delay: "1 second", max: 2 })
      const call = Effect.flatMap(Tenant, (tenant) => {
        tenants.push(tenant)
        return Effect.never
      })
      const fiber = yield* Effect.forkChild(Effect.provideService(hedge(call), Tenant, "acme"))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(tenants, ["acme", "acme", "acme"])
    }))

  it.effect("interrupts all attempts with the call, and waits for their finalizers", () =>
    Effect.gen(function*() {
      const { hedge } = yield* Hedge.make({ delay: "1 second", max: 2 })
      let finalized = 0
      const call = Effect.never.pipe(
        Effect.ensuring(Effect.sleep("1 second")),
        Effect.ensuring(Effect.sync(() => finalized++))
      )
      const fiber = yield* Effect.forkChild(hedge(call))
      yield* TestClock.adjust("2500 millis")
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(interrupting.pollUnsafe())
      assert.strictEqual(finalized, 0)
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(interrupting)
      assert.strictEqual(finalized, 3)
    }))

  it.effect("is interrupted before it has begun to wait without leaving an attempt behind", () =>
    Effect.gen(function*() {
      const { call, log } = serviceOf(hangs)
      const { hedge } = yield* Hedge.make(second)
      const fiber = yield* Effect.forkChild(hedge(call), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(log, ["start 0", "interrupted 0"])
    }))

  it.effect("asks hedgeWhen when the time has come, and takes no for the whole call", () =>
    Effect.gen(function*() {
      const { hedge } = yield* Hedge.make({ delay: "1 second", max: 3 })
      const { call, log } = serviceOf(answers(5000))
      let asked = 0
      const hedgeWhen = () => {
        asked += 1
        return false
      }
      yield* runFor(listening(hedge(call, { hedgeWhen })), 10_000)
      assert.strictEqual(asked, 1)
      assert.deepStrictEqual(log, ["start 0", "answer 0"])
      assert.deepStrictEqual(events, [{ _tag: "HedgeSuppressed", reason: "refused" }])
    }))

  it.effect("dies of what hedgeWhen and classify throw, and stops the attempts", () =>
    Effect.gen(function*() {
      const { hedge } = yield* Hedge.make(second)
      const thrown = () => {
        throw new Error("bug")
      }
      for (const options of [{ hedgeWhen: thrown }, { classify: thrown }]) {
        const { call, log } = serviceOf(hangs, fails(100, "failure"))
        const { result } = yield* runFor(
          hedge(call, options).pipe(Effect.catchDefect(() => Effect.fail("defect"))),
          10_000
        )
        assert.deepInclude(result, { _tag: "Failure", failure: "defect" })
        assert.include(log, "interrupted 0")
      }
    }))

  it.effect("numbers the attempts of a hedge within a hedge for themselves", () =>
    Effect.gen(function*() {
      const inner = yield* Hedge.make(second)
      const outer = yield* Hedge.make({ delay: "5 seconds" })
      const numbers: Array<number> = []
      const call = Effect.flatMap(Hedge.CurrentHedge, (number) => {
        numbers.push(number)
        return Effect.never
      })
      const fiber = yield* Effect.forkChild(outer.hedge(inner.hedge(call)))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(numbers, [0, 1, 0, 1])
    }))

  it.effect("tells of hedges that start, win and lose, and of what a loser used", () =>
    Effect.gen(function*() {
      const { hedge } = yield* Hedge.make(second)
      const losers: Array<Hedge.Loser<string>> = []
      const onLoser = (loser: Hedge.Loser<string>) => {
        losers.push(loser)
        return { inputTokens: 12, outputTokens: undefined }
      }
      yield* runFor(listening(hedge(serviceOf(hangs, answers(500)).call, { onLoser })), 10_000)
      assert.deepStrictEqual(events, [
        { _tag: "HedgeStarted", hedge: 1, delay: Duration.seconds(1) },
        { _tag: "HedgeWon", hedge: 1 },
        { _tag: "HedgeLost", hedge: 0, inputTokens: 12 }
      ])
      assert.deepStrictEqual(losers, [{ hedge: 0, elapsed: Duration.millis(1500), elements: [] }])
      yield* runFor(listening(hedge(serviceOf(answers(1200), hangs).call)), 10_000)
      assert.deepStrictEqual(events.map(({ _tag }) => _tag), ["HedgeStarted", "HedgeLost"])
    }))

  it.effect("drops what onLoser throws", () =>
    Effect.gen(function*() {
      const { hedge } = yield* Hedge.make(second)
      const { call, log } = serviceOf(hangs, answers(500))
      const onLoser = () => {
        throw new Error("bug")
      }
      assert.deepInclude((yield* runFor(hedge(call, { onLoser }), 10_000)).result, succeeded)
      assert.include(log, "interrupted 0")
    }))

  it.effect("works data last, with and without options", () =>
    Effect.gen(function*() {
      const { hedge } = yield* Hedge.make(second)
      assert.strictEqual(yield* Effect.succeed(1).pipe(hedge()), 1)
      assert.strictEqual(yield* Effect.succeed(1).pipe(hedge({ key: "one" })), 1)
    }))
})

describe("a delay by quantile", () => {
  const quantile = { delay: { quantile: 0.95, minimumSamples: 50, window: 200 } }
  /** Calls that take 1 to `count` milliseconds, in an order that mixes short and long. */
  const observe = ({ hedge }: Hedge.Hedge, count: number, key?: string) =>
    Effect.forEach(Array.from({ length: count }), (_, index) => {
      const call = Effect.sleep((index * 37) % count + 1)
      return runFor(hedge(call, { key }), count + 1)
    }, { discard: true })

  it.effect("hedges nothing before it has seen enough", () =>
    Effect.gen(function*() {
      const made = yield* Hedge.make(quantile)
      yield* observe(made, 49)
      assert.isTrue(Option.isNone(yield* made.delay()))
      const { call, log } = serviceOf(answers(60_000))
      yield* runFor(listening(made.hedge(call)), 100_000)
      assert.deepStrictEqual(log, ["start 0", "answer 0"])
      assert.deepStrictEqual(events, [{ _tag: "HedgeSuppressed", reason: "samples" }])
      assert.isTrue(Option.isSome(yield* made.delay()))
    }))

  it.effect("follows the times of the last calls", () =>
    Effect.gen(function*() {
      const made = yield* Hedge.make({ delay: { quantile: 0.95, minimumSamples: 50, window: 100 } })
      yield* observe(made, 99)
      assert.deepStrictEqual(yield* made.delay(), Option.some(Duration.millis(95)))
      yield* Effect.forEach(Array.from({ length: 100 }), () => runFor(made.hedge(serviceOf(answers(7)).call), 10))
      assert.deepStrictEqual(yield* made.delay(), Option.some(Duration.millis(7)))
    }))

  it.effect("keeps the times of each key, and of no more keys than it is told to", () =>
    Effect.gen(function*() {
      const made = yield* Hedge.make({ ...quantile, maxKeys: 2 })
      yield* observe(made, 60, "slow")
      yield* observe(made, 55, "fast")
      assert.deepStrictEqual(yield* made.delay("slow"), Option.some(Duration.millis(58)))
      yield* made.hedge(Effect.void, { key: "slow" })
      yield* made.hedge(Effect.void, { key: "another" })
      assert.strictEqual(yield* made.keys, 2)
      assert.isTrue(Option.isNone(yield* made.delay("fast")))
      assert.isTrue(Option.isSome(yield* made.delay("slow")))
    }))

  it.effect("does not learn from failures", () =>
    Effect.gen(function*() {
      const made = yield* Hedge.make(quantile)
      yield* Effect.forEach(Array.from({ length: 100 }), () => Effect.exit(made.hedge(Effect.fail("failure"))))
      assert.isTrue(Option.isNone(yield* made.delay()))
    }))

  it.effect("counts a first attempt that lost with the time it ran", () =>
    Effect.gen(function*() {
      const made = yield* Hedge.make({ delay: { quantile: 0.9, minimumSamples: 10, window: 10 } })
      yield* Effect.forEach(Array.from({ length: 20 }), () => runFor(made.hedge(serviceOf(answers(10)).call), 20))
      assert.deepStrictEqual(yield* made.delay(), Option.some(Duration.millis(10)))
      yield* runFor(made.hedge(serviceOf(hangs, answers(90)).call), 1000)
      assert.deepStrictEqual(yield* made.delay(), Option.some(Duration.millis(100)))
    }))

  it.effect("hedges no more than its share when every call is slow", () =>
    Effect.gen(function*() {
      const made = yield* Hedge.make(quantile)
      yield* Effect.forEach(Array.from({ length: 100 }), () => runFor(made.hedge(serviceOf(answers(10)).call), 20))
      let requests = 0
      const slow = Effect.suspend(() => {
        requests += 1
        return Effect.sleep(10_000)
      })
      const fiber = yield* listening(
        Effect.all(Array.from({ length: 400 }, () => made.hedge(slow)), { concurrency: "unbounded", discard: true })
      ).pipe(Effect.forkChild)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.isAtMost(requests, 400 + (100 + 400) * 0.05)
      assert.isAtLeast(requests, 405)
      assert.isTrue(events.some((event) => event._tag === "HedgeSuppressed" && event.reason === "load"))
    }))
})

describe("hedges that calls before did without", () => {
  it.effect("are saved up for ten of them at most", () =>
    Effect.gen(function*() {
      const made = yield* Hedge.make({ delay: { quantile: 0.95 } })
      yield* Effect.forEach(Array.from({ length: 600 }), () => runFor(made.hedge(Effect.sleep(10)), 20))
      let requests = 0
      const slow = Effect.suspend(() => {
        requests += 1
        return Effect.sleep("10 seconds")
      })
      yield* runFor(
        Effect.all(Array.from({ length: 100 }, () => made.hedge(slow)), { concurrency: "unbounded", discard: true }),
        60_000
      )
      assert.strictEqual(requests, 100 + 10)
    }))
})

describe("a hedge and a budget", () => {
  it.effect("gives back what was paid for too late, when the call was settled meanwhile", () =>
    Effect.gen(function*() {
      let level = 100
      const budget: RetryBudget.RetryBudget = {
        capacity: 100,
        level: Effect.sync(() => level),
        cost: () => 14,
        withdraw: (amount) => Effect.as(Effect.delay(Effect.sync(() => level -= amount), "10 seconds"), true),
        deposit: (amount) => Effect.sync(() => void (level += amount))
      }
      const { hedge } = yield* Hedge.make({ ...second, budget })
      const { call, log } = serviceOf(answers(5000))
      assert.strictEqual((yield* runFor(hedge(call), 30_000)).took, 5000)
      assert.deepStrictEqual(log, ["start 0", "answer 0"])
      assert.strictEqual(level, 101)
    }))

  it.effect("takes tokens that no success gives back", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make()
      const { hedge } = yield* Hedge.make({ ...second, budget })
      yield* runFor(hedge(serviceOf(hangs, answers(500)).call), 10_000)
      assert.strictEqual(yield* budget.level, 486)
      yield* runFor(hedge(serviceOf(answers(1200), hangs).call), 10_000)
      assert.strictEqual(yield* budget.level, 472)
      yield* runFor(hedge(serviceOf(answers(100)).call), 10_000)
      assert.strictEqual(yield* budget.level, 473)
    }))

  it.effect("draws on the budget of the call, by its weight, with its retries", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make()
      const { hedge } = yield* Hedge.make(second)
      const call = RetryBudget.withBudget(hedge(serviceOf(hangs, answers(500)).call), { budget, weight: 2 })
      yield* runFor(call, 10_000)
      assert.strictEqual(yield* budget.level, 472)
    }))

  it.effect("counts a call once that has the budget of its hedges around it already", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make()
      yield* budget.withdraw(100)
      const { hedge } = yield* Hedge.make({ ...second, budget })
      yield* RetryBudget.withBudget(hedge(Effect.void), { budget })
      assert.strictEqual(yield* budget.level, 401)
    }))

  it.effect("gives back what a hedge took that was turned away", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make()
      const { hedge } = yield* Hedge.make({ ...second, budget })
      const rejection = { verdict: Verdict.retry("rejected") }
      const { result } = yield* runFor(hedge(serviceOf(answers(5000), fails(10, rejection)).call), 10_000)
      assert.deepInclude(result, succeeded)
      assert.strictEqual(yield* budget.level, 500)
      const classified = hedge(serviceOf(answers(5000), fails(10, "full")).call, {
        classify: () => Verdict.retry("rejected")
      })
      assert.deepInclude((yield* runFor(classified, 10_000)).result, succeeded)
      assert.strictEqual(yield* budget.level, 500)
    }))
})
