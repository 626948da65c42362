/**
 * Laws that policies keep, to be tried on a policy of one's own: a retry never exceeds its attempts, a breaker never lets two
 * probes through, a limiter never admits more than its limit, a fallback never answers for a failure that says to stop.
 *
 * **When to use**
 *
 * Use them in the tests of a schedule, a layer or any other policy that is written for one program. They find what examples
 * do not: what happens when callers come at the same time, lose interest at the wrong moment, or get their answer late.
 *
 * **Details**
 *
 * Each law makes random cases from a seed, plays each under a virtual clock of its own (real time is a few milliseconds, whatever
 * the waits), and looks only at what can be seen from outside: when a call is let through, and how the whole ends. It
 * returns an effect that succeeds with a {@link LawReport}, or fails with a {@link LawViolation} that tells the story of
 * the smallest case in which the policy broke its promise.
 *
 * A law that could not show anything, such as that of a retry in which nothing was retried, fails as well and says so.
 *
 * Nothing here needs a test runner. `docs/policy-laws.md` has each law in words.
 *
 * **Example** (Trying a schedule)
 *
 * ```ts
 * import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
 * import * as PolicyLaws from "@effect-claude/testing/PolicyLaws"
 * import { assert, it } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 *
 * it.effect("ClaudeSchedule.standard keeps the law of retries", () =>
 *   PolicyLaws.retry(ClaudeSchedule.standard, { attempts: 3 }))
 *
 * it.effect("a plain schedule repeats what cannot help", () =>
 *   Effect.gen(function*() {
 *     const violation = yield* Effect.flip(PolicyLaws.retry(Schedule.recurs(2), { attempts: 3 }))
 *     assert.strictEqual(violation.promise, "attempt 2 follows a failure that says to stop")
 *   }))
 * ```
 *
 * @since 0.1.0
 */
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as BreakerLaw from "./internal/laws/BreakerLaw.ts"
import * as BulkheadLaw from "./internal/laws/BulkheadLaw.ts"
import * as CacheLaw from "./internal/laws/CacheLaw.ts"
import * as DeadlineLaw from "./internal/laws/DeadlineLaw.ts"
import * as FallbackLaw from "./internal/laws/FallbackLaw.ts"
import type * as Law from "./internal/laws/Law.ts"
import { check } from "./internal/laws/Law.ts"
import type { LawViolation } from "./internal/laws/LawViolation.ts"
import * as LayerSubject from "./internal/laws/LayerSubject.ts"
import * as LimiterLaw from "./internal/laws/LimiterLaw.ts"
import * as RetryLaw from "./internal/laws/RetryLaw.ts"
import type * as Subject from "./internal/laws/Subject.ts"

export type { KeyedPolicy } from "./internal/laws/CacheLaw.ts"
export type { FallbackPolicy, FallbackTarget } from "./internal/laws/FallbackLaw.ts"
export type { CheckOptions, LawReport } from "./internal/laws/Law.ts"
export { LawViolation } from "./internal/laws/LawViolation.ts"
export type { PolicyLayer } from "./internal/laws/LayerSubject.ts"
export type { Policy, Subject } from "./internal/laws/Subject.ts"

type Checked = Effect.Effect<Law.LawReport, LawViolation>

const millis = (owner: string, option: string, value: Duration.Input): number =>
  Duration.toMillis(OptionCheck.duration(owner, option, value, { positive: true }))

const count = (owner: string, option: string, value: number): number => {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw OptionCheck.refuse(owner, option, "a whole number of at least 1", value)
  }
  return value
}

