import type { MessageParam, ThinkingConfigParam } from "@anthropic-ai/sdk/resources/messages/messages"
import type { MessageRequest } from "../../../ClaudeService.ts"
import * as ModelCapabilities from "../../../ModelCapabilities.ts"
import { estimateInput } from "../../estimateInput.ts"
import { alternativeOf, alternativeTaken } from "../../prefillAlternative.ts"
import type { Adaptation } from "./targets.ts"

/** A request as a target can take it, and what was changed for that; or why the target cannot take it at all. */
export type Adapted =
  | { readonly request: MessageRequest; readonly changes: ReadonlyArray<string> }
  | { readonly reason: string }

type Thinking = ThinkingConfigParam | undefined

const endsWithPrefill = (messages: ReadonlyArray<MessageParam>): boolean => {
  const last = messages.at(-1)
  if (last?.role !== "assistant") return false
  // One that ends with the block of a tool is no beginning of an answer: a turn that was paused is sent back like that.
  return typeof last.content === "string" || last.content.at(-1)?.type === "text"
}

const withoutThinking = (messages: ReadonlyArray<MessageParam>): Array<MessageParam> =>
  messages.flatMap((message): Array<MessageParam> => {
    if (message.role !== "assistant" || typeof message.content === "string") return [message]
    const content = message.content.filter(({ type }) => type !== "thinking" && type !== "redacted_thinking")
    if (content.length === message.content.length) return [message]
    return content.length === 0 ? [] : [{ ...message, content }]
  })

const answersTool = (messages: ReadonlyArray<MessageParam>): boolean => {
  const last = messages.at(-1)
  return last?.role === "user" && typeof last.content !== "string"
    && last.content.some(({ type }) => type === "tool_result")
}

/** The configuration that comes nearest to the one asked for; `undefined` leaves it to the model. */
const thinkingFor = (asked: Thinking, support: ModelCapabilities.ModelCapabilities["thinking"]): Thinking => {
  if (asked === undefined) return undefined
  if (support === false) return asked.type === "disabled" ? asked : undefined
  const takes: ModelCapabilities.ThinkingSupport = typeof support === "object" ? support : {}
  switch (asked.type) {
    case "between_tools":
      // Taken by few models, and so not to be tried on one that is not known to; the SDK's own fallback does the same.
      if (takes.between_tools === true) return asked
      return takes.disabled === false ? undefined : { type: "disabled" }
    case "disabled":
      if (takes.disabled !== false) return asked
      return takes.between_tools === true ? { type: "between_tools" } : undefined
    case "enabled": {
      if (takes.enabled !== false) return asked
      const { display } = asked
      return takes.adaptive === true
        ? { type: "adaptive", ...(display === undefined ? undefined : { display }) }
        : undefined
    }
    case "adaptive":
      return takes.adaptive === false ? undefined : asked
  }
}

const changedThinking = (before: Thinking, after: Thinking): string =>
  after === undefined ? "thinking left out" : `thinking from ${before?.type} to ${after.type}`

const isSet = (value: unknown): boolean => value !== undefined && value !== null

const isForced = ({ tool_choice: choice }: MessageRequest): boolean => choice?.type === "tool" || choice?.type === "any"

/** Where a request goes: which model is asked, and whether it is another one than was asked for, or another account. */
export interface Destination {
  readonly model: string | undefined
  readonly adaptation: Adaptation
  readonly isOtherService: boolean
  readonly streamed: boolean
}

/**
 * Makes the request that a target gets: the program's own changes first, then what the model's capabilities demand.
 */
export const adaptRequest = (asked: MessageRequest, to: Destination): Adapted => {
  const { adapt, thinkingBlocks } = to.adaptation
  const changedByProgram = adapt === undefined ? asked : adapt(asked)
  const model = to.model ?? changedByProgram.model
  const capabilities = { ...ModelCapabilities.of(model), ...to.adaptation.capabilities }
  const changes: Array<string> = []

  const isRefusedPrefill = capabilities.prefill === false && endsWithPrefill(changedByProgram.messages)
  const alternative = isRefusedPrefill ? alternativeOf(changedByProgram) : undefined
  if (isRefusedPrefill && alternative === undefined) return { reason: "takes no prefill" }
  if (alternative !== undefined) changes.push(alternativeTaken)
  const before = { ...changedByProgram, model, messages: alternative ?? changedByProgram.messages }

  if (capabilities.tools === false && (before.tools?.length ?? 0) > 0) return { reason: "takes no tools" }
  if (capabilities.structuredOutputs === false && isSet(before.output_config?.format)) {
    return { reason: "has no structured outputs" }
  }
  if (capabilities.forcedTools === false && isForced(before)) return { reason: "takes no forced call of a tool" }

  const isSameOrigin = !to.isOtherService && model === asked.model
  const keepsBlocks = capabilities.thinking !== false && (thinkingBlocks ?? (isSameOrigin ? "keep" : "drop")) === "keep"
  const messages = keepsBlocks ? before.messages : withoutThinking(before.messages)
  const hasLostBlocks = messages.some((message, index) => message !== before.messages[index])
    || messages.length < before.messages.length
  if (hasLostBlocks) changes.push("thinking blocks left out")

  const { contextWindow } = capabilities
  if (contextWindow !== undefined) {
    const tokens = estimateInput({ ...before, messages })
    // The estimate is rather too high than too low, and a target is not to be passed over for that.
    if (tokens > 1.1 * contextWindow) {
      return { reason: `input of about ${tokens} tokens, context window of ${contextWindow}` }
    }
  }

  const limit = Math.min(
    capabilities.maxOutputTokens ?? Number.POSITIVE_INFINITY,
    to.streamed ? Number.POSITIVE_INFINITY : capabilities.maxOutputTokensUnstreamed ?? Number.POSITIVE_INFINITY
  )
  const maxTokens = Math.min(before.max_tokens, limit)
  if (maxTokens < before.max_tokens) changes.push(`max_tokens from ${before.max_tokens} to ${maxTokens}`)

  let thinking = thinkingFor(before.thinking, capabilities.thinking)
  if (thinking?.type === "enabled") {
    // A budget must be smaller than `max_tokens`, and with a tool's result the block that asked for the tool must be there.
    const isBudgetTooLarge = maxTokens < before.max_tokens && thinking.budget_tokens >= maxTokens
    if (isBudgetTooLarge || (hasLostBlocks && answersTool(messages))) thinking = undefined
  }
  if (thinking !== before.thinking) changes.push(changedThinking(before.thinking, thinking))

  const { thinking: _, ...rest } = before
  return {
    request: {
      ...rest,
      max_tokens: maxTokens,
      messages: hasLostBlocks ? messages : before.messages,
      ...(thinking === undefined ? undefined : { thinking })
    },
    changes
  }
}
