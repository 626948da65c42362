import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import type { BatchOutcome } from "@effect-claude/client/BatchOutcome"
import type { BatchItem } from "@effect-claude/client/ClaudeBatches"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import { isApiError, isClaudeError } from "@effect-claude/client/ClaudeError"
import * as SdkFailure from "@effect-claude/client/SdkFailure"
import type { Answer, Failure, Step, StepCall } from "../Step.ts"
import { transmit } from "../Transmission.ts"

/** What becomes of a request of a batch. */
export type ItemAnswer = Step<Answer> | Step<Failure> | ClaudeError | "expired" | "canceled"

/** What becomes of a request, by its `custom_id` or by the request; nothing said is an answer. */
export type ItemAnswers =
  | Readonly<Record<string, ItemAnswer | ReadonlyArray<ItemAnswer>>>
  | ((item: BatchItem, submission: number) => ItemAnswer | undefined)

const isList = (answer: ItemAnswer | ReadonlyArray<ItemAnswer>): answer is ReadonlyArray<ItemAnswer> =>
  Array.isArray(answer)

/** The answer for a request that is submitted for the nth time; the last of a list stands for all after it. */
export const answerFor = (
  answers: ItemAnswers,
  item: BatchItem,
  submission: number
): ItemAnswer | undefined => {
  if (typeof answers === "function") return answers(item, submission)
  if (!Object.hasOwn(answers, item.custom_id)) return undefined
  const stated = answers[item.custom_id]
  return stated !== undefined && isList(stated) ? stated[submission - 1] ?? stated.at(-1) : stated
}

/** A request in its batch, and when the batch ended. */
export interface Place {
  readonly item: BatchItem
  readonly batchId: string
  readonly number: number
  readonly submission: number
  readonly endedAt: number
}

const callOf = ({ batchId, item: { params }, number, submission }: Place): StepCall => ({
  method: "createMessage",
  number,
  attempt: submission,
  model: params.model,
  requestId: `req_${batchId}_${number}`,
  request: params,
  options: undefined
})

const messageOf = ({ content }: Answer, call: StepCall): Message | undefined => {
  const message = content._tag === "Message" ? content.message(call) : transmit(content.frames(call)).message
  // By this whoever adds up what answers cost knows that they were of a batch.
  return message?.usage.service_tier === "standard"
    ? { ...message, usage: { ...message.usage, service_tier: "batch" } }
    : message
}

/** An error of the API as it stands in a results file: without status, headers and attempt. */
const asResult = (error: ClaudeError): ClaudeError =>
  isApiError(error) && error.errorType !== undefined
    ? SdkFailure.fromAnswer({
      body: {
        type: "error",
        error: {
          type: error.errorType,
          message: error.message,
          ...(error.details === undefined ? {} : { details: error.details })
        },
        ...(error.requestId === undefined ? {} : { request_id: error.requestId })
      }
    })
    : error

export const outcomeOf = (answer: ItemAnswer, place: Place): BatchOutcome => {
  const origin = { customId: place.item.custom_id, batchId: place.batchId, submissions: 1 }
  if (answer === "expired") return { _tag: "Expired", ...origin }
  if (answer === "canceled") return { _tag: "Canceled", ...origin }
  if (isClaudeError(answer)) return { _tag: "Errored", ...origin, error: asResult(answer) }
  const call = callOf(place)
  const { behavior } = answer
  if (behavior._tag === "Failure") {
    return { _tag: "Errored", ...origin, error: asResult(behavior.error(call, place.endedAt)) }
  }
  const message = messageOf(behavior, call)
  if (message === undefined) throw new Error(`ClaudeTest.batches: the events for ${origin.customId} make no message`)
  return { _tag: "Succeeded", ...origin, message }
}
