import { type ClaudeErrorTag, InvalidRequestError, OverloadedError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
import * as Verdict from "@effect-claude/resilience/Verdict"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { calls, createMessage, request, runFor, streamEvents, using } from "./support.ts"

const hi = Reply.text("hi")
const options = { failures: 1, openFor: "10 seconds", closeAfter: 1, spread: 0 } as const

const breaker = Effect.flatMap(ClaudeService, (claude) => {
  const { circuitBreaker } = ClaudeLayer.controls(claude)
  return circuitBreaker === undefined ? Effect.die("no breaker") : Effect.succeed(circuitBreaker)
})
const stateOf = (key: string = request.model) =>
  Effect.flatMap(breaker, (circuits) => Effect.map(circuits.state(key), ({ _tag }) => _tag))
const requests = Effect.map(calls, ({ length }) => length)

const counted = Effect.flatMap(
  ClaudeService,
  (claude) => claude.countTokens({ model: request.model, messages: request.messages })
)

const scripted = (
  steps: Parameters<typeof ClaudeTest.script>[0],
  circuit: Parameters<typeof ClaudeLayer.withCircuitBreaker>[0] = options
) => ClaudeTest.script(steps, { after: hi }).pipe(ClaudeLayer.withCircuitBreaker(circuit))

describe("ClaudeLayer.withCircuitBreaker", () => {
  it.effect("opens the circuit of a model after five failures in a row, and of no other", () =>
    Effect.gen(function*() {
      yield* Effect.repeat(Effect.ignore(createMessage), { times: 4 })
      const error = yield* Effect.flip(createMessage)
      assert.isTrue(error._tag === "CircuitOpenError")
      if (error._tag !== "CircuitOpenError") return
      assert.strictEqual(error.message, `The circuit of "claude-sonnet-5-5" is open; nothing was sent`)
      assert.deepInclude(error, { model: request.model, reason: "open" })
      const remaining = Duration.toMillis(error.remaining ?? Duration.zero)
      assert.isTrue(remaining >= 1000 && remaining <= 1100, `${remaining} ms`)
      assert.deepStrictEqual(error.verdict, Verdict.retry("rejected", error.retryAfter))
      assert.strictEqual(yield* requests, 5)
      const claude = yield* ClaudeService
      yield* claude.createMessage({ ...request, model: "claude-haiku-5-5" })
    }).pipe((test) => using(test, scripted(Array.from({ length: 5 }, () => Fault.overloaded()), {}))))

  const opens: Readonly<Record<ClaudeErrorTag, boolean>> = {
    InvalidRequestError: false,
    AuthenticationError: false,
    BillingError: false,
    PermissionDeniedError: false,
    NotFoundError: false,
    RequestTimeoutError: true,
    ConflictError: false,
    RequestTooLargeError: false,
    ContextWindowExceededError: false,
    RateLimitError: false,
    SpendLimitError: false,
    InternalServerError: true,
    GatewayTimeoutError: true,
    OverloadedError: true,
    ConnectionError: true,
    AttemptTimeoutError: true,
    StreamInterruptedError: true,
    InvalidResponseError: true,
    RefusalError: false,
    OutputTruncatedError: false,
    OutputInvalidError: false,
    CircuitOpenError: false,
    RateLimitedLocallyError: false,
    ConcurrencyLimitError: false,
    RetryBudgetExhaustedError: false,
    DeadlineExceededError: false,
    UsageBudgetExceededError: false
  }
  for (const [tag, expected] of Object.entries(opens)) {
    it.effect(`${expected ? "counts" : "does not count"} a ${tag}`, () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* Effect.flip(createMessage))._tag, tag)
        assert.strictEqual(yield* stateOf(), expected ? "Open" : "Closed")
      }).pipe((test) => using(test, scripted([Fault.byTag[tag as ClaudeErrorTag]()]))))
  }

  it.effect("counts a 529 that the server does not want to see again", () =>
    Effect.gen(function*() {
      yield* Effect.flip(createMessage)
      assert.strictEqual(yield* stateOf(), "Open")
    }).pipe((test) => using(test, scripted([Fault.overloaded({ shouldRetry: false })]))))

  it.effect("neither counts nor waits out what is no outage: an unknown host, a wrong certificate", () =>
    Effect.gen(function*() {
      yield* Effect.flip(createMessage)
      assert.strictEqual(yield* stateOf(), "Closed")
    }).pipe((test) => using(test, scripted([Fault.connection({ code: "ENOTFOUND" })]))))

  const probes: ReadonlyArray<readonly [string, Fault.Fault, string]> = [
    ["a wrong key shows that the service lives", Fault.authentication(), "Closed"],
    ["a refusal is an answer", Fault.refusal(), "Closed"],
    ["a rate limit shows nothing", Fault.rateLimit(), "HalfOpen"],
    ["an overload opens it again", Fault.overloaded(), "Open"]
  ]
  for (const [name, probe, expected] of probes) {
    it.effect(`half-open: ${name}`, () =>
      Effect.gen(function*() {
        yield* Effect.flip(createMessage)
        yield* TestClock.adjust("10 seconds")
        yield* Effect.flip(createMessage)
        assert.strictEqual(yield* stateOf(), expected)
      }).pipe((test) => using(test, scripted([Fault.overloaded(), probe]))))
  }

  it.effect("half-open: a request that was refused before it was sent shows nothing", () =>
    Effect.gen(function*() {
      yield* Effect.flip(createMessage)
      yield* TestClock.adjust("10 seconds")
      yield* Effect.flip(createMessage)
      assert.strictEqual(yield* stateOf(), "HalfOpen")
    }).pipe((test) => {
      const unsent = new InvalidRequestError({ message: "messages: must not be empty", field: "messages" })
      return using(test, scripted([Fault.overloaded(), Fault.of(unsent)]))
    }))

  it.effect("stays open as long as the server asked, a minute at most", () =>
    Effect.gen(function*() {
      const circuits = yield* breaker
      const remaining = Effect.map(circuits.state(request.model), (state) =>
        state._tag === "Open" ? Duration.toSeconds(state.remaining) : 0)
      yield* Effect.flip(createMessage)
      assert.strictEqual(yield* remaining, 30)
      yield* TestClock.adjust("30 seconds")
      yield* Effect.flip(createMessage)
      assert.strictEqual(yield* remaining, 60)
    }).pipe((test) =>
      using(
        test,
        scripted([Fault.overloaded({ retryAfter: "30 seconds" }), Fault.overloaded({ retryAfter: "1 hour" })])
      )
    ))

  it.effect("counts tokens through a circuit of their own", () =>
    Effect.gen(function*() {
      yield* Effect.flip(createMessage)
      yield* counted
      yield* Effect.flip(createMessage)
      assert.strictEqual(yield* stateOf(), "Open")
      yield* counted
      assert.strictEqual(yield* stateOf(), "Open")
      yield* Effect.flatMap(breaker, (circuits) => circuits.isolate(`${request.model} (countTokens)`))
      assert.strictEqual((yield* Effect.flip(counted))._tag, "CircuitOpenError")
    }).pipe((test) =>
      using(test, scripted([Fault.overloaded(), hi, Fault.overloaded(), hi], { ...options, failures: 2 }))
    ))

  it.effect("takes another key than the model", () =>
    Effect.gen(function*() {
      yield* Effect.flip(createMessage)
      assert.strictEqual(yield* stateOf("all models"), "Open")
    }).pipe((test) => using(test, scripted([Fault.overloaded()], { ...options, key: () => "all models" }))))

  it.effect("a key that throws is a defect of the call", () =>
    Effect.gen(function*() {
      for (const call of [Effect.asVoid(createMessage), Effect.asVoid(streamEvents)]) {
        assert.isTrue(Exit.hasDies(yield* Effect.exit(call)))
      }
      const claude = yield* ClaudeService
      assert.doesNotThrow(() => [claude.createMessage(request), claude.streamMessage(request)])
      assert.isTrue(Exit.hasDies(yield* Effect.exit(counted)))
    }).pipe((test) =>
      using(
        test,
        scripted([], {
          ...options,
          key: () => {
            throw new Error("a bug")
          }
        })
      )
    ))

  it.effect("isolates and resets by hand", () =>
    Effect.gen(function*() {
      const circuits = yield* breaker
      yield* circuits.isolate()
      const error = yield* Effect.flip(createMessage)
      assert.deepStrictEqual([error._tag, error.verdict], ["CircuitOpenError", Verdict.stop])
      yield* circuits.reset()
      yield* createMessage
      assert.strictEqual(yield* requests, 1)
    }).pipe((test) => using(test, scripted([]))))
})

