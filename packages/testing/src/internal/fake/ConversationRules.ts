import * as ModelCapabilities from "@effect-claude/client/ModelCapabilities"
import * as Predicate from "effect/Predicate"
import { prefillOf, type SentBlock, textOf, type Turn } from "./Conversation.ts"
import { isThinkingOn, outputSchema } from "./OutputRequest.ts"

interface Conversation {
  readonly model: string
  readonly turns: ReadonlyArray<Turn>
  readonly fields: { readonly [field: string]: unknown }
}

/** What the API says of a conversation that it does not answer. */
export const conversationMistake = (conversation: Conversation): string | undefined =>
  emptyContent(conversation) ?? unsignedThinking(conversation) ?? toolPairing(conversation)
    ?? wrongPrefill(conversation)

const emptyContent = ({ turns }: Conversation): string | undefined => {
  const last = turns.at(-1)
  const empty = turns.find((turn) => turn.blocks.length === 0 && !(turn === last && turn.role === "assistant"))
  if (empty !== undefined) {
    return `${empty.path}: all messages must have non-empty content except for the optional final assistant message`
  }
  const texts = turns.flatMap(({ blocks }) => blocks).filter(({ type }) => type === "text").map(textOf)
  if (texts.includes("")) return "messages: text content blocks must be non-empty"
  return texts.some((text) => text.trim() === "")
    ? "messages: text content blocks must contain non-whitespace text"
    : undefined
}

const unsignedThinking = ({ turns }: Conversation): string | undefined => {
  for (const { fields, path, type } of assistantBlocks(turns)) {
    if (type !== "thinking") continue
    const { signature } = fields
    if (signature === undefined) return `${path}.thinking.signature: Field required`
    if (!Predicate.isString(signature) || signature === "") {
      return `${path}: Invalid \`signature\` in \`thinking\` block`
    }
  }
  return undefined
}

const toolPairing = ({ turns }: Conversation): string | undefined => {
  const known = new Set<unknown>()
  for (const [index, turn] of turns.entries()) {
    const calls = turn.role === "assistant" ? turn.blocks.filter(({ type }) => type === "tool_use") : []
    for (const { fields, path } of calls) {
      if (known.has(fields["id"])) return `${path}: \`tool_use\` ids must be unique`
      known.add(fields["id"])
    }
    const mistake = unmatchedResult(turn, turns[index - 1]) ?? missingResults(turn, calls, turns[index + 1])
    if (mistake !== undefined) return mistake
  }
  return undefined
}

const unmatchedResult = (turn: Turn, before: Turn | undefined): string | undefined => {
  const open = new Set(before?.blocks.flatMap(({ fields, type }) => type === "tool_use" ? [fields["id"]] : []))
  const answered = new Set<unknown>()
  for (const { fields, path } of turn.blocks.filter(({ type }) => type === "tool_result")) {
    const id = fields["tool_use_id"]
    if (!open.has(id)) {
      return `${path}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${String(id)}. `
        + "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
    }
    if (answered.has(id)) {
      return `${path}: each tool_use must have a single result. `
        + `Found multiple \`tool_result\` blocks with id: ${String(id)}`
    }
    answered.add(id)
  }
  return undefined
}

// Results count only where they begin the message: the API does not look behind other content.
const missingResults = (turn: Turn, calls: ReadonlyArray<SentBlock>, next: Turn | undefined): string | undefined => {
  const other = next?.blocks.findIndex(({ type }) => type !== "tool_result") ?? 0
  const results = new Set(
    next?.blocks.slice(0, other < 0 ? undefined : other).map(({ fields }) => fields["tool_use_id"])
  )
  const missing = calls.map(({ fields }) => fields["id"]).filter((id) => !results.has(id))
  return missing.length === 0 ? undefined : `${turn.path}: \`tool_use\` ids were found without \`tool_result\` blocks `
    + `immediately after: ${missing.join(", ")}. `
    + "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
}

const wrongPrefill = ({ fields, model, turns }: Conversation): string | undefined => {
  const prefill = prefillOf(turns)
  if (prefill === undefined) return undefined
  // The token of a refusal allows one prefill, with the thinking that the refused request had.
  if (fields["fallback_credit_token"] === undefined) {
    if (ModelCapabilities.of(model).prefill === false) {
      return "This model does not support assistant message prefill. The conversation must end with a user message."
    }
    const mistake = prefillWithThinking(prefill, fields)
    if (mistake !== undefined) return mistake
  }
  if (outputSchema(fields) !== undefined) {
    return `${prefill.path}: an assistant message cannot be pre-filled with \`output_config.format\``
  }
  const text = prefill.blocks.at(-1)
  return text !== undefined && textOf(text).trimEnd() !== textOf(text)
    ? "messages: final assistant content cannot end with trailing whitespace"
    : undefined
}

const prefillWithThinking = (prefill: Turn, fields: Conversation["fields"]): string | undefined => {
  if (isThinkingOn(fields)) {
    return `${prefill.path}: an assistant message cannot be pre-filled while thinking is on. `
      + "To pre-fill the response, disable `thinking`."
  }
  const thought = prefill.blocks.find((block) => isThinking(block))
  return thought === undefined ? undefined : `${thought.path}: When thinking is disabled, an \`assistant\` message `
    + "in the final position cannot contain `thinking`. To use thinking blocks, enable `thinking` in your request."
}

const isThinking = ({ type }: SentBlock): boolean => type === "thinking" || type === "redacted_thinking"

const assistantBlocks = (turns: ReadonlyArray<Turn>): ReadonlyArray<SentBlock> =>
  turns.filter(({ role }) => role === "assistant").flatMap(({ blocks }) => blocks)
