/** What is left of a limit that refills evenly, a whole `limit` in each `window`. Times are epoch milliseconds. */
export class TokenBucket {
  readonly limit: number
  readonly window: number
  #level: number
  #at: number

  constructor(limit: number, window: number, now: number) {
    this.limit = limit
    this.window = window
    this.#level = limit
    this.#at = now
  }

  /** What is left; below zero when more was produced than was there. */
  level(now: number): number {
    const elapsed = Math.max(0, now - this.#at)
    this.#at = Math.max(now, this.#at)
    this.#level = Math.min(this.limit, this.#level + elapsed * this.limit / this.window)
    return this.#level
  }

  take(amount: number, now: number): void {
    this.#level = Math.min(this.limit, this.level(now) - amount)
  }

  /** How long it takes until `amount` is there: a whole window for more than the bucket ever holds. */
  wait(amount: number, now: number): number {
    const missing = amount - this.level(now)
    return missing <= 0 ? 0 : Math.min(1, missing / this.limit) * this.window
  }

  fullAt(now: number): number {
    return now + (this.limit - this.level(now)) * this.window / this.limit
  }
}
