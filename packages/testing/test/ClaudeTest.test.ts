import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import { OverloadedError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { MessageRequest } from "@effect-claude/client/ClaudeService"
import { ClaudeService, HeadersTimeout } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as Retry from "@effect-claude/resilience/Retry"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as ClaudeTest from "../src/ClaudeTest.ts"
import * as Fault from "../src/Fault.ts"
import * as Reply from "../src/Reply.ts"
import * as VirtualTime from "../src/VirtualTime.ts"

const request: MessageRequest = {
  model: "claude-opus-5-5",
  max_tokens: 100,
  messages: [{ role: "user", content: "Hello" }]
}
const countRequest = { model: request.model, messages: request.messages }

const create = ClaudeService.use((claude) => claude.createMessage(request))
const drain = ClaudeService.use((claude) => Stream.runDrain(claude.streamMessage(request)))
const count = ClaudeService.use((claude) => claude.countTokens(countRequest))
const calls = ClaudeTest.ClaudeTest.use((test) => test.calls)
const remaining = ClaudeTest.ClaudeTest.use((test) => test.remaining)
const outcomes = Effect.map(calls, (all) => all.map(({ outcome }) => outcome._tag))

const textOf = (message: { readonly content: ReadonlyArray<object> }) => {
  const [block] = message.content
  return block !== undefined && "text" in block ? block.text : undefined
}

describe("ClaudeTest.script", () => {
  it.effect("answers in order, whichever method asks", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* remaining, 4)
      assert.strictEqual(textOf(yield* create), "one")
      assert.strictEqual((yield* Effect.flip(drain))._tag, "OverloadedError")
      assert.deepStrictEqual(yield* count, { input_tokens: 10 })
      assert.strictEqual(yield* remaining, 1)
      assert.strictEqual(textOf(yield* create), "four")
      assert.strictEqual(yield* remaining, 0)
    }).pipe(Effect.provide(ClaudeTest.script([
      Reply.text("one"),
      Fault.overloaded(),
      Reply.text("three"),
      Reply.text("four")
    ]))))

  it.effect("takes a step when a stream is run, and another each time", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const stream = claude.streamMessage(request)
      assert.strictEqual(yield* remaining, 2)
      assert.strictEqual((yield* Effect.flip(Stream.runDrain(stream)))._tag, "OverloadedError")
      yield* Stream.runDrain(stream)
      assert.strictEqual(yield* remaining, 0)
    }).pipe(Effect.provide(ClaudeTest.script([Fault.overloaded(), Reply.text("hi")]))))

  describe("when the steps are used up", () => {
    it.effect("dies with the number of the call, and no retry hides it", () =>
      Effect.gen(function*() {
        for (let index = 0; index < 3; index++) yield* create
        const methods = ["createMessage", "streamMessage", "countTokens"]
        for (const [number, call] of [Effect.asVoid(create), drain, Effect.asVoid(count)].entries()) {
          const exit = yield* Effect.exit(Effect.retry(call, { times: 3 }))
          assert(Exit.isFailure(exit))
          const defect = Cause.squash(exit.cause)
          assert.isTrue(Cause.hasDies(exit.cause))
          assert.strictEqual(
            defect instanceof Error && defect.message,
            `ClaudeTest: call ${number + 4} (${methods[number]} claude-opus-5-5, attempt 1) has no step`
          )
        }
        assert.deepStrictEqual(yield* outcomes, ["Succeeded", "Succeeded", "Succeeded", "Died", "Died", "Died"])
      }).pipe(
        Effect.provide(ClaudeTest.script([Reply.text("1"), Reply.text("2"), Reply.text("3")], { strict: false }))
      ))

    it.effect("repeats the step of `after` for ever", () =>
      Effect.gen(function*() {
        assert.strictEqual(textOf(yield* create), "once")
        for (let index = 0; index < 50; index++) {
          assert.strictEqual((yield* Effect.flip(create))._tag, "OverloadedError")
        }
        assert.strictEqual(yield* remaining, 0)
        assert.lengthOf(yield* calls, 51)
      }).pipe(Effect.provide(ClaudeTest.script([Reply.text("once")], { after: Fault.overloaded() }))))
  })

  describe("the record", () => {
    it.effect("has the request, the options, the time, the attempt and the outcome", () =>
      Effect.gen(function*() {
        const claude = yield* ClaudeService
        const options = { headers: { "anthropic-beta": "context-1m" } }
        yield* TestClock.adjust("1 second")
        yield* claude.createMessage(request, options)
        yield* TestClock.adjust("1 second")
        const failed = yield* Effect.flip(Stream.runDrain(claude.streamMessage(request)))
        yield* VirtualTime.run(count)
        assert.deepStrictEqual(yield* calls, [
          {
            method: "createMessage",
            request,
            options,
            attempt: 1,
            at: 1000,
            endedAt: 1000,
            step: "text \"hi\"",
            outcome: { _tag: "Succeeded" }
          },
          {
            method: "streamMessage",
            request,
            options: undefined,
            attempt: 1,
            at: 2000,
            endedAt: 2000,
            step: "cut after 3 events",
            outcome: { _tag: "Failed", error: failed }
          },
          {
            method: "countTokens",
            request: countRequest,
            options: undefined,
            attempt: 1,
            at: 2000,
            endedAt: 3000,
            step: `text "hi", delayed by 1s`,
            outcome: { _tag: "Succeeded" }
          }
        ])
      }).pipe(Effect.provide(ClaudeTest.script([
        Reply.text("hi"),
        Fault.cutStream(),
        ClaudeTest.delayed(Reply.text("hi"), "1 second")
      ]))))

    it.effect("names the steps in a few words", () =>
      Effect.gen(function*() {
        const claude = yield* ClaudeService
        yield* Effect.exit(claude.createMessage(request)).pipe(
          Effect.timeoutOption("1 minute"),
          Effect.repeat({ times: 10 })
        )
        assert.deepStrictEqual((yield* calls).map(({ step }) => step), [
          "RateLimitError",
          "OverloadedError",
          "hang",
          "cut after 5 events",
          "stall after 3 events",
          "end after 3 events",
          "BillingError, delayed by 2s after 3 events",
          `text "A text that is longer t…"`,
          "tool search",
          "message, end_turn",
          undefined
        ])
      }).pipe(
        Effect.provide(ClaudeTest.script([
          Fault.rateLimit(),
          Fault.of(new OverloadedError({ message: "Overloaded" })),
          Fault.hang(),
          Fault.cutStream({ afterEvents: 5 }),
          Fault.stallStream(),
          Fault.endWithoutStop(),
          Fault.midStream(Fault.billing().pipe(ClaudeTest.delayed("2 seconds"))),
          Reply.text("A text that is longer than a line of a test should be"),
          Reply.tool("search", {}),
          Reply.of(Reply.message("hi"))
        ], { strict: false })),
        VirtualTime.run
      ))

    it.effect("is a copy: a later call does not change it", () =>
      Effect.gen(function*() {
        const before = yield* calls
        yield* create
        assert.lengthOf(before, 0)
      }).pipe(Effect.provide(ClaudeTest.script([Reply.text("hi")]))))

    it.effect("tells what is pending from what was interrupted", () =>
      Effect.gen(function*() {
        const fibers = yield* Effect.forEach(
          [Effect.asVoid(create), drain, drain, Effect.asVoid(count)],
          (call) => Effect.forkChild(call)
        )
        yield* Effect.yieldNow
        assert.deepStrictEqual(yield* outcomes, ["Pending", "Pending", "Pending", "Pending"])
        yield* Fiber.interruptAll(fibers)
        assert.deepStrictEqual(yield* outcomes, ["Interrupted", "Interrupted", "Interrupted", "Interrupted"])
      }).pipe(
        Effect.provide(ClaudeTest.script([Fault.hang(), Fault.hang(), Fault.stallStream(), Fault.stallStream()]))
      ))

    it.effect("calls a stream interrupted only if it was dropped before its last event", () =>
      Effect.gen(function*() {
        const claude = yield* ClaudeService
        const stream = claude.streamMessage(request)
        yield* Stream.runDrain(Stream.take(stream, 3))
        yield* Stream.runDrain(Stream.takeUntil(stream, (event) => event.type === "message_stop"))
        yield* Stream.runDrain(stream)
        assert.deepStrictEqual(yield* outcomes, ["Interrupted", "Succeeded", "Succeeded"])
      }).pipe(Effect.provide(ClaudeTest.script([], { after: Reply.text("Hello, world!") }))))

    it.effect("leaves a defect of the test's own to the test", () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(create)
        assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) === "broken test")
        assert.deepStrictEqual((yield* calls)[0]?.outcome, { _tag: "Died", defect: "broken test" })
      }).pipe(Effect.provide(ClaudeTest.script([Reply.effect(() => Effect.die("broken test"))]))))
  })

  it.effect("starts afresh with each build", () =>
    Effect.gen(function*() {
      const Claude = ClaudeTest.script([Reply.text("first"), Reply.text("second")], { strict: false })
      const once = Effect.all([create, calls, remaining])
      for (let build = 0; build < 2; build++) {
        const [message, all, left] = yield* Effect.provide(once, Claude, { local: true })
        assert.strictEqual(textOf(message), "first")
        assert.lengthOf(all, 1)
        assert.strictEqual(left, 1)
      }
    }))

  it.effect("does not follow an array of steps that changes", () =>
    Effect.gen(function*() {
      const steps = [Reply.text("first")]
      const Claude = ClaudeTest.script(steps, { strict: false })
      const test = Effect.gen(function*() {
        steps.push(Reply.text("second"))
        yield* create
        return yield* Effect.exit(create)
      })
      assert.isTrue(Exit.isFailure(yield* Effect.provide(test, Claude)))
    }))

  const Caller = Schema.Struct({
    method: Schema.Literals(["createMessage", "streamMessage", "countTokens"]),
    startsAt: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })),
    takes: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))
  })

  it.effect.prop(
    "hands each step to one of many callers, in the order of the record",
    [Schema.Array(Caller)],
    ([callers]) =>
      Effect.gen(function*() {
        const steps = callers.map(({ takes }, index) =>
          Reply.text("", { usage: { input_tokens: index + 1 } }).pipe(ClaudeTest.delayed(Duration.seconds(takes)))
        )
        const program = Effect.gen(function*() {
          const claude = yield* ClaudeService
          const methods = {
            createMessage: Effect.map(claude.createMessage(request), ({ usage }) => usage.input_tokens),
            countTokens: Effect.map(claude.countTokens(countRequest), (counted) => counted.input_tokens),
            streamMessage: Stream.runFold(
              claude.streamMessage(request),
              () => 0,
              (sum, event) => event.type === "message_start" ? event.message.usage.input_tokens : sum
            )
          }
          const fibers = yield* Effect.forEach(
            callers,
            ({ method, startsAt }) => Effect.forkChild(Effect.delay(methods[method], Duration.seconds(startsAt)))
          )
          yield* TestClock.adjust("1 minute")
          const numbers = yield* Effect.forEach(fibers, Fiber.join)
          const record = yield* calls
          // Step n was given to call n, and every caller got one.
          assert.sameMembers([...numbers], callers.map((_, index) => index + 1))
          const times = record.map(({ at }) => at)
          assert.deepStrictEqual(times, [...times].sort((a, b) => a - b))
          for (const [index, number] of numbers.entries()) {
            assert.strictEqual(record[number - 1]?.method, callers[index]?.method)
          }
          assert.isTrue(record.every(({ outcome }) => outcome._tag === "Succeeded"))
          assert.strictEqual(yield* remaining, 0)
        })
        yield* Effect.provide(program, ClaudeTest.script(steps))
      }).pipe(Effect.provide(TestClock.layer())),
    { arbitrary: { runs: 50, seed: 7 } }
  )

  describe("under a retry", () => {
    it.effect("sees the attempts of Retry", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Retry.retry(create, Schedule.recurs(2)))
        assert.strictEqual(error.attempt, 3)
        assert.deepStrictEqual((yield* calls).map(({ attempt }) => attempt), [1, 2, 3])
      }).pipe(Effect.provide(ClaudeTest.script([], { after: Fault.internalServer() }))))

    it.effect("keeps its own record beside the layers", () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(create)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(textOf(yield* Fiber.join(fiber)), "hi")
        const all = yield* calls
        assert.deepStrictEqual(all.map(({ attempt }) => attempt), [1, 2, 3])
        assert.deepStrictEqual(
          all.map(({ outcome }) => outcome._tag === "Failed" ? outcome.error._tag : outcome._tag),
          ["OverloadedError", "ConnectionError", "Succeeded"]
        )
      }).pipe(
        Effect.provide(
          ClaudeTest.script([Fault.overloaded(), Fault.cutStream({ afterEvents: 3 }), Reply.text("hi")]).pipe(
            ClaudeLayer.withRetry()
          )
        ),
        Random.withSeed("retry")
      ))

    it.effect("passes an hour of outage in no time", () =>
      Effect.gen(function*() {
        const end = Duration.toMillis("1 hour")
        const Claude = ClaudeTest.script([], {
          after: Reply.effect((call) =>
            Effect.flatMap(Clock.currentTimeMillis, (now) =>
              now < end
                ? Effect.fail(outage)
                : Effect.succeed(Reply.message(`call ${call.number}`)))
          )
        })
        const outage = yield* Effect.flip(Effect.provide(create, ClaudeTest.script([Fault.overloaded()])))
        const program = Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(Effect.retry(create, Schedule.spaced("10 seconds")))
          yield* TestClock.adjust("2 hours")
          assert.strictEqual(textOf(yield* Fiber.join(fiber)), "call 361")
          const all = yield* calls
          assert.strictEqual(all.at(-1)?.at, end)
        })
        yield* Effect.provide(program, Claude)
      }))
  })

  it.effect("refuses what the client would refuse before sending, and keeps the step", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const empty = { ...request, messages: [] }
      const long = { ...request, max_tokens: 100_000 }
      for (
        const [call, field] of [
          [claude.createMessage(empty), "messages"],
          [Stream.runDrain(claude.streamMessage(empty)), "messages"],
          [claude.countTokens(empty), "messages"],
          [claude.createMessage(long), "max_tokens"]
        ] as const
      ) {
        const error = yield* Effect.flip(Effect.asVoid(call))
        assert.strictEqual(error._tag === "InvalidRequestError" && error.field, field)
      }
      yield* Stream.runDrain(claude.streamMessage(long))
      assert.lengthOf(yield* calls, 1)
    }).pipe(Effect.provide(ClaudeTest.script([Reply.text("hi")]))))
})

