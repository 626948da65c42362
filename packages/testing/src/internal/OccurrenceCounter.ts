/** Counts how often each key has come, for at most so many keys: those that came last. One that is forgotten begins again at 1. */
export class OccurrenceCounter {
  readonly #limit: number
  readonly #counts = new Map<string, number>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** How often the key has come with this time. */
  next(key: string): number {
    const count = (this.#counts.get(key) ?? 0) + 1
    // A map keeps its keys in the order in which they were added, so that the last to come is the last to go.
    this.#counts.delete(key)
    this.#counts.set(key, count)
    if (this.#counts.size > this.#limit) this.#forgetOldest()
    return count
  }

  #forgetOldest(): void {
    for (const oldest of this.#counts.keys()) {
      this.#counts.delete(oldest)
      return
    }
  }
}
