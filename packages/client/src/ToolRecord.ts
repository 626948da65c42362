/**
 * What is kept of a run of a tool loop: the entries of its conversation and the results of its tools, as Schemas.
 *
 * **Example** (Writing an entry as JSON)
 *
 * ```ts
 * import { Entry } from "@effect-claude/client/ToolRecord"
 * import { assert } from "@effect/vitest"
 * import * as Schema from "effect/Schema"
 *
 * const codec = Schema.fromJsonString(Schema.toCodecJson(Entry))
 * const entry: Entry = { _tag: "Began", messages: [{ role: "user", content: "Hello" }] }
 *
 * assert.deepStrictEqual(Schema.decodeSync(codec)(Schema.encodeSync(codec)(entry)), entry)
 * ```
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { ApiMessage, ApiToolOutput, ApiToolResult, ApiTurn } from "./internal/tools/apiValue.ts"
import { TokenUsage } from "./TokenUsage.ts"

/**
 * What a tool gave the model: a text or blocks of content, and whether it is an error. As a value it is its Schema.
 *
 * @category models
 * @since 0.1.0
 */
export const ToolResult = Schema.Struct({ content: ApiToolOutput, isError: Schema.Boolean })

/**
 * What a tool gave the model.
 *
 * @category models
 * @since 0.1.0
 */
export type ToolResult = typeof ToolResult.Type

/**
 * One thing that happened to a conversation. Its transcript, its usage and its number of steps follow from the entries in
 * their order. As a value it is its Schema.
 *
 * **Details**
 *
 * - `Began`: with these messages, once and first.
 * - `Answered`: the model gave this answer.
 * - `ToolsRan`: these are the results of all the tools that the answer before asked for.
 * - `Spent`: an attempt that came to nothing took so much.
 *
 * @category models
 * @since 0.1.0
 */
export const Entry = Schema.Union([
  Schema.TaggedStruct("Began", { messages: Schema.Array(ApiTurn) }),
  Schema.TaggedStruct("Answered", { message: ApiMessage }),
  Schema.TaggedStruct("ToolsRan", { results: Schema.Array(ApiToolResult) }),
  Schema.TaggedStruct("Spent", { usage: TokenUsage })
])

/**
 * One thing that happened to a conversation.
 *
 * @category models
 * @since 0.1.0
 */
export type Entry = typeof Entry.Type
