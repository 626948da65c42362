import * as Predicate from "effect/Predicate"
import { type AnswerBlock, completeBlock, defaultText, textBlock, thinkingBlock } from "./MessageContent.ts"
import { forcedTool, isThinkingOmitted, isThinkingOn, outputSchema, toolsOf } from "./OutputRequest.ts"
import { schemaInstance } from "./SchemaInstance.ts"

interface Fields {
  readonly [field: string]: unknown
}

const defaultThinking = "The request asks for an answer, so an answer it shall have."

/** What a request gets for an answer when the plan does not say: what it asks for, in the shortest way. */
export const defaultBlocks = (fields: Fields, number: number): ReadonlyArray<AnswerBlock> => {
  const call = toolCall(fields, number)
  if (call !== undefined) return [call]
  const schema = outputSchema(fields)
  const answer = textBlock(schema === undefined ? defaultText : JSON.stringify(schemaInstance(schema)))
  return isThinkingOn(fields) ? [thinkingBlock(isThinkingOmitted(fields) ? "" : defaultThinking), answer] : [answer]
}

/** A call of the tool that has to be called, unless it is one that the API runs itself. */
const toolCall = (fields: Fields, number: number): AnswerBlock | undefined => {
  const forced = forcedTool(fields)
  const tool = forced === undefined
    ? undefined
    : toolsOf(fields).find((tool) =>
      tool["input_schema"] !== undefined && (forced === "any" || tool["name"] === forced.name)
    )
  return tool === undefined || !Predicate.isString(tool["name"])
    ? undefined
    : completeBlock({ type: "tool_use", name: tool["name"], input: schemaInstance(tool["input_schema"]) }, number, 0)
}
