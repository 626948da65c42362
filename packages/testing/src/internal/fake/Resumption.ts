import * as Equal from "effect/Equal"
import { type SentBlock, textOf, type Turn } from "./Conversation.ts"
import { type AnswerBlock, isTextBlock } from "./MessageContent.ts"

/**
 * What is left of an answer when the request holds its beginning: in an assistant's turn at the end (a prefill), or in
 * one with nothing but a user's text behind it. All of the answer if the turn holds no text of it.
 *
 * `overlap` is the number of words that are said again, as models do that are asked to go on.
 */
export const remainingBlocks = (
  answer: ReadonlyArray<AnswerBlock>,
  turns: ReadonlyArray<Turn>,
  overlap: number
): ReadonlyArray<AnswerBlock> => {
  const begun = begunAnswer(turns)
  const end = begun === undefined ? undefined : endOfBeginning(answer, begun.turn)
  if (begun === undefined || end === undefined) return answer
  const from = wordsBefore(answer, end, overlap)
  const held = begun.turn.blocks.filter(({ type }) => type !== "text")
  let position = 0
  return answer.flatMap((block): ReadonlyArray<AnswerBlock> => {
    const start = position
    if (!isTextBlock(block)) {
      if (takeHeld(held, block)) return []
      // A prefill goes on in the middle of a text; a model that is asked to go on may well think first, again.
      return begun.prefill && start < end ? [] : [block]
    }
    position += block.text.length
    const rest = block.text.slice(Math.max(0, from - start))
    return rest === "" ? [] : [{ ...block, text: rest }]
  })
}

const begunAnswer = (
  turns: ReadonlyArray<Turn>
): { readonly turn: Turn; readonly prefill: boolean } | undefined => {
  const [before, last] = [turns.at(-2), turns.at(-1)]
  if (last?.role === "assistant") return { turn: last, prefill: true }
  const onlyText = last?.role === "user" && last.blocks.every(({ type }) => type === "text")
  return onlyText && before?.role === "assistant" ? { turn: before, prefill: false } : undefined
}

// Positions are counted over all text of the answer, so that it does not matter how a client joins its blocks.
const wholeText = (answer: ReadonlyArray<AnswerBlock>): string =>
  answer.map((block) => isTextBlock(block) ? block.text : "").join("")

const endOfBeginning = (answer: ReadonlyArray<AnswerBlock>, turn: Turn): number | undefined => {
  const whole = wholeText(answer)
  const said = turn.blocks.map(textOf).join("")
  // The API forbids white space at the end of a prefill, so clients trim it.
  return said.trim() === ""
    ? undefined
    : [said, said.trimEnd()].find((beginning) => whole.startsWith(beginning))?.length
}

/** Where the words before a position begin, not further back than the text block in which the position lies. */
const wordsBefore = (answer: ReadonlyArray<AnswerBlock>, position: number, count: number): number => {
  if (count === 0) return position
  let start = 0
  for (const block of answer) {
    const length = isTextBlock(block) ? block.text.length : 0
    if (start + length >= position) break
    start += length
  }
  const words = [...wholeText(answer).slice(start, position).matchAll(/\S+/g)]
  return start + (words.at(-count)?.index ?? 0)
}

const takeHeld = (held: Array<SentBlock>, block: AnswerBlock): boolean => {
  const index = held.findIndex((sent) => isSame(sent, block))
  if (index >= 0) held.splice(index, 1)
  return index >= 0
}

const isSame = ({ fields, type }: SentBlock, block: AnswerBlock): boolean => {
  if (type !== block.type) return false
  if ("signature" in block) return fields["signature"] === block.signature
  // A tool call has another id in every answer.
  if ("name" in block) return fields["name"] === block.name && Equal.equals(fields["input"], block.input)
  return Equal.equals(fields, block)
}
