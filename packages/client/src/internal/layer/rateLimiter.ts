import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as RateLimiter from "@effect-claude/resilience/RateLimiter"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as AnswerInfo from "../../AnswerInfo.ts"
import { type ClaudeError, RateLimitedLocallyError } from "../../ClaudeError.ts"
import type { CallOptions, ClaudeServiceShape, MessageRequest } from "../../ClaudeService.ts"
import type { MessageEvent } from "../../MessageEvents.ts"
import { CurrentGate } from "../callContext.ts"
import { estimateInput as estimateCharacters } from "../estimateInput.ts"
import { property } from "../foreignError.ts"
import { countedUsage, type Dimension, snapshotOf, StreamUsage, usedByFailure } from "../limiter/accounting.ts"
import { LearnedCosts, type TokenCosts, usesCache } from "../limiter/LearnedCosts.ts"
import { type PolicyLayer, stateful } from "./PolicyLayer.ts"

/**
 * Options of `withRateLimiter`, which describes them.
 *
 * @category models
 * @since 0.1.0
 */
export interface RateLimiterOptions {
  readonly limits?: { readonly [Name in Dimension]?: number | undefined } | undefined
  readonly window?: Duration.Input | undefined
  readonly burst?: Duration.Input | undefined
  readonly headroom?: number | undefined
  readonly adopt?: "always" | "lower" | undefined
  readonly key?: ((request: MessageRequest) => string) | undefined
  readonly estimate?:
    | "characters"
    | "countTokens"
    | ((request: MessageRequest, call: CallOptions | undefined) => number | Effect.Effect<number>)
    | undefined
  readonly estimateOutput?: ((request: MessageRequest) => number) | undefined
  readonly queue?: number | undefined
  readonly queueTimeout?: Duration.Input | undefined
  readonly batchHandicap?: Duration.Input | undefined
  readonly pauseJitter?: number | undefined
  readonly rampUp?: RateLimiter.RampUp | false | undefined
  readonly maxKeys?: number | undefined
}

/**
 * The limiter behind `withRateLimiter`: readable with `levels`, by model.
 *
 * @category models
 * @since 0.1.0
 */
export type ClaudeRateLimiter = RateLimiter.RateLimiter<Dimension, RateLimitedLocallyError>

const owner = "ClaudeLayer.withRateLimiter"
const fastSuffix = " (fast)"
const defaultMaxKeys = 1000
// What waits would wait somewhere in any case, and only here the oldest go first.
const defaultQueue = 10_000
const defaultBurst = Duration.seconds(10)
/** How long a 429 without `retry-after` lets everybody wait. */
const shortPause = Duration.seconds(1)

const isFast = (request: MessageRequest): boolean => property(request, "speed") === "fast"

const keyByModel = (request: MessageRequest): string => isFast(request) ? request.model + fastSuffix : request.model

const rejectionOf = (namesModels: boolean) => ({ key, reason, retryAfter }: RateLimiter.Rejection) => {
  const why = {
    queueFull: "the queue is full",
    queueTimeout: "its turn does not come within the queue timeout",
    deadline: "its turn does not come before the deadline"
  }
  return new RateLimitedLocallyError({
    message: `The rate limits of ${key} leave no room for the call: ${why[reason]}`,
    reason,
    retryAfter,
    ...(namesModels ? { model: key.endsWith(fastSuffix) ? key.slice(0, -fastSuffix.length) : key } : undefined)
  })
}

interface State {
  readonly limiter: ClaudeRateLimiter
  readonly learned: LearnedCosts
}

interface Call {
  readonly request: MessageRequest
  readonly key: string
  readonly isFast: boolean
  readonly isCached: boolean
  /** The guess, and what was reserved because of it. */
  readonly estimate: number
  readonly reserved: TokenCosts
}

type Reservation = RateLimiter.Reservation<Dimension>

type AnyFiber = Fiber.Fiber<unknown, unknown>

const outputLimit = ({ max_tokens }: MessageRequest): number =>
  typeof max_tokens === "number" && max_tokens > 0 ? max_tokens : 0

