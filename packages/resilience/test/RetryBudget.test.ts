import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as Retry from "@effect-claude/resilience/Retry"
import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"

class Failure {
  readonly verdict: Verdict.Verdict
  constructor(kind: Verdict.RetryKind | "stop") {
    this.verdict = kind === "stop" ? Verdict.stop : Verdict.retry(kind)
  }
}

/** Fails in each of these ways, then succeeds. */
const failing = (...kinds: ReadonlyArray<Verdict.RetryKind | "stop">) => {
  let attempts = 0
  return Effect.suspend(() => {
    const kind = kinds[attempts++]
    return kind === undefined ? Effect.succeed("answer") : Effect.fail(new Failure(kind))
  })
}

const atOnce = RetrySchedule.standard({ base: 0, attempts: 5 })
const levelAfter = <A, E>(call: (budget: RetryBudget.RetryBudget) => Effect.Effect<A, E>, start = 400) =>
  Effect.gen(function*() {
    const budget = yield* RetryBudget.make()
    yield* budget.withdraw(500 - start)
    yield* Effect.exit(call(budget))
    return (yield* budget.level) - start
  })

describe("RetryBudget.make", () => {
  const refused: ReadonlyArray<readonly [RetryBudget.Options, string]> = [
    [{ capacity: 0 }, `RetryBudget.make: option "capacity" must be a finite number of at least 1, got 0`],
    [{ capacity: Number.NaN }, `option "capacity" must be a finite number of at least 1, got NaN`],
    [{ capacity: 13 }, `option "capacity" (13) must not be less than "costs.serverError" (14)`],
    [{ costs: { hedge: 501 } }, `option "capacity" (500) must not be less than "costs.hedge" (501)`],
    [{ costs: { timeout: -1 } }, `option "costs.timeout" must be a finite number of at least 0, got -1`],
    [{ refill: { tokens: -1, every: "1 second" } }, `option "refill.tokens" must be`],
    [{ refill: { tokens: 1, every: 0 } }, `option "refill.every" must be a finite duration longer than zero`]
  ]
  for (const [options, message] of refused) {
    it(`refuses ${JSON.stringify(options)}`, () => {
      assert.throws(() => RetryBudget.makeUnsafe(options), RangeError, message)
    })
  }

  it("refuses a cost of something that is never paid for", () => {
    const costs = Object.fromEntries([["stop", 1]])
    assert.throws(() => RetryBudget.makeUnsafe({ costs }), RangeError, `option "costs" must be keyed by`)
  })

  it.effect("starts full and never holds more than its capacity", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make({ capacity: 20 })
      yield* budget.deposit(5)
      assert.strictEqual(yield* budget.level, 20)
      assert.isTrue(yield* budget.withdraw(20))
      assert.isFalse(yield* budget.withdraw(0.001))
      assert.strictEqual(yield* budget.level, 0)
    }))

  it.effect("refills over time only if it is told to", () =>
    Effect.gen(function*() {
      const still = yield* RetryBudget.make({ capacity: 100 })
      const refilling = yield* RetryBudget.make({ capacity: 100, refill: { tokens: 10, every: "1 second" } })
      yield* still.withdraw(100)
      yield* refilling.withdraw(100)
      yield* TestClock.adjust("2500 millis")
      assert.strictEqual(yield* still.level, 0)
      assert.closeTo(yield* refilling.level, 25, 1e-9)
      yield* TestClock.adjust("1 day")
      assert.strictEqual(yield* refilling.level, 100)
    }))
})

