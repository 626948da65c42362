import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { AlertsOptions } from "../../Alerts.ts"
import type { ClaudeError } from "../../ClaudeError.ts"
import * as ClaudeSchedule from "../../ClaudeSchedule.ts"
import { alerts } from "./alerts.ts"
import { attemptTimeout, type AttemptTimeoutOptions } from "./attemptTimeout.ts"
import { cache, type CacheOptions } from "./cache.ts"
import { circuitBreaker, type CircuitBreakerOptions } from "./circuitBreaker.ts"
import { completeAnswers, type CompleteAnswersOptions } from "./completeAnswers.ts"
import { concurrency, type ConcurrencyOptions } from "./concurrency.ts"
import { deadline } from "./deadline.ts"
import { type FallbackErrors, fallbackOf, type FallbackOptions, type FallbackServices } from "./fallback.ts"
import { hedge, type HedgeOptions } from "./hedge.ts"
import type { PolicyLayer } from "./PolicyLayer.ts"
import { rateLimiter, type RateLimiterOptions } from "./rateLimiter.ts"
import { retry } from "./retry.ts"
import { retryBudget, type RetryBudgetOptions } from "./retryBudget.ts"
import { streamRecovery, type StreamRecoveryOptions } from "./streamRecovery.ts"
import { telemetry, type TelemetryOptions } from "./telemetry.ts"
import { usage, type UsageLedgerOptions } from "./usage.ts"

/**
 * The parts of the standard pipeline. What is left out is as `standard` describes it; `false` leaves a part out.
 *
 * @category models
 * @since 0.1.0
 */
export interface StandardOptions<out E = never, out R = never> {
  readonly attemptTimeout?: AttemptTimeoutOptions | false | undefined
  readonly concurrency?: ConcurrencyOptions | false | undefined
  readonly rateLimiter?: RateLimiterOptions | false | undefined
  readonly circuitBreaker?: CircuitBreakerOptions | false | undefined
  readonly hedge?: HedgeOptions | false | undefined
  readonly retry?: Schedule.Schedule<unknown, ClaudeError> | false | undefined
  readonly retryBudget?: RetryBudgetOptions | false | undefined
  readonly completeAnswers?: CompleteAnswersOptions | false | undefined
  readonly fallback?: FallbackOptions<E, R> | false | undefined
  readonly streamRecovery?: StreamRecoveryOptions | false | undefined
  readonly deadline?: Duration.Input | false | undefined
  readonly cache?: CacheOptions<E, R> | false | undefined
  readonly usage?: UsageLedgerOptions | false | undefined
  readonly telemetry?: TelemetryOptions | false | undefined
  readonly alerts?: AlertsOptions<E, R> | false | undefined
}

type PartOf<Options, Name> = Name extends keyof Options ? Exclude<Options[Name], false | undefined> : never

type StoreOf<Options> = PartOf<Options, "cache"> extends { readonly store?: infer Store } ? Store : never

type HandlerOf<Options> = PartOf<Options, "alerts"> extends { readonly onAlert: infer Handler } ? Handler : never

type ErrorOf<Store> = Store extends Effect.Effect<infer _A, infer E, infer _R> ? E : never

type ServicesOf<Store> = Store extends Effect.Effect<infer _A, infer _E, infer R> ? Exclude<R, Scope.Scope> : never

/**
 * With what the layers and stores named in options of `standard` can fail.
 *
 * @category models
 * @since 0.1.0
 */
export type StandardErrors<Options> = FallbackErrors<PartOf<Options, "fallback">> | ErrorOf<StoreOf<Options>>

/**
 * What the layers, stores and handlers named in options of `standard` need.
 *
 * @category models
 * @since 0.1.0
 */
export type StandardServices<Options> =
  | FallbackServices<PartOf<Options, "fallback">>
  | ServicesOf<StoreOf<Options>>
  | (HandlerOf<Options> extends (...args: never) => infer Handled ? ServicesOf<Handled> : never)

export const defaultDeadline = Duration.minutes(10)

export const longGeneration = {
  firstEvent: Duration.seconds(30),
  idle: Duration.seconds(60),
  attempt: Duration.seconds(120),
  stream: Duration.minutes(10)
}

export const shortQuestion = {
  firstEvent: Duration.seconds(10),
  idle: Duration.seconds(15),
  attempt: Duration.seconds(30)
}

const owner = "ClaudeLayer.standard"

/**
 * The timeouts given, and for each that is not the default, as far as it fits: a stream into the deadline, and what can be
 * retried into half of it, so that an attempt that hangs leaves time for another.
 */
