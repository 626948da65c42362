import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ClaudeError } from "../../ClaudeError.ts"
import type { MessageRequest } from "../../ClaudeService.ts"
import type { MessageEvent } from "../../MessageEvents.ts"
import { AttemptUsage } from "./AttemptUsage.ts"
import type { CallUsage } from "./CallUsage.ts"
import { StreamSeen } from "./StreamSeen.ts"
import { usedByMessage, usedByStream } from "./used.ts"

/** An attempt whose usage is counted. What is settled at its end is taken inside, so that no interruption comes in between. */
export const meteredMessage = (
  call: CallUsage,
  fiber: Fiber.Fiber<unknown, unknown>,
  request: MessageRequest,
  effect: Effect.Effect<Message, ClaudeError>
): Effect.Effect<Message, ClaudeError> => {
  const attempt = new AttemptUsage(call, fiber, request)
  const admitted = Effect.suspend(() => {
    const refusal = attempt.open()
    return refusal === undefined ? effect : Effect.fail(refusal)
  })
  return Effect.onExitPrimitive(admitted, (exit) => {
    attempt.close((forecast) => usedByMessage(exit, forecast))
    return undefined
  })
}

/**
 * Reads along with a stream, and tells once that it is over: by its own end or failure, or because its consumer left. What the
 * consumer fails with, which the scope hears of as well, is none of the stream's.
 */
export const watchSeen = (
  stream: Stream.Stream<MessageEvent, ClaudeError>,
  begin: () => ClaudeError | undefined,
  end: (seen: StreamSeen, failure: Cause.Cause<ClaudeError> | undefined) => void
): Stream.Stream<MessageEvent, ClaudeError> =>
  Stream.unwrap(Effect.uninterruptible(Effect.flatMap(Effect.scope, (scope) => {
    const seen = new StreamSeen()
    let isOver = false
    const over = (failure: Cause.Cause<ClaudeError> | undefined): undefined => {
      if (isOver) return
      isOver = true
      end(seen, failure)
    }
    const note = (exit: Exit.Exit<ReadonlyArray<MessageEvent>, ClaudeError | Cause.Done>): undefined => {
      if (Exit.isSuccess(exit)) {
        for (const event of exit.value) seen.note(event)
      } else if (Pull.isDoneCause(exit.cause)) {
        seen.isWhole = true
        over(undefined)
      } else if (!Cause.hasInterruptsOnly(exit.cause)) {
        over(exit.cause as Cause.Cause<ClaudeError>)
      }
    }
    const watched = Stream.transformPull(stream, (pull) => Effect.succeed(Effect.onExitPrimitive(pull, note)))
    return Effect.flatMap(Scope.addFinalizer(scope, Effect.sync(() => over(undefined))), () => {
      const refusal = begin()
      return refusal === undefined ? Effect.succeed(watched) : Effect.fail(refusal)
    })
  })))

export const meteredStream = (
  call: CallUsage,
  fiber: Fiber.Fiber<unknown, unknown>,
  request: MessageRequest,
  stream: Stream.Stream<MessageEvent, ClaudeError>
): Stream.Stream<MessageEvent, ClaudeError> => {
  const attempt = new AttemptUsage(call, fiber, request)
  return watchSeen(
    stream,
    () => attempt.open(),
    (seen, failure) => attempt.close((forecast) => usedByStream(seen, failure, forecast))
  )
}
