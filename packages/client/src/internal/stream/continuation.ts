import type { ContentBlock, MessageParam } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Predicate from "effect/Predicate"
import type { MessageRequest } from "../../ClaudeService.ts"
import * as ModelCapabilities from "../../ModelCapabilities.ts"
import * as TokenEstimate from "../../TokenEstimate.ts"
import { carryAlternative } from "../prefillAlternative.ts"
import { anchorOf } from "./Joint.ts"
import type { Kept } from "./resumable.ts"

/** How a model is made to go on: by the beginning of its answer, or by being asked to. */
export type Way = "prefill" | "message"

const forcesTool = ({ tool_choice }: MessageRequest): boolean =>
  tool_choice?.type === "any" || tool_choice?.type === "tool"

const thinks = ({ thinking }: MessageRequest): boolean => thinking !== undefined && thinking.type !== "disabled"

/** Whether the answer has a form that half of it does not have, and that no turn of a conversation can go on with. */
export const hasOutputFormat = ({ output_config }: MessageRequest): boolean =>
  output_config?.format !== undefined && output_config.format !== null

/** Whether this model can be given the beginning of its answer. One of which that is not known is asked to go on. */
export const takesPrefill = (request: MessageRequest, model: string, { blocks }: Kept): boolean =>
  ModelCapabilities.of(model).prefill === true
  && !thinks(request)
  && !forcesTool(request)
  && blocks.at(-1)?.type === "text"

const instruction = (text: string): string => {
  const start =
    "Your previous message was cut off by a technical failure before it was finished. Everything up to the cut "
    + "has been delivered. Go on exactly where it ends, in the same language, style and format, as if there had been no "
    + "cut: no apology, no comment on the cut, no summary and no new beginning."
  if (text === "") return start
  return `${start}\n\nBegin by repeating these last words of it, letter by letter and without any mark around them, and write `
    + `on from there:\n\n<last_words>${anchorOf(text)}</last_words>`
}

const blocksOf = (content: MessageParam["content"]): ReadonlyArray<ContentBlock> =>
  (typeof content === "string" ? [{ type: "text", text: content }] : content) as ReadonlyArray<ContentBlock>

/** The model's turn so far: what is kept of it, behind the beginning that the program itself may have given. */
const turnOf = (messages: ReadonlyArray<MessageParam>, kept: ReadonlyArray<ContentBlock>) => {
  const last = messages.at(-1)
  if (last?.role !== "assistant") return { before: messages, content: kept }
  const begun = blocksOf(last.content)
  const [end, first] = [begun.at(-1), kept[0]]
  // One text, as it was: a border between two blocks would be another prompt.
  const content = end?.type === "text" && first?.type === "text"
    ? [...begun.slice(0, -1), { ...first, text: end.text + first.text }, ...kept.slice(1)]
    : [...begun, ...kept]
  return { before: messages.slice(0, -1), content }
}

// Of what a server sent, half of it perhaps, only the type is sure.
const tokensOf = (text: unknown): number => Predicate.isString(text) ? TokenEstimate.ofText(text) : 0

/** About how many tokens an answer took that broke off before it could say. */
export const writtenTokens = (content: ReadonlyArray<ContentBlock>): number =>
  content.reduce((sum, block) => {
    if (block.type === "text") return sum + tokensOf(block.text)
    if (block.type === "thinking") return sum + tokensOf(block.thinking)
    if (block.type !== "tool_use" && block.type !== "server_tool_use") return sum
    return sum + TokenEstimate.ofText(typeof block.input === "string" ? block.input : JSON.stringify(block.input ?? ""))
  }, 0)

/** The request that makes a model go on with an answer that broke off. */
export const continuationOf = (
  request: MessageRequest,
  kept: Kept,
  way: Way
): MessageRequest => {
  if (kept.blocks.length === 0) return request
  const { before, content } = turnOf(request.messages, kept.blocks)
  const prefilled: Array<MessageParam> = [...before, { role: "assistant", content: content as Array<ContentBlock> }]
  const asked: MessageParam = { role: "user", content: instruction(kept.text) }
  // What was taken back leaves its room, and what is repeated takes none of it.
  const repeated = way === "message" ? TokenEstimate.ofText(anchorOf(kept.text)) : 0
  const room = request.max_tokens - writtenTokens(kept.blocks) + repeated
  const left = Math.min(request.max_tokens, Math.max(1 + repeated, room))
  const { thinking, ...rest } = request
  // Its budget must be smaller than `max_tokens`.
  const fits = thinking?.type !== "enabled" || thinking.budget_tokens < left
  const continuation = { ...rest, ...(thinking !== undefined && fits ? { thinking } : undefined), max_tokens: left }
  return way === "prefill"
    ? carryAlternative({ ...continuation, messages: prefilled }, asked)
    : { ...continuation, messages: [...prefilled, asked] }
}
