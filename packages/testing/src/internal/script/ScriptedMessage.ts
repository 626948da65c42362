import type {
  ContentBlock,
  Message,
  RawContentBlockDelta,
  RawMessageStreamEvent,
  Usage
} from "@anthropic-ai/sdk/resources/messages/messages"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import type { Frame, Pause, StepCall } from "./Step.ts"

/** Fields of a message that replace the usual ones; of `usage` only those that are given. */
export type MessageOverrides = Partial<Omit<Message, "usage">> & { readonly usage?: Partial<Usage> | undefined }

const inputTokens = 10

// Four characters a token is the rule of thumb for English; an exact count would need the tokenizer.
const charactersPerToken = 4

const outputTokens = (content: ReadonlyArray<ContentBlock>): number => {
  const characters = content.reduce(
    (sum, block) => sum + (block.type === "text" ? block.text : JSON.stringify(block)).length,
    0
  )
  return Math.max(1, Math.ceil(characters / charactersPerToken))
}

const usageOf = (content: ReadonlyArray<ContentBlock>): Usage => ({
  input_tokens: inputTokens,
  output_tokens: outputTokens(content),
  cache_creation: null,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  inference_geo: null,
  output_tokens_details: null,
  server_tool_use: null,
  service_tier: "standard",
  speed: "standard"
})

export const override = (message: Message, { usage, ...overrides }: MessageOverrides): Message => {
  const base = overrides.content === undefined ? message.usage : usageOf(overrides.content)
  return { ...message, ...overrides, usage: { ...base, ...usage } }
}

export const fromContent = (content: Array<ContentBlock>, identity: Identity): Message => ({
  id: identity.id,
  type: "message",
  role: "assistant",
  model: identity.model,
  content,
  stop_reason: content.some((block) => block.type === "tool_use") ? "tool_use" : "end_turn",
  stop_sequence: null,
  stop_details: null,
  usage: usageOf(content),
  container: null,
  diagnostics: null
})

interface Identity {
  readonly id: string
  readonly model: string
}

/** What a message is called that no call asked for. */
export const standalone: Identity = { id: "msg_test", model: "claude-sonnet-5-5" }

export const identityOf = (call: StepCall): Identity => ({ id: `msg_test_${call.number}`, model: call.model })

export const textMessage = (text: string, identity: Identity): Message =>
  fromContent([{ type: "text", text, citations: null }], identity)

export const toolMessage = (name: string, input: unknown, identity: Identity): Message =>
  fromContent(
    [{ type: "tool_use", id: identity.id.replace("msg", "toolu"), name, input, caller: { type: "direct" } }],
    identity
  )

const charactersPerDelta = 8

/** By code points: half a surrogate pair is no text that the API would send. */
const pieces = (text: string): ReadonlyArray<string> => {
  const characters = Array.from(text)
  return Array.from(
    { length: Math.ceil(characters.length / charactersPerDelta) },
    (_, index) => characters.slice(index * charactersPerDelta, (index + 1) * charactersPerDelta).join("")
  )
}

const split = (delta: RawContentBlockDelta): ReadonlyArray<RawContentBlockDelta> => {
  switch (delta.type) {
    case "text_delta":
      return pieces(delta.text).map((text) => ({ ...delta, text }))
    case "thinking_delta":
      return pieces(delta.thinking).map((thinking) => ({ ...delta, thinking }))
    case "input_json_delta":
      return pieces(delta.partial_json).map((partial_json) => ({ ...delta, partial_json }))
    case "citations_delta":
    case "signature_delta":
      return [delta]
  }
}

const splitEvent = (event: RawMessageStreamEvent): ReadonlyArray<Frame> => {
  switch (event.type) {
    case "message_start":
      return [event, { type: "ping" }]
    case "content_block_delta":
      return split(event.delta).map((delta) => ({ ...event, delta }))
    case "content_block_start":
    case "content_block_stop":
    case "message_delta":
    case "message_stop":
      return [event]
  }
}

/** A message of one text as a stream that brings it in these pieces. */
export const inPieces = (message: Message, pieces: ReadonlyArray<string | Pause>): ReadonlyArray<Frame> =>
  MessageEvents.fromMessage(message).flatMap((event): ReadonlyArray<Frame> => {
    switch (event.type) {
      case "message_start":
        return [event, { type: "ping" }]
      case "content_block_start":
        return [event, ...pieces.map((piece) => typeof piece === "string" ? textDelta(event.index, piece) : piece)]
      case "content_block_delta":
        return []
      default:
        return [event]
    }
  })

const textDelta = (index: number, text: string): Frame => ({
  type: "content_block_delta",
  index,
  delta: { type: "text_delta", text }
})

/** A message as the API streams it: content in small deltas, and a ping after the start. */
export const streamed = (message: Message): ReadonlyArray<Frame> =>
  MessageEvents.fromMessage(message).flatMap(splitEvent)
