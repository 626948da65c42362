import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
import * as Hedge from "@effect-claude/resilience/Hedge"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { countSleeps } from "./SleepCounter.ts"

/** Rejections and exceptions of the process that nobody handled while an effect runs. */
const unhandledDuring = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const seen: Array<unknown> = []
      const note = (reason: unknown) => {
        seen.push(reason)
      }
      process.on("unhandledRejection", note)
      process.on("uncaughtException", note)
      return { note, seen }
    }),
    ({ seen }) => Effect.andThen(effect, Effect.as(TestClock.withLive(Effect.sleep("20 millis")), seen)),
    ({ note }) =>
      Effect.sync(() => {
        process.off("unhandledRejection", note)
        process.off("uncaughtException", note)
      })
  )

const isFirst = Effect.map(Hedge.CurrentHedge, (number) => number === 0)
const hangingFirst = <A>(loser: Effect.Effect<A>, answer: A) =>
  Effect.flatMap(isFirst, (first) => first ? loser : Effect.succeed(answer))

describe("unhandled rejections of hedge losers", () => {
  const losers: Readonly<Record<string, Effect.Effect<string>>> = {
    "a promise that rejects when it is aborted": Effect.promise((signal) =>
      new Promise<string>((_, reject) => {
        signal.addEventListener("abort", () => reject(new Error("aborted")))
      })
    ),
    "a promise that rejects after it was given up": Effect.promise((signal) =>
      new Promise<string>((_, reject) => {
        signal.addEventListener("abort", () => setTimeout(() => reject(new Error("too late")), 5))
      })
    ),
    "a finalizer that dies": Effect.ensuring(Effect.never, Effect.die("broken finalizer")),
    "a finalizer that dies later": Effect.ensuring(
      Effect.never,
      Effect.andThen(TestClock.withLive(Effect.sleep("5 millis")), Effect.die("broken finalizer"))
    )
  }
  for (const [name, loser] of Object.entries(losers)) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const { hedge, hedgeStream } = yield* Hedge.make({ delay: "1 second" })
        const seen = yield* unhandledDuring(Effect.gen(function*() {
          const call = hangingFirst(loser, "answer")
          const fiber = yield* Effect.forkChild(
            Effect.all([hedge(call), Stream.mkString(hedgeStream(Stream.fromEffect(call)))], { concurrency: 2 })
          )
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(yield* Fiber.join(fiber), ["answer", "answer"])
        }))
        assert.deepStrictEqual(seen, [])
      }))
  }

  it.effect("a winner does not wait for the finalizers of a loser, which run to their end", () =>
    Effect.gen(function*() {
      const { hedge } = yield* Hedge.make({ delay: "1 second" })
      let isFinalized = false
      const slow = Effect.ensuring(
        Effect.never,
        Effect.andThen(Effect.sleep("1 hour"), Effect.sync(() => isFinalized = true))
      )
      const fiber = yield* Effect.forkChild(hedge(hangingFirst(slow, "answer")))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), "answer")
      assert.isFalse(isFinalized)
      yield* TestClock.adjust("1 hour")
      assert.isTrue(isFinalized)
    }))
})

