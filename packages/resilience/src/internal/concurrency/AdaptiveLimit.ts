export interface LatencyRules {
  readonly tolerance: number
}

export interface LimitRules {
  readonly initial: number
  readonly minimum: number
  readonly maximum: number
  readonly decrease: number
  readonly latency: LatencyRules | undefined
}

/** What moved the limit. */
export type Move = "success" | "overload" | "latency"

// Of a round trip: by half, so that the first overload is one of half of the capacity at most.
const growth = 0.5

// Up to what the service took before an outage: three times as many each round trip.
const regrowth = 2

// Around the limit at which overload last struck: above this multiple of it the capacity has evidently grown.
const pastCeiling = 1.1

// Gradient limits of other libraries remember about 600 samples as the normal case.
const baselineSamples = 600
const recentSamples = 10
const minimumSamples = 20

/** A mean that forgets; the plain mean until it has `window` samples. */
class MovingMean {
  value = 0
  samples = 0
  private readonly window: number

  constructor(window: number) {
    this.window = window
  }

  add(sample: number): void {
    this.samples += 1
    this.value += (sample - this.value) / Math.min(this.samples, this.window)
  }
}

/**
 * How many calls a service takes at once, as far as its answers tell: additive increase, multiplicative decrease.
 *
 * A round trip is an `epoch`: every decrease begins a new one, and a call speaks only for the epoch in which it started. So
 * a burst of failures, all sent under the same limit, decreases it once, and successes from before raise nothing.
 */
export class AdaptiveLimit {
  private readonly rules: LimitRules
  private limit: number
  /** Where overload last struck, if it struck while the limit was in full use. */
  private ceiling: number | undefined
  private currentEpoch = 0
  private sawSuccess = false
  /** Whether the limit grew fast since the last decrease, so that it may be far over what the service takes. */
  private grewFast = false
  /** What the service took when overload last struck: up to here the limit grows fast, from here to the ceiling slowly. */
  private slowFrom = 0
  private readonly baseline = new MovingMean(baselineSamples)
  private readonly recent = new MovingMean(recentSamples)

  constructor(rules: LimitRules) {
    this.rules = rules
    this.limit = rules.initial
  }

  get permits(): number {
    return Math.floor(this.limit)
  }

  get epoch(): number {
    return this.currentEpoch
  }

  /** A call succeeded. A limit that was not in full use is not known to be too low. */
  succeeded(epoch: number, wasFull: boolean): void {
    if (epoch !== this.currentEpoch) return
    this.sawSuccess = true
    if (!wasFull || this.isSlow) return
    const isKnownToFit = this.limit < this.slowFrom
    const step = isKnownToFit ? regrowth : this.isNearCeiling ? 1 / this.limit : growth
    this.grewFast ||= step === growth
    this.limit = Math.min(this.rules.maximum, this.limit + step)
  }

  /**
   * A call was turned away. Of one that was sent all but alone, to a service that has taken none since the last decrease, the
   * limit is not the reason: it is a probe of one that is down.
   */
  overloaded(epoch: number, wasFull: boolean): void {
    if (epoch !== this.currentEpoch || !(wasFull || this.sawSuccess || epoch === 0)) return
    // Back to what the last round trip took: from there on one by one.
    const factor = this.grewFast ? Math.min(this.rules.decrease, 1 / (1 + growth)) : this.rules.decrease
    // A round trip without a success is an outage, which says nothing of how much the service takes when it is up.
    const speaksOfCapacity = wasFull && (this.sawSuccess || this.ceiling === undefined)
    if (speaksOfCapacity) this.ceiling = this.limit
    this.shrink(this.rules.minimum, factor)
    if (speaksOfCapacity) this.slowFrom = this.limit
  }

  /** The first event of a call came after `millis`, or did not come until then. */
  firstEvent(epoch: number, wasFull: boolean, millis: number): void {
    const { latency } = this.rules
    if (latency === undefined) return
    // One call that hangs must not pass for a slow service.
    const normal = this.baseline.value
    this.recent.add(this.baseline.samples < minimumSamples ? millis : Math.min(millis, 2 * latency.tolerance * normal))
    this.baseline.add(millis)
    if (epoch !== this.currentEpoch || !wasFull || !this.isSlow) return
    // Slowness may as well come from longer prompts, so it has less of a say than overload.
    this.shrink(Math.min(this.limit, this.rules.initial), this.rules.decrease)
  }

  private get isSlow(): boolean {
    const { latency } = this.rules
    return latency !== undefined
      && this.baseline.samples >= minimumSamples
      && this.recent.value > latency.tolerance * this.baseline.value
  }

  /** From what the service is known to take. */
  private get isNearCeiling(): boolean {
    return this.ceiling !== undefined && this.limit < this.ceiling * pastCeiling
  }

  private shrink(floor: number, factor: number): void {
    this.limit = Math.max(floor, this.limit * factor)
    this.currentEpoch += 1
    this.sawSuccess = false
    this.grewFast = false
  }
}
