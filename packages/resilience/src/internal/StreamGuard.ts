import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Expiry, StreamLimits, StreamPhase } from "./StreamWatch.ts"
import { StreamWatch } from "./StreamWatch.ts"

/**
 * Fails the stream with `onExpired` when a limit passes, whether or not upstream reacts to anything.
 *
 * Upstream runs on a fiber of its own, one for the whole stream: a pull that never returns can then be given up, and
 * whatever upstream forked as a child lives as long as the stream and not only as long as one pull. Nothing is pulled
 * ahead of demand. One timer serves the whole stream; it looks at the clock when it fires instead of being armed for
 * each element.
 */
export const guardStream = <A, E, R, E2>(
  self: Stream.Stream<A, E, R>,
  limits: StreamLimits<A>,
  onExpired: (phase: StreamPhase, limit: Duration.Duration, fiber: Fiber.Fiber<unknown, unknown>) => E2
): Stream.Stream<A, E | E2, R> => {
  type Chunk = NonEmptyReadonlyArray<A>
  type PullExit = Exit.Exit<Chunk, E | Cause.Done>

  return Stream.fromChannel(Channel.fromTransform((_: unknown, scope) =>
    Clock.clockWith((clock) => {
      const upstreamScope = Scope.forkUnsafe(scope)
      let request: Pull.Pull<Chunk, E | E2> | undefined
      let watching: Fiber.Fiber<void> | undefined
      let serving: Fiber.Fiber<never> | undefined
      let expired: Expiry | undefined

      // The consumer asks with `requested`, or by calling `serve` if upstream already waits to be asked.
      let requested = false
      let serve: (() => void) | undefined
      let deliver: ((exit: PullExit) => void) | undefined
      let abandon: ((expiry: Expiry) => void) | undefined

      let upstream: Pull.Pull<Chunk, E, void, R> | undefined
      const pullUpstream = Effect.suspend(() =>
        upstream ?? Effect.flatMap(Channel.toPullScoped(Stream.toChannel(self), upstreamScope), (pull) => {
          upstream = pull
          return pull
        })
      )
      const demand = Effect.callback<void>((resume) => {
        if (requested) {
          requested = false
          resume(Effect.void)
        } else {
          serve = () => resume(Effect.void)
        }
      })
      // Each turn ends with the next one, and not within a loop: this runs for every pull.
      const serveDemand: Effect.Effect<never, never, R> = Effect.flatMap(demand, () =>
        Effect.matchCauseEffect(upstream ?? pullUpstream, {
          onSuccess: (chunk) => {
            deliver?.(Exit.succeed(chunk))
            return serveDemand
          },
          onFailure: (cause) => {
            deliver?.(Exit.failCause(cause))
            return serveDemand
          }
        }))
      const stopServing = Effect.suspend(() => {
        const fiber = serving
        serving = undefined
        serve = undefined
        requested = false
        return fiber === undefined ? Effect.void : Fiber.interrupt(fiber)
      })

      const keepWatch = (watch: StreamWatch<A>): Effect.Effect<void> =>
        Effect.suspend(() => {
          const next = watch.next()
          if (next === undefined) {
            return Effect.void
          }
          const left = next.at - watch.now()
          if (left > 0) {
            return Effect.flatMap(Effect.sleep(Duration.millis(left)), () =>
              keepWatch(watch))
          }
          expired = next
          if (abandon === undefined) {
            return Scope.close(upstreamScope, Exit.void)
          }
          abandon(next)
          return Effect.void
        })

      // The pull goes first: a finalizer may wait for it.
      const release = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
        Effect.suspend(() => {
          const stopWatching = watching === undefined ? Effect.void : Fiber.interrupt(watching)
          return stopServing.pipe(Effect.andThen(stopWatching), Effect.andThen(Scope.close(upstreamScope, exit)))
        })
      // Suspended, and `arrived` guarded: what a function of the user throws must reach the consumer, which would wait for
      // ever if it ended the fiber that watches or serves.
      const fail = (expiry: Expiry): Effect.Effect<never, E2> =>
        Effect.withFiber((fiber) => {
          const exit = Exit.fail(onExpired(expiry.phase, expiry.limit, fiber))
          return Effect.andThen(release(exit), exit)
        })
      const arrived = (watch: StreamWatch<A>, exit: PullExit): PullExit => {
        try {
          watch.pullEnded(Exit.isSuccess(exit) ? exit.value : undefined)
          return exit
        } catch (defect) {
          return Exit.die(defect)
        }
      }

      const makeRequest = (watch: StreamWatch<A>): Pull.Pull<Chunk, E | E2> =>
        Effect.callback((resume) => {
          if (expired !== undefined) {
            return resume(fail(expired))
          }
          const settle = (effect: Effect.Effect<Chunk, E | E2 | Cause.Done>) => {
            deliver = undefined
            abandon = undefined
            resume(effect)
          }
          deliver = (pulled) => {
            const exit = arrived(watch, pulled)
            settle(Exit.isSuccess(exit) ? exit : Effect.andThen(release(exit), exit))
          }
          abandon = (expiry) =>
            settle(fail(expiry))
          watch.pullStarted()
          if (serve === undefined) {
            requested = true
          } else {
            const wake = serve
            serve = undefined
            wake()
          }
          return Effect.suspend(() => {
            deliver = undefined
            abandon = undefined
            watch.pullEnded(undefined)
            return stopServing
          })
        })

      return Effect.succeed(Effect.suspend(() => {
        if (request !== undefined && serving !== undefined) return request
        const startServing = Effect.map(Effect.forkIn(serveDemand, scope, { startImmediately: true }), (fiber) => {
          serving = fiber
        })
        if (request !== undefined) return Effect.andThen(startServing, request)
        const watch = new StreamWatch(clock, limits)
        request = makeRequest(watch)
        const startWatching = Effect.map(
          Effect.forkIn(keepWatch(watch), scope, { startImmediately: true }),
          (fiber) => {
            watching = fiber
          }
        )
        return startServing.pipe(Effect.andThen(startWatching), Effect.andThen(request))
      }))
    })
  ))
}
