import * as RateLimiter from "@effect-claude/resilience/RateLimiter"
import * as Retry from "@effect-claude/resilience/Retry"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import type * as Verdict from "@effect-claude/resilience/Verdict"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"

class OwnError extends Data.TaggedError("OwnError")<{ readonly verdict: Verdict.Verdict }> {}
class GateError extends Data.TaggedError("GateError")<{ readonly verdict: Verdict.Verdict }> {}

declare const effect: Effect.Effect<string, OwnError, "Database">
declare const stream: Stream.Stream<string, OwnError, "Database">
declare const gate: Effect.Effect<void, GateError, "Gate">
declare const limiter: RateLimiter.RateLimiter<"requests" | "tokens">
declare const costs: RateLimiter.Costs<"requests" | "tokens">

type Limited = OwnError | RateLimiter.RateLimitedLocallyError

describe("RateLimiter", () => {
  test("takes the names of its limits from the options", () => {
    expect(RateLimiter.make({ limits: { requests: { limit: 60 }, tokens: {} } })).type.toBe<
      Effect.Effect<RateLimiter.RateLimiter<"requests" | "tokens">>
    >()
    expect(limiter.withLimit).type.not.toBeCallableWith(effect, { costs: { rows: 1 } })
    expect(limiter.observe).type.not.toBeCallableWith("key", { rows: { remaining: 1 } })
    expect<RateLimiter.Levels<"requests">["limits"]["requests"]["limit"]>().type.toBe<number | undefined>()
  })

  test("adds its error, data first and data last, and that error can be caught", () => {
    expect(limiter.withLimit(effect, { costs })).type.toBe<Effect.Effect<string, Limited, "Database">>()
    expect(effect.pipe(limiter.withLimit({ costs }))).type.toBe<Effect.Effect<string, Limited, "Database">>()
    expect(
      effect.pipe(
        limiter.withLimit({ costs }),
        Effect.catchTag("RateLimitedLocallyError", () => Effect.succeed("later"))
      )
    ).type.toBe<Effect.Effect<string, OwnError, "Database">>()
    expect(limiter.withLimitStream(stream, { costs })).type.toBe<Stream.Stream<string, Limited, "Database">>()
    expect(stream.pipe(limiter.withLimitStream({ costs }))).type.toBe<Stream.Stream<string, Limited, "Database">>()
    expect(limiter.withReservation({ costs }, () => effect)).type.toBe<Effect.Effect<string, Limited, "Database">>()
    expect(limiter.withReservationStream({ costs }, () => stream)).type.toBe<
      Stream.Stream<string, Limited, "Database">
    >()
  })

  test("what runs after a wait adds its own", () => {
    expect(limiter.withLimit(effect, { costs, afterWait: gate })).type.toBe<
      Effect.Effect<string, Limited | GateError, "Database" | "Gate">
    >()
    expect(stream.pipe(limiter.withLimitStream({ costs, afterWait: gate }))).type.toBe<
      Stream.Stream<string, Limited | GateError, "Database" | "Gate">
    >()
  })

  test("settles by what the call gave", () => {
    expect(
      effect.pipe(
        limiter.withLimit({
          costs,
          settle: (exit: Exit.Exit<string, OwnError>) =>
            exit._tag === "Success" ? { tokens: exit.value.length } : undefined
        })
      )
    ).type.toBe<Effect.Effect<string, Limited, "Database">>()
    void limiter.withLimit(effect, {
      costs,
      settle: (exit) => {
        if (exit._tag === "Success") expect(exit.value).type.toBe<string>()
        return {}
      }
    })
  })

  test("turns calls away with the error it is told", () => {
    const own = RateLimiter.make({
      limits: { requests: {} },
      onRejected: ({ reason }) => [reason, new OwnError({ verdict: { _tag: "Stop" } })] as const
    })
    expect(own).type.toBe<
      Effect.Effect<RateLimiter.RateLimiter<"requests", readonly [RateLimiter.Rejection["reason"], OwnError]>>
    >()
  })

  test("its error suits the standard schedule as it is", () => {
    expect(effect.pipe(limiter.withLimit({ costs }), Retry.retry(RetrySchedule.standard()))).type.toBe<
      Effect.Effect<string, Limited, "Database">
    >()
  })
})
