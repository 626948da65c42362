import type { ContentBlock, Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Predicate from "effect/Predicate"

const isBlock = (block: unknown): block is ContentBlock =>
  Predicate.hasProperty(block, "type") && Predicate.isString(block.type)

/** The blocks of a message. A gateway's 200 may have none, or something else in their place. */
export const contentOf = ({ content }: { readonly content?: unknown }): Message["content"] =>
  Array.isArray(content) ? content.filter(isBlock) : []

/** What a block adds to the text of its message. */
export const textOf = (block: ContentBlock): string =>
  block.type === "text" && Predicate.isString(block.text) ? block.text : ""

// Blocks of the beta come through the same service; the SDK's plain types do not list them.
const typeOf = ({ type }: ContentBlock): string => type

const silent: ReadonlySet<string> = new Set(["thinking", "redacted_thinking", "fallback"])

/** Whether a block is a text that has nothing in it. */
export const isBlankText = (block: ContentBlock): boolean => block.type === "text" && textOf(block).trim() === ""

/** Whether a block says nothing to whoever asked: thinking, blank text, the mark where one model handed over to another. */
export const isBlank = (block: ContentBlock): boolean => isBlankText(block) || silent.has(typeOf(block))

const toolCalls: ReadonlySet<string> = new Set(["tool_use", "server_tool_use", "mcp_tool_use"])

/** Whether a block is the call of a tool: the program's, the API's, or an MCP server's. */
export const isToolCall = (block: ContentBlock): boolean => toolCalls.has(typeOf(block))

/** Whether a block is the call of a tool with an input that is none. Of one that was cut in a stream, its text is left. */
export const isBrokenCall = (block: ContentBlock): boolean =>
  isToolCall(block) && !(Predicate.hasProperty(block, "input") && Predicate.isObject(block.input))

/** Whether a block marks where one model of the API's own fallback handed over to the next. */
export const isHandover = (block: ContentBlock): boolean => typeOf(block) === "fallback"

const answeredBy = (block: ContentBlock): unknown => Predicate.hasProperty(block, "tool_use_id") && block.tool_use_id

/** The calls among these blocks whose result is among them too, by id. */
export const answeredCalls = (content: ReadonlyArray<ContentBlock>): ReadonlySet<unknown> =>
  new Set(content.map(answeredBy))
