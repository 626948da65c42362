const limits = { requests: 4000, "input-tokens": 2_000_000, "output-tokens": 400_000 }

type Limited = keyof typeof limits

const minute = 60_000

/** Token buckets that refill over a minute, reported as `anthropic-ratelimit-*` headers and never enforced. */
export class RateLimitHeaders {
  #used: { [name in Limited]: number } = { requests: 0, "input-tokens": 0, "output-tokens": 0 }
  #at: number

  constructor(now: number) {
    this.#at = now
  }

  /** Takes what one answer used and returns the headers it carries. `now` is epoch time in milliseconds. */
  take(used: { readonly inputTokens: number; readonly outputTokens: number }, now: number): Record<string, string> {
    const elapsed = Math.max(0, now - this.#at)
    this.#at = now
    const taken = { requests: 1, "input-tokens": used.inputTokens, "output-tokens": used.outputTokens }
    for (const name of limitedNames) {
      const refilled = Math.max(0, this.#used[name] - limits[name] * elapsed / minute)
      this.#used[name] = Math.min(limits[name], refilled + taken[name])
    }
    const input = this.#bucket("input-tokens", now)
    const output = this.#bucket("output-tokens", now)
    return {
      ...headers("requests", this.#bucket("requests", now)),
      ...headers("input-tokens", input),
      ...headers("output-tokens", output),
      ...headers("tokens", {
        limit: input.limit + output.limit,
        remaining: input.remaining + output.remaining,
        reset: Math.max(input.reset, output.reset)
      })
    }
  }

  #bucket(name: Limited, now: number): Bucket {
    const limit = limits[name]
    const remaining = limit - this.#used[name]
    return {
      limit,
      // The API rounds what is left of tokens to a thousand.
      remaining: name === "requests" ? Math.floor(remaining) : Math.round(remaining / 1000) * 1000,
      reset: now + minute * this.#used[name] / limit
    }
  }
}

const limitedNames: ReadonlyArray<Limited> = ["requests", "input-tokens", "output-tokens"]

interface Bucket {
  readonly limit: number
  readonly remaining: number
  readonly reset: number
}

const headers = (name: string, bucket: Bucket): Record<string, string> => ({
  [`anthropic-ratelimit-${name}-limit`]: String(bucket.limit),
  [`anthropic-ratelimit-${name}-remaining`]: String(bucket.remaining),
  // Whole seconds, rounded up: a bucket is never full before the time it reports.
  [`anthropic-ratelimit-${name}-reset`]: new Date(Math.ceil(bucket.reset / 1000) * 1000).toISOString().replace(
    ".000Z",
    "Z"
  )
})