describe("ClaudeLayer.withCircuitBreaker: an account", () => {
  const accountWide = [Fault.spendLimit(), Fault.permissionDenied({ errorCode: "cmek_key_disabled" })]
  for (const fault of accountWide) {
    it.effect("that may not call opens all circuits at once, and nothing waits for it", () =>
      Effect.gen(function*() {
        const first = yield* Effect.flip(createMessage)
        const claude = yield* ClaudeService
        const error = yield* Effect.flip(claude.createMessage({ ...request, model: "claude-haiku-5-5" }))
        assert.isTrue(error._tag === "CircuitOpenError" && error.reason === "tripped" && error.cause === first)
        assert.deepStrictEqual(error.verdict, Verdict.stop)
        assert.strictEqual((yield* Effect.flip(counted))._tag, "CircuitOpenError")
        yield* TestClock.adjust("30 seconds")
        yield* createMessage
        yield* createMessage
        assert.strictEqual(yield* requests, 3)
      }).pipe((test) => using(test, scripted([fault], { accountErrors: true }))))
  }

  it.effect("that reached its limit opens nothing unless asked to", () =>
    Effect.gen(function*() {
      yield* Effect.flip(createMessage)
      yield* createMessage
    }).pipe((test) => using(test, scripted([Fault.spendLimit()]))))
})

