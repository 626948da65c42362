import type { NonEmptyReadonlyArray } from "effect/Array"
import { isReadonlyArrayNonEmpty } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"

export interface PreambleOptions<A> {
  readonly isContent: (element: A) => boolean
  readonly isTransparent?: ((element: A) => boolean) | undefined
}

/**
 * Holds back what a stream emits before its first content, so that an attempt that is thrown away leaves no trace with
 * the consumer. One value serves all attempts of a call: once one of them has emitted content, the call is committed.
 */
export class Preamble<A> {
  committed = false
  private readonly options: PreambleOptions<A>

  constructor(options: PreambleOptions<A>) {
    this.options = options
  }

  hold<E, R>(self: Stream.Stream<A, E, R>): Stream.Stream<A, E, R> {
    return Stream.transformPull(self, (pull) =>
      Effect.sync(() => {
        let held: Array<A> = []
        let ended = false

        const admit = (chunk: NonEmptyReadonlyArray<A>): ReadonlyArray<A> => {
          const out: Array<A> = []
          for (let i = 0; i < chunk.length; i++) {
            const element = chunk[i] as A
            if (this.options.isContent(element)) {
              this.committed = true
              const rest = held
              held = []
              // Not by spreading, which puts every element on the stack.
              return out.concat(rest, chunk.slice(i))
            }
            if (this.options.isTransparent?.(element) === true) out.push(element)
            else held.push(element)
          }
          return out
        }

        const untilContent: Pull.Pull<NonEmptyReadonlyArray<A>, E> = Pull.matchEffect(pull, {
          onSuccess: (chunk) => {
            const out = admit(chunk)
            return isReadonlyArrayNonEmpty(out) ? Effect.succeed(out) : untilContent
          },
          onFailure: Effect.failCause,
          onDone: () => {
            ended = true
            const rest = held
            held = []
            return isReadonlyArrayNonEmpty(rest) ? Effect.succeed(rest) : Cause.done()
          }
        })

        return Effect.suspend(() => this.committed ? pull : ended ? Cause.done() : untilContent)
      }))
  }
}
