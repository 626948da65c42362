import * as Predicate from "effect/Predicate"
import { type ApiErrorAnswer, errorOfCode } from "./ApiErrors.ts"
import { forcedTool, isThinkingOn, outputFormat, outputSchema, toolsOf } from "./OutputRequest.ts"
import { outputSchemaMistake } from "./OutputSchemaRules.ts"

interface Fields {
  readonly [field: string]: unknown
}

/** What the API says of an answer that is asked for in a form it cannot have. */
export const outputMistake = (fields: Fields): string | undefined =>
  formatMistake(fields) ?? strictToolMistake(fields) ?? toolChoiceMistake(fields)

const formatMistake = (fields: Fields): string | undefined => {
  const format = outputFormat(fields)
  if (format === undefined || format === null) return undefined
  if (!Predicate.isObject(format) || format["type"] !== "json_schema") {
    return "output_config.format.type: Input should be 'json_schema'"
  }
  const mistake = outputSchemaMistake(outputSchema(fields))
  return mistake === undefined ? undefined : `output_config.format.schema: ${mistake}`
}

const strictToolMistake = (fields: Fields): string | undefined => {
  for (const [index, tool] of toolsOf(fields).entries()) {
    const mistake = tool["strict"] === true ? outputSchemaMistake(tool["input_schema"]) : undefined
    if (mistake !== undefined) return `tools.${index}.custom: ${mistake}`
  }
  return undefined
}

/** The answer to a request with two tools of the same name. */
export const toolNameConflict = (fields: Fields): ApiErrorAnswer | undefined => {
  const names = toolsOf(fields).flatMap(({ name }) => Predicate.isString(name) ? [name] : [])
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice === undefined) return undefined
  const { status, type } = errorOfCode("tool_name_conflict")
  return {
    status,
    error: {
      type,
      message: `tools: Tool names must be unique: ${twice}`,
      details: { error_code: "tool_name_conflict" }
    }
  }
}

const toolChoiceMistake = (fields: Fields): string | undefined => {
  const forced = forcedTool(fields)
  if (forced === undefined) return undefined
  if (isThinkingOn(fields)) return "Thinking may not be enabled when tool_choice forces tool use."
  const tools = toolsOf(fields)
  if (tools.length === 0) return "tool_choice: may only be specified while providing tools"
  return forced === "any" || tools.some(({ name }) => name === forced.name)
    ? undefined
    : `tool_choice: Tool '${String(forced.name)}' not found in provided tools`
}