describe("RetryBudget.retry", () => {
  it.effect("adds one token for a first request that succeeds", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* levelAfter((budget) => RetryBudget.retry(failing(), { schedule: atOnce, budget })),
        1
      )
    }))

  it.effect("gives back what the last retry took, and only that", () =>
    Effect.gen(function*() {
      const level = yield* levelAfter((budget) =>
        RetryBudget.retry(failing("serverError", "rateLimited"), { schedule: atOnce, budget })
      )
      assert.strictEqual(level, -14)
    }))

  it.effect("keeps what retries in vain took", () =>
    Effect.gen(function*() {
      const level = yield* levelAfter((budget) =>
        RetryBudget.retry(failing("timeout", "overloaded", "stop"), { schedule: atOnce, budget })
      )
      assert.strictEqual(level, -19)
    }))

  it.effect("asks for nothing when the schedule ends by itself", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make({ capacity: 14 })
      yield* budget.withdraw(14)
      const call = (kind: Verdict.RetryKind | "stop") =>
        RetryBudget.retry(failing(kind), { schedule: RetrySchedule.standard({ attempts: 1 }), budget })
      assert.instanceOf(yield* Effect.flip(call("stop")), Failure)
      assert.instanceOf(yield* Effect.flip(call("timeout")), Failure)
    }))

  it.effect("fails with the failure, the level and the cost when it is empty", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make({ capacity: 20 })
      const error = yield* Effect.flip(
        RetryBudget.retry(failing("timeout", "connection"), { schedule: atOnce, budget })
      )
      if (error instanceof Failure) return assert.fail("the budget had nothing to say")
      assert.deepStrictEqual(error.cause.verdict, Verdict.retry("connection"))
      assert.strictEqual(error.level, 6)
      assert.strictEqual(error.cost, 14)
      assert.strictEqual(error.capacity, 20)
      assert.deepStrictEqual(error.verdict, Verdict.stop)
      assert.strictEqual(error.message, "Retry budget exhausted: another attempt costs 14, and 6 of 20 are left")
    }))

  it.effect("gives back a retry that is interrupted before its wait is over, and no other", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make()
      const call = (base: string) =>
        failing("timeout").pipe(
          Effect.tap(Effect.never),
          RetryBudget.retry({
            schedule: RetrySchedule.standard({ base: base as "1 second", cap: "1 hour", jitter: "none" }),
            budget
          }),
          Effect.forkChild
        )
      const waiting = yield* call("10 seconds")
      const sent = yield* call("9 seconds")
      yield* TestClock.adjust("9500 millis")
      assert.strictEqual(yield* budget.level, 472)
      yield* Fiber.interrupt(waiting)
      assert.strictEqual(yield* budget.level, 486)
      yield* Fiber.interrupt(sent)
      assert.strictEqual(yield* budget.level, 486)
    }))

  it.effect("multiplies the cost by the weight, which is asked for once and only in need", () =>
    Effect.gen(function*() {
      let asked = 0
      const weight = () => {
        asked += 1
        return 3
      }
      const call = (...kinds: ReadonlyArray<Verdict.RetryKind | "stop">) =>
        levelAfter((budget) => RetryBudget.retry(failing(...kinds), { schedule: atOnce, budget, weight }))
      assert.strictEqual(yield* call(), 1)
      assert.strictEqual(asked, 0)
      assert.strictEqual(yield* call("timeout", "rateLimited", "stop"), -57)
      assert.strictEqual(asked, 1)
    }))

  it.effect("adds nothing for a second request that costs nothing", () =>
    Effect.gen(function*() {
      const call = (budget: RetryBudget.RetryBudget) =>
        RetryBudget.retry(failing("timeout"), { schedule: atOnce, budget, weight: 0 })
      assert.strictEqual(yield* levelAfter(call), 0)
    }))

  it.effect("lets a call of great weight be retried by a full bucket", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make()
      const heavy = () => RetryBudget.retry(failing("timeout", "stop"), { schedule: atOnce, budget, weight: 1000 })
      assert.instanceOf(yield* Effect.flip(heavy()), Failure)
      assert.strictEqual(yield* budget.level, 0)
      assert.instanceOf(yield* Effect.flip(heavy()), RetryBudget.RetryBudgetExhaustedError)
    }))

  it("refuses a weight that is none", () => {
    assert.throws(
      () => RetryBudget.withBudget(Effect.void, { budget: RetryBudget.makeUnsafe(), weight: -1 }),
      RangeError,
      `RetryBudget.withBudget: option "weight" must be a finite number of at least 0, got -1`
    )
  })

  it.effect("takes the failures of others through classify, and makes the error it is told to", () =>
    Effect.gen(function*() {
      const call = Effect.fail(503).pipe(
        RetryBudget.retry({
          schedule: Schedule.recurs(5),
          budget: RetryBudget.makeUnsafe({ capacity: 16 }),
          classify: (status: number) => status === 503 ? Verdict.retry("overloaded") : Verdict.stop,
          onExhausted: ({ cause, level }) => `${cause} with ${level} left`
        })
      )
      assert.strictEqual(yield* Effect.flip(call), "503 with 1 left")
    }))

  it.effect("does not ask the budget for defects", () =>
    Effect.gen(function*() {
      const level = yield* levelAfter((budget) =>
        RetryBudget.retry(Effect.andThen(Effect.die("bug"), failing()), { schedule: atOnce, budget })
      )
      assert.strictEqual(level, 0)
    }))
})