describe("a budget that miscounts or kills the hedged call", () => {
  it.effect("a call whose hedge cannot be paid for goes on, and is the same as without", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make({ capacity: 14 })
      yield* budget.withdraw(14)
      const { hedge } = yield* Hedge.make({ delay: "1 second", max: 3, budget })
      const events: Array<string> = []
      let attempts = 0
      const call = Effect.suspend(() => {
        attempts += 1
        return Effect.as(Effect.sleep("1 minute"), "answer")
      })
      const fiber = yield* hedge(call).pipe(
        ResilienceEvent.listen((event) => {
          events.push(event._tag === "HedgeSuppressed" ? `${event._tag} ${event.reason}` : event._tag)
        }),
        Effect.forkChild
      )
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(fiber), "answer")
      assert.strictEqual(attempts, 1)
      assert.strictEqual(yield* budget.level, 1)
      assert.deepStrictEqual(events, ["BudgetExhausted", "HedgeSuppressed budget", "BudgetDeposited"])
    }))

  it.effect("a hedge that an isolated circuit turns away neither fails the call nor costs anything", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make()
      const breaker = yield* CircuitBreaker.make()
      const { hedge } = yield* Hedge.make({ delay: "1 second", budget })
      const call = hedge(breaker.execute(Effect.delay(Effect.succeed("answer"), "3 seconds"), { key: "model" }))
      const fiber = yield* Effect.forkChild(call, { startImmediately: true })
      yield* breaker.isolate()
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "answer")
      assert.strictEqual(yield* budget.level, 500)
    }))

  it.effect("each hedge that starts is paid for once, whoever wins, fails or is interrupted", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make({ capacity: 1_000_000 })
      const { hedge } = yield* Hedge.make({ delay: "1 second", max: 2, budget })
      yield* budget.withdraw(500_000)
      let expected = 500_000
      yield* Effect.forEach(Array.from({ length: 500 }), () =>
        Effect.gen(function*() {
          let hedges = 0
          const call = Effect.gen(function*() {
            if ((yield* Hedge.CurrentHedge) > 0) hedges += 1
            yield* Effect.sleep(yield* Random.nextIntBetween(1, 4000))
            if (yield* Random.nextBoolean) return yield* Effect.fail("failure")
          })
          const fiber = yield* Effect.forkChild(Effect.exit(hedge(call)))
          yield* TestClock.adjust(yield* Random.nextIntBetween(1, 10_000))
          const exit = fiber.pollUnsafe()
          yield* Fiber.interrupt(fiber)
          const isClean = hedges === 0 && exit?._tag === "Success" && exit.value._tag === "Success"
          expected += (isClean ? 1 : 0) - 14 * hedges
          assert.strictEqual(yield* budget.level, expected)
        }))
    }).pipe(Random.withSeed("hedges")))
})

describe("retry amplification", () => {
  it.effect("retries and hedges of an outage share one bucket", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make()
      const { hedge } = yield* Hedge.make({ delay: "1 second", max: 2 })
      let requests = 0
      const request = Effect.suspend(() => {
        requests += 1
        return Effect.delay(Effect.fail({ verdict: Verdict.retry("timeout") }), "10 seconds")
      })
      const call = RetryBudget.retry(hedge(request), { schedule: RetrySchedule.standard({ attempts: 10 }), budget })
      const fiber = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 1000 }, () => Effect.exit(call)), { concurrency: "unbounded", discard: true })
      )
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(fiber)
      assert.strictEqual(requests, 1000 + Math.floor(500 / 14))
    }))
})

describe("lost cancellation, still billed", () => {
  const requests = () => {
    const signals: Array<AbortSignal> = []
    const send = Effect.flatMap(Hedge.CurrentHedge, (number) =>
      Effect.promise((signal) => {
        signals[number] = signal
        return number === 0 ? new Promise<string>(() => {}) : Promise.resolve("answer")
      }))
    return { send, signals }
  }

  it.effect("a loser's request is aborted when the winner has its answer, and the winner's is not", () =>
    Effect.gen(function*() {
      const { hedge } = yield* Hedge.make({ delay: "1 second" })
      const { send, signals } = requests()
      const fiber = yield* Effect.forkChild(hedge(send))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), "answer")
      assert.deepStrictEqual(signals.map(({ aborted }) => aborted), [true, false])
    }))

  it.effect("a losing stream's request is aborted at the first event, long before the stream ends", () =>
    Effect.gen(function*() {
      const { hedgeStream } = yield* Hedge.make({ delay: "1 second" })
      const { send, signals } = requests()
      const stream = Stream.concat(Stream.fromEffect(send), Stream.never)
      let seen = 0
      const fiber = yield* Effect.forkChild(
        Stream.runForEach(hedgeStream(stream), () => Effect.sync(() => seen++))
      )
      yield* TestClock.adjust("1 second")
      yield* TestClock.withLive(Effect.sleep("5 millis"))
      assert.strictEqual(seen, 1)
      assert.deepStrictEqual(signals.map(({ aborted }) => aborted), [true, false])
      yield* Fiber.interrupt(fiber)
    }))

  it.effect("all requests of a call that is interrupted are aborted", () =>
    Effect.gen(function*() {
      const { hedge } = yield* Hedge.make({ delay: "1 second", max: 2 })
      let aborted = 0
      const send = Effect.promise((signal) =>
        new Promise<never>(() => {
          signal.addEventListener("abort", () => aborted++)
        })
      )
      const fiber = yield* Effect.forkChild(hedge(send))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(aborted, 3)
    }))
})

