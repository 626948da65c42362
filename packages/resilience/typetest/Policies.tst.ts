import * as AttemptTimeout from "@effect-claude/resilience/AttemptTimeout"
import * as Deadline from "@effect-claude/resilience/Deadline"
import * as Fallback from "@effect-claude/resilience/Fallback"
import * as Retry from "@effect-claude/resilience/Retry"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import type * as Verdict from "@effect-claude/resilience/Verdict"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"

class DbError extends Data.TaggedError("DbError")<{ readonly sqlState: string }> {}
class OwnError extends Data.TaggedError("OwnError")<{ readonly verdict: Verdict.Verdict }> {}

declare const effect: Effect.Effect<string, DbError, "Database">
declare const stream: Stream.Stream<string, DbError, "Database">
declare const own: Effect.Effect<number, OwnError>
declare const ownStream: Stream.Stream<number, OwnError>

describe("Retry", () => {
  test("keeps the types, data first and data last", () => {
    expect(Retry.retry(effect, Schedule.recurs(1))).type.toBe<Effect.Effect<string, DbError, "Database">>()
    expect(effect.pipe(Retry.retry(Schedule.recurs(1)))).type.toBe<Effect.Effect<string, DbError, "Database">>()
    expect(own.pipe(Retry.retry(RetrySchedule.standard()))).type.toBe<Effect.Effect<number, OwnError>>()
  })

  test("refuses a foreign error without classify", () => {
    expect(Retry.retry).type.not.toBeCallableWith(effect, RetrySchedule.standard())
    // @ts-expect-error Property 'verdict' is missing in type 'DbError'
    void effect.pipe(Retry.retry(RetrySchedule.standard()))
    expect(Retry.retryStream).type.not.toBeCallableWith(stream, {
      schedule: RetrySchedule.standard(),
      isContent: () => true
    })
  })

  test("streams keep their types", () => {
    const options = { schedule: Schedule.recurs(1), isContent: (element: string) => element !== "ping" }
    expect(Retry.retryStream(stream, options)).type.toBe<Stream.Stream<string, DbError, "Database">>()
    expect(stream.pipe(Retry.retryStream(options))).type.toBe<Stream.Stream<string, DbError, "Database">>()
    expect(Retry.retryStream(ownStream, { schedule: RetrySchedule.standard(), isContent: (n) => n > 0 })).type.toBe<
      Stream.Stream<number, OwnError>
    >()
  })
})

describe("Deadline and AttemptTimeout", () => {
  test("add their error, which can be caught", () => {
    const limited = Deadline.withDeadline(effect, "1 second")
    expect(limited).type.toBe<Effect.Effect<string, DbError | Deadline.DeadlineExceededError, "Database">>()
    expect(limited.pipe(Effect.catchTag("DeadlineExceededError", () => Effect.succeed("late")))).type.toBe<
      Effect.Effect<string, DbError, "Database">
    >()
    expect(effect.pipe(AttemptTimeout.withAttemptTimeout("1 second"))).type.toBe<
      Effect.Effect<string, DbError | AttemptTimeout.AttemptTimeoutError, "Database">
    >()
    expect(stream.pipe(Deadline.streamWithDeadline("1 second"))).type.toBe<
      Stream.Stream<string, DbError | Deadline.DeadlineExceededError, "Database">
    >()
  })

  test("OrElse adds what it is given", () => {
    expect(effect.pipe(Deadline.withDeadlineOrElse({ duration: 1, orElse: () => own }))).type.toBe<
      Effect.Effect<string | number, DbError | OwnError, "Database">
    >()
    expect(stream.pipe(Deadline.streamWithDeadlineOrElse({ duration: 1, orElse: () => ownStream }))).type.toBe<
      Stream.Stream<string | number, DbError | OwnError, "Database">
    >()
  })

  test("stream timeouts fail with their own error or with the caller's", () => {
    expect(AttemptTimeout.streamWithTimeouts(stream, { idle: 1 })).type.toBe<
      Stream.Stream<string, DbError | AttemptTimeout.AttemptTimeoutError, "Database">
    >()
    expect(stream.pipe(AttemptTimeout.streamWithTimeouts({ idle: 1, onTimeout: (phase) => phase }))).type.toBe<
      Stream.Stream<string, DbError | AttemptTimeout.StreamPhase, "Database">
    >()
    expect(AttemptTimeout.streamWithTimeouts).type.not.toBeCallableWith(stream, {
      isEvent: (element: number) => element > 0
    })
  })

  test("their errors suit the standard schedule as they are", () => {
    expect(own.pipe(AttemptTimeout.withAttemptTimeout(1), Effect.retry(RetrySchedule.standard()))).type.toBe<
      Effect.Effect<number, OwnError | AttemptTimeout.AttemptTimeoutError>
    >()
  })
})

describe("Fallback", () => {
  test("collects the types of all targets", () => {
    const answer = Fallback.firstOf([{ name: "a", effect }, { name: "b", effect: Effect.map(own, (n) => n + 1) }], {
      shouldFallback: (error) => error._tag === "DbError"
    })
    expect(answer).type.toBe<
      Effect.Effect<
        Fallback.Answer<"a" | "b", string | number, DbError | OwnError>,
        DbError | OwnError,
        "Database"
      >
    >()
  })

  test("streams too, also from targets that are generic calls", () => {
    const isContent = (element: string | number) => element !== "ping"
    const options = { shouldFallback: () => true, isContent }
    const elements = Fallback.firstStreamOf([
      { name: "a", stream: Stream.concat(stream, Stream.never) },
      { name: "b", stream: ownStream }
    ], options)
    expect(elements).type.toBe<Stream.Stream<string | number, DbError | OwnError, "Database">>()
    const decorated = Fallback.firstStreamOf([{ name: "a", stream }, { name: "b", stream: ownStream }], {
      ...options,
      decorate: (element, { source }) => ({ element, source })
    })
    expect(decorated).type.toBe<
      Stream.Stream<
        { element: string | number; source: "a" | "b" },
        DbError | OwnError,
        "Database"
      >
    >()
  })

  test("refuses no targets, and targets that are neither", () => {
    const options = { shouldFallback: () => true }
    expect(Fallback.firstOf).type.not.toBeCallableWith([], options)
    expect(Fallback.firstOf).type.not.toBeCallableWith([{ name: "a", effect: 1 }], options)
    expect(Fallback.firstOf).type.not.toBeCallableWith([{ name: "a", effect: stream }], options)
  })
})
