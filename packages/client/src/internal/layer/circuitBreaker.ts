import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { CircuitOpenError, type ClaudeError } from "../../ClaudeError.ts"
import type { ClaudeServiceShape, CountTokensRequest, MessageRequest } from "../../ClaudeService.ts"
import { isContent, type MessageEvent } from "../../MessageEvents.ts"
import { CurrentGate } from "../callContext.ts"
import { type PolicyLayer, stateful } from "./PolicyLayer.ts"

/**
 * A breaker for calls to Claude, as `withCircuitBreaker` makes it and `ClaudeLayer.controls` hands it out.
 *
 * @category models
 * @since 0.1.0
 */
export type ClaudeCircuitBreaker = CircuitBreaker.CircuitBreaker<ClaudeError>

/**
 * What `withCircuitBreaker` does with calls, whichever breaker it uses.
 *
 * @category models
 * @since 0.1.0
 */
export interface CircuitUse {
  readonly key?: ((request: MessageRequest | CountTokensRequest) => string) | undefined
  readonly goodProbeAt?: "content" | "end" | undefined
}

/**
 * Options of `withCircuitBreaker`, which describes them: those of `CircuitBreaker.make`, and what is Claude's own. A breaker
 * that exists already is used as it is.
 *
 * @category models
 * @since 0.1.0
 */
export type CircuitBreakerOptions =
  & CircuitUse
  & (
    | (CircuitBreaker.CircuitBreakerOptions & {
      readonly accountErrors?: boolean | undefined
      readonly breaker?: undefined
    })
    | { readonly breaker: ClaudeCircuitBreaker }
  )

/** Say no to every call of the account until somebody there changes something. */
const accountCodes = new Set([
  "cmek_key_disabled",
  "cmek_key_network_blocked",
  "organization_on_hold"
])

const concernsAccount = (error: ClaudeError): boolean =>
  error._tag === "SpendLimitError" || (error.errorCode !== undefined && accountCodes.has(error.errorCode))

/** Somebody has to raise a limit or enable a key first, so there is no hurry to ask again. */
const accountTrip = CircuitBreaker.trip({ scope: "all", openFor: "30 seconds" })

const failed = (error: ClaudeError): CircuitBreaker.Outcome => CircuitBreaker.failure({ after: error.retryAfter })

/** Whether the API said so. A check of ours that refuses a request before it is sent has nothing that shows it. */
const wasAnswered = ({ errorType, requestId, status }: ClaudeError): boolean =>
  status !== undefined || errorType !== undefined || requestId !== undefined

/**
 * By the tag and not by the verdict alone: `x-should-retry: false` on a 529 stops the retry, and the service is down all the
 * same.
 */
export const outcomeOf = (error: ClaudeError): CircuitBreaker.Outcome => {
  switch (error._tag) {
    case "InternalServerError":
      return error.status === 501 ? CircuitBreaker.alive : failed(error)
    case "OverloadedError":
    case "GatewayTimeoutError":
    case "RequestTimeoutError":
    case "AttemptTimeoutError":
    case "StreamInterruptedError":
    case "InvalidResponseError":
      return failed(error)
    case "ConnectionError":
      // A wrong certificate or host name is no outage, and waiting for it to pass would hide it.
      return error.verdict._tag === "Stop" ? CircuitBreaker.ignored : failed(error)
    case "RateLimitError":
    case "ConflictError":
    case "CircuitOpenError":
    case "RateLimitedLocallyError":
    case "ConcurrencyLimitError":
    case "RetryBudgetExhaustedError":
    case "DeadlineExceededError":
    case "UsageBudgetExceededError":
      return CircuitBreaker.ignored
    case "RefusalError":
    case "OutputTruncatedError":
    case "OutputInvalidError":
      return CircuitBreaker.success
    case "InvalidRequestError":
    case "AuthenticationError":
    case "BillingError":
    case "PermissionDeniedError":
    case "NotFoundError":
    case "RequestTooLargeError":
    case "ContextWindowExceededError":
    case "SpendLimitError":
      return wasAnswered(error) ? CircuitBreaker.alive : CircuitBreaker.ignored
  }
}

const outcomeOfAccount = (error: ClaudeError): CircuitBreaker.Outcome =>
  concernsAccount(error) ? accountTrip : outcomeOf(error)

const why = {
  open: "is open",
  probing: "is half-open, and another call is finding out whether the service is back",
  isolated: "was opened by hand",
  tripped: "was opened by an error that concerns every call"
}

const rejected = (rejection: CircuitBreaker.Rejection, model: string): CircuitOpenError =>
  new CircuitOpenError({
    message: `The circuit of "${rejection.key}" ${why[rejection.reason]}; nothing was sent`,
    reason: rejection.reason,
    model,
    ...(rejection.remaining === undefined ? undefined : { remaining: rejection.remaining }),
    ...(rejection.retryAfter === undefined ? undefined : { retryAfter: rejection.retryAfter }),
    ...(rejection.cause === undefined ? undefined : { cause: rejection.cause })
  })

