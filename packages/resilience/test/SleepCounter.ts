import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Runs an effect with a clock that counts sleeps: how many were started, and how many still run. */
export const countSleeps = <A, E, R>(
  use: (sleeps: { readonly active: () => number; readonly started: () => number }) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Clock.clockWith((clock) => {
    let active = 0
    let started = 0
    const sleep: Clock.Clock["sleep"] = (duration) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          active += 1
          started += 1
        }),
        () => clock.sleep(duration),
        () =>
          Effect.sync(() => {
            active -= 1
          })
      )
    // The rest is inherited, so that it stays a test clock.
    const counting: Clock.Clock = Object.assign(Object.create(clock), { sleep })
    return Effect.provideService(use({ active: () => active, started: () => started }), Clock.Clock, counting)
  })
