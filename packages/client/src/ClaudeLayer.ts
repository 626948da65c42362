/**
 * Policies around a `ClaudeService`, as functions from a layer to a layer.
 *
 * **Details**
 *
 * Each takes any layer that provides a `ClaudeService` (the client, a test script, another policy's result) and returns one
 * that provides a `ClaudeService` which does more, beside whatever else the layer provides. The last one in a `pipe` is the
 * outermost. {@link standard} puts them together in the order that works; take them one by one to deviate from it. The
 * order and its reasons are in `docs/composition.md`.
 *
 * **Gotchas**
 *
 * A composition that cannot work is refused when the layer is built, as a defect (a `CompositionError`) that names both
 * options: a retry around another one, a timeout for one attempt around the retry or longer than the deadline. Wrong options
 * throw a `RangeError` at once.
 *
 * **Example** (Building a pipeline)
 *
 * ```ts
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
 *
 * const Claude = AnthropicClient.layerConfig.pipe(
 *   ClaudeLayer.withAttemptTimeout({ firstEvent: "20 seconds", attempt: "60 seconds" }),
 *   ClaudeLayer.withRetry(ClaudeSchedule.standard),
 *   ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] }),
 *   ClaudeLayer.withDeadline("2 minutes"),
 *   ClaudeLayer.withTelemetry()
 * )
 * ```
 *
 * @since 0.1.0
 */
import type * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schedule from "effect/Schedule"
import type { AlertsOptions } from "./Alerts.ts"
import type { ClaudeError } from "./ClaudeError.ts"
import * as ClaudeSchedule from "./ClaudeSchedule.ts"
import { ClaudeService, type ClaudeServiceShape } from "./ClaudeService.ts"
import type { ServerFallbacks } from "./internal/answer/refusalCall.ts"
import { alerts } from "./internal/layer/alerts.ts"
import { attemptTimeout, type AttemptTimeoutOptions } from "./internal/layer/attemptTimeout.ts"
import { cache, type CacheOptions } from "./internal/layer/cache.ts"
import { circuitBreaker, type CircuitBreakerOptions } from "./internal/layer/circuitBreaker.ts"
import { completeAnswers, type CompleteAnswersOptions } from "./internal/layer/completeAnswers.ts"
import { concurrency, type ConcurrencyOptions } from "./internal/layer/concurrency.ts"
import { type Controls, controlsOf } from "./internal/layer/controls.ts"
import { deadline } from "./internal/layer/deadline.ts"
import { describePolicies, type PolicyDescription } from "./internal/layer/describe.ts"
import {
  fallback,
  type FallbackErrors,
  type FallbackOptions,
  type FallbackServices,
  shouldFallbackByDefault
} from "./internal/layer/fallback.ts"
import { hedge, type HedgeOptions } from "./internal/layer/hedge.ts"
import { type Combinator, combinator } from "./internal/layer/PolicyLayer.ts"
import { rateLimiter, type RateLimiterOptions } from "./internal/layer/rateLimiter.ts"
import { fallbackCredit, serverFallbacks } from "./internal/layer/refusalPolicies.ts"
import { retry } from "./internal/layer/retry.ts"
import { retryBudget, type RetryBudgetOptions } from "./internal/layer/retryBudget.ts"
import * as pipeline from "./internal/layer/standard.ts"
import * as fromConfig from "./internal/layer/standardConfig.ts"
import { streamRecovery, type StreamRecoveryOptions } from "./internal/layer/streamRecovery.ts"
import { telemetry, type TelemetryOptions } from "./internal/layer/telemetry.ts"
import { usage, type UsageLedgerOptions } from "./internal/layer/usage.ts"

export type { AttemptTimeoutOptions } from "./internal/layer/attemptTimeout.ts"
export type { AnswerCache, CacheOptions } from "./internal/layer/cache.ts"
export type { CircuitBreakerOptions, CircuitUse, ClaudeCircuitBreaker } from "./internal/layer/circuitBreaker.ts"
export type { CompleteAnswersOptions } from "./internal/layer/completeAnswers.ts"
export { CompositionError } from "./internal/layer/composition.ts"
export type { AdaptiveLimitOptions, ClaudeConcurrency, ConcurrencyOptions } from "./internal/layer/concurrency.ts"
export type { Controls } from "./internal/layer/controls.ts"
export type { Described, PolicyDescription } from "./internal/layer/describe.ts"
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
} from "./internal/layer/fallback.ts"
export type { HedgeOptions } from "./internal/layer/hedge.ts"
export type { Combinator } from "./internal/layer/PolicyLayer.ts"
export type { ClaudeRateLimiter, RateLimiterOptions } from "./internal/layer/rateLimiter.ts"
export type { RetryBudgetOptions, RetryWeightOptions } from "./internal/layer/retryBudget.ts"
export type { StandardErrors, StandardOptions, StandardServices } from "./internal/layer/standard.ts"
export type { BrokenStream, RecoveryMode, StreamRecoveryOptions } from "./internal/layer/streamRecovery.ts"
export type { TelemetryOptions } from "./internal/layer/telemetry.ts"
export type { UsageBudgets, UsageLedgerOptions } from "./internal/layer/usage.ts"

