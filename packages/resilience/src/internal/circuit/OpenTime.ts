import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import type { OpenFor, Opening } from "../../CircuitBreaker.ts"
import * as OptionCheck from "../../OptionCheck.ts"

/** The open times of one row of openings, in milliseconds, one after the other. */
export type OpenTimes = (opening: Opening, fiber: Fiber.Fiber<unknown, unknown>) => number

const owner = "CircuitBreaker.make"

const checked = (value: Duration.Input): number =>
  Duration.toMillis(OptionCheck.duration(owner, "openFor", value, { positive: true, infinite: true }))

/**
 * A step runs on the spot: the circuit has to open in the same instant in which it decides to, or calls that end meanwhile
 * would still count. The time a schedule sees is the time spent open, so that `upTo` and `during` mean that. After its last
 * step it stays at the last wait.
 */
const startSchedule = (schedule: Schedule.Schedule<unknown, Opening>): OpenTimes => {
  let take: Effect.Success<ReturnType<typeof Schedule.toStep<unknown, Opening, never, never>>> | undefined
  let last: number | undefined
  let elapsed = 0
  return (opening, fiber) => {
    const started = Effect.suspend(() => take === undefined ? Schedule.toStep(schedule) : Effect.succeed(take))
    const step = Effect.flatMap(started, (run) => {
      take = run
      return run(elapsed, opening)
    })
    const exit = Effect.runSyncExitWith(fiber.context)(step)
    if (Exit.isSuccess(exit)) {
      last = checked(exit.value[1])
    } else if (Cause.hasDies(exit.cause)) {
      throw Cause.squash(exit.cause)
    }
    if (last === undefined) throw OptionCheck.refuse(owner, "openFor", "a schedule with at least one step", "none")
    elapsed += last
    return last
  }
}

/** What starts a row of openings. */
export const openTimes = (openFor: Duration.Input | Schedule.Schedule<unknown, Opening> | OpenFor): () => OpenTimes => {
  if (Schedule.isSchedule(openFor)) return () => startSchedule(openFor)
  if (typeof openFor === "function") return () => (opening) => checked(openFor(opening))
  const millis = checked(openFor)
  return () => () => millis
}