describe("ClaudeLayer.withCircuitBreaker: streams", () => {
  it.effect("rejects a stream, and counts one that fails in the middle", () =>
    Effect.gen(function*() {
      yield* Effect.flip(streamEvents)
      assert.strictEqual(yield* stateOf(), "Open")
      assert.strictEqual((yield* Effect.flip(streamEvents))._tag, "CircuitOpenError")
      assert.strictEqual(yield* requests, 1)
    }).pipe((test) => using(test, scripted([Fault.midStream(Fault.overloaded(), { afterEvents: 4 })]))))

  it.effect("a stream that a reader drops before its content says nothing, and frees the place", () =>
    Effect.gen(function*() {
      yield* Effect.flip(createMessage)
      yield* TestClock.adjust("10 seconds")
      const reader = yield* Effect.forkChild(streamEvents, { startImmediately: true })
      yield* Effect.yieldNow
      assert.strictEqual((yield* Effect.flip(createMessage))._tag, "CircuitOpenError")
      yield* Fiber.interrupt(reader)
      assert.strictEqual(yield* stateOf(), "HalfOpen")
      yield* createMessage
      assert.strictEqual(yield* stateOf(), "Closed")
    }).pipe((test) => using(test, scripted([Fault.overloaded(), Fault.hang()]))))

  for (const [goodProbeAt, expected] of [["content", "Closed"], ["end", "HalfOpen"]] as const) {
    it.effect(`a probe that is a stream is good at its ${goodProbeAt}`, () =>
      Effect.gen(function*() {
        yield* Effect.flip(createMessage)
        yield* TestClock.adjust("10 seconds")
        const claude = yield* ClaudeService
        const reader = yield* claude.streamMessage(request).pipe(
          Stream.runForEach((event) => event.type === "content_block_delta" ? Effect.never : Effect.void),
          Effect.forkChild({ startImmediately: true })
        )
        for (let i = 0; i < 20; i++) yield* Effect.yieldNow
        assert.strictEqual(yield* stateOf(), expected)
        yield* Fiber.interrupt(reader)
        // What had arrived shows that the service lives.
        assert.strictEqual(yield* stateOf(), "Closed")
      }).pipe((test) => using(test, scripted([Fault.overloaded()], { ...options, goodProbeAt }))))
  }
})

