import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as ClaudeVitest from "@effect-claude/testing/ClaudeVitest"
import * as Fault from "@effect-claude/testing/Fault"
import * as PolicyLaws from "@effect-claude/testing/PolicyLaws"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"

ClaudeVitest.setup()

const request = {
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  messages: [{ role: "user" as const, content: "Hello" }]
}

const Claude = ClaudeTest.script([Fault.overloaded(), Fault.overloaded(), Reply.text("hi")]).pipe(
  ClaudeLayer.withRetry()
)

describe("ClaudeVitest.effect", () => {
  ClaudeVitest.effect(
    "passes time by itself and provides all of the layer",
    Claude,
    (claude, { task }) =>
      Effect.gen(function*() {
        assert.strictEqual(task.name, "passes time by itself and provides all of the layer")
        yield* claude.createMessage(request)
        yield* ClaudeAssert.attempts(3)
        yield* Effect.addFinalizer(() => Effect.void)
      })
  )

  const times: Array<number> = []
  for (const seed of ["one", "one", "two"]) {
    ClaudeVitest.effect(`draws from the seed ${seed}`, Claude, (claude) =>
      Effect.gen(function*() {
        yield* claude.createMessage(request)
        times.push(yield* Clock.currentTimeMillis)
      }), { seed })
  }
  it("draws the same twice, and else with another seed", () => {
    assert.lengthOf(times, 3)
    assert.strictEqual(times[0], times[1])
    assert.notStrictEqual(times[0], times[2])
  })

  const draws: Array<number> = []
  for (const options of [{}, {}, { seed: false as const }]) {
    ClaudeVitest.effect(
      "has a seed unless it is told otherwise",
      ClaudeTest.empty,
      () => Effect.map(Random.next, (draw) => void draws.push(draw)),
      options
    )
  }
  it("drew from one seed", () => {
    assert.strictEqual(draws[0], draws[1])
    assert.notStrictEqual(draws[0], draws[2])
  })

  ClaudeVitest.effect.fails(
    "fails when the program does",
    ClaudeTest.script([Fault.spendLimit()]),
    (claude) => claude.createMessage(request)
  )

  ClaudeVitest.effect.fails(
    "fails at its limit",
    ClaudeTest.script([Reply.text("hi").pipe(ClaudeTest.delayed("2 hours"))]),
    (claude) => claude.createMessage(request),
    { limit: "1 hour" }
  )

  ClaudeVitest.effect(
    "takes a comparison and a law, which have clocks of their own",
    ClaudeTest.empty,
    () =>
      Effect.gen(function*() {
        const call = Effect.flatMap(ClaudeService, (claude) => claude.createMessage(request))
        const script = ClaudeTest.script([Fault.overloaded(), Reply.text("hi")])
        yield* ClaudeAssert.sameBehavior(script, ClaudeLayer.withRetry(), ClaudeLayer.withRetry(), call)
        yield* PolicyLaws.retry(ClaudeSchedule.standard, { attempts: 3, cases: 20 })
        assert.strictEqual(yield* Clock.currentTimeMillis, 0)
      })
  )

  it.effect("shows a copy of the error, with all that a runner wants of it", () =>
    Effect.gen(function*() {
      const error = Object.assign(new TypeError("mine"), { actual: 1, expected: 2 })
      const call = Effect.flatMap(ClaudeService, (claude) => claude.createMessage(request))
      const exit = yield* Effect.exit(ClaudeVitest.run(Effect.andThen(call, Effect.fail(error)), Claude))
      const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
      const shown = reason?._tag === "Die" ? reason.defect : undefined
      assert.strictEqual(error.message, "mine")
      assert.instanceOf(shown, TypeError)
      const { actual, expected, message, stack } = shown as typeof error
      assert.deepStrictEqual([actual, expected], [1, 2])
      assert.match(message, /^mine\n\n +0\.000 s {2}#1 attempt 1 [^]*#3 attempt 3/)
      assert.match(stack ?? "", /^TypeError: mine\n\n[^]*\n +at .*ClaudeVitest\.test\.ts/)
    }))

  it.effect("shows the abort of a promise", () =>
    Effect.gen(function*() {
      const aborted = Effect.promise(() => Promise.reject(new DOMException("gone", "AbortError")))
      const exit = yield* Effect.exit(ClaudeVitest.run(aborted, ClaudeTest.empty))
      const shown = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(shown, DOMException)
      assert.strictEqual(String(shown), "AbortError: gone\n\nno call was made")
    }))

  it.effect("does not say that no call was made when it cannot know", () =>
    Effect.gen(function*() {
      const unseen = Layer.effect(ClaudeService, ClaudeService).pipe(
        Layer.provide(ClaudeTest.always(Fault.spendLimit()))
      )
      const call = Effect.flatMap(ClaudeService, (claude) => claude.createMessage(request))
      const exit = yield* Effect.exit(ClaudeVitest.run(call, unseen))
      const shown = Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : ""
      assert.match(shown, /\n\nno call is known: there is no ClaudeTest in the context$/)
    }))
})

ClaudeVitest.layer(
  ClaudeTest.script([Fault.overloaded(), Reply.text("hi")]).pipe(
    ClaudeLayer.withCircuitBreaker({ failures: 1, openFor: "1 minute" })
  )
)("ClaudeVitest.layer", (test) => {
  test("runs the first test on the first step", (claude) =>
    ClaudeAssert.failsWith(claude.createMessage(request), "OverloadedError"))

  test("goes on with the state of the first", (claude) =>
    Effect.gen(function*() {
      yield* ClaudeAssert.failsWith(claude.createMessage(request), "CircuitOpenError")
      yield* Effect.sleep("1 minute")
      yield* claude.createMessage(request)
      yield* ClaudeAssert.requests(2)
    }))
})

describe("matchers", () => {
  const pipeline = ClaudeTest.script([Fault.overloaded(), Reply.text("hi"), Fault.spendLimit()], { strict: false })
    .pipe(
      ClaudeLayer.withRetry(),
      ClaudeLayer.withDeadline("2 minutes")
    )

  ClaudeVitest.effect("say yes to what is so", pipeline, (claude) =>
    Effect.gen(function*() {
      yield* claude.createMessage(request)
      const exit = yield* Effect.exit(claude.createMessage(request))
      const calls = yield* Effect.flatMap(ClaudeTest.ClaudeTest, (test) => test.calls)
      expect(calls).toHaveAttempts([2, 1])
      expect(calls).toHaveRequests(3)
      expect(calls).toHaveWaits([{ base: "1 second", jitter: "full" }])
      expect(calls).toHaveModels(["claude-sonnet-5-5"])
      expect(calls).toHaveOutcomes(["OverloadedError", "Succeeded", "SpendLimitError"])
      expect(exit).toFailWith("SpendLimitError")
      expect(claude).toHavePolicies(["deadline", "retry"])
      expect(yield* ClaudeLayer.describe).toHavePolicy("deadline", { duration: "120 seconds" })
    }))

  ClaudeVitest.effect("say no to what is not, and the other way round", pipeline, (claude) =>
    Effect.gen(function*() {
      yield* claude.createMessage(request)
      const calls = yield* Effect.flatMap(ClaudeTest.ClaudeTest, (test) => test.calls)
      expect(calls).not.toHaveAttempts(1)
      expect(claude).not.toHavePolicy("retry", { schedule: "custom" })
      expect(Exit.succeed(1)).not.toFailWith("SpendLimitError")
      expect(Exit.fail({ _tag: "Mine" })).toFailWith("Mine")
      assert.throws(
        () => expect(calls).toHaveAttempts(1),
        /expected attempts of each call: 1, got 2\n\n +0\.000 s {2}#1/
      )
      assert.throws(() => expect(calls).not.toHaveAttempts(2), /expected attempts of each call: other than 2/)
      assert.throws(() => expect(Exit.interrupt()).toFailWith("Mine"), /got an interrupt/)
      assert.throws(() => expect(claude).toHavePolicies(["retry"]), /got deadline, retry/)
      assert.throws(() => expect("calls").toHaveAttempts(1), /toHaveAttempts: expected the calls of a script/)
      assert.throws(() => expect(claude).toFailWith("Mine"), /toFailWith: expected an Exit/)
    }))

  it("compare durations by their length", () => {
    expect({ wait: Duration.seconds(60) }).toEqual({ wait: Duration.minutes(1) })
    expect({ wait: Duration.nanos(60_000_000_000n) }).toEqual({ wait: Duration.minutes(1) })
    expect({ wait: Duration.seconds(61) }).not.toEqual({ wait: Duration.minutes(1) })
  })
})
