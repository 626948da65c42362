import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Timeline from "../../Timeline.ts"
import * as VirtualTime from "../../VirtualTime.ts"
import type { RunOptions } from "../../VirtualTime.ts"
import { withTimeline } from "./withTimeline.ts"

export interface TracedOptions extends RunOptions {
  readonly seed?: string | number | false | undefined
}

const defaultSeed = "claude"

interface Watch {
  /** The timeline as the program saw it last; absent until the program starts. */
  timeline: Effect.Effect<string> | undefined
}

/** Notes what a program does, and hands out its timeline also when the program is gone. */
const watched = <A, E, R>(program: Effect.Effect<A, E, R>, watch: Watch): Effect.Effect<A, E, R> =>
  Timeline.watch(Effect.contextWith((context) => {
    watch.timeline = Effect.provide(Timeline.current, context)
    return program
  }))

/**
 * Runs a program as the body of a test: `provide` puts its layer around it, time passes by itself, random numbers come from a
 * seed, and whatever it fails with is a defect that shows the timeline.
 */
export const traced = <A, E, R, E2, R2>(
  program: Effect.Effect<A, E, R>,
  provide: (self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | E2, R2>,
  { limit, seed = defaultSeed }: TracedOptions
): Effect.Effect<A, never, R2> =>
  Effect.suspend(() => {
    const watch: Watch = { timeline: undefined }
    const timed = VirtualTime.run(provide(watched(program, watch)), { limit })
    return Effect.catchCause(seed === false ? timed : Random.withSeed(timed, seed), (cause) => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
      const error = Cause.squash(cause)
      return watch.timeline === undefined
        ? Effect.die(error)
        : Effect.flatMap(watch.timeline, (timeline) => Effect.die(withTimeline(error, timeline)))
    })
  })
