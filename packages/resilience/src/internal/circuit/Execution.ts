import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Outcome, Rejection } from "../../CircuitBreaker.ts"
import { recoverableError } from "../RecoverableError.ts"
import { withoutStack } from "../WithoutStack.ts"
import type { Breaker } from "./Breaker.ts"
import type { Permit } from "./Circuit.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** What one call is to its breaker. */
export interface Call<out E2> {
  readonly breaker: Breaker
  readonly key: string
  readonly judge: (error: unknown) => Outcome
  readonly orElse: (rejection: Rejection) => E2
}

const success: Outcome = { _tag: "Success" }
const alive: Outcome = { _tag: "Alive" }
const ignored: Outcome = { _tag: "Ignored" }

const fail = <E2>(orElse: (rejection: Rejection) => E2, rejection: Rejection): Effect.Effect<never, E2> =>
  Effect.fail(withoutStack(() => orElse(rejection)))

const recordError = ({ breaker, judge }: Call<unknown>, permit: Permit, error: unknown, fiber: AnyFiber): void => {
  let outcome: Outcome = ignored
  try {
    outcome = judge(error)
  } finally {
    // Also when it throws: the place of a probe must not be lost with it.
    breaker.record(permit, outcome, fiber, error)
  }
}

const recordFailure = (call: Call<unknown>, permit: Permit, cause: Cause.Cause<unknown>, fiber: AnyFiber): void => {
  const error = recoverableError(cause)
  if (Option.isSome(error)) recordError(call, permit, error.value, fiber)
  else call.breaker.record(permit, ignored, fiber)
}

/** A call that was rejected on the way has no permit any more, and its failure says nothing. */
const settle = (call: Call<unknown>, permit: Permit, exit: Exit.Exit<unknown, unknown>, fiber: AnyFiber): undefined => {
  if (exit._tag === "Success") call.breaker.record(permit, success, fiber)
  else if (permit.active) recordFailure(call, permit, exit.cause, fiber)
}

/** Admits a call that has a permit already, or should have one. */
export const admit = <E2>({ breaker, orElse }: Call<E2>, permit: Permit): Effect.Effect<void, E2> =>
  Effect.withFiber((fiber) => {
    const rejection = breaker.admit(permit, fiber)
    return rejection === undefined ? Effect.void : fail(orElse, rejection)
  })

/**
 * Runs a call through its circuit. Where a place is taken the finalizer that gives it back is there before: a fiber may
 * yield, and be interrupted, between any two steps. An admission by a closed circuit takes nothing.
 */
export const runEffect = <A, E, R, E2>(
  call: Call<E2>,
  use: (permit: Permit) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | E2, R> =>
  Effect.withFiber((fiber): Effect.Effect<A, E | E2, R> => {
    const { breaker, orElse } = call
    const permit = breaker.newPermit(call.key)
    if (breaker.isClosed(call.key)) {
      return Effect.onExitPrimitive(use(permit), (exit) => settle(call, permit, exit, fiber))
    }
    const rejection = breaker.refuse(permit, fiber)
    if (rejection !== undefined) return fail(orElse, rejection)
    permit.active = false
    const admitted: Effect.Effect<A, E | E2, R> = Effect.flatMap(admit(call, permit), () => use(permit))
    return Effect.onExitPrimitive(admitted, (exit) => settle(call, permit, exit, fiber))
  })

/** How the elements of a stream bear on its circuit. */
export interface StreamRules<in A> {
  readonly isContent: ((element: A) => boolean) | undefined
  readonly goodProbeAt: "content" | "end"
}

/** Runs a stream through its circuit: admitted when it is opened, judged when it ends, or when nobody reads it any more. */
export const runStream = <A, E, R, E2>(
  call: Call<E2>,
  { goodProbeAt, isContent }: StreamRules<A>,
  use: (permit: Permit) => Stream.Stream<A, E, R>
): Stream.Stream<A, E | E2, R> => {
  const { breaker } = call
  return Stream.fromChannel(Channel.fromTransform((_: unknown, scope) =>
    Effect.suspend(() => {
      const permit = breaker.newPermit(call.key)
      permit.active = false
      let sawContent = false

      const dropped = Effect.withFiber((fiber) => {
        breaker.record(permit, sawContent ? alive : ignored, fiber)
        return Effect.void
      })
      const arrived = (chunk: Arr.NonEmptyReadonlyArray<A>, fiber: AnyFiber): void => {
        if (sawContent || (isContent !== undefined && !chunk.some(isContent))) return
        sawContent = true
        if (goodProbeAt === "content") breaker.recordGoodProbe(permit, fiber)
      }
      const watched = (pull: Pull.Pull<Arr.NonEmptyReadonlyArray<A>, E, void, R>): typeof pull =>
        Effect.withFiber((fiber) =>
          Effect.onExitPrimitive(pull, (exit) => {
            if (exit._tag === "Success") {
              arrived(exit.value, fiber)
            } else if (Pull.isDoneCause(exit.cause)) {
              breaker.record(permit, success, fiber)
            } else if (permit.active && !Cause.hasInterruptsOnly(exit.cause)) {
              recordFailure(call, permit, exit.cause, fiber)
            }
            // What an interrupt means depends on what had arrived, and `dropped` knows.
            return undefined
          })
        )

      return Scope.addFinalizerExit(scope, () => dropped).pipe(
        Effect.andThen(admit(call, permit)),
        Effect.flatMap(() => Channel.toPullScoped(Stream.toChannel(Stream.suspend(() => use(permit))), scope)),
        Effect.map(watched)
      )
    })
  ))
}