/**
 * Limits the time of each attempt. Adds `AttemptTimeoutError`, whose `phase` says which clock ran out; the HTTP request is
 * cancelled.
 *
 * **Details**
 *
 * At least one of:
 *
 * - `attempt`: the whole attempt;
 * - `stream`: the whole attempt when it is a stream; `attempt` if not given;
 * - `firstEvent`: a stream, from the request to its first event; pings do not count;
 * - `idle`: the longest time without a byte of a stream; pings are bytes, so a long think is not a stall;
 * - `headers`: from the request to the headers of the answer. Measured by the client; an answer that is not streamed has
 *   its headers when it is finished.
 *
 * Belongs inside `withRetry`, and is refused outside of it.
 *
 * **Gotchas**
 *
 * Node's `fetch` gives up by itself when no headers or no data arrive for 300 seconds. Longer limits need a `fetch` of
 * one's own.
 *
 * **Example** (Giving up on a call that hangs)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Fault.hang()]).pipe(ClaudeLayer.withAttemptTimeout({ attempt: "10 millis" }))
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * })
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "AttemptTimeoutError")
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const withAttemptTimeout = (options: AttemptTimeoutOptions): Combinator => combinator([attemptTimeout(options)])

/**
 * Opens a circuit when a model is down, so that calls fail at once instead of one by one, and closes it when a probe shows
 * that the model is back. Adds `CircuitOpenError`.
 *
 * **Details**
 *
 * One circuit for each model (`key`). It opens after `failures` in a row [5] that are no single burst, or on a `ratio` of failures within a window, and
 * stays open for `openFor`: a second at first, a fifth of the outage so far then, two seconds at most, or as long as the
 * server asked. After that one call at a time is let through as a probe; `closeAfter` good ones [2] close it. What speaks of
 * the service counts: overload, server errors, timeouts, broken connections. A 400, a 401 or a 429 does not, nor does what a
 * policy of this program rejected.
 *
 * Inside `withRetry` and within a deadline, a call waits for the circuit instead of failing, sends nothing meanwhile, and the
 * waiting calls come back spread out; a `withFallback` further out takes them at once. A stream is judged when it ends; a probe
 * that is a stream is good as soon as its content begins (`goodProbeAt`), and bad after all if it fails later.
 *
 * Token counts have circuits of their own, `<key> (countTokens)`: another endpoint, whose answers say nothing about messages.
 *
 * - `probeLease`: how long a probe may take before another one is let through; the longest timeout of a `withAttemptTimeout`
 *   inside, 2 minutes at least.
 * - `accountErrors`: whether a spend limit or a disabled customer key opens the circuits of all models at once; `false`. Calls
 *   rejected by that are not retried.
 * - `breaker`: an existing breaker, to share circuits between layers.
 *
 * `controls(claude).circuitBreaker` has the states, the transitions as a stream, `isolate` and `reset`.
 * `docs/policies/circuit-breaker.md` has the rest.
 *
 * **Example** (Failing fast while the model is down)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Fault.overloaded(), Fault.overloaded()]).pipe(
 *   ClaudeLayer.withCircuitBreaker({ failures: 2, openFor: "60 seconds", closeAfter: 2 })
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const ask = Effect.flip(claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }))
 *   return [yield* ask, yield* ask, yield* ask].map(({ _tag }) => _tag)
 * })
 *
 * const tags = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.deepStrictEqual(tags, ["OverloadedError", "OverloadedError", "CircuitOpenError"])
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const withCircuitBreaker = (options: CircuitBreakerOptions = {}): Combinator =>
  combinator([circuitBreaker(options)])

/**
 * Holds calls back until the rate limits have room for them: requests, input tokens and output tokens a minute, admitted
 * together. Adds `RateLimitedLocallyError`.
 *
 * **Details**
 *
 * Without `limits` ten calls go at once and then one a second, until the first response has told the limits in its headers, or
 * that there are none; from then on it follows the headers of each response. A call reserves what it is estimated to take,
 * settles with its `usage`, and gives back what it did not take. Cached input is free. A 429 with `retry-after` holds up
 * everybody of the model, and they come back spread out.
 *
 * Calls wait in a `queue` of bounded length [10,000], the oldest call first, interactive ones before those of
 * `Admission.withPriority("batch")`; a call that cannot have its turn within its `queueTimeout` or its deadline is refused at
 * once. `controls(claude).rateLimiter` tells the levels. `docs/policies/rate-limiter.md` has all options.
 *
 * **Example** (Staying within a limit)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello!") }).pipe(
 *   ClaudeLayer.withRateLimiter({ limits: { requests: 50, inputTokens: 30_000, outputTokens: 8_000 } })
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * })
 *
 * const message = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.strictEqual(message.stop_reason, "end_turn")
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const withRateLimiter = (options: RateLimiterOptions = {}): Combinator => combinator([rateLimiter(options)])

/**
 * Limits how many calls are in flight at once. Adds `ConcurrencyLimitError`.
 *
 * **Details**
 *
 * With `permits` the limit is fixed (a bulkhead). Without, it adapts: it grows while calls succeed, and shrinks when the service
 * is overloaded or the first event comes late, between a minimum and a maximum. One limit for each model (`key`); a stream holds
 * its permit until it ends. Others wait in a `queue` of bounded length, the oldest call first, for `queueTimeout` at most.
 * Token counts take no permit.
 *
 * - `permits`: a fixed number. Without it the limit adapts, as `adaptive` says: `initial` 20, `minimum` 4, `maximum` 200,
 *   `decrease` 0.9, `latency` `{ tolerance: 2 }` or `false`. The two exclude each other.
 * - `queue`: 10,000; `queueTimeout`: none; `batchHandicap`: 30 seconds; `maxKeys`: 1,000; `key`: the model.
 *
 * A call that waited is checked again by the circuit breaker outside before it is sent. `docs/policies/concurrency.md` has all options; `controls(claude).concurrency` tells the state.
 *
 * **Example** (Allowing two at a time)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([], { after: Fault.hang() }).pipe(
 *   ClaudeLayer.withConcurrency({ permits: 1, queue: 0 })
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * })
 *
 * const error = await Effect.runPromise(
 *   Effect.flip(Effect.raceFirst(program, program)).pipe(Effect.provide(Claude))
 * )
 * assert.strictEqual(error._tag, "ConcurrencyLimitError")
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const withConcurrency = (options: ConcurrencyOptions = {}): Combinator => combinator([concurrency(options)])

/**
 * Makes the retries, hedges and stream recoveries inside pay from one bucket, so that an outage is not answered with a multiple of the load. Adds
 * `RetryBudgetExhaustedError`, whose `cause` is the failure that would have been retried.
 *
 * **Details**
 *
 * - `capacity`: how much the bucket holds; 500.
 * - `costs`: what a retry costs by the kind of failure; 5 for rate limits and overload, 14 for the rest, nothing for what was
 *   never sent. A retry that leads to success is refunded, and a call that succeeds at once adds 1.
 * - `refill`: what comes back by itself; nothing.
 * - `weight`: multiplies the cost by the estimated input tokens over 10,000, at least 1; `false` switches it off.
 * - `budget`: an existing budget, to share it between layers.
 *
 * The capacity and the costs are those of the AWS SDKs' standard mode. `controls(claude).retryBudget` tells the level.
 *
 * **Example** (Giving up when nothing helps)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 *
 * const Claude = ClaudeTest.script([], { after: Fault.overloaded() }).pipe(
 *   ClaudeLayer.withRetry(Schedule.recurs(10)),
 *   ClaudeLayer.withRetryBudget({ capacity: 20 })
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * })
 *
 * const error = await Effect.runPromise(program.pipe(Effect.flip, Effect.provide(Claude)))
 * assert.strictEqual(error._tag, "RetryBudgetExhaustedError")
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const withRetryBudget = (options: RetryBudgetOptions = {}): Combinator => combinator([retryBudget(options)])

/**
 * Sends a second request when the first one is slow to begin, and takes the answer that comes first. For the slow tail; it is
 * no retry: a failure before the delay is the call's, later the request that still runs is waited for.
 *
 * **Details**
 *
 * - `delay`: when to send it: a duration, or a `quantile` of the times seen so far; `{ quantile: 0.95, minimumSamples: 50,
 *   window: 200 }`. With a quantile no more than `1 - quantile` of the calls are hedged. Times are kept for each model, streams
 *   and messages apart.
 * - `max`: how many more requests a call may send; 1.
 * - `hedgeWhen`: which requests may be sent twice. By default none whose tools run at the API (code execution, MCP servers),
 *   since what a tool did cannot be taken back, and none with a `thread`, which can be continued only once.
 *
 * The loser is cancelled, and what it used is in its `HedgeLost` event. Hedges draw on the `withRetryBudget` around. A stream is
 * hedged until its first content. Token counts are not hedged. Put it inside `withRetry`.
 *
 * **Example** (Not waiting for the slow one)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Fault.hang(), Reply.text("Hello!")]).pipe(
 *   ClaudeLayer.withHedge({ delay: "10 millis" })
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * })
 *
 * const message = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.strictEqual(message.stop_reason, "end_turn")
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const withHedge = (options: HedgeOptions = {}): Combinator => combinator([hedge(options)])

/**
 * Retries a call by a schedule; `ClaudeSchedule.standard` by default. Fails with the last error when the schedule ends.
 *
 * **Details**
 *
 * The schedule sees each error with its `verdict`; an error whose verdict is `Stop` ends it whatever the schedule says, so a
 * plain `Schedule.recurs(2)` does not send a wrong key three times. A stream is retried only while no content was emitted: `message_start` is
 * held back until then, pings pass. `Attempt.CurrentAttempt` tells what is inside which attempt it is.
 *
 * A second retry layer around this one is refused: attempts would multiply.
 *
 * **Example** (Surviving an overload)
 *
 * ```ts
 * import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 *
 * const Claude = ClaudeTest.script([Fault.overloaded(), Reply.text("Hello!")]).pipe(
 *   ClaudeLayer.withRetry(Schedule.recurs(2))
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * })
 *
 * const message = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.strictEqual(AnswerInfo.of(message).attempt, 2)
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const withRetry = (
  schedule: Schedule.Schedule<unknown, ClaudeError> = ClaudeSchedule.standard
): Combinator => combinator([retry(schedule)])

/**
 * Asks others when a call fails: other models, other services, a cache, and at last the program itself or whomever it hands
 * the request to.
 *
 * **Details**
 *
 * - `models`: asked in order; a name, or a name with `adapt`, which changes the request for it and is called when its turn
 *   comes. A model that was asked already is left out.
 * - `targets`: asked next, in order. A model as above; `{ name, layer }`, another `ClaudeService`, asked for the same model
 *   unless it has a `model`; `{ cached: true }`, the last good answer of a `withCache` outside; `{ answer }`; `{ handOff }`, an
 *   effect that answers, such as putting the request in a queue.
 * - `answer`: makes the last answer, a text or a whole message, from the request and the last error.
 * - `shouldFallback`: which errors fall through, a predicate or a list of tags. By default what retries did not mend (every
 *   `Retry` verdict) or the service did not want retried (overload, server errors, timeouts, rate limits), an open circuit, an
 *   exhausted retry budget, a spend limit, and a deadline inside the fallback ({@link shouldFallback}); never a 400 or 401.
 * - `refusal`, `contextOverflow`: chains of their own for these two, with the same `models`, `targets` and `answer`. They act on
 *   the error and on an answer that stopped for that reason, for a stream as long as no content was emitted. When the whole
 *   chain refuses, the last refusal is the answer.
 *
 * At least one target is needed. The layer of a service is built once, with this one; its errors and needs are in the type.
 * A request is adapted to what the model is known to do (`ModelCapabilities`, `capabilities` on the target), and a target that
 * cannot take it is skipped. `AnswerInfo.of(message)` says who answered, why the others did not, and what was adapted. Headers
 * of the call that may hold a credential do not go to another service.
 *
 * A stream changes its source only while no content was emitted. Token counts never fall back.
 *
 * Belongs outside of `withRetry`, so that every model has its own attempts, and of `withCircuitBreaker`: a circuit that is open
 * costs no time while another target is left. A `withDeadline` around it ends the whole call, fallback included; one inside is
 * each target's own.
 *
 * **Example** (Answering anyway)
 *
 * ```ts
 * import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Fault.overloaded(), Fault.overloaded()]).pipe(
 *   ClaudeLayer.withFallback({
 *     models: ["claude-haiku-5-5"],
 *     answer: () => "We are busy, please try again in a minute."
 *   })
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * })
 *
 * const info = AnswerInfo.of(await Effect.runPromise(program.pipe(Effect.provide(Claude))))
 * assert.strictEqual(info.source._tag, "Static")
 * assert.deepStrictEqual(info.passedOver.map(({ target }) => target), ["claude-sonnet-5-5", "claude-haiku-5-5"])
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const withFallback = <const Options extends FallbackOptions<unknown, unknown>>(
  options: Options
): Combinator<FallbackErrors<Options>, FallbackServices<Options>> => combinator([fallback(options)])

/**
 * Which errors fall through to the next target unless `withFallback` is told otherwise.
 *
 * **Example** (Falling back on refusals too)
 *
 * ```ts
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 *
 * const Claude = AnthropicClient.layerConfig.pipe(
 *   ClaudeLayer.withFallback({
 *     models: ["claude-haiku-5-5"],
 *     shouldFallback: (error) => error._tag === "RefusalError" || ClaudeLayer.shouldFallback(error)
 *   })
 * )
 * ```
 *
 * @category predicates
 * @since 0.1.0
 */
