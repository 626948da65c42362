const bucketCount = 60

/** Counts what happened, and what of it failed, in a window of time that moves on by a sixtieth of itself. */
export class RollingCount {
  total = 0
  failed = 0
  private readonly bucketMillis: number
  private readonly totals = new Float64Array(bucketCount)
  private readonly failures = new Float64Array(bucketCount)
  private newest: number | undefined

  constructor(windowMillis: number) {
    this.bucketMillis = windowMillis / bucketCount
  }

  add(now: number, failed: boolean): void {
    const bucket = this.advance(now)
    this.totals[bucket] = (this.totals[bucket] ?? 0) + 1
    this.total += 1
    if (!failed) return
    this.failures[bucket] = (this.failures[bucket] ?? 0) + 1
    this.failed += 1
  }

  /** Forgets what has left the window, and gives the bucket of now. */
  private advance(now: number): number {
    const current = Math.floor(now / this.bucketMillis)
    const passed = Math.min(bucketCount, current - (this.newest ?? current))
    for (let step = 0; step < passed; step++) {
      const bucket = (current - step) % bucketCount
      this.total -= this.totals[bucket] ?? 0
      this.failed -= this.failures[bucket] ?? 0
      this.totals[bucket] = 0
      this.failures[bucket] = 0
    }
    this.newest = Math.max(current, this.newest ?? current)
    return current % bucketCount
  }
}
