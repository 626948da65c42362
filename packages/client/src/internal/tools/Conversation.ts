import type {
  ContentBlockParam,
  Message,
  MessageParam,
  ToolUseBlockParam
} from "@anthropic-ai/sdk/resources/messages/messages"
import * as Predicate from "effect/Predicate"
import * as TokenUsage from "../../TokenUsage.ts"
import type { Entry } from "../../ToolRecord.ts"
import { sendableContent } from "../answer/assistantTurn.ts"
import { contentOf } from "../answer/blocks.ts"
import { isTooDeep } from "../structured/jsonValue.ts"

/** A conversation as it follows from its entries, whether they happen now or were read from a ledger. */
export class Conversation {
  readonly messages: Array<MessageParam> = []
  usage = TokenUsage.zero
  /** The steps that were answered. What goes on after a pause is the same step. */
  steps = 0
  /** How often the step that is under way has paused. */
  pauses = 0
  /** The last thing that the model said, until results of tools follow it. */
  answer: Message | undefined
  /** Whether anything has been added to the messages it began with. */
  hasBegun = false
  hasRunTools = false
  /** Where the API runs the tools that it runs itself, to be named in the next request. */
  container: string | undefined

  apply(entry: Entry): void {
    switch (entry._tag) {
      case "Began":
        this.messages.splice(0, this.messages.length, ...entry.messages)
        break
      case "Answered":
        this.#answered(entry.message)
        break
      case "ToolsRan":
        this.messages.push({ role: "user", content: [...entry.results] })
        this.answer = undefined
        this.hasBegun = true
        this.hasRunTools = true
        break
      case "Spent":
        this.usage = TokenUsage.add(this.usage, entry.usage)
        break
    }
  }

  #answered(message: Message): void {
    const isPaused = message.stop_reason === "pause_turn"
    this.pauses = isPaused ? this.pauses + 1 : 0
    if (!isPaused) this.steps++
    this.usage = TokenUsage.add(this.usage, TokenUsage.of(message))
    this.hasBegun = true
    this.answer = message
    // Gateways leave out fields that the types promise.
    this.container = (message.container as Message["container"] | undefined)?.id ?? this.container
    const content = sendable(message)
    const last = this.messages.at(-1)
    // What continues a paused turn, or a prefill, belongs to the same turn.
    if (last?.role === "assistant") {
      this.messages[this.messages.length - 1] = { role: "assistant", content: [...blocksOf(last), ...content] }
    } else {
      this.messages.push({ role: "assistant", content })
    }
  }

  /** The calls of tools that wait for their results. Of a conversation that was handed in, those at its very end. */
  get openCalls(): ReadonlyArray<ToolUseBlockParam> {
    const { answer } = this
    if (answer === undefined) {
      const last = this.messages.at(-1)
      return last?.role === "assistant" ? blocksOf(last).filter(isToolUse) : []
    }
    if (answer.stop_reason !== "tool_use") return []
    // Those that go back to the API, but as they came: it is told of an object in the place of an input that is none.
    const content: ReadonlyArray<ContentBlockParam> = sendableContent(answer.content)
    return content.filter(isToolUse)
  }

  get isOver(): boolean {
    return this.answer?.stop_reason === "end_turn" || this.answer?.stop_reason === "stop_sequence"
  }

  /** Which turn of the model the last one is, the same in every run of this conversation. */
  get position(): number {
    return this.messages.filter(({ role }) => role === "assistant").length
  }
}

const isToolUse = (block: ContentBlockParam): block is ToolUseBlockParam =>
  Predicate.isObject(block) && block.type === "tool_use"

const blocksOf = ({ content }: MessageParam): Array<ContentBlockParam> => {
  if (Predicate.isString(content)) return [{ type: "text", text: content }]
  return Array.isArray(content) ? content : []
}

const isObject = (input: unknown): boolean => Predicate.isObject(input) && !Array.isArray(input)

/**
 * The answer as it is kept: without what is no block of content, which a gateway may send, with the role that one may leave
 * out, and with an input that nests beyond reason as one that cannot be read, since it could not be written.
 */
export const readable = (message: Message): Message => ({
  ...message,
  role: "assistant",
  content: contentOf(message).map((block) =>
    block.type === "tool_use" && isTooDeep(block.input) ? { ...block, input: "" } : block
  )
})

/** What goes back to the API, which takes no input but an object. */
const sendable = (message: Message): Array<ContentBlockParam> =>
  sendableContent(message.content).map((block) =>
    block.type === "tool_use" && !isObject(block.input) ? { ...block, input: {} } : block
  )
