import type { MessageBatch } from "@anthropic-ai/sdk/resources/messages/batches"
import * as BatchJob from "@effect-claude/client/BatchJob"
import * as BatchLedger from "@effect-claude/client/BatchLedger"
import { ClaudeBatches, type ClaudeBatchesShape } from "@effect-claude/client/ClaudeBatches"
import {
  AuthenticationError,
  type ClaudeError,
  ConnectionError,
  OverloadedError
} from "@effect-claude/client/ClaudeError"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

const batchOf = (status: MessageBatch["processing_status"]): MessageBatch => ({
  id: "msgbatch_1",
  type: "message_batch",
  processing_status: status,
  request_counts: { processing: 0, succeeded: 0, errored: 0, canceled: 0, expired: 0 },
  created_at: "2026-11-20T00:00:00Z",
  expires_at: "2026-11-21T00:00:00Z",
  ended_at: null,
  archived_at: null,
  cancel_initiated_at: null,
  results_url: null
})

interface Poll {
  readonly at: number
  readonly answer: MessageBatch | ClaudeError
}

/** A service that knows of one batch, and remembers when it was asked. */
const serviceOf = (answer: (now: number, poll: number) => MessageBatch | ClaudeError) =>
  Effect.map(BatchLedger.makeMemory, (ledger) => {
    const polls: Array<Poll> = []
    const unused = Effect.die(new Error("not used here"))
    const service: ClaudeBatchesShape = {
      create: () => unused,
      cancel: () => unused,
      delete: () => unused,
      list: () => Stream.die("not used here"),
      results: () => Stream.empty,
      retrieve: () =>
        Effect.gen(function*() {
          const at = yield* Clock.currentTimeMillis
          const said = answer(at, polls.length)
          polls.push({ at, answer: said })
          return "_tag" in said ? yield* said : said
        }),
      ledger
    }
    return { polls, service }
  })

/** Waits in virtual time, and says when each poll was. */
const waiting = (
  answer: (now: number, poll: number) => MessageBatch | ClaudeError,
  options: BatchJob.WaitOptions = {},
  time: Duration.Input = "3 days"
) =>
  Effect.gen(function*() {
    const { polls, service } = yield* serviceOf(answer)
    const events: Array<BatchJob.BatchEvent> = []
    const fiber = yield* BatchJob.wait("msgbatch_1", { ...options, onEvent: (event) => events.push(event) }).pipe(
      Effect.provideService(ClaudeBatches, service),
      Effect.result,
      Effect.forkChild
    )
    yield* TestClock.adjust(time)
    return { result: yield* Fiber.join(fiber), polls: polls.map(({ at }) => at / 1000), events }
  })

const seconds = (duration: Duration.Input): number => Duration.toSeconds(Duration.fromInputUnsafe(duration))

const failureOf = <A, E>(result: Result.Result<A, E>): E =>
  Result.isFailure(result) ? result.failure : assert.fail("expected a failure")

const unjittered = { nextDoubleUnsafe: () => 0.5, nextIntUnsafe: () => 0 }

