import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ClaudeTest } from "../../ClaudeTest.ts"
import type { TimedEvent } from "./Lines.ts"

/** A storm has more than anybody reads, and a test that never ends has no bound. */
const mostEvents = 5000

/** What policies decided since `startedAt`. */
export interface Recording {
  readonly startedAt: number
  readonly events: Array<TimedEvent>
}

/** The recording of whoever watches the running effect. */
export const CurrentRecording: Context.Reference<Recording | undefined> = Context.Reference<Recording | undefined>(
  "@effect-claude/testing/Timeline/CurrentRecording",
  { defaultValue: (): Recording | undefined => undefined }
)

/** Runs an effect, and notes into `recording` what policies decide meanwhile. */
export const watchInto = <A, E, R>(self: Effect.Effect<A, E, R>, recording: Recording): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const script = yield* Effect.serviceOption(ClaudeTest)
    const runSync = Effect.runSyncWith(yield* Effect.context())
    const callsSoFar = (): number | undefined => Option.isSome(script) ? runSync(script.value.calls).length : undefined
    const note = (event: ResilienceEvent.ResilienceEvent) => {
      if (recording.events.length >= mostEvents) return
      recording.events.push({ at: clock.currentTimeMillisUnsafe(), event, afterCalls: callsSoFar() })
    }
    return yield* self.pipe(
      ResilienceEvent.listen(note),
      Effect.provideService(CurrentRecording, recording)
    )
  })

export const begin: Effect.Effect<Recording> = Effect.map(Clock.currentTimeMillis, (startedAt) => ({
  startedAt,
  events: []
}))
