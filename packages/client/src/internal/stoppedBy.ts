import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

/**
 * The schedule, ended before its own step by what is final, so that not even its `tap` sees a retry that must not be.
 * `isFinal` is made when the schedule starts.
 */
export const stoppedBy = <Output, E>(
  schedule: Schedule.Schedule<Output, E>,
  isFinal: Effect.Effect<(error: E) => boolean>
): Schedule.Schedule<Output | undefined, E> =>
  Schedule.fromStep(
    Effect.flatMap(isFinal, (isFinal) =>
      Effect.map(Schedule.toStep(schedule), (step) =>
      (now: number, error: E) =>
        isFinal(error) ? Cause.done(undefined) : step(now, error)))
  )
