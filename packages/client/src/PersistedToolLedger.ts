/**
 * A ledger of tool loops that outlives the process, over a `KeyValueStore`: files, SQL, a browser's storage.
 *
 * **Example** (Going on after a restart)
 *
 * ```ts
 * import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
 * import * as NodePath from "@effect/platform-node/NodePath"
 * import * as PersistedToolLedger from "@effect-claude/client/PersistedToolLedger"
 * import * as ToolLoop from "@effect-claude/client/ToolLoop"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as KeyValueStore from "effect/persistence/KeyValueStore"
 *
 * const Files = KeyValueStore.layerFileSystem("./runs").pipe(
 *   Layer.provide(Layer.merge(NodeFileSystem.layer, NodePath.layer))
 * )
 * // Started again with the same id, it goes on where it was.
 * const handleOrder = (orderId: string) =>
 *   Effect.gen(function*() {
 *     const ledger = yield* PersistedToolLedger.fromKeyValueStore({ prefix: "orders/" })
 *     return yield* ToolLoop.run({
 *       request: { model: "claude-sonnet-5-5", max_tokens: 500, messages: [{ role: "user", content: orderId }] },
 *       tools: [],
 *       runId: orderId,
 *       ledger
 *     })
 *   }).pipe(Effect.provide(Files))
 * ```
 *
 * @since 0.1.0
 */
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import { journalledLedger } from "./internal/tools/JournalledLedger.ts"
import type { ToolLedger } from "./ToolLedger.ts"

/**
 * Options of {@link fromKeyValueStore}.
 *
 * **Details**
 *
 * - `prefix`: begins each key of the ledger; none
 * - `timeout`: how long the store may take to read or write one record; 30 s. A run cannot be interrupted while it writes, so
 *   this is also the longest that a store that hangs holds it up
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly prefix?: string | undefined
  readonly timeout?: Duration.Input | undefined
}

/**
 * Makes a ledger from the `KeyValueStore` in the context.
 *
 * **Details**
 *
 * Each thing that happens is a record under a key of its own, which is written once. A process that is killed while it writes
 * can spoil that record and no other, and a record that is not whole counts as not written: what it would have allowed has
 * not happened yet. A record that was whole once and is so no longer is a `ToolLedgerError` that names its key.
 *
 * Of two processes that go on with the same run, the one that opened it last has it. The other one fails before its next
 * tool or turn; neither runs a call of a tool that the other one has begun, unless the tool is `idempotent` or its `recover`
 * says that it had no effect.
 *
 * **Gotchas**
 *
 * - A store of files does not wait until the disk has them: what a killed process wrote is safe, what was written just
 *   before the power failed may not be.
 * - A file name holds the id of the run, encoded twice, beside some 80 characters of ours; most file systems take 255.
 * - It keeps what the model and the tools said, as they said it.
 *
 * **Example** (Forgetting a run that is done)
 *
 * ```ts
 * import * as PersistedToolLedger from "@effect-claude/client/PersistedToolLedger"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as KeyValueStore from "effect/persistence/KeyValueStore"
 *
 * const program = Effect.gen(function*() {
 *   const store = yield* KeyValueStore.KeyValueStore
 *   const ledger = yield* PersistedToolLedger.fromKeyValueStore({ prefix: "orders/" })
 *   const run = yield* ledger.open("order-42")
 *   yield* run.append({ _tag: "Began", messages: [{ role: "user", content: "Hello" }] })
 *   assert.deepStrictEqual(yield* store.keys, ["orders/order-42/owner", "orders/order-42/entry/0"])
 *   yield* ledger.forget("order-42")
 *   return yield* store.size
 * })
 *
 * assert.strictEqual(await Effect.runPromise(program.pipe(Effect.provide(KeyValueStore.layerMemory))), 0)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromKeyValueStore = (
  options: Options = {}
): Effect.Effect<ToolLedger, never, KeyValueStore.KeyValueStore> => {
  const timeout = OptionCheck.duration(
    "PersistedToolLedger.fromKeyValueStore",
    "timeout",
    options.timeout ?? "30 seconds",
    { positive: true }
  )
  return Effect.map(KeyValueStore.KeyValueStore, (backing) => {
    const store = options.prefix === undefined ? backing : KeyValueStore.prefix(backing, options.prefix)
    return journalledLedger({
      get: (key) => within(timeout, "get", key, store.get(key)),
      set: (key, text) => within(timeout, "set", key, store.set(key, text)),
      clearPrefix: (prefix) => within(timeout, "clearPrefix", prefix, store.clearPrefix(prefix))
    })
  })
}

/** On a fiber of its own: a store that cannot be interrupted would hold up the run for as long as it likes. */
const within = <A>(
  timeout: Duration.Duration,
  method: string,
  key: string,
  operation: Effect.Effect<A, KeyValueStore.KeyValueStoreError>
): Effect.Effect<A, KeyValueStore.KeyValueStoreError> =>
  Effect.flatMap(Effect.forkDetach(operation), (fiber) =>
    Effect.interruptible(Fiber.join(fiber)).pipe(
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () =>
          Effect.fail(
            new KeyValueStore.KeyValueStoreError({
              method,
              key,
              message: `No answer within ${Duration.format(timeout)}`
            })
          )
      }),
      // Not waited for: it may be what cannot be interrupted.
      Effect.ensuring(Effect.sync(() => fiber.interruptUnsafe()))
    ))
