import { isReadonlyArrayNonEmpty, type NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ClaudeError } from "../../ClaudeError.ts"
import type { MessageEvent } from "../../MessageEvents.ts"

/** What comes after a part that failed. */
export type NextPart =
  | { readonly _tag: "Open"; readonly stream: Stream.Stream<MessageEvent, ClaudeError> }
  | { readonly _tag: "End"; readonly events: ReadonlyArray<MessageEvent> }
  | { readonly _tag: "Fail"; readonly error: ClaudeError }

type Chunk = NonEmptyReadonlyArray<MessageEvent>
type EventPull = Pull.Pull<Chunk, ClaudeError>

/**
 * Runs streams one after another as one: `admit` says what the consumer gets for the events of each, and `next` what comes when
 * one has failed. A part is closed before `next` is asked, so that no connection stays open during a wait. Nothing is pulled
 * ahead of the consumer.
 */
export const joinedStream = (
  first: Stream.Stream<MessageEvent, ClaudeError>,
  options: {
    readonly admit: (events: Chunk) => ReadonlyArray<MessageEvent>
    readonly next: (error: ClaudeError) => Effect.Effect<NextPart, ClaudeError>
  }
): Stream.Stream<MessageEvent, ClaudeError> =>
  Stream.fromChannel(Channel.fromTransform((_: unknown, scope) =>
    Effect.sync(() => {
      let partScope: Scope.Closeable
      let current: EventPull

      const open = (stream: Stream.Stream<MessageEvent, ClaudeError>): void => {
        partScope = Scope.forkUnsafe(scope)
        current = Effect.flatMap(Channel.toPullScoped(Stream.toChannel(stream), partScope), (pull) => {
          const admitted: EventPull = Effect.flatMap(pull, (events) => {
            const out = options.admit(events)
            return isReadonlyArrayNonEmpty(out) ? Effect.succeed(out) : admitted
          })
          current = admitted
          return admitted
        })
      }

      const proceed = (next: NextPart): EventPull => {
        switch (next._tag) {
          case "Open":
            open(next.stream)
            return pull
          case "End":
            current = Cause.done()
            return isReadonlyArrayNonEmpty(next.events) ? Effect.succeed(next.events) : Cause.done()
          case "Fail":
            return Effect.fail(next.error)
        }
      }

      const onFailure = (cause: Cause.Cause<ClaudeError | Cause.Done>): EventPull => {
        if (Pull.isDoneCause(cause) || Cause.hasDies(cause)) return Effect.failCause(cause)
        const error = Cause.findErrorOption(cause)
        if (Option.isNone(error)) return Effect.failCause(cause)
        return Effect.flatMap(
          Effect.andThen(
            Scope.close(partScope, Exit.failCause(cause)),
            Effect.suspend(() => options.next(error.value as ClaudeError))
          ),
          proceed
        )
      }

      const pull: EventPull = Effect.catchCause(Effect.suspend(() => current), onFailure)
      open(first)
      return pull
    })
  ))