export const shouldFallback: (error: ClaudeError) => boolean = shouldFallbackByDefault

/**
 * Limits the total time of a call, attempts and waits included. Adds `DeadlineExceededError`, whose `cause` is the last
 * failure on the way.
 *
 * **Details**
 *
 * What is inside sees the time that is left: a retry schedule fails at once with the last error, rather than sleep past it.
 * Deadlines nest; the earlier one governs. A stream is covered to its last event, the consumer's time included.
 *
 * **Example** (Failing at once instead of sleeping)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Duration from "effect/Duration"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Fault.rateLimit({ retryAfter: "1 hour" })]).pipe(
 *   ClaudeLayer.withRetry(),
 *   ClaudeLayer.withDeadline("30 seconds")
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * })
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "RateLimitError")
 * assert.deepStrictEqual(error.retryAfter, Duration.hours(1))
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const withDeadline = (duration: Duration.Input): Combinator => combinator([deadline(duration)])

/**
 * Keeps the last good answer to each request, and gives it when a call fails. On request it also answers without asking,
 * and sends identical requests that are in flight once.
 *
 * **Details**
 *
 * - `staleFor`: how old an answer may be to stand in for a failure; 1 day.
 * - `freshFor`: how old an answer may be to be given without asking; zero, so the model is always asked.
 * - `coalesce`: whether a call joins an identical one in flight; `false`. A caller that leaves fails no other, and the
 *   request is cancelled when nobody waits for it any more. A stream is replayed to whoever joins late.
 * - `shouldServeStale`: which errors an answer stands in for; {@link shouldFallback}.
 * - `shouldStore`: which good answers to keep; all. Failures, refusals, truncated and empty answers, paused turns, and
 *   answers of anybody but the model that was asked for are never kept.
 * - `ignore`: fields of the request that are not to tell two of them apart, such as `metadata`; none.
 * - `capacity`, `maxSize`: how many answers, and how many characters of them, are held in memory; 1,000 and 64 million.
 * - `store`: makes another store, of `PersistedCacheStore` or of one's own; memory. It can fail no call.
 * - `storeTimeout`: how long a call waits for the store, each time; 250 ms.
 *
 * Requests are the same if they differ in nothing but `stream` and the order of names (`RequestKey.make`); messages and
 * streams share answers. `AnswerInfo.of(message).source` is `Cached`, with the age, and `passedOver` has the failure. A
 * request that names a container or a thread is left alone. Token counts are not cached.
 *
 * Put it around `withDeadline`, so that it can answer for a missed one, and outside of `withRetry` and `withFallback`; a
 * fallback inside can name it as a target (`{ cached: true }`).
 *
 * **Gotchas**
 *
 * Answers are personal data and are stored in plain text; questions are stored as a hash only. A stored `tool_use` is
 * given again like any answer, with the ids it had.
 *
 * **Example** (Answering through an outage)
 *
 * ```ts
 * import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Reply.text("Hello!"), Fault.overloaded()]).pipe(ClaudeLayer.withCache())
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const ask = claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   yield* ask
 *   return AnswerInfo.of(yield* ask)
 * })
 *
 * const info = await Effect.runPromise(Effect.provide(program, Claude))
 * assert.strictEqual(info.source._tag, "Cached")
 * assert.strictEqual(info.passedOver[0]?.error?._tag, "OverloadedError")
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const withCache = <E = never, R = never>(options: CacheOptions<E, R> = {}): Combinator<E, R> =>
  combinator([cache(options)])

/**
 * Makes every answer a whole one, or a typed error: a turn that the API pauses is continued, and an answer that was cut off, refused or
 * is empty fails. Adds `RefusalError`, `OutputTruncatedError` and `OutputInvalidError`, each with the message and its usage.
 *
 * **Details**
 *
 * `ClaudeAnswer` has the table of what is taken for whole, and how a paused turn is continued. A stream that is not whole
 * fails in place of its `message_delta` and `message_stop`.
 *
 * - `accept`: what is let through although it is not whole, such as `["max_tokens"]`; nothing.
 * - `continuations`: how many further requests a paused turn may take; 10.
 *
 * Put it outside of `withRetry`, so that each turn has attempts of its own, and inside `withFallback`, whose chains `refusal` and
 * `contextOverflow` then take these errors too. Other orders are refused.
 *
 * **Example** (Refusing half an answer)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Reply.text("Once upon a", { stop_reason: "max_tokens" })]).pipe(
 *   ClaudeLayer.withRetry(),
 *   ClaudeLayer.withCompleteAnswers()
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 3,
 *     messages: [{ role: "user", content: "Tell me a story" }]
 *   })
 * })
 *
 * const error = await Effect.runPromise(Effect.flip(Effect.provide(program, Claude)))
 * assert.strictEqual(error._tag, "OutputTruncatedError")
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const withCompleteAnswers = (options: CompleteAnswersOptions = {}): Combinator =>
  combinator([completeAnswers(options)])

/**
 * Lets the API itself ask other models when the one of a request refuses, as `ClaudeAnswer.withServerFallbacks` does for one call.
 * A request with `fallbacks` of its own keeps them, `null` for none.
 *
 * **Example** (Letting the API choose)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Reply.text("Hello!")]).pipe(ClaudeLayer.withServerFallbacks("default"))
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   yield* claude.createMessage({
 *     model: "claude-fable-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   const [call] = yield* (yield* ClaudeTest.ClaudeTest).calls
 *   return call?.options?.headers
 * })
 *
 * assert.deepStrictEqual(await Effect.runPromise(Effect.provide(program, Claude)), {
 *   "anthropic-beta": "server-side-fallback-2026-07-01"
 * })
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const withServerFallbacks = (fallbacks: ServerFallbacks): Combinator => combinator([serverFallbacks(fallbacks)])

/**
 * Asks for a credit token with every refusal, as `ClaudeAnswer.withFallbackCredit` does for one call. The `refusal` chain of a
 * `withFallback` outside redeems it.
 *
 * **Example** (Making the second model cheaper)
 *
 * ```ts
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 *
 * const Claude = AnthropicClient.layerConfig.pipe(
 *   ClaudeLayer.withFallbackCredit(),
 *   ClaudeLayer.withRetry(),
 *   ClaudeLayer.withFallback({ refusal: { models: ["claude-opus-4-8"] } })
 * )
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const withFallbackCredit = (): Combinator => combinator([fallbackCredit()])

/**
 * Goes on with a stream that breaks off after it has shown something, instead of failing it.
 *
 * **Details**
 *
 * - `mode`: `"continue"` (the default), `"restart"` or `"surface"`, or a function that chooses one for each failure.
 *
 *   `continue` keeps finished blocks and the text of an unfinished block, drops unfinished thinking and unfinished tool calls,
 *   and has the model go on: by prefill where the model takes it, which joins exactly, else by a message that asks it to repeat
 *   the last words and go on, which are then cut out. `restart` emits a `restart` event, which takes back what came before, and
 *   asks anew. Where nothing can be kept, `continue` does that too.
 * - `maxRecoveries`: how often one stream is recovered; 3.
 * - `schedule`: the wait before each; `ClaudeSchedule.standard`, begun anew each time. It also retries what fails before its
 *   first content, unless a `withRetry` inside does.
 * - `models`: whom to ask for the rest, in order, when the model that was asked cannot be had; none.
 * - `tools`: `"whileStreaming"` means that the program may run a tool as soon as its block is finished, so that an answer with a
 *   finished `tool_use` is never gone on with or made anew. `"afterAnswer"` states that it runs none before `message_stop`.
 *
 * The stream is one stream for its consumer: one `message_start`, one `message_stop`, blocks numbered through, and the usage of
 * all parts in the last `message_delta`. `AnswerInfo.of(message).parts` lists them. What is recovered is a failure whose
 * verdict is `Retry`; a `Stop` is surfaced, and so is an answer for which a tool of the API has run in `restart`, one of a form
 * (`output_config.format`) in `continue`, and one of a `thread`. A failure is surfaced with all that had arrived in `partial`.
 * `docs/streams.md` says what exactly is guaranteed.
 *
 * Put it outside of `withFallback` and `withRetry`, so that the rest of an answer is asked for like any other call; inside of
 * `withDeadline`, and of `withRetryBudget`, which then pays for recoveries as for retries: a failure that cuts all streams at once
 * would else be answered with as many requests, up to `maxRecoveries` times.
 *
 * **Gotchas**
 *
 * Each recovery is a request with the whole conversation as its input, and is billed. `createMessage` is left alone.
 *
 * **Example** (Surviving a cut stream)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as MessageEvents from "@effect-claude/client/MessageEvents"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const Claude = ClaudeTest.script([
 *   Fault.cutStream({ reply: Reply.text("The tortoise set out early."), afterEvents: 4 }),
 *   Reply.text("The tortoise set out early, and won.")
 * ]).pipe(ClaudeLayer.withStreamRecovery())
 *
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* Stream.mkString(MessageEvents.text(claude.streamMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Tell me a story" }]
 *   })))
 * })
 *
 * const story = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.strictEqual(story, "The tortoise set out early, and won.")
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const withStreamRecovery = (options: StreamRecoveryOptions = {}): Combinator =>
  combinator([streamRecovery(options)])

/**
 * Makes calls visible: a span for each, with a child for each request that was sent, one structured log line for each failure,
 * metrics, and events for whoever watches `ClaudeEvents`.
 *
 * **Details**
 *
 * Put it outermost. Spans carry the GenAI attributes of OpenTelemetry (`gen_ai.request.model`, `gen_ai.usage.input_tokens`,
 * ...) and who answered and why others did not; a request's span has its `claude.attempt`, the wait before it, and `error.type` and
 * `claude.verdict` if it failed. A log line, at warning level for what may be retried and at error level for what may not, has
 * `error` (the tag), `request_id`, `attempt`, `model`, `status`, `error_code`, `verdict`, `retry_after_ms` and the first 200 characters of
 * the message. None of them holds text of a prompt or an answer. A failure is logged once, however many layers it passes, and
 * that a policy turned a call away only if the call ends with it. `ClaudeMetrics` lists the metrics. `docs/policies/telemetry.md`
 * has all of it in tables.
 *
 * - `spans`: `true`. Nothing is spent on them while the program runs with Effect's own tracer, which gives them to nobody.
 * - `logs`: `true`.
 * - `metrics`: `true`.
 *
 * **Example** (Seeing what happened)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Logger from "effect/Logger"
 * import * as Schedule from "effect/Schedule"
 *
 * const lines: Array<unknown> = []
 * const Capture = Logger.layer([Logger.make(({ message }) => { lines.push(message) })])
 *
 * const Claude = ClaudeTest.script([Fault.overloaded(), Reply.text("Hello!")]).pipe(
 *   ClaudeLayer.withRetry(Schedule.recurs(2)),
 *   ClaudeLayer.withTelemetry()
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Layer.merge(Claude, Capture))))
 * assert.strictEqual(lines.length, 1)
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const withTelemetry = (options: TelemetryOptions = {}): Combinator => combinator([telemetry(options)])

/**
 * Keeps a ledger of what calls use: tokens and cost of every request that was sent for them, and the share that was wasted.
 * With budgets it adds `UsageBudgetExceededError`.
 *
 * **Details**
 *
 * - `ledger`: an existing ledger, to share it; that of the context (`UsageLedger.layer`), else a new one for each layer
 *   that is built.
 * - `prices`: what models cost; those of the ledger, which are `Prices.known` by default.
 * - `key`: whose a call is, by its request: a tenant, a feature. `UsageLedger.withKey` says so for a part of a program, and
 *   wins; `"default"` where neither does.
 * - `budget`: limits in tokens or dollars for a `call`, a `key` and `all` calls of the layer. A request that does not fit is not
 *   sent, and its call fails with `UsageBudgetExceededError`; it is not retried, and falls back only where
 *   `shouldFallback` says so. A hedge that does not fit is left out.
 * - `estimate`: how many input tokens a request has; `TokenEstimate.ofRequest`, corrected by what answers have said. A function
 *   of one's own is taken at its word.
 * - `maxKeys`: of how many keys budgets and sums are kept; 10,000. The one that was not used for longest goes first, and has its
 *   whole budget when it comes back.
 *
 * Put it outside of everything that sends requests; outside of `withRetry`, `withHedge`, `withStreamRecovery` and
 * `withCompleteAnswers` it must be. Each ledger in a pipeline
 * books what passes it, and one that is there twice books it once. Token counts are free and not booked. Answers from a cache,
 * of the program's own, or of a call in flight that was joined, cost the caller nothing. `controls(claude).usage` is the
 * ledger.
 *
 * **Gotchas**
 *
 * A `key` budget without a `window` is spent for good, or until the program ends: the state is in memory.
 *
 * **Example** (Limiting each tenant)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as UsageLedger from "@effect-claude/client/UsageLedger"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello!") }).pipe(
 *   ClaudeLayer.withRetry(),
 *   ClaudeLayer.withUsageLedger({ budget: { key: { limit: { tokens: 125 }, window: "1 day" } } })
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const ask = claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   const askFor = (tenant: string) =>
 *     ask.pipe(
 *       Effect.as("answered"),
 *       Effect.catchTag("UsageBudgetExceededError", ({ budget }) => Effect.succeed(`refused by ${budget}`)),
 *       UsageLedger.withKey(tenant)
 *     )
 *   return yield* Effect.forEach(["one", "one", "one", "two"], askFor)
 * })
 *
 * assert.deepStrictEqual(
 *   await Effect.runPromise(program.pipe(Effect.provide(Claude))),
 *   ["answered", "answered", "refused by key one", "answered"]
 * )
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const withUsageLedger = (options: UsageLedgerOptions = {}): Combinator => combinator([usage(options)])

/**
 * Tells somebody when calls go wrong more than they should: a low success rate, a high error rate, many rate limits, and at once
 * an authentication, billing or spend-limit error.
 *
 * **Details**
 *
 * `Alerts` describes the alerts, and `AlertsOptions` when they are given. Put it outermost, so that the success rate is that of
 * the program's calls; it needs no `withTelemetry`. `onAlert` runs on a fiber of the layer's own, so that it neither slows a call
 * down nor fails one. Windows are counted on the clock that only moves forward.
 *
 * **Example** (Paging on call)
 *
 * ```ts
 * import type * as Alerts from "@effect-claude/client/Alerts"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Deferred from "effect/Deferred"
 * import * as Effect from "effect/Effect"
 *
 * const paged = Deferred.makeUnsafe<Alerts.Alert>()
 * const Claude = ClaudeTest.script([Fault.authentication()]).pipe(
 *   ClaudeLayer.withAlerts({ onAlert: (alert) => Deferred.succeed(paged, alert), rateLimits: { above: 100 } })
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   yield* Effect.ignore(claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }))
 *   return yield* Deferred.await(paged)
 * })
 *
 * const alert = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.strictEqual(alert._tag, "ErrorSeen")
 * ```
 *
 * @category policies
 * @since 0.1.0
 */