describe("a rejection, for which nothing was sent", () => {
  it.effect("costs nothing", () =>
    Effect.gen(function*() {
      const call = (budget: RetryBudget.RetryBudget) =>
        RetryBudget.retry(failing("rejected", "rejected", "rejected"), { schedule: atOnce, budget })
      assert.strictEqual(yield* levelAfter(call), 1)
    }))

  it.effect("gives back at once what its attempt took", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make()
      const levels: Array<number> = []
      const call = Effect.tapCause(failing("timeout", "rejected"), () =>
        Effect.map(budget.level, (level) => levels.push(level)))
      yield* RetryBudget.retry(
        Effect.tap(call, () =>
          Effect.map(budget.level, (level) => levels.push(level))),
        {
          schedule: atOnce,
          budget
        }
      )
      assert.deepStrictEqual(levels, [500, 486, 500])
      assert.strictEqual(yield* budget.level, 500)
    }))

  it.effect("does not make the attempt after it free of charge", () =>
    Effect.gen(function*() {
      const call = (budget: RetryBudget.RetryBudget) =>
        RetryBudget.retry(failing("timeout", "rejected", "timeout", "stop"), { schedule: atOnce, budget })
      assert.strictEqual(yield* levelAfter(call), -28)
    }))

  it.effect("collects what is due as far as it is there, and reports no refusal", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make({ capacity: 14 })
      const tags: Array<string> = []
      const call = failing("timeout", "rejected").pipe(
        Effect.tap(budget.withdraw(10)),
        Effect.andThen(failing("stop")),
        RetryBudget.retry({ schedule: atOnce, budget })
      )
      yield* ResilienceEvent.listen(Effect.flip(call), ({ _tag }) => {
        tags.push(_tag)
      })
      assert.notInclude(tags, "BudgetExhausted")
      assert.strictEqual(yield* budget.level, 0)
    }))
})

describe("RetryBudget.guard", () => {
  it.effect("works in Effect.retry", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make({ capacity: 30 })
      const call = failing("timeout", "timeout", "timeout", "timeout").pipe(
        Effect.retry(RetryBudget.guard(Schedule.recurs(10))),
        RetryBudget.withBudget({ budget })
      )
      const error = yield* Effect.flip(call)
      assert.instanceOf(error, RetryBudget.RetryBudgetExhaustedError)
      assert.strictEqual(yield* budget.level, 2)
    }))

  it.effect("leaves the schedule as it is where no budget is in force", () =>
    Effect.gen(function*() {
      const call = Effect.retry(failing("timeout", "timeout"), RetryBudget.guard(Schedule.recurs(2)))
      assert.strictEqual(yield* call, "answer")
    }))

  it.effect("lets Schedule.tap around it see only retries that were paid for", () =>
    Effect.gen(function*() {
      let retries = 0
      const schedule = RetryBudget.guard(atOnce).pipe(Schedule.tap(() => Effect.sync(() => retries++)))
      yield* failing("timeout", "timeout", "timeout").pipe(
        Retry.retry(schedule),
        RetryBudget.withBudget({ budget: RetryBudget.makeUnsafe({ capacity: 20 }) }),
        Effect.exit
      )
      assert.strictEqual(retries, 1)
    }))

  it.effect("keeps the accounts of concurrent calls apart", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make()
      const call = (...kinds: ReadonlyArray<Verdict.RetryKind | "stop">) =>
        Effect.exit(RetryBudget.retry(failing(...kinds), {
          schedule: RetrySchedule.standard({ base: "1 second", jitter: "none" }),
          budget
        }))
      const fiber = yield* Effect.forkChild(
        Effect.all([call("timeout"), call("timeout", "stop"), call()], { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      // One was retried to no end, one got its retry back, and one needed none.
      assert.strictEqual(yield* budget.level, 500 - 14 + 1)
    }))

  it.effect("settles each of several retries in one account", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make()
      const schedule = RetryBudget.guard(atOnce)
      const both = Effect.all([
        Effect.retry(failing("timeout"), schedule),
        Effect.retry(failing("rateLimited", "timeout"), schedule)
      ])
      yield* RetryBudget.withBudget(both, { budget })
      assert.strictEqual(yield* budget.level, 495)
    }))
})

