/**
 * Where a cache keeps its entries. The store in memory is here; those that outlive the process are in
 * `PersistedCacheStore`.
 *
 * **Example** (Keeping entries in memory)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as CacheStore from "@effect-claude/resilience/CacheStore"
 * import * as Duration from "effect/Duration"
 * import * as Effect from "effect/Effect"
 *
 * const store = CacheStore.memory<number>({ capacity: 100 })
 * const program = Effect.gen(function*() {
 *   yield* store.set("tea", { value: 42, storedAt: 0 }, Duration.hours(1))
 *   return (yield* store.get("tea"))?.value
 * })
 *
 * assert.strictEqual(await Effect.runPromise(program), 42)
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Schema from "effect/Schema"
import * as OptionCheck from "./OptionCheck.ts"

/**
 * A stored value, and when it was stored, in milliseconds since 1970: other processes may read it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry<out A> {
  readonly value: A
  readonly storedAt: number
}

/**
 * Keeps entries by key.
 *
 * **Details**
 *
 * - `get`: `undefined` for what is not there, and for what is there and cannot be read
 * - `set`: `timeToLive` is how long the entry may be of use; a store may drop it then, and may drop any entry earlier
 *
 * @category models
 * @since 0.1.0
 */
export interface CacheStore<in out A> {
  readonly get: (key: string) => Effect.Effect<Entry<A> | undefined, CacheStoreError>
  readonly set: (
    key: string,
    entry: Entry<A>,
    timeToLive: Duration.Duration
  ) => Effect.Effect<void, CacheStoreError>
  readonly remove: (key: string) => Effect.Effect<void, CacheStoreError>
  readonly clear: Effect.Effect<void, CacheStoreError>
}

/**
 * Fails an operation of a store that could not do it; `cause` says why.
 *
 * **Example** (Failing a store of one's own)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as CacheStore from "@effect-claude/resilience/CacheStore"
 *
 * const error = new CacheStore.CacheStoreError({ operation: "read", cause: new Error("no route to host") })
 *
 * assert.strictEqual(error.message, "The cache store could not read")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class CacheStoreError
  extends Schema.TaggedError<CacheStoreError>("resilience/CacheStoreError")("CacheStoreError", {
    operation: Schema.Literals(["read", "write"]),
    cause: Schema.optionalKey(Schema.Defect())
  })
{
  override get message(): string {
    return `The cache store could not ${this.operation}`
  }
}

/**
 * Bounds of a store in memory.
 *
 * **Details**
 *
 * - `capacity`: the number of entries; 1,000
 * - `maxSize`: the sum of what `sizeOf` says of the entries; no limit. A value that is larger by itself is not kept
 * - `sizeOf`: the size of a value, in the unit of `maxSize`; 1. A value whose size is no number of at least 0 is not kept
 *
 * @category models
 * @since 0.1.0
 */
export interface MemoryOptions<in A> {
  readonly capacity?: number | undefined
  readonly maxSize?: number | undefined
  readonly sizeOf?: ((value: A) => number) | undefined
}

/**
 * Makes a store in the memory of this process. The entry that was not read or written for the longest time goes first.
 *
 * **Example** (Bounding by size)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as CacheStore from "@effect-claude/resilience/CacheStore"
 * import * as Duration from "effect/Duration"
 * import * as Effect from "effect/Effect"
 *
 * const store = CacheStore.memory<string>({ maxSize: 10, sizeOf: (text) => text.length })
 * const program = Effect.gen(function*() {
 *   yield* store.set("a", { value: "six by", storedAt: 0 }, Duration.hours(1))
 *   yield* store.set("b", { value: "seven..", storedAt: 0 }, Duration.hours(1))
 *   return [yield* store.get("a"), (yield* store.get("b"))?.value]
 * })
 *
 * assert.deepStrictEqual(await Effect.runPromise(program), [undefined, "seven.."])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const memory = <A>(options: MemoryOptions<A> = {}): CacheStore<A> => {
  const owner = "CacheStore.memory"
  const capacity = OptionCheck.attempts(owner, "capacity", options.capacity ?? 1000)
  const maxSize = options.maxSize === undefined
    ? Number.POSITIVE_INFINITY
    : OptionCheck.number(owner, "maxSize", options.maxSize, 0)
  const sizeOf = options.sizeOf ?? (() => 1)
  // A map lists its keys in the order of insertion, which is kept the order of use.
  const entries = new Map<string, { readonly entry: Entry<A>; readonly size: number }>()
  let total = 0

  const drop = (key: string): void => {
    total -= entries.get(key)?.size ?? 0
    entries.delete(key)
  }

  return {
    get: (key) =>
      Effect.sync(() => {
        const found = entries.get(key)
        if (found === undefined) return undefined
        entries.delete(key)
        entries.set(key, found)
        return found.entry
      }),
    set: (key, entry) =>
      Effect.sync(() => {
        drop(key)
        const size = sizeOf(entry.value)
        if (!(size >= 0 && size <= maxSize)) return
        entries.set(key, { entry, size })
        total += size
        for (const oldest of entries.keys()) {
          if (entries.size <= capacity && total <= maxSize) break
          drop(oldest)
        }
      }),
    remove: (key) => Effect.sync(() => drop(key)),
    clear: Effect.sync(() => {
      entries.clear()
      total = 0
    })
  }
}

/**
 * The same store for values of another type.
 *
 * **Details**
 *
 * - `encode`: what is stored for a value
 * - `decode`: the value again, or `undefined` if what was stored makes none: it then counts as not there
 *
 * **Example** (Storing dates as text)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as CacheStore from "@effect-claude/resilience/CacheStore"
 * import * as Duration from "effect/Duration"
 * import * as Effect from "effect/Effect"
 *
 * const texts = CacheStore.memory<string>()
 * const dates = CacheStore.transform(texts, {
 *   encode: (date: Date) => date.toISOString(),
 *   decode: (text) => Number.isNaN(Date.parse(text)) ? undefined : new Date(text)
 * })
 * const program = Effect.gen(function*() {
 *   yield* texts.set("broken", { value: "?", storedAt: 0 }, Duration.hours(1))
 *   yield* dates.set("start", { value: new Date(0), storedAt: 0 }, Duration.hours(1))
 *   return [yield* dates.get("broken"), (yield* dates.get("start"))?.value]
 * })
 *
 * assert.deepStrictEqual(await Effect.runPromise(program), [undefined, new Date(0)])
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const transform: {
  <A, B>(codec: {
    readonly encode: (value: B) => A
    readonly decode: (stored: A) => B | undefined
  }): (self: CacheStore<A>) => CacheStore<B>
  <A, B>(self: CacheStore<A>, codec: {
    readonly encode: (value: B) => A
    readonly decode: (stored: A) => B | undefined
  }): CacheStore<B>
} = dual(2, <A, B>(self: CacheStore<A>, { decode, encode }: {
  readonly encode: (value: B) => A
  readonly decode: (stored: A) => B | undefined
}): CacheStore<B> => ({
  get: (key) =>
    Effect.map(self.get(key), (entry) => {
      const value = entry === undefined ? undefined : decode(entry.value)
      return entry === undefined || value === undefined ? undefined : { value, storedAt: entry.storedAt }
    }),
  set: (key, { storedAt, value }, timeToLive) =>
    Effect.suspend(() => self.set(key, { value: encode(value), storedAt }, timeToLive)),
  remove: self.remove,
  clear: self.clear
}))
