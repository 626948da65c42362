/**
 * Timeouts for a single attempt: for an effect its whole time, for a stream also the time to the first event and the
 * time between elements.
 *
 * Put a timeout inside of a retry, so that each attempt gets one; put a `Deadline` outside, to limit them all.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import { guardStream } from "./internal/StreamGuard.ts"
import { limitTime } from "./internal/TimeLimit.ts"
import * as OptionCheck from "./OptionCheck.ts"
import { emit } from "./ResilienceEvent.ts"
import type { Verdict } from "./Verdict.ts"
import * as Verdicts from "./Verdict.ts"

/**
 * Names the part of an attempt that took too long.
 *
 * **Details**
 *
 * - `attempt`: the whole attempt
 * - `headers`: until the head of the response
 * - `firstEvent`: until the first event of a stream
 * - `idle`: between two elements of a stream
 *
 * @category models
 * @since 0.1.0
 */
export type Phase = "attempt" | "headers" | "firstEvent" | "idle"

/**
 * Names the phases that {@link streamWithTimeouts} watches.
 *
 * @category models
 * @since 0.1.0
 */
export type StreamPhase = Exclude<Phase, "headers">

const phaseNames: Record<Phase, string> = {
  attempt: "Attempt",
  headers: "Response headers",
  firstEvent: "First event",
  idle: "Next element"
}

