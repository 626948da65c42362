import type { Tool } from "@anthropic-ai/sdk/resources/messages/messages"
import type * as Schema from "effect/Schema"
import { wireSchema } from "../structured/wireSchema.ts"

const noFields: Tool.InputSchema = { type: "object", properties: {}, required: [], additionalProperties: false }

/**
 * What the API is told of a tool's input: the JSON that the Schema decodes, with no field beside those it names. `undefined`
 * for a Schema whose JSON is not an object, which the API does not take.
 */
export const inputSchemaOf = (schema: Schema.Constraint): Tool.InputSchema | undefined => {
  const { full, root, wrapper } = wireSchema(schema)
  if (wrapper === undefined) return full
  // Of a struct without fields JSON Schema says "anything but null"; a tool without parameters is meant.
  return Object.keys(root).every((key) => key === "not" || key === "description") && "not" in root
    ? { ...noFields, ...(typeof root["description"] === "string" ? { description: root["description"] } : undefined) }
    : undefined
}
