import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { ClaudeError } from "../../ClaudeError.ts"
import type { ClaudeServiceShape, MessageRequest, Policy } from "../../ClaudeService.ts"
import type { MessageEvent } from "../../MessageEvents.ts"
import { type Fallbacks, withDefaultFallbacks } from "../answer/refusalCall.ts"
import {
  type AttemptListener,
  CurrentAttemptListener,
  CurrentAttemptObserver,
  CurrentUsageScope,
  LastFailure
} from "../callContext.ts"
import { isOwnPolicy } from "./composition.ts"

/** Policies that are part of the attempt: what is sent, and how long it may take. */
const partsOfAttempt = new Set(["attemptTimeout", "serverFallbacks", "fallbackCredit"])

/**
 * Policies that send an attempt, keep it waiting, send it twice, or turn it away. They stand around attempts, so that what they
 * turn away is none: nothing was sent.
 */
const gates = new Set(["hedge", "circuitBreaker", "rateLimiter", "concurrency"])

const isRejection = ({ verdict }: ClaudeError): boolean => verdict._tag === "Retry" && verdict.kind === "rejected"

/** Remembers a failure for the deadlines around. That nothing was sent is no news where something was sent, and failed. */
const record = (error: ClaudeError) =>
  Effect.withFiber((fiber) => {
    for (let failure = fiber.getRef(LastFailure); failure !== undefined; failure = failure.outer) {
      if (failure.last === undefined || isRejection(failure.last) || !isRejection(error)) failure.last = error
    }
    return Effect.void
  })

const tell = (
  fiber: Fiber.Fiber<unknown, unknown>,
  listener: AttemptListener,
  exit: Exit.Exit<unknown, ClaudeError>
): undefined => {
  const error = Exit.findErrorOption(exit)
  if (Exit.isSuccess(exit)) listener(fiber, undefined)
  else if (Option.isSome(error) && !isRejection(error.value)) listener(fiber, error.value)
  return undefined
}

type AnyFiber = Fiber.Fiber<unknown, unknown>

const watchedBy = <A>(
  fiber: AnyFiber,
  model: string,
  effect: Effect.Effect<A, ClaudeError>
): Effect.Effect<A, ClaudeError> => {
  const observer = fiber.getRef(CurrentAttemptObserver)
  const listener = fiber.getRef(CurrentAttemptListener)
  const told = listener === undefined
    ? effect
    : Effect.onExitPrimitive(effect, (exit) => tell(fiber, listener, exit))
  return observer === undefined ? told : observer.effect(fiber, model, told)
}

const watchEffect = <A>(model: string, effect: Effect.Effect<A, ClaudeError>): Effect.Effect<A, ClaudeError> =>
  Effect.withFiber((fiber) => watchedBy(fiber, model, effect))

/** Around all else stands who counts what is used: an attempt that a budget does not allow is none. */
const watchMessage = (request: MessageRequest, effect: Effect.Effect<Message, ClaudeError>) =>
  Effect.withFiber((fiber) => {
    const scope = fiber.getRef(CurrentUsageScope)
    return scope === undefined
      ? watchedBy(fiber, request.model, effect)
      : scope.effect(
        fiber,
        request,
        Effect.provideService(watchEffect(request.model, effect), CurrentUsageScope, undefined)
      )
  })

type EventStream = Stream.Stream<MessageEvent, ClaudeError>

const streamWatchedBy = (fiber: AnyFiber, model: string, stream: EventStream): EventStream => {
  const observer = fiber.getRef(CurrentAttemptObserver)
  const listener = fiber.getRef(CurrentAttemptListener)
  const told = listener === undefined
    ? stream
    : Stream.onExit(stream, (exit) => Effect.sync(() => tell(fiber, listener, exit)))
  return observer === undefined ? told : observer.stream(fiber, model, told)
}

const watchStream = (request: MessageRequest, stream: EventStream): EventStream => {
  const watched = (fiber: AnyFiber) => Effect.succeed(streamWatchedBy(fiber, request.model, stream))
  return Stream.unwrap(Effect.withFiber((fiber) => {
    const scope = fiber.getRef(CurrentUsageScope)
    return scope === undefined
      ? watched(fiber)
      : Effect.succeed(
        scope.stream(
          fiber,
          request,
          Stream.provideService(Stream.unwrap(Effect.withFiber(watched)), CurrentUsageScope, undefined)
        )
      )
  }))
}

/** The request as it will be sent: what it may cost depends on the models that a part of the attempt lets the API ask instead. */
const asSent = (policies: ReadonlyArray<Policy>): (request: MessageRequest) => MessageRequest => {
  const fallbacks = policies.find(({ name }) => name === "serverFallbacks")?.options["fallbacks"]
  if (fallbacks === undefined) return (request) => request
  return (request) => withDefaultFallbacks({ request }, fallbacks as Fallbacks).request
}

const watched = (inner: ClaudeServiceShape): ClaudeServiceShape => {
  const sent = asSent(inner.policies ?? [])
  return {
    ...inner,
    createMessage: (request, call) => watchMessage(sent(request), inner.createMessage(request, call)),
    // Counting tokens is free.
    countTokens: (request, call) => watchEffect(request.model, inner.countTokens(request, call)),
    streamMessage: (request, call) => watchStream(sent(request), inner.streamMessage(request, call))
  }
}

/** A policy of somebody else's does not know of attempts, so it is inside of them as the client is. */
const marks = (policy: Policy): boolean => isOwnPolicy(policy) && !partsOfAttempt.has(policy.name)

/** Whether the attempts of a service with these policies around it are seen by anybody. */
export const marksAttempts = (policies: ReadonlyArray<Policy>): boolean => policies.some(marks)

const recorded = (inner: ClaudeServiceShape): ClaudeServiceShape => ({
  ...inner,
  createMessage: (request, call) => Effect.tapError(inner.createMessage(request, call), record),
  countTokens: (request, call) => Effect.tapError(inner.countTokens(request, call), record),
  streamMessage: (request, call) => Stream.tapError(inner.streamMessage(request, call), record)
})

/**
 * Marks in a service, before the policy of this name is put around it, where attempts begin and where their failures come out:
 * an attempt is what is inside of all gates, and its failure, or that a gate turned it away, is known outside of them. Each is
 * marked once, as the policies that are inside already tell.
 */
export const observeAttempts = (inner: ClaudeServiceShape, policy?: string): ClaudeServiceShape => {
  if (policy !== undefined && partsOfAttempt.has(policy)) return inner
  const inside = (inner.policies ?? []).filter(marks)
  const service = inside.length === 0 ? watched(inner) : inner
  const isOutsideOfGates = policy === undefined || !gates.has(policy)
  return isOutsideOfGates && inside.every(({ name }) => gates.has(name)) ? recorded(service) : service
}
