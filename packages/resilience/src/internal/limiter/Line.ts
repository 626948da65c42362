import { WaitQueue } from "../WaitQueue.ts"
import type { Lease } from "./Lease.ts"

/**
 * Those who wait at a lane: by rank, in which they go, and by arrival, in which they run out of time.
 *
 * Keeps the sum of what they cost, as most who come stand behind all the others: then nobody has to be looked at to tell how
 * long the wait is, or that there is no place.
 */
export class Line {
  private readonly byRank = new WaitQueue<Lease>()
  private readonly byArrival = new Set<Lease>()
  private readonly costs: Array<number>
  /** No rank in the line is higher. */
  private highestRank = Number.NEGATIVE_INFINITY

  constructor(dimensions: number) {
    this.costs = Array.from({ length: dimensions }, () => 0)
  }

  get size(): number {
    return this.byArrival.size
  }

  get first(): Lease | undefined {
    return this.byRank.peek()?.value
  }

  get oldest(): Lease | undefined {
    const [oldest] = this.byArrival
    return oldest
  }

  /** By arrival. */
  [Symbol.iterator](): Iterator<Lease> {
    return this.byArrival.values()
  }

  add(lease: Lease, rank: number): void {
    lease.entry = this.byRank.add(lease, rank)
    this.byArrival.add(lease)
    this.highestRank = Math.max(this.highestRank, rank)
    this.count(lease, 1)
  }

  remove(lease: Lease): void {
    if (lease.entry === undefined) return
    this.byRank.remove(lease.entry)
    this.byArrival.delete(lease)
    lease.entry = undefined
    this.count(lease, -1)
    if (this.size > 0) return
    this.highestRank = Number.NEGATIVE_INFINITY
    // What adding and subtracting leaves of fractions.
    this.costs.fill(0)
  }

  /** Whoever goes last of all, if that is after a call of this rank that comes now. */
  lastAfter(rank: number): Lease | undefined {
    if (rank >= this.highestRank) return undefined
    const last = this.byRank.last()
    return last !== undefined && last.rank > rank ? last.value : undefined
  }

  /** Those who go before a call of this rank that comes now, and what they cost together. */
  before(rank: number): { readonly calls: number; readonly costs: ReadonlyArray<number> } {
    if (rank >= this.highestRank) return { calls: this.size, costs: this.costs }
    const costs = this.costs.map(() => 0)
    let calls = 0
    if (rank < (this.byRank.peek()?.rank ?? Number.POSITIVE_INFINITY)) return { calls, costs }
    for (const lease of this.leasesBefore(rank)) {
      calls += 1
      for (let index = 0; index < costs.length; index++) costs[index] = (costs[index] ?? 0) + (lease.costs[index] ?? 0)
    }
    return { calls, costs }
  }

  *leasesBefore(rank: number): Iterable<Lease> {
    for (const lease of this.byArrival) {
      if (lease.entry !== undefined && lease.entry.rank <= rank) yield lease
    }
  }

  private count(lease: Lease, sign: 1 | -1): void {
    for (let index = 0; index < this.costs.length; index++) {
      this.costs[index] = (this.costs[index] ?? 0) + sign * (lease.costs[index] ?? 0)
    }
  }
}
