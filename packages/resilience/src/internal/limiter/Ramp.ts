/** How calls start again after a silence. */
export interface RampPlan {
  /** The share of the limits at which it begins. */
  readonly from: number
  /** Milliseconds in which that share doubles. */
  readonly doubling: number
}

/** At this multiple of the limits a ramp holds nobody back any more. */
const end = 8
/** What may be started at once, as a share of what the ramp lets through in a window. */
const burst = 1 / 6

/**
 * Lets the rate of calls grow gradually: a server that limits acceleration refuses a sudden burst even within its limits.
 *
 * Counts in shares of what the limits allow in a window, for the dimension of which a call takes the largest share.
 */
export class Ramp {
  private readonly window: number
  private from = 1
  private doubling = 1
  private began = Number.NEGATIVE_INFINITY
  private ends = Number.NEGATIVE_INFINITY
  private level = 0
  private countedAt = 0

  constructor(window: number) {
    this.window = window
  }

  isActive(now: number): boolean {
    return now < this.ends
  }

  begin(plan: RampPlan, now: number): void {
    this.from = plan.from
    this.doubling = plan.doubling
    this.began = now
    this.ends = now + plan.doubling * Math.log2(end / plan.from)
    this.level = this.capacity
    this.countedAt = now
  }

  /** Begins again at half of what is let through now, without anything that may start at once. */
  slowDown(least: number, doubling: number, now: number): void {
    const share = this.isActive(now) ? Math.min(1, this.multiple(now)) : 1
    this.begin({ from: Math.max(least, share / 2), doubling }, now)
    this.level = 0
  }

  /** Milliseconds until calls of this share, all together, may have started. */
  waitFor(share: number, ahead: number, now: number): number {
    if (!this.isActive(now)) return 0
    this.count(now)
    const missing = Math.min(share, this.capacity) + ahead - this.level
    if (missing <= 1e-9) return 0
    const growth = this.passedBy(now) + missing
    const at = this.began + this.doubling * Math.log2(growth * Math.LN2 * this.window / (this.from * this.doubling) + 1)
    return Math.max(0, Math.min(at, this.ends) - now)
  }

  take(share: number, now: number): void {
    if (!this.isActive(now)) return
    this.count(now)
    this.level -= share
  }

  private get capacity(): number {
    return this.from * burst
  }

  private multiple(now: number): number {
    return this.from * 2 ** ((now - this.began) / this.doubling)
  }

  /** The integral of the growing rate from the beginning. */
  private passedBy(now: number): number {
    return (this.multiple(now) - this.from) * this.doubling / Math.LN2 / this.window
  }

  private count(now: number): void {
    if (now <= this.countedAt) return
    this.level = Math.min(this.capacity, this.level + this.passedBy(now) - this.passedBy(this.countedAt))
    this.countedAt = now
  }
}
