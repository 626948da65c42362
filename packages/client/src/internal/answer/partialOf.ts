import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import type { PartialAnswer } from "../../ClaudeError.ts"
import { contentOf, textOf } from "./blocks.ts"

/** A message that is there, as what an error keeps of it. `events` is 0 for one that was not streamed. */
export const partialOf = (message: Message, events = 0): PartialAnswer => ({
  message: Array.isArray(message.content) ? message : { ...message, content: [] },
  text: contentOf(message).map(textOf).join(""),
  events
})
