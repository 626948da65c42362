import * as Predicate from "effect/Predicate"
import type { Outcome } from "../../CircuitBreaker.ts"
import type { HasVerdict, Verdict } from "../../Verdict.ts"

const alive: Outcome = { _tag: "Alive" }
const ignored: Outcome = { _tag: "Ignored" }

export const outcomeOfVerdict = (given: Outcome | Verdict): Outcome => {
  switch (given._tag) {
    case "Stop":
      return alive
    case "Retry":
      switch (given.kind) {
        case "serverError":
        case "overloaded":
        case "connection":
        case "timeout":
          return { _tag: "Failure", after: given.after }
        case "rateLimited":
        case "conflict":
        case "rejected":
          return ignored
      }
    default:
      return given
  }
}

/** Policies of this package that stop a call. No service has said so. */
const ownStops = new Set(["CircuitOpenError", "DeadlineExceededError", "RetryBudgetExhaustedError"])

export const outcomeOfError = (error: HasVerdict): Outcome =>
  Predicate.hasProperty(error, "_tag") && typeof error._tag === "string" && ownStops.has(error._tag)
    ? ignored
    : outcomeOfVerdict(error.verdict)
