import type { CallEvent } from "@effect-claude/client/ClaudeEvents"
import type { ResilienceEvent } from "@effect-claude/resilience/ResilienceEvent"
import type * as Duration from "effect/Duration"
import { shortDuration } from "./seconds.ts"

/** What a call does, or what is decided about it. */
export type AnyEvent = CallEvent | ResilienceEvent

const optional = (text: string, value: string | undefined): string => value === undefined ? "" : `${text}${value}`

const within = (duration: Duration.Duration | undefined): string =>
  duration === undefined ? "" : ` for ${shortDuration(duration)}`

/** An event in a few words; `undefined` for those that say nothing of what happens next. */
export const describeEvent = (event: AnyEvent): string | undefined => {
  switch (event._tag) {
    case "CallStarted":
    case "AttemptFailed":
    case "BudgetWithdrawn":
    case "BudgetDeposited":
    case "CacheMissed":
    case "CacheStored":
      return undefined
    case "CallEnded":
      return `call ended: ${event.outcome}${optional(", ", event.error)}, ${event.attempts} sent`
    case "RetryScheduled":
      return `retry in ${shortDuration(event.wait)} after ${event.error}${optional(", ", event.kind)}`
    case "RetriesEnded":
      return `no more retries after ${event.error}: ${event.reason}`
    case "AttemptTimedOut":
      return `attempt timed out (${event.phase}, ${shortDuration(event.limit)})`
    case "DeadlineExceeded":
      return `deadline of ${shortDuration(event.limit)} exceeded`
    case "CircuitOpened":
      return `circuit "${event.key}" opened${within(event.openFor)}: ${event.reason}`
    case "CircuitHalfOpened":
      return `circuit "${event.key}" half open`
    case "CircuitClosed":
      return `circuit "${event.key}" closed: ${event.reason}`
    case "CircuitRejected":
      return `circuit "${event.key}" rejects: ${event.reason}`
    case "RateLimiterWaited":
      return `waited ${shortDuration(event.wait)} for the rate limit of "${event.key}"`
    case "RateLimiterRejected":
      return `rate limit of "${event.key}" rejects: ${event.reason}`
    case "RateLimiterPaused":
      return `rate limit of "${event.key}" pauses${within(event.duration)}`
    case "RateLimitsLearned":
      return `rate limits of "${event.key}" learned`
    case "ConcurrencyQueued":
      return `waited ${shortDuration(event.wait)} for a place of "${event.key}"`
    case "ConcurrencyRejected":
      return `no place of "${event.key}": ${event.reason}`
    case "ConcurrencyLimitChanged":
      return `places of "${event.key}" from ${event.from} to ${event.to}: ${event.reason}`
    case "BudgetExhausted":
      return `retry budget exhausted (${event.level} left, ${event.cost} needed)`
    case "HedgeStarted":
      return `hedge ${event.hedge} started after ${shortDuration(event.delay)}`
    case "HedgeWon":
      return `hedge ${event.hedge} won`
    case "HedgeLost":
      return `hedge ${event.hedge} lost`
    case "HedgeSuppressed":
      return `no hedge: ${event.reason}`
    case "FallbackSwitched":
      return `fallback from ${event.from} to ${event.to} after ${event.error}`
    case "FallbackSkipped":
      return `fallback skips ${event.target}: ${event.reason}`
    case "FallbackAdapted":
      return `request adapted for ${event.target}`
    case "CacheHit":
      return `answered from the cache, ${shortDuration(event.age)} old${event.stale ? ", stale" : ""}`
    case "CacheFailed":
      return `cache failed to ${event.operation}: ${event.error}`
    case "Coalesced":
      return "shares the answer of a call under way"
    case "StreamRecoveryScheduled":
      return `stream to ${event.mode} in ${shortDuration(event.wait)} (part ${event.part}) after ${event.error}`
    case "StreamRecovered":
      return `stream recovered (${event.mode}, part ${event.part})`
    case "StreamSurfaced":
      return `stream given up after ${event.error}: ${event.reason}`
    case "ChaosInjected":
      return `chaos: ${event.injection} (${event.kind})`
  }
}
