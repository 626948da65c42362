import * as Clock from "effect/Clock"
import * as Context from "effect/Context"

/** The clock of fibers that were given none. */
export const liveClock: Clock.Clock = Context.get(Context.empty(), Clock.Clock)

/** The time of a fake API, in milliseconds with a fraction. */
export class ServerClock {
  readonly clock: Clock.Clock

  constructor(clock: Clock.Clock) {
    this.clock = clock
  }

  /** Whether this is the time of a test. */
  get isVirtual(): boolean {
    return this.clock !== liveClock
  }

  /** Since 1970, as headers and batches show it. */
  now(): number {
    return Number(this.clock.currentTimeNanosUnsafe()) / 1e6
  }

  /** From a start of its own, for what has passed: it does not jump when the time of day is set. */
  elapsed(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }
}
