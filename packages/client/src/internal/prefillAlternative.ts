import type { MessageParam } from "@anthropic-ai/sdk/resources/messages/messages"
import type { MessageRequest } from "../ClaudeService.ts"

/** Messages to the same effect for a model that takes no prefill. Under a symbol, which is not sent. */
const Alternative: unique symbol = Symbol("@effect-claude/client/internal/prefillAlternative")

/** Gives a request that ends with a prefill messages to ask with where that is not taken. A spread keeps them. */
export const carryAlternative = (request: MessageRequest, messages: Array<MessageParam>): MessageRequest =>
  ({ ...request, [Alternative]: messages }) as MessageRequest

export const alternativeOf = (request: MessageRequest): Array<MessageParam> | undefined =>
  (request as { readonly [Alternative]?: Array<MessageParam> })[Alternative]

/** What `AnswerInfo.adapted` says of it. */
export const alternativeTaken = "prefill turned into a message to go on"