/**
 * Fails an attempt that took too long; its verdict is to retry, kind `timeout`.
 *
 * **Example** (Reading the phase)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as AttemptTimeout from "@effect-claude/resilience/AttemptTimeout"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Duration from "effect/Duration"
 *
 * const error = new AttemptTimeout.AttemptTimeoutError({ phase: "firstEvent", limit: Duration.seconds(20) })
 *
 * assert.strictEqual(error.message, "First event did not arrive within 20s")
 * assert.deepStrictEqual(error.verdict, Verdict.retry("timeout"))
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class AttemptTimeoutError
  extends Schema.TaggedError<AttemptTimeoutError>("resilience/AttemptTimeoutError")("AttemptTimeoutError", {
    phase: Schema.Literals(["attempt", "headers", "firstEvent", "idle"]),
    limit: Schema.DurationFromMillis
  })
{
  override get message(): string {
    const outcome = this.phase === "attempt" ? "end" : "arrive"
    return `${phaseNames[this.phase]} did not ${outcome} within ${Duration.format(this.limit)}`
  }

  get verdict(): Verdict {
    return Verdicts.retry("timeout")
  }
}

const runWithTimeout = <A, E, R, A2, E2, R2>(
  self: Effect.Effect<A, E, R>,
  owner: string,
  duration: Duration.Input,
  orElse: (context: { readonly limit: Duration.Duration }) => Effect.Effect<A2, E2, R2>
): Effect.Effect<A | A2, E | E2, R | R2> => {
  const limit = OptionCheck.duration(`AttemptTimeout.${owner}`, "duration", duration, {
    positive: true,
    infinite: true
  })
  if (!Duration.isFinite(limit)) return self
  return Effect.withFiber((fiber) => {
    const timedOut = Effect.suspend(() => {
      emit(fiber, { _tag: "AttemptTimedOut", phase: "attempt", limit })
      return orElse({ limit })
    })
    return limitTime(fiber, fiber.context, self, limit, timedOut)
  })
}

/**
 * Interrupts an effect that takes too long and fails with an {@link AttemptTimeoutError} of phase `attempt`.
 *
 * **When to use**
 *
 * Use inside of a retry. The error carries the verdict to retry, so `RetrySchedule.standard` takes it as it is.
 *
 * **Details**
 *
 * The failure comes after the effect's finalizers have run. An infinite duration changes nothing; zero, a negative one
 * or NaN throws a `RangeError`.
 *
 * **Example** (Retrying an attempt that hangs)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Attempt from "@effect-claude/resilience/Attempt"
 * import * as AttemptTimeout from "@effect-claude/resilience/AttemptTimeout"
 * import * as Retry from "@effect-claude/resilience/Retry"
 * import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
 * import * as Effect from "effect/Effect"
 *
 * const call = Effect.flatMap(
 *   Attempt.CurrentAttempt,
 *   (attempt) => attempt === 1 ? Effect.never : Effect.succeed("answer")
 * )
 * const answer = call.pipe(
 *   AttemptTimeout.withAttemptTimeout("5 millis"),
 *   Retry.retry(RetrySchedule.standard({ base: "1 millis" }))
 * )
 *
 * assert.strictEqual(await Effect.runPromise(answer), "answer")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withAttemptTimeout: {
  (duration: Duration.Input): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | AttemptTimeoutError, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input): Effect.Effect<A, E | AttemptTimeoutError, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input) =>
  runWithTimeout(
    self,
    "withAttemptTimeout",
    duration,
    ({ limit }) => Effect.fail(new AttemptTimeoutError({ phase: "attempt", limit }))
  ))

/**
 * Interrupts an effect that takes too long and continues with another effect.
 *
 * **When to use**
 *
 * Use when a timeout has an error class of its own. Otherwise use {@link withAttemptTimeout}, whose details apply here
 * too.
 *
 * **Example** (Failing with an error of your own)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as AttemptTimeout from "@effect-claude/resilience/AttemptTimeout"
 * import * as Effect from "effect/Effect"
 *
 * const error = await Effect.runPromise(Effect.never.pipe(
 *   AttemptTimeout.withAttemptTimeoutOrElse({ duration: "5 millis", orElse: () => Effect.fail("too slow") }),
 *   Effect.flip
 * ))
 *
 * assert.strictEqual(error, "too slow")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withAttemptTimeoutOrElse: {
  <A2, E2, R2>(options: {
    readonly duration: Duration.Input
    readonly orElse: (context: { readonly limit: Duration.Duration }) => Effect.Effect<A2, E2, R2>
  }): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | A2, E | E2, R | R2>
  <A, E, R, A2, E2, R2>(self: Effect.Effect<A, E, R>, options: {
    readonly duration: Duration.Input
    readonly orElse: (context: { readonly limit: Duration.Duration }) => Effect.Effect<A2, E2, R2>
  }): Effect.Effect<A | A2, E | E2, R | R2>
} = dual(2, <A, E, R, A2, E2, R2>(self: Effect.Effect<A, E, R>, options: {
  readonly duration: Duration.Input
  readonly orElse: (context: { readonly limit: Duration.Duration }) => Effect.Effect<A2, E2, R2>
}) => runWithTimeout(self, "withAttemptTimeoutOrElse", options.duration, options.orElse))

/**
 * Options of {@link streamWithTimeouts}. There are no defaults: a limit that is left out, or infinite, is not watched.
 *
 * **Details**
 *
 * - `attempt`: from the first pull to the end of the stream
 * - `firstEvent`: from the first pull to the first element for which `isEvent` holds
 * - `idle`: the longest wait for an element once the first has arrived, and for the first one too if there is no
 *   `firstEvent`. Any element ends the wait, an event or not.
 * - `isEvent`: tells an event from a sign of life such as a ping; every element is one
 * - `lastActivity`: when something last arrived that need not be an element, such as a piece of one, in milliseconds of the
 *   clock that only moves forward (`Clock.monotonicTimeNanos`). It ends an `idle` wait as an element does; `undefined` for never.
 *
 * A `firstEvent` or `idle` longer than `attempt` could never be reached and is refused with a `RangeError`.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamTimeouts<in A> {
  readonly attempt?: Duration.Input | undefined
  readonly firstEvent?: Duration.Input | undefined
  readonly idle?: Duration.Input | undefined
  readonly isEvent?: ((element: A) => boolean) | undefined
  readonly lastActivity?: (() => number | undefined) | undefined
}

const checkedLimit = (
  option: StreamPhase,
  duration: Duration.Input | undefined,
  attempt?: Duration.Duration
): Duration.Duration | undefined => {
  if (duration === undefined) return undefined
  const owner = "AttemptTimeout.streamWithTimeouts"
  const limit = OptionCheck.duration(owner, option, duration, { positive: true, infinite: true })
  if (!Duration.isFinite(limit)) return undefined
  if (attempt !== undefined && Duration.isGreaterThan(limit, attempt)) {
    throw new RangeError(
      `${owner}: option "${option}" must not be longer than "attempt", got ${Duration.format(limit)} and ${
        Duration.format(attempt)
      }`
    )
  }
  return limit
}

/**
 * Fails a stream whose first event, next element or end does not come in time.
 *
 * **When to use**
 *
 * Use inside of a stream retry, around the stream of one attempt. Without `onTimeout` the failure is an
 * {@link AttemptTimeoutError}.
 *
 * **Details**
 *
 * On a timeout the pull under way is interrupted and the stream's scope closed before the failure comes out, so the
 * connection behind it is gone by then. `idle` watches pulls: the time a slow consumer takes between two of them does not
 * count. `attempt` and `firstEvent` count all time. Nothing is pulled ahead of the consumer.
 *
 * **Gotchas**
 *
 * `Stream.timeout` ends a stalled stream without an error, and what had arrived passes for the whole. This fails.
 *
 * **Example** (Failing a stream that stalls)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as AttemptTimeout from "@effect-claude/resilience/AttemptTimeout"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const stalls = Stream.concat(Stream.make("ping", "text"), Stream.never)
 * const error = await Effect.runPromise(stalls.pipe(
 *   AttemptTimeout.streamWithTimeouts({
 *     firstEvent: "1 second",
 *     idle: "10 millis",
 *     isEvent: (event: string) => event !== "ping"
 *   }),
 *   Stream.runDrain,
 *   Effect.flip
 * ))
 *
 * assert.strictEqual(error.phase, "idle")
 * ```
 *
 * @category streams
 * @since 0.1.0
 */
