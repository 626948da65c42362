/** How one dimension is limited; times in milliseconds. */
export interface BucketPlan {
  /** What may be used a window, as configured; `undefined` until a response tells. */
  readonly limit: number | undefined
  readonly window: number
  /** How much refill may be saved up, in milliseconds of it. */
  readonly burst: number
  /** By how much a reported `remaining` may be too high. */
  readonly rounding: number
  /** The share of the configured limit that is used. */
  readonly headroom: number
  /** Whether a reported limit replaces a configured one that is lower. */
  readonly mayRaise: boolean
}

/** What a response reports of one dimension. */
export interface Report {
  readonly limit?: number | undefined
  readonly remaining?: number | undefined
  /** Milliseconds until the bucket is full. */
  readonly resetAfter?: number | undefined
}

/** When the call behind a report was let through, and what the bucket had given away by then, that call included. */
export interface Mark {
  readonly at: number
  readonly reserved: number
}

/** The share of a reported limit that is used: enough to stay clear of a server whose clock runs a little slower. */
export const reportedShare = 0.99
/** The part of a reported limit that is never drawn on. A level, not a rate: it costs burst and no throughput. */
const leastMargin = 0.02
const largestMargin = 0.25
/** A report older than this share of the window is given credit for what was refilled since. */
const creditAfter = 0.25

/**
 * A token bucket that refills continuously, and follows the bucket of a server that it cannot see.
 *
 * Between reports it counts by itself. A report can only lower its level: what the server has left, less everything that
 * was given away since the reported call was let through, since the server may not have seen that yet, less a margin.
 * Some of that has been seen and is subtracted twice; so the level lies too low by about what is given away during one
 * call, which delays the start of the next call but not the rate of calls, as refill goes on.
 *
 * Drops that this process cannot explain are the doing of another one. The margin grows by what the others can be expected
 * to take while a report is on its way.
 */
export class Bucket {
  private readonly plan: BucketPlan
  /** What may be used a window, as configured or reported; `undefined` while unknown, and then nothing is limited. */
  limit: number | undefined
  /** Given away since the beginning, as it was reserved. */
  reserved = 0
  private isReported = false
  private rate = Number.POSITIVE_INFINITY
  private capacity = Number.POSITIVE_INFINITY
  private level = Number.POSITIVE_INFINITY
  private refilledAt = Number.NEGATIVE_INFINITY
  private margin = 0
  private reportedAt = Number.NEGATIVE_INFINITY
  private largestSurprise = 0
  private droppedLately = 0
  private ageOfReports = 0
  private inFlight = 0
  private callTime = 0

  constructor(plan: BucketPlan) {
    this.plan = plan
    this.limit = plan.limit
    if (plan.limit !== undefined) this.follow(plan.limit * plan.headroom)
  }

  get isLimited(): boolean {
    return this.limit !== undefined
  }

  /** What can be taken now, negative when in debt; infinite while unlimited. */
  available(now: number): number {
    this.refill(now)
    return this.level
  }

  get size(): number {
    return this.capacity
  }

  /**
   * Milliseconds until `amount` can be taken behind others that take `ahead`. More than the bucket holds can be taken when
   * it is full, and puts it in debt: else it would wait for ever.
   */
  waitFor(amount: number, ahead: number, now: number): number {
    if (this.limit === undefined) return 0
    this.refill(now)
    const missing = Math.min(amount, this.capacity) + ahead - this.level
    // Sums of refill are not exact: without the tolerance a timer could find itself a hair too early again and again.
    return missing <= 1e-9 * (1 + amount) ? 0 : missing / this.rate
  }

  take(amount: number): void {
    this.level -= amount
    this.reserved += amount
    this.inFlight += amount
  }

  /** Ends a call that took `amount`, `actual` of which it used, and lasted for some time. */
  settle(amount: number, actual: number, lasted: number, now: number): void {
    this.refill(now)
    this.level = Math.min(this.capacity, this.level + amount - actual)
    this.inFlight = Math.max(0, this.inFlight - amount)
    if (actual > 0) this.callTime += (lasted - this.callTime) / 8
  }

  empty(now: number): void {
    this.refill(now)
    if (this.limit !== undefined) this.level = Math.min(0, this.level)
  }

  /** Takes over what a response reports. Returns whether the limit is another one now. */
  observe(report: Report, mark: Mark, now: number): boolean {
    this.refill(now)
    const changed = this.adopt(report.limit)
    const { limit } = this
    const serverLimit = report.limit ?? limit
    const remaining = report.remaining ?? this.remainingFromReset(report.resetAfter, serverLimit)
    if (limit === undefined || serverLimit === undefined || remaining === undefined) return changed

    const age = Math.max(0, now - mark.at)
    const pending = this.reserved - mark.reserved
    const credit = this.rate * Math.max(0, age - creditAfter * this.plan.window)
    const rounding = remaining < serverLimit ? this.plan.rounding : 0
    const left = remaining - rounding - pending + credit
    this.learnFromDrop(Math.max(0, this.level + this.margin - left), age, limit, now)
    this.level = Math.min(this.level, left - this.margin - this.unpaid)
    return changed
  }

  /**
   * What calls in flight may still use beyond what is refilled for them meanwhile, others taking their part: output tokens
   * count as they are written, long after the report.
   */
  private get unpaid(): number {
    const refilled = Math.max(0, this.rate - this.droppedLately / this.plan.window) * this.callTime
    return Math.max(0, this.inFlight - refilled)
  }

  private remainingFromReset(resetAfter: number | undefined, limit: number | undefined): number | undefined {
    if (resetAfter === undefined || limit === undefined) return undefined
    const missing = Math.min(1, Math.max(0, resetAfter / this.plan.window))
    return limit * (1 - missing)
  }

  private learnFromDrop(drop: number, age: number, limit: number, now: number): void {
    const { window } = this.plan
    const isFirst = this.reportedAt === Number.NEGATIVE_INFINITY
    // The first report tells of what happened before anybody looked.
    const unexplained = isFirst || !Number.isFinite(drop) ? 0 : drop
    const elapsed = isFirst ? 0 : now - this.reportedAt
    const kept = Math.exp(-elapsed / window)
    const surprise = unexplained - this.droppedLately / window * elapsed
    this.reportedAt = now
    this.droppedLately = this.droppedLately * kept + unexplained
    this.largestSurprise = Math.max(this.largestSurprise * kept, surprise)
    this.ageOfReports = isFirst ? age : this.ageOfReports + (age - this.ageOfReports) / 8
    const takenMeanwhile = this.droppedLately / window * this.ageOfReports
    this.margin = Math.min(largestMargin * limit, leastMargin * limit + takenMeanwhile + 2 * this.largestSurprise)
  }

  private adopt(reported: number | undefined): boolean {
    if (reported === undefined || !(reported > 0) || (this.isReported && reported === this.limit)) return false
    const { headroom, limit, mayRaise } = this.plan
    const usable = reported * reportedShare
    const before = this.limit
    this.isReported = true
    if (limit !== undefined && !mayRaise && limit * headroom <= usable) {
      this.limit = limit
      this.isReported = false
      this.follow(limit * headroom)
    } else {
      this.limit = reported
      this.follow(usable)
    }
    return before !== this.limit
  }

  private follow(usable: number): void {
    this.rate = usable / this.plan.window
    this.capacity = this.rate * this.plan.burst
    this.level = Math.min(this.level, this.capacity)
  }

  private refill(now: number): void {
    if (now <= this.refilledAt) return
    if (this.limit !== undefined) this.level = Math.min(this.capacity, this.level + (now - this.refilledAt) * this.rate)
    this.refilledAt = now
  }
}