export const withAlerts = <E = never, R = never>(options: AlertsOptions<E, R>): Combinator<never, R> =>
  combinator([alerts(options)])

/**
 * The timeouts that {@link standard} starts from, for answers that take long: 30 s to the first event, 60 s of silence,
 * 120 s for an answer that is not streamed, 10 minutes for one that is.
 *
 * @category presets
 * @since 0.1.0
 */
export const longGeneration: AttemptTimeoutOptions = pipeline.longGeneration

/**
 * Timeouts for short questions: 10 s to the first event, 15 s of silence, 30 s for the answer.
 *
 * @category presets
 * @since 0.1.0
 */
export const shortQuestion: AttemptTimeoutOptions = pipeline.shortQuestion

/**
 * The whole pipeline in the order that works, outermost first: alerts, telemetry, usage ledger, static answer, cache, deadline, stream
 * recovery, fallback, complete answers, retry budget, retry, hedge, circuit breaker, rate limiter, concurrency, attempt timeouts. If
 * there is a stream recovery the retry budget stands around it.
 *
 * **Details**
 *
 * - `deadline`: 10 minutes.
 * - `retry`: `ClaudeSchedule.standard`.
 * - `retryBudget`, `circuitBreaker`, `rateLimiter`, `concurrency`: with the defaults of {@link withRetryBudget},
 *   {@link withCircuitBreaker}, {@link withRateLimiter} and {@link withConcurrency}. A probe keeps its place for as long as an
 *   attempt may take.
 * - `attemptTimeout`: {@link longGeneration}; what is given replaces single values. Those not given shrink with the
 *   deadline, so that an attempt that hangs takes half of it at most and leaves time for another.
 * - `fallback`: none, since only the program knows what may answer in its place. Its targets are asked within the
 *   deadline; its `answer` is there for a missed deadline too.
 * - `hedge`, `cache`, `streamRecovery`: none. The first costs requests, the second keeps answers, the third writes on where
 *   an answer broke off; all are for the program to want.
 * - `completeAnswers`: none. With `{}` an answer that is not whole is an error ({@link withCompleteAnswers}).
 * - `usage`: none, as it is the program that knows keys and budgets.
 * - `telemetry`: spans, logs and metrics.
 * - `alerts`: none, since only the program knows whom to tell.
 *
 * Each can be switched off with `false`. {@link standardConfig} reads them from the environment too.
 *
 * **Example** (Using it with a deadline of one's own)
 *
 * ```ts
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 *
 * const Claude = AnthropicClient.layerConfig.pipe(
 *   ClaudeLayer.standard({ deadline: "45 seconds", fallback: { models: ["claude-haiku-5-5"] } })
 * )
 * ```
 *
 * @category pipelines
 * @since 0.1.0
 */
