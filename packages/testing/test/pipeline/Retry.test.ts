import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import { isPing } from "@effect-claude/client/MessageEvents"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import { calls, createMessage, runFor, streamEvents, using } from "./support.ts"

describe("ClaudeLayer.withRetry", () => {
  it.effect("gives up after three attempts, with the last error", () =>
    Effect.gen(function*() {
      const { result } = yield* runFor(createMessage, "1 minute")
      assert.isTrue(Result.isFailure(result))
      assert.strictEqual(Result.isFailure(result) ? result.failure.attempt : undefined, 3)
      assert.deepStrictEqual((yield* calls).map(({ attempt }) => attempt), [1, 2, 3])
    }).pipe((test) => using(test, ClaudeTest.script([], { after: Fault.overloaded() }).pipe(ClaudeLayer.withRetry()))))

  it.effect("waits between attempts as full jitter from one second allows", () =>
    Effect.gen(function*() {
      yield* runFor(createMessage, "1 minute")
      const [first, second, third] = (yield* calls).map(({ at }) => at)
      assert.isAtMost((second ?? 0) - (first ?? 0), 1000)
      assert.isAtMost((third ?? 0) - (second ?? 0), 2000)
    }).pipe(
      (test) => using(test, ClaudeTest.script([], { after: Fault.overloaded() }).pipe(ClaudeLayer.withRetry())),
      Random.withSeed("waits")
    ))

  it.effect("never sends before the time the server asked for, nor more than a fifth later", () =>
    Effect.gen(function*() {
      yield* runFor(createMessage, "1 minute")
      const [first, second] = (yield* calls).map(({ at }) => at)
      const wait = (second ?? 0) - (first ?? 0)
      assert.isAtLeast(wait, 12_000)
      assert.isAtMost(wait, 14_400)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.rateLimit({ retryAfter: "12 seconds" }), Reply.text("hi")]).pipe(
          ClaudeLayer.withRetry()
        )
      )
    ))

  it.effect("tries a timeout once more, not twice", () =>
    Effect.gen(function*() {
      yield* runFor(createMessage, "1 minute")
      assert.strictEqual((yield* calls).length, 2)
    }).pipe((test) =>
      using(test, ClaudeTest.script([], { after: Fault.gatewayTimeout() }).pipe(ClaudeLayer.withRetry()))
    ))

  const timeouts: ReadonlyArray<readonly [string, Parameters<typeof ClaudeSchedule.make>[0], number]> = [
    ["one attempt is one attempt", { attempts: 1 }, 1],
    ["more attempts are none of a timeout's", { attempts: 5 }, 2],
    ["another base for timeouts leaves their attempts", { kinds: { timeout: { base: "1 second" } } }, 2],
    ["unless it is said", { attempts: 5, kinds: { timeout: { attempts: 4 } } }, 4]
  ]
  for (const [name, options, expected] of timeouts) {
    it.effect(`ClaudeSchedule.make: ${name}`, () =>
      Effect.gen(function*() {
        yield* runFor(createMessage, "5 minutes")
        assert.strictEqual((yield* calls).length, expected)
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([], { after: Fault.gatewayTimeout() }).pipe(
            ClaudeLayer.withRetry(ClaudeSchedule.make(options))
          )
        )
      ))
  }

  const final = {
    "a bad request": Fault.invalidRequest(),
    "a wrong key": Fault.authentication(),
    "a spend limit": Fault.spendLimit(),
    "an overload that the server says not to retry": Fault.overloaded({ shouldRetry: false }),
    "a wait over the maximum": Fault.rateLimit({ retryAfter: "61 seconds" })
  }
  for (const [name, fault] of Object.entries(final)) {
    it.effect(`sends one request for ${name}`, () =>
      Effect.gen(function*() {
        const { millis } = yield* runFor(createMessage, "1 minute")
        assert.strictEqual((yield* calls).length, 1)
        assert.strictEqual(millis, 0)
      }).pipe((test) => using(test, ClaudeTest.script([], { after: fault }).pipe(ClaudeLayer.withRetry()))))
  }

  it.effect("ClaudeSchedule.patient outlasts minutes of overload", () =>
    Effect.gen(function*() {
      const { result } = yield* runFor(createMessage, "1 hour")
      assert.isTrue(Result.isSuccess(result))
      assert.strictEqual((yield* calls).length, 9)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([...Array.from({ length: 8 }, () => Fault.overloaded()), Reply.text("hi")]).pipe(
          ClaudeLayer.withRetry(ClaudeSchedule.patient)
        )
      )
    ))

  it.effect("retries a stream before content, and shows one message_start", () =>
    Effect.gen(function*() {
      const { result } = yield* runFor(streamEvents, "1 minute")
      const events = Result.isSuccess(result) ? result.success.filter((event) => !isPing(event)) : []
      assert.strictEqual(events.filter(({ type }) => type === "message_start").length, 1)
      assert.strictEqual(events.at(-1)?.type, "message_stop")
      const start = events.find((event) => event.type === "message_start")
      assert.strictEqual(AnswerInfo.of(start?.message ?? {}).attempt, 3)
      assert.strictEqual((yield* calls).length, 3)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.cutStream({ afterEvents: 1 }), Fault.overloaded(), Reply.text("hi")]).pipe(
          ClaudeLayer.withRetry()
        )
      )
    ))

  it.effect("does not repeat a stream that has shown content", () =>
    Effect.gen(function*() {
      const { result } = yield* runFor(streamEvents, "1 minute")
      assert.strictEqual(Result.isFailure(result) ? result.failure._tag : "", "StreamInterruptedError")
      assert.strictEqual((yield* calls).length, 1)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.cutStream({ afterEvents: 3 })], { after: Reply.text("hi") }).pipe(
          ClaudeLayer.withRetry()
        )
      )
    ))
})

describe("ClaudeLayer.withRetry with a schedule that knows nothing of verdicts", () => {
  it.effect("does not repeat what must not be repeated, and its tap does not see it", () => {
    let taps = 0
    const counted = Schedule.recurs(5).pipe(Schedule.tap(() => Effect.sync(() => taps++)))
    return Effect.gen(function*() {
      const { result } = yield* runFor(createMessage, "1 minute")
      assert.strictEqual(Result.isFailure(result) ? result.failure._tag : "", "AuthenticationError")
      assert.strictEqual((yield* calls).length, 2)
      assert.strictEqual(taps, 1)
    }).pipe((test) =>
      using(test, ClaudeTest.script([Fault.overloaded(), Fault.authentication()]).pipe(ClaudeLayer.withRetry(counted)))
    )
  })
})
