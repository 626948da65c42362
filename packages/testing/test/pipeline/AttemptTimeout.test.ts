import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { fromMessage } from "@effect-claude/client/MessageEvents"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { calls, createMessage, runFor, streamEvents, using } from "./support.ts"

describe("ClaudeLayer.withAttemptTimeout", () => {
  it.effect("turns a hang into a failure that the retry sees", () =>
    Effect.gen(function*() {
      const { result } = yield* runFor(createMessage, "5 minutes")
      assert.isTrue(Result.isSuccess(result))
      assert.deepStrictEqual((yield* calls).map(({ outcome }) => outcome._tag), ["Interrupted", "Succeeded"])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.hang(), Reply.text("hi")]).pipe(
          ClaudeLayer.withAttemptTimeout({ attempt: "60 seconds" }),
          ClaudeLayer.withRetry()
        )
      )
    ))

  it.effect("takes five minutes of pings for a long think and not for a stall", () =>
    Effect.gen(function*() {
      const { millis, result } = yield* runFor(streamEvents, "10 minutes")
      assert.isTrue(Result.isSuccess(result))
      assert.strictEqual(millis, 300_000)
    }).pipe((test) => {
      const [start, ...rest] = fromMessage(Reply.message("hi"))
      const pings = Array.from({ length: 20 }, () => [Reply.pause("15 seconds"), { type: "ping" } as const]).flat()
      assert.isDefined(start)
      return using(
        test,
        ClaudeTest.script([Reply.events([...(start === undefined ? [] : [start]), ...pings, ...rest])]).pipe(
          ClaudeLayer.withAttemptTimeout({ idle: "30 seconds", stream: "10 minutes" })
        )
      )
    }))

  it.effect("ends a stream of pings alone at its total limit", () =>
    Effect.gen(function*() {
      const { millis, result } = yield* runFor(streamEvents, "1 hour")
      const error = Result.isFailure(result) ? result.failure : undefined
      assert.strictEqual(error?._tag === "AttemptTimeoutError" ? error.phase : error?._tag, "firstEvent")
      assert.strictEqual(millis, 20_000)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([
          Reply.events(
            Array.from({ length: 200 }, () => [{ type: "ping" } as const, Reply.pause("5 seconds")]).flat()
          )
        ]).pipe(ClaudeLayer.withAttemptTimeout({ firstEvent: "20 seconds", idle: "10 seconds", stream: "10 minutes" }))
      )
    ))

  it.effect("in standard() an attempt that hangs takes half of the deadline and leaves time for another", () =>
    Effect.gen(function*() {
      const { millis, result } = yield* runFor(createMessage, "10 minutes")
      assert.isTrue(Result.isSuccess(result))
      assert.isAtLeast(millis, 10_000)
      assert.isBelow(millis, 20_000)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.hang(), Reply.text("hi")]).pipe(ClaudeLayer.standard({ deadline: "20 seconds" }))
      )
    ))
})
