import * as CacheStore from "@effect-claude/resilience/CacheStore"
import * as PersistedCacheStore from "@effect-claude/resilience/PersistedCacheStore"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Persistence from "effect/persistence/Persistence"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"

const hour = Duration.hours(1)
const entry = <A>(value: A): CacheStore.Entry<A> => ({ value, storedAt: 0 })

describe("CacheStore.memory", () => {
  it.effect("agrees with a list in order of use, for 300 random runs", () =>
    Effect.gen(function*() {
      for (let run = 0; run < 300; run++) {
        const capacity = yield* Random.nextIntBetween(1, 5)
        const maxSize = yield* Random.nextIntBetween(3, 20)
        const store = CacheStore.memory<string>({ capacity, maxSize, sizeOf: (text) => text.length })
        let model: Array<{ readonly key: string; readonly value: string }> = []
        for (let step = 0; step < 40; step++) {
          const key = `k${yield* Random.nextIntBetween(0, 6)}`
          const known = model.find((item) => item.key === key)
          const rest = model.filter((item) => item.key !== key)
          const action = yield* Random.nextIntBetween(0, 10)
          if (action < 5) {
            const value = "x".repeat(yield* Random.nextIntBetween(0, 10))
            yield* store.set(key, entry(value), hour)
            model = value.length > maxSize ? rest : [...rest, { key, value }]
            const size = () => model.reduce((sum, item) => sum + item.value.length, 0)
            while (model.length > capacity || size() > maxSize) model = model.slice(1)
          } else if (action < 9) {
            assert.strictEqual((yield* store.get(key))?.value, known?.value, `run ${run}, step ${step}`)
            if (known !== undefined) model = [...rest, known]
          } else {
            yield* store.remove(key)
            model = rest
          }
        }
      }
    }).pipe(Random.withSeed("memory store")))

  it.effect("memory per key: 100,000 keys leave as many entries as fit", () =>
    Effect.gen(function*() {
      const store = CacheStore.memory<number>({ capacity: 10 })
      for (let key = 0; key < 100_000; key++) yield* store.set(String(key), entry(key), hour)
      const found = yield* Effect.filter(
        Array.from({ length: 100_000 }, (_, key) => key),
        (key) => Effect.map(store.get(String(key)), (known) => known !== undefined)
      )
      assert.deepStrictEqual(found, Array.from({ length: 10 }, (_, i) => 99_990 + i))
    }))

  it.effect("keeps no value of a size that is no number, and goes on with the others", () =>
    Effect.gen(function*() {
      const store = CacheStore.memory<number>({ maxSize: 10, sizeOf: (size) => size })
      yield* store.set("a", entry(1), hour)
      yield* store.set("b", entry(Number.NaN), hour)
      yield* store.set("c", entry(-5), hour)
      assert.deepStrictEqual([yield* store.get("a"), yield* store.get("b"), yield* store.get("c")], [
        entry(1),
        undefined,
        undefined
      ])
    }))

  it("refuses wrong bounds", () => {
    assert.throws(() => CacheStore.memory({ capacity: 0 }), RangeError, `CacheStore.memory: option "capacity"`)
    assert.throws(() => CacheStore.memory({ maxSize: -1 }), RangeError, `CacheStore.memory: option "maxSize"`)
  })
})

describe("CacheStore.transform", () => {
  it.effect("keeps the time of an entry, and takes for absent what makes no value", () =>
    Effect.gen(function*() {
      const texts = CacheStore.memory<string>()
      const numbers = CacheStore.transform(texts, {
        encode: (value: number) => `n${value}`,
        decode: (text) => text.startsWith("n") ? Number(text.slice(1)) : undefined
      })
      yield* numbers.set("seven", { value: 7, storedAt: 123 }, hour)
      yield* texts.set("word", entry("seven"), hour)
      assert.deepStrictEqual(yield* texts.get("seven"), { value: "n7", storedAt: 123 })
      assert.deepStrictEqual(yield* numbers.get("seven"), { value: 7, storedAt: 123 })
      assert.isUndefined(yield* numbers.get("word"))
      assert.isUndefined(yield* numbers.get("nothing"))
      yield* numbers.remove("word")
      assert.isUndefined(yield* texts.get("word"))
      yield* numbers.clear
      assert.isUndefined(yield* texts.get("seven"))
    }))

  it.effect("hands the time to live on, and encodes no earlier than it stores", () =>
    Effect.gen(function*() {
      const lives: Array<Duration.Duration> = []
      const store: CacheStore.CacheStore<string> = {
        ...CacheStore.memory<string>(),
        set: (_key, _entry, timeToLive) => Effect.sync(() => void lives.push(timeToLive))
      }
      const codec = { encode: (value: bigint) => JSON.stringify(value), decode: (text: string) => BigInt(text) }
      const broken = CacheStore.transform(codec)(store).set("big", entry(1n), hour)
      assert.isTrue(Exit.hasDies(yield* Effect.exit(broken)))
      yield* CacheStore.transform(store, { ...codec, encode: String }).set("big", entry(1n), hour)
      assert.deepStrictEqual(lives, [hour])
    }))
})

