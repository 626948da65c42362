import * as Predicate from "effect/Predicate"

/** A content block of a request, with the place that errors of the API name, such as `messages.1.content.0`. */
export interface SentBlock {
  readonly type: string
  readonly fields: { readonly [field: string]: unknown }
  readonly path: string
}

/** What one side said before the other spoke. Messages in a row from the same side are one turn, as in the API. */
export interface Turn {
  readonly role: string
  /** The place of its last message, such as `messages.1`. */
  readonly path: string
  readonly blocks: ReadonlyArray<SentBlock>
}

export const turnsOf = (messages: ReadonlyArray<unknown>): ReadonlyArray<Turn> => {
  const turns: Array<Turn> = []
  for (const [index, message] of messages.entries()) {
    const fields = Predicate.isObject(message) ? message : {}
    const role = Predicate.isString(fields["role"]) ? fields["role"] : ""
    const path = `messages.${index}`
    const blocks = blocksOf(fields["content"], path)
    const before = turns.at(-1)
    if (before?.role === role) {
      turns[turns.length - 1] = { role, path, blocks: [...before.blocks, ...blocks] }
    } else {
      turns.push({ role, path, blocks })
    }
  }
  return turns
}

const blocksOf = (content: unknown, path: string): ReadonlyArray<SentBlock> => {
  if (Predicate.isString(content)) {
    return content === "" ? [] : [{ type: "text", fields: { type: "text", text: content }, path }]
  }
  if (!Array.isArray(content)) return []
  return content.map((block: unknown, index) => {
    const fields = Predicate.isObject(block) ? block : {}
    const type = Predicate.isString(fields["type"]) ? fields["type"] : ""
    return { type, fields, path: `${path}.content.${index}` }
  })
}

export const textOf = ({ fields, type }: SentBlock): string =>
  type === "text" && Predicate.isString(fields["text"]) ? fields["text"] : ""

/**
 * The answer that the client began for the model: the assistant's turn at the end. One that ends with a block other
 * than text is an answer that stopped with `pause_turn`, sent back to go on.
 */
export const prefillOf = (turns: ReadonlyArray<Turn>): Turn | undefined => {
  const last = turns.at(-1)
  if (last?.role !== "assistant") return undefined
  const end = last.blocks.at(-1)
  return end === undefined || end.type === "text" ? last : undefined
}
