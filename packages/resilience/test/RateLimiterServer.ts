import type * as RateLimiter from "@effect-claude/resilience/RateLimiter"

export interface Use {
  readonly requests: number
  readonly inputTokens: number
  readonly outputTokens: number
}

export type Dimension = keyof Use

const dimensions: ReadonlyArray<Dimension> = ["requests", "inputTokens", "outputTokens"]
const window = 60_000

/**
 * A server with three token buckets, which it enforces and reports: tokens rounded to thousands, resets as the time of full
 * refill in whole seconds. Output is counted as it is written and only has to be positive for a request to be let in.
 */
export class Server {
  private readonly limits: Use
  private readonly left: Record<Dimension, number>
  private at = 0
  readonly answered: Record<Dimension, number> = { requests: 0, inputTokens: 0, outputTokens: 0 }
  admitted = 0
  readonly refusedAt: Array<number> = []
  foreign = 0
  foreignRefused = 0

  constructor(limits: Use) {
    this.limits = limits
    this.left = { ...limits }
  }

  private refill(now: number): void {
    for (const name of dimensions) {
      this.left[name] = Math.min(this.limits[name], this.left[name] + (now - this.at) * this.limits[name] / window)
    }
    this.at = now
  }

  /** Whether a request is let in; then its input is used up. */
  admit(input: number, now: number, isForeign = false): boolean {
    this.refill(now)
    if (this.left.requests < 1 || this.left.inputTokens < input || this.left.outputTokens <= 0) {
      if (isForeign) this.foreignRefused += 1
      else this.refusedAt.push(now)
      return false
    }
    this.left.requests -= 1
    this.left.inputTokens -= input
    if (isForeign) {
      this.foreign += 1
    } else {
      this.admitted += 1
      this.answered.requests += 1
      this.answered.inputTokens += input
    }
    return true
  }

  write(output: number, now: number, isForeign = false): void {
    this.refill(now)
    this.left.outputTokens -= output
    if (!isForeign) this.answered.outputTokens += output
  }

  headers(now: number): RateLimiter.Snapshot<Dimension> {
    this.refill(now)
    const report = (name: Dimension) => {
      const limit = this.limits[name]
      const left = Math.max(0, this.left[name])
      const reset = Math.ceil((now + (limit - left) * window / limit) / 1000) * 1000
      return {
        limit,
        remaining: name === "requests" ? Math.floor(left) : Math.round(left / 1000) * 1000,
        resetAfter: Math.max(0, reset - now)
      }
    }
    return {
      requests: report("requests"),
      inputTokens: report("inputTokens"),
      outputTokens: report("outputTokens")
    }
  }

  /** Seconds until the bucket that is empty lets a request of this size in, as `retry-after` has it. */
  retryAfter(input: number): number {
    const missing = [
      (1 - this.left.requests) / this.limits.requests,
      (input - this.left.inputTokens) / this.limits.inputTokens,
      (1 - this.left.outputTokens) / this.limits.outputTokens
    ]
    return Math.max(1, Math.ceil(Math.max(...missing) * window / 1000))
  }
}
