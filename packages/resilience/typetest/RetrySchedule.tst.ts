import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Verdict from "@effect-claude/resilience/Verdict"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import { describe, expect, test } from "tstyche"

class OwnError extends Data.TaggedError("OwnError")<{ readonly verdict: Verdict.Verdict }> {}
class OtherOwnError extends Data.TaggedError("OtherOwnError") {
  readonly verdict: Verdict.Verdict = Verdict.stop
}
class DbError extends Data.TaggedError("DbError")<{ readonly sqlState: string }> {}

declare const own: Effect.Effect<string, OwnError>
declare const ownUnion: Effect.Effect<string, OwnError | OtherOwnError>
declare const foreign: Effect.Effect<string, DbError>
declare const mixed: Effect.Effect<string, OwnError | DbError>

const classify = (error: DbError): Verdict.Verdict =>
  error.sqlState === "40001" ? Verdict.retry("conflict") : Verdict.stop

describe("RetrySchedule.standard", () => {
  test("without classify takes errors that carry a verdict", () => {
    expect(RetrySchedule.standard()).type.toBe<Schedule.Schedule<RetrySchedule.RetryDecision, Verdict.HasVerdict>>()
    expect(RetrySchedule.standard({ attempts: 5 })).type.toBe<
      Schedule.Schedule<RetrySchedule.RetryDecision, Verdict.HasVerdict>
    >()
    expect(Effect.retry(own, RetrySchedule.standard())).type.toBe<Effect.Effect<string, OwnError>>()
    expect(Effect.retry(ownUnion, RetrySchedule.standard())).type.toBe<
      Effect.Effect<string, OwnError | OtherOwnError>
    >()
    expect(own.pipe(Effect.retry(RetrySchedule.standard()))).type.toBe<Effect.Effect<string, OwnError>>()
  })

  test("without classify refuses a foreign error", () => {
    expect(Effect.retry).type.not.toBeCallableWith(foreign, RetrySchedule.standard())
    expect(Effect.retry).type.not.toBeCallableWith(mixed, RetrySchedule.standard({ attempts: 5 }))
    // @ts-expect-error Property 'verdict' is missing in type 'DbError'
    void foreign.pipe(Effect.retry(RetrySchedule.standard()))
  })

  test("with classify takes the foreign error, and only that", () => {
    const schedule = RetrySchedule.standard({ classify })
    expect(schedule).type.toBe<Schedule.Schedule<RetrySchedule.RetryDecision, DbError>>()
    expect(Effect.retry(foreign, schedule)).type.toBe<Effect.Effect<string, DbError>>()
    expect(foreign.pipe(Effect.retry(schedule))).type.toBe<Effect.Effect<string, DbError>>()
    expect(Effect.retry).type.not.toBeCallableWith(own, schedule)
    expect(Effect.retry).type.not.toBeCallableWith(mixed, schedule)
  })

  test("an options value with classify is not mistaken for one without", () => {
    const options = { attempts: 5, classify }
    expect(RetrySchedule.standard(options)).type.toBe<Schedule.Schedule<RetrySchedule.RetryDecision, DbError>>()
  })

  test("requires nothing of the context and adds no error", () => {
    const schedule = RetrySchedule.standard({ classify })
    expect<Schedule.Error<typeof schedule>>().type.toBe<never>()
    expect<Schedule.Env<typeof schedule>>().type.toBe<never>()
  })

  test("refuses options that do not exist", () => {
    expect(RetrySchedule.standard).type.not.toBeCallableWith({ retries: 3 })
    expect(RetrySchedule.standard).type.not.toBeCallableWith({ kinds: { slow: {} } })
    expect(RetrySchedule.standard).type.not.toBeCallableWith({ jitter: "some" })
  })
})

test("RetrySchedule.backoff takes any error", () => {
  expect(RetrySchedule.backoff()).type.toBe<Schedule.Schedule<Duration.Duration>>()
  expect(Effect.retry(foreign, RetrySchedule.backoff())).type.toBe<Effect.Effect<string, DbError>>()
})
