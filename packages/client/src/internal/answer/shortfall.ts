import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Predicate from "effect/Predicate"
import * as AnswerInfo from "../../AnswerInfo.ts"
import {
  type AnswerError,
  OutputInvalidError,
  OutputTruncatedError,
  type PartialAnswer,
  RefusalError
} from "../../ClaudeError.ts"
import * as TokenUsage from "../../TokenUsage.ts"
import { contentOf, isBlank, isBrokenCall, isToolCall } from "./blocks.ts"
import { partialOf } from "./partialOf.ts"

/**
 * What keeps an answer from being whole.
 *
 * **Details**
 *
 * - `refusal`: the model refused.
 * - `max_tokens`, `model_context_window_exceeded`: cut by a limit of the request, or of the model.
 * - `pause_turn`: the API paused a turn in which it runs tools, and was not asked to go on, or too often.
 * - `unfinished`: the answer does not say why it stopped. The API always does; a gateway may not.
 * - `tool_input`: the call of a tool has no JSON object for an input, or is the last thing before a cut.
 * - `empty`: nothing but thinking and blank text, and the model says that it is done.
 *
 * @category models
 * @since 0.1.0
 */
export type Shortfall =
  | "refusal"
  | "max_tokens"
  | "model_context_window_exceeded"
  | "pause_turn"
  | "unfinished"
  | "tool_input"
  | "empty"

/** What can be accepted, by name, in the order in which it is looked for. */
export const shortfalls: ReadonlyArray<Shortfall> = [
  "refusal",
  "max_tokens",
  "model_context_window_exceeded",
  "pause_turn",
  "unfinished",
  "tool_input",
  "empty"
]

const cutShort = {
  max_tokens: "The answer was cut off at max_tokens",
  model_context_window_exceeded: "The answer was cut off by the end of the context window",
  pause_turn: "The turn was paused and is not finished",
  unfinished: "The answer does not say why it stopped, so it may have been cut off"
}

type CutShort = keyof typeof cutShort

const isCutShort = (shortfall: Shortfall): shortfall is CutShort => shortfall in cutShort

const stopReasons = ["refusal", "max_tokens", "model_context_window_exceeded", "pause_turn"] as const

const stoppedBy = (reason: unknown): Shortfall | undefined =>
  reason === null || reason === undefined ? "unfinished" : stopReasons.find((known) => known === reason)

// A program that named a stop sequence may mean to get nothing in front of it.
const isDone = (reason: unknown): boolean => reason === "end_turn" || reason === "tool_use"

/**
 * The calls of tools that must not run, by index. Who accepts a text that was cut has not accepted half a call: whoever repairs
 * its JSON makes it look whole, so what comes last before a cut is in doubt in any case.
 */
const callsInDoubt = (content: Message["content"], stop: Shortfall | undefined): ReadonlyArray<number> => {
  const lastInDoubt = stop !== undefined && stop !== "pause_turn"
  return content.flatMap((block, index) =>
    isBrokenCall(block) || (lastInDoubt && index === content.length - 1 && isToolCall(block)) ? [index] : []
  )
}

/** What there is about a message, the first thing first, that is not accepted. */
export const shortfallOf = (message: Message, accepts: (shortfall: Shortfall) => boolean): Shortfall | undefined => {
  const stop = stoppedBy(message.stop_reason)
  if (stop !== undefined && !accepts(stop)) return stop
  const content = contentOf(message)
  if (!accepts("tool_input") && callsInDoubt(content, stop).length > 0) return "tool_input"
  return isDone(message.stop_reason) && content.every(isBlank) && !accepts("empty") ? "empty" : undefined
}

// Fields of the beta, which the SDK's plain types do not list.
const textField = (details: object | null, field: string): string | undefined =>
  Predicate.hasProperty(details, field) && Predicate.isString(details[field]) ? details[field] : undefined

const refused = (message: Message, shared: ConstructorParameters<typeof RefusalError>[0]): RefusalError => {
  const details: object | null = message.stop_details ?? null
  const category = textField(details, "category")
  const explanation = textField(details, "explanation")
  const recommendedModel = textField(details, "recommended_model")
  const fallbackCreditToken = textField(details, "fallback_credit_token")
  const claim = Predicate.hasProperty(details, "fallback_has_prefill_claim")
    ? details.fallback_has_prefill_claim
    : undefined
  return new RefusalError({
    ...shared,
    ...(category === undefined ? undefined : { category }),
    ...(explanation === undefined ? undefined : { explanation }),
    ...(recommendedModel === undefined ? undefined : { recommendedModel }),
    ...(fallbackCreditToken === undefined ? undefined : { fallbackCreditToken }),
    ...(Predicate.isBoolean(claim) ? { hasPrefillClaim: claim } : undefined)
  })
}

/** What is known of how an answer came about, beside the message itself. */
export interface Circumstances {
  /** Of the request that this ended with; that of the message by default. */
  readonly info?: AnswerInfo.AnswerInfo | undefined
  readonly partial?: PartialAnswer | undefined
  readonly turns?: number | undefined
}

/** The one place that makes an error of an answer: with the whole message, its usage, and who gave it. */
export const shortfallError = (
  message: Message,
  shortfall: Shortfall,
  { info = AnswerInfo.of(message), partial = partialOf(message), turns = 1 }: Circumstances = {}
): AnswerError => {
  const { attempt, requestId } = info
  const shared = {
    ...(Predicate.isString(message.model) ? { model: message.model } : undefined),
    attempt,
    ...(requestId === undefined ? undefined : { requestId }),
    partial
  }
  if (shortfall === "refusal") return refused(message, { ...shared, message: "The model refused to answer" })
  if (isCutShort(shortfall)) {
    return new OutputTruncatedError({
      ...shared,
      message: turns > 1 && shortfall === "pause_turn"
        ? `${cutShort.pause_turn} after ${turns} requests`
        : cutShort[shortfall],
      ...(shortfall === "unfinished" ? undefined : { stopReason: shortfall })
    })
  }
  const isEmpty = shortfall === "empty"
  return new OutputInvalidError({
    ...shared,
    message: isEmpty ? "The answer is empty" : "The call of a tool has no whole input",
    issues: isEmpty
      ? ["content holds neither text nor a tool call"]
      : callsInDoubt(contentOf(message), stoppedBy(message.stop_reason)).map((index) =>
        `content[${index}].input is no JSON object, or may have been cut off`
      ),
    text: partial.text,
    usage: TokenUsage.of(message),
    turns
  })
}
