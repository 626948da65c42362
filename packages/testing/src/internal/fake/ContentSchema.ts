import * as Schema from "effect/Schema"

const Text = Schema.Struct({
  type: Schema.Literal("text"),
  text: Schema.String
})

const Thinking = Schema.Struct({
  type: Schema.Literal("thinking"),
  thinking: Schema.String,
  signature: Schema.optional(Schema.String)
})

const ToolUse = Schema.Struct({
  type: Schema.Literal("tool_use"),
  name: Schema.NonEmptyString,
  input: Schema.Json,
  id: Schema.optional(Schema.NonEmptyString)
})

const ServerToolUse = Schema.Struct({
  type: Schema.Literal("server_tool_use"),
  name: Schema.NonEmptyString,
  input: Schema.Json,
  id: Schema.optional(Schema.NonEmptyString),
  caller: Schema.optional(Schema.Json)
})

const completed = new Set(["text", "thinking", "tool_use", "server_tool_use"])

const Verbatim = Schema.StructWithRest(
  Schema.Struct({
    type: Schema.NonEmptyString.check(
      Schema.makeFilter((type) => !completed.has(type), {
        expected: "a block type that is sent as it is",
        toJsonSchema: () => ({ not: { enum: [...completed] } })
      })
    )
  }),
  [Schema.Record(Schema.String, Schema.Json)]
)

/**
 * A content block as a plan states it. Blocks of text, thinking, tool_use and server_tool_use may leave out what the API
 * always adds; any other block type is sent as written.
 */
export const PlannedBlock = Schema.Union([Text, Thinking, ToolUse, ServerToolUse, Verbatim])

export type PlannedBlock = typeof PlannedBlock.Type

export type VerbatimBlock = typeof Verbatim.Type
