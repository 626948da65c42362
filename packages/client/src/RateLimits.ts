/**
 * What the headers of an answer say about waiting: the server's own wait, and the state of the rate limits.
 *
 * **Details**
 *
 * Numbers that make no sense (negative, not a number, a date that has passed, a wait of more than 24.8 days) are ignored
 * as if the header were absent, so that no schedule ever sleeps on one.
 *
 * **Gotchas**
 *
 * The `reset` of a token bucket is the time of its full refill, an over-estimate of the wait for one request; `remaining`
 * of the token buckets is rounded to thousands.
 *
 * **Example** (Reading the headers of an answer)
 *
 * ```ts
 * import * as RateLimits from "@effect-claude/client/RateLimits"
 * import { assert } from "@effect/vitest"
 * import * as Duration from "effect/Duration"
 *
 * const headers = new Headers({
 *   "retry-after": "1.5",
 *   "anthropic-ratelimit-requests-limit": "50",
 *   "anthropic-ratelimit-requests-remaining": "0",
 *   "anthropic-ratelimit-requests-reset": "2026-11-20T10:00:30Z"
 * })
 * const now = Date.parse("2026-11-20T10:00:00Z")
 *
 * assert.deepStrictEqual(RateLimits.retryAfter(headers, now), Duration.millis(1500))
 * assert.strictEqual(RateLimits.fromHeaders(headers)?.requests?.remaining, 0)
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

/**
 * One bucket as a response reported it: its size, what is left, and when it is full again (epoch milliseconds).
 *
 * @category models
 * @since 0.1.0
 */
export const Bucket = Schema.Struct({
  limit: Schema.optionalKey(Schema.Int),
  remaining: Schema.optionalKey(Schema.Int),
  resetAt: Schema.optionalKey(Schema.Number)
})

/**
 * @category models
 * @since 0.1.0
 */
export type Bucket = typeof Bucket.Type

/**
 * The buckets that a response reported, each only if it did: the standard ones, those of a Priority Tier, and those of
 * fast mode. `tokens` is the tightest limit in force.
 *
 * @category models
 * @since 0.1.0
 */
export const RateLimits = Schema.Struct({
  requests: Schema.optionalKey(Bucket),
  tokens: Schema.optionalKey(Bucket),
  inputTokens: Schema.optionalKey(Bucket),
  outputTokens: Schema.optionalKey(Bucket),
  priorityInputTokens: Schema.optionalKey(Bucket),
  priorityOutputTokens: Schema.optionalKey(Bucket),
  fastInputTokens: Schema.optionalKey(Bucket),
  fastOutputTokens: Schema.optionalKey(Bucket)
})

/**
 * @category models
 * @since 0.1.0
 */
export type RateLimits = typeof RateLimits.Type

const prefixes: Readonly<Record<keyof RateLimits, string>> = {
  requests: "anthropic-ratelimit-requests",
  tokens: "anthropic-ratelimit-tokens",
  inputTokens: "anthropic-ratelimit-input-tokens",
  outputTokens: "anthropic-ratelimit-output-tokens",
  priorityInputTokens: "anthropic-priority-input-tokens",
  priorityOutputTokens: "anthropic-priority-output-tokens",
  fastInputTokens: "anthropic-fast-input-tokens",
  fastOutputTokens: "anthropic-fast-output-tokens"
}

const names = Object.keys(prefixes) as ReadonlyArray<keyof RateLimits>

// RFC 3339, which is narrower than what `Date.parse` takes: a bare number or "1 Jan" is no reset time.
const rfc3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/

