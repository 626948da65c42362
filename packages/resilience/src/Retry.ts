/**
 * Retrying effects and streams, with the number of the attempt visible inside.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { NoInfer } from "effect/Types"
import { CurrentCallStart } from "./Admission.ts"
import { CurrentAttempt } from "./Attempt.ts"
import { failover } from "./internal/Failover.ts"
import * as MonotonicTime from "./internal/MonotonicTime.ts"
import { nameOf, retryKindOf, wasRejected } from "./internal/OwnVerdict.ts"
import { Preamble } from "./internal/Preamble.ts"
import { recoverableError } from "./internal/RecoverableError.ts"
import { emit, isHeard, type ResilienceEvent } from "./ResilienceEvent.ts"

type Step<Out, E, E2, R2> = (error: E) => Pull.Pull<Schedule.Metadata<Out, E>, E2, Out, R2>

/** One call: the attempt that runs, since when the call does, and its schedule, which starts at the first failure. */
class Run<Out, E, E2, R2> {
  attempt = 1
  readonly callStart: number
  private readonly schedule: Schedule.Schedule<Out, E, E2, R2>
  private step: Step<Out, E, E2, R2> | undefined

  constructor(fiber: Fiber.Fiber<unknown, unknown>, schedule: Schedule.Schedule<Out, E, E2, R2>) {
    this.callStart = fiber.getRef(CurrentCallStart) ?? MonotonicTime.now(fiber.getRef(Clock.Clock))
    this.schedule = schedule
  }

  /** Waits as the schedule says and counts the next attempt. `None` ends the retries. */
  next(error: E): Effect.Effect<Option.Option<Schedule.Metadata<Out, E>>, E2, R2> {
    return Effect.withFiber((fiber) =>
      Effect.flatMap(this.started(fiber), (step) =>
        Pull.matchEffect(step(error), {
          onSuccess: (metadata) => {
            // An attempt that was turned away before anything was sent keeps its number for the one that is.
            if (!wasRejected(error)) this.attempt += 1
            return Effect.succeed(Option.some(metadata))
          },
          // A schedule fails when what pays for its retries does not. One that dies has decided nothing.
          onFailure: (cause) => {
            if (Option.isSome(recoverableError(cause))) this.tellOfEnd(fiber, error, "budget")
            return Effect.failCause(cause)
          },
          onDone: () => {
            this.tellOfEnd(fiber, error, "schedule")
            return Effect.succeedNone
          }
        }))
    )
  }

  private tellOfEnd(fiber: Fiber.Fiber<unknown, unknown>, error: E, reason: "schedule" | "budget"): void {
    if (isHeard(fiber)) emit(fiber, { _tag: "RetriesEnded", attempt: this.attempt, error: nameOf(error), reason })
  }

  private started(fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<Step<Out, E, E2, R2>, never, R2> {
    if (this.step !== undefined) return Effect.succeed(this.step)
    const schedule = isHeard(fiber)
      ? Schedule.tap(
        this.schedule,
        ({ duration, input }) => Effect.sync(() => emit(fiber, retryScheduled(input, this.attempt, duration)))
      )
      : this.schedule
    return Effect.map(Schedule.toStepWithMetadata(schedule), (made) => this.step = made)
  }
}

const retryScheduled = (error: unknown, attempt: number, wait: Duration.Duration): ResilienceEvent => {
  const kind = retryKindOf(error)
  return {
    _tag: "RetryScheduled",
    attempt,
    error: nameOf(error),
    wait,
    ...(kind === undefined ? undefined : { kind })
  }
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
 * with its cause unchanged. An attempt that a policy inside turned away before anything was sent (a `rejected` verdict on
 * the error itself) keeps its number for the next one. The effect also sees `Schedule.CurrentMetadata`, as under `Effect.retry`. An attempt that
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
    run: Run<Out, E, E2, R2>,
    metadata: Schedule.Metadata<Out, E>
  ): Effect.Effect<A, E | E2, R | R2> =>
    Effect.catchCause(
      self.pipe(
        Effect.provideService(CurrentAttempt, run.attempt),
        Effect.provideService(Schedule.CurrentMetadata, metadata),
        Effect.provideService(CurrentCallStart, run.callStart)
      ),
      (cause) => onFailure(cause, run)
    )

  const onFailure = (cause: Cause.Cause<E>, run: Run<Out, E, E2, R2>): Effect.Effect<A, E | E2, R | R2> => {
    const error = recoverableError(cause)
    if (Option.isNone(error)) return Effect.failCause(cause)
    return Effect.flatMap(
      run.next(error.value),
      (metadata) => Option.isNone(metadata) ? Effect.failCause(cause) : again(run, metadata.value)
    )
  }

  return Effect.withFiber((fiber) => {
    const run = new Run(fiber, schedule)
    const isOutermost = fiber.getRef(CurrentAttempt) === 1 && fiber.getRef(Schedule.CurrentMetadata).attempt === 0
    // Providing costs something for each call, and outside of another retry there is nothing to override.
    const first = isOutermost ? self : self.pipe(
      Effect.provideService(CurrentAttempt, 1),
      Effect.provideService(Schedule.CurrentMetadata, Schedule.CurrentMetadata.defaultValue())
    )
    return Effect.catchCause(first, (cause) => onFailure(cause, run))
  })
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
    const run = new Run(fiber, options.schedule)
    const again = (error: E): Effect.Effect<Option.Option<Stream.Stream<A, E, R>>, E2, R2> => {
      if (preamble.committed) return Effect.succeedNone
      return Effect.map(
        run.next(error),
        Option.map((metadata) =>
          preamble.hold(self.pipe(
            Stream.provideService(CurrentAttempt, run.attempt),
            Stream.provideService(Schedule.CurrentMetadata, metadata),
            Stream.provideService(CurrentCallStart, run.callStart)
          ))
        )
      )
    }
    // Providing costs something for each element, and outside of another retry there is nothing to override.
    const first = fiber.getRef(CurrentAttempt) === 1 ? self : Stream.provideService(self, CurrentAttempt, 1)
    return Effect.succeed(failover(preamble.hold(first), again))
  })))
