import type { TextBlock, ThinkingBlock, ToolUseBlock } from "@anthropic-ai/sdk/resources/messages"
import type { PlannedBlock, VerbatimBlock } from "./ContentSchema.ts"

export type AnswerBlock = TextBlock | ThinkingBlock | ToolUseBlock | VerbatimBlock

export const defaultText = "This answer comes from a fake Claude API."

export interface PlannedContent {
  readonly text?: string | undefined
  readonly content?: ReadonlyArray<PlannedBlock> | undefined
}

/** The blocks a step answers with, each in the full shape the API sends. */
export const answerBlocks = (planned: PlannedContent): ReadonlyArray<AnswerBlock> =>
  planned.content === undefined
    ? [textBlock(planned.text ?? defaultText)]
    : planned.content.map(completeBlock)

const textBlock = (text: string): TextBlock => ({ type: "text", text, citations: null })

const completeBlock = (block: PlannedBlock, index: number): AnswerBlock => {
  if (isText(block)) return textBlock(block.text)
  if (isThinking(block)) {
    return { type: "thinking", thinking: block.thinking, signature: block.signature ?? "ZmFrZS1zaWduYXR1cmU=" }
  }
  if (isToolUse(block)) {
    return {
      type: "tool_use",
      id: block.id ?? `toolu_fake${String(index + 1).padStart(20, "0")}`,
      name: block.name,
      input: block.input,
      caller: { type: "direct" }
    }
  }
  return block
}

// The verbatim member's open `type` keeps TypeScript from narrowing the union by comparison.
const isText = (block: PlannedBlock): block is Extract<PlannedBlock, { readonly type: "text" }> => block.type === "text"
const isThinking = (block: PlannedBlock): block is Extract<PlannedBlock, { readonly type: "thinking" }> =>
  block.type === "thinking"
const isToolUse = (block: PlannedBlock): block is Extract<PlannedBlock, { readonly type: "tool_use" }> =>
  block.type === "tool_use"
