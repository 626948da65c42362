import type { AnswerBlock } from "./MessageContent.ts"

// A rule of thumb, not the tokenizer; the same wherever the fake API counts, so that its counts agree.
const bytesPerToken = 4

const estimateTokens = (text: string): number => Math.max(1, Math.ceil(Buffer.byteLength(text) / bytesPerToken))

/** What `count_tokens` says of a request, and `usage` of the answer to it. */
export const estimateInputTokens = (request: { readonly [field: string]: unknown }): number =>
  estimateTokens(
    ["system", "messages", "tools"]
      .flatMap((field) => request[field] === undefined ? [] : [JSON.stringify(request[field])])
      .join("")
  )

export const estimateOutputTokens = (content: ReadonlyArray<AnswerBlock>): number =>
  estimateTokens(content.map(outputText).join(""))

const outputText = (block: AnswerBlock): string => {
  const output = "text" in block
    ? block.text
    : "thinking" in block
    ? block.thinking
    : "input" in block
    ? block.input
    : ""
  return typeof output === "string" ? output : JSON.stringify(output)
}
