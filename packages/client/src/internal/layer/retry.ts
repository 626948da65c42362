import * as Retry from "@effect-claude/resilience/Retry"
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type { ClaudeError } from "../../ClaudeError.ts"
import { isContent, isPing } from "../../MessageEvents.ts"
import { RejectionsFallThrough } from "../callContext.ts"
import { stoppedBy } from "../stoppedBy.ts"
import { type PolicyLayer, stateless } from "./PolicyLayer.ts"
import { guarded } from "./retryBudget.ts"

const isFinal = ({ verdict }: ClaudeError, rejectionsFallThrough: boolean): boolean =>
  verdict._tag === "Stop" || (rejectionsFallThrough && verdict.kind === "rejected")

/** A rejection is final if somebody further out would rather have it than wait for it. */
const whileRetryable = <Output>(
  schedule: Schedule.Schedule<Output, ClaudeError>
): Schedule.Schedule<Output | undefined, ClaudeError> =>
  stoppedBy(
    schedule,
    Effect.map(RejectionsFallThrough, (fallThrough) => (error: ClaudeError) => isFinal(error, fallThrough))
  )

/** What a policy retries by that was given this schedule: never after a `Stop`, and paid for from the budget around it. */
export const retrySchedule = <Output>(
  given: Schedule.Schedule<Output, ClaudeError>
): Schedule.Schedule<Output | undefined, ClaudeError, ClaudeError> => guarded(whileRetryable(given))

export const retry = <Output>(given: Schedule.Schedule<Output, ClaudeError>): PolicyLayer =>
  stateless({
    name: "retry",
    options: { schedule: given },
    wrap: (inner) => {
      const schedule = retrySchedule(given)
      return {
        createMessage: (request, call) => Retry.retry(inner.createMessage(request, call), schedule),
        countTokens: (request, call) => Retry.retry(inner.countTokens(request, call), schedule),
        streamMessage: (request, call) =>
          Retry.retryStream(inner.streamMessage(request, call), { schedule, isContent, isTransparent: isPing })
      }
    }
  })
