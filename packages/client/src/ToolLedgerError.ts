/**
 * The failure of a ledger of tool loops.
 *
 * **Example** (Asking why a ledger failed)
 *
 * ```ts
 * import { ToolLedgerError } from "@effect-claude/client/ToolLedgerError"
 * import { assert } from "@effect/vitest"
 *
 * const error = new ToolLedgerError({ message: "Run order-42 goes on elsewhere", reason: "takenOver", runId: "order-42" })
 * assert.strictEqual(error.reason, "takenOver")
 * ```
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The ledger could not be read or written, or holds what is not of this run. Stops.
 *
 * **Details**
 *
 * `reason` is one of:
 *
 * - `read`, `write`: the store failed; `cause` says how.
 * - `corrupt`: what is kept under `key` cannot be read as a record of this run. Nothing of it was changed.
 * - `takenOver`: another process has opened the run since. It goes on there; this one must not.
 *
 * @category errors
 * @since 0.1.0
 */
export class ToolLedgerError extends Schema.TaggedError<ToolLedgerError>()("ToolLedgerError", {
  message: Schema.String,
  reason: Schema.Literals(["read", "write", "corrupt", "takenOver"]),
  runId: Schema.String,
  key: Schema.optionalKey(Schema.String),
  cause: Schema.optionalKey(Schema.Defect())
}) {}
