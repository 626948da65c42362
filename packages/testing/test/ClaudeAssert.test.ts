import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import * as VirtualTime from "@effect-claude/testing/VirtualTime"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"

const prompt = "the prompt that nobody should see"

const request = {
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  messages: [{ role: "user" as const, content: prompt }]
}

const ask = Effect.flatMap(ClaudeService, (claude) => claude.createMessage(request))

interface Failed extends Error {
  readonly actual: unknown
  readonly expected: unknown
}

/** The AssertionError that a failed assertion dies with. */
const complaint = <A, E, R>(assertion: Effect.Effect<A, E, R>): Effect.Effect<Failed, never, R> =>
  Effect.map(Effect.exit(assertion), (exit) => {
    assert.isTrue(Exit.isFailure(exit), "the assertion holds, and should not")
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.isTrue(error instanceof Error && error.name === "AssertionError", String(error))
    assert.isTrue(Exit.isFailure(exit) && Cause.findErrorOption(exit.cause)._tag === "None", "a defect")
    return error as Failed
  })

describe("what a pipeline is made of", () => {
  const pipeline = ClaudeTest.script([]).pipe(
    ClaudeLayer.withCircuitBreaker({ failures: 5, openFor: "1 minute" }),
    ClaudeLayer.withRetry(),
    ClaudeLayer.withDeadline("2 minutes")
  )

  it.effect("is asserted by names, options and order", () =>
    Effect.gen(function*() {
      yield* ClaudeAssert.policies(["deadline", "retry", "circuitBreaker"])
      yield* ClaudeAssert.hasPolicy("retry")
      yield* ClaudeAssert.hasPolicy("circuitBreaker", { failures: 5, openFor: "60 seconds" })
      yield* ClaudeAssert.hasPolicy("deadline", { duration: Duration.minutes(2) })
      yield* ClaudeAssert.hasPolicy("retry", { schedule: { kinds: { timeout: { attempts: 2 } } } })
      yield* ClaudeAssert.order(["deadline", "circuitBreaker"])
      yield* ClaudeAssert.lacksPolicy("fallback")
    }).pipe(Effect.provide(pipeline)))

  it.effect("is told when it is another", () =>
    Effect.gen(function*() {
      const wrong = yield* complaint(ClaudeAssert.policies(["retry", "deadline"]))
      assert.strictEqual(
        wrong.message,
        "expected the policies (outermost first) retry, deadline, got deadline, retry, circuitBreaker"
      )
      assert.deepStrictEqual(wrong.actual, ["deadline", "retry", "circuitBreaker"])
      assert.deepStrictEqual(wrong.expected, ["retry", "deadline"])
      const options = yield* complaint(ClaudeAssert.hasPolicy("circuitBreaker", { failures: 6 }))
      assert.match(
        options.message,
        /^expected the policy circuitBreaker with \{"failures":6\}, got \{"failures":5,"openFor":"1 minute"/
      )
      assert.strictEqual(
        (yield* complaint(ClaudeAssert.hasPolicy("hedge"))).message,
        "expected a policy hedge, got deadline, retry, circuitBreaker"
      )
      yield* complaint(ClaudeAssert.hasPolicy("deadline", { duration: Duration.minutes(3) }))
      yield* complaint(ClaudeAssert.hasPolicy("circuitBreaker", { openFor: "61 seconds" }))
      yield* complaint(ClaudeAssert.order(["circuitBreaker", "deadline"]))
      yield* complaint(ClaudeAssert.order(["retry", "retry"]))
      yield* complaint(ClaudeAssert.lacksPolicy("retry"))
    }).pipe(Effect.provide(pipeline)))
})

describe("what a pipeline did", () => {
  const Claude = ClaudeTest.script([
    Fault.overloaded(),
    Fault.rateLimit({ retryAfter: "10 seconds" }),
    Reply.text("one"),
    Reply.text("two"),
    Fault.invalidRequest()
  ], { strict: false }).pipe(ClaudeLayer.withRetry())

  it.effect("is asserted by attempts, waits and outcomes", () =>
    Effect.gen(function*() {
      yield* ask
      yield* ClaudeAssert.attempts(3)
      yield* ClaudeAssert.waits([{ base: "1 second", jitter: "full" }, { server: "10 seconds" }])
      yield* ClaudeAssert.waits([{ atMost: "1 second" }, { atLeast: "10 seconds", atMost: "12 seconds" }])
      yield* ask
      yield* Effect.exit(ask)
      yield* ClaudeAssert.requests(5)
      yield* ClaudeAssert.attempts([3, 1, 1])
      yield* ClaudeAssert.models(["claude-sonnet-5-5"])
      yield* ClaudeAssert.outcomes([
        "OverloadedError",
        "RateLimitError",
        "Succeeded",
        "Succeeded",
        "InvalidRequestError"
      ])
    }).pipe(Effect.provide(Claude), VirtualTime.run))

  it.effect("is told with its timeline when it is another", () =>
    Effect.gen(function*() {
      yield* ask
      const wrong = yield* complaint(ClaudeAssert.attempts(2))
      assert.deepStrictEqual([wrong.actual, wrong.expected], [[3], [2]])
      assert.match(
        wrong.message,
        /^expected attempts of each call: 2, got 3\n\n +0\.000 s {2}#1 attempt 1 {2}claude-sonnet-5-5/
      )
      assert.notInclude(wrong.message, prompt)
      yield* complaint(ClaudeAssert.requests(2))
      yield* complaint(ClaudeAssert.attempts([3, 1]))
      yield* complaint(ClaudeAssert.waits([]))
      yield* complaint(ClaudeAssert.waits([{ base: "1 second", jitter: "full" }, "10 hours"]))
      yield* complaint(ClaudeAssert.waits([{ atMost: "1 second" }, { server: "13 seconds" }]))
      yield* complaint(ClaudeAssert.waits([{ atMost: "1 second" }, { server: "8 seconds" }]))
      yield* complaint(ClaudeAssert.models([]))
      yield* complaint(ClaudeAssert.outcomes(["Succeeded"]))
    }).pipe(Effect.provide(Claude), VirtualTime.run))

  it.effect("tells no wait from a short one", () => {
    const retried = (schedule: Schedule.Schedule<unknown>) =>
      Effect.provide(ClaudeTest.failTimes(1, Fault.overloaded()).pipe(ClaudeLayer.withRetry(schedule)))
    return Effect.gen(function*() {
      yield* Effect.gen(function*() {
        yield* ask
        yield* ClaudeAssert.waits([0])
        yield* ClaudeAssert.waits([{}])
        yield* complaint(ClaudeAssert.waits(["1 milli"]))
        yield* complaint(ClaudeAssert.waits([{ atLeast: "1 milli" }]))
      }).pipe(retried(Schedule.recurs(1)))
      yield* Effect.gen(function*() {
        yield* ask
        yield* ClaudeAssert.waits(["1 milli"])
        yield* ClaudeAssert.waits([{}])
        yield* complaint(ClaudeAssert.waits([0]))
        yield* complaint(ClaudeAssert.waits([{ atMost: 0 }]))
      }).pipe(retried(Schedule.spaced("1 milli")))
    }).pipe(VirtualTime.run)
  })

  it.effect("tells the attempts of calls at the same time apart", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const call = (model: string) => Effect.exit(claude.createMessage({ ...request, model }))
      yield* Effect.all([call("a"), call("b"), call("a")], { concurrency: 3 })
      yield* ClaudeAssert.attempts([2, 2, 2])
      yield* ClaudeAssert.waits(["2 seconds", "2 seconds", "2 seconds"])
    }).pipe(
      Effect.provide(
        ClaudeTest.script([], { after: Fault.overloaded() }).pipe(
          ClaudeLayer.withRetry(Schedule.spaced("2 seconds").pipe(Schedule.upTo({ times: 1 })))
        )
      ),
      VirtualTime.run
    ))

  it.effect("counts the requests that a cache or shared calls saved", () =>
    Effect.gen(function*() {
      const three = Effect.all([ask, ask, ask], { concurrency: 3 })
      const answers = yield* ClaudeAssert.requestsSaved(three, 2)
      assert.lengthOf(answers, 3)
      const wrong = yield* complaint(ClaudeAssert.requestsSaved(three, 1))
      assert.match(wrong.message, /^expected of 3 calls and \d requests, saved requests: 1, got [23]/)
    }).pipe(
      Effect.provide(
        ClaudeTest.script([], { after: Reply.text("hi").pipe(ClaudeTest.delayed("1 second")) }).pipe(
          ClaudeLayer.withCache({ coalesce: true })
        )
      ),
      VirtualTime.run
    ))

  it.effect("counts retries as requests that were not saved, of streams and counts as well", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const program = Effect.gen(function*() {
        yield* Stream.runDrain(Stream.unwrap(Effect.map(ClaudeService, ({ streamMessage }) => streamMessage(request))))
        yield* Effect.flatMap(ClaudeService, ({ countTokens }) => countTokens(request))
        // A service that was taken before is none that is counted.
        yield* claude.createMessage(request)
      })
      yield* ClaudeAssert.requestsSaved(program, -2)
    }).pipe(
      Effect.provide(
        ClaudeTest.script([Fault.overloaded()], { after: Reply.text("hi") }).pipe(
          ClaudeLayer.withRetry(Schedule.recurs(1))
        )
      )
    ))

  it.effect("fails with the error that was expected, and hands it out", () =>
    Effect.gen(function*() {
      const error = yield* ClaudeAssert.failsWith(ask, "SpendLimitError")
      assert.strictEqual(error._tag, "SpendLimitError")
      const other = yield* complaint(ClaudeAssert.failsWith(ask, "SpendLimitError"))
      assert.match(other.message, /^expected a failure with SpendLimitError, got OverloadedError\n\n/)
      assert.match(
        (yield* complaint(ClaudeAssert.failsWith(ask, "SpendLimitError"))).message,
        /^expected a failure with SpendLimitError, got success/
      )
      assert.match(
        (yield* complaint(ClaudeAssert.failsWith(ask, "SpendLimitError"))).message,
        /^expected a failure with SpendLimitError, got a defect \(Error\)/
      )
    }).pipe(
      Effect.provide(ClaudeTest.script([Fault.spendLimit(), Fault.overloaded(), Reply.text("hi")], { strict: false }))
    ))
})

