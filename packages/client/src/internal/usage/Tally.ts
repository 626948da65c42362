import type { TokenUsage } from "../../TokenUsage.ts"
import { add, total, zero } from "../../TokenUsage.ts"
import type { UsageEntry, UsageTotals } from "../../UsageLedger.ts"
import { toUsd } from "./pricing.ts"

/** An entry, and its cost in whole numbers. */
export interface Booking {
  readonly entry: UsageEntry
  readonly nanos: number | undefined
}

/** Sums of what was booked. */
export class Tally {
  private calls = 0
  private attempts = 0
  private estimated = 0
  private unpriced = 0
  private used: TokenUsage = zero
  private wasted: TokenUsage = zero
  private nanos = 0
  private wastedNanos = 0

  add({ entry, nanos }: Booking): void {
    this.attempts += 1
    if (entry.isEstimated) this.estimated += 1
    if (nanos === undefined) this.unpriced += 1
    this.used = add(this.used, entry.usage)
    this.nanos += nanos ?? 0
    if (entry.outcome === "answered") return
    this.wasted = add(this.wasted, entry.usage)
    this.wastedNanos += nanos ?? 0
  }

  addCall(): void {
    this.calls += 1
  }

  get totals(): UsageTotals {
    const isPriced = this.unpriced === 0
    const whole = isPriced ? this.nanos : total(this.used)
    const part = isPriced ? this.wastedNanos : total(this.wasted)
    return {
      calls: this.calls,
      attempts: this.attempts,
      usage: this.used,
      cost: isPriced ? toUsd(this.nanos) : undefined,
      wasted: this.wasted,
      wastedCost: isPriced ? toUsd(this.wastedNanos) : undefined,
      wastedShare: whole === 0 ? 0 : part / whole,
      estimated: this.estimated,
      unpriced: this.unpriced
    }
  }
}
