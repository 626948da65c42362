import type { TextBlock, ThinkingBlock, ToolUseBlock } from "@anthropic-ai/sdk/resources/messages"
import type { PlannedBlock, VerbatimBlock } from "./ContentSchema.ts"
import { TruncatedInput } from "./TruncatedInput.ts"

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
  readonly truncateToolInput?: number | undefined
}

/** Whether a plan says what the answer is; otherwise it depends on the request. */
export const isPlanned = ({ content, text }: PlannedContent): boolean => content !== undefined || text !== undefined

/**
 * The blocks a step answers with, each in the full shape the API sends. `number` is that of the request, so that a tool
 * call has another id in every answer.
 */
export const answerBlocks = (planned: PlannedContent, number: number): ReadonlyArray<AnswerBlock> => {
  if (planned.content === undefined) return [textBlock(planned.text ?? defaultText)]
  const blocks = planned.content.map((block, index) => completeBlock(block, number, index))
  const { truncateToolInput: characters } = planned
  const last = blocks.findLastIndex(isToolUseBlock)
  return characters === undefined ? blocks : blocks.map((block, index) =>
    index === last && isToolUseBlock(block)
      ? { ...block, input: new TruncatedInput(JSON.stringify(block.input).slice(0, characters)) }
      : block
  )
}

export const textBlock = (text: string): TextBlock => ({ type: "text", text, citations: null })

export const thinkingBlock = (thinking: string, signature = "ZmFrZS1zaWduYXR1cmU="): ThinkingBlock => ({
  type: "thinking",
  thinking,
  signature
})

export const isTextBlock = (block: AnswerBlock): block is TextBlock => block.type === "text"

const isToolUseBlock = (block: AnswerBlock): block is ToolUseBlock => block.type === "tool_use"

/** A planned block in the full shape the API sends; `index` is its place in the answer to request `number`. */
export const completeBlock = (block: PlannedBlock, number: number, index: number): AnswerBlock => {
  const digits = String(number).padStart(14, "0") + String(index + 1).padStart(6, "0")
  if (isText(block)) return textBlock(block.text)
  if (isThinking(block)) {
    return thinkingBlock(block.thinking, block.signature)
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
export const isToolUse = (block: PlannedBlock): block is Extract<PlannedBlock, { readonly type: "tool_use" }> =>
  block.type === "tool_use"
const isServerToolUse = (block: PlannedBlock): block is Extract<PlannedBlock, { readonly type: "server_tool_use" }> =>
  block.type === "server_tool_use"
