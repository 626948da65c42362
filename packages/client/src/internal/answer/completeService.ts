import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ClaudeError } from "../../ClaudeError.ts"
import type { CallOptions, ClaudeServiceShape, MessageRequest } from "../../ClaudeService.ts"
import type { MessageEvent } from "../../MessageEvents.ts"
import { CurrentUsageScope, RejectionsFallThrough } from "../callContext.ts"
import { Answer, type Settings } from "./Answer.ts"
import { Splice } from "./Splice.ts"

/** Tells whoever counts what is used that the next request adds to what the last one brought. */
const tellContinued = Effect.map(CurrentUsageScope, (scope) => scope?.goesOn("continue"))

/** Asks for a message, goes on while it pauses, and fails if it is not whole. */
export const createWhole = (
  inner: ClaudeServiceShape,
  settings: Settings,
  asked: MessageRequest,
  call: CallOptions | undefined
): Effect.Effect<Message, ClaudeError> =>
  Effect.suspend(() => {
    const answer = new Answer(asked, settings)
    const take = (turn: Message): Effect.Effect<Message, ClaudeError> => {
      const outcome = answer.add(turn)
      switch (outcome._tag) {
        case "Whole":
          return Effect.succeed(outcome.message)
        case "Short":
          return Effect.fail(outcome.error)
        case "Paused":
          return Effect.andThen(tellContinued, inner.createMessage(outcome.request, call)).pipe(
            // Another target would begin from the start: what the turns so far brought is worth the wait.
            Effect.provideService(RejectionsFallThrough, false),
            Effect.mapError(answer.failure),
            Effect.flatMap(take)
          )
      }
    }
    return Effect.flatMap(inner.createMessage(asked, call), take)
  })

/** The same as a stream: of several turns one well-formed message, and of one that is not whole no end. */
export const streamWhole = (
  inner: ClaudeServiceShape,
  settings: Settings,
  asked: MessageRequest,
  call: CallOptions | undefined
): Stream.Stream<MessageEvent, ClaudeError> =>
  Stream.suspend(() => {
    const splice = new Splice(new Answer(asked, settings))
    const take = (turn: Stream.Stream<MessageEvent, ClaudeError>): Stream.Stream<MessageEvent, ClaudeError> =>
      Stream.concat(
        Stream.mapAccumArray(turn, () => splice, (splice, events) => [splice, splice.take(events)]),
        Stream.suspend(() => {
          const outcome = splice.endTurn()
          switch (outcome._tag) {
            case "Whole":
              return Stream.fromIterable(outcome.events)
            case "Short":
              return Stream.fail(outcome.error)
            case "Paused":
              return take(
                Stream.unwrap(Effect.as(tellContinued, inner.streamMessage(outcome.request, call))).pipe(
                  Stream.provideService(RejectionsFallThrough, false),
                  Stream.mapError(splice.failure)
                )
              )
          }
        })
      )
    return take(inner.streamMessage(asked, call))
  })