const count = (text: string): number | undefined => {
  if (!/^\d+$/.test(text.trim())) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

const instant = (text: string): number | undefined => {
  if (!rfc3339.test(text.trim())) return undefined
  const value = Date.parse(text.trim())
  return Number.isNaN(value) ? undefined : value
}

/** Which part of which bucket a header is, by its name. */
const parts: ReadonlyMap<string, { readonly name: keyof RateLimits; readonly part: "limit" | "remaining" | "reset" }> =
  new Map(
    names.flatMap((name) =>
      (["limit", "remaining", "reset"] as const).map((part) => [`${prefixes[name]}-${part}`, { name, part }] as const)
    )
  )

type Buckets = { -readonly [K in keyof RateLimits]?: { -readonly [P in keyof Bucket]: Bucket[P] } }

const note = (found: Buckets, header: string, value: string): void => {
  const known = parts.get(header)
  if (known === undefined) return
  const { name, part } = known
  const read = part === "reset" ? instant(value) : count(value)
  if (read !== undefined) (found[name] ??= {})[part === "reset" ? "resetAt" : part] = read
}

/**
 * The one thing asked of a set of headers, so that any implementation of `Headers` will do.
 *
 * @category models
 * @since 0.1.0
 */
export interface HeaderReader {
  readonly get: (name: string) => string | null
  /** Hands out each header with its name in lower case. Spares a search for each name, if it is there. */
  readonly forEach?: (visit: (value: string, name: string) => void) => void
}

/**
 * Reads the buckets that the headers report, `undefined` when they report none. A header that makes no sense is left out.
 *
 * **Example** (Reading what is left)
 *
 * ```ts
 * import * as RateLimits from "@effect-claude/client/RateLimits"
 * import { assert } from "@effect/vitest"
 *
 * const limits = RateLimits.fromHeaders(new Headers({ "anthropic-ratelimit-input-tokens-remaining": "39000" }))
 * assert.deepStrictEqual(limits, { inputTokens: { remaining: 39000 } })
 * ```
 *
 * @category parsing
 * @since 0.1.0
 */
export const fromHeaders = (headers: HeaderReader): RateLimits | undefined => {
  const found: Buckets = {}
  if (headers.forEach !== undefined) {
    headers.forEach((value, name) => note(found, name, value))
  } else {
    for (const name of parts.keys()) {
      const value = headers.get(name)
      if (value !== null) note(found, name, value)
    }
  }
  return Object.keys(found).length === 0 ? undefined : found
}

// The longest delay a timer can hold (2^31 - 1 ms, 24.8 days). A server that asks for more is not believed.
const longestWait = 2 ** 31 - 1

const wait = (millis: number): Duration.Duration | undefined =>
  Number.isFinite(millis) && millis > 0 && millis <= longestWait ? Duration.millis(millis) : undefined

const decimal = /^\d+(\.\d+)?$/

// The three forms of RFC 9110: IMF-fixdate, and the obsolete ones of RFC 850 and asctime.
const httpDate =
  /^((Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4}|[A-Z][a-z]+day, \d{2}-[A-Z][a-z]{2}-\d{2}) \d{2}:\d{2}:\d{2} GMT$/
const asctimeDate = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/

const parseHttpDate = (text: string): number => {
  if (httpDate.test(text)) return Date.parse(text)
  // Without a zone, which means UTC to the RFC and local time to the parser.
  return asctimeDate.test(text) ? Date.parse(`${text} GMT`) : Number.NaN
}

/**
 * How long the server asks to wait before the next attempt: `retry-after-ms`, else `retry-after` in seconds (decimals
 * too) or as an HTTP date. `undefined` when it asks for nothing or for something absurd. `now` is the time in epoch
 * milliseconds that a date is compared with.
 *
 * **Example** (Ignoring what makes no sense)
 *
 * ```ts
 * import * as RateLimits from "@effect-claude/client/RateLimits"
 * import { assert } from "@effect/vitest"
 *
 * for (const absurd of ["-5", "NaN", "1abc", "Infinity", "2026-11-20T10:00:00Z", "9999999999"]) {
 *   assert.isUndefined(RateLimits.retryAfter(new Headers({ "retry-after": absurd }), Date.now()))
 * }
 * ```
 *
 * @category parsing
 * @since 0.1.0
 */
export const retryAfter = (headers: HeaderReader, now: number): Duration.Duration | undefined => {
  const millis = headers.get("retry-after-ms")?.trim()
  if (millis !== undefined && decimal.test(millis)) {
    const found = wait(Number(millis))
    if (found !== undefined) return found
  }
  const value = headers.get("retry-after")?.trim()
  if (value === undefined) return undefined
  return wait(decimal.test(value) ? Number(value) * 1000 : parseHttpDate(value) - now)
}

/**
 * The server's own word on retrying, from `x-should-retry`.
 *
 * **Example** (Obeying a server that knows better)
 *
 * ```ts
 * import * as RateLimits from "@effect-claude/client/RateLimits"
 * import { assert } from "@effect/vitest"
 *
 * assert.isFalse(RateLimits.shouldRetry(new Headers({ "x-should-retry": "false" })))
 * assert.isUndefined(RateLimits.shouldRetry(new Headers()))
 * ```
 *
 * @category parsing
 * @since 0.1.0
 */
export const shouldRetry = (headers: HeaderReader): boolean | undefined => {
  const value = headers.get("x-should-retry")?.trim().toLowerCase()
  return value === "true" ? true : value === "false" ? false : undefined
}
