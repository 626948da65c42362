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
import type * as Duration from "effect/Duration"
import type * as Schedule from "effect/Schedule"
import type { ClaudeError } from "./ClaudeError.ts"
import * as ClaudeSchedule from "./ClaudeSchedule.ts"
import { attemptTimeout, type AttemptTimeoutOptions } from "./internal/layer/attemptTimeout.ts"
import { deadline } from "./internal/layer/deadline.ts"
import { fallback, type FallbackOptions, shouldFallbackByDefault } from "./internal/layer/fallback.ts"
import { type Combinator, combinator } from "./internal/layer/PolicyLayer.ts"
import { retry } from "./internal/layer/retry.ts"
import * as pipeline from "./internal/layer/standard.ts"
import { telemetry, type TelemetryOptions } from "./internal/layer/telemetry.ts"

export type { AttemptTimeoutOptions } from "./internal/layer/attemptTimeout.ts"
export { CompositionError } from "./internal/layer/composition.ts"
export type { FallbackOptions, ModelTarget } from "./internal/layer/fallback.ts"
export type { Combinator } from "./internal/layer/PolicyLayer.ts"
export type { StandardOptions } from "./internal/layer/standard.ts"
export type { TelemetryOptions } from "./internal/layer/telemetry.ts"

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
 * - `idle`: the longest silence in a stream; pings are no silence, so a long think is not a stall;
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
 * Asks other models, and at last the program itself, when a call fails.
 *
 * **Details**
 *
 * - `models`: asked in order, with the same request; a name, or a name with `adapt`, which changes the request for it and is
 *   called when its turn comes. The model that was asked for is skipped.
 * - `answer`: makes the last answer, a text or a whole message, from the request and the last error.
 * - `shouldFallback`: which errors fall through. By default what retries did not mend (every `Retry` verdict), an open
 *   circuit, an exhausted retry budget, a spend limit, and a deadline inside the fallback ({@link shouldFallback}); never a
 *   400 or 401.
 *
 * At least one of `models` and `answer` is needed. `AnswerInfo.of(message)` says who answered and why the others did not.
 * A stream changes its source only while no content was emitted. Token counts never fall back.
 *
 * Belongs outside of `withRetry`, so that every model has its own attempts. A `withDeadline` around it ends the whole call,
 * fallback included; one inside is each model's own.
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
export const withFallback = (options: FallbackOptions): Combinator => combinator([fallback(options)])

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
 * Makes calls visible: a span for each, with a child for each attempt, and one structured log line for each failure.
 *
 * **Details**
 *
 * Put it outermost. Spans carry the GenAI attributes of OpenTelemetry (`gen_ai.request.model`, `gen_ai.usage.input_tokens`,
 * ...) and `error.type`, `claude.request_id`, `claude.attempt`, `claude.verdict`. A log line, at warning level for what may be
 * retried and at error level for what may not, has `error` (the tag), `request_id`, `attempt`, `model`, `status`,
 * `error_code`, `verdict`, `retry_after_ms` and the first 200 characters of the message. Neither holds text of a prompt or
 * an answer. A failure is logged once, however many layers it passes. `spans` and `logs` switch each off.
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
 * The whole pipeline in the order that works, outermost first: telemetry, deadline, fallback, retry, attempt timeouts.
 *
 * **Details**
 *
 * - `deadline`: 10 minutes.
 * - `retry`: `ClaudeSchedule.standard`.
 * - `attemptTimeout`: {@link longGeneration}; what is given replaces single values. Those not given shrink with the
 *   deadline, so that an attempt that hangs takes half of it at most and leaves time for another.
 * - `fallback`: none, since only the program knows what may answer in its place. Its `models` are asked within the
 *   deadline; its `answer` is there for a missed deadline too.
 * - `telemetry`: spans and logs.
 *
 * Each can be switched off with `false`.
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
export const standard = (options: pipeline.StandardOptions = {}): Combinator => combinator(pipeline.standard(options))
