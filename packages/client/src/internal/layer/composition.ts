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

/** Whether policies that stand in one another, in this order, can work. Throws if not. */
type Rule = (outer: Policy, inner: Policy) => void

const refuse = (outer: Policy, inner: Policy, message: string): never => {
  throw new CompositionError(outer.name, inner.name, message)
}

const combinatorOf: Readonly<Record<string, string>> = {
  alerts: "withAlerts",
  attemptTimeout: "withAttemptTimeout",
  cache: "withCache",
  circuitBreaker: "withCircuitBreaker",
  completeAnswers: "withCompleteAnswers",
  concurrency: "withConcurrency",
  deadline: "withDeadline",
  fallback: "withFallback",
  fallbackCredit: "withFallbackCredit",
  hedge: "withHedge",
  rateLimiter: "withRateLimiter",
  retry: "withRetry",
  retryBudget: "withRetryBudget",
  serverFallbacks: "withServerFallbacks",
  streamRecovery: "withStreamRecovery",
  telemetry: "withTelemetry",
  usage: "withUsageLedger"
}

const shown = (policy: Policy): string => combinatorOf[policy.name] ?? policy.name

/** Whether a policy is of this package, or was put there by another one that lists its own. */
export const isOwnPolicy = ({ name }: Policy): boolean => Object.hasOwn(combinatorOf, name)

/** A rule for one policy that stands around another one, whatever their options. */
const never = (outerName: string, innerName: string, why: string): Rule => (outer, inner) => {
  if (outer.name === outerName && inner.name === innerName) {
    refuse(outer, inner, `${shown(outer)} around ${outerName === innerName ? "another " : ""}${shown(inner)}: ${why}`)
  }
}

/** A rule for the options of two policies, whichever of them is the outer one. */
const together = (
  firstName: string,
  secondName: string,
  check: (first: Policy, second: Policy) => string | undefined
): Rule =>
(outer, inner) => {
  const [first, second] = outer.name === firstName ? [outer, inner] : [inner, outer]
  if (first.name !== firstName || second.name !== secondName) return
  const message = check(first, second)
  if (message !== undefined) refuse(outer, inner, message)
}

/** Refuses a `lesser` option that is longer than a `greater` one. */
const notLonger = (
  lesserName: string,
  lesserOptions: ReadonlyArray<string>,
  greaterName: string,
  greaterOptions: ReadonlyArray<string>,
  why: string
): Rule =>
  together(lesserName, greaterName, (lesser, greater) => {
    for (const [option, value] of durations(lesser, lesserOptions)) {
      for (const [limitOption, limit] of durations(greater, greaterOptions)) {
        if (Duration.isGreaterThan(value, limit)) {
          return `option "${option}" of ${shown(lesser)} (${
            Duration.format(value)
          }) is longer than the "${limitOption}" of `
            + `${shown(greater)} (${Duration.format(limit)}): ${why}`
        }
      }
    }
    return undefined
  })

const withinLease = (timeouts: ReadonlyArray<string>): Rule =>
  notLonger(
    "attemptTimeout",
    timeouts,
    "circuitBreaker",
    ["probeLease"],
    "a probe would lose its place while it is still within its time"
  )

