import * as Cause from "effect/Cause"
import * as Option from "effect/Option"

/**
 * The typed error of a cause, unless the cause also holds a defect: the same rule as `Effect.catch` and `Effect.retry`,
 * so that a bug is never retried or answered by a fallback.
 */
export const recoverableError = <E>(cause: Cause.Cause<E>): Option.Option<E> =>
  Cause.hasDies(cause) ? Option.none() : Cause.findErrorOption(cause)
