import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import type { PartialAnswer } from "@effect-claude/client/ClaudeError"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as Duration from "effect/Duration"
import { streamed } from "./ScriptedMessage.ts"
import type { Answer, Frame, StepCall } from "./Step.ts"

/** What of an answer gets through: everything, or what comes before it breaks off. */
export interface Transmission {
  readonly frames: ReadonlyArray<Frame>
  /** Whether `message_stop` is among the frames. What happens to a connection after that is of no interest. */
  readonly stopped: boolean
  /** Whether the message is whole although `message_stop` is missing; some gateways leave it out. */
  readonly closed: boolean
  readonly message: Message | undefined
  readonly partial: PartialAnswer
}

/** Cuts an answer after so many events, pings not counted. */
export const transmit = (frames: ReadonlyArray<Frame>, afterEvents = Number.POSITIVE_INFINITY): Transmission => {
  const accumulator = MessageEvents.makeAccumulator()
  const sent: Array<Frame> = []
  let events = 0
  let openBlocks = 0
  let stopReason: string | null = null
  let stopped = false
  for (const frame of frames) {
    if (stopped || events >= afterEvents) break
    sent.push(frame)
    if (frame.type === "pause") continue
    accumulator.add(frame)
    if (!MessageEvents.isPing(frame)) events++
    if (frame.type === "content_block_start") openBlocks++
    if (frame.type === "content_block_stop") openBlocks--
    if (frame.type === "message_delta") stopReason = frame.delta.stop_reason
    if (frame.type === "message_stop") stopped = true
  }
  return {
    frames: sent,
    stopped,
    closed: stopReason !== null && openBlocks === 0,
    message: accumulator.message(),
    partial: accumulator.partial()
  }
}

/** The message with what the client notes on every answer. */
const annotate = (message: Message, call: StepCall): Message =>
  AnswerInfo.annotate(message, {
    attempt: call.attempt,
    requestId: AnswerInfo.of(message).requestId ?? call.requestId
  })

/** An answer for one call: its message (of a stated one, without the detour over events), and its events. */
export const render = (content: Answer["content"], call: StepCall) => {
  if (content._tag === "Message") {
    const message = annotate(content.message(call), call)
    return { message, frames: streamed(message) }
  }
  const frames = content.frames(call).map((frame) =>
    frame.type === "message_start" ? { ...frame, message: annotate(frame.message, call) } : frame
  )
  return { message: undefined, frames }
}

/** How long the frames take. */
export const durationOf = (frames: ReadonlyArray<Frame>): Duration.Duration =>
  frames.reduce(
    (sum, frame) => frame.type === "pause" ? Duration.sum(sum, frame.duration) : sum,
    Duration.zero
  )

/** How many events an answer has, pings not counted. */
export const eventCount = (content: Answer["content"], call: StepCall): number =>
  transmit(render(content, call).frames).partial.events