const rules: ReadonlyArray<Rule> = [
  never(
    "retry",
    "retry",
    `attempts would multiply ("attempts" of the outer schedule times "attempts" of the inner one); keep one of the two`
  ),
  never(
    "hedge",
    "hedge",
    `requests would multiply ("max" of the outer one times "max" of the inner one); keep one of the two`
  ),
  never(
    "hedge",
    "retry",
    `each hedge would bring all "attempts" of the schedule with it; put withHedge before withRetry`
  ),
  never(
    "cache",
    "cache",
    `the outer one would never keep what the inner one answers; keep one of the two "capacity"s`
  ),
  ...["retry", "hedge", "streamRecovery", "completeAnswers"].map((requests) =>
    never(
      requests,
      "usage",
      `the ledger would take each request of a call for a call of its own, and a "budget" for a call would not cover them together; `
        + `put withUsageLedger after it`
    )
  ),
  never(
    "retry",
    "cache",
    `a kept answer stands in for the first failure, so the "schedule" would hardly ever be reached; put withCache outside of `
      + `withRetry, and let "staleFor" begin where the retries end`
  ),
  never(
    "attemptTimeout",
    "retry",
    `the timeout would cover all attempts of the "schedule" together and not one; put it before withRetry, or use `
      + `withDeadline for the whole call`
  ),
  never(
    "attemptTimeout",
    "circuitBreaker",
    `the breaker would not hear of a timeout, so a service that hangs would never open its circuit; put withAttemptTimeout `
      + `before withCircuitBreaker`
  ),
  ...["retry", "hedge", "circuitBreaker", "rateLimiter", "concurrency", "attemptTimeout"].map((requests) =>
    never(
      requests,
      "completeAnswers",
      `it would take the turns of a paused answer (up to "continuations" more requests) for one; put withCompleteAnswers after it`
    )
  ),
  never(
    "completeAnswers",
    "completeAnswers",
    `turns would multiply ("continuations" of the outer one times "continuations" of the inner one); keep one of the two`
  ),
  never(
    "completeAnswers",
    "streamRecovery",
    `a turn that breaks off would be gone on with as if it were the whole answer ("maxRecoveries"); put withCompleteAnswers before `
      + `withStreamRecovery`
  ),
  never(
    "completeAnswers",
    "fallback",
    `an answer that is not whole could never lead to its "targets", and another model might go on with a turn that it did not `
      + `begin ("continuations"); put withCompleteAnswers before withFallback`
  ),
  never(
    "retry",
    "streamRecovery",
    `requests would multiply ("attempts" of the schedule times "maxRecoveries"); put withRetry before withStreamRecovery, `
      + `which leaves what comes before the first content to it`
  ),
  never(
    "hedge",
    "streamRecovery",
    `each hedge would bring its own "maxRecoveries" with it; put withHedge before withStreamRecovery`
  ),
  never(
    "attemptTimeout",
    "streamRecovery",
    `the timeout would cover all parts of a stream together, and "maxRecoveries" could not help after it; put `
      + `withAttemptTimeout before withStreamRecovery, or use withDeadline for the whole call`
  ),
  never(
    "streamRecovery",
    "streamRecovery",
    `recoveries would multiply ("maxRecoveries" of the outer one times that of the inner one); keep one of the two`
  ),
  (outer, inner) => {
    if (inner.name === "retryBudget" && (outer.name === "retry" || outer.name === "hedge")) {
      refuse(
        outer,
        inner,
        `${
          shown(outer)
        } around withRetryBudget: the budget pays for what is inside of it, so this "capacity" would limit `
          + `nothing; put withRetryBudget after ${shown(outer)}`
      )
    }
  },
  (outer, inner) => {
    if (outer.name === "retry" && inner.name === "fallback" && inner.options["answer"] === true) {
      refuse(
        outer,
        inner,
        `withRetry around a withFallback that always has an "answer": the "schedule" could never be reached; put withRetry `
          + `before withFallback`
      )
    }
  },
  notLonger("attemptTimeout", timeoutOptions, "deadline", ["duration"], "the timeout could never fire"),
  withinLease(["attempt", "headers", "firstEvent"]),
  (outer, inner) => {
    // Else a stream has shown what it had to show with its first content.
    if ([outer, inner].some(({ options }) => options["goodProbeAt"] === "end")) withinLease(["stream"])(outer, inner)
  },
  notLonger(
    "attemptTimeout",
    ["attempt"],
    "circuitBreaker",
    ["window"],
    "the failures of calls that take their whole time would never meet in one window"
  ),
  notLonger("hedge", ["delay"], "attemptTimeout", ["attempt"], "the hedge could never start"),
  notLonger("hedge", ["delay"], "deadline", ["duration"], "the hedge could never start")
]

/** A fallback that is always answered from further in, as long as no deadline in between takes the answer away. */
const refuseUnreachableFallback = (outer: Policy, inside: ReadonlyArray<Policy>): void => {
  if (outer.name !== "fallback") return
  for (const inner of inside) {
    if (inner.name === "deadline") return
    const answersAll = inner.name === "fallback" && inner.options["answer"] === true
    if (!answersAll || [outer, inner].some(({ options }) => options["shouldFallback"] !== undefined)) continue
    refuse(
      outer,
      inner,
      `withFallback around a withFallback that always has an "answer": the "targets" of the outer one could never be reached; `
        + `put them into the inner one`
    )
  }
}

/** Throws a {@link CompositionError} if `outer` cannot work around `inside`. */
export const checkComposition = (outer: Policy, inside: ReadonlyArray<Policy>): void => {
  // Rule by rule, so that what is worst about a composition is what is said of it.
  for (const rule of rules) {
    for (const inner of inside) rule(outer, inner)
  }
  refuseUnreachableFallback(outer, inside)
}
