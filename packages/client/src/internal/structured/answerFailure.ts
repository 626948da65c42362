import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Predicate from "effect/Predicate"
import * as AnswerInfo from "../../AnswerInfo.ts"
import { OutputTruncatedError, RefusalError } from "../../ClaudeError.ts"

const text = (key: string, value: unknown): Record<string, string> => Predicate.isString(value) ? { [key]: value } : {}

const shared = (message: Message) => {
  const { attempt, requestId } = AnswerInfo.of(message)
  const texts = message.content.map((block) => block.type === "text" ? block.text : "")
  return {
    model: message.model,
    attempt,
    ...(requestId === undefined ? undefined : { requestId }),
    partial: { message, text: texts.join(""), events: 0 }
  }
}

/** The fields that every error about an answer has. */
export const answerFields = shared

const refusal = (message: Message): RefusalError => {
  const details: { readonly [key: string]: unknown } = { ...message.stop_details }
  return new RefusalError({
    ...shared(message),
    message: "The model refused to answer",
    ...text("category", details["category"]),
    ...text("explanation", details["explanation"]),
    ...text("recommendedModel", details["recommended_model"]),
    ...text("fallbackCreditToken", details["fallback_credit_token"]),
    ...(Predicate.isBoolean(details["fallback_has_prefill_claim"])
      ? { hasPrefillClaim: details["fallback_has_prefill_claim"] }
      : undefined)
  })
}

const truncations: Readonly<Record<string, string>> = {
  max_tokens: "The answer was cut off at max_tokens",
  model_context_window_exceeded: "The answer was cut off by the end of the context window",
  pause_turn: "The answer was paused and not continued"
}

/** What an answer that stopped too early fails with, before anybody reads it; `undefined` for one that is whole. */
export const answerFailure = (message: Message): RefusalError | OutputTruncatedError | undefined => {
  const reason: unknown = message.stop_reason
  if (reason === "refusal") return refusal(message)
  if (!Predicate.isString(reason) || !Object.hasOwn(truncations, reason)) return undefined
  return new OutputTruncatedError({
    ...shared(message),
    message: truncations[reason] ?? "",
    stopReason: reason
  })
}
