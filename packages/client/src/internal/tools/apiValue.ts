import type { Message, MessageParam, ToolResultBlockParam } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"

/** A value of the API's own types: checked for what the tool loop relies on, and otherwise kept as it is. */
const apiValue = <A>(expected: string, isOne: (value: unknown) => value is A): Schema.declare<A> =>
  Schema.declare(isOne, {
    expected,
    toCodecJson: () =>
      Schema.link<A>()(
        Schema.Json,
        SchemaTransformation.transform({
          decode: (json) => json as unknown as A,
          // A field that is `undefined` is one that JSON does not have.
          encode: (value) => JSON.parse(JSON.stringify(value)) as Schema.Json
        })
      )
  })

const hasBlocks = (content: unknown): boolean =>
  Array.isArray(content) && content.every((block) => Predicate.isObject(block) && Predicate.isString(block["type"]))

export const ApiMessage = apiValue(
  "an answer of the API",
  (value): value is Message =>
    Predicate.isObject(value) && value["role"] === "assistant" && hasBlocks(value["content"])
    && Predicate.isString(value["stop_reason"])
)

export const ApiTurn = apiValue(
  "a turn of a conversation",
  (value): value is MessageParam =>
    // Not its content: a conversation that is handed in is the API's to judge.
    Predicate.isObject(value) && Predicate.isString(value["role"])
)

export const ApiToolResult = apiValue(
  "the result of a tool",
  (value): value is ToolResultBlockParam =>
    Predicate.isObject(value) && value["type"] === "tool_result" && Predicate.isString(value["tool_use_id"])
)

/** What a tool gives the model: a text or blocks of content. */
export type ToolOutput = NonNullable<ToolResultBlockParam["content"]>

export const ApiToolOutput = apiValue(
  "a text or blocks of content",
  (value): value is ToolOutput => Predicate.isString(value) || hasBlocks(value)
)
