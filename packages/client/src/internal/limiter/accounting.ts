import type * as RateLimiter from "@effect-claude/resilience/RateLimiter"
import { type ClaudeError, isApiError } from "../../ClaudeError.ts"
import type { MessageEvent } from "../../MessageEvents.ts"
import type { Bucket, RateLimits } from "../../RateLimits.ts"
import { property } from "../foreignError.ts"
import type { TokenCosts } from "./LearnedCosts.ts"

/** What the API limits by the minute. */
export type Dimension = "requests" | "inputTokens" | "outputTokens"

const count = (usage: unknown, name: string): number | undefined => {
  const value = property(usage, name)
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined
}

/** What counts toward the limits of what an answer used: reads from the prompt cache do not. */
export const countedUsage = (usage: unknown): TokenCosts | undefined => {
  const input = count(usage, "input_tokens")
  const output = count(usage, "output_tokens")
  if (input === undefined && output === undefined) return undefined
  return { input: (input ?? 0) + (count(usage, "cache_creation_input_tokens") ?? 0), output: output ?? 0 }
}

/** The usage of a stream as far as it got: later events repeat only the counts that have changed. */
export class StreamUsage {
  private usage: Record<string, unknown> = {}
  isStarted = false

  add(event: MessageEvent): void {
    if (event.type === "message_start") {
      this.isStarted = true
      this.merge(property(event.message, "usage"))
    } else if (event.type === "message_delta") {
      this.merge(event.usage)
    }
  }

  get counted(): TokenCosts | undefined {
    return countedUsage(this.usage)
  }

  private merge(usage: unknown): void {
    for (const name of ["input_tokens", "cache_creation_input_tokens", "output_tokens"]) {
      const value = count(usage, name)
      if (value !== undefined) this.usage[name] = value
    }
  }
}

// The connection was never made, so nothing was sent.
const notConnected =
  /^(ECONNREFUSED|ENOTFOUND|EAI_|UND_ERR_CONNECT_TIMEOUT|EHOSTUNREACH|ENETUNREACH|ERR_TLS_|ERR_SSL_|CERT_)/

/** Whether a request that failed so never left: no connection was made for it, or something here held it back. */
export const wasNeverSent = (error: ClaudeError): boolean => {
  switch (error._tag) {
    case "CircuitOpenError":
    case "RateLimitedLocallyError":
    case "ConcurrencyLimitError":
    case "UsageBudgetExceededError":
      return true
    case "ConnectionError":
      return error.code !== undefined && notConnected.test(error.code)
    default:
      return false
  }
}

/**
 * What a call has used that failed, of what was reserved for it: nothing if it was not sent or was refused, else its
 * request and its input, and of its output what had arrived.
 */
export const usedByFailure = (error: ClaudeError, reserved: TokenCosts): RateLimiter.Costs<Dimension> => {
  const seen = countedUsage(property(error.partial?.message, "usage"))
  if (seen !== undefined) return { requests: 1, inputTokens: seen.input, outputTokens: seen.output }
  if (wasNeverSent(error)) return {}
  if (!isApiError(error)) return { requests: 1, inputTokens: reserved.input }
  // Whether an error of the server's own counts as a request is not documented; to assume so costs little.
  return error.status !== undefined && error.status >= 500 && error.status !== 529 ? { requests: 1 } : {}
}

const report = (bucket: Bucket | undefined, now: number): RateLimiter.Report | undefined =>
  bucket === undefined ? undefined : {
    limit: bucket.limit,
    remaining: bucket.remaining,
    // Of use only if `remaining` is missing, and harmless if the clocks differ: the limiter keeps it within its window.
    resetAfter: bucket.resetAt === undefined ? undefined : Math.max(0, bucket.resetAt - now)
  }

/** What the headers say of the limits that a request counts toward. `now` is the wall clock's time. */
export const snapshotOf = (
  limits: RateLimits | undefined,
  isFast: boolean,
  now: number
): RateLimiter.Snapshot<Dimension> => {
  if (limits === undefined) return {}
  const input = isFast ? limits.fastInputTokens ?? limits.inputTokens : limits.inputTokens
  const output = isFast ? limits.fastOutputTokens ?? limits.outputTokens : limits.outputTokens
  return {
    requests: report(limits.requests, now),
    inputTokens: report(input, now),
    outputTokens: report(output, now)
  }
}
