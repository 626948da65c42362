const bucketCount = 10

interface Bucket {
  calls: number
  failures: number
}

/**
 * Counts calls and failures of the last stretch of time, in ten buckets: it forgets a tenth of the window at a time, so it
 * always covers between nine tenths and the whole of it.
 */
export class TimeWindow {
  calls = 0
  failures = 0
  private readonly bucketMillis: number
  private readonly buckets: ReadonlyArray<Bucket> = Array.from(
    { length: bucketCount },
    () => ({ calls: 0, failures: 0 })
  )
  /** The number of the newest bucket, counted from the origin of the clock. */
  private newest = Number.NEGATIVE_INFINITY

  constructor(windowMillis: number) {
    this.bucketMillis = windowMillis / bucketCount
  }

  add(now: number, failed: boolean): void {
    this.advance(Math.floor(now / this.bucketMillis))
    const bucket = this.bucket(this.newest)
    bucket.calls += 1
    this.calls += 1
    if (!failed) return
    bucket.failures += 1
    this.failures += 1
  }

  clear(): void {
    for (const bucket of this.buckets) this.empty(bucket)
  }

  private advance(current: number): void {
    if (current <= this.newest) return
    const oldest = Math.max(this.newest + 1, current - bucketCount + 1)
    for (let number = oldest; number <= current; number++) this.empty(this.bucket(number))
    this.newest = current
  }

  private empty(bucket: Bucket): void {
    this.calls -= bucket.calls
    this.failures -= bucket.failures
    bucket.calls = 0
    bucket.failures = 0
  }

  private bucket(number: number): Bucket {
    // The origin of the clock is arbitrary, so numbers may be negative.
    return this.buckets[((number % bucketCount) + bucketCount) % bucketCount] as Bucket
  }
}