const owner = "ClaudeLayer.withCircuitBreaker"
const settings = [
  "failures",
  "ratio",
  "openFor",
  "maxServerOpenFor",
  "closeAfter",
  "probeLease",
  "spread",
  "maxKeys",
  "accountErrors"
] as const

/** Longer than a call takes, so that the failures of calls that hang meet in one window. */
const defaultWindow = Duration.minutes(5)

const defaultLease = Duration.minutes(2)

/** A probe that is still within its timeouts keeps its place. */
const leaseFor = ({ policies = [] }: ClaudeServiceShape): Duration.Duration =>
  policies
    .filter(({ name }) => name === "attemptTimeout")
    .flatMap(({ options }) => [options["attempt"], options["stream"], options["headers"], options["firstEvent"]])
    .filter(Duration.isDuration)
    .reduce(Duration.max, defaultLease)

/** Policies in which an admitted call may have to wait. */
const queueing = new Set(["rateLimiter", "concurrency"])

export const circuitBreaker = (options: CircuitBreakerOptions = {}): PolicyLayer => {
  const { goodProbeAt = "content", key = (request: MessageRequest | CountTokensRequest): string => request.model } =
    options
  const wrap = (inner: ClaudeServiceShape, breaker: ClaudeCircuitBreaker): ClaudeServiceShape => {
    const recheckable = inner.policies?.some(({ name }) => queueing.has(name)) === true

    const guarded = <A>(
      circuit: string,
      model: string,
      effect: () => Effect.Effect<A, ClaudeError>
    ): Effect.Effect<A, ClaudeError> =>
      breaker.executeWith(
        { key: circuit, orElse: (rejection) => rejected(rejection, model) },
        (recheck) => recheckable ? Effect.provideService(effect(), CurrentGate, recheck) : effect()
      )

    // Suspended, as `key` may throw.
    return {
      createMessage: (request, call) =>
        Effect.suspend(() => guarded(key(request), request.model, () => inner.createMessage(request, call))),
      // Counts are another endpoint, with limits and outages of its own; in the circuit of the messages a count that works
      // would end a row of messages that fail.
      countTokens: (request, call) =>
        Effect.suspend(() =>
          guarded(`${key(request)} (countTokens)`, request.model, () => inner.countTokens(request, call))
        ),
      streamMessage: (request, call) =>
        Stream.suspend(() =>
          breaker.executeStreamWith(
            {
              key: key(request),
              goodProbeAt,
              isContent: (event: MessageEvent) => isContent(event),
              orElse: (rejection) => rejected(rejection, request.model)
            },
            (recheck) => {
              const stream = inner.streamMessage(request, call)
              return recheckable ? Stream.provideService(stream, CurrentGate, recheck) : stream
            }
          )
        )
    }
  }

  if (options.breaker !== undefined) {
    const { breaker } = options
    const given = settings.filter((name) => Object.hasOwn(options, name))
    if (given.length > 0) {
      throw OptionCheck.refuse(owner, given[0] ?? "", `left out beside "breaker", which has its own`, "one")
    }
    return stateful({ name: "circuitBreaker", options: { breaker: "given" }, make: Effect.succeed(breaker), wrap })
  }

  const { accountErrors = false, breaker: _, key: __, ratio, ...rest } = options
  const window = ratio === undefined
    ? undefined
    : OptionCheck.duration(owner, "ratio.window", ratio.window ?? defaultWindow, { positive: true })
  const make = (probeLease: Duration.Input) =>
    CircuitBreaker.make({
      ...rest,
      probeLease,
      ratio: ratio === undefined ? undefined : { ...ratio, window },
      classify: accountErrors ? outcomeOfAccount : outcomeOf
    })
  const probeLease = rest.probeLease === undefined
    ? undefined
    : OptionCheck.duration(owner, "probeLease", rest.probeLease, { positive: true })
  // Made and dropped, to refuse a wrong option where the layer is described and not when it is built.
  void make(defaultLease)

  return {
    name: "circuitBreaker",
    options: {
      ...rest,
      failures: rest.failures ?? 5,
      closeAfter: rest.closeAfter ?? 2,
      accountErrors,
      goodProbeAt,
      ...(ratio === undefined ? undefined : { ratio: { threshold: 0.5, minimumCalls: 10, ...ratio, window }, window }),
      ...(probeLease === undefined ? undefined : { probeLease })
    },
    build: (inner) =>
      Effect.map(
        make(probeLease ?? leaseFor(inner)),
        (breaker) => ({ service: wrap(inner, breaker), control: breaker })
      )
  }
}
