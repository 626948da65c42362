import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Fallback from "@effect-claude/resilience/Fallback"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { ClaudeError, ClaudeErrorTag } from "../../ClaudeError.ts"
import type { ClaudeServiceShape } from "../../ClaudeService.ts"
import * as MessageEvents from "../../MessageEvents.ts"
import { makeContentTest } from "../answer/contentTest.ts"
import { RejectionsFallThrough } from "../callContext.ts"
import { buildPlan, type Plan } from "./fallback/Plan.ts"
import {
  type Chains,
  type CheckedTarget,
  checkTargets,
  type FallbackErrors,
  type FallbackOptions,
  type FallbackServices
} from "./fallback/targets.ts"
import { failUnanswered, unansweredBy } from "./fallback/unanswered.ts"
import { type Call, type Rules, type Turn, Walk } from "./fallback/Walk.ts"
import type { PolicyLayer } from "./PolicyLayer.ts"

export type {
  Adaptation,
  CachedTarget,
  FallbackChain,
  FallbackErrors,
  FallbackOptions,
  FallbackServices,
  FallbackTarget,
  HandOffTarget,
  ModelTarget,
  ServiceTarget,
  StaticTarget
} from "./fallback/targets.ts"

// Beyond what a retry could have mended: these say no to this target and nothing against another one. A deadline that is
// seen here is one inside, for a single target; one around the fallback ends the whole call. The service's own troubles are
// here as `x-should-retry: false` forbids to send the same again, and not to ask another.
const alsoFallThrough: ReadonlySet<ClaudeErrorTag> = new Set<ClaudeErrorTag>([
  "OverloadedError",
  "InternalServerError",
  "GatewayTimeoutError",
  "RequestTimeoutError",
  "RateLimitError",
  "SpendLimitError",
  "RetryBudgetExhaustedError",
  "CircuitOpenError",
  "DeadlineExceededError"
])

// Says no to the account, so another model of the same account would be asked in vain.
const accountWide: ReadonlySet<ClaudeErrorTag> = new Set<ClaudeErrorTag>(["SpendLimitError"])

export const shouldFallbackByDefault = (error: ClaudeError): boolean =>
  error.verdict._tag === "Retry" || alsoFallThrough.has(error._tag)

const rulesOf = (shouldFallback: FallbackOptions["shouldFallback"]): Rules => {
  if (shouldFallback === undefined) {
    return { shouldFallback: shouldFallbackByDefault, isAccountWide: (error) => accountWide.has(error._tag) }
  }
  const isAccountWide = () => false
  if (typeof shouldFallback === "function") return { shouldFallback, isAccountWide }
  const tags: ReadonlySet<ClaudeErrorTag> = new Set(shouldFallback)
  return { shouldFallback: (error) => tags.has(error._tag), isAccountWide }
}

const describeChains = <E, R>(
  { contextOverflow, main, refusal }: Chains<CheckedTarget<E, R>>,
  shouldFallback: FallbackOptions["shouldFallback"]
): Readonly<Record<string, unknown>> => {
  const names = (chain: ReadonlyArray<CheckedTarget<E, R>>) => chain.map(({ name }) => name)
  return {
    models: main.flatMap((target) => target._tag === "Sender" && target.layer === undefined ? [target.name] : []),
    answer: main.at(-1)?._tag === "Static",
    targets: names(main),
    ...(shouldFallback === undefined ? undefined : { shouldFallback }),
    ...(refusal === undefined ? undefined : { refusal: names(refusal) }),
    ...(contextOverflow === undefined ? undefined : { contextOverflow: names(contextOverflow) })
  }
}

const provideRejections = <A, E>(effect: Effect.Effect<A, E>, fallThrough: boolean, outer: boolean) =>
  fallThrough === outer ? effect : Effect.provideService(effect, RejectionsFallThrough, fallThrough)

