import * as Hedge from "@effect-claude/resilience/Hedge"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"

/** An element, a time to let pass, or a failure. */
type Part = string | number | { readonly error: string }

/** Attempts as lists of parts, and what became of them. */
const serviceOf = (...attempts: ReadonlyArray<ReadonlyArray<Part>>) => {
  const log: Array<string> = []
  const stream = Stream.unwrap(Effect.map(Hedge.CurrentHedge, (number) => {
    log.push(`start ${number}`)
    const parts: ReadonlyArray<Part> = attempts[number] ?? [{ error: `no attempt ${number} is expected` }]
    return Stream.fromIterable(parts).pipe(
      Stream.rechunk(1),
      Stream.flatMap((part) =>
        typeof part === "number"
          ? Stream.drain(Stream.fromEffect(Effect.sleep(part)))
          : typeof part === "string"
          ? Stream.make(part)
          : Stream.fail(part.error)
      ),
      Stream.onExit((exit) =>
        Effect.sync(() => {
          log.push(`${Exit.isSuccess(exit) ? "end" : Exit.hasInterrupts(exit) ? "interrupted" : "failure"} ${number}`)
        })
      )
    )
  }))
  return { stream, log }
}

const isTransparent = (element: string) => element === "ping"
const isEvent = (element: string) => element.startsWith("text")

/** What the consumer sees and when, and how it ends. */
const observe = <E>(stream: Stream.Stream<string, E>, millis = 60_000) =>
  Effect.gen(function*() {
    const begin = yield* Clock.currentTimeMillis
    const seen: Array<string> = []
    const fiber = yield* stream.pipe(
      Stream.runForEach((element) =>
        Effect.map(Clock.currentTimeMillis, (now) => seen.push(`${element} at ${now - begin}`))
      ),
      Effect.result,
      Effect.forkChild
    )
    yield* TestClock.adjust(millis)
    assert.isDefined(fiber.pollUnsafe(), `still running after ${seen.join()}`)
    return { result: yield* Fiber.join(fiber), seen }
  })

const second = { delay: "1 second" } as const
const elementsOf = (seen: ReadonlyArray<string>) => seen.map((line) => line.split(" at ")[0])