describe("RetryBudget.retryStream", () => {
  const streaming = (...kinds: ReadonlyArray<Verdict.RetryKind | "stop">) => Stream.fromEffect(failing(...kinds))
  const options = (budget: RetryBudget.RetryBudget) => ({ schedule: atOnce, budget, isContent: () => true })

  it.effect("pays as an effect does", () =>
    Effect.gen(function*() {
      const level = (...kinds: ReadonlyArray<Verdict.RetryKind | "stop">) =>
        levelAfter((budget) => Stream.runDrain(RetryBudget.retryStream(streaming(...kinds), options(budget))))
      assert.strictEqual(yield* level(), 1)
      assert.strictEqual(yield* level("timeout"), 0)
      assert.strictEqual(yield* level("timeout", "timeout"), -14)
      assert.strictEqual(yield* level("timeout", "stop"), -14)
    }))

  it.effect("fails with RetryBudgetExhaustedError", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.makeUnsafe({ capacity: 20 })
      const stream = RetryBudget.retryStream(streaming("timeout", "timeout"), options(budget))
      const tags = stream.pipe(
        Stream.catchTag("RetryBudgetExhaustedError", (error) => Stream.make(error.cost)),
        Stream.runCollect
      )
      assert.deepStrictEqual(yield* tags, [14])
    }))

  it.effect("counts a stream that fails after its content as failed", () =>
    Effect.gen(function*() {
      const level = yield* levelAfter((budget) =>
        Stream.runDrain(RetryBudget.retryStream(
          Stream.concat(streaming("timeout"), Stream.fail(new Failure("timeout"))),
          options(budget)
        ))
      )
      assert.strictEqual(level, -14)
    }))

  it.effect("counts a stream that its consumer leaves as a success", () =>
    Effect.gen(function*() {
      const level = yield* levelAfter((budget) =>
        Stream.runDrain(Stream.take(
          RetryBudget.retryStream(Stream.forever(Stream.make("x")), options(budget)),
          3
        ))
      )
      assert.strictEqual(level, 1)
    }))
})

describe("the events of a budget", () => {
  it.effect("tell what was withdrawn, deposited and denied, and nothing of what changes nothing", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make({ capacity: 20 })
      const events: Array<ResilienceEvent.ResilienceEvent> = []
      const call = (...kinds: ReadonlyArray<Verdict.RetryKind | "stop">) =>
        Effect.exit(RetryBudget.retry(failing(...kinds), { schedule: atOnce, budget }))
      yield* ResilienceEvent.listen(
        Effect.andThen(call(), Effect.andThen(call("timeout"), call("timeout", "timeout"))),
        (event) => {
          if (event._tag.startsWith("Budget")) events.push(event)
        }
      )
      assert.deepStrictEqual(events, [
        { _tag: "BudgetWithdrawn", cost: 14, level: 6 },
        { _tag: "BudgetDeposited", amount: 14, level: 20 },
        { _tag: "BudgetWithdrawn", cost: 14, level: 6 },
        { _tag: "BudgetExhausted", cost: 14, level: 6 }
      ])
    }))
})

describe("regressions of others", () => {
  it.effect("retry amplification: an outage gets no more requests than calls and what the bucket pays for", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make()
      let requests = 0
      const call = Effect.suspend(() => {
        requests += 1
        return Effect.fail(new Failure("serverError"))
      }).pipe(RetryBudget.retry({ schedule: RetrySchedule.standard({ base: 0, attempts: 10 }), budget }), Effect.exit)
      yield* Effect.all(Array.from({ length: 1000 }, () => call), { concurrency: "unbounded", discard: true })
      assert.strictEqual(requests, 1000 + Math.floor(500 / 14))
    }))

  it.effect(
    "budget miscounts: a hundred thousand calls of all sorts leave the bucket as full as it was",
    () =>
      Effect.gen(function*() {
        const budget = yield* RetryBudget.make()
        const schedule = RetrySchedule.standard({ base: 0 })
        for (let i = 0; i < 100_000; i++) {
          const kinds = i % 3 === 0 ? ["timeout" as const] : i % 3 === 1 ? ["rejected" as const] : []
          yield* RetryBudget.retry(failing(...kinds), { schedule, budget })
        }
        assert.strictEqual(yield* budget.level, 500)
      }),
    30_000
  )
})
