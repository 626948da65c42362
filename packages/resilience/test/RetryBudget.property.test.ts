import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { TestClock } from "effect/testing"
import { type Options, type Outcome, RetryBudgetModel } from "./RetryBudgetModel.ts"

interface Failure {
  readonly verdict: Verdict.Verdict
}

const sequences = 1000
const steps = 60
const callers = 8
const failures = ["rateLimited", "serverError", "connection", "rejected", "rejected", "stop"] as const

const between = (least: number, most: number) => Random.nextIntBetween(least, most)
const oneOf = <A>(...values: ReadonlyArray<A>) => Effect.orDie(Random.choice(values))

/** A call in flight, whose attempts end as they are told to. */
class Caller {
  fiber: Fiber.Fiber<void, Failure | "exhausted"> | undefined
  attempt: Deferred.Deferred<void, Failure> | undefined

  readonly run = Effect.suspend(() => {
    const attempt = this.attempt = Deferred.makeUnsafe<void, Failure>()
    return Deferred.await(attempt)
  })

  outcome(): Outcome | undefined {
    const exit = this.fiber?.pollUnsafe()
    if (exit === undefined) return undefined
    if (Exit.isSuccess(exit)) return "succeeded"
    if (Cause.hasInterruptsOnly(exit.cause)) return "interrupted"
    return Cause.squash(exit.cause) === "exhausted" ? "exhausted" : "failed"
  }
}

const settle = TestClock.adjust(0)

const sequence = Effect.gen(function*() {
  const options: Options = {
    capacity: yield* oneOf(20, 60, 500),
    refillPerMilli: yield* oneOf(0, 0, 0.01),
    rejectedCost: yield* oneOf(0, 0, 2),
    retries: yield* between(0, 4),
    wait: yield* oneOf(0, 1, 700)
  }
  const model = new RetryBudgetModel(options)
  const budget = yield* RetryBudget.make({
    capacity: options.capacity,
    costs: { rejected: options.rejectedCost },
    ...(options.refillPerMilli === 0 ? {} : { refill: { tokens: options.refillPerMilli * 1000, every: "1 second" } })
  })
  const schedule = Schedule.spaced(options.wait).pipe(
    Schedule.setInputType<Failure>(),
    Schedule.while(({ attempt, input }) => input.verdict._tag === "Retry" && attempt <= options.retries)
  )
  const log: Array<string> = []
  const all = Array.from({ length: yield* oneOf(1, 2, callers) }, () => new Caller())

  const act = Effect.gen(function*() {
    const number = yield* between(0, all.length - 1)
    const caller = all[number] as Caller
    if (model.isIdle(number)) {
      const weight = yield* oneOf(1, 1, 2, 7.5)
      log.push(`${number} starts, weight ${weight}`)
      model.start(number, weight)
      const call = RetryBudget.retry(caller.run, { schedule, budget, weight, onExhausted: () => "exhausted" as const })
      caller.fiber = yield* Effect.forkChild(call)
      return
    }
    const isWaiting = model.isWaiting(number)
    const what = yield* between(0, 9)
    if (what === 0 || (isWaiting && what < 3)) {
      log.push(`${number} is interrupted${isWaiting ? " in its wait" : ""}`)
      const expected = model.interrupt(number)
      yield* Fiber.interrupt(caller.fiber as Fiber.Fiber<unknown, unknown>)
      assert.strictEqual(caller.outcome(), expected)
      return
    }
    if (isWaiting) return
    const attempt = caller.attempt as Deferred.Deferred<void, Failure>
    if (what < 4) {
      log.push(`${number} succeeds`)
      const expected = model.succeed(number)
      yield* Deferred.succeed(attempt, undefined)
      yield* settle
      assert.strictEqual(caller.outcome(), expected)
      return
    }
    const kind = yield* oneOf(...failures)
    log.push(`${number} fails: ${kind}`)
    const expected = model.fail(number, kind)
    yield* Deferred.fail(attempt, { verdict: kind === "stop" ? Verdict.stop : Verdict.retry(kind) })
    yield* settle
    assert.strictEqual(caller.outcome(), expected)
  })

  const step = Effect.gen(function*() {
    const what = yield* between(0, 11)
    if (what < 9) {
      yield* act
    } else if (what < 11) {
      const millis = yield* oneOf(1, 500, 5000, 86_400_000)
      log.push(`${millis} ms pass`)
      model.advance(millis)
      yield* TestClock.adjust(millis)
    } else if (yield* Random.nextBoolean) {
      log.push("somebody puts 9 tokens in")
      model.give(9)
      yield* budget.deposit(9)
    } else {
      log.push("somebody takes 11 tokens out")
      assert.strictEqual(yield* budget.withdraw(11), model.take(11))
    }
    yield* settle
    const level = yield* budget.level
    assert.closeTo(level, model.level, 1e-6)
    assert.isAtLeast(level, 0)
    assert.isAtMost(level, options.capacity)
  })

  yield* Effect.repeat(step, { times: steps - 1 }).pipe(
    Effect.catchDefect((defect) =>
      Effect.die(new Error(`${String(defect)}\n${JSON.stringify(options)}\n${log.join("\n")}`, { cause: defect }))
    )
  )
  for (const { fiber } of all) {
    if (fiber !== undefined) yield* Fiber.interrupt(fiber)
  }
})

describe("RetryBudget agrees with a model", () => {
  it.effect(
    `in ${sequences} random sequences of up to ${callers} callers`,
    () =>
      Effect.forEach(Array.from({ length: sequences }, (_, index) => `budget ${index}`), (seed) =>
        sequence.pipe(
          Random.withSeed(seed),
          Effect.catchDefect((defect) => Effect.die(new Error(`seed "${seed}": ${String(defect)}`)))
        ), { discard: true }),
    60_000
  )
})
