/**
 * Retrying effects and streams, with the number of the attempt visible inside.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { NoInfer } from "effect/Types"
import { CurrentAttempt } from "./Attempt.ts"
import { failover } from "./internal/Failover.ts"
import { Preamble } from "./internal/Preamble.ts"
import { recoverableError } from "./internal/RecoverableError.ts"

type Step<Out, E, E2, R2> = (error: E) => Pull.Pull<Schedule.Metadata<Out, E>, E2, Out, R2>

/** One step of a schedule that is started only when it is first needed, the wait included. `None` ends the retries. */
const lazyStep = <Out, E, E2, R2>(schedule: Schedule.Schedule<Out, E, E2, R2>) => {
  let step: Step<Out, E, E2, R2> | undefined
  const started = Effect.suspend(() =>
    step === undefined
      ? Effect.map(Schedule.toStepWithMetadata(schedule), (made) => {
        step = made
        return made
      })
      : Effect.succeed(step)
  )
  return (error: E): Effect.Effect<Option.Option<Schedule.Metadata<Out, E>>, E2, R2> =>
    Effect.flatMap(started, (take) =>
      Pull.matchEffect(take(error), {
        onSuccess: (metadata) => Effect.succeed(Option.some(metadata)),
        onFailure: Effect.failCause,
        onDone: () => Effect.succeedNone
      }))
}

/**
 * Retries an effect by a schedule, as `Effect.retry` does, and sets `Attempt.CurrentAttempt` for each attempt.
 *
 * **When to use**
 *
 * Use instead of `Effect.retry` when the effect, its spans or its logs should know which attempt they belong to.
 *
 * **Details**
 *
 * Only typed failures are retried; defects and interruption are not. When the schedule ends, the last failure comes out
 * with its cause unchanged. The effect also sees `Schedule.CurrentMetadata`, as under `Effect.retry`. An attempt that
 * succeeds at once does not touch the schedule: its state is created at the first failure.
 *
 * **Example** (Sending the attempt's number)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Attempt from "@effect-claude/resilience/Attempt"
 * import * as Retry from "@effect-claude/resilience/Retry"
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 *
 * const sent: Array<number> = []
 * const call = Effect.gen(function*() {
 *   sent.push(yield* Attempt.CurrentAttempt)
 *   return yield* Effect.fail("busy")
 * })
 *
 * await Effect.runPromise(call.pipe(Retry.retry(Schedule.recurs(2)), Effect.ignore))
 *
 * assert.deepStrictEqual(sent, [1, 2, 3])
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const retry: {
  <Out, E, E2, R2>(
    schedule: Schedule.Schedule<Out, NoInfer<E>, E2, R2>
  ): <A, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | E2, R | R2>
  <A, E, R, Out, E2, R2>(
    self: Effect.Effect<A, E, R>,
    schedule: Schedule.Schedule<Out, NoInfer<E>, E2, R2>
  ): Effect.Effect<A, E | E2, R | R2>
} = dual(2, <A, E, R, Out, E2, R2>(
  self: Effect.Effect<A, E, R>,
  schedule: Schedule.Schedule<Out, E, E2, R2>
): Effect.Effect<A, E | E2, R | R2> => {
  const again = (
    attempt: number,
    metadata: Schedule.Metadata<Out, E>,
    step: ReturnType<typeof lazyStep<Out, E, E2, R2>>
  ): Effect.Effect<A, E | E2, R | R2> =>
    Effect.catchCause(
      self.pipe(
        Effect.provideService(CurrentAttempt, attempt),
        Effect.provideService(Schedule.CurrentMetadata, metadata)
      ),
      (cause) => onFailure(cause, attempt, step)
    )

  const onFailure = (
    cause: Cause.Cause<E>,
    attempt: number,
    step: ReturnType<typeof lazyStep<Out, E, E2, R2>>
  ): Effect.Effect<A, E | E2, R | R2> => {
    const error = recoverableError(cause)
    if (Option.isNone(error)) return Effect.failCause(cause)
    return Effect.flatMap(
      step(error.value),
      (metadata) => Option.isNone(metadata) ? Effect.failCause(cause) : again(attempt + 1, metadata.value, step)
    )
  }

  const first = Effect.catchCause(self, (cause) => onFailure(cause, 1, lazyStep(schedule)))
  const nested = Effect.catchCause(
    Effect.suspend(() =>
      self.pipe(
        Effect.provideService(CurrentAttempt, 1),
        Effect.provideService(Schedule.CurrentMetadata, Schedule.CurrentMetadata.defaultValue())
      )
    ),
    (cause) => onFailure(cause, 1, lazyStep(schedule))
  )
  return Effect.withFiber((fiber) =>
    fiber.getRef(CurrentAttempt) === 1 && fiber.getRef(Schedule.CurrentMetadata).attempt === 0 ? first : nested
  )
})

/**
 * Options of {@link retryStream}.
 *
 * **Details**
 *
 * - `schedule`: decides on each failure before content
 * - `isContent`: holds for the elements that commit the stream
 * - `isTransparent`: holds for elements that mean nothing and pass at once, such as pings; none
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryStreamOptions<in A, in E, Out, out E2, out R2> {
  readonly schedule: Schedule.Schedule<Out, E, E2, R2>
  readonly isContent: (element: A) => boolean
  readonly isTransparent?: ((element: A) => boolean) | undefined
}

/**
 * Retries a stream by a schedule for as long as it has emitted no content.
 *
 * **When to use**
 *
 * Use for streams that must not start over once the consumer has seen part of them: generated text, a query's rows.
 *
 * **Details**
 *
 * What comes before the first content is held back and released just before it, so that the preamble of an attempt that
 * was thrown away never reaches the consumer. Transparent elements pass at once and commit nothing. After the first
 * content every failure passes through unchanged and the schedule is not asked. A stream that ends without content
 * releases what was held; one that fails for good without content drops it.
 *
 * The schedule's state spans the whole stream. `Attempt.CurrentAttempt` is set for each attempt. The scope of a failed
 * attempt is closed before the wait.
 *
 * **Gotchas**
 *
 * `Stream.retry` repeats elements that were already emitted and resets its schedule with each first element, so that a
 * limit on its attempts limits nothing.
 *
 * **Example** (Retrying before the first text)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Attempt from "@effect-claude/resilience/Attempt"
 * import * as Retry from "@effect-claude/resilience/Retry"
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 * import * as Stream from "effect/Stream"
 *
 * const answer = Stream.unwrap(Effect.map(Attempt.CurrentAttempt, (attempt) =>
 *   attempt === 1
 *     ? Stream.concat(Stream.make("start 1"), Stream.fail("cut"))
 *     : Stream.make("start 2", "text: hi")))
 *
 * const elements = answer.pipe(
 *   Retry.retryStream({ schedule: Schedule.recurs(2), isContent: (event: string) => event.startsWith("text") }),
 *   Stream.runCollect
 * )
 *
 * assert.deepStrictEqual(await Effect.runPromise(elements), ["start 2", "text: hi"])
 * ```
 *
 * @category streams
 * @since 0.1.0
 */