/**
 * Options of {@link retry}.
 *
 * **Details**
 *
 * - `attempts`: the most attempts that the policy may make, the first one included; `Infinity` for no bound.
 * - `counted`: reads how many retries the policy has counted so far, where it counts them in a metric or a variable of its own.
 *   `RetryScheduled` events are looked at in any case.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryOptions extends Law.CheckOptions {
  readonly attempts: number
  readonly counted?: Effect.Effect<number> | undefined
}

/**
 * The law of retries: a policy that retries, or a schedule, which is then tried with `Effect.retry`.
 *
 * **Details**
 *
 * - It never makes more than `attempts`, and none after a success or at the same time as another.
 * - It never repeats a call whose failure says to stop (a verdict `Stop`).
 * - It never waits less than the server asked.
 * - It never announces or counts a retry that was not one.
 * - An interrupt stops it, in an attempt and in a wait.
 * - It ends, and with the answer if there was one.
 *
 * Throws a `RangeError` for options that are wrong.
 *
 * **Example** (Finding a retry that ignores the server's wait)
 *
 * ```ts
 * import * as PolicyLaws from "@effect-claude/testing/PolicyLaws"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const impatient: PolicyLaws.Policy = (call) =>
 *   Effect.retry(call, { times: 2, while: ({ verdict }) => verdict._tag === "Retry" })
 *
 * const violation = await Effect.runPromise(Effect.flip(PolicyLaws.retry(impatient, { attempts: 3 })))
 * assert.strictEqual(violation.promise, "attempt 2 comes 0 ms after a failure that asked for 50 ms")
 * ```
 *
 * @category laws
 * @since 0.1.0
 */
export const retry = <E = ClaudeError, E2 = never>(
  subject: Subject.Subject<Subject.Policy<E>, E2> | Schedule.Schedule<unknown, ClaudeError, ClaudeError>,
  options: RetryOptions
): Checked => {
  const attempts = OptionCheck.attempts("PolicyLaws.retry", "attempts", options.attempts)
  const promises = { attempts, counted: options.counted }
  return check(
    Schedule.isSchedule(subject)
      ? RetryLaw.make((call) => Effect.retry(call, subject), promises)
      : RetryLaw.make(subject, promises),
    options
  )
}

/**
 * Options of {@link circuitBreaker}.
 *
 * **Details**
 *
 * - `failures`: how many failures in a row open it.
 * - `openFor`: how long it stays open, or between what times where that varies.
 * - `closeAfter`: how many good probes close it; 1.
 *
 * @category models
 * @since 0.1.0
 */
export interface CircuitBreakerOptions extends Law.CheckOptions {
  readonly failures: number
  readonly openFor: Duration.Input | { readonly atLeast: Duration.Input; readonly atMost: Duration.Input }
  readonly closeAfter?: number | undefined
}

const isRange = (
  value: CircuitBreakerOptions["openFor"]
): value is { readonly atLeast: Duration.Input; readonly atMost: Duration.Input } =>
  typeof value === "object" && "atLeast" in value && "atMost" in value

/**
 * The law of circuit breakers. A call counts as rejected when it is not let through at once, whether it fails or waits.
 *
 * **Details**
 *
 * - It opens after `failures` in a row, each of a call that was made after the failure before; not earlier, and never for calls
 *   that failed by their own fault (a 400).
 * - While it is open nothing passes. When it may close, one probe passes, and no other before that one has ended.
 * - A bad probe opens it again; `closeAfter` good ones close it, and then everything passes.
 * - Results of calls from before the trip change nothing, nor do those from before it closed.
 * - A probe that is interrupted frees its place.
 *
 * Whether failures of calls that ran at the same time count one by one, and whether a probe that failed by its own fault is a good
 * one, is the breaker's affair. A probe that takes longer than half a minute is not tried. Throws a `RangeError` for options that are
 * wrong.
 *
 * **Example** (Trying a breaker)
 *
 * ```ts
 * import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
 * import * as PolicyLaws from "@effect-claude/testing/PolicyLaws"
 * import { it } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const breaker = Effect.map(
 *   CircuitBreaker.make({ failures: 3, openFor: "10 seconds", closeAfter: 2 }),
 *   ({ execute }): PolicyLaws.Policy => execute({ key: "claude" })
 * )
 *
 * it.effect("keeps the law of circuit breakers", () =>
 *   PolicyLaws.circuitBreaker(breaker, { failures: 3, openFor: "10 seconds", closeAfter: 2 }))
 * ```
 *
 * @category laws
 * @since 0.1.0
 */
