import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * Runs a stream while it holds something, from before its first pull until after its last finalizer.
 *
 * `acquire` runs where nothing interrupts but what it restores. Not `Stream.unwrap` with a scoped effect: that keeps what
 * was acquired until the whole consumer ends, and a fallback behind this stream would run with its permit still held. Not
 * `Channel.fromTransformBracket` either: that takes a pull that is interrupted for the end of the stream, and a consumer
 * that limits the time of single pulls and pulls again would go on without what is held.
 */
export const streamHolding = <A, E, R, Held, E2, R2>(options: {
  readonly acquire: (restore: Restore) => Effect.Effect<Held, E2, R2>
  readonly stream: (held: Held) => Stream.Stream<A, E, R>
  readonly release: (held: Held, exit: Exit.Exit<unknown, E>) => void
}): Stream.Stream<A, E | E2, R | R2> =>
  Stream.fromChannel(Channel.fromTransform((_upstream: unknown, consumerScope) => {
    const scope = Scope.forkUnsafe(consumerScope)
    let ended: Exit.Exit<unknown, E> | undefined
    // What the consumer's scope closes with speaks of the consumer, and its errors are of another kind.
    const exitOf = (exit: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, E> =>
      ended ?? (Exit.isSuccess(exit) ? Exit.void : Exit.interrupt())
    const open = Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(options.acquire(restore), (held) =>
        Effect.andThen(
          Scope.addFinalizerExit(scope, (exit) => Effect.sync(() => options.release(held, exitOf(exit)))),
          // Suspended, so that what throws finds the finalizer.
          Effect.suspend(() => restore(Channel.toPullScoped(Stream.toChannel(options.stream(held)), scope)))
        ))
    )
    return Effect.map(
      Effect.onError(open, (cause) => Scope.close(scope, Pull.doneExitFromCause(cause))),
      (pull) =>
        Effect.onError(pull, (cause) => {
          if (Cause.hasInterruptsOnly(cause)) return Effect.void
          ended = Pull.doneExitFromCause(cause)
          return Scope.close(scope, ended)
        })
    )
  }))