export const streamWithTimeouts: {
  <A, E2>(
    options: StreamTimeouts<A> & { readonly onTimeout: (phase: StreamPhase, limit: Duration.Duration) => E2 }
  ): <B extends A, E, R>(self: Stream.Stream<B, E, R>) => Stream.Stream<B, E | E2, R>
  <A>(
    options: StreamTimeouts<A> & { readonly onTimeout?: undefined }
  ): <B extends A, E, R>(self: Stream.Stream<B, E, R>) => Stream.Stream<B, E | AttemptTimeoutError, R>
  <A, E, R, E2>(
    self: Stream.Stream<A, E, R>,
    options: StreamTimeouts<A> & { readonly onTimeout: (phase: StreamPhase, limit: Duration.Duration) => E2 }
  ): Stream.Stream<A, E | E2, R>
  <A, E, R>(
    self: Stream.Stream<A, E, R>,
    options: StreamTimeouts<A> & { readonly onTimeout?: undefined }
  ): Stream.Stream<A, E | AttemptTimeoutError, R>
} = dual(2, <A, E, R, E2>(
  self: Stream.Stream<A, E, R>,
  options: StreamTimeouts<A> & {
    readonly onTimeout?: ((phase: StreamPhase, limit: Duration.Duration) => E2) | undefined
  }
): Stream.Stream<A, E | E2 | AttemptTimeoutError, R> => {
  const attempt = checkedLimit("attempt", options.attempt)
  const firstEvent = checkedLimit("firstEvent", options.firstEvent, attempt)
  const idle = checkedLimit("idle", options.idle, attempt)
  if (attempt === undefined && firstEvent === undefined && idle === undefined) return self
  const { onTimeout } = options
  return guardStream(
    self,
    { attempt, firstEvent, idle, isEvent: options.isEvent, lastActivity: options.lastActivity },
    (phase, limit, fiber): E2 | AttemptTimeoutError => {
      emit(fiber, { _tag: "AttemptTimedOut", phase, limit })
      return onTimeout === undefined ? new AttemptTimeoutError({ phase, limit }) : onTimeout(phase, limit)
    }
  )
})
