import * as Duration from "effect/Duration"
import type { Policy } from "../../ClaudeService.ts"

/**
 * Two policies that cannot work together, in the order in which they were put. A defect of the layer's build.
 *
 * @category errors
 * @since 0.1.0
 */
export class CompositionError extends Error {
  override readonly name = "CompositionError"
  readonly outer: string
  readonly inner: string

  constructor(outer: string, inner: string, message: string) {
    super(message)
    this.outer = outer
    this.inner = inner
  }
}

const timeoutOptions = ["headers", "firstEvent", "idle", "attempt", "stream"]

const durations = (policy: Policy, names: ReadonlyArray<string>): ReadonlyArray<readonly [string, Duration.Duration]> =>
  names.flatMap((name) => {
    const value = policy.options[name]
    return Duration.isDuration(value) ? [[name, value] as const] : []
  })

const refuseTimeoutPastDeadline = (outer: Policy, timeout: Policy, deadline: Policy): void => {
  for (const [, limit] of durations(deadline, ["duration"])) {
    for (const [option, value] of durations(timeout, timeoutOptions)) {
      if (Duration.isGreaterThan(value, limit)) {
        throw new CompositionError(
          outer.name,
          (outer === timeout ? deadline : timeout).name,
          `option "${option}" of withAttemptTimeout (${Duration.format(value)}) is longer than the "duration" of `
            + `withDeadline (${Duration.format(limit)}): the timeout could never fire`
        )
      }
    }
  }
}

/** Throws a {@link CompositionError} if `outer` cannot work around `inside`. */
export const checkComposition = (outer: Policy, inside: ReadonlyArray<Policy>): void => {
  const holdsRetry = inside.some(({ name }) => name === "retry")

  if (outer.name === "retry" && holdsRetry) {
    throw new CompositionError(
      "retry",
      "retry",
      `withRetry around another withRetry: attempts would multiply ("attempts" of the outer schedule times "attempts" of `
        + `the inner one); keep one of the two`
    )
  }
  if (outer.name === "attemptTimeout" && holdsRetry) {
    throw new CompositionError(
      "attemptTimeout",
      "retry",
      `withAttemptTimeout around withRetry: the timeout would cover all attempts of the "schedule" together and not one; `
        + `put it before withRetry, or use withDeadline for the whole call`
    )
  }
  for (const inner of inside) {
    if (outer.name === "deadline" && inner.name === "attemptTimeout") refuseTimeoutPastDeadline(outer, inner, outer)
    if (outer.name === "attemptTimeout" && inner.name === "deadline") refuseTimeoutPastDeadline(outer, outer, inner)
  }
}
