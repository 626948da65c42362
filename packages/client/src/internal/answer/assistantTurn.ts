import type { ContentBlock, MessageParam } from "@anthropic-ai/sdk/resources/messages/messages"
import { answeredCalls, isHandover } from "./blocks.ts"

// The model that handed over signed its thinking for itself, and its calls have no results. The API refuses both.
const leftBehind: ReadonlySet<string> = new Set(["thinking", "redacted_thinking", "connector_text", "tool_use"])

/**
 * The content of an answer as it goes back to the API: as it came, except for what a model left before it handed over to
 * another one.
 */
export const sendableContent = (
  content: ReadonlyArray<ContentBlock>
): Extract<MessageParam["content"], Array<unknown>> => {
  const handover = content.findLastIndex(isHandover)
  if (handover === -1) return [...content]
  const answered = answeredCalls(content)
  return content.filter((block, index) =>
    index >= handover || !(leftBehind.has(block.type) || (block.type === "server_tool_use" && !answered.has(block.id)))
  )
}
