import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeEvents from "@effect-claude/client/ClaudeEvents"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { createMessage, runFor, streamEvents, using } from "./support.ts"

const pipeline = (steps: ReadonlyArray<Parameters<typeof ClaudeTest.script>[0][number]>) =>
  ClaudeTest.script(steps).pipe(
    ClaudeLayer.withRetry(Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 2 }))),
    ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] }),
    ClaudeLayer.withDeadline("1 minute"),
    ClaudeLayer.withTelemetry({ logs: false })
  )

/** What a subscriber has seen when the call is over. */
const seenDuring = <A, R>(call: Effect.Effect<A, ClaudeError, R>) =>
  Effect.gen(function*() {
    const seen: Array<ClaudeEvents.ClaudeEvent> = []
    const watching = yield* ClaudeEvents.stream.pipe(
      Stream.runForEach((event) => Effect.sync(() => seen.push(event))),
      Effect.forkChild({ startImmediately: true })
    )
    const { result } = yield* runFor(call, "5 minutes")
    yield* Fiber.interrupt(watching)
    return { seen, result }
  })

const observe = (call: Effect.Effect<unknown, ClaudeError, ClaudeService>, layer: Layer.Layer<ClaudeService>) =>
  using(seenDuring(call), layer.pipe(Layer.provideMerge(ClaudeEvents.layer())))

const tags = (seen: ReadonlyArray<ClaudeEvents.ClaudeEvent>) => seen.map(({ event }) => event._tag)