describe("ClaudeTest.delayed", () => {
  const passes = (step: ClaudeTest.Step, duration: Duration.Input) =>
    Effect.gen(function*() {
      for (const call of [Effect.asVoid(create), drain, Effect.asVoid(count)]) {
        const fiber = yield* Effect.forkChild(Effect.exit(call))
        yield* TestClock.adjust(Duration.subtract(Duration.fromInputUnsafe(duration), Duration.millis(1)))
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(fiber)
      }
    }).pipe(Effect.provide(ClaudeTest.script([], { after: step })))

  it.effect("lets time pass before a reply", () =>
    passes(ClaudeTest.delayed(Reply.text("hi"), "2 seconds"), "2 seconds"))
  it.effect("lets time pass before a fault", () =>
    passes(Fault.overloaded().pipe(ClaudeTest.delayed("2 seconds")), "2 seconds"))
  it.effect("lets time pass before a computed reply", () =>
    passes(Reply.effect(() => Effect.succeed(Reply.message("hi"))).pipe(ClaudeTest.delayed(500)), "500 millis"))
  it.effect("lets time pass before an answer that breaks off", () =>
    passes(Fault.cutStream().pipe(ClaudeTest.delayed("1 minute")), "1 minute"))
  it.effect("adds up", () =>
    passes(Reply.text("hi").pipe(ClaudeTest.delayed("2 seconds"), ClaudeTest.delayed("3 seconds")), "5 seconds"))

  it("leaves the step alone and refuses wrong durations", () => {
    const step = Reply.text("hi")
    ClaudeTest.delayed(step, "1 second")
    assert.isTrue(Duration.isZero(step.delay))
    assert.throws(
      () => ClaudeTest.delayed(step, "-1 seconds"),
      RangeError,
      `ClaudeTest.delayed: option "duration" must be a duration of zero or more, got "-1 seconds"`
    )
  })

  describe("and a limit for headers", () => {
    const limited = (step: ClaudeTest.Step) =>
      ClaudeTest.script([], { after: step }).pipe(ClaudeLayer.withAttemptTimeout({ headers: "2 seconds" }))

    const timesOut = (step: ClaudeTest.Step, call: Effect.Effect<unknown, ClaudeError, ClaudeService>) =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Effect.flip(call))
        yield* TestClock.adjust("1999 millis")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        const error = yield* Fiber.join(fiber)
        assert(error._tag === "AttemptTimeoutError")
        assert.deepStrictEqual([error.phase, error.limit, error.model, error.attempt], [
          "headers",
          Duration.seconds(2),
          "claude-opus-5-5",
          1
        ])
      }).pipe(Effect.provide(limited(step)))

    it.effect("fails a hanging call, as the client does", () =>
      Effect.gen(function*() {
        for (const call of [create, drain, count]) yield* timesOut(Fault.hang(), call)
      }))

    it.effect("fails a late answer, as the client does", () =>
      Effect.gen(function*() {
        for (
          const step of [
            Reply.text("hi"),
            Fault.overloaded(),
            Fault.cutStream(),
            Reply.effect(() => Effect.never)
          ]
        ) {
          for (const call of [create, drain, count]) yield* timesOut(ClaudeTest.delayed(step, "1 minute"), call)
        }
      }))

    const events = MessageEvents.fromMessage(Reply.message("hi"))
    const late = Reply.events([Reply.pause("1 minute"), ...events]).pipe(ClaudeTest.delayed("1999 millis"))

    it.effect("lets an answer in time through, and a stream whose events come later", () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(drain)
        yield* TestClock.adjust("1999 millis")
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(yield* outcomes, ["Succeeded"])
      }).pipe(Effect.provide(limited(late))))

    it.effect("is the client's own reference", () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(
          Effect.flip(Effect.provideService(create, HeadersTimeout, Duration.seconds(1)))
        )
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(fiber))._tag, "AttemptTimeoutError")
      }).pipe(Effect.provide(ClaudeTest.script([Fault.hang()]))))
  })
})
