import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Predicate from "effect/Predicate"
import * as AnswerInfo from "../AnswerInfo.ts"
import { contentOf, isBlank, isBrokenCall } from "./answer/blocks.ts"

const goodStopReasons: ReadonlySet<unknown> = new Set(["end_turn", "stop_sequence", "tool_use"])

// An answer of another model, of a cache or of the program itself is second best, and must not be in the way of the first. So
// is one that was put together from the parts of a broken stream.
const isFirstChoice = ({ parts, source }: AnswerInfo.AnswerInfo): boolean =>
  (source._tag === "Requested" || (source._tag === "Service" && source.model === undefined))
  && (parts === undefined || parts.filter(({ kept }) => kept).length === 1)

/** Whether an answer is worth giving again: whole, not refused, not empty, and of the model that was asked for. */
export const isGoodAnswer = (message: Message): boolean => {
  const blocks = contentOf(message)
  return goodStopReasons.has(message.stop_reason)
    && !blocks.every(isBlank)
    && !blocks.some(isBrokenCall)
    && isFirstChoice(AnswerInfo.of(message))
}

const isBlock = (block: unknown): boolean => Predicate.isObject(block) && Predicate.isString(block["type"])

const isStoredMessage = (value: unknown): value is Message =>
  Predicate.isObject(value)
  && value["type"] === "message"
  && value["role"] === "assistant"
  && Predicate.isString(value["model"])
  && goodStopReasons.has(value["stop_reason"])
  && Predicate.isObject(value["usage"])
  && Array.isArray(value["content"])
  && value["content"].every(isBlock)

/**
 * An answer as it is stored, in memory too: nobody who changes the message that he was given then changes what the next
 * one gets. What reads as no answer, of a store that others write to, is `undefined`.
 */
export const storedAnswer = {
  encode: (message: Message): string => JSON.stringify(message),
  decode: (text: string): Message | undefined => {
    try {
      const value: unknown = JSON.parse(text)
      return isStoredMessage(value) ? value : undefined
    } catch {
      return undefined
    }
  }
}
