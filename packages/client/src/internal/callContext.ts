import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { ClaudeError } from "../ClaudeError.ts"
import type { MessageEvent } from "../MessageEvents.ts"

/**
 * The last failure of an attempt within a call. A deadline layer opens the record and tells it in its own error; the layer
 * that owns the attempts writes to it, and to those of the deadlines around it.
 */
export interface FailureRecord {
  last: ClaudeError | undefined
  readonly outer: FailureRecord | undefined
}

export const LastFailure = Context.Reference<FailureRecord | undefined>("@effect-claude/client/internal/LastFailure", {
  defaultValue: () => undefined
})

/**
 * What wraps each attempt of a call: set by the telemetry layer outside, applied by the layer that owns the attempts, so
 * that a span of the call can have a child for each attempt wherever the two stand.
 */
export interface AttemptObserver {
  readonly effect: <A>(
    attempt: number,
    model: string,
    effect: Effect.Effect<A, ClaudeError>
  ) => Effect.Effect<A, ClaudeError>
  readonly stream: (
    attempt: number,
    model: string,
    stream: Stream.Stream<MessageEvent, ClaudeError>
  ) => Stream.Stream<MessageEvent, ClaudeError>
  /** What has been logged of the call already. */
  readonly logged: WeakSet<ClaudeError>
}

export const CurrentAttemptObserver = Context.Reference<AttemptObserver | undefined>(
  "@effect-claude/client/internal/CurrentAttemptObserver",
  { defaultValue: () => undefined }
)
