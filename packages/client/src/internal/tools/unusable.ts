import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Predicate from "effect/Predicate"
import { type ClaudeError, OutputInvalidError } from "../../ClaudeError.ts"
import * as TokenUsage from "../../TokenUsage.ts"
import { sendableContent } from "../answer/assistantTurn.ts"
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
  const calls = sendableContent(message.content).filter(({ type }) => type === "tool_use")
  if (reason === "tool_use") {
    if (calls.length === 0) return invalid(message, "The answer stopped for a tool and asks for none")
    // No result could be told to belong to such a call: the next request would be refused, after the tools have run.
    return calls.every(isNamed) && new Set(calls.map(idOf)).size === calls.length
      ? undefined
      : invalid(message, "The answer asks for tools without a name, or without an id of their own")
  }
  // Half an input may look whole, and to be done with a call open is not to be done.
  return calls.length === 0
    ? undefined
    : invalid(message, "The answer asks for a tool and did not stop for it")
}

const idOf = (call: object): unknown => Predicate.hasProperty(call, "id") ? call.id : undefined

const isNamed = (call: object): boolean =>
  Predicate.isString(idOf(call)) && Predicate.hasProperty(call, "name") && Predicate.isString(call.name)

const invalid = (message: Message, what: string): OutputInvalidError => {
  const partial = partialOf(message)
  return new OutputInvalidError({
    message: what,
    ...(Predicate.isString(message.model) ? { model: message.model } : undefined),
    partial,
    text: partial.text,
    usage: TokenUsage.of(message),
    turns: 1
  })
}
