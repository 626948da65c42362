import * as Queue from "effect/Queue"
import type { Prices } from "../../Prices.ts"
import type { UsageEntry, UsageSnapshot, UsageTotals } from "../../UsageLedger.ts"
import { LearnedCosts } from "../limiter/LearnedCosts.ts"
import { RecentKeys } from "./RecentKeys.ts"
import { type Booking, Tally } from "./Tally.ts"

const maxModels = 1000

/** The state of a ledger. */
export class Book {
  readonly prices: Prices
  readonly learned = new LearnedCosts(maxModels)
  readonly readers = new Set<Queue.Enqueue<UsageEntry>>()
  private readonly byKey: RecentKeys<Tally>
  private readonly byModel = new RecentKeys<Tally>(maxModels)
  private all = new Tally()
  private since: number | undefined

  constructor(prices: Prices, maxKeys: number) {
    this.prices = prices
    this.byKey = new RecentKeys(maxKeys)
  }

  /** Books what one call used. `isNew` says that the call has not been counted. */
  add(bookings: ReadonlyArray<Booking>, isNew: boolean): void {
    for (const booking of bookings) {
      const { entry } = booking
      this.since ??= entry.at
      this.all.add(booking, isNew)
      this.tally(this.byKey, entry.key).add(booking, isNew)
      this.tally(this.byModel, entry.model).add(booking, isNew)
      for (const reader of this.readers) Queue.offerUnsafe(reader, entry)
    }
  }

  get totals(): UsageTotals {
    return this.all.totals
  }

  get snapshot(): UsageSnapshot {
    const totals = ({ totals }: Tally) => totals
    return {
      since: this.since,
      totals: this.all.totals,
      byKey: this.byKey.map(totals),
      byModel: this.byModel.map(totals)
    }
  }

  reset(): UsageSnapshot {
    const { snapshot } = this
    this.all = new Tally()
    this.byKey.clear()
    this.byModel.clear()
    this.since = undefined
    return snapshot
  }

  private tally(tallies: RecentKeys<Tally>, key: string): Tally {
    const known = tallies.get(key)
    if (known !== undefined) return known
    const made = new Tally()
    tallies.set(key, made)
    return made
  }
}
