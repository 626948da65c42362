/**
 * What has been submitted as a batch, so that the same work is not submitted twice unseen: the API takes no idempotency key
 * and makes a second batch, which is paid for like the first.
 *
 * **Details**
 *
 * Each batch is an entry under a key, the SHA-256 of its requests: written before the batch is sent, completed with its id
 * afterwards. `ClaudeBatches` has one in memory, which ends with the process; {@link fromKeyValueStore} keeps one in files, a
 * database or whatever else is a `KeyValueStore`. An entry counts for 29 days, as long as results are kept.
 *
 * **Gotchas**
 *
 * A `KeyValueStore` cannot take a key for one process only, nor tell a submission that is under way in another process from one
 * that broke off. Two processes that submit the same work at the same time may both do so.
 *
 * **Example** (Keeping the ledger in a KeyValueStore)
 *
 * ```ts
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import * as BatchLedger from "@effect-claude/client/BatchLedger"
 * import * as ClaudeBatches from "@effect-claude/client/ClaudeBatches"
 * import * as Layer from "effect/Layer"
 * import * as KeyValueStore from "effect/persistence/KeyValueStore"
 *
 * const Batches = ClaudeBatches.layerConfig.pipe(
 *   ClaudeBatches.withLedger(BatchLedger.fromKeyValueStore({ prefix: "nightly/" })),
 *   Layer.provide(KeyValueStore.layerMemory)
 * )
 * const Live = Layer.merge(AnthropicClient.layerConfig, Batches)
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { BatchLedgerError } from "./BatchError.ts"

/**
 * What is known of a submission: when it began (milliseconds of the epoch), how many requests it has, and the id of its batch.
 * Without an id it is under way, or it broke off and nobody heard how it ended. `key` is in the second entry of a batch, under its
 * id, and says whose it is.
 *
 * @category models
 * @since 0.1.0
 */
export const Entry = Schema.Struct({
  startedAt: Schema.Finite,
  count: Schema.Int,
  batchId: Schema.optionalKey(Schema.String),
  key: Schema.optionalKey(Schema.String)
})

/**
 * What is known of a submission.
 *
 * @category models
 * @since 0.1.0
 */
export type Entry = typeof Entry.Type

/**
 * A place for entries.
 *
 * **Details**
 *
 * - `claim`: puts the entry there unless there is one already that counts, and returns that one. Of two fibers that claim a
 *   key, only one may get it;
 * - `set`: puts the entry there;
 * - `get`: the entry, whatever its age;
 * - `remove`: forgets it.
 *
 * @category models
 * @since 0.1.0
 */
export interface BatchLedger {
  readonly claim: (key: string, entry: Entry) => Effect.Effect<Entry | undefined, BatchLedgerError>
  readonly get: (key: string) => Effect.Effect<Entry | undefined, BatchLedgerError>
  readonly set: (key: string, entry: Entry) => Effect.Effect<void, BatchLedgerError>
  readonly remove: (key: string) => Effect.Effect<void, BatchLedgerError>
}

/**
 * How long the API keeps the results of a batch, and an entry counts: 29 days.
 *
 * @category constants
 * @since 0.1.0
 */
export const retention: Duration.Duration = Duration.days(29)

const counts = (existing: Entry | undefined, entry: Entry): existing is Entry =>
  existing !== undefined && entry.startedAt - existing.startedAt < Duration.toMillis(retention)

// Two entries a batch; more batches than one process submits in a month.
const mostEntries = 20_000

/**
 * Makes a ledger in memory. It keeps the 10,000 batches that were submitted last.
 *
 * **Example** (Claiming a key once)
 *
 * ```ts
 * import * as BatchLedger from "@effect-claude/client/BatchLedger"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const ledger = yield* BatchLedger.makeMemory
 *   const entry = { startedAt: 0, count: 2 }
 *   assert.isUndefined(yield* ledger.claim("4f1c", entry))
 *   assert.deepStrictEqual(yield* ledger.claim("4f1c", { startedAt: 5, count: 2 }), entry)
 * })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeMemory: Effect.Effect<BatchLedger> = Effect.sync(() => {
  const entries = new Map<string, Entry>()
  const put = (key: string, entry: Entry): void => {
    entries.delete(key)
    entries.set(key, entry)
    if (entries.size <= mostEntries) return
    for (const oldest of entries.keys()) {
      entries.delete(oldest)
      break
    }
  }
  return {
    claim: (key, entry) =>
      Effect.sync(() => {
        const existing = entries.get(key)
        if (counts(existing, entry)) return existing
        put(key, entry)
        return undefined
      }),
    get: (key) => Effect.sync(() => entries.get(key)),
    set: (key, entry) => Effect.sync(() => put(key, entry)),
    remove: (key) =>
      Effect.sync(() => {
        entries.delete(key)
      })
  }
})

const failedTo = (operation: "read" | "write") => (cause: unknown): BatchLedgerError =>
  new BatchLedgerError({
    message: `The ledger of batches could not be ${operation === "read" ? "read" : "written"}`,
    operation,
    cause
  })

const codec = Schema.fromJsonString(Schema.toCodecJson(Entry))
const decode = Schema.decodeEffect(codec)
const encode = Schema.encodeEffect(codec)

/**
 * Makes a ledger over the `KeyValueStore` in the context. `prefix` begins each of its keys and tells them from what else is
 * there.
 *
 * **Gotchas**
 *
 * An entry that cannot be read is an error and not an absent one: to take it for absent would be to submit twice. Nothing is
 * dropped from the store; an entry has about 100 bytes, and a batch two of them.
 *
 * **Example** (Surviving the process)
 *
 * ```ts
 * import * as BatchLedger from "@effect-claude/client/BatchLedger"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as KeyValueStore from "effect/persistence/KeyValueStore"
 *
 * const program = Effect.gen(function*() {
 *   const before = yield* BatchLedger.fromKeyValueStore({ prefix: "nightly/" })
 *   yield* before.set("4f1c", { startedAt: 0, count: 2, batchId: "msgbatch_1" })
 *   const after = yield* BatchLedger.fromKeyValueStore({ prefix: "nightly/" })
 *   assert.strictEqual((yield* after.get("4f1c"))?.batchId, "msgbatch_1")
 * }).pipe(Effect.provide(KeyValueStore.layerMemory))
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromKeyValueStore = (options: {
  readonly prefix: string
}): Effect.Effect<BatchLedger, never, KeyValueStore.KeyValueStore> =>
  Effect.gen(function*() {
    const store = KeyValueStore.prefix(yield* KeyValueStore.KeyValueStore, options.prefix)
    const lock = yield* Semaphore.make(1)

    const get = (key: string): Effect.Effect<Entry | undefined, BatchLedgerError> =>
      store.get(key).pipe(
        Effect.flatMap((text) => text === undefined ? Effect.undefined : decode(text)),
        Effect.mapError(failedTo("read"))
      )

    const set = (key: string, entry: Entry): Effect.Effect<void, BatchLedgerError> =>
      encode(entry).pipe(
        Effect.flatMap((text) => store.set(key, text)),
        Effect.mapError(failedTo("write"))
      )

    return {
      claim: (key, entry) =>
        Effect.gen(function*() {
          const existing = yield* get(key)
          if (counts(existing, entry)) return existing
          yield* set(key, entry)
          return undefined
        }).pipe((claim) => lock.withPermit(claim)),
      get,
      set,
      remove: (key) => Effect.mapError(store.remove(key), failedTo("write"))
    }
  })
