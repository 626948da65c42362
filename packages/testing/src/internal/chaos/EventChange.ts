import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import type { MessageEvent } from "@effect-claude/client/MessageEvents"

/** Passes events on, as far as they come; `take` says whether the stream is over with this one. */
export interface EventChange {
  readonly take: (event: MessageEvent, out: Array<MessageEvent>) => boolean
  readonly accumulator: MessageEvents.Accumulator
}

/**
 * Lets so many events pass, pings not counted, and no more. Of an answer that has less, all: nothing that happens after its
 * `last` event takes anything away from it.
 */
export const breaking = (afterEvents: number, last: "message_delta" | "message_stop"): EventChange => {
  const accumulator = MessageEvents.makeAccumulator()
  let events = 0
  let isWhole = false
  return {
    accumulator,
    take: (event, out) => {
      if (!isWhole && events >= afterEvents) return true
      out.push(event)
      accumulator.add(event)
      if (!MessageEvents.isPing(event)) events++
      if (event.type === last) isWhole = true
      return !isWhole && events >= afterEvents
    }
  }
}

// The rule of thumb for English: a model that stops here has not counted for us.
const charactersPerToken = 4

/** Lets so many events pass at most, pings not counted, and ends the message in good order, for another reason than its own. */
export const endingWith = (
  afterEvents: number,
  end: Pick<Message, "stop_reason" | "stop_details">
): EventChange => {
  const accumulator = MessageEvents.makeAccumulator()
  const open = new Set<number>()
  let start: Message | undefined
  let events = 0

  const closing = (message: Message): ReadonlyArray<MessageEvent> => [
    ...Array.from(open, (index): MessageEvent => ({ type: "content_block_stop", index })),
    {
      type: "message_delta",
      delta: { container: message.container, stop_sequence: null, ...end },
      usage: {
        ...message.usage,
        output_tokens: Math.ceil(accumulator.partial().text.length / charactersPerToken)
      }
    },
    { type: "message_stop" }
  ]

  return {
    accumulator,
    take: (event, out) => {
      const isLast = event.type === "message_delta" || event.type === "message_stop"
      if (start !== undefined && !MessageEvents.isPing(event) && (isLast || events >= afterEvents)) {
        for (const closed of closing(start)) {
          out.push(closed)
          accumulator.add(closed)
        }
        return true
      }
      out.push(event)
      accumulator.add(event)
      if (event.type === "message_start") start ??= event.message
      if (event.type === "content_block_start") open.add(event.index)
      if (event.type === "content_block_stop") open.delete(event.index)
      if (!MessageEvents.isPing(event)) events++
      return false
    }
  }
}

/** Runs the events of an answer that is there through a change: what is left of its message. */
export const changeMessage = (change: EventChange, events: ReadonlyArray<MessageEvent>): Message | undefined => {
  const out: Array<MessageEvent> = []
  for (const event of events) if (change.take(event, out)) break
  return change.accumulator.message()
}
