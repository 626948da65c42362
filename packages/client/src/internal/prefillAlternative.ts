import type { MessageParam } from "@anthropic-ai/sdk/resources/messages/messages"
import type { MessageRequest } from "../ClaudeService.ts"

/** What to say behind the beginning of the answer to a model that takes no prefill. Under a symbol, which is not sent. */
const Alternative: unique symbol = Symbol("@effect-claude/client/internal/prefillAlternative")

/** Gives a request that ends with a prefill a message to go on with where that is not taken. A spread keeps it. */
export const carryAlternative = (request: MessageRequest, message: MessageParam): MessageRequest =>
  ({ ...request, [Alternative]: message }) as MessageRequest

/** The messages as they are now, whoever has changed them, with that message behind them. */
export const alternativeOf = (request: MessageRequest): Array<MessageParam> | undefined => {
  const message = (request as { readonly [Alternative]?: MessageParam })[Alternative]
  return message === undefined ? undefined : [...request.messages, message]
}

/** What `AnswerInfo.adapted` says of it. */
export const alternativeTaken = "prefill turned into a message to go on"
