import type * as Random from "effect/Random"

/**
 * A time in which nobody starts, and a while after it in which those who waited start one by one.
 *
 * The starts are what uniform jitter for each of them would give, in the order of the queue: the next of `n` uniform times
 * that lie before the end of the while is drawn when it is needed, so nobody has to have a time, or a timer, of their own.
 */
export class Pause {
  private until = Number.NEGATIVE_INFINITY
  private spreadUntil = Number.NEGATIVE_INFINITY
  private next: number | undefined

  /** Milliseconds that the pause has left, without the while after it. */
  left(now: number): number {
    return Math.max(0, this.until - now)
  }

  /** Whether the while after the pause is over as well. */
  isOver(now: number): boolean {
    return now >= this.spreadUntil
  }

  /** A pause that would end before the current one changes nothing. Returns whether it did. */
  extend(now: number, duration: number, spread: number): boolean {
    const until = now + duration
    if (until <= this.until) return false
    this.until = until
    // Those who are still being let go one by one are no fewer for a second pause, which may be a short one.
    this.spreadUntil = Math.max(this.spreadUntil, until + spread)
    this.next = undefined
    return true
  }

  /** Milliseconds until the next of those who wait may start. */
  waitFor(waiting: number, now: number, random: (typeof Random.Random)["Service"]): number {
    if (this.isOver(now)) return 0
    if (now < this.until) return this.until - now
    if (this.next === undefined) {
      const first = 1 - random.nextDoubleUnsafe() ** (1 / Math.max(1, waiting))
      this.next = now + (this.spreadUntil - now) * first
    }
    return Math.max(0, this.next - now)
  }

  /** About when the last of `waiting` may start. */
  estimate(waiting: number, now: number): number {
    if (this.isOver(now)) return 0
    const from = Math.max(now, this.until)
    return from + (this.spreadUntil - from) * waiting / (waiting + 1) - now
  }

  started(): void {
    this.next = undefined
  }
}
