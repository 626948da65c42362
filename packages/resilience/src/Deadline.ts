/**
 * Deadlines: the total time a piece of work may take, carried in the context so that everything inside can see what is
 * left.
 *
 * A timeout limits one attempt, a deadline limits them all, waits included. Retry schedules read it to fail at once
 * instead of sleeping into it; nested calls read it to plan with what is left.
 *
 * **Example** (Failing at once instead of sleeping)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Deadline from "@effect-claude/resilience/Deadline"
 * import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Effect from "effect/Effect"
 *
 * const busy = { message: "busy", verdict: Verdict.retry("rateLimited", "45 seconds") }
 * const program = Effect.fail(busy).pipe(
 *   Effect.retry(RetrySchedule.standard()),
 *   Deadline.withDeadline("30 seconds"),
 *   Effect.flip
 * )
 *
 * assert.strictEqual(await Effect.runPromise(program), busy)
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { CurrentDeadline } from "./internal/CurrentDeadline.ts"
import * as MonotonicTime from "./internal/MonotonicTime.ts"
import { guardStream } from "./internal/StreamGuard.ts"
import { limitTime } from "./internal/TimeLimit.ts"
import * as OptionCheck from "./OptionCheck.ts"
import { emit } from "./ResilienceEvent.ts"
import type { Verdict } from "./Verdict.ts"
import * as Verdicts from "./Verdict.ts"

/**
 * A running deadline.
 *
 * **Details**
 *
 * `expiresAt` is in milliseconds on the monotonic clock of the `Clock` service, which no correction of the wall clock
 * moves; it can only be compared with readings of the same clock. `limit` is the whole time that was given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Deadline {
  readonly expiresAt: number
  readonly limit: Duration.Duration
}

/**
 * Holds the deadline that governs the running fiber, `undefined` without one.
 *
 * **When to use**
 *
 * Use {@link remaining} to plan with what is left; use this to tell whether there is a deadline or to hand it on.
 *
 * **Gotchas**
 *
 * A fiber that outlives the work that started it (`Effect.forkDetach`) keeps the deadline in its context although
 * nothing interrupts it any more. Wrap such work in {@link withoutDeadline}.
 *
 * **Example** (Asking for the whole limit)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Deadline from "@effect-claude/resilience/Deadline"
 * import * as Duration from "effect/Duration"
 * import * as Effect from "effect/Effect"
 *
 * const limit = Effect.map(Deadline.Current, (deadline) => deadline?.limit)
 *
 * assert.isUndefined(await Effect.runPromise(limit))
 * assert.deepStrictEqual(
 *   await Effect.runPromise(Deadline.withDeadline(limit, "30 seconds")),
 *   Duration.seconds(30)
 * )
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export const Current: Context.Reference<Deadline | undefined> = CurrentDeadline

/**
 * Fails work that did not end within its deadline.
 *
 * **Details**
 *
 * `limit` is the time that was given. The verdict is `Stop`: there is no time left for another attempt.
 *
 * **Example** (Handling a missed deadline)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Deadline from "@effect-claude/resilience/Deadline"
 * import * as Effect from "effect/Effect"
 *
 * const answer = Effect.never.pipe(
 *   Deadline.withDeadline("5 millis"),
 *   Effect.catchTag("DeadlineExceededError", (error) => Effect.succeed(error.message))
 * )
 *
 * assert.strictEqual(await Effect.runPromise(answer), "Deadline of 5ms exceeded")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class DeadlineExceededError
  extends Schema.TaggedError<DeadlineExceededError>("resilience/DeadlineExceededError")("DeadlineExceededError", {
    limit: Schema.DurationFromMillis
  })
{
  override get message(): string {
    return `Deadline of ${Duration.format(this.limit)} exceeded`
  }

  get verdict(): Verdict {
    return Verdicts.stop
  }
}

/**
 * The time left until the deadline that governs the running fiber: `None` without a deadline, zero once it has passed.
 *
 * **Example** (Sending what is left to a server)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Deadline from "@effect-claude/resilience/Deadline"
 * import * as Duration from "effect/Duration"
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 *
 * const timeoutHeader = Effect.map(
 *   Deadline.remaining,
 *   Option.match({ onNone: () => "none", onSome: (left) => String(Math.ceil(Duration.toSeconds(left))) })
 * )
 *
 * assert.strictEqual(await Effect.runPromise(timeoutHeader), "none")
 * assert.strictEqual(await Effect.runPromise(Deadline.withDeadline(timeoutHeader, "30 seconds")), "30")
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const remaining: Effect.Effect<Option.Option<Duration.Duration>> = Effect.withFiber((fiber) => {
  const deadline = fiber.getRef(CurrentDeadline)
  return Effect.succeed(
    deadline === undefined
      ? Option.none()
      : Option.some(MonotonicTime.until(fiber.getRef(Clock.Clock), deadline.expiresAt))
  )
})

/** The deadline to start, or `undefined` if there is none to start: an earlier one governs, or the limit is infinite. */
const start = (fiber: Fiber.Fiber<unknown, unknown>, limit: Duration.Duration): Deadline | undefined => {
  if (!Duration.isFinite(limit)) return undefined
  const now = MonotonicTime.now(fiber.getRef(Clock.Clock))
  const expiresAt = now + Duration.toMillis(limit)
  const outer = fiber.getRef(CurrentDeadline)
  // A deadline that has passed no longer interrupts what runs in it (a finalizer, a detached fiber), so it governs nothing.
  if (outer !== undefined && outer.expiresAt > now && outer.expiresAt <= expiresAt) return undefined
  return { expiresAt, limit }
}

