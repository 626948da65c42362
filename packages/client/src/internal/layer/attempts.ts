import { CurrentAttempt } from "@effect-claude/resilience/Attempt"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ClaudeError } from "../../ClaudeError.ts"
import type { ClaudeServiceShape } from "../../ClaudeService.ts"
import { CurrentAttemptObserver, LastFailure } from "../callContext.ts"

/** Policies that look at single attempts, or make them. The innermost of them owns the attempts. */
const owners = new Set(["retry", "fallback", "deadline", "telemetry"])

const record = (error: ClaudeError) =>
  Effect.withFiber((fiber) => {
    for (let failure = fiber.getRef(LastFailure); failure !== undefined; failure = failure.outer) failure.last = error
    return Effect.void
  })

const observeEffect = <A>(model: string, effect: Effect.Effect<A, ClaudeError>): Effect.Effect<A, ClaudeError> => {
  const recorded = Effect.tapError(effect, record)
  return Effect.withFiber((fiber) => {
    const observer = fiber.getRef(CurrentAttemptObserver)
    return observer === undefined ? recorded : observer.effect(fiber.getRef(CurrentAttempt), model, recorded)
  })
}

/**
 * Makes every call of a service one observed attempt, unless a policy inside does so already. Applied by every owner.
 */
export const observeAttempts = (inner: ClaudeServiceShape): ClaudeServiceShape => {
  if (inner.policies?.some((policy) => owners.has(policy.name)) === true) return inner
  return {
    ...inner,
    createMessage: (request, options) => observeEffect(request.model, inner.createMessage(request, options)),
    countTokens: (request, options) => observeEffect(request.model, inner.countTokens(request, options)),
    streamMessage: (request, options) => {
      const recorded = Stream.tapError(inner.streamMessage(request, options), record)
      return Stream.unwrap(Effect.withFiber((fiber) => {
        const observer = fiber.getRef(CurrentAttemptObserver)
        return Effect.succeed(
          observer === undefined ? recorded : observer.stream(fiber.getRef(CurrentAttempt), request.model, recorded)
        )
      }))
    }
  }
}
