import type { TokenUsage } from "@effect-claude/client/TokenUsage"
import type { ToolLoopResult } from "@effect-claude/client/ToolLoopEvent"

/** What the agent is started with. */
export interface Settings {
  readonly url: string
  readonly runId: string
  /** Where its ledger is kept. */
  readonly directory: string
  /** The file that its tools write to. */
  readonly effects: string
  /** Whether it waits at each point until it is let go. */
  readonly isStepped: boolean
}

/** What a parent tells its agent: what to do, once, and then to go on at each point. */
export type ToAgent = { readonly start: Settings } | { readonly go: true }

/** What the agent tells its parent. */
export type FromAgent =
  | { readonly ready: true }
  | { readonly point: string }
  | {
    readonly done: Pick<ToolLoopResult, "steps" | "transcript"> & { readonly usage: TokenUsage }
  }
  | {
    readonly stopped: {
      readonly reason: string
      readonly message: string
      readonly tool: string | undefined
      readonly idempotencyKey: string | undefined
    }
  }