const limitOf = (owner: string, duration: Duration.Input): Duration.Duration =>
  OptionCheck.duration(`Deadline.${owner}`, "duration", duration, { infinite: true })

const runWithDeadline = <A, E, R, A2, E2, R2>(
  self: Effect.Effect<A, E, R>,
  limit: Duration.Duration,
  orElse: (context: { readonly limit: Duration.Duration }) => Effect.Effect<A2, E2, R2>
): Effect.Effect<A | A2, E | E2, R | R2> =>
  Effect.withFiber((fiber): Effect.Effect<A | A2, E | E2, R | R2> => {
    const deadline = start(fiber, limit)
    if (deadline === undefined) return self
    const exceeded = Effect.suspend(() => {
      emit(fiber, { _tag: "DeadlineExceeded", limit })
      return orElse({ limit })
    })
    if (Duration.isZero(limit)) return exceeded
    return limitTime(fiber, Context.add(fiber.context, CurrentDeadline, deadline), self, limit, exceeded)
  })

/**
 * Gives an effect a total time, and interrupts it and fails with {@link DeadlineExceededError} when the time is over.
 *
 * **When to use**
 *
 * Put it outside of retries and fallbacks, so that it covers attempts and waits alike. To limit a single attempt, use
 * `AttemptTimeout`.
 *
 * **Details**
 *
 * Deadlines nest. The earlier one governs: an inner deadline that would end after the outer one starts no timer and
 * never fails. A duration of zero fails without starting the effect, an infinite one changes nothing, a negative one or
 * NaN throws a `RangeError`. Interruption aborts whatever the effect does through an `AbortSignal`; the failure comes
 * after the effect's finalizers have run.
 *
 * **Example** (Limiting a retried call)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Deadline from "@effect-claude/resilience/Deadline"
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 *
 * const call = Effect.delay(Effect.fail("busy" as const), "4 millis")
 * const error = await Effect.runPromise(call.pipe(
 *   Effect.retry(Schedule.forever),
 *   Deadline.withDeadline("20 millis"),
 *   Effect.flip
 * ))
 *
 * assert.instanceOf(error, Deadline.DeadlineExceededError)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withDeadline: {
  (duration: Duration.Input): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | DeadlineExceededError, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input): Effect.Effect<A, E | DeadlineExceededError, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input) =>
  runWithDeadline(
    self,
    limitOf("withDeadline", duration),
    ({ limit }) => Effect.fail(new DeadlineExceededError({ limit }))
  ))

/**
 * Gives an effect a total time, and continues with another effect when the time is over.
 *
 * **When to use**
 *
 * Use when a missed deadline has an error class of its own, or an answer. Otherwise use {@link withDeadline}, whose
 * details apply here too.
 *
 * **Details**
 *
 * `orElse` runs after the effect was interrupted, outside of the deadline.
 *
 * **Example** (Answering from a cache)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Deadline from "@effect-claude/resilience/Deadline"
 * import * as Effect from "effect/Effect"
 *
 * const answer = Effect.never.pipe(
 *   Deadline.withDeadlineOrElse({ duration: "5 millis", orElse: () => Effect.succeed("cached") })
 * )
 *
 * assert.strictEqual(await Effect.runPromise(answer), "cached")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withDeadlineOrElse: {
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
}) => runWithDeadline(self, limitOf("withDeadlineOrElse", options.duration), options.orElse))

/**
 * Runs an effect as if there were no deadline.
 *
 * **When to use**
 *
 * Use for work that is meant to outlive the call that starts it: refreshing a cache in a detached fiber, writing an
 * audit record in a finalizer.
 *
 * **Gotchas**
 *
 * It hides the deadline, it does not shield from it: work that is not detached is still interrupted when the outer
 * deadline passes.
 *
 * **Example** (Refreshing in the background)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Deadline from "@effect-claude/resilience/Deadline"
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 *
 * const left = Deadline.remaining.pipe(Deadline.withoutDeadline, Deadline.withDeadline("1 second"))
 *
 * assert.isTrue(Option.isNone(await Effect.runPromise(left)))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withoutDeadline = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(self, CurrentDeadline, undefined)

class Expired {
  readonly _tag = "Expired"
}

const runStreamWithDeadline = <A, E, R, A2, E2, R2>(
  self: Stream.Stream<A, E, R>,
  limit: Duration.Duration,
  orElse: (context: { readonly limit: Duration.Duration }) => Stream.Stream<A2, E2, R2>
): Stream.Stream<A | A2, E | E2, R | R2> =>
  Stream.unwrap(Effect.withFiber((fiber): Effect.Effect<Stream.Stream<A | A2, E | E2, R | R2>> => {
    const deadline = start(fiber, limit)
    if (deadline === undefined) return Effect.succeed(self)
    const exceeded = () => {
      emit(fiber, { _tag: "DeadlineExceeded", limit })
      return orElse({ limit })
    }
    if (Duration.isZero(limit)) return Effect.succeed(exceeded())
    const governed = Stream.provideService(self, CurrentDeadline, deadline)
    return Effect.succeed(Stream.catchIf(
      guardStream(governed, { attempt: limit }, () => new Expired()),
      (error): error is Expired => error instanceof Expired,
      exceeded
    ))
  }))

/**
 * Gives a stream a total time from the first pull to its end, and fails it with {@link DeadlineExceededError} when the
 * time is over.
 *
 * **Details**
 *
 * The time the consumer takes between pulls counts: a deadline is about when the work is done, not about who is slow.
 * When it passes, the pull that is under way is interrupted and the stream's resources are released at once, even if
 * nobody is pulling. The rules for nesting, zero and infinity are those of {@link withDeadline}.
 *
 * **Example** (Limiting a stalled stream)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Deadline from "@effect-claude/resilience/Deadline"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const stalled = Stream.concat(Stream.make("first"), Stream.never)
 * const seen: Array<string> = []
 * const error = await Effect.runPromise(stalled.pipe(
 *   Deadline.streamWithDeadline("10 millis"),
 *   Stream.runForEach((element) => Effect.sync(() => seen.push(element))),
 *   Effect.flip
 * ))
 *
 * assert.deepStrictEqual(seen, ["first"])
 * assert.instanceOf(error, Deadline.DeadlineExceededError)
 * ```
 *
 * @category streams
 * @since 0.1.0
 */