describe("ClaudeLayer.withCircuitBreaker among others", () => {
  it.effect("inside of a retry a call waits for the circuit within its deadline, keeps its attempts and sends nothing", () =>
    Effect.gen(function*() {
      const { result } = yield* runFor(createMessage, "2 minutes")
      assert.isTrue(Result.isSuccess(result))
      const times = (yield* calls).map(({ at }) => at)
      assert.strictEqual(times.length, 3)
      // Two probes, ten seconds apart, and no attempt was lost to the rejections in between.
      assert.isAtLeast((times[1] ?? 0) - (times[0] ?? 0), 10_000)
      assert.isAtLeast((times[2] ?? 0) - (times[1] ?? 0), 10_000)
      assert.isAtMost((times[2] ?? 0) - (times[0] ?? 0), 25_000)
    }).pipe((test) =>
      using(
        test,
        scripted([Fault.overloaded(), Fault.overloaded()]).pipe(
          ClaudeLayer.withRetry(ClaudeSchedule.make({ attempts: 3 })),
          ClaudeLayer.withDeadline("1 minute")
        )
      )
    ))

  it.effect("a fallback further out takes the call at once", () =>
    Effect.gen(function*() {
      yield* Effect.flatMap(breaker, (circuits) => circuits.isolate(request.model))
      const { millis, result } = yield* runFor(createMessage, "1 minute")
      assert.isTrue(Result.isSuccess(result))
      assert.strictEqual(millis, 0)
    }).pipe((test) =>
      using(
        test,
        scripted([]).pipe(
          ClaudeLayer.withRetry(),
          ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] }),
          ClaudeLayer.withDeadline("1 minute")
        )
      )
    ))

  it.effect("a call that queued while the circuit opened is not sent", () =>
    Effect.gen(function*() {
      const first = yield* Effect.forkChild(Effect.flip(createMessage), { startImmediately: true })
      const second = yield* Effect.forkChild(Effect.flip(createMessage), { startImmediately: true })
      const third = yield* Effect.forkChild(Effect.flip(streamEvents), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(first))._tag, "OverloadedError")
      assert.strictEqual((yield* Fiber.join(second))._tag, "CircuitOpenError")
      assert.strictEqual((yield* Fiber.join(third))._tag, "CircuitOpenError")
      assert.strictEqual(yield* requests, 1)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.overloaded().pipe(ClaudeTest.delayed("5 seconds"))], { after: hi }).pipe(
          ClaudeLayer.withConcurrency({ permits: 1 }),
          ClaudeLayer.withCircuitBreaker(options)
        )
      )
    ))

  it.effect("a timeout inside of it counts", () =>
    Effect.gen(function*() {
      yield* runFor(createMessage, "1 second")
      assert.strictEqual(yield* stateOf(), "Open")
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.hang()]).pipe(
          ClaudeLayer.withAttemptTimeout({ attempt: "1 second" }),
          ClaudeLayer.withCircuitBreaker(options)
        )
      )
    ))

  it.effect("a probe keeps its place for as long as the timeout inside allows", () =>
    Effect.gen(function*() {
      yield* Effect.flip(createMessage)
      yield* TestClock.adjust("10 seconds")
      const probe = yield* Effect.forkChild(Effect.exit(createMessage), { startImmediately: true })
      yield* TestClock.adjust("4 minutes")
      assert.strictEqual((yield* Effect.flip(createMessage))._tag, "CircuitOpenError")
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(probe)
      assert.strictEqual(yield* stateOf(), "Open")
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.overloaded(), Fault.hang()]).pipe(
          ClaudeLayer.withAttemptTimeout({ attempt: "5 minutes" }),
          ClaudeLayer.withCircuitBreaker(options)
        )
      )
    ))

  it.effect("a probe that is a stream keeps its place until its first event is late", () =>
    Effect.gen(function*() {
      yield* Effect.flip(createMessage)
      yield* TestClock.adjust("10 seconds")
      const probe = yield* Effect.forkChild(Effect.exit(streamEvents), { startImmediately: true })
      yield* TestClock.adjust("4 minutes")
      assert.strictEqual((yield* Effect.flip(createMessage))._tag, "CircuitOpenError")
      yield* Fiber.interrupt(probe)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.overloaded(), Fault.hang()], { after: hi }).pipe(
          ClaudeLayer.withAttemptTimeout({ firstEvent: "5 minutes" }),
          ClaudeLayer.withCircuitBreaker(options)
        )
      )
    ))

  it.effect("layers that are given one breaker share its circuits", () =>
    Effect.gen(function*() {
      const shared = yield* CircuitBreaker.make({ ...options, classify: () => CircuitBreaker.failure() })
      const layer = (step: Fault.Fault | typeof hi) =>
        ClaudeTest.script([step], { after: hi }).pipe(ClaudeLayer.withCircuitBreaker({ breaker: shared }))
      const error = yield* Effect.flip(using(createMessage, layer(Fault.overloaded())))
      assert.strictEqual(error._tag, "OverloadedError")
      const other = yield* Effect.flip(using(createMessage, layer(hi)))
      assert.strictEqual(other._tag, "CircuitOpenError")
    }))

  it.effect("each layer that is built has circuits of its own", () =>
    Effect.gen(function*() {
      const layer = scripted([Fault.overloaded()])
      yield* Effect.flip(using(createMessage, layer))
      const error = yield* Effect.flip(using(createMessage, Layer.fresh(layer)))
      assert.strictEqual(error._tag, "OverloadedError")
    }))

  it.effect("a thousand callers wait through an outage with few requests, and come back spread out", () =>
    Effect.gen(function*() {
      const fibers = yield* Effect.forEach(
        Array.from({ length: 1000 }),
        () => Effect.forkChild(Effect.result(createMessage))
      )
      yield* TestClock.adjust("2 minutes")
      const results = yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(results.filter(Result.isSuccess).length, 1000)
      const times = (yield* calls).map(({ at }) => at)
      // Five that opened it, and the probes of a minute; then one request for each caller.
      assert.isAtMost(times.length, 1000 + 5 + 45)
      const back = times.filter((at) => at >= 60_000).toSorted((a, b) => a - b)
      assert.isAtMost((back[989] ?? Number.NaN) - 60_000, 6000)
      const perBucket = new Map<number, number>()
      for (const at of back) perBucket.set(Math.floor(at / 10), (perBucket.get(Math.floor(at / 10)) ?? 0) + 1)
      assert.isAtMost(Math.max(...perBucket.values()), 40)
    }).pipe(
      Random.withSeed("waiters"),
      (test) =>
        using(
          test,
          ClaudeTest.script([], {
            after: Reply.effect(() =>
              Effect.flatMap(Clock.currentTimeMillis, (now) =>
                now < 60_000
                  ? Effect.fail(new OverloadedError({ message: "Overloaded" }))
                  : Effect.succeed(Reply.message("hi")))
            )
          }).pipe(
            ClaudeLayer.withCircuitBreaker(),
            ClaudeLayer.withRetry(ClaudeSchedule.make({ attempts: 3 })),
            ClaudeLayer.withDeadline("2 minutes")
          )
        )
    ))

  it("refuses wrong options where the layer is described", () => {
    assert.throws(() => ClaudeLayer.withCircuitBreaker({ failures: 0 }), RangeError, `option "failures"`)
    assert.throws(() => ClaudeLayer.withCircuitBreaker({ ratio: { window: -1 } }), RangeError, `option "ratio.window"`)
    const both: unknown = { breaker: {}, failures: 5 }
    assert.throws(
      () => ClaudeLayer.withCircuitBreaker(both as Parameters<typeof ClaudeLayer.withCircuitBreaker>[0]),
      RangeError,
      `ClaudeLayer.withCircuitBreaker: option "failures" must be left out beside "breaker"`
    )
  })
})