export const standard: {
  (): Combinator
  <const Options extends pipeline.StandardOptions<unknown, unknown>>(
    options: Options
  ): Combinator<pipeline.StandardErrors<Options>, pipeline.StandardServices<Options>>
} = (options: pipeline.StandardOptions = {}): Combinator => combinator(pipeline.standard(options))

/**
 * The pipeline of {@link standard}, with what the environment says over its options. Adds `ConfigError`, which names the
 * variable and what it may be.
 *
 * **Details**
 *
 * Read through `Config`; a blank variable counts as not set. Durations are such as `30 seconds`, `off` leaves a part out.
 *
 * | variable | what it sets |
 * | --- | --- |
 * | `CLAUDE_DEADLINE` | duration, `off` |
 * | `CLAUDE_ATTEMPT_TIMEOUT` | duration of an answer that is not streamed, `off` for all timeouts |
 * | `CLAUDE_FIRST_EVENT_TIMEOUT`, `CLAUDE_IDLE_TIMEOUT`, `CLAUDE_STREAM_TIMEOUT` | duration |
 * | `CLAUDE_RETRY_ATTEMPTS` | count, `off` |
 * | `CLAUDE_RETRY_MAX_WAIT` | duration |
 * | `CLAUDE_RETRY_BUDGET` | capacity, `off` |
 * | `CLAUDE_HEDGE` | `on`, a fixed delay, `off` |
 * | `CLAUDE_CIRCUIT_BREAKER` | `on`, `off` |
 * | `CLAUDE_CIRCUIT_FAILURES` | count |
 * | `CLAUDE_CIRCUIT_OPEN_FOR` | duration |
 * | `CLAUDE_RATE_LIMITER` | `on`, `off` |
 * | `CLAUDE_RATE_LIMIT_REQUESTS`, `CLAUDE_RATE_LIMIT_INPUT_TOKENS`, `CLAUDE_RATE_LIMIT_OUTPUT_TOKENS` | count a minute |
 * | `CLAUDE_CONCURRENCY` | permits, `adaptive`, `off` |
 * | `CLAUDE_FALLBACK_MODELS` | names with commas between them, `off` |
 * | `CLAUDE_CACHE_STALE_FOR` | duration, `off` |
 * | `CLAUDE_STREAM_RECOVERY` | `continue`, `restart`, `off` |
 * | `CLAUDE_TELEMETRY` | `on`, `off` |
 *
 * **Example** (Changing the deadline without a build)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import { assert } from "@effect/vitest"
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * const environment = ConfigProvider.layer(ConfigProvider.fromUnknown({ CLAUDE_DEADLINE: "45 seconds" }))
 * const Claude = ClaudeTest.script([]).pipe(
 *   ClaudeLayer.standardConfig({ deadline: "2 minutes" }),
 *   Layer.provide(environment)
 * )
 *
 * const parts = await Effect.runPromise(Effect.provide(ClaudeLayer.describe, Claude))
 * assert.deepStrictEqual(parts.find(({ policy }) => policy === "deadline"), {
 *   policy: "deadline",
 *   options: { duration: "45s" }
 * })
 * ```
 *
 * @category pipelines
 * @since 0.1.0
 */
