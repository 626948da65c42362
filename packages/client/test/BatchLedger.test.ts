import * as BatchLedger from "@effect-claude/client/BatchLedger"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as KeyValueStore from "effect/persistence/KeyValueStore"

const stores = [
  ["in memory", BatchLedger.makeMemory],
  [
    "in a KeyValueStore",
    Effect.provide(BatchLedger.fromKeyValueStore({ prefix: "jobs/" }), KeyValueStore.layerMemory)
  ]
] as const

const days = (count: number): number => Duration.toMillis(Duration.days(count))

for (const [where, make] of stores) {
  describe(`a ledger ${where}`, () => {
    it.effect("gives a key to one of many", () =>
      Effect.gen(function*() {
        const ledger = yield* make
        const claims = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, index) => index),
          (startedAt) => ledger.claim("key", { startedAt, count: 1 }),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(claims.filter((entry) => entry === undefined).length, 1)
      }))

    it.effect("forgets a claim after 29 days, when the results are gone too", () =>
      Effect.gen(function*() {
        const ledger = yield* make
        yield* ledger.set("key", { startedAt: 0, count: 1, batchId: "msgbatch_1" })
        assert.isDefined(yield* ledger.claim("key", { startedAt: days(28), count: 1 }))
        assert.isUndefined(yield* ledger.claim("key", { startedAt: days(29), count: 2 }))
        assert.deepStrictEqual(yield* ledger.get("key"), { startedAt: days(29), count: 2 })
      }))

    it.effect("can be told to forget", () =>
      Effect.gen(function*() {
        const ledger = yield* make
        yield* ledger.claim("key", { startedAt: 0, count: 1 })
        yield* ledger.remove("key")
        assert.isUndefined(yield* ledger.get("key"))
        assert.isUndefined(yield* ledger.claim("key", { startedAt: 0, count: 1 }))
      }))
  })
}

describe("a ledger in memory", () => {
  it.effect("keeps what was put there last, and no more than it should", () =>
    Effect.gen(function*() {
      const ledger = yield* BatchLedger.makeMemory
      for (let index = 0; index < 20_001; index++) yield* ledger.set(`key ${index}`, { startedAt: index, count: 1 })
      assert.isUndefined(yield* ledger.get("key 0"))
      assert.isDefined(yield* ledger.get("key 1"))
    }))
})

describe("a ledger in a KeyValueStore", () => {
  it.effect("does not take an entry that it cannot read for none", () =>
    Effect.gen(function*() {
      const store = yield* KeyValueStore.KeyValueStore
      yield* store.set("jobs/key", "{ \"startedAt\": ")
      const ledger = yield* BatchLedger.fromKeyValueStore({ prefix: "jobs/" })
      const error = yield* Effect.flip(ledger.claim("key", { startedAt: 0, count: 1 }))
      assert.strictEqual(error.operation, "read")
      assert.strictEqual(yield* store.get("jobs/key"), "{ \"startedAt\": ")
    }).pipe(Effect.provide(KeyValueStore.layerMemory)))
})
