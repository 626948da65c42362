import type { Message, RefusalStopDetails, StopReason, Usage } from "@anthropic-ai/sdk/resources/messages"
import type { Turn } from "./Conversation.ts"
import { type AnswerBlock, answerBlocks, type PlannedContent } from "./MessageContent.ts"
import { remainingBlocks } from "./Resumption.ts"
import { estimateOutputTokens } from "./TokenEstimate.ts"

/** The SDK's `Message`, except that a block may be of a type the SDK does not know. */
export type AnswerMessage = Omit<Message, "content"> & { readonly content: ReadonlyArray<AnswerBlock> }

export interface PlannedMessage extends PlannedContent {
  readonly stopReason?: StopReason | undefined
  readonly stopSequence?: string | undefined
  readonly stopDetails?: RefusalStopDetails | undefined
  readonly usage?: PlannedUsage | undefined
  readonly resume?: boolean | { readonly overlap: number } | undefined
}

export interface PlannedUsage {
  readonly input_tokens?: number | undefined
  readonly output_tokens?: number | undefined
  readonly cache_creation_input_tokens?: number | undefined
  readonly cache_read_input_tokens?: number | undefined
}

export const answerMessage = (planned: PlannedMessage, request: {
  readonly number: number
  readonly model: string
  readonly turns: ReadonlyArray<Turn>
  readonly inputTokens: number
}): AnswerMessage => {
  const content = answerContent(planned, request)
  return {
    id: `msg_fake${String(request.number).padStart(20, "0")}`,
    type: "message",
    role: "assistant",
    model: request.model,
    content,
    stop_reason: planned.stopReason ?? defaultStopReason(planned, content),
    stop_sequence: planned.stopSequence ?? null,
    stop_details: planned.stopDetails ?? null,
    usage: usage(planned.usage ?? {}, request.inputTokens, content),
    container: null,
    diagnostics: null
  }
}

const answerContent = (planned: PlannedMessage, request: {
  readonly number: number
  readonly turns: ReadonlyArray<Turn>
}): ReadonlyArray<AnswerBlock> => {
  const blocks = answerBlocks(planned, request.number)
  const { resume = false } = planned
  return resume === false ? blocks : remainingBlocks(blocks, request.turns, resume === true ? 0 : resume.overlap)
}

const defaultStopReason = (planned: PlannedMessage, content: ReadonlyArray<AnswerBlock>): StopReason => {
  if (planned.stopSequence !== undefined) return "stop_sequence"
  if (planned.stopDetails !== undefined) return "refusal"
  return content.some((block) => block.type === "tool_use") ? "tool_use" : "end_turn"
}

const usage = (planned: PlannedUsage, inputTokens: number, content: ReadonlyArray<AnswerBlock>): Usage => ({
  input_tokens: planned.input_tokens ?? inputTokens,
  output_tokens: planned.output_tokens ?? estimateOutputTokens(content),
  cache_creation_input_tokens: planned.cache_creation_input_tokens ?? 0,
  cache_read_input_tokens: planned.cache_read_input_tokens ?? 0,
  cache_creation: { ephemeral_5m_input_tokens: planned.cache_creation_input_tokens ?? 0, ephemeral_1h_input_tokens: 0 },
  inference_geo: null,
  output_tokens_details: null,
  server_tool_use: null,
  service_tier: "standard",
  speed: "standard"
})
