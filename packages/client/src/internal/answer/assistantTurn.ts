import type { ContentBlock, MessageParam } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Predicate from "effect/Predicate"
import { answeredCalls, isBlankText, isHandover } from "./blocks.ts"

// The model that handed over signed its thinking for itself, and its calls have no results. The API refuses both.
const leftBehind: ReadonlySet<string> = new Set(["thinking", "redacted_thinking", "connector_text", "tool_use"])

type Content = Extract<MessageParam["content"], Array<unknown>>

// The API gives out blocks that it refuses to take back, and so do gateways.
const isTaken = (block: ContentBlock): boolean =>
  !isBlankText(block) && (block.type !== "thinking" || Predicate.isTruthy(block.signature))

/**
 * The content of an answer as it goes back to the API: as it came, except for blank text, thinking without a signature, and
 * what a model left before it handed over to another one.
 */
export const sendableContent = (answer: ReadonlyArray<ContentBlock>): Content => {
  const content = answer.filter(isTaken)
  const handover = content.findLastIndex(isHandover)
  if (handover === -1) return content
  const answered = answeredCalls(content)
  return content.filter((block, index) =>
    index >= handover || !(leftBehind.has(block.type) || (block.type === "server_tool_use" && !answered.has(block.id)))
  )
}

/** A conversation whose last turn, the assistant's, has got this far: behind what the request began it with, if it did. */
export const withTurn = (messages: ReadonlyArray<MessageParam>, content: Content): Array<MessageParam> => {
  const last = messages.at(-1)
  if (last?.role !== "assistant") return [...messages, { role: "assistant", content }]
  const begun: Content = typeof last.content === "string" ? [{ type: "text", text: last.content }] : last.content
  return [...messages.slice(0, -1), { ...last, content: [...begun, ...content] }]
}