export const standardConfig: {
  (): Combinator<Config.ConfigError>
  <const Options extends pipeline.StandardOptions<unknown, unknown>>(
    options: Options
  ): Combinator<Config.ConfigError | pipeline.StandardErrors<Options>, pipeline.StandardServices<Options>>
} = (options: pipeline.StandardOptions = {}): Combinator<Config.ConfigError> => (base) =>
  Layer.unwrap(Effect.map(fromConfig.standardConfig(options), (parts) => combinator(parts)(base)))

/**
 * What the service in the context is made of, as data: its policies, outermost first, with their options. For tests and logs.
 *
 * **Details**
 *
 * Durations are text (`2m`), a schedule of this toolkit is its options, and what has no form as data, such as a function, is
 * `"custom"`. Policies of a service that is none of ours are not known.
 *
 * **Example** (Testing what a layer is made of)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([]).pipe(ClaudeLayer.withRetry(), ClaudeLayer.withDeadline("2 minutes"))
 *
 * assert.deepStrictEqual(await Effect.runPromise(ClaudeLayer.describe.pipe(Effect.provide(Claude))), [
 *   { policy: "deadline", options: { duration: "2m" } },
 *   { policy: "retry", options: { schedule: { kinds: { timeout: { attempts: 2 } } } } }
 * ])
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const describe: Effect.Effect<ReadonlyArray<PolicyDescription>, never, ClaudeService> = Effect.map(
  ClaudeService,
  describePolicies
)

/**
 * What the policies around a service can be read and set by, each if the service has that policy; of two of a kind, the outer
 * one.
 *
 * **Example** (Isolating a model by hand)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([]).pipe(ClaudeLayer.standard())
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   yield* ClaudeLayer.controls(claude).circuitBreaker?.isolate("claude-sonnet-5-5") ?? Effect.void
 *   return yield* Effect.flip(claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }))
 * })
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.strictEqual(error._tag, "CircuitOpenError")
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const controls: (service: ClaudeServiceShape) => Controls = controlsOf
