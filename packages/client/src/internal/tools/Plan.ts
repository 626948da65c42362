import type { ToolUnion } from "@anthropic-ai/sdk/resources/messages/messages"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type { ClaudeError } from "../../ClaudeError.ts"
import type { CallOptions, MessageRequest } from "../../ClaudeService.ts"
import type { ClaudeTool } from "../../ClaudeTool.ts"
import type { ToolLedger } from "../../ToolLedger.ts"
import type { ToolLoopEvent } from "../../ToolLoopEvent.ts"

/** What a run may take. */
export interface Limits {
  readonly steps: number
  readonly tokens: number
  readonly pauses: number
  readonly time: Duration.Duration
}

/** What a run is to do, with its options checked. */
export interface Plan<E, R> {
  readonly request: MessageRequest
  readonly call: CallOptions | undefined
  readonly tools: ReadonlyMap<string, ClaudeTool<E, R>>
  /** Those of the request and ours. */
  readonly definitions: ReadonlyArray<ToolUnion>
  readonly limits: Limits
  readonly retry: Schedule.Schedule<unknown, ClaudeError> | undefined
  readonly concurrency: number | "unbounded"
  readonly runId: string | undefined
  readonly ledger: ToolLedger | undefined
}

export type Emit = (event: ToolLoopEvent) => Effect.Effect<void>