describe("sameBehavior", () => {
  const script = ClaudeTest.script([Fault.overloaded(), Fault.overloaded(), Reply.text("hi")])

  it.effect("holds for two pipelines that do the same, jitter included", () =>
    Effect.gen(function*() {
      yield* ClaudeAssert.sameBehavior(script, ClaudeLayer.withRetry(), ClaudeLayer.withRetry(), ask)
      yield* ClaudeAssert.sameBehavior(
        script,
        ClaudeLayer.standard({ telemetry: false }),
        ClaudeLayer.standard({ telemetry: {} }),
        ask,
        { seed: 7 }
      )
    }))

  it.effect("shows both timelines side by side", () =>
    Effect.gen(function*() {
      const wrong = yield* complaint(ClaudeAssert.sameBehavior(
        script,
        ClaudeLayer.withRetry(Schedule.spaced("1 second")),
        ClaudeLayer.withRetry(Schedule.recurs(1)),
        ask
      ))
      assert.match(
        wrong.message,
        /^the two pipelines do not behave the same: one ends with success and the other with OverloadedError\n\n/
      )
      const [, , heading = "", first = "", second = ""] = wrong.message.split("\n")
      assert.match(heading, /^ {2}first pipeline +≠ {3}second pipeline$/)
      assert.match(first, /^ +0\.000 s {2}#1 .*OverloadedError \(529\) +\| +0\.000 s {2}#1 .*OverloadedError \(529\)$/)
      assert.match(second, /^ +0\.000 s {5}retry in 1s .* ≠ +0\.000 s {5}retry in 0/)
      assert.match(wrong.message, /1\.000 s {2}#2/)
      assert.notInclude(wrong.message, prompt)
    }))

  it.effect("finds requests and results that differ", () =>
    Effect.gen(function*() {
      const other = yield* complaint(ClaudeAssert.sameBehavior(
        ClaudeTest.script([Fault.overloaded(), Reply.text("hi")]),
        ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] }),
        ClaudeLayer.withFallback({ models: ["claude-opus-5-5"] }),
        ask
      ))
      assert.include(other.message, "their calls differ")
      let run = 0
      const results = yield* complaint(ClaudeAssert.sameBehavior(
        ClaudeTest.script([]),
        (base) => base,
        (base) => base,
        Effect.sync(() => ++run)
      ))
      assert.include(results.message, "their results differ")
      const requests = yield* complaint(ClaudeAssert.sameBehavior(
        ClaudeTest.script([Reply.text("hi")]),
        (base) => base,
        (base) => base,
        Effect.suspend(() => {
          const max_tokens = 100 + run++
          return Effect.asVoid(
            Effect.flatMap(ClaudeService, (claude) => claude.createMessage({ ...request, max_tokens }))
          )
        })
      ))
      assert.include(requests.message, "their requests differ")
    }))

  it.effect("shows nothing of a program that dies in both", () =>
    Effect.gen(function*() {
      const same = (program: Effect.Effect<unknown, ClaudeError, ClaudeService>) =>
        Effect.exit(ClaudeAssert.sameBehavior(
          ClaudeTest.script([Fault.overloaded()]),
          ClaudeLayer.withRetry(),
          ClaudeLayer.withRetry(),
          program
        ))
      const defectOf = (exit: Exit.Exit<void>) => Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "none"
      assert.include(defectOf(yield* same(ask)), "call 2 (createMessage claude-sonnet-5-5, attempt 2) has no step")
      assert.include(defectOf(yield* same(Effect.sync(() => assert.strictEqual(1 + 1, 3)))), "expected 2 to equal 3")
      assert.isTrue(Exit.isSuccess(
        yield* Effect.exit(ClaudeAssert.sameBehavior(
          ClaudeTest.script([Fault.spendLimit()]),
          ClaudeLayer.withRetry(),
          ClaudeLayer.withRetry(),
          ask
        ))
      ))
    }))
})
