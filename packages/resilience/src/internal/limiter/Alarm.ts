import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/**
 * One timer that many can share: at most one sleeping fiber, and none when nothing is to be waited for.
 *
 * The fiber belongs to nobody, since whoever set the alarm may be gone when it rings. What it takes from the fiber that set
 * it is the clock, the scheduler and the randomness.
 */
export class Alarm {
  private readonly ring: (fiber: AnyFiber) => void
  private sleeping: AnyFiber | undefined
  private at = Number.POSITIVE_INFINITY

  constructor(ring: (fiber: AnyFiber) => void) {
    this.ring = ring
  }

  /** An alarm that is set to an earlier time stays: it rings too early once, and is set again. */
  set(at: number, now: number, fiber: AnyFiber): void {
    if (this.sleeping !== undefined && this.at <= at) return
    this.stop()
    this.at = at
    // Whole milliseconds, rounded up: timers know no other, and one that fires early would have to be set again.
    const sleep = Effect.sleep(Duration.millis(Math.max(1, Math.ceil(at - now))))
    const context = Context.make(Clock.Clock, fiber.getRef(Clock.Clock)).pipe(
      Context.add(Scheduler.Scheduler, fiber.getRef(Scheduler.Scheduler)),
      Context.add(Random.Random, fiber.getRef(Random.Random))
    )
    this.sleeping = Effect.runForkWith(context)(Effect.flatMap(sleep, () => this.rings))
  }

  stop(): void {
    const { sleeping } = this
    this.sleeping = undefined
    this.at = Number.POSITIVE_INFINITY
    sleeping?.interruptUnsafe()
  }

  private readonly rings = Effect.withFiber((fiber) => {
    this.sleeping = undefined
    this.at = Number.POSITIVE_INFINITY
    this.ring(fiber)
    return Effect.void
  })
}
