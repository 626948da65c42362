import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService, type MessageRequest } from "@effect-claude/client/ClaudeService"
import type { RateLimits } from "@effect-claude/client/RateLimits"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { calls, createMessage, request, runFor, streamEvents, using } from "./support.ts"

const limits = { requests: 600, inputTokens: 60_000, outputTokens: 6000 }
const exact = { limits, headroom: 1, rampUp: false } as const

const levels = (key: string = request.model) =>
  Effect.flatMap(ClaudeService, (claude) => {
    const { rateLimiter } = ClaudeLayer.controls(claude)
    return rateLimiter === undefined ? Effect.die("no limiter") : rateLimiter.levels(key)
  })

/** What is taken of each limit. */
const taken = Effect.map(levels(), ({ limits: { inputTokens, outputTokens, requests } }) => [
  requests.capacity - requests.available,
  inputTokens.capacity - inputTokens.available,
  outputTokens.capacity - outputTokens.available
])

const usage = {
  input_tokens: 1200,
  cache_creation_input_tokens: 300,
  cache_read_input_tokens: 50_000,
  output_tokens: 70
}

const counted = Reply.text("", { usage: { input_tokens: 4321 } })

const withHeaders = (rateLimits: RateLimits) =>
  Reply.effect(() => Effect.succeed(AnswerInfo.annotate(Reply.message("Hello", { usage }), { rateLimits })))

