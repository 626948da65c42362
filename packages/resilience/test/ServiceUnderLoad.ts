import * as Verdict from "@effect-claude/resilience/Verdict"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

export class Overloaded extends Data.TaggedError("Overloaded")<{ readonly verdict: Verdict.Verdict }> {}

/**
 * A service that takes `capacity` calls at once, each for `duration`, and turns the others away after `refusal`; and all of
 * them while it is down.
 */
export const makeService = (options: {
  readonly capacity: number
  readonly duration: Duration.Input
  readonly refusal: Duration.Input
  readonly isDown?: (now: number) => boolean
}) => {
  const refusal = Effect.andThen(
    Effect.sleep(options.refusal),
    Effect.fail(new Overloaded({ verdict: Verdict.retry("overloaded") }))
  )
  const service = {
    inFlight: 0,
    /** The calls that were served, in the order in which they were taken, and those that were turned away. */
    taken: Array<number>(),
    refused: Array<number>(),
    call: (id: number): Effect.Effect<number, Overloaded> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        if (options.isDown?.(now) === true || service.inFlight >= options.capacity) {
          service.refused.push(id)
          return refusal
        }
        service.inFlight += 1
        service.taken.push(id)
        return Effect.ensuring(
          Effect.as(Effect.sleep(options.duration), id),
          Effect.sync(() => {
            service.inFlight -= 1
          })
        )
      })
  }
  return service
}
