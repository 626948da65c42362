import * as Predicate from "effect/Predicate"
import type { ToolResult } from "../../ToolRecord.ts"

type Block = Extract<ToolResult["content"], ReadonlyArray<unknown>>[number]

const isBlankText = (block: Block): boolean =>
  block.type === "text" && Predicate.isString(block.text) && block.text.trim() === ""

const wellFormed = (block: Block): Block =>
  block.type === "text" && Predicate.isString(block.text) ? { ...block, text: block.text.toWellFormed() } : block

/**
 * A result as the API takes it. It refuses half a character, which is left where a tool cuts a text, a block of blank text, and
 * an error that says nothing; and a conversation with any of these would be refused for ever.
 */
export const sendableResult = ({ content, isError }: ToolResult): ToolResult => {
  const sendable = Predicate.isString(content)
    ? content.toWellFormed()
    : content.filter((block) => !isBlankText(block)).map(wellFormed)
  const isBlank = Predicate.isString(sendable) ? sendable.trim() === "" : sendable.length === 0
  return { content: !isBlank ? sendable : isError ? "The tool failed." : "", isError }
}
