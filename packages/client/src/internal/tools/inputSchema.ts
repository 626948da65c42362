import type { Tool } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

const noFields: Tool.InputSchema = { type: "object", properties: {}, additionalProperties: false }

const definitionPrefix = "#/$defs/"

/** The schema that a reference at the top stands for: a class is one. */
const dereferenced = (
  schema: Readonly<Record<string, unknown>>,
  definitions: Readonly<Record<string, Readonly<Record<string, unknown>>>>
): Readonly<Record<string, unknown>> => {
  const reference = schema["$ref"]
  if (!Predicate.isString(reference) || !reference.startsWith(definitionPrefix)) return schema
  return definitions[reference.slice(definitionPrefix.length)] ?? schema
}

/**
 * What the API is told of a tool's input: the JSON that the Schema decodes, with no field beside those it names. `undefined`
 * for a Schema whose JSON is not an object, which the API does not take.
 */
export const inputSchemaOf = (schema: Schema.Constraint): Tool.InputSchema | undefined => {
  const document = Schema.toJsonSchemaDocument(schema, { onExcessProperty: "error" })
  const top = dereferenced(document.schema, document.definitions)
  // An empty struct: anything but null, says JSON Schema, and nothing at all is meant.
  if (Object.keys(top).every((key) => key === "not" || key === "description")) return { ...noFields, ...described(top) }
  if (top["type"] !== "object") return undefined
  const hasDefinitions = Object.keys(document.definitions).length > 0
  return { ...top, type: "object", ...(hasDefinitions ? { $defs: document.definitions } : undefined) }
}

const described = ({ description }: Readonly<Record<string, unknown>>) =>
  Predicate.isString(description) ? { description } : undefined