export const streamWithDeadline: {
  (duration: Duration.Input): <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E | DeadlineExceededError, R>
  <A, E, R>(self: Stream.Stream<A, E, R>, duration: Duration.Input): Stream.Stream<A, E | DeadlineExceededError, R>
} = dual(2, <A, E, R>(self: Stream.Stream<A, E, R>, duration: Duration.Input) =>
  runStreamWithDeadline(
    self,
    limitOf("streamWithDeadline", duration),
    ({ limit }) => Stream.fail(new DeadlineExceededError({ limit }))
  ))

/**
 * Gives a stream a total time, and continues with another stream when the time is over.
 *
 * **When to use**
 *
 * Use when a missed deadline has an error class of its own, or a closing element. Otherwise use
 * {@link streamWithDeadline}, whose details apply here too.
 *
 * **Example** (Closing with a notice)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Deadline from "@effect-claude/resilience/Deadline"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const text = Stream.concat(Stream.make("Once upon a "), Stream.never).pipe(
 *   Deadline.streamWithDeadlineOrElse({ duration: "10 millis", orElse: () => Stream.make("[cut]") }),
 *   Stream.mkString
 * )
 *
 * assert.strictEqual(await Effect.runPromise(text), "Once upon a [cut]")
 * ```
 *
 * @category streams
 * @since 0.1.0
 */
export const streamWithDeadlineOrElse: {
  <A2, E2, R2>(options: {
    readonly duration: Duration.Input
    readonly orElse: (context: { readonly limit: Duration.Duration }) => Stream.Stream<A2, E2, R2>
  }): <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A | A2, E | E2, R | R2>
  <A, E, R, A2, E2, R2>(self: Stream.Stream<A, E, R>, options: {
    readonly duration: Duration.Input
    readonly orElse: (context: { readonly limit: Duration.Duration }) => Stream.Stream<A2, E2, R2>
  }): Stream.Stream<A | A2, E | E2, R | R2>
} = dual(2, <A, E, R, A2, E2, R2>(self: Stream.Stream<A, E, R>, options: {
  readonly duration: Duration.Input
  readonly orElse: (context: { readonly limit: Duration.Duration }) => Stream.Stream<A2, E2, R2>
}) => runStreamWithDeadline(self, limitOf("streamWithDeadlineOrElse", options.duration), options.orElse))
