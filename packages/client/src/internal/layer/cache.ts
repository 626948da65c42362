import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import { CurrentPriority } from "@effect-claude/resilience/Admission"
import * as CacheStore from "@effect-claude/resilience/CacheStore"
import * as Coalesce from "@effect-claude/resilience/Coalesce"
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as StaleCache from "@effect-claude/resilience/StaleCache"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as AnswerInfo from "../../AnswerInfo.ts"
import type { ClaudeError } from "../../ClaudeError.ts"
import type { CallOptions, ClaudeServiceShape, MessageRequest } from "../../ClaudeService.ts"
import * as MessageEvents from "../../MessageEvents.ts"
import * as RequestKey from "../../RequestKey.ts"
import { type AnswerLookup, type CachedAnswer, CurrentAnswerCache } from "../callContext.ts"
import { isStateful } from "../canonicalRequest.ts"
import { isGoodAnswer, storedAnswer } from "../storedAnswer.ts"
import { shouldFallbackByDefault } from "./fallback.ts"
import { type PolicyLayer, stateful } from "./PolicyLayer.ts"

/**
 * Options of `withCache`, which describes them.
 *
 * @category models
 * @since 0.1.0
 */
export interface CacheOptions<out E = never, out R = never> {
  readonly staleFor?: Duration.Input | undefined
  readonly freshFor?: Duration.Input | undefined
  readonly coalesce?: boolean | undefined
  readonly capacity?: number | undefined
  readonly maxSize?: number | undefined
  readonly store?: Effect.Effect<CacheStore.CacheStore<string>, E, R | Scope.Scope> | undefined
  readonly storeTimeout?: Duration.Input | undefined
  readonly shouldServeStale?: ((error: ClaudeError) => boolean) | undefined
  readonly shouldStore?: ((message: Message) => boolean) | undefined
  readonly ignore?: RequestKey.RequestKeyOptions["ignore"]
}

/**
 * What a cache of answers can be asked and told.
 *
 * **Details**
 *
 * - `lookup`: the stored answer to a request and its age, if it is of any use
 * - `forget`: drops the answer to a request
 * - `clear`: drops all answers
 * - `inFlight`: how many different requests are in flight that others can join; 0 without `coalesce`
 *
 * @category models
 * @since 0.1.0
 */
export interface AnswerCache {
  readonly lookup: (request: MessageRequest, call?: CallOptions) => Effect.Effect<Option.Option<CachedAnswer>>
  readonly forget: (request: MessageRequest, call?: CallOptions) => Effect.Effect<void, CacheStore.CacheStoreError>
  readonly clear: Effect.Effect<void, CacheStore.CacheStoreError>
  readonly inFlight: Effect.Effect<number>
}

interface State extends AnswerCache {
  readonly answers: StaleCache.StaleCache<Message, ClaudeError> | undefined
  readonly messages: Coalesce.Coalesce<Message, ClaudeError> | undefined
  readonly streams: Coalesce.StreamCoalesce<MessageEvents.MessageEvent, ClaudeError> | undefined
}

const owner = "ClaudeLayer.withCache"

const defaultCapacity = 1000

// Characters of JSON, of which a long answer has some 50,000.
const defaultMaxSize = 64_000_000

const checked = <E, R>(options: CacheOptions<E, R>) => {
  const staleFor = OptionCheck.duration(owner, "staleFor", options.staleFor ?? "1 day", { infinite: true })
  const freshFor = OptionCheck.duration(owner, "freshFor", options.freshFor ?? 0, { infinite: true })
  const storeTimeout = OptionCheck.duration(owner, "storeTimeout", options.storeTimeout ?? "250 millis", {
    positive: true
  })
  const capacity = OptionCheck.attempts(owner, "capacity", options.capacity ?? defaultCapacity)
  const maxSize = OptionCheck.number(owner, "maxSize", options.maxSize ?? defaultMaxSize, 0)
  const coalesce = options.coalesce ?? false
  for (const bound of ["capacity", "maxSize"] as const) {
    if (options.store !== undefined && options[bound] !== undefined) {
      throw new RangeError(
        `${owner}: option "${bound}" bounds the store in memory, and option "store" replaces that one`
      )
    }
  }
  const stores = !Duration.isZero(staleFor) || !Duration.isZero(freshFor)
  if (!stores && !coalesce) {
    throw new RangeError(`${owner}: set "staleFor" or "freshFor" to more than zero, or "coalesce": it does nothing so`)
  }
  return { staleFor, freshFor, storeTimeout, capacity, maxSize, coalesce, stores }
}

type FromCache = Exclude<StaleCache.Served<Message, ClaudeError>, { readonly _tag: "Live" }>

const annotated = (served: FromCache, model: string): Message =>
  AnswerInfo.annotate(served.value, {
    source: { _tag: "Cached", age: served.age, stale: served._tag === "Stale" },
    passedOver: served._tag === "Stale" ? [{ target: model, error: served.error }] : []
  })

