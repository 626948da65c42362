import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import { type ClaudeError, RetryBudgetExhaustedError } from "../../ClaudeError.ts"
import type { MessageRequest } from "../../ClaudeService.ts"
import { estimateInput } from "../estimateInput.ts"
import { type PolicyLayer, stateful } from "./PolicyLayer.ts"

/**
 * How the size of a request raises what its retries cost.
 *
 * **Details**
 *
 * - `tokens`: a request of so many input tokens costs what a small one does, a larger one as many times more; 10,000
 * - `estimate`: how many input tokens a request has; `TokenEstimate.ofRequest`. Asked once for a call, and
 *   only when something is to be paid for.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryWeightOptions {
  readonly tokens?: number | undefined
  readonly estimate?: ((request: MessageRequest) => number) | undefined
}

/**
 * What `withRetryBudget` is made of, which describes it.
 *
 * **Details**
 *
 * - `capacity`, `costs`, `refill`: those of `RetryBudget.make`
 * - `weight`: how the size of a request counts; `false` if it does not
 * - `budget`: a budget to share with other layers, instead of a new one for each layer that is built
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryBudgetOptions extends RetryBudget.Options {
  readonly weight?: RetryWeightOptions | false | undefined
  readonly budget?: RetryBudget.RetryBudget | undefined
}

const owner = "ClaudeLayer.withRetryBudget"

const shared = (options: RetryBudgetOptions): RetryBudget.RetryBudget | undefined => {
  if (options.budget === undefined) {
    RetryBudget.makeUnsafe(options)
    return undefined
  }
  for (const name of ["capacity", "costs", "refill"] as const) {
    if (options[name] !== undefined) {
      throw new RangeError(`${owner}: option "${name}" has no effect on a "budget" that is given`)
    }
  }
  return options.budget
}

const weightOf = (weight: RetryBudgetOptions["weight"]): (request: MessageRequest) => number => {
  if (weight === false) return () => 1
  const tokens = OptionCheck.number(owner, "weight.tokens", weight?.tokens ?? 10_000, 1)
  const estimate = weight?.estimate ?? estimateInput
  return (request) => Math.max(1, estimate(request) / tokens)
}

export const retryBudget = (options: RetryBudgetOptions): PolicyLayer => {
  const given = shared(options)
  const weigh = weightOf(options.weight)
  const { budget: _, weight: __, ...own } = options

  return stateful({
    name: "retryBudget",
    options: {
      ...(given === undefined ? { capacity: 500, ...own } : { capacity: given.capacity, shared: true }),
      weight: options.weight === false ? false : { tokens: options.weight?.tokens ?? 10_000 }
    },
    make: given === undefined ? RetryBudget.make(own) : Effect.succeed(given),
    wrap: (inner, budget) => ({
      createMessage: (request, call) =>
        RetryBudget.withBudget(inner.createMessage(request, call), { budget, weight: () => weigh(request) }),
      countTokens: (request, call) => RetryBudget.withBudget(inner.countTokens(request, call), { budget }),
      streamMessage: (request, call) =>
        RetryBudget.streamWithBudget(inner.streamMessage(request, call), { budget, weight: () => weigh(request) })
    })
  })
}

const exhausted = (
  { capacity, cause, cost, level }: RetryBudget.Exhausted<ClaudeError>
): RetryBudgetExhaustedError =>
  new RetryBudgetExhaustedError({
    message: `The retry budget has ${rounded(level)} of ${rounded(capacity)} tokens left, and another attempt costs ${
      rounded(cost)
    }; the last failure was ${cause._tag}: ${cause.message}`,
    cause,
    ...(cause.model === undefined ? undefined : { model: cause.model }),
    ...(cause.attempt === undefined ? undefined : { attempt: cause.attempt }),
    ...(cause.requestId === undefined ? undefined : { requestId: cause.requestId }),
    ...(cause.retryAfter === undefined ? undefined : { retryAfter: cause.retryAfter })
  })

const rounded = (tokens: number): string => String(Math.round(tokens * 10) / 10)

/** The schedule, each of whose retries the budget around the call has to pay for, if there is one around it. */
export const guarded = <Output>(
  schedule: Schedule.Schedule<Output, ClaudeError>
): Schedule.Schedule<Output, ClaudeError, ClaudeError> => RetryBudget.guard(schedule, { onExhausted: exhausted })
