import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService, type MessageRequest } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as Tracer from "effect/Tracer"
import { calls, createMessage, request, runFor, streamEvents, using } from "./support.ts"

const second = { delay: "1 second" } as const

const outcomes = Effect.map(calls, (all) => all.map(({ outcome }) => outcome._tag))

const textOf = (events: Iterable<MessageEvents.MessageEvent>) =>
  Stream.mkString(MessageEvents.text(Stream.fromIterable(events)))

const listening = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const events: Array<ResilienceEvent.ResilienceEvent> = []
  return Effect.map(
    ResilienceEvent.listen(effect, (event) => {
      events.push(event)
    }),
    () => events.filter(({ _tag }) => _tag.startsWith("Hedge"))
  )
}

const script = (...steps: ReadonlyArray<ClaudeTest.Step>) => ClaudeTest.script(steps)

/** An answer whose message starts at once and whose content takes its time. */
const startsAndStalls = (text: string, millis: number) => {
  const events = MessageEvents.fromMessage(Reply.message(text, { usage: { input_tokens: 321, output_tokens: 1 } }))
  return Reply.events([...events.slice(0, 1), { type: "ping" }, Reply.pause(millis), ...events.slice(1)])
}

describe("ClaudeLayer.withHedge", () => {
  it.effect("takes the second answer when the first is late, and cancels the first", () =>
    Effect.gen(function*() {
      const { millis, result } = yield* runFor(createMessage, "1 minute")
      assert.isTrue(Result.isSuccess(result))
      assert.strictEqual(millis, 1500)
      assert.deepStrictEqual(yield* outcomes, ["Interrupted", "Succeeded"])
    }).pipe((test) =>
      using(
        test,
        script(Fault.hang(), Reply.text("hi").pipe(ClaudeTest.delayed("500 millis"))).pipe(
          ClaudeLayer.withHedge(second)
        )
      )
    ))

  it.effect("hedges a stream until its first content; one answer comes out, whole", () =>
    Effect.gen(function*() {
      const { millis, result } = yield* runFor(streamEvents, "1 minute")
      assert.isTrue(Result.isSuccess(result))
      if (Result.isFailure(result)) return
      assert.strictEqual(yield* textOf(result.success), "fast")
      assert.strictEqual(result.success.filter(({ type }) => type === "message_start").length, 1)
      assert.strictEqual(millis, 1200)
      assert.deepStrictEqual(yield* outcomes, ["Interrupted", "Succeeded"])
    }).pipe((test) =>
      using(
        test,
        script(startsAndStalls("slow", 60_000), startsAndStalls("fast", 200)).pipe(ClaudeLayer.withHedge(second))
      )
    ))

  it.effect("tells what the loser used: what its stream had said, or an estimate", () =>
    Effect.gen(function*() {
      const ofStream = yield* listening(runFor(streamEvents, "1 minute"))
      assert.deepStrictEqual(ofStream, [
        { _tag: "HedgeStarted", hedge: 1, delay: Duration.seconds(1) },
        { _tag: "HedgeWon", hedge: 1 },
        { _tag: "HedgeLost", hedge: 0, inputTokens: 321, outputTokens: 0 }
      ])
      const ofMessage = yield* listening(runFor(createMessage, "1 minute"))
      assert.deepInclude(ofMessage, { _tag: "HedgeLost", hedge: 0, inputTokens: 77 })
    }).pipe((test) =>
      using(
        test,
        script(startsAndStalls("slow", 60_000), Reply.text("fast"), Fault.hang(), Reply.text("fast")).pipe(
          ClaudeLayer.withHedge({ ...second, estimate: () => 77 })
        )
      )
    ))

  it.effect("draws on the budget around, and goes on without a hedge when that is empty", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const level = ClaudeLayer.controls(claude).retryBudget?.level ?? Effect.die("no budget")
      yield* runFor(createMessage, "1 minute")
      assert.strictEqual(yield* level, 1)
      const { millis, result } = yield* runFor(createMessage, "1 minute")
      assert.isTrue(Result.isSuccess(result))
      assert.strictEqual(millis, 5000)
      assert.strictEqual(yield* level, 2)
    }).pipe((test) =>
      using(
        test,
        script(Fault.hang(), Reply.text("hedge"), Reply.text("late").pipe(ClaudeTest.delayed("5 seconds"))).pipe(
          ClaudeLayer.withHedge(second),
          ClaudeLayer.withRetry(),
          ClaudeLayer.withRetryBudget({ capacity: 15 })
        )
      )
    ))

  it.effect("is inside of the retry: a call whose attempts all fail is retried with hedges of its own", () =>
    Effect.gen(function*() {
      const { result } = yield* runFor(createMessage, "1 minute")
      assert.isTrue(Result.isSuccess(result))
      assert.deepStrictEqual((yield* calls).map(({ attempt }) => attempt), [1, 1, 2, 2])
    }).pipe((test) =>
      using(
        test,
        script(
          Fault.overloaded().pipe(ClaudeTest.delayed("2 seconds")),
          Fault.overloaded(),
          Fault.hang(),
          Reply.text("hi")
        ).pipe(ClaudeLayer.withHedge(second), ClaudeLayer.withRetry())
      )
    ))

  const tool = { name: "lookup", input_schema: { type: "object" as const } }
  const requests: Readonly<Record<string, readonly [MessageRequest, number]>> = {
    "a plain request": [request, 2],
    "tools of the program": [{ ...request, tools: [tool, { type: "bash_20250124", name: "bash" }] }, 2],
    "the result of a tool, which was run on the answer before": [
      {
        ...request,
        tools: [tool],
        messages: [{ role: "user", content: [{ type: "tool_result", tool_use_id: "t", content: "42" }] }]
      },
      2
    ],
    "a search of the API": [{ ...request, tools: [{ type: "web_search_20250305", name: "web_search" }] }, 1],
    "code that the API runs": [
      { ...request, tools: [tool, { type: "code_execution_20250825", name: "code_execution" }] },
      1
    ],
    "a container": [Object.assign({ container: "container_1" }, request), 1],
    "a thread": [Object.assign({ thread: { type: "continue", id: "thread_1" } }, request), 1],
    "tools that are no list": [Object.assign({}, request, { tools: {} }), 2],
    "MCP servers": [Object.assign({ mcp_servers: [] }, request), 1]
  }
  for (const [name, [given, expected]] of Object.entries(requests)) {
    it.effect(`sends ${expected === 1 ? "once" : "twice"}: ${name}`, () =>
      Effect.gen(function*() {
        const claude = yield* ClaudeService
        yield* runFor(claude.createMessage(given), "1 minute")
        yield* runFor(Stream.runDrain(claude.streamMessage(given)), "1 minute")
        assert.strictEqual((yield* calls).length, 2 * expected)
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([], { after: Reply.text("hi").pipe(ClaudeTest.delayed("2 seconds")) }).pipe(
            ClaudeLayer.withHedge(second)
          )
        )
      ))
  }

  it.effect("a hedge that an isolated circuit turns away neither fails the call nor costs anything", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const { circuitBreaker, retryBudget } = ClaudeLayer.controls(claude)
      const fiber = yield* Effect.forkChild(createMessage, { startImmediately: true })
      yield* circuitBreaker?.isolate(request.model) ?? Effect.die("no breaker")
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).stop_reason, "end_turn")
      assert.strictEqual(yield* retryBudget?.level ?? Effect.die("no budget"), 500)
    }).pipe((test) =>
      using(
        test,
        script(Reply.text("hi").pipe(ClaudeTest.delayed("3 seconds"))).pipe(
          ClaudeLayer.withCircuitBreaker(),
          ClaudeLayer.withHedge(second),
          ClaudeLayer.withRetryBudget()
        )
      )
    ))

  it.effect("hedges what hedgeWhen allows, and never a count of tokens", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      yield* runFor(createMessage, "1 minute")
      assert.strictEqual((yield* calls).length, 1)
      yield* runFor(claude.createMessage({ ...request, max_tokens: 7 }), "1 minute")
      assert.strictEqual((yield* calls).length, 3)
      yield* runFor(claude.countTokens({ model: request.model, messages: request.messages }), "1 minute")
      assert.strictEqual((yield* calls).length, 4)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], { after: Reply.text("hi").pipe(ClaudeTest.delayed("2 seconds")) }).pipe(
          ClaudeLayer.withHedge({ ...second, hedgeWhen: ({ max_tokens }) => max_tokens === 7 })
        )
      )
    ))

  it.effect("learns the delay of each model by itself, of streams and messages apart", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const sonnet = claude.createMessage(request)
      const opus = claude.createMessage({ ...request, model: "claude-opus-5-5" })
      yield* Effect.forEach(Array.from({ length: 30 }), () => runFor(sonnet, "3 seconds"))
      assert.strictEqual((yield* calls).length, 30)
      const slow = Effect.map(calls, (all) => all.length)
      const sentBy = (call: typeof sonnet) =>
        Effect.gen(function*() {
          const before = yield* slow
          yield* runFor(call, "1 minute")
          return (yield* slow) - before
        })
      assert.strictEqual(yield* sentBy(sonnet), 2)
      assert.strictEqual(yield* sentBy(opus), 1)
      assert.strictEqual(yield* sentBy(Effect.as(Stream.runDrain(claude.streamMessage(request)), Reply.message(""))), 1)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script(Array.from({ length: 30 }, () => Reply.text("hi").pipe(ClaudeTest.delayed("1 second"))), {
          after: Reply.text("hi").pipe(ClaudeTest.delayed("20 seconds"))
        }).pipe(ClaudeLayer.withHedge({ delay: { quantile: 0.9, minimumSamples: 10, window: 20 } }))
      )
    ))

  it.effect("gives each attempt a span of its own, within that of the call", () =>
    Effect.gen(function*() {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      yield* Effect.provideService(
        Effect.andThen(runFor(createMessage, "1 minute"), runFor(streamEvents, "1 minute")),
        Tracer.Tracer,
        tracer
      )
      const expected = ["chat claude-sonnet-5-5", "attempt", "attempt"]
      assert.deepStrictEqual(spans.map(({ name }) => name), [...expected, ...expected])
      for (const [parent, attempts] of [[spans[0], spans.slice(1, 3)], [spans[3], spans.slice(4)]] as const) {
        for (const { parent: own, status } of attempts) {
          assert.strictEqual(Option.getOrUndefined(own)?.spanId, parent?.spanId)
          assert.strictEqual(status._tag, "Ended")
        }
      }
    }).pipe((test) =>
      using(
        test,
        script(Fault.hang(), Reply.text("hi"), startsAndStalls("slow", 60_000), Reply.text("hi")).pipe(
          ClaudeLayer.withHedge(second),
          ClaudeLayer.withTelemetry()
        )
      )
    ))

  it("refuses a delay that is none", () => {
    assert.throws(
      () => ClaudeLayer.withHedge({ delay: 0 }),
      RangeError,
      `ClaudeLayer.withHedge: option "delay" must be a finite duration longer than zero, got 0`
    )
    assert.throws(() => ClaudeLayer.withHedge({ delay: { quantile: 2 } }), RangeError, `option "delay.quantile"`)
  })

  it.effect("does nothing to a service that answers at once", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* createMessage).stop_reason, "end_turn")
      assert.strictEqual(yield* textOf(yield* streamEvents), "hi")
      assert.strictEqual((yield* calls).length, 2)
    }).pipe((test) =>
      using(
        test,
        script(Reply.text("hi"), Reply.text("hi")).pipe(ClaudeLayer.withHedge(), (layer) => Layer.fresh(layer))
      )
    ))
})