describe("ClaudeLayer.withRateLimiter", () => {
  for (
    const [name, call] of [["message", Effect.asVoid(createMessage)], ["stream", Effect.asVoid(streamEvents)]] as const
  ) {
    it.effect(`${name}: settles with what the answer used, reads from the cache for nothing`, () =>
      Effect.gen(function*() {
        yield* call
        assert.deepStrictEqual(yield* taken, [1, 1500, 70])
      }).pipe((test) =>
        using(test, ClaudeTest.script([Reply.text("Hello", { usage })]).pipe(ClaudeLayer.withRateLimiter(exact)))
      ))

    it.effect(`${name}: a failure that used nothing costs nothing, one that may have been served costs its input`, () =>
      Effect.gen(function*() {
        const after: Array<unknown> = []
        for (let i = 0; i < 8; i++) {
          const before = yield* taken
          yield* Effect.ignore(call)
          const now = yield* taken
          after.push(now.map((amount, index) => (amount > (before[index] ?? 0) ? "+" : ".")).join(""))
        }
        assert.deepStrictEqual(after, ["...", "...", "...", "...", "...", "+..", "++.", "++."])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([
            Fault.invalidRequest({ status: 400 }),
            Fault.overloaded({ status: 529 }),
            Fault.connection({ code: "ECONNREFUSED" }),
            Fault.concurrencyLimit(),
            Fault.authentication({ status: 401 }),
            Fault.internalServer({ status: 500 }),
            Fault.connection({ code: "ECONNRESET" }),
            Fault.attemptTimeout({ phase: "attempt" })
          ]).pipe(ClaudeLayer.withRateLimiter(exact))
        )
      ))

    it.effect(`${name}: a 429 with retry-after holds up everybody, and they come back spread out`, () =>
      Effect.gen(function*() {
        const failed = yield* Effect.flip(call)
        assert.strictEqual(failed._tag, "RateLimitError")
        assert.deepStrictEqual((yield* levels()).pausedFor, Duration.seconds(10))
        const others = yield* Effect.forEach(Array.from({ length: 30 }), () => Effect.forkChild(call))
        yield* TestClock.adjust("9999 millis")
        assert.strictEqual((yield* calls).length, 1)
        yield* TestClock.adjust("4 seconds")
        yield* Fiber.joinAll(others)
        const starts = (yield* calls).slice(1).map(({ at }) => at)
        assert.strictEqual(starts.length, 30)
        assert.isAbove(new Set(starts).size, 20)
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Fault.rateLimit({ retryAfter: "10 seconds" })], { after: Reply.text("Hello") }).pipe(
            ClaudeLayer.withRateLimiter(exact)
          )
        )
      ))

    for (
      const [what, fault] of [
        ["retry-after", { retryAfter: "10 seconds" }],
        ["only headers", { rateLimits: { requests: { limit: 1, remaining: 0, resetAt: 60_000 } } }],
        ["neither", {}]
      ] as const
    ) {
      it.effect(`${name}: what a 429 with ${what} gives back lets nobody go who waits`, () =>
        Effect.gen(function*() {
          const first = yield* Effect.forkChild(Effect.ignore(call), { startImmediately: true })
          const others = yield* Effect.forEach(Array.from({ length: 5 }), () => Effect.forkChild(Effect.ignore(call)))
          yield* TestClock.adjust("500 millis")
          yield* Fiber.await(first)
          assert.strictEqual((yield* calls).length, 1)
          yield* Fiber.interruptAll(others)
        }).pipe((test) =>
          using(
            test,
            ClaudeTest.script([ClaudeTest.delayed(Fault.rateLimit(fault), "100 millis")], {
              after: Reply.text("Hello")
            }).pipe(
              ClaudeLayer.withRateLimiter({
                limits: { requests: 1 },
                headroom: 1,
                rampUp: false,
                queueTimeout: "1 hour"
              })
            )
          )
        ))
    }

    it.effect(`${name}: is refused at once when its turn comes after the deadline`, () =>
      Effect.gen(function*() {
        yield* call
        const { millis, result } = yield* runFor(call, "1 minute")
        assert.strictEqual(millis, 0)
        const error = Result.isFailure(result) ? result.failure : undefined
        assert.strictEqual(error?._tag, "RateLimitedLocallyError")
        assert.isDefined(error?.retryAfter)
        assert.strictEqual(error?.model, request.model)
        assert.deepStrictEqual(error?.verdict, {
          _tag: "Retry",
          kind: "rejected",
          after: error?.retryAfter ?? Duration.zero
        })
        assert.strictEqual((yield* calls).length, 1)
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([], { after: Reply.text("Hello") }).pipe(
            ClaudeLayer.withRateLimiter({ limits: { requests: 1 }, headroom: 1, rampUp: false }),
            ClaudeLayer.withDeadline("30 seconds")
          )
        )
      ))

    it.effect(`${name}: learns the limits from the headers of the first answer`, () =>
      Effect.gen(function*() {
        assert.isUndefined((yield* levels()).limits.requests.limit)
        yield* call
        const learned = yield* levels()
        assert.deepStrictEqual(
          [learned.limits.requests.limit, learned.limits.inputTokens.limit, learned.limits.outputTokens.limit],
          [50, 30_000, 8000]
        )
        // 12,000 less the rounding and the margin.
        assert.isAtMost(learned.limits.inputTokens.available, 11_000)
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([], {
            after: withHeaders({
              requests: { limit: 50, remaining: 49, resetAt: 1200 },
              inputTokens: { limit: 30_000, remaining: 12_000, resetAt: 36_000 },
              outputTokens: { limit: 8000, remaining: 8000, resetAt: 0 }
            })
          }).pipe(ClaudeLayer.withRateLimiter())
        )
      ))
  }

  it.effect("a failure's headers count as well, and ramp_limit_exceeded slows down", () =>
    Effect.gen(function*() {
      yield* Effect.ignore(createMessage)
      const learned = yield* levels()
      assert.strictEqual(learned.limits.requests.limit, 40)
      assert.isBelow(learned.limits.requests.available, 0)
      yield* TestClock.adjust("10 minutes")
      const fibers = yield* Effect.forEach(Array.from({ length: 40 }), () => Effect.forkChild(createMessage))
      yield* TestClock.adjust("2 minutes")
      assert.isAtMost((yield* calls).length, 80)
      yield* Fiber.interruptAll(fibers)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([
          Fault.rateLimit({
            retryAfter: "1 second",
            errorCode: "ramp_limit_exceeded",
            rateLimits: { requests: { limit: 40, remaining: 0, resetAt: 60_000 } }
          })
        ], { after: Reply.text("Hello") }).pipe(ClaudeLayer.withRateLimiter({ limits: { requests: 600 } }))
      )
    ))

  it.effect("calls that were sent together and are told to slow down together halve the pace once", () =>
    Effect.gen(function*() {
      yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.forkChild(Effect.ignore(createMessage)))
      yield* TestClock.adjust("100 millis")
      const before = (yield* calls).length
      assert.strictEqual(before, 20)
      const others = yield* Effect.forEach(Array.from({ length: 60 }), () => Effect.forkChild(createMessage))
      // A request a second; at half of the pace, and with the pause, a few less than 30 by then. After twenty times half: 3.
      yield* TestClock.adjust("1 minute")
      assert.isAbove((yield* calls).length - before, 20)
      yield* Fiber.interruptAll(others)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script(
          Array.from({ length: 20 }, () =>
            ClaudeTest.delayed(
              Fault.rateLimit({ retryAfter: "1 second", errorCode: "ramp_limit_exceeded" }),
              "100 millis"
            )),
          { after: Reply.text("Hello") }
        ).pipe(ClaudeLayer.withRateLimiter({ limits: { requests: 60 }, burst: "1 minute", headroom: 1, rampUp: false }))
      )
    ))

  it.effect("models have limits of their own, and fast mode too", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      yield* claude.createMessage({ ...request, model: "claude-opus-5-5" })
      const fast: MessageRequest & { speed: "fast" } = { ...request, speed: "fast" }
      yield* claude.createMessage(fast)
      assert.deepStrictEqual(yield* taken, [0, 0, 0])
      assert.strictEqual((yield* levels("claude-opus-5-5")).limits.requests.available, 99)
      assert.strictEqual((yield* levels(`${request.model} (fast)`)).limits.requests.available, 99)
    }).pipe((test) =>
      using(test, ClaudeTest.script([], { after: Reply.text("Hello") }).pipe(ClaudeLayer.withRateLimiter(exact)))
    ))

  it.effect("counting tokens passes, and can serve as the estimate", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      yield* claude.countTokens({ model: request.model, messages: request.messages })
      assert.deepStrictEqual(yield* taken, [0, 0, 0])
      const hanging = yield* Effect.forkChild(createMessage)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual((yield* taken).slice(0, 2), [1, 4321])
      yield* Fiber.interrupt(hanging)
      const operations = (yield* calls).map(({ method }) => method)
      assert.deepStrictEqual(operations, ["countTokens", "countTokens", "createMessage"])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([counted, counted, Fault.hang()]).pipe(
          ClaudeLayer.withRateLimiter({ ...exact, estimate: "countTokens" })
        )
      )
    ))

  it.effect("what is given up under way keeps its request and input, a wait keeps nothing", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const hanging = yield* Effect.forkChild(claude.createMessage(request), { startImmediately: true })
      yield* TestClock.adjust(0)
      yield* Fiber.interrupt(hanging)
      const [requests = 0, input = 0, output = 0] = yield* taken
      assert.strictEqual(requests, 1)
      assert.isAbove(input, 0)
      assert.strictEqual(output, 0)
      const waiting = yield* Effect.forkChild(claude.createMessage(request), { startImmediately: true })
      assert.strictEqual((yield* levels()).waiting, 1)
      yield* Fiber.interrupt(waiting)
      assert.strictEqual((yield* levels()).waiting, 0)
      assert.deepStrictEqual((yield* taken)[0], 1)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], { after: Fault.hang() }).pipe(
          ClaudeLayer.withRateLimiter({ ...exact, limits: { ...limits, requests: 1 }, burst: "1 minute" })
        )
      )
    ))

  it.effect("a stream that is dropped settles with what had come", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      yield* Stream.runDrain(Stream.take(claude.streamMessage(request), 2))
      assert.deepStrictEqual(yield* taken, [1, 1500, 0])
      assert.strictEqual((yield* levels()).inFlight, 0)
    }).pipe((test) =>
      using(test, ClaudeTest.script([Reply.text("Hello", { usage })]).pipe(ClaudeLayer.withRateLimiter(exact)))
    ))

  it.effect("learns what answers cost, so that later calls reserve that", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const reserved = Effect.gen(function*() {
        const before = yield* taken
        const fiber = yield* Effect.forkChild(claude.createMessage({ ...request, max_tokens: 4000 }), {
          startImmediately: true
        })
        const during = yield* taken
        yield* TestClock.adjust("1 milli")
        yield* Fiber.join(fiber)
        return (during[2] ?? 0) - (before[2] ?? 0)
      })
      assert.strictEqual(yield* reserved, 500)
      const seen: Array<number> = []
      for (let i = 0; i < 20; i++) seen.push(yield* reserved)
      assert.strictEqual(seen.at(-1), 70)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], {
          after: Reply.effect(() => Effect.delay(Effect.succeed(Reply.message("Hello", { usage })), "1 milli"))
        }).pipe(ClaudeLayer.withRateLimiter(exact))
      )
    ))

  it.effect("a circuit that opened while a call waited takes it back", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const { circuitBreaker } = ClaudeLayer.controls(claude)
      yield* createMessage
      const waiting = yield* Effect.forkChild(Effect.flip(createMessage), { startImmediately: true })
      yield* circuitBreaker?.isolate(request.model) ?? Effect.void
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(waiting))._tag, "CircuitOpenError")
      assert.strictEqual((yield* calls).length, 1)
      assert.strictEqual((yield* levels()).inFlight, 0)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], { after: Reply.text("Hello") }).pipe(
          ClaudeLayer.withRateLimiter({ limits: { requests: 1 }, headroom: 1, queueTimeout: "2 minutes" }),
          ClaudeLayer.withCircuitBreaker()
        )
      )
    ))

  it.effect("a request that cannot be read is the client's to refuse", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const circle: Record<string, unknown> = { type: "text" }
      circle["text"] = circle
      const content: Array<unknown> = []
      content.push({ content })
      for (const messages of [undefined, 7, [{ role: "user", content: [circle] }], [{ role: "user", content }]]) {
        const call = claude.createMessage({ ...request, messages } as unknown as MessageRequest)
        const error = yield* Effect.flip(call)
        assert.strictEqual(error._tag, "InvalidRequestError")
      }
    }).pipe((test) =>
      using(test, ClaudeTest.script([], { after: Reply.text("Hello") }).pipe(ClaudeLayer.withRateLimiter(exact)))
    ))

  it.effect("a wall clock that jumps changes no wait", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const skewed: Clock.Clock = Object.assign(Object.create(clock), {
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + 86_400_000
      })
      yield* Effect.provideService(createMessage, Clock.Clock, skewed)
      const left = (yield* levels()).limits.requests.available
      assert.isAbove(left, 5)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], { after: withHeaders({ requests: { limit: 50, remaining: 49, resetAt: 1200 } }) }).pipe(
          ClaudeLayer.withRateLimiter()
        )
      )
    ))

  it("refuses options that make no sense, by name", () => {
    assert.throws(() => ClaudeLayer.withRateLimiter({ limits: { requests: 0 } }), RangeError, `"limits.requests.limit"`)
    assert.throws(() => ClaudeLayer.withRateLimiter({ window: 0 }), RangeError, `"window"`)
    assert.throws(
      () => ClaudeLayer.withRateLimiter({ estimate: "guess" as "characters" }),
      RangeError,
      `ClaudeLayer.withRateLimiter: option "estimate"`
    )
  })
})