describe("wait", () => {
  it.effect("polls less and less often, up to once a minute, for a whole day", () =>
    Effect.gen(function*() {
      const { polls, result } = yield* waiting((now) => batchOf(now >= 24 * 3_600_000 ? "ended" : "in_progress"))
      assert.strictEqual(result._tag, "Success")
      const gaps = polls.slice(1).map((at, index) => at - (polls[index] ?? 0))
      assert.deepStrictEqual(gaps.slice(0, 8).map((gap) => Math.round(gap * 100) / 100), [
        5,
        7.5,
        11.25,
        16.88,
        25.31,
        37.97,
        56.95,
        60
      ])
      assert.strictEqual(Math.max(...gaps), 60)
      assert.isAtMost(polls.length, 24 * 60 + 10)
    }).pipe(Effect.provideService(Random.Random, unjittered)))

  it.effect("spreads its polls by 20 %", () =>
    Effect.gen(function*() {
      const { polls } = yield* waiting((now) => batchOf(now >= 3_600_000 ? "ended" : "in_progress"))
      const gaps = polls.slice(9).map((at, index) => at - (polls[index + 8] ?? 0))
      assert.isAbove(new Set(gaps).size, 10)
      for (const gap of gaps) assert.isTrue(gap >= 48 && gap <= 72, `${gap} s`)
    }).pipe(Random.withSeed("polls")))

  it.effect("asks at once, and is done if the batch is", () =>
    Effect.gen(function*() {
      const { polls } = yield* waiting(() => batchOf("ended"))
      assert.deepStrictEqual(polls, [0])
    }))

  it.effect("survives an outage of two hours", () =>
    Effect.gen(function*() {
      const outage = (now: number) => now > 600_000 && now < 7_800_000
      const { events, result } = yield* waiting((now) =>
        outage(now)
          ? new OverloadedError({ message: "Overloaded" })
          : batchOf(now > 8_000_000 ? "ended" : "in_progress")
      )
      assert.strictEqual(result._tag, "Success")
      assert.isAbove(events.filter(({ _tag }) => _tag === "PollFailed").length, 90)
    }))

  it.effect("waits at least as long as the server asks", () =>
    Effect.gen(function*() {
      const { polls } = yield* waiting((_, poll) =>
        poll === 0 ? new OverloadedError({ message: "Overloaded", retryAfter: Duration.minutes(7) }) : batchOf("ended")
      )
      assert.deepStrictEqual(polls, [0, 420])
    }))

  it.effect("fails at once for what does not change", () =>
    Effect.gen(function*() {
      const { polls, result } = yield* waiting(() =>
        new AuthenticationError({ message: "invalid x-api-key", status: 401 })
      )
      assert.strictEqual(failureOf(result)._tag, "AuthenticationError")
      assert.deepStrictEqual(polls, [0])
    }))

  it.effect("takes a host that is not found for a typing error at first, for a passing failure later", () =>
    Effect.gen(function*() {
      const unknown = new ConnectionError({ message: "The connection failed (ENOTFOUND)", code: "ENOTFOUND" })
      const first = yield* waiting(() => unknown)
      assert.strictEqual(failureOf(first.result)._tag, "ConnectionError")
      const later = yield* waiting((_, poll) =>
        poll === 0 ? batchOf("in_progress") : poll < 5 ? unknown : batchOf("ended")
      )
      assert.strictEqual(later.result._tag, "Success")
    }))

  it.effect("gives up at its deadline and says what was known", () =>
    Effect.gen(function*() {
      const { polls, result } = yield* waiting(() => batchOf("in_progress"), { deadline: "90 minutes" })
      const error = failureOf(result)
      assert.strictEqual(error._tag, "DeadlineExceededError")
      assert.include(error.message, "msgbatch_1 did not end within")
      assert.include(error.message, "in_progress")
      assert.isBelow(polls.at(-1) ?? 0, seconds("90 minutes"))
    }))

  it.effect("gives up after 25 hours by itself, and never with an infinite deadline", () =>
    Effect.gen(function*() {
      const { polls, result } = yield* waiting(() => batchOf("canceling"))
      assert.strictEqual(failureOf(result)._tag, "DeadlineExceededError")
      assert.isBelow(polls.at(-1) ?? 0, seconds("25 hours"))
      const patient = yield* waiting((now) => batchOf(now > 48 * 3_600_000 ? "ended" : "in_progress"), {
        deadline: "Infinity"
      })
      assert.strictEqual(patient.result._tag, "Success")
    }))

  it.effect("a deadline cuts off a poll that hangs", () =>
    Effect.gen(function*() {
      const { service } = yield* serviceOf(() => batchOf("in_progress"))
      const fiber = yield* BatchJob.wait("msgbatch_1", { deadline: "1 hour" }).pipe(
        Effect.provideService(ClaudeBatches, { ...service, retrieve: () => Effect.never }),
        Effect.flip,
        Effect.forkChild
      )
      yield* TestClock.adjust("2 hours")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "DeadlineExceededError")
    }))

  it.effect("ends with its schedule", () =>
    Effect.gen(function*() {
      const { polls, result } = yield* waiting(() => batchOf("in_progress"), {
        schedule: Schedule.spaced("10 seconds").pipe(Schedule.upTo({ times: 2 }))
      })
      const error = failureOf(result)
      assert.strictEqual(error._tag === "BatchNotEndedError" ? error.processingStatus : error._tag, "in_progress")
      assert.deepStrictEqual(polls, [0, 10, 20])
    }))

  it("refuses a wrong deadline at once", () => {
    assert.throws(() => BatchJob.wait("msgbatch_1", { deadline: 0 }), RangeError, "deadline")
    assert.throws(() => BatchJob.run([], { submissions: 0 }), RangeError, "submissions")
  })
})
