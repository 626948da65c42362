import type { ContentBlock, MessageParam, ToolResultBlockParam } from "@anthropic-ai/sdk/resources/messages/messages"
import type { MessageRequest } from "@effect-claude/client/ClaudeService"
import * as ClaudeTool from "@effect-claude/client/ClaudeTool"
import * as ToolLoop from "@effect-claude/client/ToolLoop"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Reply from "@effect-claude/testing/Reply"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { request } from "./support.ts"

let ids = 0

/** A call as the model asks for it, under an id that it gives to no other one. */
export const toolUse = (name: string, input: unknown): ContentBlock => ({
  type: "tool_use",
  id: `toolu_${++ids}`,
  name,
  input,
  caller: { type: "direct" }
})

/** An answer that asks for these calls. */
export const asks = (calls: ReadonlyArray<readonly [name: string, input: unknown]>, overrides: Reply.Overrides = {}) =>
  Reply.of(
    Reply.message("", {
      content: calls.map(([name, input]) => toolUse(name, input)),
      stop_reason: "tool_use",
      ...overrides
    })
  )

export const done = Reply.text("Done.")

/** What a tool was run with. */
export interface Ran {
  readonly what: string
  readonly context: ClaudeTool.ToolContext
}

/** A tool that does nothing but remember how it was run. */
export const recorder = (name = "act", options: Pick<Parameters<typeof ClaudeTool.make>[1], "idempotent"> = {}) => {
  const ran: Array<Ran> = []
  const tool = ClaudeTool.make(name, {
    description: "Acts",
    input: Schema.Struct({ what: Schema.String }),
    run: ({ what }, context) =>
      Effect.sync(() => {
        ran.push({ what, context })
        return `did ${what}`
      }),
    ...options
  })
  return { ran, tool }
}

export const runLoop = <const Tools extends ReadonlyArray<ToolLoop.AnyTool>>(
  tools: Tools,
  options: Partial<ToolLoop.RunOptions<Tools>> = {}
) => ToolLoop.run<Tools>({ request, tools, ...options })

/** The requests that reached the script. */
export const requests = Effect.map(
  Effect.flatMap(ClaudeTest.ClaudeTest, (script) => script.calls),
  (calls) => calls.map(({ request }) => request as MessageRequest)
)

export const resultsOf = (turn: MessageParam | undefined): ReadonlyArray<ToolResultBlockParam> =>
  turn === undefined || typeof turn.content === "string"
    ? []
    : turn.content.flatMap((block) => block.type === "tool_result" ? [block] : [])

/** What the model was told of each call in the last request: the text, and whether it is an error. */
export const toldLast = Effect.map(
  requests,
  (requests) =>
    resultsOf(requests.at(-1)?.messages.at(-1)).map(({ content, is_error }) => [content, is_error ?? false] as const)
)