export const circuitBreaker = <E, E2 = never>(
  subject: Subject.Subject<Subject.Policy<E>, E2>,
  options: CircuitBreakerOptions
): Checked => {
  const owner = "PolicyLaws.circuitBreaker"
  const { openFor } = options
  const [least, most] = isRange(openFor) ? [openFor.atLeast, openFor.atMost] : [openFor, openFor]
  const openAtLeast = millis(owner, "openFor", least)
  const openAtMost = millis(owner, "openFor", most)
  if (openAtMost < openAtLeast) {
    throw OptionCheck.refuse(owner, "openFor", `a range from low to high`, openFor)
  }
  return check(
    BreakerLaw.make(subject, {
      failures: count(owner, "failures", options.failures),
      closeAfter: count(owner, "closeAfter", options.closeAfter ?? 1),
      openAtLeast,
      openAtMost
    }),
    options
  )
}

/**
 * Options of {@link rateLimiter}.
 *
 * **Details**
 *
 * - `limit`: the most calls that may be let through in any window. A token bucket lets through what it holds and what flows in
 *   meanwhile: with a burst of a whole window that is twice its rate. One that gives back what failed calls took lets more
 *   through.
 * - `window`: how long a window is.
 * - `slack`: how much later a call may start than it would have without the calls that were given up before it; 2 milliseconds,
 *   which a limiter may lose that waits whole ones. More is for a limiter with random waits.
 *
 * @category models
 * @since 0.1.0
 */
export interface RateLimiterOptions extends Law.CheckOptions {
  readonly limit: number
  readonly window: Duration.Input
  readonly slack?: Duration.Input | undefined
}

/**
 * The law of rate limiters. Each call costs one.
 *
 * **Details**
 *
 * - It never lets more than `limit` calls through in any window of that length, wherever the window begins.
 * - What an interrupted wait took is given back: the others start as early as if that call had never come.
 * - Each call is let through or turned away in the end.
 *
 * A limit of more than 100 is not reached by the cases: try the policy with a lower one. Throws a `RangeError` for options that are wrong.
 *
 * **Example** (Trying a limiter)
 *
 * ```ts
 * import * as RateLimiter from "@effect-claude/resilience/RateLimiter"
 * import * as PolicyLaws from "@effect-claude/testing/PolicyLaws"
 * import { it } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * // Ten a minute, of which one may be saved up.
 * const limits = { requests: { limit: 10, window: "1 minute", burst: "6 seconds" } } as const
 * const limiter = Effect.map(
 *   RateLimiter.make({ limits, headroom: 1, rampUp: false }),
 *   ({ withLimit }): PolicyLaws.Policy => (call) =>
 *     // By default a call that failed costs nothing.
 *     withLimit(call, { costs: { requests: 1 }, settle: () => ({ requests: 1 }) })
 * )
 *
 * it.effect("keeps the law of rate limiters", () =>
 *   PolicyLaws.rateLimiter(limiter, { limit: 11, window: "1 minute" }))
 * ```
 *
 * @category laws
 * @since 0.1.0
 */
export const rateLimiter = <E, E2 = never>(
  subject: Subject.Subject<Subject.Policy<E>, E2>,
  options: RateLimiterOptions
): Checked => {
  const owner = "PolicyLaws.rateLimiter"
  return check(
    LimiterLaw.make(subject, {
      limit: count(owner, "limit", options.limit),
      window: millis(owner, "window", options.window),
      slack: Duration.toMillis(OptionCheck.duration(owner, "slack", options.slack ?? "2 millis"))
    }),
    options
  )
}

/**
 * Options of {@link bulkhead}: `limit` is how many calls may run at once.
 *
 * @category models
 * @since 0.1.0
 */
export interface BulkheadOptions extends Law.CheckOptions {
  readonly limit: number
}

/**
 * The law of bulkheads.
 *
 * **Details**
 *
 * - It never lets more than `limit` calls run at once.
 * - Each call is let through or turned away in the end.
 * - No place is lost, whether a call succeeds, fails, is interrupted while it runs or while it waits: when all have ended, `limit`
 *   calls pass at once.
 *
 * A limit of more than 100 is not reached by the cases: try the policy with a lower one. Throws a `RangeError` for options that are wrong.
 *
 * **Example** (Trying a bulkhead)
 *
 * ```ts
 * import * as PolicyLaws from "@effect-claude/testing/PolicyLaws"
 * import { it } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Semaphore from "effect/Semaphore"
 *
 * const bulkhead = Effect.map(
 *   Semaphore.make(4),
 *   (semaphore): PolicyLaws.Policy => (call) => semaphore.withPermit(call)
 * )
 *
 * it.effect("keeps the law of bulkheads", () => PolicyLaws.bulkhead(bulkhead, { limit: 4 }))
 * ```
 *
 * @category laws
 * @since 0.1.0
 */
