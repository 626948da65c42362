import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import { type ClaudeError, OutputInvalidError } from "../../ClaudeError.ts"
import * as TokenUsage from "../../TokenUsage.ts"
import { partialOf } from "../answer/partialOf.ts"
import { type Shortfall, shortfallError, shortfallOf } from "../answer/shortfall.ts"

// A turn that pauses is sent on, and the model is told of an input that is none.
const accepted: ReadonlySet<Shortfall> = new Set<Shortfall>(["pause_turn", "tool_input"])

const known: ReadonlySet<unknown> = new Set(["end_turn", "stop_sequence", "tool_use", "pause_turn"])

/** The failure that an answer amounts to, if the loop cannot go on with it. */
export const unusable = (message: Message): ClaudeError | undefined => {
  const shortfall = shortfallOf(message, (shortfall) => accepted.has(shortfall))
  if (shortfall !== undefined) return shortfallError(message, shortfall)
  const { stop_reason: reason } = message
  // To ask for nothing, or to stop for a reason of tomorrow, is neither to go on nor to be done.
  if (!known.has(reason)) return invalid(message, "The answer stopped for a reason that is not known")
  return reason === "tool_use" && !message.content.some(({ type }) => type === "tool_use")
    ? invalid(message, "The answer stopped for a tool and asks for none")
    : undefined
}

const invalid = (message: Message, what: string): OutputInvalidError => {
  const partial = partialOf(message)
  return new OutputInvalidError({
    message: what,
    model: message.model,
    partial,
    text: partial.text,
    usage: TokenUsage.of(message),
    turns: 1
  })
}
