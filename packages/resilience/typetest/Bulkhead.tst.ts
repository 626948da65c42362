import * as Bulkhead from "@effect-claude/resilience/Bulkhead"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"

class DbError extends Data.TaggedError("DbError")<{}> {}
class Closed extends Data.TaggedError("Closed")<{}> {}
class Busy extends Data.TaggedError("Busy")<{}> {}

declare const effect: Effect.Effect<string, DbError, "Database">
declare const stream: Stream.Stream<string, DbError, "Database">
declare const gate: Effect.Effect<void, Closed, "Gate">
declare const bulkhead: Bulkhead.Bulkhead
declare const own: Bulkhead.Bulkhead<Busy>

describe("Bulkhead", () => {
  test("adds its error, data first and data last", () => {
    type Limited = Effect.Effect<string, DbError | Bulkhead.BulkheadFullError, "Database">
    expect(bulkhead.withPermit(effect)).type.toBe<Limited>()
    expect(bulkhead.withPermit(effect, { key: "a" })).type.toBe<Limited>()
    expect(effect.pipe(bulkhead.withPermit())).type.toBe<Limited>()
    expect(effect.pipe(bulkhead.withPermit({ key: "a" }))).type.toBe<Limited>()
  })

  test("adds its error to streams", () => {
    type Limited = Stream.Stream<string, DbError | Bulkhead.BulkheadFullError, "Database">
    expect(bulkhead.withPermitStream(stream)).type.toBe<Limited>()
    expect(stream.pipe(bulkhead.withPermitStream({ key: "a" }))).type.toBe<Limited>()
  })

  test("adds what `afterWait` fails with and needs", () => {
    expect(bulkhead.withPermit(effect, { afterWait: gate })).type.toBe<
      Effect.Effect<string, DbError | Bulkhead.BulkheadFullError | Closed, "Database" | "Gate">
    >()
    expect(stream.pipe(bulkhead.withPermitStream({ afterWait: gate }))).type.toBe<
      Stream.Stream<string, DbError | Bulkhead.BulkheadFullError | Closed, "Database" | "Gate">
    >()
  })

  test("adds the caller's own error in its place", () => {
    expect(Bulkhead.make({ permits: 1, onRejected: () => new Busy() })).type.toBe<
      Effect.Effect<Bulkhead.Bulkhead<Busy>>
    >()
    expect(own.withPermit(effect)).type.toBe<Effect.Effect<string, DbError | Busy, "Database">>()
  })

  test("its error can be handled, and leaves the type", () => {
    expect(bulkhead.withPermit(effect).pipe(Effect.catchTag("BulkheadFullError", () => Effect.succeed("")))).type.toBe<
      Effect.Effect<string, DbError, "Database">
    >()
  })

  test("needs a number of permits", () => {
    expect(Bulkhead.make({ permits: 1 })).type.toBe<Effect.Effect<Bulkhead.Bulkhead>>()
    expect(Bulkhead.make).type.not.toBeCallableWith({})
    expect(Bulkhead.make).type.not.toBeCallableWith({ permits: 1, queueTimeout: "soon" })
  })
})
