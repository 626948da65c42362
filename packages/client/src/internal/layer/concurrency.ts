import * as AdaptiveConcurrency from "@effect-claude/resilience/AdaptiveConcurrency"
import * as Bulkhead from "@effect-claude/resilience/Bulkhead"
import * as Verdict from "@effect-claude/resilience/Verdict"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type ClaudeError, ConcurrencyLimitError } from "../../ClaudeError.ts"
import type { ClaudeServiceShape, MessageRequest } from "../../ClaudeService.ts"
import { isPing, type MessageEvent } from "../../MessageEvents.ts"
import { CurrentGate } from "../callContext.ts"
import { type PolicyLayer, stateful } from "./PolicyLayer.ts"

/**
 * How an adaptive limit moves: what `AdaptiveConcurrency.make` takes of that. `latency` is that of the first event of a stream.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdaptiveLimitOptions {
  readonly initial?: number | undefined
  readonly minimum?: number | undefined
  readonly maximum?: number | undefined
  readonly decrease?: number | undefined
  readonly latency?: { readonly tolerance?: number | undefined } | false | undefined
}

/**
 * Options of `withConcurrency`, which describes them. `permits` for a fixed limit, `adaptive` or neither for one that moves.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConcurrencyOptions {
  readonly permits?: number | undefined
  readonly adaptive?: AdaptiveLimitOptions | undefined
  readonly key?: ((request: MessageRequest) => string) | undefined
  readonly queue?: number | undefined
  readonly queueTimeout?: Duration.Input | undefined
  readonly batchHandicap?: Duration.Input | undefined
  readonly maxKeys?: number | undefined
}

/**
 * The limit behind `withConcurrency`, as `ClaudeLayer.controls` hands it out: how full each key is, and where its limit stands.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClaudeConcurrency {
  readonly state: (key: string) => Effect.Effect<Bulkhead.State>
  readonly states: Effect.Effect<ReadonlyMap<string, Bulkhead.State>>
}

/** What a fixed and an adaptive limit have in common. */
interface Limiter extends ClaudeConcurrency {
  readonly limit: <A>(key: string, effect: Effect.Effect<A, ClaudeError>) => Effect.Effect<A, ClaudeError>
  readonly limitStream: (
    key: string,
    stream: Stream.Stream<MessageEvent, ClaudeError>
  ) => Stream.Stream<MessageEvent, ClaudeError>
}

const owner = "ClaudeLayer.withConcurrency"

// What waits here after an outage would wait somewhere in any case, and only here the oldest go first. A waiter takes 1 KB.
const defaultQueue = 10_000

const why = {
  queueFull: (queued: number) => `the queue is full (${queued} waiting)`,
  queueTimeout: () => "none became free within the queue timeout"
}

const rejectionOf = (namesModels: boolean) => ({ inFlight, key, permits, queued, reason }: Bulkhead.Rejection) =>
  new ConcurrencyLimitError({
    message: `No permit for a call of ${key}, ${inFlight} of ${permits} are in use: ${
      why[reason](queued)
    }; nothing was sent`,
    reason,
    ...(namesModels ? { model: key } : undefined)
  })

/** The circuit may have opened while the call waited. */
const recheck: Effect.Effect<void, ClaudeError> = Effect.withFiber((fiber) => fiber.getRef(CurrentGate) ?? Effect.void)

/** By the tag too: `x-should-retry: false` stops a retry and does not make an overload less of one. */
const classify = (error: ClaudeError): Verdict.Verdict =>
  error._tag === "OverloadedError" ? Verdict.retry("overloaded") : error.verdict

const isEvent = (event: MessageEvent): boolean => !isPing(event)

const fixed = (options: Bulkhead.Options<ConcurrencyLimitError>, onRejected: ReturnType<typeof rejectionOf>) =>
  Effect.map(Bulkhead.make({ ...options, onRejected }), (bulkhead): Limiter => ({
    limit: (key, effect) => bulkhead.withPermit(effect, { key, afterWait: recheck }),
    limitStream: (key, stream) => bulkhead.withPermitStream(stream, { key, afterWait: recheck }),
    state: bulkhead.state,
    states: bulkhead.states
  }))

const adaptive = (options: AdaptiveConcurrency.Options, onRejected: ReturnType<typeof rejectionOf>) =>
  Effect.map(AdaptiveConcurrency.make({ ...options, classify, onRejected }), (limiter): Limiter => ({
    limit: (key, effect) => limiter.withPermit(effect, { key, afterWait: recheck }),
    limitStream: (key, stream) => limiter.withPermitStream(stream, { key, afterWait: recheck, isEvent }),
    state: limiter.state,
    states: limiter.states
  }))

const wrap = (
  inner: ClaudeServiceShape,
  limiter: Limiter,
  keyOf: (request: MessageRequest) => string
): ClaudeServiceShape => ({
  createMessage: (request, call) =>
    Effect.suspend(() => limiter.limit(keyOf(request), inner.createMessage(request, call))),
  streamMessage: (request, call) =>
    Stream.suspend(() => limiter.limitStream(keyOf(request), inner.streamMessage(request, call))),
  // A count takes no capacity from the models and has limits of its own.
  countTokens: inner.countTokens
})

/** The defaults of `AdaptiveConcurrency`, said here so that a description of the layer can tell them. */
const resolved = (limits: AdaptiveLimitOptions = {}) => {
  const maximum = limits.maximum ?? 200
  const minimum = limits.minimum ?? Math.min(4, maximum)
  return { ...limits, maximum, minimum, initial: limits.initial ?? Math.max(minimum, Math.min(20, maximum)) }
}

export const concurrency = (options: ConcurrencyOptions = {}): PolicyLayer => {
  const { adaptive: limits, key, permits, ...rest } = options
  if (permits !== undefined && limits !== undefined) {
    throw new RangeError(`${owner}: options "permits" and "adaptive" exclude each other; keep one of the two`)
  }
  const keyOf = key ?? ((request: MessageRequest) => request.model)
  const onRejected = rejectionOf(key === undefined)
  const queue = { ...rest, queue: rest.queue ?? defaultQueue }
  return stateful({
    name: "concurrency",
    options: { ...(permits === undefined ? { adaptive: resolved(limits) } : { permits }), ...queue },
    make: permits === undefined
      ? adaptive({ ...resolved(limits), ...queue }, onRejected)
      : fixed({ permits, ...queue }, onRejected),
    wrap: (inner, limiter) => wrap(inner, limiter, keyOf)
  })
}
