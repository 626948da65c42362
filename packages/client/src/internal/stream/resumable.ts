import type { ContentBlock } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Predicate from "effect/Predicate"
import type { PartialAnswer } from "../../ClaudeError.ts"
import { isBlankText } from "../answer/blocks.ts"

// By the endings of their names, so that kinds of later versions are taken for what they are.
const isTool = ({ type }: ContentBlock): boolean => type === "tool_use" || type.endsWith("_tool_use")

/** A tool that the API runs itself, such as a search. */
export const isServerTool = (block: ContentBlock): boolean => isTool(block) && block.type !== "tool_use"

const isToolResult = ({ type }: ContentBlock): boolean => type.endsWith("_tool_result")

export const isThinking = ({ type }: ContentBlock): boolean => type === "thinking" || type === "redacted_thinking"

const property = (block: ContentBlock, name: string): unknown =>
  Predicate.hasProperty(block, name) ? block[name] : undefined

const isSigned = (block: ContentBlock): boolean =>
  block.type === "redacted_thinking"
  || (Predicate.isString(property(block, "signature")) && property(block, "signature") !== "")

// A character that was cut in half is none yet, and text that holds one is refused.
const wholeCharacters = (text: string): string => /[\uD800-\uDBFF]$/.test(text) ? text.slice(0, -1) : text

/** The blocks of an answer with what is known of them. */
interface Look {
  readonly blocks: ReadonlyArray<ContentBlock>
  readonly isOpen: (position: number) => boolean
  /** Whether the tool of the API at this position, or the one whose result this is, has both its call and its result. */
  readonly isPaired: (block: ContentBlock) => boolean
}

const lookAt = ({ message, unfinished = [] }: PartialAnswer, count = Number.POSITIVE_INFINITY): Look => {
  const blocks = (message?.content ?? []).slice(0, count)
  const isOpen = (position: number) => unfinished.includes(position)
  const ids = (kind: (block: ContentBlock) => boolean, name: string): ReadonlySet<unknown> =>
    new Set(blocks.flatMap((block, position) => kind(block) && !isOpen(position) ? [property(block, name)] : []))
  const calls = ids(isServerTool, "id")
  const results = ids(isToolResult, "tool_use_id")
  return {
    blocks,
    isOpen,
    isPaired: (block) => {
      const id = property(block, isToolResult(block) ? "tool_use_id" : "id")
      return calls.has(id) && results.has(id)
    }
  }
}

const isText = (block: ContentBlock): block is Extract<ContentBlock, { readonly type: "text" }> =>
  block.type === "text" && Predicate.isString(block.text)

const resumed =
  ({ isOpen, isPaired }: Look) => (block: ContentBlock, position: number): ReadonlyArray<ContentBlock> => {
    if (isText(block)) {
      const text = isOpen(position) ? wholeCharacters(block.text) : block.text
      // The API takes no text that is blank.
      return text.trim() === "" ? [] : [text === block.text ? block : { ...block, text }]
    }
    if (isOpen(position)) return []
    if (isThinking(block)) return isSigned(block) ? [block] : []
    if (block.type === "tool_use") return Predicate.isObject(block.input) ? [block] : []
    return isServerTool(block) || isToolResult(block) ? isPaired(block) ? [block] : [] : [block]
  }

// What a model wrote before it refused is to be discarded.
const isRefused = ({ message }: PartialAnswer): boolean => message?.stop_reason === "refusal"

/** The blocks that may be sent back as the beginning of the model's turn. */
export const resumableBlocks = (partial: PartialAnswer): ReadonlyArray<ContentBlock> => {
  if (isRefused(partial)) return []
  const look = lookAt(partial)
  return look.blocks.flatMap(resumed(look))
}

/** The text that is safe to show. */
export const shownText = (partial: PartialAnswer): string => isRefused(partial) ? "" : wholeCharacters(partial.text)

/** What of an answer that broke off stays, and what of that is sent back. */
export interface Kept {
  /**
   * What is sent: text at the end has no white space behind it, which the API does not take. Empty if all that was shown is white
   * space, so that the whole answer is asked for again.
   */
  readonly blocks: ReadonlyArray<ContentBlock>
  /** How many blocks stay with the consumer, from the first one on. */
  readonly count: number
  /** The index of a text block that the answer goes on in. */
  readonly open: number | undefined
  /** The text at the end of what is sent. Empty if no text is there. */
  readonly text: string
  /** What the consumer has seen beyond that text: white space, and half of a character. */
  readonly tail: string
}

/** How many blocks stay: those at the end that cannot be gone on from are taken back. */
const countKept = ({ blocks, isOpen, isPaired }: Look): number => {
  let count = blocks.length
  for (let position = blocks.length - 1; position >= 0; position--) {
    const block = blocks[position] as ContentBlock
    // Text that was shown stays, whatever stands before it.
    if (isText(block) ? block.text.trim() !== "" : !isOpen(position) && isToolResult(block) && isPaired(block)) break
    if (!isBlankText(block)) count = position
  }
  return count
}

/**
 * What is kept of an answer to go on from. A tool of the program, and what came behind it, is never part of it. `undefined` if
 * there is nothing to go on from.
 */
export const keptOf = (partial: PartialAnswer): Kept | undefined => {
  if (isRefused(partial)) return undefined
  const all = lookAt(partial)
  const tool = all.blocks.findIndex(({ type }) => type === "tool_use")
  const count = countKept(tool === -1 ? all : lookAt(partial, tool))
  const look = lookAt(partial, count)
  const blocks = look.blocks.flatMap(resumed(look))
  const last = blocks.at(-1)
  const open = look.isOpen(count - 1) ? count - 1 : undefined
  if (last === undefined && count > 0 && look.blocks.every(isBlankText)) {
    return { blocks, count, open, text: "", tail: textBehind(look, () => false) }
  }
  if (last === undefined || blocks.every(isThinking)) return undefined
  if (!isText(last)) return { blocks, count, open, text: "", tail: textBehind(look, isToolResult) }
  const sent = wholeCharacters(last.text).trimEnd()
  const written = textBehind(look, (block) => !isText(block))
  const text = written.slice(0, wholeCharacters(written).trimEnd().length)
  return {
    blocks: [...blocks.slice(0, -1), sent === last.text ? last : { ...last, text: sent }],
    count,
    open,
    text,
    tail: written.slice(text.length)
  }
}

/** The text of the blocks behind the last one of a kind. */
const textBehind = ({ blocks }: Look, kind: (block: ContentBlock) => boolean): string =>
  blocks.slice(blocks.findLastIndex(kind) + 1).map((block) => isText(block) ? block.text : "").join("")