export const retryStream: {
  <A, E, Out, E2, R2>(
    options: RetryStreamOptions<A, NoInfer<E>, Out, E2, R2>
  ): <B extends A, R>(self: Stream.Stream<B, E, R>) => Stream.Stream<B, E | E2, R | R2>
  <A, E, R, Out, E2, R2>(
    self: Stream.Stream<A, E, R>,
    options: RetryStreamOptions<A, NoInfer<E>, Out, E2, R2>
  ): Stream.Stream<A, E | E2, R | R2>
} = dual(2, <A, E, R, Out, E2, R2>(
  self: Stream.Stream<A, E, R>,
  options: RetryStreamOptions<A, E, Out, E2, R2>
): Stream.Stream<A, E | E2, R | R2> =>
  Stream.unwrap(Effect.withFiber((fiber) => {
    const preamble = new Preamble(options)
    const step = lazyStep(options.schedule)
    let attempt = 1
    const next = (error: E): Effect.Effect<Option.Option<Stream.Stream<A, E, R>>, E2, R2> => {
      if (preamble.committed) return Effect.succeedNone
      return Effect.map(
        step(error),
        Option.map((metadata) => {
          attempt += 1
          return preamble.hold(self.pipe(
            Stream.provideService(CurrentAttempt, attempt),
            Stream.provideService(Schedule.CurrentMetadata, metadata)
          ))
        })
      )
    }
    // Providing costs something for each element, and outside of another retry there is nothing to override.
    const first = fiber.getRef(CurrentAttempt) === 1 ? self : Stream.provideService(self, CurrentAttempt, 1)
    return Effect.succeed(failover(preamble.hold(first), next))
  })))