describe("PersistedCacheStore", () => {
  const schema = Schema.Struct({ at: Schema.Date, text: Schema.String })
  const value = { at: new Date(5), text: "hi" }
  const kvs = PersistedCacheStore.fromKeyValueStore({ prefix: "answers/", schema })
  const persisted = PersistedCacheStore.fromPersistence({ storeId: "answers", schema })

  const behaves = Effect.fnUntraced(function*(store: CacheStore.CacheStore<typeof value>) {
    assert.isUndefined(yield* store.get("a"))
    yield* store.set("a", { value, storedAt: 12.5 }, hour)
    yield* store.set("b", entry(value), hour)
    assert.deepStrictEqual(yield* store.get("a"), { value, storedAt: 12.5 })
    yield* store.remove("a")
    assert.isUndefined(yield* store.get("a"))
    assert.isDefined(yield* store.get("b"))
    yield* store.clear
    assert.isUndefined(yield* store.get("b"))
  })

  it.effect("keeps entries in a key-value store, beside what else is there", () =>
    Effect.gen(function*() {
      const backing = yield* KeyValueStore.KeyValueStore
      yield* backing.set("theirs", "1")
      yield* behaves(yield* kvs)
      assert.deepStrictEqual(yield* backing.keys, ["theirs"])
    }).pipe(Effect.provide(KeyValueStore.layerMemory)))

  it.effect("keeps entries in a persistence, over memory and over a key-value store", () =>
    Effect.gen(function*() {
      for (const layer of [Persistence.layerMemory, Layer.provide(Persistence.layerKvs, KeyValueStore.layerMemory)]) {
        yield* Effect.flatMap(persisted, behaves).pipe(Effect.scoped, Effect.provide(layer))
      }
    }))

  it.effect("gives a persistence the time to live", () =>
    Effect.gen(function*() {
      const store = yield* persisted
      yield* store.set("a", entry(value), hour)
      yield* TestClock.adjust("59 minutes")
      assert.isDefined(yield* store.get("a"))
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(yield* store.get("a"))
    }).pipe(Effect.scoped, Effect.provide(Persistence.layerMemory)))

  const corrupted = ["", "{", "null", "[1]", `{"storedAt":1}`, `{"storedAt":1,"value":{"at":"x","text":1}}`]
  it.effect("takes what it cannot read for absent, and replaces it", () =>
    Effect.gen(function*() {
      const backing = yield* KeyValueStore.KeyValueStore
      const store = yield* kvs
      for (const text of corrupted) {
        yield* backing.set("answers/a", text)
        assert.isUndefined(yield* store.get("a"), text)
        yield* store.set("a", entry(value), hour)
        assert.deepStrictEqual(yield* store.get("a"), entry(value))
      }
    }).pipe(Effect.provide(KeyValueStore.layerMemory)))

  it.effect("takes what a persistence cannot read for absent, and replaces it", () =>
    Effect.gen(function*() {
      const other = yield* PersistedCacheStore.fromPersistence({ storeId: "answers", schema: Schema.Number })
      const store = yield* persisted
      yield* other.set("a", entry(1), hour)
      assert.isUndefined(yield* store.get("a"))
      yield* store.set("a", entry(value), hour)
      assert.deepStrictEqual(yield* store.get("a"), entry(value))
    }).pipe(Effect.scoped, Effect.provide(Persistence.layerMemory)))

  it.effect("fails with the operation and its cause", () =>
    Effect.gen(function*() {
      const cause = new KeyValueStore.KeyValueStoreError({ message: "disk full", method: "set" })
      const failing = KeyValueStore.makeStringOnly({
        get: () => Effect.fail(cause),
        set: () => Effect.fail(cause),
        remove: () => Effect.fail(cause),
        clear: Effect.fail(cause),
        size: Effect.fail(cause),
        keys: Effect.fail(cause)
      })
      const store = yield* Effect.provideService(kvs, KeyValueStore.KeyValueStore, failing)
      const errors = [
        yield* Effect.flip(store.get("a")),
        yield* Effect.flip(store.set("a", entry(value), hour)),
        yield* Effect.flip(store.remove("a")),
        yield* Effect.flip(store.clear)
      ]
      assert.deepStrictEqual(errors.map(({ operation }) => operation), ["read", "write", "write", "write"])
      assert.strictEqual(errors[0]?.message, "The cache store could not read")
      assert.isTrue(errors.every((error) => error.cause === cause))
    }))
})
