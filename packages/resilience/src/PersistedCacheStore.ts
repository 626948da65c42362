/**
 * Stores for a cache that outlive the process, over `effect/persistence`: a `KeyValueStore` (files, a browser's storage) or
 * a `Persistence` (Redis, SQL).
 *
 * **Example** (Keeping values in a key-value store)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as PersistedCacheStore from "@effect-claude/resilience/PersistedCacheStore"
 * import * as Duration from "effect/Duration"
 * import * as Effect from "effect/Effect"
 * import * as KeyValueStore from "effect/persistence/KeyValueStore"
 * import * as Schema from "effect/Schema"
 *
 * const program = Effect.gen(function*() {
 *   const prices = yield* PersistedCacheStore.fromKeyValueStore({ prefix: "prices/", schema: Schema.Number })
 *   yield* prices.set("tea", { value: 42, storedAt: 0 }, Duration.hours(1))
 *   return (yield* prices.get("tea"))?.value
 * }).pipe(Effect.provide(KeyValueStore.layerMemory))
 *
 * assert.strictEqual(await Effect.runPromise(program), 42)
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Persistable from "effect/persistence/Persistable"
import * as Persistence from "effect/persistence/Persistence"
import * as PrimaryKey from "effect/PrimaryKey"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { CacheStore, Entry } from "./CacheStore.ts"
import { CacheStoreError } from "./CacheStore.ts"

const failedTo = (operation: "read" | "write") => (cause: unknown) => new CacheStoreError({ operation, cause })

const entryOf = <A, I>(schema: Schema.Codec<A, I>) => Schema.Struct({ storedAt: Schema.Finite, value: schema })

/**
 * Makes a store from the `KeyValueStore` in the context.
 *
 * **Details**
 *
 * - `prefix`: begins each key of this cache, and tells its entries from what else is there
 * - `schema`: how a value is written as JSON. What cannot be read by it counts as not there
 *
 * **Gotchas**
 *
 * A `KeyValueStore` drops nothing by itself. An entry that is asked for after its time is removed; one that nobody asks for
 * stays. Where that adds up, use {@link fromPersistence} over Redis, or `clear` the store from time to time.
 *
 * **Example** (Keeping a cache in files)
 *
 * ```ts
 * import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
 * import * as NodePath from "@effect/platform-node/NodePath"
 * import * as PersistedCacheStore from "@effect-claude/resilience/PersistedCacheStore"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as KeyValueStore from "effect/persistence/KeyValueStore"
 * import * as Schema from "effect/Schema"
 *
 * const Files = KeyValueStore.layerFileSystem("./cache").pipe(
 *   Layer.provide(Layer.merge(NodeFileSystem.layer, NodePath.layer))
 * )
 * const store = PersistedCacheStore.fromKeyValueStore({ prefix: "answers/", schema: Schema.String }).pipe(
 *   Effect.provide(Files)
 * )
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromKeyValueStore = <A, I>(options: {
  readonly prefix: string
  readonly schema: Schema.Codec<A, I>
}): Effect.Effect<CacheStore<A>, never, KeyValueStore.KeyValueStore> =>
  Effect.map(KeyValueStore.KeyValueStore, (backing) => {
    const store = KeyValueStore.prefix(backing, options.prefix)
    const codec = Schema.fromJsonString(Schema.toCodecJson(entryOf(options.schema)))
    const decode = Schema.decodeEffect(codec)
    const encode = Schema.encodeEffect(codec)
    return {
      get: (key) =>
        Effect.flatMap(
          Effect.mapError(store.get(key), failedTo("read")),
          (text) => text === undefined ? Effect.undefined : Effect.orElseSucceed(decode(text), () => undefined)
        ),
      set: (key, entry) =>
        encode(entry).pipe(
          Effect.flatMap((text) => store.set(key, text)),
          Effect.mapError(failedTo("write"))
        ),
      remove: (key) => Effect.mapError(store.remove(key), failedTo("write")),
      clear: Effect.mapError(store.clear, failedTo("write"))
    }
  })

/**
 * Makes a store from the `Persistence` in the context, such as `Persistence.layerRedis` or `Persistence.layerSql`, which
 * drop an entry when its time is over.
 *
 * **Details**
 *
 * - `storeId`: tells the entries of this cache from those of others
 * - `schema`: how a value is written as JSON. What cannot be read by it counts as not there
 *
 * **Example** (Keeping a cache in a Persistence)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as PersistedCacheStore from "@effect-claude/resilience/PersistedCacheStore"
 * import * as Duration from "effect/Duration"
 * import * as Effect from "effect/Effect"
 * import * as Persistence from "effect/persistence/Persistence"
 * import * as Schema from "effect/Schema"
 *
 * const program = Effect.gen(function*() {
 *   const prices = yield* PersistedCacheStore.fromPersistence({ storeId: "prices", schema: Schema.Number })
 *   yield* prices.set("tea", { value: 42, storedAt: 0 }, Duration.hours(1))
 *   return (yield* prices.get("tea"))?.value
 * }).pipe(Effect.scoped, Effect.provide(Persistence.layerMemory))
 *
 * assert.strictEqual(await Effect.runPromise(program), 42)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromPersistence = <A, I>(options: {
  readonly storeId: string
  readonly schema: Schema.Codec<A, I>
}): Effect.Effect<CacheStore<A>, never, Persistence.Persistence | Scope.Scope> =>
  Effect.gen(function*() {
    const schema = entryOf(options.schema)
    const isOurs = Schema.is(schema)
    const persistence = yield* Persistence.Persistence

    class EntryKey implements Persistable.Persistable<typeof schema, typeof Schema.Never> {
      readonly [Persistable.symbol] = { success: schema, error: Schema.Never }
      readonly key: string
      readonly timeToLive: Duration.Duration | undefined
      constructor(key: string, timeToLive?: Duration.Duration) {
        this.key = key
        this.timeToLive = timeToLive
      }
      [PrimaryKey.symbol](): string {
        return this.key
      }
    }

    const store = yield* persistence.make({
      storeId: options.storeId,
      timeToLive: (_, key) => key instanceof EntryKey && key.timeToLive !== undefined ? key.timeToLive : 0
    })
    return {
      get: (key) =>
        store.get(new EntryKey(key)).pipe(
          Effect.map((exit): Entry<A> | undefined =>
            exit !== undefined && Exit.isSuccess(exit) && isOurs(exit.value) ? exit.value : undefined
          ),
          Effect.catchTag("SchemaError", () => Effect.undefined),
          Effect.mapError(failedTo("read"))
        ),
      set: (key, entry, timeToLive) =>
        Effect.mapError(store.set(new EntryKey(key, timeToLive), Exit.succeed(entry)), failedTo("write")),
      remove: (key) => Effect.mapError(store.remove(new EntryKey(key)), failedTo("write")),
      clear: Effect.mapError(store.clear, failedTo("write"))
    }
  })
