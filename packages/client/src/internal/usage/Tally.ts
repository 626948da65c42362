import type { TokenUsage } from "../../TokenUsage.ts"
import { total } from "../../TokenUsage.ts"
import type { UsageEntry, UsageTotals } from "../../UsageLedger.ts"
import { toUsd } from "./pricing.ts"

/** An entry, and its cost in whole numbers. */
export interface Booking {
  readonly entry: UsageEntry
  readonly nanos: number | undefined
}

/** What was used, summed in place. */
class Sum {
  nanos = 0
  private inputTokens = 0
  private outputTokens = 0
  private cacheReadTokens = 0
  private cacheWriteTokens = 0

  add({ cacheReadTokens, cacheWriteTokens, inputTokens, outputTokens }: TokenUsage, nanos: number): void {
    this.nanos += nanos
    this.inputTokens += inputTokens
    this.outputTokens += outputTokens
    this.cacheReadTokens += cacheReadTokens
    this.cacheWriteTokens += cacheWriteTokens
  }

  get usage(): TokenUsage {
    const { cacheReadTokens, cacheWriteTokens, inputTokens, outputTokens } = this
    return { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens }
  }
}

/** Sums of what was booked. */
export class Tally {
  private calls = 0
  private attempts = 0
  private estimated = 0
  private unpriced = 0
  private lastCall = 0
  private readonly all = new Sum()
  private readonly wasted = new Sum()

  /** `isNew` says that the call has not been counted. The entries of a call come one after another. */
  add({ entry, nanos }: Booking, isNew: boolean): void {
    if (isNew && entry.callId !== this.lastCall) {
      this.lastCall = entry.callId
      this.calls += 1
    }
    this.attempts += 1
    if (entry.isEstimated) this.estimated += 1
    if (nanos === undefined) this.unpriced += 1
    this.all.add(entry.usage, nanos ?? 0)
    if (entry.outcome !== "answered") this.wasted.add(entry.usage, nanos ?? 0)
  }

  get totals(): UsageTotals {
    const { all, wasted } = this
    const isPriced = this.unpriced === 0
    const whole = isPriced ? all.nanos : total(all.usage)
    const part = isPriced ? wasted.nanos : total(wasted.usage)
    return {
      calls: this.calls,
      attempts: this.attempts,
      usage: all.usage,
      cost: isPriced ? toUsd(all.nanos) : undefined,
      wasted: wasted.usage,
      wastedCost: isPriced ? toUsd(wasted.nanos) : undefined,
      wastedShare: whole === 0 ? 0 : part / whole,
      estimated: this.estimated,
      unpriced: this.unpriced
    }
  }
}
