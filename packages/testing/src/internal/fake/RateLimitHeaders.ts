import type { LimitName, RateLimits, Reported, Tier } from "./RateLimits.ts"

const headerNames: Readonly<Record<LimitName | "tokens", string>> = {
  requests: "requests",
  inputTokens: "input-tokens",
  outputTokens: "output-tokens",
  tokens: "tokens"
}

const tokenNames = ["inputTokens", "outputTokens"] as const
const reportedNames = ["requests", "inputTokens", "outputTokens", "tokens"] as const

/**
 * The limits as `anthropic-ratelimit-*` headers; `exhausted` is shown as used up, whatever is left of it. Who has a Priority
 * Tier sees its limits too, and a request in fast mode those of fast mode.
 */
export const rateLimitHeaders = (
  limits: RateLimits,
  tier: Tier,
  now: number,
  exhausted?: LimitName
): Record<string, string> => {
  const report = limits.report(now)
  const priority = limits.reportTier("priority", now)
  const fast = tier === "fast" ? limits.reportTier("fast", now) : undefined
  return Object.fromEntries([
    ...reportedNames.flatMap((name) =>
      headersOf(`ratelimit-${headerNames[name]}`, name === exhausted ? usedUp(report[name], now) : report[name])
    ),
    ...tokenNames.flatMap((name) => [
      ...(priority === undefined ? [] : headersOf(`priority-${headerNames[name]}`, priority[name])),
      ...(fast === undefined ? [] : headersOf(`fast-${headerNames[name]}`, fast[name]))
    ])
  ])
}

const usedUp = (bucket: Reported, now: number): Reported => ({ ...bucket, remaining: 0, reset: now + bucket.window })

const headersOf = (name: string, bucket: Reported): ReadonlyArray<readonly [string, string]> => [
  [`anthropic-${name}-limit`, String(Math.round(bucket.limit))],
  [`anthropic-${name}-remaining`, String(bucket.remaining)],
  [`anthropic-${name}-reset`, resetText(bucket)]
]

const minute = 60_000

// Whole seconds, rounded up: a bucket is never full before the time it reports. A window below a minute is one of a test
// in which time is scaled, and seconds would be too coarse.
const resetText = ({ reset, window }: Reported): string =>
  window < minute
    ? new Date(Math.ceil(reset)).toISOString()
    : new Date(Math.ceil(reset / 1000) * 1000).toISOString().replace(".000Z", "Z")
