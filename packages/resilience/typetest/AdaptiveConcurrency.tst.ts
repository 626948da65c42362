import * as AdaptiveConcurrency from "@effect-claude/resilience/AdaptiveConcurrency"
import * as Verdict from "@effect-claude/resilience/Verdict"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"

class OwnError extends Data.TaggedError("OwnError")<{ readonly verdict: Verdict.Verdict }> {}
class DbError extends Data.TaggedError("DbError")<{ readonly sqlState: string }> {}
class Closed extends Data.TaggedError("Closed")<{}> {}
class Busy extends Data.TaggedError("Busy")<{}> {}

declare const own: Effect.Effect<string, OwnError, "Service">
declare const ownStream: Stream.Stream<string, OwnError, "Service">
declare const foreign: Effect.Effect<string, DbError>
declare const foreignStream: Stream.Stream<string, DbError>
declare const gate: Effect.Effect<void, Closed, "Gate">
declare const limiter: AdaptiveConcurrency.AdaptiveConcurrency
declare const ofDatabase: AdaptiveConcurrency.AdaptiveConcurrency<DbError, Busy>

type Rejected = AdaptiveConcurrency.ConcurrencyLimitError

describe("AdaptiveConcurrency", () => {
  test("adds its error, data first and data last", () => {
    expect(limiter.withPermit(own)).type.toBe<Effect.Effect<string, OwnError | Rejected, "Service">>()
    expect(own.pipe(limiter.withPermit({ key: "a" }))).type.toBe<
      Effect.Effect<string, OwnError | Rejected, "Service">
    >()
    expect(limiter.withPermitStream(ownStream)).type.toBe<Stream.Stream<string, OwnError | Rejected, "Service">>()
    expect(ownStream.pipe(limiter.withPermitStream({ isEvent: (element: string) => element !== "" }))).type.toBe<
      Stream.Stream<string, OwnError | Rejected, "Service">
    >()
  })

  test("adds what `afterWait` fails with and needs", () => {
    expect(limiter.withPermit(own, { afterWait: gate })).type.toBe<
      Effect.Effect<string, OwnError | Rejected | Closed, "Service" | "Gate">
    >()
  })

  test("takes what cannot fail", () => {
    expect(limiter.withPermit(Effect.succeed(1))).type.toBe<Effect.Effect<number, Rejected>>()
  })

  test("refuses a foreign error without classify", () => {
    expect(limiter.withPermit).type.not.toBeCallableWith(foreign)
    expect(limiter.withPermitStream).type.not.toBeCallableWith(foreignStream)
    expect(limiter.withPermit()).type.not.toBeCallableWith(foreign)
  })

  test("takes the errors that classify takes", () => {
    expect(ofDatabase.withPermit(foreign)).type.toBe<Effect.Effect<string, DbError | Busy>>()
    expect(ofDatabase.withPermit).type.not.toBeCallableWith(own)
    expect(AdaptiveConcurrency.make({ classify: (_: DbError) => Verdict.stop })).type.toBe<
      Effect.Effect<AdaptiveConcurrency.AdaptiveConcurrency<DbError>>
    >()
    expect(AdaptiveConcurrency.make({ classify: (_: DbError) => Verdict.stop, onRejected: () => new Busy() })).type
      .toBe<
        Effect.Effect<AdaptiveConcurrency.AdaptiveConcurrency<DbError, Busy>>
      >()
    expect(AdaptiveConcurrency.make({ onRejected: () => new Busy() })).type.toBe<
      Effect.Effect<AdaptiveConcurrency.AdaptiveConcurrency<Verdict.HasVerdict, Busy>>
    >()
    expect(AdaptiveConcurrency.make()).type.toBe<Effect.Effect<AdaptiveConcurrency.AdaptiveConcurrency>>()
  })
})