describe("ClaudeEvents", () => {
  it.effect("tell a call from its start to its end, with what policies decide in between", () =>
    Effect.gen(function*() {
      for (const call of [createMessage, streamEvents]) {
        const steps = [
          Fault.overloaded({ requestId: "req_1" }),
          Fault.overloaded(),
          Fault.overloaded(),
          Reply.text("hi")
        ]
        const { seen } = yield* observe(call, pipeline(steps))
        assert.deepStrictEqual(tags(seen), [
          "CallStarted",
          "AttemptFailed",
          "RetryScheduled",
          "AttemptFailed",
          "RetryScheduled",
          "AttemptFailed",
          "RetriesEnded",
          "FallbackSwitched",
          "CallEnded"
        ])
        const start = seen[0]?.at ?? 0
        assert.deepStrictEqual(seen.map(({ at }) => at - start), [0, 0, 0, 1000, 1000, 2000, 2000, 2000, 2000])
        assert.strictEqual(new Set(seen.map(({ callId }) => callId)).size, 1)
        assert.isTrue(seen.every(({ model, operation }) => model === "claude-sonnet-5-5" && operation === "chat"))
        assert.deepStrictEqual(seen[1]?.event, {
          _tag: "AttemptFailed",
          attempt: 1,
          model: "claude-sonnet-5-5",
          error: "OverloadedError",
          verdict: "overloaded",
          requestId: "req_1",
          status: 529
        })
        assert.deepInclude(seen.at(-1)?.event, {
          _tag: "CallEnded",
          outcome: "success",
          duration: Duration.seconds(2),
          attempts: 4,
          source: "claude-haiku-5-5"
        })
      }
    }))

  it.effect("tell what a call failed with, and that it was interrupted", () =>
    Effect.gen(function*() {
      for (const call of [Effect.asVoid(createMessage), Effect.asVoid(streamEvents)]) {
        const failed = yield* observe(call, pipeline([Fault.authentication({ requestId: "req_1" })]))
        assert.deepInclude(failed.seen.at(-1)?.event, {
          _tag: "CallEnded",
          outcome: "failure",
          error: "AuthenticationError",
          requestId: "req_1"
        })
        const late = yield* observe(call, pipeline([Fault.hang()]))
        assert.deepStrictEqual(tags(late.seen), ["CallStarted", "DeadlineExceeded", "CallEnded"])
        assert.deepInclude(late.seen.at(-1)?.event, { outcome: "failure", error: "DeadlineExceededError" })
        const left = yield* observe(Effect.timeoutOption(call, "1 second"), pipeline([Fault.hang()]))
        assert.deepStrictEqual(tags(left.seen), ["CallStarted", "CallEnded"])
        assert.deepInclude(left.seen.at(-1)?.event, { outcome: "interrupted", duration: Duration.seconds(1) })
      }
    }))

  it.effect("go to the hub where the call is made, if there is none where the layer is built", () =>
    Effect.gen(function*() {
      const test = Effect.provide(seenDuring(createMessage), ClaudeEvents.layer())
      const { seen } = yield* using(test, pipeline([Reply.text("hi")]))
      assert.deepStrictEqual(tags(seen), ["CallStarted", "CallEnded"])
    }))

  it.effect("of calls at the same time are told apart by their id", () =>
    Effect.gen(function*() {
      const three = Effect.all([createMessage, createMessage, createMessage], { concurrency: "unbounded" })
      const { seen } = yield* observe(
        three,
        pipeline([Fault.overloaded(), Reply.text("1"), Reply.text("2"), Reply.text("3")])
      )
      const byCall = Map.groupBy(seen, ({ callId }) => callId)
      assert.deepStrictEqual(
        [...byCall.values()].map((events) => tags(events).length).sort((a, b) => a - b),
        [2, 2, 4]
      )
    }))

  it.effect("are published once by two telemetry layers", () =>
    Effect.gen(function*() {
      for (const call of [createMessage, streamEvents]) {
        const { seen } = yield* observe(
          call,
          pipeline([Fault.overloaded(), Reply.text("hi")]).pipe(ClaudeLayer.withTelemetry({ logs: false }))
        )
        assert.deepStrictEqual(tags(seen), ["CallStarted", "AttemptFailed", "RetryScheduled", "CallEnded"])
      }
    }))

  it.effect("reach a listener further out as well", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const call = ResilienceEvent.listen(createMessage, (event) => {
        heard.push(event._tag)
      })
      const { seen } = yield* observe(call, pipeline([Fault.overloaded(), Reply.text("hi")]))
      assert.deepStrictEqual(heard, ["RetryScheduled"])
      assert.include(tags(seen), "RetryScheduled")
    }))

  it.effect("a listener that throws and a subscriber that sleeps do not touch the call", () =>
    Effect.gen(function*() {
      const test = Effect.gen(function*() {
        const seen: Array<number> = []
        const sleeping = yield* ClaudeEvents.stream.pipe(
          Stream.runForEach(({ callId }) =>
            Effect.andThen(Effect.sleep("1 hour"), Effect.sync(() => seen.push(callId)))
          ),
          Effect.forkChild({ startImmediately: true })
        )
        const throwing = ResilienceEvent.listen(createMessage, () => {
          throw new Error("not today")
        })
        const many = Effect.replicateEffect(throwing, 100)
        const { millis, result } = yield* runFor(many, "5 minutes")
        assert.isTrue(Result.isSuccess(result))
        assert.strictEqual(millis, 100_000)
        yield* TestClock.adjust("20 hours")
        yield* Fiber.interrupt(sleeping)
        // The oldest are dropped: of 400 events those being handled, and the last ten.
        assert.isBelow(seen.length, 30)
      })
      const steps = Array.from({ length: 100 }, () => [Fault.overloaded(), Reply.text("hi")]).flat()
      yield* using(test, pipeline(steps).pipe(Layer.provideMerge(ClaudeEvents.layer({ capacity: 10 }))))
    }))

  it.effect("without a hub nobody is asked, and a hub needs a capacity", () =>
    Effect.gen(function*() {
      const { result } = yield* using(runFor(createMessage, "1 minute"), pipeline([Reply.text("hi")]))
      assert.isTrue(Result.isSuccess(result))
      for (const capacity of [0, -1, 1.5, Number.NaN]) {
        assert.throws(() => ClaudeEvents.layer({ capacity }), RangeError, "capacity")
      }
    }))
})