export const rateLimiter = (options: RateLimiterOptions = {}): PolicyLayer => {
  const { estimate: estimator = "characters", estimateOutput, key: keyOf = keyByModel, limits = {} } = options
  if (estimator !== "characters" && estimator !== "countTokens" && typeof estimator !== "function") {
    throw OptionCheck.refuse(owner, "estimate", `"characters", "countTokens" or a function`, estimator)
  }
  const window = OptionCheck.duration(owner, "window", options.window ?? Duration.minutes(1), { positive: true })
  const burst = options.burst ?? Duration.min(defaultBurst, window)
  const make = RateLimiter.make<Dimension, RateLimitedLocallyError>({
    limits: {
      requests: { limit: limits.requests, window, burst },
      inputTokens: { limit: limits.inputTokens, window, rounding: 1000 },
      outputTokens: { limit: limits.outputTokens, window, rounding: 1000 }
    },
    headroom: options.headroom,
    adopt: options.adopt,
    queue: options.queue ?? defaultQueue,
    queueTimeout: options.queueTimeout,
    batchHandicap: options.batchHandicap,
    pauseJitter: options.pauseJitter,
    rampUp: options.rampUp,
    maxKeys: options.maxKeys,
    onRejected: rejectionOf(options.key === undefined)
  })

  const estimateInput = (
    inner: ClaudeServiceShape,
    request: MessageRequest,
    call: CallOptions | undefined
  ): number | Effect.Effect<number> => {
    if (estimator === "characters") return estimateCharacters(request)
    if (typeof estimator === "function") return estimator(request, call)
    const { max_tokens: _, ...counted } = request
    return inner.countTokens(counted as Parameters<ClaudeServiceShape["countTokens"]>[0], call).pipe(
      Effect.map(({ input_tokens }) => input_tokens),
      Effect.orElseSucceed(() => estimateCharacters(request))
    )
  }

  const priced = ({ learned }: State, request: MessageRequest, estimate: number): Call => {
    const key = keyOf(request)
    const isCached = typeof estimator !== "function" && usesCache(request)
    return {
      request,
      key,
      isFast: isFast(request),
      isCached,
      estimate,
      reserved: {
        // A function of the user's is taken at its word.
        input: typeof estimator === "function" ? estimate : learned.input(key, estimate, isCached),
        output: estimateOutput === undefined ? learned.output(key, outputLimit(request)) : estimateOutput(request)
      }
    }
  }

  const settle = ({ learned }: State, call: Call, reservation: Reservation, used: TokenCosts): Effect.Effect<void> => {
    learned.learn(call.key, call.estimate, call.isCached, used)
    return reservation.settle({ requests: 1, inputTokens: used.input, outputTokens: used.output })
  }

  const observe = (call: Call, reservation: Reservation, answer: object, clock: Clock.Clock): void => {
    const info = AnswerInfo.of(answer)
    if (info.source._tag !== "Requested") return
    const { rateLimits } = info
    reservation.observeUnsafe(
      rateLimits === undefined ? {} : snapshotOf(rateLimits, call.isFast, clock.currentTimeMillisUnsafe())
    )
  }

  const onFailure = (
    { limiter }: State,
    call: Call,
    reservation: Reservation,
    error: ClaudeError,
    used: RateLimiter.Costs<Dimension>
  ): Effect.Effect<void> =>
    Effect.withFiber((fiber) => {
      const rateLimits = "rateLimits" in error ? error.rateLimits : undefined
      const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
      let told = reservation.settle(used)
      if (rateLimits !== undefined) {
        told = Effect.andThen(told, reservation.observe(snapshotOf(rateLimits, call.isFast, now)))
      }
      if (error._tag !== "RateLimitError") return told
      // Before it gives back what it took, which would let the next one go.
      told = Effect.andThen(limiter.pause(call.key, error.retryAfter ?? shortPause), told)
      return error.errorCode === "ramp_limit_exceeded" ? Effect.andThen(reservation.slowDown, told) : told
    })

  const costs = ({ reserved }: Call): RateLimiter.Costs<Dimension> => ({
    requests: 1,
    inputTokens: reserved.input,
    outputTokens: reserved.output
  })

  /** A request that was under way when it was given up has been counted by the server, at least with its input. */
  const givenUp = (call: Call, reservation: Reservation, seen?: TokenCosts): Effect.Effect<void> =>
    reservation.settle({
      requests: 1,
      inputTokens: seen?.input ?? call.reserved.input,
      outputTokens: seen?.output ?? 0
    })

  const limitMessage = (
    state: State,
    inner: ClaudeServiceShape,
    request: MessageRequest,
    options: CallOptions | undefined
  ): ReturnType<ClaudeServiceShape["createMessage"]> => {
    const limited = (fiber: AnyFiber, estimate: number): Effect.Effect<Message, ClaudeError> => {
      const call = priced(state, request, estimate)
      return state.limiter.withReservation(
        { key: call.key, costs: costs(call), afterWait: fiber.getRef(CurrentGate) },
        (reservation) =>
          Effect.onExitPrimitive(inner.createMessage(request, options), (exit): Effect.Effect<void> => {
            if (exit._tag === "Success") {
              const used = countedUsage(exit.value.usage) ?? call.reserved
              return Effect.map(
                settle(state, call, reservation, used),
                () => observe(call, reservation, exit.value, fiber.getRef(Clock.Clock))
              )
            }
            const error = Cause.findErrorOption(exit.cause)
            return Option.isNone(error)
              ? givenUp(call, reservation)
              : onFailure(state, call, reservation, error.value, usedByFailure(error.value, call.reserved))
          })
      )
    }
    return Effect.withFiber((fiber) => {
      const estimate = estimateInput(inner, request, options)
      return typeof estimate === "number"
        ? limited(fiber, estimate)
        : Effect.flatMap(estimate, (estimate) => limited(fiber, estimate))
    })
  }

  const limitStream = (
    state: State,
    inner: ClaudeServiceShape,
    request: MessageRequest,
    options: CallOptions | undefined
  ): ReturnType<ClaudeServiceShape["streamMessage"]> => {
    const held = (
      call: Call,
      reservation: Reservation,
      clock: Clock.Clock
    ): Stream.Stream<MessageEvent, ClaudeError> => {
      const usage = new StreamUsage()
      return inner.streamMessage(request, options).pipe(
        Stream.map((event) => {
          usage.add(event)
          if (event.type === "message_start") observe(call, reservation, event.message, clock)
          return event
        }),
        Stream.tapError((error) => {
          const { counted } = usage
          const used = usage.isStarted && counted !== undefined
            ? { requests: 1, inputTokens: counted.input, outputTokens: counted.output }
            : usedByFailure(error, call.reserved)
          return onFailure(state, call, reservation, error, used)
        }),
        Stream.onEnd(Effect.suspend(() => settle(state, call, reservation, usage.counted ?? call.reserved))),
        // Dropped by its consumer: what has ended or failed is settled by now.
        Stream.ensuring(Effect.suspend(() => givenUp(call, reservation, usage.counted)))
      )
    }
    const limited = (estimate: number) =>
      Effect.withFiber((fiber): Effect.Effect<Stream.Stream<MessageEvent, ClaudeError>> => {
        const call = priced(state, request, estimate)
        return Effect.succeed(state.limiter.withReservationStream(
          { key: call.key, costs: costs(call), afterWait: fiber.getRef(CurrentGate) },
          (reservation) => held(call, reservation, fiber.getRef(Clock.Clock))
        ))
      })
    return Stream.unwrap(Effect.suspend(() => {
      const estimate = estimateInput(inner, request, options)
      return Effect.isEffect(estimate) ? Effect.flatMap(estimate, limited) : limited(estimate)
    }))
  }

  const wrap = (inner: ClaudeServiceShape, state: State): ClaudeServiceShape => ({
    createMessage: (request, call) => limitMessage(state, inner, request, call),
    streamMessage: (request, call) => limitStream(state, inner, request, call),
    // Counting has a limit of its own on the server, and uses up none of these.
    countTokens: inner.countTokens
  })

  return stateful({
    name: "rateLimiter",
    options: { ...options, window },
    make,
    wrap: (inner, limiter) => wrap(inner, { limiter, learned: new LearnedCosts(options.maxKeys ?? defaultMaxKeys) })
  })
}
