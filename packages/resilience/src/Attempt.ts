/**
 * The number of the attempt that is running, visible to everything the attempt calls.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"

/**
 * Holds the number of the current attempt, counted from 1.
 *
 * **When to use**
 *
 * Read it where an attempt is logged, traced or sent, to tell the first attempt from a retry.
 *
 * **Details**
 *
 * `Retry.retry` and `Retry.retryStream` set it for each attempt. Outside of both it is 1. It is a reference with a
 * default, so reading it adds no requirement to the type.
 *
 * **Example** (Counting attempts)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Attempt from "@effect-claude/resilience/Attempt"
 * import * as Retry from "@effect-claude/resilience/Retry"
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 *
 * const call = Effect.gen(function*() {
 *   const attempt = yield* Attempt.CurrentAttempt
 *   return attempt < 3 ? yield* Effect.fail("not yet") : attempt
 * })
 *
 * assert.strictEqual(await Effect.runPromise(Retry.retry(call, Schedule.recurs(5))), 3)
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export const CurrentAttempt: Context.Reference<number> = Context.Reference<number>(
  "@effect-claude/resilience/CurrentAttempt",
  { defaultValue: () => 1 }
)