export const bulkhead = <E, E2 = never>(
  subject: Subject.Subject<Subject.Policy<E>, E2>,
  options: BulkheadOptions
): Checked => check(BulkheadLaw.make(subject, { limit: count("PolicyLaws.bulkhead", "limit", options.limit) }), options)

/**
 * Options of {@link deadline}: `limit` is the time that a call may take.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadlineOptions extends Law.CheckOptions {
  readonly limit: Duration.Input
}

/**
 * The law of deadlines. It holds for a whole pipeline too, with retries and waits in it.
 *
 * **Details**
 *
 * - A call ends within `limit`, whatever happens, and nothing of it runs on.
 * - An answer that is there in time is given, at once. A call may be cut before `limit`, as by the timeout of an attempt.
 * - An interrupt ends the call.
 *
 * Throws a `RangeError` for options that are wrong.
 *
 * **Example** (Trying a deadline)
 *
 * ```ts
 * import * as Deadline from "@effect-claude/resilience/Deadline"
 * import * as PolicyLaws from "@effect-claude/testing/PolicyLaws"
 * import { it } from "@effect/vitest"
 *
 * it.effect("keeps the law of deadlines", () =>
 *   PolicyLaws.deadline(Deadline.withDeadline("30 seconds"), { limit: "30 seconds" }))
 * ```
 *
 * @category laws
 * @since 0.1.0
 */
export const deadline = <E, E2 = never>(
  subject: Subject.Subject<Subject.Policy<E>, E2>,
  options: DeadlineOptions
): Checked =>
  check(DeadlineLaw.make(subject, { limit: millis("PolicyLaws.deadline", "limit", options.limit) }), options)

/**
 * Options of {@link fallback}: `fallsThrough` says which failures the next target may be asked for; those that may be retried (a
 * verdict `Retry`) by default.
 *
 * @category models
 * @since 0.1.0
 */
export interface FallbackOptions extends Law.CheckOptions {
  readonly fallsThrough?: ((error: ClaudeError) => boolean) | undefined
}

/**
 * The law of fallbacks.
 *
 * **Details**
 *
 * - It never answers for a failure that does not fall through, such as a 400 or a spend limit: it asks nobody else, and fails.
 * - It asks the targets in their order, none twice, one at a time, and none after an answer.
 * - It gives the answer that there was, and says truly who gave it.
 * - An interrupt stops it.
 *
 * A fallback that gives up early keeps the law. An answer of its own, under another source than the targets', may follow where
 * the last failure falls through.
 *
 * **Example** (Trying a fallback)
 *
 * ```ts
 * import * as Fallback from "@effect-claude/resilience/Fallback"
 * import * as PolicyLaws from "@effect-claude/testing/PolicyLaws"
 * import { it } from "@effect/vitest"
 *
 * const fallback: PolicyLaws.FallbackPolicy = (targets) =>
 *   Fallback.firstOf(targets, { shouldFallback: ({ verdict }) => verdict._tag === "Retry" })
 *
 * it.effect("keeps the law of fallbacks", () => PolicyLaws.fallback(fallback))
 * ```
 *
 * @category laws
 * @since 0.1.0
 */
export const fallback = <E, E2 = never>(
  subject: Subject.Subject<FallbackLaw.FallbackPolicy<E>, E2>,
  options: FallbackOptions = {}
): Checked =>
  check(
    FallbackLaw.make(subject, {
      fallsThrough: options.fallsThrough ?? (({ verdict }) => verdict._tag === "Retry")
    }),
    options
  )

/**
 * Options of {@link cache}: `maxAge` is how old an answer may be that is given again; without it, any age.
 *
 * @category models
 * @since 0.1.0
 */
