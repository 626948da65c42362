/**
 * A place in a {@link WaitQueue}.
 *
 * A class with private parts, so that nothing but `add` makes one.
 */
export class Entry<A> {
  readonly value: A
  readonly rank: number
  /** @internal */
  readonly arrival: number
  /** @internal The place in the heap, -1 once the entry has left it. */
  index: number

  constructor(value: A, rank: number, arrival: number, index: number) {
    this.value = value
    this.rank = rank
    this.arrival = arrival
    this.index = index
  }
}

const before = <A>(left: Entry<A>, right: Entry<A>): boolean =>
  left.rank < right.rank || (left.rank === right.rank && left.arrival < right.arrival)

/**
 * Those who wait, the lowest rank first and by arrival within a rank.
 *
 * A binary heap whose entries know their place, so that whoever gives up waiting leaves it in O(log n) from anywhere.
 */
export class WaitQueue<A> {
  private readonly heap: Array<Entry<A>> = []
  private arrivals = 0

  get size(): number {
    return this.heap.length
  }

  add(value: A, rank: number): Entry<A> {
    const entry = new Entry(value, rank, this.arrivals++, this.heap.length)
    this.heap.push(entry)
    this.rise(entry)
    return entry
  }

  peek(): Entry<A> | undefined {
    return this.heap[0]
  }

  /** Whoever would be let in last. Looks at every leaf of the heap, so it is for the rare case. */
  last(): Entry<A> | undefined {
    let last = this.heap[this.heap.length - 1]
    for (let index = this.heap.length >> 1; index < this.heap.length - 1; index++) {
      const leaf = this.heap[index]
      if (leaf !== undefined && last !== undefined && before(last, leaf)) last = leaf
    }
    return last
  }

  shift(): Entry<A> | undefined {
    const first = this.heap[0]
    if (first !== undefined) this.detach(first)
    return first
  }

  /** Whether the entry was still waiting. */
  remove(entry: Entry<A>): boolean {
    if (this.heap[entry.index] !== entry) return false
    this.detach(entry)
    return true
  }

  private detach(entry: Entry<A>): void {
    const { index } = entry
    entry.index = -1
    const last = this.heap.pop()
    if (last === undefined || last === entry) return
    this.put(last, index)
    this.rise(last)
    this.sink(last)
  }

  private put(entry: Entry<A>, index: number): void {
    entry.index = index
    this.heap[index] = entry
  }

  private rise(entry: Entry<A>): void {
    while (entry.index > 0) {
      const { index } = entry
      const parentIndex = (index - 1) >> 1
      const parent = this.heap[parentIndex]
      if (parent === undefined || !before(entry, parent)) return
      this.put(parent, index)
      this.put(entry, parentIndex)
    }
  }

  private sink(entry: Entry<A>): void {
    for (;;) {
      const { index } = entry
      const left = this.heap[2 * index + 1]
      if (left === undefined) return
      const right = this.heap[2 * index + 2]
      const child = right !== undefined && before(right, left) ? right : left
      if (!before(child, entry)) return
      const childIndex = child.index
      this.put(child, index)
      this.put(entry, childIndex)
    }
  }
}