const timeoutsWithin = (total: Duration.Duration, given: AttemptTimeoutOptions): AttemptTimeoutOptions => {
  const half = Duration.isFinite(total) ? Duration.divideUnsafe(total, 2) : total
  const stream = given.stream ?? Duration.min(longGeneration.stream, total)
  const silence = Duration.min(half, OptionCheck.duration(owner, "attemptTimeout.stream", stream, { positive: true }))
  return {
    ...given,
    attempt: given.attempt ?? Duration.min(longGeneration.attempt, half),
    stream,
    firstEvent: given.firstEvent ?? Duration.min(longGeneration.firstEvent, silence),
    idle: given.idle ?? Duration.min(longGeneration.idle, silence)
  }
}

/** What was asked for of a part that is there unless it is switched off. */
const unlessOff = <A>(given: A | false | undefined, byDefault: A): A | undefined =>
  given === false ? undefined : given ?? byDefault

/** What was asked for of a part that is there only if asked for. */
const ifAsked = <A>(given: A | false | undefined): A | undefined => given === false ? undefined : given

const holdsSenders = <E, R>({ contextOverflow, models, refusal, targets }: FallbackOptions<E, R>): boolean =>
  models !== undefined || targets !== undefined || refusal !== undefined || contextOverflow !== undefined

/** The policies of the standard pipeline, the innermost first. */
const allParts = <E, R>(options: StandardOptions<E, R>): ReadonlyArray<PolicyLayer<E, R>> => {
  const total = options.deadline === false
    ? Duration.infinity
    : OptionCheck.duration(owner, "deadline", options.deadline ?? defaultDeadline, { positive: true })
  const timeouts = options.attemptTimeout === false ? undefined : timeoutsWithin(total, options.attemptTimeout ?? {})
  const permits = unlessOff(options.concurrency, {})
  const limits = unlessOff(options.rateLimiter, {})
  const circuit = unlessOff(options.circuitBreaker, {})
  const hedges = ifAsked(options.hedge)
  const schedule = unlessOff(options.retry, ClaudeSchedule.standard)
  const recovery = ifAsked(options.streamRecovery)
  // It pays for retries, hedges and recoveries; without any of them it would be a part that does nothing.
  const isIdle = schedule === undefined && hedges === undefined && recovery === undefined
  if (isIdle && options.retryBudget) {
    throw new RangeError(
      `${owner}: option "retryBudget" pays for nothing: "retry" is false and there is no "hedge" or "streamRecovery"`
    )
  }
  const spending = isIdle ? undefined : unlessOff(options.retryBudget, {})
  const budget = spending && retryBudget(spending)
  const wholeness = ifAsked(options.completeAnswers)
  const targets = ifAsked(options.fallback)
  const hasChain = targets !== undefined && (holdsSenders(targets) || targets.answer === undefined)
  const answers = ifAsked(options.cache)
  const ledger = ifAsked(options.usage)
  const watch = unlessOff(options.telemetry, {})
  const alarms = ifAsked(options.alerts)

  const parts: ReadonlyArray<PolicyLayer<E, R> | undefined> = [
    timeouts && attemptTimeout(timeouts),
    permits && concurrency(permits),
    limits && rateLimiter(limits),
    circuit && circuitBreaker(circuit),
    hedges && hedge(hedges),
    schedule && retry(schedule),
    recovery === undefined ? budget : undefined,
    wholeness && completeAnswers(wholeness),
    // With other targets, the static answer is their last one as well: only there is it known of each why it did not answer.
    targets && hasChain ? fallbackOf(targets) : undefined,
    recovery && streamRecovery(recovery),
    // A thousand streams that are cut at once are a thousand requests more: those are to be paid for as well.
    recovery === undefined ? undefined : budget,
    Duration.isFinite(total) ? deadline(total) : undefined,
    // What takes no time stands outside of the deadline, and is there for a missed one.
    answers && cache(answers),
    targets?.answer && (Duration.isFinite(total) || !hasChain)
      ? fallbackOf({ answer: targets.answer, shouldFallback: targets.shouldFallback })
      : undefined,
    ledger && usage(ledger),
    watch && telemetry(watch),
    alarms && alerts(alarms)
  ]
  return parts.filter((part) => part !== undefined)
}

/** The policies of the standard pipeline, the innermost first. */
export const standard = <const Options extends StandardOptions<unknown, unknown>>(
  options: Options
): ReadonlyArray<PolicyLayer<StandardErrors<Options>, StandardServices<Options>>> =>
  allParts(options as StandardOptions<StandardErrors<Options>, StandardServices<Options>>)