export interface CacheOptions extends Law.CheckOptions {
  readonly maxAge?: Duration.Input | undefined
}

/**
 * The law of caches, and of those that share calls.
 *
 * **Details**
 *
 * - It never gives what nobody answered, nor the answer to another key, nor one that is older than `maxAge`.
 * - A call that was made and answered does not fail.
 * - Each call ends.
 *
 * Throws a `RangeError` for options that are wrong.
 *
 * **Example** (Trying a cache)
 *
 * ```ts
 * import type { ClaudeError } from "@effect-claude/client/ClaudeError"
 * import * as StaleCache from "@effect-claude/resilience/StaleCache"
 * import * as PolicyLaws from "@effect-claude/testing/PolicyLaws"
 * import { it } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const cache = Effect.map(
 *   StaleCache.make<string, ClaudeError>({
 *     staleFor: "1 hour",
 *     shouldServeStale: ({ verdict }) => verdict._tag === "Retry"
 *   }),
 *   ({ execute }): PolicyLaws.KeyedPolicy => execute
 * )
 *
 * it.effect("keeps the law of caches", () => PolicyLaws.cache(cache, { maxAge: "1 hour" }))
 * ```
 *
 * @category laws
 * @since 0.1.0
 */
export const cache = <E, E2 = never>(
  subject: Subject.Subject<CacheLaw.KeyedPolicy<E>, E2>,
  options: CacheOptions = {}
): Checked =>
  check(
    CacheLaw.make(subject, {
      maxAge: options.maxAge === undefined
        ? Number.POSITIVE_INFINITY
        : millis("PolicyLaws.cache", "maxAge", options.maxAge)
    }),
    options
  )

/**
 * A policy that is put around a `ClaudeService`, for the laws that take a {@link Policy}: what `ClaudeLayer.with*` return, a
 * whole pipeline, or a layer of one's own.
 *
 * **Details**
 *
 * The calls of the law arrive under the layer as those of `createMessage`. The layer is built anew for each case.
 *
 * **Example** (Trying a layer)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as PolicyLaws from "@effect-claude/testing/PolicyLaws"
 * import { it } from "@effect/vitest"
 *
 * it.effect("withRetry keeps the law of retries", () =>
 *   PolicyLaws.retry(PolicyLaws.fromLayer(ClaudeLayer.withRetry()), { attempts: 3 }))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromLayer: <E>(
  layer: LayerSubject.PolicyLayer<E>
) => Effect.Effect<Subject.Policy<ClaudeError>, E, Scope.Scope> = LayerSubject.policy

/**
 * A cache that is put around a `ClaudeService`, for {@link cache}. Calls with the same key have the same request.
 *
 * **Example** (Trying a layer with a cache)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as PolicyLaws from "@effect-claude/testing/PolicyLaws"
 * import { it } from "@effect/vitest"
 *
 * it.effect("withCache keeps the law of caches", () =>
 *   PolicyLaws.cache(PolicyLaws.cacheFromLayer(ClaudeLayer.withCache({ staleFor: "1 hour" })), { maxAge: "1 hour" }))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const cacheFromLayer: <E>(
  layer: LayerSubject.PolicyLayer<E>
) => Effect.Effect<CacheLaw.KeyedPolicy<ClaudeError>, E, Scope.Scope> = LayerSubject.keyed

/**
 * A fallback that is put around a `ClaudeService`, for {@link fallback}: `layer` gets the models to fall back on, in order.
 *
 * **Details**
 *
 * The source of an answer is read from its `AnswerInfo`.
 *
 * **Example** (Trying a layer with other models)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as PolicyLaws from "@effect-claude/testing/PolicyLaws"
 * import { it } from "@effect/vitest"
 *
 * it.effect("withFallback keeps the law of fallbacks", () =>
 *   PolicyLaws.fallback(PolicyLaws.fallbackFromLayer((models) => ClaudeLayer.withFallback({ models }))))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fallbackFromLayer: <E>(
  layer: (models: ReadonlyArray<string>) => LayerSubject.PolicyLayer<E>
) => Effect.Effect<FallbackLaw.FallbackPolicy<ClaudeError>, E, Scope.Scope> = LayerSubject.fallback
