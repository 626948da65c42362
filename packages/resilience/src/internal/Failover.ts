import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { recoverableError } from "./RecoverableError.ts"

const isFailure = <E>(cause: Cause.Cause<E | Cause.Done>): cause is Cause.Cause<E> => !Pull.isDoneCause(cause)

/**
 * Runs a stream and, each time it fails with a typed error, the stream that `next` answers with. `None` lets the failure
 * through as it is. What a failed stream held is released before `next` is asked, so that nothing stays open during a
 * wait.
 */
export const failover = <A, E, R, E2, R2>(
  first: Stream.Stream<A, E, R>,
  next: (error: E) => Effect.Effect<Option.Option<Stream.Stream<A, E, R>>, E2, R2>
): Stream.Stream<A, E | E2, R | R2> => {
  type Chunk = NonEmptyReadonlyArray<A>

  return Stream.fromChannel(Channel.fromTransform((_: unknown, scope) =>
    Effect.sync(() => {
      let attemptScope: Scope.Closeable
      let current: Pull.Pull<Chunk, E, void, R>

      const open = (stream: Stream.Stream<A, E, R>): void => {
        attemptScope = Scope.forkUnsafe(scope)
        const opening = Effect.flatMap(Channel.toPullScoped(Stream.toChannel(stream), attemptScope), (pull) => {
          current = pull
          return pull
        })
        current = opening
      }

      const onFailure = (cause: Cause.Cause<E | Cause.Done>): Pull.Pull<Chunk, E | E2, void, R | R2> => {
        if (!isFailure(cause)) return Effect.failCause(cause)
        const error = recoverableError(cause)
        if (Option.isNone(error)) return Effect.failCause(cause)
        return Effect.flatMap(
          Effect.andThen(Scope.close(attemptScope, Exit.failCause(cause)), next(error.value)),
          Option.match({
            onNone: () => Effect.failCause(cause),
            onSome: (stream) => {
              open(stream)
              return pull
            }
          })
        )
      }

      const pull: Pull.Pull<Chunk, E | E2, void, R | R2> = Effect.catchCause(Effect.suspend(() => current), onFailure)
      open(first)
      return pull
    })
  ))
}
