/**
 * Who goes first where calls have to wait: the priority of a call and its age.
 *
 * **Details**
 *
 * Every queue of this package orders by the time at which the call began, so that a call that comes back after a retry
 * keeps its place instead of standing in line again. A call of priority `batch` is treated as if it had begun later (30
 * seconds, unless the queue says otherwise): interactive calls go before it, and yet it gets its turn however many of them
 * come.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Stream from "effect/Stream"
import * as MonotonicTime from "./internal/MonotonicTime.ts"

/**
 * How urgent a call is: somebody waits for it, or nobody does.
 *
 * @category models
 * @since 0.1.0
 */
export type Priority = "interactive" | "batch"

/**
 * The priority of the current call; `interactive` by default.
 *
 * **Example** (Asking for the priority)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Admission from "@effect-claude/resilience/Admission"
 * import * as Effect from "effect/Effect"
 *
 * assert.strictEqual(await Effect.runPromise(Admission.CurrentPriority), "interactive")
 * ```
 *
 * @category references
 * @since 0.1.0
 */
export const CurrentPriority: Context.Reference<Priority> = Context.Reference<Priority>(
  "@effect-claude/resilience/Admission/CurrentPriority",
  { defaultValue: () => "interactive" }
)

/**
 * When the current call began, in milliseconds of the clock that only moves forward; `undefined` for a call that begins
 * now. `Retry.retry` sets it for each attempt after the first.
 *
 * **Example** (Asking for the start of a call)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Admission from "@effect-claude/resilience/Admission"
 * import * as Effect from "effect/Effect"
 *
 * assert.isUndefined(await Effect.runPromise(Admission.CurrentCallStart))
 * ```
 *
 * @category references
 * @since 0.1.0
 */
export const CurrentCallStart: Context.Reference<number | undefined> = Context.Reference<number | undefined>(
  "@effect-claude/resilience/Admission/CurrentCallStart",
  { defaultValue: () => undefined }
)

/**
 * Sets the priority of the calls inside.
 *
 * **Example** (Letting a nightly job wait)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Admission from "@effect-claude/resilience/Admission"
 * import * as Effect from "effect/Effect"
 *
 * const job = Admission.CurrentPriority.pipe(Admission.withPriority("batch"))
 *
 * assert.strictEqual(await Effect.runPromise(job), "batch")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withPriority: {
  (priority: Priority): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, priority: Priority): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, priority: Priority): Effect.Effect<A, E, R> =>
    Effect.provideService(self, CurrentPriority, priority)
)

/**
 * Sets the priority of the calls of a stream.
 *
 * **Example** (Letting a nightly stream wait)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Admission from "@effect-claude/resilience/Admission"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const priorities = Stream.fromEffect(Admission.CurrentPriority).pipe(
 *   Admission.streamWithPriority("batch"),
 *   Stream.runCollect
 * )
 *
 * assert.deepStrictEqual(await Effect.runPromise(priorities), ["batch"])
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const streamWithPriority: {
  (priority: Priority): <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E, R>
  <A, E, R>(self: Stream.Stream<A, E, R>, priority: Priority): Stream.Stream<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Stream.Stream<A, E, R>, priority: Priority): Stream.Stream<A, E, R> =>
    Stream.provideService(self, CurrentPriority, priority)
)

/**
 * The place of a call in a queue: the lower, the sooner. `handicap` is how many milliseconds a `batch` call stands back.
 *
 * **Example** (Ordering two calls)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Admission from "@effect-claude/resilience/Admission"
 * import * as Effect from "effect/Effect"
 *
 * const rank = Effect.withFiber((fiber) => Effect.succeed(Admission.rank(fiber, 30_000)))
 * const [interactive, batch] = await Effect.runPromise(Effect.all([rank, Admission.withPriority(rank, "batch")]))
 *
 * assert.isBelow(interactive, batch)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const rank = (fiber: Fiber.Fiber<unknown, unknown>, handicap: number): number => {
  const start = fiber.getRef(CurrentCallStart) ?? MonotonicTime.now(fiber.getRef(Clock.Clock))
  return fiber.getRef(CurrentPriority) === "batch" ? start + handicap : start
}
