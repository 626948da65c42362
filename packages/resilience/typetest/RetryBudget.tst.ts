import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import type * as Verdict from "@effect-claude/resilience/Verdict"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"

class DbError extends Data.TaggedError("DbError")<{ readonly sqlState: string }> {}
class OwnError extends Data.TaggedError("OwnError")<{ readonly verdict: Verdict.Verdict }> {}

declare const effect: Effect.Effect<string, DbError, "Database">
declare const stream: Stream.Stream<string, DbError, "Database">
declare const own: Effect.Effect<number, OwnError>
declare const ownStream: Stream.Stream<number, OwnError>
declare const budget: RetryBudget.RetryBudget
declare const classify: (error: DbError) => Verdict.Verdict

const schedule = RetrySchedule.standard()
const isContent = () => true

describe("RetryBudget.retry", () => {
  test("adds its error with the failure in it, data first and data last", () => {
    type Expected = Effect.Effect<number, OwnError | RetryBudget.RetryBudgetExhaustedError<OwnError>>
    expect(RetryBudget.retry(own, { schedule, budget })).type.toBe<Expected>()
    expect(own.pipe(RetryBudget.retry({ schedule, budget }))).type.toBe<Expected>()
  })

  test("its error can be caught, and tells of the failure's type", () => {
    expect(
      RetryBudget.retry(own, { schedule, budget }).pipe(
        Effect.catchTag("RetryBudgetExhaustedError", (error) => {
          expect(error.cause).type.toBe<OwnError>()
          return Effect.succeed("exhausted")
        })
      )
    ).type.toBe<Effect.Effect<number | string, OwnError>>()
  })

  test("takes a foreign error with classify, and refuses it without", () => {
    type Expected = Effect.Effect<string, DbError | RetryBudget.RetryBudgetExhaustedError<DbError>, "Database">
    expect(RetryBudget.retry(effect, { schedule: Schedule.recurs(1), budget, classify })).type.toBe<Expected>()
    expect(effect.pipe(RetryBudget.retry({ schedule: Schedule.recurs(1), budget, classify }))).type.toBe<Expected>()
    expect(RetryBudget.retry).type.not.toBeCallableWith(effect, { schedule: Schedule.recurs(1), budget })
  })

  test("onExhausted replaces its error", () => {
    expect(RetryBudget.retry(own, { schedule, budget, onExhausted: ({ level }) => level })).type.toBe<
      Effect.Effect<number, OwnError | number>
    >()
  })
})

describe("RetryBudget.retryStream", () => {
  test("adds its error, data first and data last", () => {
    type Expected = Stream.Stream<number, OwnError | RetryBudget.RetryBudgetExhaustedError<OwnError>>
    expect(RetryBudget.retryStream(ownStream, { schedule, budget, isContent })).type.toBe<Expected>()
    expect(ownStream.pipe(RetryBudget.retryStream({ schedule, budget, isContent }))).type.toBe<Expected>()
    expect(
      RetryBudget.retryStream(stream, { schedule: Schedule.recurs(1), budget, isContent, classify })
    ).type.toBe<Stream.Stream<string, DbError | RetryBudget.RetryBudgetExhaustedError<DbError>, "Database">>()
    expect(RetryBudget.retryStream).type.not.toBeCallableWith(stream, {
      schedule: Schedule.recurs(1),
      budget,
      isContent
    })
  })
})

describe("RetryBudget.guard", () => {
  test("adds its error to those of the schedule", () => {
    expect(RetryBudget.guard(Schedule.recurs(1), { classify })).type.toBe<
      Schedule.Schedule<number, DbError, RetryBudget.RetryBudgetExhaustedError<DbError>>
    >()
    expect(RetryBudget.guard(Schedule.recurs(1), { classify, onExhausted: () => "no" as const })).type.toBe<
      Schedule.Schedule<number, DbError, "no">
    >()
  })

  test("Effect.retry shows the error", () => {
    expect(Effect.retry(effect, RetryBudget.guard(Schedule.recurs(1), { classify }))).type.toBe<
      Effect.Effect<string, DbError | RetryBudget.RetryBudgetExhaustedError<DbError>, "Database">
    >()
  })
})

describe("RetryBudget.withBudget", () => {
  test("changes no type", () => {
    expect(RetryBudget.withBudget(effect, { budget })).type.toBe<typeof effect>()
    expect(effect.pipe(RetryBudget.withBudget({ budget }))).type.toBe<typeof effect>()
    expect(stream.pipe(RetryBudget.streamWithBudget({ budget }))).type.toBe<typeof stream>()
  })
})
