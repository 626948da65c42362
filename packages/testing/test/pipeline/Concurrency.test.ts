import { ConcurrencyLimitError, OverloadedError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import { fromMessage } from "@effect-claude/client/MessageEvents"
import { withPriority } from "@effect-claude/resilience/Admission"
import * as Deadline from "@effect-claude/resilience/Deadline"
import * as Verdict from "@effect-claude/resilience/Verdict"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { calls, createMessage, request, streamEvents, using } from "./support.ts"

const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const { model } = request

const state = (key = model) =>
  Effect.flatMap(
    ClaudeService,
    (claude) => ClaudeLayer.controls(claude).concurrency?.state(key) ?? Effect.die("no concurrency limit")
  )

const slow = Reply.text("hi").pipe(ClaudeTest.delayed("10 seconds"))

describe("ClaudeLayer.withConcurrency with a fixed number of permits", () => {
  it.effect("lets so many calls through at once, and the others as they end", () =>
    Effect.gen(function*() {
      const fibers = yield* Effect.forEach([1, 2, 3, 4, 5], () => start(createMessage))
      assert.strictEqual((yield* calls).length, 2)
      assert.deepStrictEqual(yield* state(), { permits: 2, inFlight: 2, queued: 3 })
      yield* TestClock.adjust("30 seconds")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual((yield* calls).map(({ at }) => at), [0, 0, 10_000, 10_000, 20_000])
    }).pipe((test) =>
      using(test, ClaudeTest.script([], { after: slow }).pipe(ClaudeLayer.withConcurrency({ permits: 2 })))
    ))

  it.effect("turns calls away with an error that says that nothing was sent", () =>
    Effect.gen(function*() {
      yield* start(createMessage)
      for (const call of [Effect.asVoid(createMessage), Effect.asVoid(streamEvents)]) {
        const error = yield* Effect.flip(call)
        assert.instanceOf(error, ConcurrencyLimitError)
        assert.include(error, { model, reason: "queueFull" })
        assert.deepStrictEqual(error.verdict, Verdict.retry("rejected"))
        assert.strictEqual(
          error.message,
          `No permit for a call of ${model}, 1 of 1 are in use: the queue is full (0 waiting); nothing was sent`
        )
      }
      assert.strictEqual((yield* calls).length, 1)
    }).pipe((test) =>
      using(test, ClaudeTest.script([], { after: slow }).pipe(ClaudeLayer.withConcurrency({ permits: 1, queue: 0 })))
    ))

  it.effect("turns a call away after the queue timeout", () =>
    Effect.gen(function*() {
      yield* start(createMessage)
      const waiting = yield* start(Effect.flip(createMessage))
      yield* TestClock.adjust("3 seconds")
      assert.include(yield* Fiber.join(waiting), { _tag: "ConcurrencyLimitError", reason: "queueTimeout" })
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], { after: slow }).pipe(
          ClaudeLayer.withConcurrency({ permits: 1, queueTimeout: "3 seconds" })
        )
      )
    ))

  it.effect("has permits for each model, or for what `key` says", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const [first, second] = yield* Effect.forEach(
        [model, "claude-haiku-5-5"],
        (name) => start(Effect.exit(claude.createMessage({ ...request, model: name })))
      )
      const states = yield* ClaudeLayer.controls(claude).concurrency?.states ?? Effect.die("no concurrency limit")
      return { started: (yield* calls).length, keys: Array.from(states.keys()), fibers: [first, second] }
    }).pipe((test) =>
      Effect.gen(function*() {
        const layer = (options: ClaudeLayer.ConcurrencyOptions) =>
          ClaudeTest.script([], { after: slow }).pipe(ClaudeLayer.withConcurrency(options))
        const byModel = yield* using(test, layer({ permits: 1 }))
        assert.deepStrictEqual(byModel.keys, [model, "claude-haiku-5-5"])
        assert.strictEqual(byModel.started, 2)
        const shared = yield* using(test, layer({ permits: 1, key: () => "all models" }))
        assert.deepStrictEqual(shared.keys, ["all models"])
        assert.strictEqual(shared.started, 1)
      })
    ))

  it.effect("holds the permit of a stream until it ends", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const streaming = yield* start(Stream.runDrain(claude.streamMessage(request)))
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual((yield* state()).inFlight, 1)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(streaming)
      assert.strictEqual((yield* state()).inFlight, 0)
      yield* Stream.runDrain(Stream.take(claude.streamMessage(request), 1))
      assert.strictEqual((yield* state()).inFlight, 0)
    }).pipe((test) => {
      const [first, ...rest] = fromMessage(Reply.message("hi"))
      assert.isDefined(first)
      const long = Reply.events([...(first === undefined ? [] : [first]), Reply.pause("10 seconds"), ...rest])
      return using(test, ClaudeTest.script([], { after: long }).pipe(ClaudeLayer.withConcurrency({ permits: 1 })))
    }))

  it.effect("lets token counts pass", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      yield* start(createMessage)
      const count = yield* start(claude.countTokens({ model, messages: request.messages }))
      yield* TestClock.adjust("10 seconds")
      assert.isAbove((yield* Fiber.join(count)).input_tokens, 0)
    }).pipe((test) =>
      using(test, ClaudeTest.script([], { after: slow }).pipe(ClaudeLayer.withConcurrency({ permits: 1, queue: 0 })))
    ))

  it.effect("lets interactive calls go before batch calls", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const named = (content: string) => claude.createMessage({ ...request, messages: [{ role: "user", content }] })
      const fibers = [
        yield* start(named("first")),
        yield* start(withPriority(named("batch"), "batch")),
        yield* start(named("interactive"))
      ]
      yield* TestClock.adjust("1 minute")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(
        (yield* calls).map((call) => call.request.messages[0]?.content),
        ["first", "interactive", "batch"]
      )
    }).pipe((test) =>
      using(test, ClaudeTest.script([], { after: slow }).pipe(ClaudeLayer.withConcurrency({ permits: 1 })))
    ))

  it.effect("a retry comes back until there is room", () =>
    Effect.gen(function*() {
      yield* start(createMessage)
      const second = yield* start(Deadline.withDeadline(createMessage, "2 minutes"))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(second)).stop_reason, "end_turn")
      assert.strictEqual((yield* calls).length, 2)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], { after: slow }).pipe(
          ClaudeLayer.withConcurrency({ permits: 1, queue: 0 }),
          ClaudeLayer.withRetry()
        )
      )
    ))
})

