import type { ContentBlock, ContentBlockParam, Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import { type ClaudeError, InvalidRequestError, StreamInterruptedError } from "@effect-claude/client/ClaudeError"
import { ClaudeService, type ClaudeServiceShape, type MessageRequest } from "@effect-claude/client/ClaudeService"
import { fromMessage, makeAccumulator, type MessageEvent } from "@effect-claude/client/MessageEvents"
import * as ModelCapabilities from "@effect-claude/client/ModelCapabilities"
import * as Reply from "@effect-claude/testing/Reply"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

/** How a model goes on that is asked to: with the words it was asked for, or with so many of its own. */
export type Manner = "obeys" | { readonly overlap: number }

export interface Script {
  /** The whole answer. */
  readonly content: ReadonlyArray<ContentBlock>
  /** After how many events each stream is cut; those after the last one are whole. */
  readonly cuts: ReadonlyArray<number>
  readonly manner?: Manner | undefined
  /** How many characters a delta has. */
  readonly pieceOf?: (() => number) | undefined
  /** What a cut fails with. */
  readonly error?: ((request: number) => ClaudeError) | undefined
  /** What a request fails with before anything is shown. */
  readonly refuses?: ((request: MessageRequest, number: number) => ClaudeError | undefined) | undefined
}

const pieces = (text: string, size: () => number): ReadonlyArray<string> => {
  const out: Array<string> = []
  for (let at = 0; at < text.length;) {
    const next = at + size()
    out.push(text.slice(at, next))
    at = next
  }
  return out
}

/** The events of a message, its text and thinking in small deltas. */
export const eventsOf = (message: Message, size: () => number): ReadonlyArray<MessageEvent> =>
  fromMessage(message).flatMap((event): ReadonlyArray<MessageEvent> => {
    if (event.type !== "content_block_delta") return [event]
    const { delta } = event
    if (delta.type === "text_delta") {
      return pieces(delta.text, size).map((text) => ({ ...event, delta: { type: "text_delta", text } }))
    }
    if (delta.type === "thinking_delta") {
      return pieces(delta.thinking, size).map((thinking) => ({ ...event, delta: { ...delta, thinking } }))
    }
    if (delta.type !== "input_json_delta") return [event]
    return pieces(delta.partial_json, size).map((partial_json) => ({ ...event, delta: { ...delta, partial_json } }))
  })

const textOf = (blocks: ReadonlyArray<ContentBlock | ContentBlockParam>): string =>
  blocks.map((block) => block.type === "text" ? block.text : "").join("")

const refuse = (message: string) => new InvalidRequestError({ message, status: 400 })

/** What the API would say against a request. */
const objection = ({ messages, model, output_config }: MessageRequest): ClaudeError | undefined => {
  for (const [position, { content, role }] of messages.entries()) {
    if (role !== "assistant" || typeof content === "string") continue
    const isLast = position === messages.length - 1
    if (isLast && ModelCapabilities.of(model).prefill !== true) return refuse("does not support assistant prefill")
    if (isLast && output_config?.format) return refuse("no prefill with an output format")
    for (const block of content) {
      if (block.type === "text" && block.text.trim() === "") return refuse("text content blocks must be non-empty")
      if (block.type === "text" && /[\uD800-\uDBFF](?![\uDC00-\uDFFF])/.test(block.text)) return refuse("no valid text")
      if (block.type === "thinking" && block.signature === "") return refuse("thinking blocks cannot be modified")
      if (block.type === "tool_use" && isLast) return refuse("tool_use without tool_result")
    }
    const last = content.at(-1)
    if (last?.type === "thinking") return refuse("the final block cannot be thinking")
    if (isLast && last?.type === "text" && /\s$/.test(last.text)) return refuse("cannot end with trailing whitespace")
  }
  return undefined
}

const lastWords = (text: string, count: number): string =>
  new RegExp(`(?:\\S+\\s+){0,${count - 1}}\\S+$`).exec(text.trimEnd())?.[0] ?? ""

/** What is left of an answer for a request that holds its beginning. */
const rest = (content: ReadonlyArray<ContentBlock>, request: MessageRequest, manner: Manner) => {
  const last = request.messages.at(-1)
  const turn = last?.role === "assistant" ? last : request.messages.at(-2)
  if (turn?.role !== "assistant" || typeof turn.content === "string") return content
  const given = textOf(turn.content)
  const asked = last?.role === "user" && typeof last.content === "string"
    ? /<last_words>([^]*)<\/last_words>/.exec(last.content)?.[1]
    : undefined
  const repeated = last?.role === "assistant"
    ? ""
    : manner === "obeys"
    ? asked ?? ""
    : manner.overlap === 0
    ? ""
    : lastWords(given, manner.overlap)
  let left = given.length - repeated.length
  const from = content.findIndex((block) => {
    if (block.type !== "text") return false
    if (block.text.length > left) return true
    left -= block.text.length
    return false
  })
  return content.slice(from === -1 ? content.length : from).map((block, index) =>
    index === 0 && block.type === "text" ? { ...block, text: block.text.slice(left) } : block
  )
}

/** A service with one answer, whose streams are cut, and which goes on with it as the API does. */
export const make = ({ content, cuts, error, manner = "obeys", pieceOf = () => 7, refuses }: Script) => {
  const requests: Array<MessageRequest> = []
  const streamMessage: ClaudeServiceShape["streamMessage"] = (request) =>
    Stream.suspend(() => {
      requests.push(request)
      const refused = objection(request) ?? refuses?.(request, requests.length)
      if (refused !== undefined) return Stream.fail(refused)
      const message = AnswerInfo.annotate(
        Reply.message("", {
          content: [...rest(content, request, manner)],
          model: request.model,
          id: `msg_${requests.length}`,
          usage: { input_tokens: 10, output_tokens: 5 }
        }),
        { requestId: `req_${requests.length}` }
      )
      const events = eventsOf(message, pieceOf)
      const cut = cuts[requests.length - 1]
      if (cut === undefined) return Stream.fromIterable(events)
      const accumulator = makeAccumulator()
      const sent = events.slice(0, cut)
      for (const event of sent) accumulator.add(event)
      const failure = error?.(requests.length)
        ?? new StreamInterruptedError({ message: "cut", partial: accumulator.partial(), model: request.model })
      return Stream.concat(Stream.fromIterable(sent), Stream.fail(failure))
    })
  const service: ClaudeServiceShape = {
    streamMessage,
    createMessage: () => Effect.die("not for this test"),
    countTokens: () => Effect.die("not for this test"),
    policies: []
  }
  return { requests, layer: Layer.succeed(ClaudeService, service) }
}

export const text = (written: string): ContentBlock => ({ type: "text", text: written, citations: null })
export const thinking = (thought: string): ContentBlock => ({ type: "thinking", thinking: thought, signature: "c2ln" })
export const toolUse = (input: unknown): ContentBlock => ({
  type: "tool_use",
  id: "toolu_1",
  name: "run",
  input,
  caller: { type: "direct" }
})
export const search = (id = "srv_1"): ReadonlyArray<ContentBlock> =>
  [
    { type: "server_tool_use", id, name: "web_search", input: { query: "x" }, caller: { type: "direct" } },
    { type: "web_search_tool_result", tool_use_id: id, content: [], caller: { type: "direct" } }
  ] as ReadonlyArray<ContentBlock>