const wrap = (plan: Plan, rules: Rules): ClaudeServiceShape => {
  const judges = plan.chains.refusal !== undefined || plan.chains.contextOverflow !== undefined

  /** An answer, or the failure that it amounts to. */
  const judged = (walk: Walk<Message>, sent: Effect.Effect<Message, ClaudeError>) =>
    Effect.flatMap(sent, (message) => {
      const error = unansweredBy(message, walk.leadsOn)
      if (error === undefined) return Effect.succeed(message)
      walk.hold(error, message)
      return Effect.fail(error)
    })

  const ask = (walk: Walk<Message>, call: Call, turn: Turn<Message>): Effect.Effect<Message, ClaudeError> => {
    switch (turn._tag) {
      case "Hold":
        return Effect.sync(() => walk.describe(turn.answer, turn))
      case "Give":
        return Effect.map(turn.message, (message) => walk.describe(message, turn))
      case "Send": {
        const sent = provideRejections(
          turn.service.createMessage(turn.request, turn.options),
          turn.rejectionsFallThrough,
          call.rejectionsFallThrough
        )
        const answered = judges ? judged(walk, sent) : sent
        return turn === walk.first ? answered : Effect.map(answered, (message) => walk.describe(message, turn))
      }
    }
  }

  const createMessage: ClaudeServiceShape["createMessage"] = (request, options) =>
    Effect.withFiber((fiber) => {
      const call = { request, options, streamed: false, rejectionsFallThrough: fiber.getRef(RejectionsFallThrough) }
      const walk = new Walk<Message>(plan, rules, call)
      return Fallback.cascade(
        ask(walk, call, walk.first),
        (error) => Effect.map(walk.next(error), Option.map((turn) => ask(walk, call, turn)))
      )
    })

  type Events = ReadonlyArray<MessageEvents.MessageEvent>
  type EventStream = Stream.Stream<MessageEvents.MessageEvent, ClaudeError>

  const described = (walk: Walk<Events>, turn: Turn<Events>) => (event: MessageEvents.MessageEvent) =>
    event.type === "message_start" ? { ...event, message: walk.describe(event.message, turn) } : event

  const open = (walk: Walk<Events>, call: Call, turn: Turn<Events>): EventStream => {
    switch (turn._tag) {
      case "Hold":
        return Stream.suspend(() => Stream.fromIterable(turn.answer.map(described(walk, turn))))
      case "Give":
        return Stream.unwrap(
          Effect.map(
            turn.message,
            (message) => Stream.fromIterable(MessageEvents.fromMessage(walk.describe(message, turn)))
          )
        )
      case "Send": {
        const { rejectionsFallThrough } = turn
        const sent = turn.service.streamMessage(turn.request, turn.options)
        const governed = rejectionsFallThrough === call.rejectionsFallThrough
          ? sent
          : Stream.provideService(sent, RejectionsFallThrough, rejectionsFallThrough)
        const answered = judges ? failUnanswered(governed, walk.leadsOn, walk.hold) : governed
        return turn === walk.first ? answered : Stream.map(answered, described(walk, turn))
      }
    }
  }

  const streamMessage: ClaudeServiceShape["streamMessage"] = (request, options) =>
    Stream.unwrap(Effect.withFiber((fiber) => {
      const call = { request, options, streamed: true, rejectionsFallThrough: fiber.getRef(RejectionsFallThrough) }
      const walk = new Walk<Events>(plan, rules, call)
      return Effect.succeed(Fallback.cascadeStream(open(walk, call, walk.first), {
        next: (error) => Effect.map(walk.next(error), Option.map((turn) => open(walk, call, turn))),
        isContent: makeContentTest(),
        isTransparent: MessageEvents.isPing
      }))
    }))

  return { createMessage, streamMessage, countTokens: plan.own.countTokens }
}

/** The fallback of options whose targets' errors and services are known. */
export const fallbackOf = <E, R>(options: FallbackOptions<E, R>): PolicyLayer<E, R> => {
  const chains = checkTargets(options)
  const rules = rulesOf(options.shouldFallback)
  return {
    name: "fallback",
    options: describeChains(chains, options.shouldFallback),
    build: (inner) => Effect.map(buildPlan(chains, inner), (plan) => ({ service: wrap(plan, rules) }))
  }
}

/** The fallback that the options state. Its targets' errors and services are read off their type, target by target. */
export const fallback = <const Options extends FallbackOptions<unknown, unknown>>(
  options: Options
): PolicyLayer<FallbackErrors<Options>, FallbackServices<Options>> =>
  fallbackOf(options as FallbackOptions<FallbackErrors<Options>, FallbackServices<Options>>)