describe("ClaudeLayer.withConcurrency and a circuit around it", () => {
  it.effect("a call that waited while the circuit opened is not sent", () =>
    Effect.gen(function*() {
      const failing = yield* start(Effect.flip(createMessage))
      const waiting = yield* start(Effect.flip(createMessage))
      const streaming = yield* start(Effect.flip(streamEvents))
      assert.strictEqual((yield* state()).queued, 2)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(failing))._tag, "OverloadedError")
      assert.strictEqual((yield* Fiber.join(waiting))._tag, "CircuitOpenError")
      assert.strictEqual((yield* Fiber.join(streaming))._tag, "CircuitOpenError")
      assert.strictEqual((yield* calls).length, 1)
      assert.deepStrictEqual(yield* state(), { permits: 1, inFlight: 0, queued: 0 })
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.overloaded().pipe(ClaudeTest.delayed("5 seconds"))]).pipe(
          ClaudeLayer.withConcurrency({ permits: 1 }),
          ClaudeLayer.withCircuitBreaker({ failures: 1 })
        )
      )
    ))
})

describe("ClaudeLayer.withConcurrency with a limit that adapts", () => {
  const adaptive = (steps: ReadonlyArray<ClaudeTest.Step>, options: ClaudeLayer.ConcurrencyOptions = {}) =>
    ClaudeTest.script(steps, { after: Reply.text("hi") }).pipe(ClaudeLayer.withConcurrency(options))

  it.effect("begins at 20, shrinks on 529, and is not moved by other failures", () =>
    Effect.gen(function*() {
      for (const permits of [18, 18, 18, 18, 18, 16]) {
        yield* Effect.exit(createMessage)
        assert.deepStrictEqual(yield* state(), { permits, inFlight: 0, queued: 0 })
      }
    }).pipe((test) =>
      using(
        test,
        adaptive([
          Fault.overloaded(),
          Fault.rateLimit(),
          Fault.internalServer(),
          Fault.invalidRequest(),
          Reply.text("hi"),
          Fault.overloaded()
        ])
      )
    ))

  it.effect("takes an overload for one also when the server says not to retry it", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(createMessage)
      assert.instanceOf(error, OverloadedError)
      assert.deepStrictEqual(error.verdict, Verdict.stop)
      assert.strictEqual((yield* state()).permits, 18)
    }).pipe((test) => using(test, adaptive([Fault.overloaded({ shouldRetry: false })]))))

  it.effect("takes an overload in the middle of a stream for one", () =>
    Effect.gen(function*() {
      yield* Effect.exit(streamEvents)
      assert.strictEqual((yield* state()).permits, 18)
    }).pipe((test) => using(test, adaptive([Fault.midStream(Fault.overloaded(), { afterEvents: 3 })]))))

  it.effect("shrinks when first events come late, and pings are none", () =>
    Effect.gen(function*() {
      const round = Effect.gen(function*() {
        const { permits } = yield* state()
        const fibers = yield* Effect.forEach(Array.from({ length: permits }), () => start(streamEvents))
        yield* TestClock.adjust("1 minute")
        yield* Effect.forEach(fibers, Fiber.join)
      })
      yield* Effect.repeat(round, { times: 20 })
      assert.strictEqual((yield* state()).permits, 8)
      yield* Effect.repeat(round, { times: 2 })
      assert.isBelow((yield* state()).permits, 8)
    }).pipe((test) => {
      const after = (seconds: number) =>
        Reply.events([{ type: "ping" }, Reply.pause(`${seconds} seconds`), ...fromMessage(Reply.message("hi"))])
      // 4 streams, then 8 in each round: 164 that are normal, the others five times as slow.
      const normal = Array.from({ length: 164 }, () => after(1))
      return using(
        test,
        ClaudeTest.script(normal, { after: after(5) }).pipe(
          ClaudeLayer.withConcurrency({ adaptive: { initial: 4, maximum: 8 } })
        )
      )
    }))

  it.effect("takes its bounds from the options, and tells them", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* state()).permits, 2)
      assert.deepStrictEqual(yield* ClaudeLayer.describe, [{
        policy: "concurrency",
        options: { adaptive: { initial: 2, minimum: 2, maximum: 2 }, queue: 10_000, queueTimeout: "5 seconds" }
      }])
    }).pipe((test) => using(test, adaptive([], { adaptive: { maximum: 2 }, queueTimeout: "5 seconds" }))))

  it("refuses options that exclude each other, and wrong ones, where the layer is described", () => {
    assert.throws(
      () => ClaudeLayer.withConcurrency({ permits: 5, adaptive: {} }),
      RangeError,
      `ClaudeLayer.withConcurrency: options "permits" and "adaptive" exclude each other; keep one of the two`
    )
    assert.throws(() => ClaudeLayer.withConcurrency({ permits: 0 }), RangeError, `option "permits"`)
    assert.throws(() => ClaudeLayer.withConcurrency({ adaptive: { minimum: 0 } }), RangeError, `option "minimum"`)
    assert.throws(() => ClaudeLayer.withConcurrency({ queue: -1 }), RangeError, `option "queue"`)
  })
})
