import type {
  ContentBlockParam,
  Message,
  MessageParam,
  TextBlockParam,
  ToolResultBlockParam
} from "@anthropic-ai/sdk/resources/messages/messages"
import * as Predicate from "effect/Predicate"
import type { MessageRequest } from "../../ClaudeService.ts"
import type { ModelCapabilities } from "../../ModelCapabilities.ts"
import { sendableContent } from "../answer/assistantTurn.ts"
import { contentOf } from "../answer/blocks.ts"
import { isTooDeep } from "./jsonValue.ts"
import type { Issue } from "./readAnswer.ts"
import type { WireSchema } from "./wireSchema.ts"

/** How the model is told what to answer. */
export type Strategy = "native" | "tool" | "json"

/** Native where the model is known to have it and the schema can be sent, else a tool, which takes any schema. */
export const chooseStrategy = (
  asked: Strategy | "auto",
  capabilities: ModelCapabilities,
  wire: WireSchema
): Strategy => {
  if (asked !== "auto") return asked
  if (capabilities.structuredOutputs === true && wire.native !== undefined) return "native"
  return capabilities.tools === false ? "json" : "tool"
}

/** A strategy, and what it needs. */
export interface Plan {
  readonly strategy: Strategy
  readonly wire: WireSchema
  readonly tool: string
  readonly capabilities: ModelCapabilities
}

/** The tool whose calls are the answer. Where none was offered, one of that name is the request's own. */
export const answerTool = ({ strategy, tool }: Plan): string | undefined => strategy === "tool" ? tool : undefined

const withInstruction = (system: MessageRequest["system"], text: string): string | Array<TextBlockParam> => {
  if (system === undefined || system === "") return text
  return Predicate.isString(system) ? `${system}\n\n${text}` : [...system, { type: "text", text }]
}

const isThinkingOn = ({ thinking }: MessageRequest): boolean =>
  thinking?.type === "enabled" || thinking?.type === "adaptive"

/** The request that asks for the answer in this way. */
export const ask = (request: MessageRequest, { capabilities, strategy, tool, wire }: Plan): MessageRequest => {
  switch (strategy) {
    case "native":
      return {
        ...request,
        output_config: { ...request.output_config, format: { type: "json_schema", schema: wire.native ?? wire.full } }
      }
    case "tool": {
      // Thinking and some models refuse a forced choice, so it is forced only where that is known to be taken; and not where
      // it would keep the model from the tools that the request has of its own.
      const isForced = capabilities.forcedTools === true && !isThinkingOn(request)
        && (request.tools ?? []).length === 0
      return {
        ...request,
        ...(isForced ? undefined : {
          system: withInstruction(
            request.system,
            `Give your answer by calling the tool "${tool}" once, and in no other way.`
          )
        }),
        tools: [
          ...(request.tools ?? []),
          { name: tool, description: "Takes the answer, in the form that is wanted.", input_schema: wire.full }
        ],
        tool_choice: isForced
          ? { type: "tool", name: tool, disable_parallel_tool_use: true }
          : { type: "auto", disable_parallel_tool_use: true }
      }
    }
    case "json":
      return {
        ...request,
        system: withInstruction(
          request.system,
          "Answer with one JSON object that fits the following JSON Schema, and with nothing else: no explanation, no code "
            + `fence, no comments.\n${JSON.stringify(wire.full)}`
        )
      }
  }
}

const mostIssues = 20
const longestIssue = 300

const shortened = (text: string): string =>
  (text.length > longestIssue ? `${text.slice(0, longestIssue)}...` : text).toWellFormed()

const written = ({ message, path }: Issue, name: (key: string) => string): string => {
  const place = path.map((segment) =>
    Predicate.isString(segment) ? `[${JSON.stringify(name(segment))}]` : `[${String(segment)}]`
  ).join("")
  return shortened(place === "" ? message : `${message} at ${place}`)
}

/** The issues as texts, a bounded number of a bounded length. */
export const writeIssues = (
  issues: ReadonlyArray<Issue>,
  name: (key: string) => string = (key) => key
): ReadonlyArray<string> => {
  const texts = issues.slice(0, mostIssues).map((issue) => written(issue, name))
  return issues.length > mostIssues ? [...texts, `and ${issues.length - mostIssues} more`] : texts
}

/** Whether an answer calls a tool of the request, which somebody has to run before the model can be asked again. */
export const callsOtherTool = (message: Message, tool: string | undefined): boolean =>
  contentOf(message).some((block) => block.type === "tool_use" && block.name !== tool)

/** A block as it may be sent back: the API takes no input that is no object. */
const sendable = (block: ContentBlockParam): ContentBlockParam => {
  switch (block.type) {
    case "text":
      return { type: "text", text: block.text }
    case "tool_use": {
      const isWhole = Predicate.isObject(block.input) && !isTooDeep(block.input)
      return { type: "tool_use", id: block.id, name: block.name, input: isWhole ? block.input : {} }
    }
    default:
      return block
  }
}

const isThinking = ({ type }: ContentBlockParam): boolean => type === "thinking" || type === "redacted_thinking"

/** What is added to a conversation to have an answer corrected: the answer, and what is wrong with it. */
export const repairTurns = (message: Message, issues: ReadonlyArray<Issue>): ReadonlyArray<MessageParam> => {
  const wrong = `The answer cannot be used:\n${writeIssues(issues).map((issue) => `- ${issue}`).join("\n")}`
  const content = sendableContent(contentOf(message)).map(sendable)
  const results = content.flatMap((block): ReadonlyArray<ToolResultBlockParam> =>
    block.type === "tool_use"
      ? [{
        type: "tool_result",
        tool_use_id: block.id,
        is_error: true,
        content: `${wrong}\nCall the tool again, with the whole corrected input.`
      }]
      : []
  )
  return [
    // An answer that is empty, or nothing but thinking, is no turn that the API would take.
    ...(content.every(isThinking) ? [] : [{ role: "assistant" as const, content }]),
    {
      role: "user",
      content: results.length > 0 ? results : `${wrong}\nAnswer again, with the whole corrected JSON and nothing else.`
    }
  ]
}