describe("a loser that goes on", () => {
  it.effect("a hedge whose first step lets the first attempt win is cancelled like any other", () =>
    Effect.gen(function*() {
      const { hedge, hedgeStream } = yield* Hedge.make({ delay: "1 second" })
      for (const way of ["effect", "stream"] as const) {
        const answer = yield* Deferred.make<string>()
        let interrupted = 0
        const attempt = Effect.flatMap(isFirst, (first) =>
          first
            ? Deferred.await(answer)
            : Effect.andThen(Deferred.succeed(answer, "first"), Effect.never).pipe(
              Effect.onInterrupt(() => Effect.sync(() => interrupted++))
            ))
        const call = way === "effect" ? hedge(attempt) : Stream.mkString(hedgeStream(Stream.fromEffect(attempt)))
        const fiber = yield* Effect.forkChild(call)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(fiber), "first", way)
        assert.strictEqual(interrupted, 1, way)
      }
    }))

  it.live("nothing is left of a call, wherever its fibers yield", () =>
    Effect.gen(function*() {
      const { hedge } = yield* Hedge.make({ delay: "1 millis" })
      let running = 0
      const attempt = Effect.acquireUseRelease(
        Effect.sync(() => running++),
        () => Effect.flatMap(isFirst, (first) => first ? Effect.sleep("1 millis") : Effect.never),
        () => Effect.sync(() => running--)
      )
      for (let operations = 5; operations < 60; operations++) {
        yield* Effect.provideService(hedge(attempt), References.MaxOpsBeforeYield, operations)
        yield* Effect.sleep("2 millis")
        assert.strictEqual(running, 0, `${operations} at a time`)
      }
    }), 60_000)
})

describe("timer leaks", () => {
  it.effect("no timer and no attempt outlives its call, over 2,000 calls of all sorts", () =>
    countSleeps((sleeps) =>
      Effect.gen(function*() {
        let running = 0
        const { hedge, hedgeStream, keys } = yield* Hedge.make({
          delay: { quantile: 0.9, minimumSamples: 5 },
          maxKeys: 20
        })
        const attempt = Effect.gen(function*() {
          running += 1
          yield* Effect.sleep(yield* Random.nextIntBetween(1, 4000))
          if ((yield* Random.nextIntBetween(0, 3)) === 0) return yield* Effect.fail("failure")
        }).pipe(Effect.ensuring(Effect.sync(() => running--)))
        for (let i = 0; i < 2000; i++) {
          const key = `key ${i % 50}`
          const call = i % 2 === 0
            ? hedge(attempt, { key })
            : Stream.runDrain(hedgeStream(Stream.fromEffect(attempt), { key }))
          const fiber = yield* Effect.forkChild(Effect.exit(call))
          yield* TestClock.adjust(yield* Random.nextIntBetween(1, 6000))
          yield* Fiber.interrupt(fiber)
          assert.strictEqual(running, 0)
        }
        assert.strictEqual(sleeps.active(), 0)
        assert.strictEqual(yield* keys, 20)
      })
    ).pipe(Random.withSeed("leaks")))

  it.effect("a call that is answered, fails or is interrupted takes its timer with it", () =>
    countSleeps((sleeps) =>
      Effect.gen(function*() {
        const { hedge, hedgeStream } = yield* Hedge.make({ delay: "1 hour" })
        const calls = [
          hedge(Effect.sleep("1 second")),
          hedge(Effect.delay(Effect.fail("failure"), "1 second")),
          Stream.runDrain(hedgeStream(Stream.fromEffect(Effect.sleep("1 second")))),
          hedge(Effect.never),
          Stream.runDrain(hedgeStream(Stream.never))
        ]
        for (const call of calls) {
          const fiber = yield* Effect.forkChild(call)
          yield* TestClock.adjust("2 seconds")
          yield* Fiber.interrupt(fiber)
          assert.strictEqual(sleeps.active(), 0)
        }
      })
    ))

  it.effect("a call that is answered at once arms no timer", () =>
    countSleeps((sleeps) =>
      Effect.gen(function*() {
        const { hedge } = yield* Hedge.make({ delay: "1 second" })
        yield* hedge(Effect.void)
        assert.strictEqual(sleeps.started(), 0)
      })
    ))
})
