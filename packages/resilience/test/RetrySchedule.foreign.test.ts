import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Result from "effect/Result"
import { TestClock } from "effect/testing"

const startsUnderTestClock = <E>(
  call: Effect.Effect<unknown, E>,
  retries: (call: Effect.Effect<unknown, E>) => Effect.Effect<unknown, E>
) =>
  Effect.gen(function*() {
    const starts: Array<number> = []
    const begin = yield* Clock.currentTimeMillis
    const counted = Effect.flatMap(Clock.currentTimeMillis, (now) => {
      starts.push(now - begin)
      return call
    })
    const fiber = yield* Effect.forkChild(retries(counted))
    yield* TestClock.adjust("1 day")
    return { starts, exit: yield* Fiber.await(fiber) }
  })

describe("Effect.retry on an HTTP client's errors", () => {
  const kindOfStatus = (status: number): Verdict.RetryKind | undefined => {
    if (status === 429) return "rateLimited"
    if (status === 503) return "overloaded"
    if (status === 408 || status === 504) return "timeout"
    return status >= 500 ? "serverError" : undefined
  }

  const classify = (error: HttpClientError.HttpClientError): Verdict.Verdict => {
    const reason = error.reason
    if (reason._tag === "TransportError") return Verdict.retry("connection")
    if (reason._tag !== "StatusCodeError") return Verdict.stop
    const kind = kindOfStatus(reason.response.status)
    if (kind === undefined) return Verdict.stop
    const header = Headers.parseRetryAfter(reason.response.headers["retry-after"] ?? "")
    return Verdict.retry(
      kind,
      Result.isSuccess(header) && header.success._tag === "Duration" ? header.success.duration : undefined
    )
  }

  const schedule = RetrySchedule.standard({ classify, jitter: "none", serverWaitJitter: 0 })

  /** Answers with each response in turn, the last one for ever; `undefined` is a connection that fails. */
  const clientOf = (responses: ReadonlyArray<Response | undefined>) => {
    let requests = 0
    return HttpClient.filterStatusOk(HttpClient.make((request) => {
      const response = responses[Math.min(requests++, responses.length - 1)]
      return response === undefined
        ? Effect.fail(
          new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request }) })
        )
        : Effect.succeed(HttpClientResponse.fromWeb(request, response.clone()))
    }))
  }
  const status = (code: number, headers: Record<string, string> = {}) => new Response("", { status: code, headers })
  const get = (responses: ReadonlyArray<Response | undefined>) =>
    startsUnderTestClock(
      Effect.map(clientOf(responses).get("http://localhost/"), (response) => response.status),
      Effect.retry(schedule)
    )

  it.effect("waits as long as Retry-After says, then succeeds", () =>
    Effect.gen(function*() {
      const { exit, starts } = yield* get([status(429, { "retry-after": "7" }), status(200)])
      assert.deepStrictEqual(starts, [0, 7000])
      assert.deepStrictEqual(exit, Exit.succeed(200))
    }))

  it.effect("backs off by kind, and fails with the client's own error", () =>
    Effect.gen(function*() {
      const { exit, starts } = yield* get([undefined, status(503), status(502)])
      assert.deepStrictEqual(starts, [0, 500, 2500])
      assert.isTrue(Exit.isFailure(exit))
      if (Exit.isFailure(exit)) assert.include(String(exit.cause), "502")
    }))

  it.effect("does not repeat a bad request", () =>
    Effect.gen(function*() {
      const { starts } = yield* get([status(400), status(200)])
      assert.deepStrictEqual(starts, [0])
    }))

  it.effect("reads a date as well", () =>
    Effect.gen(function*() {
      const now = yield* DateTime.now
      const date = DateTime.toDateUtc(DateTime.add(now, { seconds: 30 })).toUTCString()
      const parsed = Headers.parseRetryAfter(date)
      assert.isTrue(Result.isSuccess(parsed) && parsed.success._tag !== "Duration")
      // A date needs the clock, so a classify that supports dates reads it where the error is made.
      const dated = RetrySchedule.standard({
        classify: (error: { readonly until: number; readonly at: number }) =>
          Verdict.retry("rateLimited", Duration.millis(error.until - error.at)),
        serverWaitJitter: 0
      })
      const call = Effect.flatMap(Clock.currentTimeMillis, (at) => Effect.fail({ until: Date.parse(date), at }))
      const { starts } = yield* startsUnderTestClock(call, Effect.retry(dated))
      assert.strictEqual(starts[1], 30_000)
    }))
})

describe("Effect.retry on a database's errors", () => {
  class DbError extends Data.TaggedError("DbError")<{ readonly sqlState: string }> {}

  const kindOfSqlState: Record<string, Verdict.RetryKind> = {
    "40001": "conflict", // serialization_failure
    "40P01": "conflict", // deadlock_detected
    "57P03": "overloaded", // cannot_connect_now
    "08006": "connection" // connection_failure
  }

  const schedule = RetrySchedule.standard({
    classify: (error: DbError) => {
      const kind = kindOfSqlState[error.sqlState]
      return kind === undefined ? Verdict.stop : Verdict.retry(kind)
    },
    base: "50 millis",
    jitter: "none",
    attempts: 4,
    kinds: { overloaded: { base: "2 seconds" } }
  })

  const query = (sqlState: string) =>
    startsUnderTestClock(Effect.fail(new DbError({ sqlState })), Effect.retry(schedule))

  it.effect("retries what another try can mend", () =>
    Effect.gen(function*() {
      for (const sqlState of ["40001", "40P01", "08006"]) {
        const { exit, starts } = yield* query(sqlState)
        assert.deepStrictEqual(starts, [0, 50, 150, 350], sqlState)
        assert.deepStrictEqual(exit, Exit.fail(new DbError({ sqlState })))
      }
      const { starts } = yield* query("57P03")
      assert.deepStrictEqual(starts, [0, 2000, 6000, 14_000])
    }))

  it.effect("stops on a unique violation", () =>
    Effect.gen(function*() {
      const { exit, starts } = yield* query("23505")
      assert.deepStrictEqual(starts, [0])
      assert.deepStrictEqual(exit, Exit.fail(new DbError({ sqlState: "23505" })))
    }))
})
