/**
 * What happens in a tool loop, as it happens.
 *
 * **Example** (Telling a user what the agent does)
 *
 * ```ts
 * import type { ToolLoopEvent } from "@effect-claude/client/ToolLoopEvent"
 * import { assert } from "@effect/vitest"
 *
 * const line = (event: ToolLoopEvent): string | undefined => {
 *   switch (event._tag) {
 *     case "ToolStarted":
 *       return `using ${event.tool}`
 *     case "StepRetried":
 *       return "Claude is busy, trying again"
 *     default:
 *       return undefined
 *   }
 * }
 *
 * assert.strictEqual(
 *   line({ _tag: "ToolStarted", step: 1, tool: "search", toolUseId: "toolu_1", idempotencyKey: "k", attempt: 1, input: {} }),
 *   "using search"
 * )
 * ```
 *
 * @since 0.1.0
 */
import type { Message, MessageParam } from "@anthropic-ai/sdk/resources/messages/messages"
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import type { ClaudeError } from "./ClaudeError.ts"
import type { MessageEvent } from "./MessageEvents.ts"
import type { TokenUsage } from "./TokenUsage.ts"
import type { ToolResult } from "./ToolRecord.ts"

/**
 * What a tool loop has come to.
 *
 * **Details**
 *
 * - `message`: the last answer, which asks for no tool.
 * - `transcript`: the messages of the whole conversation, that answer included.
 * - `usage`: what all steps took, those before a restart and attempts that failed included, as far as it was reported.
 * - `steps`: how many answers there were; what goes on after a pause is the same step.
 * - `runId`: the id of the run.
 *
 * @category models
 * @since 0.1.0
 */
export interface ToolLoopResult {
  readonly message: Message
  readonly transcript: ReadonlyArray<MessageParam>
  readonly usage: TokenUsage
  readonly steps: number
  readonly runId: string
}

/**
 * A call of a tool: which one, under the id that the model gave it, and its key.
 *
 * @category models
 * @since 0.1.0
 */
export interface ToolCallInfo {
  readonly step: number
  readonly tool: string
  readonly toolUseId: string
  readonly idempotencyKey: string
}

/**
 * How a call of a tool came to its result.
 *
 * **Details**
 *
 * - `succeeded`, `failed`: the tool ran.
 * - `rejected`: it did not: there is no such tool, or the input is not what it takes.
 * - `replayed`: it had run before, and this is what it gave then.
 * - `recovered`: it had begun before, and its `recover` found out what it gave.
 *
 * @category models
 * @since 0.1.0
 */
export type ToolOutcome = "succeeded" | "failed" | "rejected" | "replayed" | "recovered"

/**
 * Something that happened in a tool loop.
 *
 * **Details**
 *
 * - `Resumed`: the run goes on after so many steps.
 * - `StepStarted`: the model is asked.
 * - `ModelEvent`: an event of its answer, where it is streamed.
 * - `StepRetried`: attempt number `attempt` failed with `error`; the next one begins after `wait`. What was shown of the step
 *   is to be dropped.
 * - `StepAnswered`: the whole answer of the step.
 * - `ToolStarted`, `ToolFinished`: a tool runs, and what the model will be told. A call that is not run has only the second.
 *   `cause` is what it failed or died with.
 * - `Finished`: the end.
 *
 * @category models
 * @since 0.1.0
 */
export type ToolLoopEvent =
  | { readonly _tag: "Resumed"; readonly steps: number }
  | { readonly _tag: "StepStarted"; readonly step: number }
  | { readonly _tag: "ModelEvent"; readonly step: number; readonly event: MessageEvent }
  | {
    readonly _tag: "StepRetried"
    readonly step: number
    readonly attempt: number
    readonly error: ClaudeError
    readonly wait: Duration.Duration
  }
  | { readonly _tag: "StepAnswered"; readonly step: number; readonly message: Message }
  | ToolCallInfo & { readonly _tag: "ToolStarted"; readonly attempt: number; readonly input: unknown }
  | ToolCallInfo & {
    readonly _tag: "ToolFinished"
    readonly outcome: ToolOutcome
    readonly result: ToolResult
    readonly cause?: Cause.Cause<unknown> | undefined
  }
  | { readonly _tag: "Finished"; readonly result: ToolLoopResult }
