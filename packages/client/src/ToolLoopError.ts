/**
 * Why a tool loop stopped before its end, and all that it had done until then.
 *
 * **Example** (Seeing what a run had come to)
 *
 * ```ts
 * import * as ToolLoop from "@effect-claude/client/ToolLoop"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Reply.text("Once upon a", { stop_reason: "max_tokens" })])
 * const program = ToolLoop.run({
 *   request: { model: "claude-sonnet-5-5", max_tokens: 3, messages: [{ role: "user", content: "A story" }] },
 *   tools: []
 * })
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error.reason, "claude")
 * assert.strictEqual(error.error?._tag, "OutputTruncatedError")
 * assert.deepStrictEqual(error.transcript, [{ role: "user", content: "A story" }])
 * assert.strictEqual(error.usage.outputTokens, 3)
 * ```
 *
 * @since 0.1.0
 */
import { stop, type Verdict } from "@effect-claude/resilience/Verdict"
import * as Inspectable from "effect/Inspectable"
import * as Schema from "effect/Schema"
import { ClaudeError } from "./ClaudeError.ts"
import { ApiTurn } from "./internal/tools/apiValue.ts"
import { TokenUsage } from "./TokenUsage.ts"
import { ToolLedgerError } from "./ToolLedgerError.ts"

/**
 * A tool loop stopped before its end.
 *
 * **Details**
 *
 * `reason` says why:
 *
 * - `claude`: a step failed with `error`, for good or as often as its policy allows; or its answer was cut, refused, empty,
 *   or asked for tools in a way that no result could be told to it.
 * - `steps`, `tokens`: the next thing to do would have passed the limit, which is in `limit`. `time`: the time is over;
 *   `limit` is in milliseconds.
 * - `tool`: a call of `tool` failed with `toolError`, which the tool says stops the loop.
 * - `unknownOutcome`: a call of `tool` began in an earlier run and nobody knows how it ended, or its tool is gone or does not
 *   take its input any more. It was not run again. Find out
 *   by its `idempotencyKey` and tell the ledger (`OpenRun.finish`, `OpenRun.release`), or give the tool a `recover`. If it has one, `cause` is what that failed with.
 * - `ledger`: the ledger failed, holds what it should not, or another process has taken the run over; see `ledgerError`.
 *
 * What had been done:
 *
 * - `transcript`: the messages of the conversation, whole turns only, to go on with: as the `messages` of a request, if there
 *   is no ledger. If it ends with calls of tools they run, also those that had ended: only a ledger knows which did.
 * - `steps` and `usage`: the steps that were answered, and what they and failed attempts took.
 * - `isRepeatable`: whether the run may be repeated without running a tool twice: it has a ledger of its caller's,
 *   or no tool has begun.
 *
 * `verdict` is that of `error` where the run is repeatable, and `Stop` otherwise.
 *
 * **Gotchas**
 *
 * `transcript` is the conversation with all that is confidential in it. It is left out where the error is printed, logged or
 * put through `JSON.stringify`, but not in what {@link ToolLoopErrorJson} makes.
 *
 * @category errors
 * @since 0.1.0
 */
export class ToolLoopError extends Schema.TaggedError<ToolLoopError>()("ToolLoopError", {
  message: Schema.String,
  reason: Schema.Literals(["claude", "steps", "tokens", "time", "tool", "unknownOutcome", "ledger"]),
  runId: Schema.String,
  transcript: Schema.Array(ApiTurn),
  usage: TokenUsage,
  steps: Schema.Int,
  isRepeatable: Schema.Boolean,
  limit: Schema.optionalKey(Schema.Finite),
  error: Schema.optionalKey(ClaudeError),
  ledgerError: Schema.optionalKey(ToolLedgerError),
  tool: Schema.optionalKey(Schema.String),
  toolUseId: Schema.optionalKey(Schema.String),
  idempotencyKey: Schema.optionalKey(Schema.String),
  toolError: Schema.optionalKey(Schema.Defect()),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  get verdict(): Verdict {
    return this.isRepeatable && this.error !== undefined ? this.error.verdict : stop
  }

  override toJSON(): unknown {
    return Object.assign({}, this, { message: this.message, transcript: `${this.transcript.length} messages` })
  }

  override [Inspectable.NodeInspectSymbol](): unknown {
    return this.toJSON()
  }
}

/**
 * A {@link ToolLoopError} whose `toolError`, if it has one, is one of `E`: the failures that the tools of the run stop it for.
 *
 * @category errors
 * @since 0.1.0
 */
export type ToolLoopFailure<E> = ToolLoopError & { readonly toolError?: E }

/**
 * The codec between a {@link ToolLoopError} and JSON, for a queue or another process. The transcript is part of it;
 * `toolError` keeps its name and message.
 *
 * **Example** (Queueing a run that stopped)
 *
 * ```ts
 * import { ToolLoopError, ToolLoopErrorJson } from "@effect-claude/client/ToolLoopError"
 * import * as TokenUsage from "@effect-claude/client/TokenUsage"
 * import { assert } from "@effect/vitest"
 * import * as Schema from "effect/Schema"
 *
 * const error = new ToolLoopError({
 *   message: "The limit of 20 steps is reached",
 *   reason: "steps",
 *   runId: "order-42",
 *   transcript: [{ role: "user", content: "Hello" }],
 *   usage: TokenUsage.zero,
 *   steps: 20,
 *   isRepeatable: true,
 *   limit: 20
 * })
 * const json = JSON.stringify(Schema.encodeSync(ToolLoopErrorJson)(error))
 * const back = Schema.decodeUnknownSync(ToolLoopErrorJson)(JSON.parse(json))
 *
 * assert.instanceOf(back, ToolLoopError)
 * assert.deepStrictEqual(back.transcript, error.transcript)
 * ```
 *
 * @category codecs
 * @since 0.1.0
 */
export const ToolLoopErrorJson = Schema.toCodecJson(ToolLoopError)
