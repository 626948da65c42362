/** The last `size` latencies, in order of size too, so that a quantile is one look. */
export class LatencyWindow {
  count = 0
  private next = 0
  private readonly recent: Float64Array
  private readonly sorted: Float64Array

  constructor(size: number) {
    this.recent = new Float64Array(size)
    this.sorted = new Float64Array(size)
  }

  add(latency: number): void {
    const { recent, sorted } = this
    if (this.count === recent.length) {
      const oldest = this.placeOf(recent[this.next] as number)
      sorted.copyWithin(oldest, oldest + 1, this.count)
    } else {
      this.count += 1
    }
    recent[this.next] = latency
    this.next = (this.next + 1) % recent.length

    const others = this.count - 1
    const place = this.placeOf(latency, others)
    sorted.copyWithin(place + 1, place, others)
    sorted[place] = latency
  }

  /**
   * The smallest observation that the next one is expected to exceed with a probability of at most `1 - q`. Counted among
   * `count + 1`, for the next one may fall on either side of each of those that were seen.
   */
  quantile(q: number): number {
    const rank = Math.ceil(q * (this.count + 1))
    return this.sorted[Math.min(rank, this.count) - 1] as number
  }

  /** The first place that holds no less than `latency`. */
  private placeOf(latency: number, end = this.count): number {
    let low = 0
    let high = end
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.sorted[middle] as number) < latency) low = middle + 1
      else high = middle
    }
    return low
  }
}
