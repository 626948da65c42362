import * as Predicate from "effect/Predicate"
import { type AnswerBlock, completeBlock, defaultText, textBlock, thinkingBlock } from "./MessageContent.ts"
import type { ApiRequest } from "./RequestCheck.ts"
import { schemaInstance } from "./SchemaInstance.ts"
import { isThinkingOmitted, isThinkingOn } from "./Thinking.ts"

interface NamedTool {
  readonly name: string
  readonly schema: unknown
}

const defaultThinking = "The request asks for an answer, so an answer it shall have."

/** What a request gets for an answer when the plan does not say: what it asks for, in the shortest way. */
export const defaultBlocks = ({ fields }: ApiRequest, number: number): ReadonlyArray<AnswerBlock> => {
  const tool = forcedTool(fields)
  if (tool !== undefined) {
    return [completeBlock({ type: "tool_use", name: tool.name, input: schemaInstance(tool.schema) }, number, 0)]
  }
  const schema = outputSchema(fields)
  const answer = textBlock(schema === undefined ? defaultText : JSON.stringify(schemaInstance(schema)))
  return isThinkingOn(fields) ? [thinkingBlock(isThinkingOmitted(fields) ? "" : defaultThinking), answer] : [answer]
}

/** The schema of `output_config.format`. */
export const outputSchema = (fields: ApiRequest["fields"]): unknown => {
  const { output_config: config } = fields
  const format = Predicate.isObject(config) ? config["format"] : undefined
  return Predicate.isObject(format) && format["type"] === "json_schema" ? format["schema"] : undefined
}

/** The tool that `tool_choice` leaves no choice but to call; one of the API's own is nothing a client could answer. */
const forcedTool = ({ tool_choice: choice, tools }: ApiRequest["fields"]): NamedTool | undefined => {
  if (!isForced(choice)) return undefined
  const own = (Array.isArray(tools) ? tools : []).flatMap((tool: unknown): ReadonlyArray<NamedTool> =>
    Predicate.isObject(tool) && Predicate.isString(tool["name"]) && tool["input_schema"] !== undefined
      ? [{ name: tool["name"], schema: tool["input_schema"] }]
      : []
  )
  return choice["type"] === "any" ? own[0] : own.find(({ name }) => name === choice["name"])
}

/** Whether a `tool_choice` forces a call. */
export const isForced = (choice: unknown): choice is { readonly [field: string]: unknown } =>
  Predicate.isObject(choice) && (choice["type"] === "any" || choice["type"] === "tool")
