import type { ToolUseBlock } from "@anthropic-ai/sdk/resources/messages/messages"
import { canonicalJson } from "../canonicalRequest.ts"
import { sha256 } from "../sha256.ts"

/**
 * The keys of the calls of one answer, in their order. They depend on the run, on where in the conversation the answer
 * stands, and on what is called with what, but not on the ids that the model gave: an answer that was lost and asked for again
 * has others. Equal calls of one answer are told apart by their order.
 */
export const callKeys = (
  runId: string,
  position: number,
  calls: ReadonlyArray<Pick<ToolUseBlock, "name" | "input">>
): ReadonlyArray<string> => {
  const seen = new Map<string, number>()
  return calls.map(({ input, name }) => {
    const call = canonicalJson([name, input])
    const ordinal = seen.get(call) ?? 0
    seen.set(call, ordinal + 1)
    return sha256(JSON.stringify([runId, position, call, ordinal]))
  })
}
