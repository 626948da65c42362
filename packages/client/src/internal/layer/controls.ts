import type { Hedge } from "@effect-claude/resilience/Hedge"
import type { RetryBudget } from "@effect-claude/resilience/RetryBudget"
import type { ClaudeServiceShape } from "../../ClaudeService.ts"
import type { UsageLedgerShape } from "../../UsageLedger.ts"
import type { AnswerCache } from "./cache.ts"
import type { ClaudeCircuitBreaker } from "./circuitBreaker.ts"
import type { ClaudeConcurrency } from "./concurrency.ts"
import type { ClaudeRateLimiter } from "./rateLimiter.ts"

/**
 * What policies that hold a state can be read and set by.
 *
 * @category models
 * @since 0.1.0
 */
export interface Controls {
  readonly cache?: AnswerCache
  readonly circuitBreaker?: ClaudeCircuitBreaker
  readonly concurrency?: ClaudeConcurrency
  readonly hedge?: Hedge
  readonly rateLimiter?: ClaudeRateLimiter
  readonly retryBudget?: RetryBudget
  readonly usage?: UsageLedgerShape
}

const names = ["cache", "circuitBreaker", "concurrency", "hedge", "rateLimiter", "retryBudget", "usage"]

/** The controls of the policies around a service; of two of a kind, the outer one. */
export const controlsOf = ({ policies = [] }: ClaudeServiceShape): Controls => {
  const found: Record<string, unknown> = {}
  for (const { control, name } of policies) {
    if (control !== undefined && names.includes(name)) found[name] ??= control
  }
  // Each policy makes its own control, so its name tells the type.
  return found
}
