import * as Deadline from "@effect-claude/resilience/Deadline"
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { DeadlineExceededError } from "../../ClaudeError.ts"
import { type FailureRecord, LastFailure } from "../callContext.ts"
import { type PolicyLayer, stateless } from "./PolicyLayer.ts"

const openRecord = (fiber: Fiber.Fiber<unknown, unknown>): FailureRecord => ({
  last: undefined,
  outer: fiber.getRef(LastFailure)
})

const exceeded = (limit: Duration.Duration, model: string, { last }: FailureRecord): DeadlineExceededError => {
  const message = `The call did not end within its deadline of ${Duration.format(limit)}`
  if (last === undefined) return new DeadlineExceededError({ message, limit, model })
  return new DeadlineExceededError({
    message: `${message}; the last failure was ${last._tag}: ${last.message}`,
    limit,
    model,
    cause: last,
    ...(last.attempt === undefined ? undefined : { attempt: last.attempt }),
    ...(last.requestId === undefined ? undefined : { requestId: last.requestId }),
    ...(last.retryAfter === undefined ? undefined : { retryAfter: last.retryAfter })
  })
}

export const deadline = (input: Duration.Input): PolicyLayer => {
  const duration = OptionCheck.duration("ClaudeLayer.withDeadline", "duration", input, { positive: true })

  const within = <A, E>(model: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E | DeadlineExceededError> =>
    Effect.withFiber((fiber) => {
      const record = openRecord(fiber)
      return Deadline.withDeadlineOrElse(Effect.provideService(effect, LastFailure, record), {
        duration,
        orElse: ({ limit }) => Effect.fail(exceeded(limit, model, record))
      })
    })

  return stateless({
    name: "deadline",
    options: { duration },
    wrap: (inner) => ({
      createMessage: (request, call) => within(request.model, inner.createMessage(request, call)),
      countTokens: (request, call) => within(request.model, inner.countTokens(request, call)),
      streamMessage: (request, call) =>
        Stream.unwrap(Effect.withFiber((fiber) => {
          const record = openRecord(fiber)
          const stream = Stream.provideService(inner.streamMessage(request, call), LastFailure, record)
          return Effect.succeed(Deadline.streamWithDeadlineOrElse(stream, {
            duration,
            orElse: ({ limit }) => Stream.fail(exceeded(limit, request.model, record))
          }))
        }))
    })
  })
}
