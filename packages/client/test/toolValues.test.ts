import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { ApiMessage, ApiToolOutput, ApiToolResult, ApiTurn } from "../src/internal/tools/apiValue.ts"
import { inputSchemaOf } from "../src/internal/tools/inputSchema.ts"

const text = { type: "text", text: "hi" }

describe("values of the API in a tool loop's records", () => {
  it("an answer is one of the assistant with blocks and a reason for its end", () => {
    const isMessage = Schema.is(ApiMessage)
    const message = { role: "assistant", content: [text], stop_reason: "end_turn" }
    assert.isTrue(isMessage(message))
    assert.isTrue(isMessage({ ...message, content: [] }))
    assert.isFalse(isMessage({ ...message, role: "user" }))
    assert.isFalse(isMessage({ ...message, content: [text, { text: "no type" }] }))
    assert.isFalse(isMessage({ ...message, content: [text, null] }))
    assert.isFalse(isMessage({ ...message, content: "hi" }))
    assert.isFalse(isMessage({ ...message, stop_reason: null }))
    assert.isFalse(isMessage(null))
  })

  it("a turn has a role, a result an id, and what a tool gives is a text or blocks", () => {
    assert.deepStrictEqual([{ role: "user" }, { role: 1 }, null].map(Schema.is(ApiTurn)), [true, false, false])
    const result = { type: "tool_result", tool_use_id: "toolu_1" }
    assert.deepStrictEqual(
      [result, { ...result, type: "text" }, { ...result, tool_use_id: 1 }, null].map(Schema.is(ApiToolResult)),
      [true, false, false, false]
    )
    assert.deepStrictEqual(["hi", [text], [text, 1], 1].map(Schema.is(ApiToolOutput)), [true, true, false, false])
  })
})

describe("the schema of a tool's input", () => {
  const none = { type: "object" as const, properties: {}, required: [], additionalProperties: false }

  it("of a struct without fields is one without parameters", () => {
    assert.deepStrictEqual(inputSchemaOf(Schema.Struct({})), none)
    const described = Schema.Struct({}).annotate({ description: "Takes nothing" })
    assert.deepStrictEqual(inputSchemaOf(described), { ...none, description: "Takes nothing" })
  })

  it("is none for what is no object", () => {
    for (const schema of [Schema.String, Schema.Array(Schema.String), Schema.Null, Schema.Unknown]) {
      assert.isUndefined(inputSchemaOf(schema))
    }
  })
})
