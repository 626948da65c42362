import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import type * as TestClock from "effect/testing/TestClock"
import { ManualScheduler } from "./ManualScheduler.ts"

/**
 * Wakes the sleepers of a `TestClock` one at a time, whenever they fell asleep and in whatever fiber.
 *
 * A `TestClock` does not tell when its next sleeper wakes. But it wakes them in order, shows the time of each, and gives way
 * after each. So it is sent to the end of time, and taken there by hand: a step for each sleeper, within one turn of the
 * event loop. When nobody sleeps any more it arrives, and its time is set back before anybody can see it.
 */
export class SleeperQueue {
  readonly #clock: TestClock.TestClock
  readonly #context: Context.Context<never>
  readonly #tasks = new ManualScheduler()
  #journey: Fiber.Fiber<void> | undefined = undefined

  constructor(clock: TestClock.TestClock, context: Context.Context<never>) {
    this.#clock = clock
    this.#context = Context.add(context, Scheduler.Scheduler, this.#tasks)
  }

  /**
   * - `Moved`: a sleeper is awake, or closer to it.
   * - `Empty`: nobody sleeps.
   * - `Endless`: nobody sleeps but those who never wake. One of them is awake now.
   */
  wakeNext(): "Moved" | "Empty" | "Endless" {
    const before = this.#clock.currentTimeMillisUnsafe()
    this.#journey ??= this.#travel(Number.POSITIVE_INFINITY)
    this.#tasks.runWaiting()
    const hasArrived = this.#journey.pollUnsafe() !== undefined
    if (Number.isFinite(this.#clock.currentTimeMillisUnsafe())) return "Moved"
    this.stop()
    this.#travel(before)
    this.#tasks.runAll()
    return hasArrived ? "Empty" : "Endless"
  }

  /** Lets go of the clock. */
  stop(): void {
    this.#journey?.interruptUnsafe()
    this.#tasks.runAll()
    this.#journey = undefined
  }

  #travel(time: number): Fiber.Fiber<void> {
    return Effect.runForkWith(this.#context)(this.#clock.setTime(time))
  }
}