describe("hedgeStream", () => {
  it.effect("is the stream itself when its first event is in time, however long the rest takes", () =>
    Effect.gen(function*() {
      const { log, stream } = serviceOf([900, "text a", 5000, "text b"])
      const { hedgeStream } = yield* Hedge.make(second)
      const { seen } = yield* observe(hedgeStream(stream))
      assert.deepStrictEqual(seen, ["text a at 900", "text b at 5900"])
      assert.deepStrictEqual(log, ["start 0", "end 0"])
    }))

  it.effect("goes on with the attempt that has the first event, and closes the other one at once", () =>
    Effect.gen(function*() {
      const { log, stream } = serviceOf([5000, "text slow"], [200, "text a", 300, "text b", 10_000, "text c"])
      const { hedgeStream } = yield* Hedge.make(second)
      const { seen } = yield* observe(hedgeStream(stream))
      assert.deepStrictEqual(seen, ["text a at 1200", "text b at 1500", "text c at 11500"])
      assert.deepStrictEqual(log, ["start 0", "start 1", "interrupted 0", "end 1"])
    }))

  it.effect("stays with the first attempt if that has the first event", () =>
    Effect.gen(function*() {
      const { log, stream } = serviceOf([1100, "text a", 500, "text b"], [200, "text other"])
      const { hedgeStream } = yield* Hedge.make(second)
      const { seen } = yield* observe(hedgeStream(stream))
      assert.deepStrictEqual(seen, ["text a at 1100", "text b at 1600"])
      assert.deepStrictEqual(log, ["start 0", "start 1", "interrupted 1", "end 0"])
    }))

  it.effect("holds back what comes before the first event, and gives it out once, in order", () =>
    Effect.gen(function*() {
      const { stream } = serviceOf(["start 0", 5000, "text slow"], ["start 1", 500, "meta", "text a", "text b"])
      const { hedgeStream } = yield* Hedge.make(second)
      const { seen } = yield* observe(hedgeStream(stream, { isEvent }))
      assert.deepStrictEqual(seen, ["start 1 at 1500", "meta at 1500", "text a at 1500", "text b at 1500"])
    }))

  it.effect("lets transparent elements of every attempt pass at once", () =>
    Effect.gen(function*() {
      const { stream } = serviceOf(["start 0", 400, "ping", 8000, "text slow"], [300, "ping", "start 1", 300, "text a"])
      const { hedgeStream } = yield* Hedge.make(second)
      const { seen } = yield* observe(hedgeStream(stream, { isEvent, isTransparent }))
      assert.deepStrictEqual(seen, ["ping at 400", "ping at 1300", "start 1 at 1600", "text a at 1600"])
    }))

  it.effect("takes whatever is not transparent for an event unless it is told otherwise", () =>
    Effect.gen(function*() {
      const { log, stream } = serviceOf(["ping", 400, "start 0", 8000, "text a"])
      const { hedgeStream } = yield* Hedge.make(second)
      const { seen } = yield* observe(hedgeStream(stream, { isTransparent }))
      assert.deepStrictEqual(seen, ["ping at 0", "start 0 at 400", "text a at 8400"])
      assert.deepStrictEqual(log, ["start 0", "end 0"])
    }))

  it.effect("takes an end without any event for an answer", () =>
    Effect.gen(function*() {
      const { hedgeStream } = yield* Hedge.make(second)
      const { log, stream } = serviceOf(["start 0", 5000], ["start 1", 10])
      const { result, seen } = yield* observe(hedgeStream(stream, { isEvent }))
      assert.deepStrictEqual(seen, ["start 1 at 1010"])
      assert.strictEqual(result._tag, "Success")
      assert.sameMembers(log, ["start 0", "start 1", "interrupted 0", "end 1"])
      const empty = yield* observe(hedgeStream(Stream.empty))
      assert.deepStrictEqual(empty.seen, [])
      assert.strictEqual(empty.result._tag, "Success")
    }))

  it.effect("is no retry: a failure before the delay is the stream's, and what it held is dropped", () =>
    Effect.gen(function*() {
      const { log, stream } = serviceOf(["start 0", 500, { error: "cut" }])
      const { hedgeStream } = yield* Hedge.make(second)
      const { result, seen } = yield* observe(hedgeStream(stream, { isEvent }))
      assert.deepStrictEqual(seen, [])
      assert.deepInclude(result, { _tag: "Failure", failure: "cut" })
      assert.deepStrictEqual(log, ["start 0", "failure 0"])
    }))

  it.effect("waits for the attempt that runs when another one fails before its first event", () =>
    Effect.gen(function*() {
      const { hedgeStream } = yield* Hedge.make(second)
      const first = yield* observe(hedgeStream(serviceOf([1500, { error: "cut" }], [1000, "text a"]).stream))
      assert.deepStrictEqual(first.seen, ["text a at 2000"])
      const both = yield* observe(hedgeStream(serviceOf([1500, { error: "cut" }], [1000, { error: "late" }]).stream))
      assert.deepInclude(both.result, { _tag: "Failure", failure: "cut" })
    }))

  it.effect("passes a failure after the first event on, and hedges no more", () =>
    Effect.gen(function*() {
      const { log, stream } = serviceOf([500, "text a", 5000, { error: "cut" }])
      const { hedgeStream } = yield* Hedge.make(second)
      const { result, seen } = yield* observe(hedgeStream(stream))
      assert.deepStrictEqual(seen, ["text a at 500"])
      assert.deepInclude(result, { _tag: "Failure", failure: "cut" })
      assert.deepStrictEqual(log, ["start 0", "failure 0"])
    }))

  it.effect("loses and doubles nothing, wherever the two attempts stand when the hedge starts", () =>
    Effect.gen(function*() {
      const { hedgeStream } = yield* Hedge.make(second)
      const answer = (
        number: number
      ) => ["ping", `start ${number}`, `text ${number}a`, `text ${number}b`, `end ${number}`]
      for (const first of [0, 999, 1000, 1001, 1499, 1500, 1501, 3000]) {
        for (const hedge of [0, 1, 500, 5000]) {
          const { stream } = serviceOf([first, ...answer(0)], [hedge, ...answer(1)])
          const { seen } = yield* observe(hedgeStream(stream, { isEvent, isTransparent }))
          const elements = elementsOf(seen).filter((element) => element !== "ping")
          const winner = elements[0] === "start 1" ? 1 : 0
          assert.deepStrictEqual(elements, answer(winner).slice(1), `first ${first}, hedge ${hedge}`)
        }
      }
    }))

  it.effect("closes every attempt when its consumer leaves, before and after the first event", () =>
    Effect.gen(function*() {
      const { hedgeStream } = yield* Hedge.make(second)
      const before = serviceOf([60_000], [60_000])
      const fiber = yield* Effect.forkChild(Stream.runDrain(hedgeStream(before.stream)))
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(before.log, ["start 0", "start 1", "interrupted 0", "interrupted 1"])
      const after = serviceOf([60_000], ["text a", "text b", 60_000, "text c"])
      yield* observe(Stream.take(hedgeStream(after.stream), 2))
      assert.deepStrictEqual(after.log, ["start 0", "start 1", "interrupted 0", "end 1"])
    }))

  it.effect("releases the winner when the stream ends and not when its consumer does", () =>
    Effect.gen(function*() {
      const { hedgeStream } = yield* Hedge.make(second)
      const log: Array<string> = []
      const stream = Stream.unwrap(
        Effect.acquireRelease(Effect.succeed(Stream.make("text a")), () => Effect.sync(() => log.push("released")))
      )
      yield* Stream.concat(hedgeStream(stream), Stream.make("after")).pipe(
        Stream.runForEach((element) => Effect.sync(() => log.push(element)))
      )
      assert.deepStrictEqual(log, ["text a", "released", "after"])
    }))

  it.effect("keeps what the stream forks on its fiber alive until the stream ends", () =>
    Effect.gen(function*() {
      const { hedgeStream } = yield* Hedge.make(second)
      let ticks = 0
      const ticking = Effect.forkChild(Effect.forever(Effect.delay(Effect.sync(() => ticks++), "1 second")))
      const stream = Stream.drain(Stream.fromEffect(ticking)).pipe(
        Stream.concat(Stream.make("text a")),
        Stream.concat(Stream.drain(Stream.fromEffect(Effect.sleep("3500 millis"))))
      )
      yield* observe(hedgeStream(stream))
      assert.strictEqual(ticks, 3)
    }))

  it.effect("goes on after a pull that was interrupted", () =>
    Effect.gen(function*() {
      const { log, stream } = serviceOf([2500, "text slow"], [1000, "text a", "text b"])
      const { hedgeStream } = yield* Hedge.make(second)
      const scope = yield* Scope.make()
      const pull = yield* Scope.provide(Stream.toPull(hedgeStream(stream)), scope)
      const given = yield* Effect.forkChild(pull)
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interrupt(given)
      const taken = yield* Effect.forkChild(pull)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual([...(yield* Fiber.join(taken))], ["text a"])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(log, ["start 0", "start 1", "interrupted 0", "end 1"])
    }))

  it.live("a fiber that yields at any step does not sleep through the first event", () =>
    Effect.gen(function*() {
      const { hedgeStream } = yield* Hedge.make({ delay: "1 minute" })
      for (let operations = 5; operations < 60; operations++) {
        for (let yields = 0; yields < 12; yields++) {
          const late = Stream.fromEffect(Effect.as(Effect.repeat(Effect.yieldNow, { times: yields }), "event"))
          const listen = Effect.provideService(
            Stream.runCollect(hedgeStream(late)),
            References.MaxOpsBeforeYield,
            operations
          )
          const elements = yield* Effect.timeoutOption(listen, "500 millis")
          assert.deepStrictEqual(
            Option.getOrUndefined(elements),
            ["event"],
            `${operations} at a time, ${yields} yields`
          )
        }
      }
    }), 60_000)

  it.effect("tells what a loser had emitted", () =>
    Effect.gen(function*() {
      const { hedgeStream } = yield* Hedge.make(second)
      const losers: Array<Hedge.Loser<string>> = []
      const events: Array<ResilienceEvent.ResilienceEvent> = []
      const { stream } = serviceOf(["start 0", "ping", 5000, "text slow"], [500, "text a"])
      const hedged = hedgeStream(stream, {
        isEvent,
        isTransparent,
        onLoser: (loser) => {
          losers.push(loser)
          return { inputTokens: 100, outputTokens: 1 }
        }
      })
      yield* ResilienceEvent.listen(observe(hedged), (event) => {
        events.push(event)
      })
      assert.deepStrictEqual(losers, [{ hedge: 0, elapsed: Duration.millis(1500), elements: ["start 0"] }])
      assert.deepStrictEqual(events, [
        { _tag: "HedgeStarted", hedge: 1, delay: Duration.seconds(1) },
        { _tag: "HedgeWon", hedge: 1 },
        { _tag: "HedgeLost", hedge: 0, inputTokens: 100, outputTokens: 1 }
      ])
    }))

  it.effect("learns the times of first events, not of whole streams", () =>
    Effect.gen(function*() {
      const { delay, hedgeStream } = yield* Hedge.make({ delay: { quantile: 0.9, minimumSamples: 5, window: 10 } })
      const { stream } = serviceOf(["start 0", 20, "text a", 5000, "text b"])
      for (let i = 0; i < 5; i++) yield* observe(hedgeStream(stream, { isEvent }))
      assert.deepStrictEqual(yield* delay(), Option.some(Duration.millis(20)))
      for (let i = 0; i < 10; i++) yield* observe(hedgeStream(serviceOf([10, "text a"]).stream, { isEvent }))
      assert.deepStrictEqual(yield* delay(), Option.some(Duration.millis(10)))
    }))

  it.effect("draws on a budget, and goes on without a hedge when there is nothing left", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make({ capacity: 20 })
      const { hedgeStream } = yield* Hedge.make({ ...second, budget })
      yield* observe(hedgeStream(serviceOf([5000], ["text a"]).stream))
      assert.strictEqual(yield* budget.level, 6)
      const { log, stream } = serviceOf([5000, "text a"])
      const { seen } = yield* observe(hedgeStream(stream))
      assert.deepStrictEqual(seen, ["text a at 5000"])
      assert.deepStrictEqual(log, ["start 0", "end 0"])
      assert.strictEqual(yield* budget.level, 7)
    }))
})
