import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
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

/** Runs once, when a stream is over: with its last event, a failure, or its consumer. */
export const watchSeen = (
  stream: Stream.Stream<MessageEvent, ClaudeError>,
  begin: () => ClaudeError | undefined,
  end: (exit: Exit.Exit<unknown, ClaudeError>, seen: StreamSeen) => void
): Stream.Stream<MessageEvent, ClaudeError> =>
  Stream.unwrap(Effect.uninterruptible(Effect.flatMap(Effect.scope, (scope) => {
    const seen = new StreamSeen()
    const finalizer = Scope.addFinalizerExit(scope, (exit: Exit.Exit<unknown, ClaudeError>) =>
      Effect.sync(() => {
        // A consumer that has enough ends with success; that there is no more is a failure to whoever pulls.
        if (Exit.isFailure(exit) && Pull.isDoneCause(exit.cause)) {
          seen.isWhole = true
          end(Exit.void, seen)
        } else end(exit, seen)
      }))
    return Effect.flatMap(finalizer, () => {
      const refusal = begin()
      return refusal === undefined ? Effect.succeed(Stream.map(stream, seen.note)) : Effect.fail(refusal)
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
    (exit, seen) => attempt.close((forecast) => usedByStream(exit, seen, forecast))
  )
}
