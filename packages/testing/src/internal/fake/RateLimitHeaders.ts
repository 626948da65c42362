import type { LimitName, RateLimits, Reported, Tier } from "./RateLimits.ts"

/** The names of the three headers of a bucket. */
const namesOf = (bucket: string) => ({
  limit: `anthropic-${bucket}-limit`,
  remaining: `anthropic-${bucket}-remaining`,
  reset: `anthropic-${bucket}-reset`
})

type HeaderNames = ReturnType<typeof namesOf>

const headerNames = {
  requests: namesOf("ratelimit-requests"),
  inputTokens: namesOf("ratelimit-input-tokens"),
  outputTokens: namesOf("ratelimit-output-tokens"),
  tokens: namesOf("ratelimit-tokens")
}
const priorityNames = { inputTokens: namesOf("priority-input-tokens"), outputTokens: namesOf("priority-output-tokens") }
const fastNames = { inputTokens: namesOf("fast-input-tokens"), outputTokens: namesOf("fast-output-tokens") }

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
  const report = limits.report(now, exhausted)
  const priority = limits.reportTier("priority", now)
  const fast = tier === "fast" ? limits.reportTier("fast", now) : undefined
  const headers: Record<string, string> = {}
  for (const name of reportedNames) {
    setHeaders(headers, headerNames[name], report[name])
  }
  for (const name of tokenNames) {
    if (priority !== undefined) setHeaders(headers, priorityNames[name], priority[name])
    if (fast !== undefined) setHeaders(headers, fastNames[name], fast[name])
  }
  return headers
}

// Every answer has a dozen of these, which is why they are set in place.
const setHeaders = (headers: Record<string, string>, names: HeaderNames, bucket: Reported): void => {
  headers[names.limit] = String(Math.round(bucket.limit))
  headers[names.remaining] = String(bucket.remaining)
  headers[names.reset] = resetText(bucket)
}

const minute = 60_000

// Whole seconds, rounded up: a bucket is never full before the time it reports. A window below a minute is one of a test
// in which time is scaled, and seconds would be too coarse.
const resetText = ({ reset, window }: Reported): string =>
  window < minute ? new Date(Math.ceil(reset)).toISOString() : secondText(Math.ceil(reset / 1000))

// The buckets of an answer are mostly full again within the same second, and so are those of the next answers.
let lastSecond = { second: Number.NaN, text: "" }

const secondText = (second: number): string => {
  if (second !== lastSecond.second) {
    lastSecond = { second, text: new Date(second * 1000).toISOString().replace(".000Z", "Z") }
  }
  return lastSecond.text
}
