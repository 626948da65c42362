import type {
  MessageDeltaUsage,
  RawContentBlockDelta,
  RawContentBlockDeltaEvent,
  RawContentBlockStopEvent,
  RawMessageDeltaEvent,
  RawMessageStartEvent,
  RawMessageStopEvent,
  TextBlock,
  ThinkingBlock,
  ToolUseBlock
} from "@anthropic-ai/sdk/resources/messages"
import type { AnswerMessage } from "./AnswerMessage.ts"
import { type AnswerBlock, answerBlocks, type PlannedContent, type ServerToolUse } from "./MessageContent.ts"
import { TruncatedInput } from "./TruncatedInput.ts"

export type AnswerEvent =
  | (Omit<RawMessageStartEvent, "message"> & { readonly message: AnswerMessage })
  | { readonly type: "content_block_start"; readonly index: number; readonly content_block: AnswerBlock }
  | RawContentBlockDeltaEvent
  | RawContentBlockStopEvent
  | (Omit<RawMessageDeltaEvent, "delta" | "usage"> & {
    readonly delta: Omit<RawMessageDeltaEvent["delta"], "stop_details"> & Pick<AnswerMessage, "stop_details">
    readonly usage: MessageDeltaUsage & Pick<AnswerMessage["usage"], "iterations" | "fallback_credit">
  })
  | RawMessageStopEvent

/**
 * Every event of a healthy stream in wire order, pings left out. It begins before anybody knows whether another model
 * than the requested one will have to answer.
 */
export const streamEvents = (message: AnswerMessage, requestedModel: string): ReadonlyArray<AnswerEvent> => {
  const { fallback_credit, iterations, ...usage } = message.usage
  return [
    {
      type: "message_start",
      message: {
        ...message,
        model: requestedModel,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        stop_details: null,
        usage: { ...usage, output_tokens: Math.min(1, usage.output_tokens) }
      }
    },
    ...message.content.flatMap(blockEvents),
    {
      type: "message_delta",
      delta: {
        stop_reason: message.stop_reason,
        stop_sequence: message.stop_sequence,
        stop_details: message.stop_details,
        container: null
      },
      usage: {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cache_creation_input_tokens: usage.cache_creation_input_tokens,
        cache_read_input_tokens: usage.cache_read_input_tokens,
        output_tokens_details: usage.output_tokens_details,
        server_tool_use: usage.server_tool_use,
        ...(iterations === undefined ? {} : { iterations }),
        ...(fallback_credit === undefined ? {} : { fallback_credit })
      }
    },
    { type: "message_stop" }
  ]
}

/** How many events the stream of a planned answer has, pings left out. */
export const eventCount = (planned: PlannedContent): number =>
  answerBlocks(planned, 0).reduce((count, block, index) => count + blockEvents(block, index).length, 3)

const blockEvents = (block: AnswerBlock, index: number): ReadonlyArray<AnswerEvent> => [
  { type: "content_block_start", index, content_block: emptied(block) },
  ...deltas(block).map((delta): AnswerEvent => ({ type: "content_block_delta", index, delta })),
  { type: "content_block_stop", index }
]

const isText = (block: AnswerBlock): block is TextBlock => block.type === "text"
const isThinking = (block: AnswerBlock): block is ThinkingBlock => block.type === "thinking"
const isToolUse = (block: AnswerBlock): block is ToolUseBlock | ServerToolUse =>
  block.type === "tool_use" || block.type === "server_tool_use"

const emptied = (block: AnswerBlock): AnswerBlock => {
  if (isText(block)) return { ...block, text: "" }
  if (isThinking(block)) return { ...block, thinking: "", signature: "" }
  if (isToolUse(block)) return { ...block, input: {} }
  return block
}

const deltas = (block: AnswerBlock): ReadonlyArray<RawContentBlockDelta> => {
  if (isText(block)) return words(block.text).map((text) => ({ type: "text_delta", text }))
  if (isThinking(block)) {
    return [
      ...words(block.thinking).map((thinking): RawContentBlockDelta => ({ type: "thinking_delta", thinking })),
      { type: "signature_delta", signature: block.signature }
    ]
  }
  if (isToolUse(block)) {
    const json = block.input instanceof TruncatedInput ? block.input.json : JSON.stringify(block.input)
    return pieces(json, 16).map((partial_json) => ({ type: "input_json_delta", partial_json }))
  }
  return []
}

/** The words of a text, each with the white space after it and the first with that before it: joined, they are the text. */
export const words = (text: string): ReadonlyArray<string> => text === "" ? [] : text.split(/(?<=\S\s+)(?=\S)/)

const pieces = (text: string, size: number): ReadonlyArray<string> => {
  const characters = Array.from(text)
  return Array.from(
    { length: Math.ceil(characters.length / size) },
    (_, index) => characters.slice(index * size, (index + 1) * size).join("")
  )
}
