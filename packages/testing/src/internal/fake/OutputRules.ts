import * as Predicate from "effect/Predicate"
import { isForced, outputSchema } from "./DefaultAnswer.ts"
import { outputSchemaMistake } from "./OutputSchemaRules.ts"
import { isThinkingOn } from "./Thinking.ts"

interface Fields {
  readonly [field: string]: unknown
}

/** What the API says of an answer that is asked for in a form it cannot have. */
export const outputMistake = (fields: Fields): string | undefined =>
  formatMistake(fields) ?? strictToolMistake(fields) ?? toolChoiceMistake(fields)

const formatMistake = (fields: Fields): string | undefined => {
  const { output_config: config } = fields
  const format = Predicate.isObject(config) ? config["format"] : undefined
  if (format === undefined || format === null) return undefined
  if (!Predicate.isObject(format) || format["type"] !== "json_schema") {
    return "output_config.format.type: Input should be 'json_schema'"
  }
  const mistake = outputSchemaMistake(outputSchema(fields))
  return mistake === undefined ? undefined : `output_config.format.schema: ${mistake}`
}

const toolsOf = ({ tools }: Fields): ReadonlyArray<unknown> => Array.isArray(tools) ? tools : []

const strictToolMistake = (fields: Fields): string | undefined => {
  for (const [index, tool] of toolsOf(fields).entries()) {
    if (!Predicate.isObject(tool) || tool["strict"] !== true) continue
    const mistake = outputSchemaMistake(tool["input_schema"])
    if (mistake !== undefined) return `tools.${index}.custom: ${mistake}`
  }
  return undefined
}

const toolChoiceMistake = (fields: Fields): string | undefined => {
  const { tool_choice: choice } = fields
  if (!isForced(choice)) return undefined
  if (isThinkingOn(fields)) return "Thinking may not be enabled when tool_choice forces tool use."
  const tools = toolsOf(fields)
  if (tools.length === 0) return "tool_choice: may only be specified while providing tools"
  const { name } = choice
  const isNamed = (tool: unknown) => Predicate.isObject(tool) && tool["name"] === name
  return choice["type"] === "tool" && !tools.some(isNamed)
    ? `tool_choice: Tool '${String(name)}' not found in provided tools`
    : undefined
}
