import type { TextBlock, ThinkingBlock, ToolUseBlock } from "@anthropic-ai/sdk/resources/messages"
import type { PlannedBlock, VerbatimBlock } from "./ContentSchema.ts"

export type AnswerBlock = TextBlock | ThinkingBlock | ToolUseBlock | ServerToolUse | VerbatimBlock

/** The SDK's `ServerToolUseBlock`, with tools that the SDK may not know. */
export interface ServerToolUse {
  readonly type: "server_tool_use"
  readonly id: string
  readonly name: string
  readonly input: unknown
  readonly caller: unknown
}

export const defaultText = "This answer comes from a fake Claude API."

export interface PlannedContent {
  readonly text?: string | undefined
  readonly content?: ReadonlyArray<PlannedBlock> | undefined
}

/**
 * The blocks a step answers with, each in the full shape the API sends. `number` is that of the request, so that a tool
 * call has another id in every answer.
 */
export const answerBlocks = (planned: PlannedContent, number: number): ReadonlyArray<AnswerBlock> =>
  planned.content === undefined
    ? [textBlock(planned.text ?? defaultText)]
    : planned.content.map((block, index) => completeBlock(block, idDigits(number, index)))

export const textBlock = (text: string): TextBlock => ({ type: "text", text, citations: null })

export const isTextBlock = (block: AnswerBlock): block is TextBlock => block.type === "text"

const idDigits = (number: number, index: number): string =>
  String(number).padStart(14, "0") + String(index + 1).padStart(6, "0")

const completeBlock = (block: PlannedBlock, digits: string): AnswerBlock => {
  if (isText(block)) return textBlock(block.text)
  if (isThinking(block)) {
    return { type: "thinking", thinking: block.thinking, signature: block.signature ?? "ZmFrZS1zaWduYXR1cmU=" }
  }
  if (isToolUse(block)) {
    return {
      type: "tool_use",
      id: block.id ?? `toolu_fake${digits}`,
      name: block.name,
      input: block.input,
      caller: { type: "direct" }
    }
  }
  if (isServerToolUse(block)) {
    return {
      type: "server_tool_use",
      id: block.id ?? `srvtoolu_fake${digits}`,
      name: block.name,
      input: block.input,
      caller: block.caller ?? { type: "direct" }
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
const isServerToolUse = (block: PlannedBlock): block is Extract<PlannedBlock, { readonly type: "server_tool_use" }> =>
  block.type === "server_tool_use"
