import type { OpenTimes } from "./OpenTime.ts"
import { TimeWindow } from "./TimeWindow.ts"

/** Options of a breaker as numbers: times in milliseconds, `Infinity` for what is off. */
export interface Settings {
  readonly failures: number
  readonly ratio: {
    readonly threshold: number
    readonly window: number
    readonly minimumCalls: number
  } | undefined
  readonly closeAfter: number
  readonly probeLease: number
  readonly maxServerOpenFor: number
  readonly spread: number
  readonly maxKeys: number
}

/** One admitted call. What it reports counts while the circuit has not changed since `epoch`, or while it is the probe. */
export interface Permit {
  readonly key: string
  epoch: number
  active: boolean
  /** The number of its admission, counted over all circuits. */
  order: number
}

/** What a circuit says to a call; the first two let it through. */
export type Answer = "closed" | "probe" | "open" | "probing" | "isolated"

const longestBurst = 1000

// While a probe is in flight nobody knows when it ends. Asking again after a fifth of its age notices within that.
const shortestPoll = 50
const longestPoll = 1000
const pollShare = 0.2

/**
 * The state of one circuit: numbers and flags, no effects. Time comes in as a reading of the monotonic clock.
 *
 * A row is a sequence of openings without a good stretch in between: the circuit flaps, or the outage lasts.
 */
export class Circuit {
  readonly key: string
  status: "closed" | "open" | "halfOpen" | "isolated" = "closed"
  /** The epoch of the last transition; 0 for a circuit that never left its first state. */
  since = 0
  /** When it last counted or changed. */
  changedAt: number
  failuresInRow = 0
  /** When the first failure of the row came, as a time and as the number of calls admitted by then. */
  private rowSince = 0
  private rowStart = 0
  /** Whether all of the row was admitted before the first of it had failed. */
  private isBurst = true
  readonly window: TimeWindow | undefined

  openings = 0
  outageSince = 0
  openTimes: OpenTimes | undefined
  openFor = 0
  openUntil = 0
  closedAt = 0
  rejected = 0
  /** Set while it is open by a trip at once, with what tripped it. */
  trip: { readonly cause: unknown } | undefined

  probe: Permit | undefined
  private probeSince = 0
  goodProbes = 0

  constructor(key: string, settings: Settings, now: number) {
    this.key = key
    this.changedAt = now
    this.window = settings.ratio === undefined ? undefined : new TimeWindow(settings.ratio.window)
  }

  answer(permit: Permit | undefined, settings: Settings, now: number): Answer {
    switch (this.status) {
      case "closed":
        return "closed"
      case "isolated":
        return "isolated"
      case "open":
        return now < this.openUntil ? "open" : "probe"
      case "halfOpen":
        return this.probe === undefined || this.probe === permit || now - this.probeSince >= settings.probeLease
          ? "probe"
          : "probing"
    }
  }

  takeProbe(permit: Permit, now: number): void {
    // The one before it has hung for longer than its lease: what it reports some day is of no interest.
    if (this.probe !== undefined && this.probe !== permit) this.probe.active = false
    this.status = "halfOpen"
    this.probe = permit
    this.probeSince = now
    this.changedAt = now
  }

  /** How long until a call may be let through; a guess while a probe is in flight. */
  remaining(now: number): number {
    switch (this.status) {
      case "closed":
        return 0
      case "isolated":
        return Number.POSITIVE_INFINITY
      case "open":
        return Math.max(0, this.openUntil - now)
      case "halfOpen":
        return this.probe === undefined
          ? 0
          : Math.min(longestPoll, Math.max(shortestPoll, (now - this.probeSince) * pollShare))
    }
  }

  /** Counts a success in the closed state. */
  countSuccess(now: number): void {
    this.window?.add(now, false)
    this.changedAt = now
    this.failuresInRow = 0
  }

  /**
   * Counts a failure in the closed state, and tells whether and why the circuit has to open. Calls that were sent together and
   * are turned away together have met a full service, not one that is down; so a row counts once a call has failed that
   * began after its first failure, or once it has lasted for a second without a success.
   */
  countFailure(permit: Permit, admitted: number, settings: Settings, now: number): "consecutive" | "ratio" | undefined {
    this.window?.add(now, true)
    this.changedAt = now
    if (this.failuresInRow === 0) {
      this.rowSince = now
      this.rowStart = admitted
      this.isBurst = settings.failures > 1
    } else if (permit.order > this.rowStart || now - this.rowSince >= longestBurst) {
      this.isBurst = false
    }
    this.failuresInRow += 1
    if (this.failuresInRow >= settings.failures && !this.isBurst) return "consecutive"
    const { ratio } = settings
    return ratio !== undefined && this.window !== undefined && this.window.calls >= ratio.minimumCalls
        && this.window.failures >= ratio.threshold * this.window.calls
      ? "ratio"
      : undefined
  }

  /** Whether an opening now would go on with the row before it. */
  continuesRow(now: number): boolean {
    return this.openings > 0 && (this.status !== "closed" || now - this.closedAt < this.openFor)
  }

  /** Back to the beginning; what is left is the memory of the row, for a circuit that flaps. */
  close(epoch: number, now: number): void {
    this.enter("closed", epoch, now)
    this.closedAt = now
    this.trip = undefined
  }

  forgetRow(): void {
    this.openings = 0
    this.openTimes = undefined
  }

  enter(status: Circuit["status"], epoch: number, now: number): void {
    this.status = status
    this.since = epoch
    this.changedAt = now
    this.failuresInRow = 0
    this.window?.clear()
    this.probe = undefined
    this.goodProbes = 0
    this.rejected = 0
  }
}
