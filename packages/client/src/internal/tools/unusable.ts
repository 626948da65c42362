import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as AnswerInfo from "../../AnswerInfo.ts"
import { type ClaudeError, OutputInvalidError, OutputTruncatedError, RefusalError } from "../../ClaudeError.ts"

const isBlank = (block: Message["content"][number]): boolean =>
  block.type === "text" ? block.text.trim() === "" : block.type === "thinking" || block.type === "redacted_thinking"

/** The failure that an answer amounts to, if the loop cannot go on with it. */
export const unusable = (message: Message): ClaudeError | undefined => {
  const { attempt, requestId } = AnswerInfo.of(message)
  const text = message.content.map((block) => block.type === "text" ? block.text : "").join("")
  const shared = {
    model: message.model,
    attempt,
    ...(requestId === undefined ? undefined : { requestId }),
    partial: { message, text, events: 0 }
  }
  const invalid = (message: string) => new OutputInvalidError({ ...shared, message, text })
  const reason: unknown = message.stop_reason
  switch (reason) {
    case "max_tokens":
    case "model_context_window_exceeded":
      return new OutputTruncatedError({
        ...shared,
        message: reason === "max_tokens"
          ? "The answer was cut off by max_tokens"
          : "The answer was cut off by the end of the context window",
        stopReason: reason
      })
    case "refusal": {
      const { category, explanation }: Partial<NonNullable<Message["stop_details"]>> = message.stop_details ?? {}
      return new RefusalError({
        ...shared,
        message: "The model refused to answer",
        ...(typeof category === "string" ? { category } : undefined),
        ...(typeof explanation === "string" ? { explanation } : undefined)
      })
    }
    case "tool_use":
      return message.content.some(({ type }) => type === "tool_use")
        ? undefined
        : invalid("The answer stopped for a tool and asks for none")
    case "pause_turn":
      return undefined
    case "end_turn":
    case "stop_sequence":
      return message.content.every(isBlank) ? invalid("The answer is empty") : undefined
    default:
      return invalid("The answer stopped for a reason that is not known")
  }
}
