import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type { ClaudeError } from "../../../ClaudeError.ts"
import { isPing, makeAccumulator, type MessageEvent } from "../../../MessageEvents.ts"
import { makeContentTest } from "../../answer/contentTest.ts"
import { partialOf } from "../../answer/partialOf.ts"
import { shortfallError } from "../../answer/shortfall.ts"
import type { ChainName } from "./targets.ts"

type Special = Exclude<ChainName, "main">

const chainOfStopReason = (reason: unknown): Special | undefined =>
  reason === "refusal" ? "refusal" : reason === "model_context_window_exceeded" ? "contextOverflow" : undefined

/** The chain that a failure has for itself, if the program named one. */
export const chainOfError = (error: ClaudeError): Special | undefined => {
  switch (error._tag) {
    case "RefusalError":
      return "refusal"
    case "ContextWindowExceededError":
      return "contextOverflow"
    case "OutputTruncatedError":
      return chainOfStopReason(error.stopReason)
    default:
      return undefined
  }
}

/** Whether an answer that stopped for a reason with a chain of its own shall be taken for a failure. */
export type LeadsOn = (chain: Special) => boolean

/** The failure that an answer amounts to: a 200 that is a refusal, or that the context window cut short. */
export const unansweredBy = (message: Message, leadsOn: LeadsOn, events = 0): ClaudeError | undefined => {
  const chain = chainOfStopReason(message.stop_reason)
  if (chain === undefined || !leadsOn(chain)) return undefined
  const shortfall = chain === "refusal" ? "refusal" : "model_context_window_exceeded"
  return shortfallError(message, shortfall, { partial: partialOf(message, events) })
}

type Events = NonEmptyReadonlyArray<MessageEvent>

/**
 * Turns a stream that ends as such an answer into a failing one, as long as it has shown no content. Its events go to
 * `hold`, since they may be the answer in the end.
 */
export const failUnanswered = (
  stream: Stream.Stream<MessageEvent, ClaudeError>,
  leadsOn: LeadsOn,
  hold: (error: ClaudeError, events: ReadonlyArray<MessageEvent>) => void
): Stream.Stream<MessageEvent, ClaudeError> =>
  Stream.transformPull(stream, (pull) =>
    Effect.sync(() => {
      const isContent = makeContentTest()
      const answer = makeAccumulator()
      // Given out before the answer was judged; the events of an answer that is held begin with it.
      const preamble: Array<MessageEvent> = []
      let isJudged = false

      /** The failure that one of these events tells of; judged once the first of them is there that is no mere preamble. */
      const judge = (events: Events): ClaudeError | undefined => {
        for (const event of events) {
          if (event.type === "ping") continue
          answer.add(event)
          if (!isContent(event)) continue
          isJudged = true
          if (event.type !== "message_delta") return undefined
          const message = answer.message()
          return message === undefined ? undefined : unansweredBy(message, leadsOn, answer.partial().events)
        }
        return undefined
      }

      const rest = (error: ClaudeError, events: Array<MessageEvent>): Pull.Pull<Events, ClaudeError> =>
        Pull.matchEffect(pull, {
          onSuccess: (more) => {
            for (const event of more) events.push(event)
            return rest(error, events)
          },
          onFailure: Effect.failCause,
          onDone: () => {
            hold(error, events)
            return Effect.fail(error)
          }
        })

      const untilJudged: Pull.Pull<Events, ClaudeError> = Effect.flatMap(pull, (events) => {
        const error = judge(events)
        for (const event of events) if (!isPing(event)) preamble.push(event)
        return error === undefined ? Effect.succeed(events) : rest(error, preamble)
      })

      return Effect.suspend(() => isJudged ? pull : untilJudged)
    }))