const streamed = (model: string): StaleCache.StreamOptions<MessageEvents.MessageEvent, Message, ClaudeError> => ({
  // Consumers who put the message together themselves leave here.
  isLast: ({ type }) => type === "message_stop",
  isContent: MessageEvents.isContent,
  isTransparent: MessageEvents.isPing,
  replay: (served) => MessageEvents.fromMessage(annotated(served, model)),
  collect: () => {
    const { add, message } = MessageEvents.makeAccumulator()
    return { add, value: message }
  }
})

const emit = (event: ResilienceEvent.ResilienceEvent): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    ResilienceEvent.emit(fiber, event)
    return Effect.void
  })

export const cache = <E = never, R = never>(
  options: CacheOptions<E, R> = {}
): PolicyLayer<E, R> => {
  const { capacity, coalesce, freshFor, maxSize, staleFor, storeTimeout, stores } = checked(options)
  const { ignore, shouldStore } = options
  const inMemory = Effect.sync(() => CacheStore.memory<string>({ capacity, maxSize, sizeOf: (text) => text.length }))

  /** `undefined` for a request whose answer must not be given to another one. */
  const keyOf = (request: MessageRequest, call: CallOptions | undefined): string | undefined => {
    if (isStateful(request)) return undefined
    try {
      return RequestKey.make(request, { headers: call?.headers, ignore })
    } catch {
      // No JSON: the client will say so.
      return undefined
    }
  }

  const makeAnswers = Effect.flatMap(options.store ?? inMemory, (store) =>
    StaleCache.make<Message, ClaudeError>({
      staleFor,
      freshFor,
      storeTimeout,
      store: CacheStore.transform(store, storedAnswer),
      shouldServeStale: options.shouldServeStale ?? shouldFallbackByDefault,
      shouldStore: (message) => isGoodAnswer(message) && shouldStore?.(message) !== false
    }))

  const make = Effect.gen(function*() {
    const answers = stores ? yield* makeAnswers : undefined
    const messages = coalesce ? yield* Coalesce.make<Message, ClaudeError>() : undefined
    const streams = coalesce ? yield* Coalesce.makeStream<MessageEvents.MessageEvent, ClaudeError>() : undefined
    const state: State = {
      answers,
      messages,
      streams,
      lookup: (request, call) =>
        Effect.suspend(() => {
          const key = keyOf(request, call)
          if (key === undefined || answers === undefined) return Effect.succeedNone
          return Effect.map(answers.lookup(key), Option.map(({ age, value }) => ({ message: value, age })))
        }),
      forget: (request, call) =>
        Effect.suspend(() => {
          const key = keyOf(request, call)
          return key === undefined || answers === undefined ? Effect.void : answers.remove(key)
        }),
      clear: answers?.clear ?? Effect.void,
      inFlight: Effect.map(
        Effect.all([messages?.inFlight ?? Effect.succeed(0), streams?.inFlight ?? Effect.succeed(0)]),
        ([one, other]) => one + other
      )
    }
    return state
  })

  const wrap = (inner: ClaudeServiceShape, state: State): ClaudeServiceShape => {
    const { answers, messages, streams } = state
    const lookup: AnswerLookup = {
      lookup: (request, call) =>
        Effect.tap(state.lookup(request, call), (answer) =>
          emit(
            Option.isNone(answer)
              ? { _tag: "CacheMissed" }
              : { _tag: "CacheHit", age: answer.value.age, stale: true }
          ))
    }

    const createMessage: ClaudeServiceShape["createMessage"] = (request, call) =>
      Effect.withFiber((fiber) => {
        const asked = inner.createMessage(request, call)
        const key = keyOf(request, call)
        if (key === undefined) return asked
        const served = answers === undefined ? asked : Effect.map(
          answers.serve(key, Effect.provideService(asked, CurrentAnswerCache, lookup)),
          (answer) => answer._tag === "Live" ? answer.value : annotated(answer, request.model)
        )
        return messages === undefined ? served : messages.execute(`${fiber.getRef(CurrentPriority)} ${key}`, served)
      })

    const streamMessage: ClaudeServiceShape["streamMessage"] = (request, call) =>
      Stream.unwrap(Effect.withFiber((fiber) => {
        const asked = inner.streamMessage(request, call)
        const key = keyOf(request, call)
        if (key === undefined) return Effect.succeed(asked)
        const served = answers === undefined ? asked : answers.serveStream(
          key,
          Stream.provideService(asked, CurrentAnswerCache, lookup),
          streamed(request.model)
        )
        return Effect.succeed(
          streams === undefined ? served : streams.execute(`${fiber.getRef(CurrentPriority)} ${key}`, served)
        )
      }))

    return { createMessage, streamMessage, countTokens: inner.countTokens }
  }

  return stateful<State, E, R>({
    name: "cache",
    options: {
      staleFor,
      freshFor,
      coalesce,
      ...(options.store === undefined ? { capacity, maxSize } : { store: true, storeTimeout })
    },
    make,
    wrap
  })
}
