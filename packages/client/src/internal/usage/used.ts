import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { type ClaudeError, isApiError } from "../../ClaudeError.ts"
import { servedBy } from "../answer/servedBy.ts"
import { property } from "../foreignError.ts"
import { wasNeverSent } from "../limiter/accounting.ts"
import { type Consumption, consumptionOf, nothing, saysTokens } from "./consumption.ts"
import type { Forecast } from "./Forecast.ts"
import type { StreamSeen } from "./StreamSeen.ts"

/** How a request ended, and what it used. */
export interface Used {
  readonly end: "succeeded" | "failed" | "interrupted"
  readonly error: ClaudeError | undefined
  /** The answer, as far as it is needed to know it again. */
  readonly answer: object | undefined
  /** The model that the API itself asked in place of the one of the request, if it did. */
  readonly servedBy: string | undefined
  readonly consumption: Consumption
  /** Whether the numbers are, in part or as a whole, an estimate of ours. */
  readonly isEstimated: boolean
  /** Whether nobody told anything at all of what was used. */
  readonly isUnknown: boolean
}

const errorIn = (cause: Cause.Cause<ClaudeError>): ClaudeError | undefined =>
  Option.getOrUndefined(Cause.findErrorOption(cause))

/** Whether a gateway lost its patience with the API, or the answer of it, which may have been made and billed. */
const isOfGateway = ({ errorType, status }: ClaudeError): boolean =>
  errorType === undefined && status !== undefined && status >= 500 && status !== 503 && status !== 529

/** What failed with an error of the API itself, before an answer began, is not billed. */
const isFree = (error: ClaudeError): boolean => wasNeverSent(error) || (isApiError(error) && !isOfGateway(error))

const told = (consumption: Consumption) => ({ consumption, isEstimated: false, isUnknown: false })

const guessed = (forecast: Forecast) => ({ consumption: forecast.guess(), isEstimated: true, isUnknown: true })

/** The API bills nothing for a refusal that comes before any output. */
const isRefusedAtOnce = (answer: unknown): boolean => {
  const content = property(answer, "content")
  return property(answer, "stop_reason") === "refusal" && Array.isArray(content) && content.length === 0
}

/** Of a request for a whole message. */
export const usedByMessage = (exit: Exit.Exit<Message, ClaudeError>, forecast: Forecast): Used => {
  if (Exit.isSuccess(exit)) {
    const usage = property(exit.value, "usage")
    const isTold = saysTokens(usage)
    return {
      end: "succeeded",
      error: undefined,
      answer: exit.value,
      servedBy: servedBy(exit.value),
      consumption: isRefusedAtOnce(exit.value) ? nothing : isTold ? consumptionOf(usage) : forecast.guess(),
      isEstimated: !isTold,
      isUnknown: !isTold
    }
  }
  const error = errorIn(exit.cause)
  const usage = property(error?.partial?.message, "usage")
  const used = saysTokens(usage)
    ? told(consumptionOf(usage))
    : error !== undefined && isFree(error)
    ? told(nothing)
    : guessed(forecast)
  return {
    end: Exit.hasInterrupts(exit) ? "interrupted" : "failed",
    error,
    answer: undefined,
    servedBy: undefined,
    ...used
  }
}

/** Of a request for a stream, by what was seen of it. Without a failure, and not whole, it was given up. */
export const usedByStream = (
  seen: StreamSeen,
  failure: Cause.Cause<ClaudeError> | undefined,
  forecast: Forecast
): Used => {
  const { isWhole, message, usage } = seen
  const error = failure === undefined || isWhole ? undefined : errorIn(failure)
  const end = isWhole ? "succeeded" : failure === undefined ? "interrupted" : "failed"
  const how = { end, error, answer: message, servedBy: servedBy({ usage }) } as const
  if (message === undefined) {
    return { ...how, ...(error !== undefined && isFree(error) ? told(nothing) : guessed(forecast)) }
  }
  if (!saysTokens(usage)) {
    return { ...how, consumption: forecast.guess(seen.output), isEstimated: true, isUnknown: false }
  }
  const consumption = consumptionOf(usage)
  if (isWhole) return { ...how, ...told(seen.isRefusedAtOnce ? nothing : consumption) }
  const partial = { ...consumption, usage: { ...consumption.usage, outputTokens: seen.output } }
  return { ...how, consumption: partial, isEstimated: true, isUnknown: false }
}
