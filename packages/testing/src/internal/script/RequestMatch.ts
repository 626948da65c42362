import type { ContentBlockParam, MessageParam, ToolUseBlockParam } from "@anthropic-ai/sdk/resources/messages/messages"
import * as OptionCheck from "./OptionCheck.ts"
import type { StepCall } from "./Step.ts"

/** What a call has to be like, in all of the fields that are set. */
export interface RequestMatch {
  readonly model?: string | RegExp | undefined
  readonly text?: string | RegExp | undefined
  readonly system?: string | RegExp | undefined
  readonly tool?: string | RegExp | undefined
  readonly toolResult?: string | RegExp | undefined
  readonly method?: StepCall["method"] | undefined
  readonly attempt?: number | undefined
  readonly call?: number | undefined
  readonly nth?: number | undefined
  readonly where?: ((call: StepCall) => boolean) | undefined
}

const blocksOf = ({ content }: MessageParam): ReadonlyArray<ContentBlockParam> =>
  typeof content === "string" ? [{ type: "text", text: content }] : content

const textsOf = (block: ContentBlockParam): ReadonlyArray<string> => {
  switch (block.type) {
    case "text":
      return [block.text]
    case "tool_result":
      return typeof block.content === "string"
        ? [block.content]
        : (block.content ?? []).flatMap((part) => part.type === "text" ? [part.text] : [])
    default:
      return []
  }
}

const messageTexts = ({ request }: StepCall): ReadonlyArray<string> =>
  request.messages.flatMap((message) => blocksOf(message).flatMap(textsOf))

const systemTexts = ({ request: { system } }: StepCall): ReadonlyArray<string> =>
  system === undefined ? [] : typeof system === "string" ? [system] : system.map(({ text }) => text)

const toolNames = ({ request: { tools = [] } }: StepCall): ReadonlyArray<string> =>
  tools.flatMap((tool) => "name" in tool ? [tool.name] : [])

/** The names of the tools whose results the last message brings. */
const answeredTools = ({ request: { messages } }: StepCall): ReadonlyArray<string> => {
  const last = messages.at(-1)
  const results = last === undefined ? [] : blocksOf(last)
  const ids = new Set(results.flatMap((block) => block.type === "tool_result" ? [block.tool_use_id] : []))
  return messages.flatMap(blocksOf)
    .filter((block): block is ToolUseBlockParam => block.type === "tool_use" && ids.has(block.id))
    .map(({ name }) => name)
}

const isNamed = (pattern: string | RegExp, name: string): boolean =>
  typeof pattern === "string" ? name === pattern : name.search(pattern) !== -1

const holds = (pattern: string | RegExp, text: string): boolean =>
  typeof pattern === "string" ? text.includes(pattern) : text.search(pattern) !== -1

/** Whether a call is like this, `nth` left aside. A field that is not set is true of every call. */
export const isLike = (match: RequestMatch, call: StepCall): boolean => {
  const { attempt, method, model, number } = call
  const some = (
    test: (pattern: string | RegExp, text: string) => boolean,
    pattern: string | RegExp | undefined,
    texts: (call: StepCall) => ReadonlyArray<string>
  ): boolean => pattern === undefined || texts(call).some((text) => test(pattern, text))
  return (match.method ?? method) === method
    && (match.attempt ?? attempt) === attempt
    && (match.call ?? number) === number
    && (match.model === undefined || isNamed(match.model, model))
    && some(holds, match.text, messageTexts)
    && some(holds, match.system, systemTexts)
    && some(isNamed, match.tool, toolNames)
    && some(isNamed, match.toolResult, answeredTools)
    && (match.where?.(call) ?? true)
}

const fields = ["method", "model", "text", "system", "tool", "toolResult", "attempt", "call", "nth"] as const

/** The match in words; all of them are the test's own. */
export const describeMatch = (match: RequestMatch): string => {
  const words = fields.flatMap((name) => {
    const value = match[name]
    return value === undefined ? [] : [`${name} ${typeof value === "string" ? JSON.stringify(value) : String(value)}`]
  })
  return [...words, ...(match.where === undefined ? [] : ["where ..."])].join(", ") || "any call"
}

/** The match, if its numbers can be those of calls. */
export const checkMatch = (owner: string, match: RequestMatch): RequestMatch => {
  for (const name of ["attempt", "call", "nth"] as const) {
    const value = match[name]
    if (value !== undefined) OptionCheck.count(owner, name, value)
  }
  return match
}
