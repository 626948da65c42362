import type { NonEmptyReadonlyArray } from "effect/Array"
import { isReadonlyArrayNonEmpty } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import type { Duration } from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { HedgedCall, type HedgePlan, type LoserUsage } from "./HedgedCall.ts"

type Chunk<A> = NonEmptyReadonlyArray<A>

/** A stream at its first event, or at its end if it has none. */
interface Opened<A, E, R> {
  readonly elements: ReadonlyArray<A>
  readonly rest: Pull.Pull<Chunk<A>, E, void, R>
  readonly close: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
}

export interface StreamPlan<A, E>
  extends Pick<HedgePlan<A, E, never>, "delay" | "max" | "mayHedge" | "isFinal" | "wasRejected">
{
  readonly isEvent: (element: A) => boolean
  readonly isTransparent: (element: A) => boolean
  /** `held` is what the loser had emitted and nobody has seen. */
  readonly onLoser: ((hedge: number, elapsed: Duration, held: ReadonlyArray<A>) => LoserUsage | void) | undefined
}

/**
 * Pulls a stream up to its first event and reports it open; then the fiber only lives on, with whatever the stream has
 * forked on it, and whoever reads the stream pulls the rest. The stream's resources are released when the fiber ends.
 */
const openStream = <A, E, R>(
  stream: Stream.Stream<A, E, R>,
  plan: StreamPlan<A, E>,
  held: Array<A>,
  pass: (elements: Chunk<A>) => void,
  report: (exit: Exit.Exit<Opened<A, E, R>, E>) => void
): Effect.Effect<never, E, R> =>
  Effect.withFiber((fiber) => {
    const scope = Scope.makeUnsafe()
    const opened = (elements: ReadonlyArray<A>, rest: Pull.Pull<Chunk<A>, E, void, R>): Effect.Effect<never> => {
      report(Exit.succeed({
        elements,
        rest,
        // The scope goes first, and knows how the stream ended; the fiber would close it as interrupted.
        close: (exit) => Effect.andThen(Scope.close(scope, exit), Fiber.interrupt(fiber))
      }))
      return Effect.never
    }
    const untilEvent = (pull: Pull.Pull<Chunk<A>, E, void, R>): Effect.Effect<never, E, R> =>
      Pull.matchEffect(pull, {
        onSuccess: (chunk) => {
          if (chunk.some(plan.isEvent)) return opened(held.concat(chunk), pull)
          const transparent: Array<A> = []
          for (const element of chunk) (plan.isTransparent(element) ? transparent : held).push(element)
          if (isReadonlyArrayNonEmpty(transparent)) pass(transparent)
          return untilEvent(pull)
        },
        onFailure: Effect.failCause,
        onDone: () => opened(held, Cause.done())
      })
    return Effect.onExitPrimitive(
      Effect.flatMap(Channel.toPullScoped(Stream.toChannel(stream), scope), untilEvent),
      (exit) => Scope.close(scope, exit)
    )
  })

/** Hedges a stream until the first event of one of its attempts; from then on that attempt is the stream. */
export const hedgedStream = <A, E, R>(
  attempt: (hedge: number) => Stream.Stream<A, E, R>,
  plan: StreamPlan<A, E>
): Stream.Stream<A, E, R> =>
  Stream.fromChannel(Channel.fromTransform((_: unknown, scope) =>
    Effect.withFiber((caller) => {
      const heldBy: Array<Array<A>> = []
      let passed: Array<A> = []
      let wake: (() => void) | undefined
      let current: Pull.Pull<Chunk<A>, E, void, R>

      const notify = () => {
        const waiting = wake
        wake = undefined
        waiting?.()
      }
      const call = new HedgedCall<Opened<A, E, R>, E, R>(caller, {
        ...plan,
        attempt: (hedge, report) => {
          const held: Array<A> = heldBy[hedge] = []
          const pass = (elements: Chunk<A>) => {
            passed = passed.concat(elements)
            notify()
          }
          return openStream(attempt(hedge), plan, held, pass, report)
        },
        onLoser: plan.onLoser === undefined
          ? undefined
          : (hedge, elapsed) => plan.onLoser?.(hedge, elapsed, heldBy[hedge] ?? [])
      })
      const close = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
        if (call.exit === undefined) return call.abandon
        return Exit.isSuccess(call.exit) ? call.exit.value.close(exit) : Effect.void
      }

      const output: Pull.Pull<Chunk<A>, E, void, R> = Effect.suspend(() => {
        if (isReadonlyArrayNonEmpty(passed)) {
          const elements = passed
          passed = []
          return Effect.succeed(elements)
        }
        if (call.exit === undefined) return arrival
        if (Exit.isFailure(call.exit)) return Effect.failCause(call.exit.cause)
        const { elements, rest } = call.exit.value
        current = rest
        return isReadonlyArrayNonEmpty(elements) ? Effect.succeed(elements) : rest
      })
      const arrival: Pull.Pull<Chunk<A>, E, void, R> = Effect.callback((resume) => {
        // The fiber may have yielded since it looked, and nobody calls twice.
        if (call.exit !== undefined || isReadonlyArrayNonEmpty(passed)) return resume(output)
        wake = () => resume(output)
        return Effect.sync(() => {
          wake = undefined
        })
      })
      const begin = Effect.uninterruptible(Effect.suspend(() => {
        current = output
        call.whenSettled(notify)
        return Effect.andThen(
          Scope.addFinalizerExit(scope, (exit) => Effect.suspend(() => close(exit))),
          call.begin
        )
      }))
      current = Effect.andThen(begin, output)
      // With its end, and not with that of its consumer: a fallback behind this stream would run with it still open.
      const release = (cause: Cause.Cause<E | Cause.Done>): Pull.Pull<never, E> =>
        Effect.andThen(close(Pull.doneExitFromCause(cause)), Effect.failCause(cause))
      return Effect.succeed(Effect.catchCause(Effect.suspend(() => current), release))
    })
  ))

/** Tells how long a stream takes to its first event. */
export const withFirstEvent = <A, E, R>(
  stream: Stream.Stream<A, E, R>,
  isEvent: (element: A) => boolean,
  now: () => number,
  observe: (millis: number) => void
): Stream.Stream<A, E, R> =>
  Stream.transformPull(stream, (pull) =>
    Effect.sync(() => {
      const startedAt = now()
      let isOpen = false
      const opening = Effect.map(pull, (chunk) => {
        if (!isOpen && chunk.some(isEvent)) {
          isOpen = true
          observe(now() - startedAt)
        }
        return chunk
      })
      return Effect.suspend(() => isOpen ? pull : opening)
    }))
