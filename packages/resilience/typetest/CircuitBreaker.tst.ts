import type * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
import { alive, failure, make } from "@effect-claude/resilience/CircuitBreaker"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Verdict from "@effect-claude/resilience/Verdict"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"

class DbError extends Data.TaggedError("DbError")<{ readonly sqlState: string }> {}
class OwnError extends Data.TaggedError("OwnError")<{ readonly verdict: Verdict.Verdict }> {}
class BusyError extends Data.TaggedError("BusyError") {}

declare const effect: Effect.Effect<string, DbError, "Database">
declare const stream: Stream.Stream<string, DbError, "Database">
declare const own: Effect.Effect<number, OwnError>
declare const breaker: CircuitBreaker.CircuitBreaker
declare const ofDb: CircuitBreaker.CircuitBreaker<DbError>
declare const failing: Schedule.Schedule<number, unknown, string>
declare const needy: Schedule.Schedule<number, unknown, never, "Database">
type Open = CircuitBreaker.CircuitOpenError

describe("CircuitBreaker.make", () => {
  test("takes errors that carry a verdict, or classify", () => {
    expect(make()).type.toBe<Effect.Effect<CircuitBreaker.CircuitBreaker, never, Scope.Scope>>()
    expect(make({ failures: 3, openFor: Schedule.exponential("1 second") })).type.toBe<
      Effect.Effect<CircuitBreaker.CircuitBreaker, never, Scope.Scope>
    >()
    expect(make({ classify: (error: DbError) => error.sqlState === "08006" ? failure() : Verdict.stop })).type.toBe<
      Effect.Effect<CircuitBreaker.CircuitBreaker<DbError>, never, Scope.Scope>
    >()
    expect(make).type.not.toBeCallableWith({ classify: () => "down" })
    expect(make({ classify: (_: "down") => alive })).type.toBe<
      Effect.Effect<CircuitBreaker.CircuitBreaker<"down">, never, Scope.Scope>
    >()
  })

  test("refuses a schedule that fails or needs a service", () => {
    expect(make).type.not.toBeCallableWith({ openFor: failing })
    expect(make).type.not.toBeCallableWith({ openFor: needy })
  })
})

describe("CircuitBreaker.execute", () => {
  test("adds its error, data first and data last", () => {
    expect(breaker.execute(own, { key: "a" })).type.toBe<Effect.Effect<number, OwnError | Open>>()
    expect(own.pipe(breaker.execute({ key: "a" }))).type.toBe<Effect.Effect<number, OwnError | Open>>()
    expect(effect.pipe(ofDb.execute({ key: "a" }))).type.toBe<Effect.Effect<string, DbError | Open, "Database">>()
    expect(effect.pipe(ofDb.execute({ key: "a" }), Effect.catchTag("CircuitOpenError", () => Effect.succeed("cached"))))
      .type.toBe<Effect.Effect<string, DbError, "Database">>()
    expect(ofDb.execute(Effect.succeed(1), { key: "a" })).type.toBe<Effect.Effect<number, Open>>()
  })

  test("adds the error it is given instead", () => {
    const options = { key: "a", orElse: (_: CircuitBreaker.Rejection) => new BusyError() }
    expect(breaker.execute(own, options)).type.toBe<Effect.Effect<number, OwnError | BusyError>>()
    expect(own.pipe(breaker.execute({ key: "a", orElse: () => new BusyError() }))).type.toBe<
      Effect.Effect<number, OwnError | BusyError>
    >()
  })

  test("refuses errors it cannot judge", () => {
    expect(breaker.execute).type.not.toBeCallableWith(effect, { key: "a" })
    expect(ofDb.execute).type.not.toBeCallableWith(own, { key: "a" })
    expect(breaker.execute({ key: "a" })).type.not.toBeCallableWith(effect)
  })

  test("its error suits the standard schedule as it is", () => {
    expect(own.pipe(breaker.execute({ key: "a" }), Effect.retry(RetrySchedule.standard()))).type.toBe<
      Effect.Effect<number, OwnError | Open>
    >()
  })
})

describe("CircuitBreaker.executeWith", () => {
  test("gives a recheck that fails with its error", () => {
    const sent = breaker.executeWith({ key: "a" }, (recheck) => {
      expect(recheck).type.toBe<Effect.Effect<void, Open>>()
      return Effect.andThen(recheck, own)
    })
    expect(sent).type.toBe<Effect.Effect<number, OwnError | Open>>()
    const other = breaker.executeWith({ key: "a", orElse: () => new BusyError() }, (recheck) => {
      expect(recheck).type.toBe<Effect.Effect<void, BusyError>>()
      return Effect.andThen(recheck, own)
    })
    expect(other).type.toBe<Effect.Effect<number, OwnError | BusyError>>()
    expect(breaker.executeWith).type.not.toBeCallableWith({ key: "a" }, () => effect)
  })
})

describe("CircuitBreaker.executeStream", () => {
  test("adds its error, data first and data last", () => {
    expect(ofDb.executeStream(stream, { key: "a" })).type.toBe<Stream.Stream<string, DbError | Open, "Database">>()
    expect(stream.pipe(ofDb.executeStream({ key: "a" }))).type.toBe<
      Stream.Stream<string, DbError | Open, "Database">
    >()
    expect(stream.pipe(ofDb.executeStream({ key: "a", isContent: (element: string) => element !== "ping" }))).type.toBe<
      Stream.Stream<string, DbError | Open, "Database">
    >()
    expect(ofDb.executeStreamWith({ key: "a" }, (recheck) => Stream.concat(stream, Stream.fromEffectDrain(recheck))))
      .type.toBe<Stream.Stream<string, DbError | Open, "Database">>()
  })

  test("adds the error it is given instead", () => {
    expect(stream.pipe(ofDb.executeStream({ key: "a", orElse: () => new BusyError(), isContent: () => true }))).type
      .toBe<
        Stream.Stream<string, DbError | BusyError, "Database">
      >()
  })

  test("refuses errors it cannot judge, and elements that isContent does not know", () => {
    expect(breaker.executeStream).type.not.toBeCallableWith(stream, { key: "a" })
    expect(ofDb.executeStream).type.not.toBeCallableWith(stream, {
      key: "a",
      isContent: (element: number) => element > 0
    })
  })
})
