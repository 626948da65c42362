import type * as CacheStore from "@effect-claude/resilience/CacheStore"
import * as Coalesce from "@effect-claude/resilience/Coalesce"
import * as PersistedCacheStore from "@effect-claude/resilience/PersistedCacheStore"
import * as StaleCache from "@effect-claude/resilience/StaleCache"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as KeyValueStore from "effect/persistence/KeyValueStore"
import type * as Persistence from "effect/persistence/Persistence"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"

class BusyError extends Data.TaggedError("BusyError")<{}> {}
class GoneError extends Data.TaggedError("GoneError")<{}> {}

declare const effect: Effect.Effect<string, BusyError, "Database">
declare const otherError: Effect.Effect<string, GoneError>
declare const foreignError: Effect.Effect<string, TypeError>
declare const otherValue: Effect.Effect<number>
declare const stream: Stream.Stream<number, BusyError, "Database">
declare const cache: StaleCache.StaleCache<string, BusyError | GoneError>
declare const streamOptions: StaleCache.StreamOptions<number, string, BusyError>

describe("StaleCache", () => {
  test("adds no error and no service, and keeps the narrower error of a call", () => {
    expect(cache.execute("k", effect)).type.toBe<Effect.Effect<string, BusyError, "Database">>()
    expect(cache.serve("k", effect)).type.toBe<
      Effect.Effect<StaleCache.Served<string, BusyError>, BusyError, "Database">
    >()
    expect(cache.serveStream("k", stream, streamOptions)).type.toBe<Stream.Stream<number, BusyError, "Database">>()
  })

  test("takes no failure that its rule does not know, and no other value", () => {
    expect(cache.execute).type.not.toBeCallableWith("k", foreignError)
    expect(cache.execute).type.not.toBeCallableWith("k", otherValue)
  })

  test("says when it could not forget", () => {
    expect(cache.remove("k")).type.toBe<Effect.Effect<void, CacheStore.CacheStoreError>>()
    expect(cache.clear).type.toBe<Effect.Effect<void, CacheStore.CacheStoreError>>()
  })

  test("needs a rule for what to stand in for", () => {
    expect(StaleCache.make<string, BusyError>).type.not.toBeCallableWith({})
  })
})

describe("PersistedCacheStore", () => {
  test("asks for what it is kept in", () => {
    expect(PersistedCacheStore.fromKeyValueStore({ prefix: "a/", schema: Schema.Date })).type.toBe<
      Effect.Effect<CacheStore.CacheStore<Date>, never, KeyValueStore.KeyValueStore>
    >()
    expect(PersistedCacheStore.fromPersistence({ storeId: "a", schema: Schema.String })).type.toBe<
      Effect.Effect<CacheStore.CacheStore<string>, never, Persistence.Persistence | Scope.Scope>
    >()
  })
})

describe("Coalesce", () => {
  test("adds no error and no service", () => {
    const make = Coalesce.make<string, BusyError>()
    expect(make).type.toBe<Effect.Effect<Coalesce.Coalesce<string, BusyError>>>()
    const coalesce = null as unknown as Coalesce.Coalesce<string, BusyError>
    expect(coalesce.execute("k", effect)).type.toBe<Effect.Effect<string, BusyError, "Database">>()
    const streams = null as unknown as Coalesce.StreamCoalesce<number, BusyError>
    expect(streams.execute("k", stream)).type.toBe<Stream.Stream<number, BusyError, "Database">>()
  })

  test("mixes no types under one key", () => {
    const coalesce = null as unknown as Coalesce.Coalesce<string, BusyError>
    expect(coalesce.execute).type.not.toBeCallableWith("k", otherValue)
    expect(coalesce.execute).type.not.toBeCallableWith("k", otherError)
  })
})
