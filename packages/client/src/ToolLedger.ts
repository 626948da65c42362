/**
 * What a run of a tool loop has done so far, kept outside of the run: the turns of the conversation, and for each call of a
 * tool that it began and how it ended.
 *
 * **Details**
 *
 * `ToolLoop.run({ runId, ledger })` writes to it before and after everything that cannot be taken back. A run with the same
 * id goes on where the last one stopped, and a tool that ended is answered from here and not run again. {@link makeMemory}
 * keeps it in this process, `PersistedToolLedger.fromKeyValueStore` in any `KeyValueStore`.
 *
 * **Example** (Running a loop twice, and its tool once)
 *
 * ```ts
 * import * as ClaudeTool from "@effect-claude/client/ClaudeTool"
 * import * as ToolLedger from "@effect-claude/client/ToolLedger"
 * import * as ToolLoop from "@effect-claude/client/ToolLoop"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * let booked = 0
 * const book = ClaudeTool.make("book_table", {
 *   description: "Books a table",
 *   input: Schema.Struct({ guests: Schema.Int }),
 *   run: ({ guests }) => Effect.sync(() => `Booked for ${guests}, number ${++booked}`)
 * })
 * const Claude = ClaudeTest.script([
 *   Reply.tool("book_table", { guests: 2 }),
 *   Fault.billing(),
 *   Reply.text("Your table is booked.")
 * ])
 *
 * const program = Effect.gen(function*() {
 *   const ledger = yield* ToolLedger.makeMemory
 *   const run = ToolLoop.run({
 *     request: { model: "claude-sonnet-5-5", max_tokens: 500, messages: [{ role: "user", content: "A table for two" }] },
 *     tools: [book],
 *     runId: "order-42",
 *     ledger
 *   })
 *   const error = yield* Effect.flip(run)
 *   assert.strictEqual(error.reason, "claude")
 *   return (yield* run).message.stop_reason
 * })
 *
 * assert.strictEqual(await Effect.runPromise(program.pipe(Effect.provide(Claude))), "end_turn")
 * assert.strictEqual(booked, 1)
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { journalledLedger } from "./internal/tools/JournalledLedger.ts"
import type { ToolLedgerError } from "./ToolLedgerError.ts"
import type { Entry, ToolResult } from "./ToolRecord.ts"

/**
 * What is known of one call of a tool.
 *
 * **Details**
 *
 * - `Open`: attempt number `attempt` began, and nobody knows how it ended: the process died in it, or it was interrupted.
 * - `Released`: attempt number `attempt` is known to have ended without an effect, so the tool may be run.
 * - `Finished`: this is what it gave.
 *
 * @category models
 * @since 0.1.0
 */
export type CallState =
  | { readonly _tag: "Open"; readonly attempt: number }
  | { readonly _tag: "Released"; readonly attempt: number }
  | { readonly _tag: "Finished"; readonly result: ToolResult }

/**
 * One run of a ledger, opened to go on with it. Whoever opens it last owns it.
 *
 * **Details**
 *
 * - `entries`: what has happened to the conversation, as it was when the run was opened.
 * - `append`: adds what happened. Fails with `takenOver` if another process has opened the run.
 * - `find`: what is known of a call; `undefined` if it never began.
 * - `start`: says that an attempt of a call begins. Fails with `takenOver`, and then the tool must not run.
 * - `finish`: says what a call gave. It did happen, so this does not ask who owns the run.
 * - `release`: says that the attempt that is open had no effect; the one that `start` of this `OpenRun` began, if it has.
 *
 * @category models
 * @since 0.1.0
 */
export interface OpenRun {
  readonly entries: ReadonlyArray<Entry>
  readonly append: (entry: Entry) => Effect.Effect<void, ToolLedgerError>
  readonly find: (idempotencyKey: string) => Effect.Effect<CallState | undefined, ToolLedgerError>
  readonly start: (
    idempotencyKey: string,
    call: { readonly tool: string; readonly attempt: number }
  ) => Effect.Effect<void, ToolLedgerError>
  readonly finish: (idempotencyKey: string, result: ToolResult) => Effect.Effect<void, ToolLedgerError>
  readonly release: (idempotencyKey: string) => Effect.Effect<void, ToolLedgerError>
}

/**
 * Where runs of tool loops are kept.
 *
 * **Details**
 *
 * - `open`: takes a run over, or begins it.
 * - `entries`: looks at a run without taking it over; empty for one that never began.
 * - `forget`: removes all that is kept of a run. A ledger drops nothing by itself.
 *
 * **Gotchas**
 *
 * In an implementation of one's own, what `start` and `open` have written must be seen by every later read: with a store
 * that answers from a stale replica, two processes may each believe to own a run.
 *
 * **Example** (Settling by hand what nobody knows)
 *
 * ```ts
 * import type { ToolLedger } from "@effect-claude/client/ToolLedger"
 * import type { ToolLoopError } from "@effect-claude/client/ToolLoopError"
 * import * as Effect from "effect/Effect"
 *
 * // Somebody has looked at the payment provider: the charge of this key went through.
 * const settle = (ledger: ToolLedger, { idempotencyKey = "", runId }: ToolLoopError) =>
 *   Effect.flatMap(ledger.open(runId), (run) => run.finish(idempotencyKey, { content: "charged", isError: false }))
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export interface ToolLedger {
  readonly open: (runId: string) => Effect.Effect<OpenRun, ToolLedgerError>
  readonly entries: (runId: string) => Effect.Effect<ReadonlyArray<Entry>, ToolLedgerError>
  readonly forget: (runId: string) => Effect.Effect<void, ToolLedgerError>
}

/**
 * Makes a ledger in the memory of this process.
 *
 * **When to use**
 *
 * Use to repeat a run that failed without running its tools again, as long as the process lives, and in tests.
 *
 * **Gotchas**
 *
 * It keeps each run until `forget`.
 *
 * **Example** (Looking at a run)
 *
 * ```ts
 * import * as ToolLedger from "@effect-claude/client/ToolLedger"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const ledger = yield* ToolLedger.makeMemory
 *   const run = yield* ledger.open("order-42")
 *   yield* run.append({ _tag: "Began", messages: [{ role: "user", content: "Hello" }] })
 *   return yield* ledger.entries("order-42")
 * })
 *
 * assert.deepStrictEqual((await Effect.runPromise(program)).map(({ _tag }) => _tag), ["Began"])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeMemory: Effect.Effect<ToolLedger> = Effect.sync(() => {
  const records = new Map<string, string>()
  return journalledLedger({
    get: (key) => Effect.sync(() => records.get(key)),
    set: (key, text) =>
      Effect.sync(() => {
        records.set(key, text)
      }),
    clearPrefix: (prefix) =>
      Effect.sync(() => {
        for (const key of records.keys()) if (key.startsWith(prefix)) records.delete(key)
      })
  })
})
