/**
 * Every way a call to Claude can fail, as one flat union of tagged errors.
 *
 * **Details**
 *
 * All errors share a set of fields: `message`, `requestId`, `status`, `errorType`, `errorCode`, `retryAfter` (the wait that
 * the server or a policy asked for), `shouldRetry` (the server's own word), `attempt` (1-based), `model`, `partial` (what had
 * arrived of a stream) and `cause`. Each
 * says through `verdict` what to do next. Four groups:
 *
 * - {@link ApiError}: the API said so, by a status or by an `error` event inside a stream;
 * - {@link TransportError}: the answer did not arrive, or not whole;
 * - {@link AnswerError}: the answer arrived and is no success;
 * - {@link PolicyError}: a policy of this toolkit said no, and nothing was sent for it.
 *
 * `ClaudeError` is also a Schema: {@link ClaudeErrorJson} goes to JSON and back to instances of the same classes, for a queue
 * or another process.
 *
 * **Gotchas**
 *
 * `message` is for people; its wording changes. Branch on the tag, then on `errorCode`. No error holds an API key, a header
 * of the request, or text of the prompt: what a server echoes of them is cut out before the error is made. `partial` holds
 * what the model had written, so treat it like the answer itself.
 *
 * **Example** (Handling what matters and letting the rest be seen in the type)
 *
 * ```ts
 * import { OverloadedError, RateLimitError, type ClaudeError } from "@effect-claude/client/ClaudeError"
 * import { assert } from "@effect/vitest"
 * import * as Duration from "effect/Duration"
 * import * as Effect from "effect/Effect"
 *
 * const call: Effect.Effect<string, RateLimitError | OverloadedError> = Effect.fail(
 *   new RateLimitError({ message: "Too many requests", retryAfter: Duration.seconds(12) })
 * )
 *
 * const handled = call.pipe(
 *   Effect.catchTag("RateLimitError", (error) => Effect.succeed(`later: ${Duration.format(error.retryAfter ?? Duration.zero)}`))
 * )
 * // OverloadedError is still in the type, RateLimitError is gone.
 * const typed: Effect.Effect<string, OverloadedError> = handled
 *
 * assert.strictEqual(await Effect.runPromise(typed), "later: 12s")
 * ```
 *
 * @since 0.1.0
 */
import type { ContentBlock, Message } from "@anthropic-ai/sdk/resources/messages/messages"
import { stop, type Verdict } from "@effect-claude/resilience/Verdict"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { resumableBlocks, shownText } from "./internal/stream/resumable.ts"
import { verdictOf } from "./internal/verdict.ts"
import { RateLimits } from "./RateLimits.ts"
import { TokenUsage } from "./TokenUsage.ts"

const MessageSnapshot = Schema.declare(
  (value: unknown): value is Message => Predicate.isObject(value) && Array.isArray(value["content"]),
  {
    expected: "a message of the API",
    toCodecJson: () =>
      Schema.link<Message>()(
        // Not `Unknown`: a codec to JSON makes that a required key, and a message that has not begun is a missing one.
        Schema.Json,
        SchemaTransformation.transform({
          decode: (json) => json as unknown as Message,
          encode: (message) => message as unknown as Schema.Json
        })
      )
  }
)

/**
 * What had arrived of an answer when it broke off: the message as far as it got, its text, how many events had come
 * (pings not counted), and the positions in `message.content` of the blocks that are `unfinished`, if there are any. Text of
 * the model, so as confidential as an answer.
 *
 * @category models
 * @since 0.1.0
 */
export const PartialAnswer = Schema.Struct({
  message: Schema.optionalKey(MessageSnapshot),
  text: Schema.String,
  events: Schema.Int,
  unfinished: Schema.optionalKey(Schema.Array(Schema.Int))
})

/**
 * What had arrived of an answer when it broke off.
 *
 * @category models
 * @since 0.1.0
 */
export type PartialAnswer = typeof PartialAnswer.Type

const shared = {
  message: Schema.String,
  requestId: Schema.optionalKey(Schema.String),
  status: Schema.optionalKey(Schema.Int),
  errorType: Schema.optionalKey(Schema.String),
  errorCode: Schema.optionalKey(Schema.String),
  retryAfter: Schema.optionalKey(Schema.DurationFromMillis),
  shouldRetry: Schema.optionalKey(Schema.Boolean),
  attempt: Schema.optionalKey(Schema.Int),
  model: Schema.optionalKey(Schema.String),
  partial: Schema.optionalKey(PartialAnswer),
  cause: Schema.optionalKey(Schema.Defect())
}

const answered = {
  ...shared,
  details: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json)),
  rateLimits: Schema.optionalKey(RateLimits)
}

const checked = {
  field: Schema.optionalKey(Schema.String),
  customId: Schema.optionalKey(Schema.String),
  limit: Schema.optionalKey(Schema.Number),
  actual: Schema.optionalKey(Schema.Number)
}

/**
 * The request is wrong as it stands (400 and most other 4xx), or was refused before sending. `field` names the field at fault,
 * `limit` and `actual` the numbers, `customId` the item of a batch, where they are known. Stops: the same request fails again.
 *
 * @category api errors
 * @since 0.1.0
 */
export class InvalidRequestError
  extends Schema.TaggedError<InvalidRequestError>()("InvalidRequestError", { ...answered, ...checked })
{
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * The key or token is missing, wrong, expired or could not be had (401, or a credential provider that failed). Stops.
 *
 * @category api errors
 * @since 0.1.0
 */
export class AuthenticationError extends Schema.TaggedError<AuthenticationError>()("AuthenticationError", answered) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * The account cannot pay for the call: no credit, or a linked organization's billing (402, and 400 by its message). Stops.
 *
 * @category api errors
 * @since 0.1.0
 */
export class BillingError extends Schema.TaggedError<BillingError>()("BillingError", answered) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * The key may not do this, or the account is not allowed to (403, and account codes such as `organization_on_hold`). Stops.
 *
 * @category api errors
 * @since 0.1.0
 */
export class PermissionDeniedError
  extends Schema.TaggedError<PermissionDeniedError>()("PermissionDeniedError", answered)
{
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * What the request names does not exist: a model, a file, a thread (404). Stops.
 *
 * @category api errors
 * @since 0.1.0
 */
export class NotFoundError extends Schema.TaggedError<NotFoundError>()("NotFoundError", answered) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * The server gave up waiting for the request (408). Retried as `timeout`.
 *
 * @category api errors
 * @since 0.1.0
 */
export class RequestTimeoutError extends Schema.TaggedError<RequestTimeoutError>()("RequestTimeoutError", answered) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * The request collides with another one, or with the state it wants to change (409, `thread_continue_in_flight`). Retried as
 * `conflict`, except for the codes that need a change first.
 *
 * @category api errors
 * @since 0.1.0
 */
export class ConflictError extends Schema.TaggedError<ConflictError>()("ConflictError", answered) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * The body is larger than the endpoint takes (413), or was found so before sending; `limit` and `actual` in bytes, `customId`
 * the item of a batch that alone is too large for one. Stops.
 *
 * @category api errors
 * @since 0.1.0
 */
export class RequestTooLargeError
  extends Schema.TaggedError<RequestTooLargeError>()("RequestTooLargeError", { ...answered, ...checked })
{
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * The conversation does not fit into the model's context window. Stops: shorten it, or use a model with a larger one.
 *
 * @category api errors
 * @since 0.1.0
 */
export class ContextWindowExceededError
  extends Schema.TaggedError<ContextWindowExceededError>()("ContextWindowExceededError", answered)
{
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * Too many requests or tokens a minute, or usage growing too fast (429). Retried as `rateLimited` after `retryAfter`, which is
 * a floor. `rateLimits` holds the buckets as the response reported them.
 *
 * @category api errors
 * @since 0.1.0
 */
export class RateLimitError extends Schema.TaggedError<RateLimitError>()("RateLimitError", answered) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * A spend limit is reached: a 429 or 400 that looks like a rate limit and is none. Stops: nothing changes before the limit
 * does, at the latest at 00:00 UTC on the first of the month.
 *
 * @category api errors
 * @since 0.1.0
 */
export class SpendLimitError extends Schema.TaggedError<SpendLimitError>()("SpendLimitError", answered) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * The service failed (5xx, a proxy's HTML page included). Retried as `serverError`; 501 stops.
 *
 * @category api errors
 * @since 0.1.0
 */
export class InternalServerError extends Schema.TaggedError<InternalServerError>()("InternalServerError", answered) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * The service took too long (504). Retried as `timeout`; a long request does better as a stream or a batch.
 *
 * @category api errors
 * @since 0.1.0
 */
export class GatewayTimeoutError extends Schema.TaggedError<GatewayTimeoutError>()("GatewayTimeoutError", answered) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * The service has no capacity (529, or `overloaded_error` inside a stream). Retried as `overloaded` with longer waits; such
 * windows last minutes, so another model may be the better answer.
 *
 * @category api errors
 * @since 0.1.0
 */
export class OverloadedError extends Schema.TaggedError<OverloadedError>()("OverloadedError", answered) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * No answer: refused, reset, DNS, TLS. `code` is the operating system's or the HTTP client's (`ECONNRESET`,
 * `UND_ERR_SOCKET`). Retried as `connection`, except for what a retry cannot change: TLS, an unknown host, an abort.
 *
 * @category transport errors
 * @since 0.1.0
 */
export class ConnectionError extends Schema.TaggedError<ConnectionError>()("ConnectionError", {
  ...shared,
  code: Schema.optionalKey(Schema.String)
}) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * One attempt took too long; `phase` says which clock ran out, `limit` how long it was. The request was cancelled. Retried as
 * `timeout`.
 *
 * @category transport errors
 * @since 0.1.0
 */
export class AttemptTimeoutError extends Schema.TaggedError<AttemptTimeoutError>()("AttemptTimeoutError", {
  ...shared,
  phase: Schema.Literals(["headers", "firstEvent", "idle", "attempt"]),
  limit: Schema.optionalKey(Schema.DurationFromMillis)
}) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * A stream broke off: the connection was lost, or it ended without `message_stop`. Retried as `connection`, by a stream layer
 * only while nothing was shown; `ClaudeLayer.withStreamRecovery` goes on from there.
 *
 * **Details**
 *
 * - `partial`: what had arrived
 * - `shown`: its text as far as it is safe to show
 * - `resumable`: the blocks of it that may be sent back, for the model to go on from; `ClaudeStream.resumable` says which
 *
 * @category transport errors
 * @since 0.1.0
 */
export class StreamInterruptedError
  extends Schema.TaggedError<StreamInterruptedError>()("StreamInterruptedError", shared)
{
  get shown(): string {
    return this.partial === undefined ? "" : shownText(this.partial)
  }

  get resumable(): ReadonlyArray<ContentBlock> {
    return this.partial === undefined ? [] : resumableBlocks(this.partial)
  }

  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * A 200 that is no answer: HTML of a captive portal, an empty body, JSON that does not parse, an event that is malformed.
 * Retried as `serverError`.
 *
 * @category transport errors
 * @since 0.1.0
 */
export class InvalidResponseError extends Schema.TaggedError<InvalidResponseError>()("InvalidResponseError", shared) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * The model refused (`stop_reason: "refusal"`). Stops; another model may answer.
 *
 * **Details**
 *
 * - `category`, `explanation`: why, where the API says so; the wording of the explanation changes.
 * - `recommendedModel`: whom the API would ask instead.
 * - `fallbackCreditToken`: what makes asking another model within five minutes cheaper, and `hasPrefillClaim`: whether it may
 *   go on with what this one had written. Both are there only if the request asked for them; `ClaudeAnswer.redeem` uses them.
 * - `partial`: the whole refused message, with its usage. What it holds of an answer is to be discarded.
 *
 * @category answer errors
 * @since 0.1.0
 */
export class RefusalError extends Schema.TaggedError<RefusalError>()("RefusalError", {
  ...shared,
  category: Schema.optionalKey(Schema.String),
  explanation: Schema.optionalKey(Schema.String),
  recommendedModel: Schema.optionalKey(Schema.String),
  fallbackCreditToken: Schema.optionalKey(Schema.String),
  hasPrefillClaim: Schema.optionalKey(Schema.Boolean)
}) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * The answer was cut by a limit, so it must not be taken for a whole one. `stopReason` says by which; `partial` holds the
 * message with its usage. Stops.
 *
 * @category answer errors
 * @since 0.1.0
 */
export class OutputTruncatedError extends Schema.TaggedError<OutputTruncatedError>()("OutputTruncatedError", {
  ...shared,
  stopReason: Schema.optionalKey(Schema.String)
}) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * The answer is not of the shape that was asked for; `issues` says where. Stops.
 *
 * **Details**
 *
 * - `issues`: what is wrong, with the path of each field.
 * - `text`: what the model wrote, the last time it was asked; `partial` holds that whole message.
 * - `usage`: what all turns took together, those that were to repair it included; `turns` how many there were.
 *
 * @category answer errors
 * @since 0.1.0
 */
export class OutputInvalidError extends Schema.TaggedError<OutputInvalidError>()("OutputInvalidError", {
  ...shared,
  issues: Schema.optionalKey(Schema.Array(Schema.String)),
  text: Schema.optionalKey(Schema.String),
  usage: Schema.optionalKey(TokenUsage),
  turns: Schema.optionalKey(Schema.Int)
}) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * A circuit breaker is open and nothing was sent.
 *
 * **Details**
 *
 * - `reason`: `open` and `probing` (another call is finding out whether the service is back) are retried as `rejected` after
 *   `retryAfter`; `isolated` (by hand) and `tripped` (by an error of the account) stop.
 * - `remaining`: the time until the circuit lets a probe through; absent while one runs, and for a circuit that was isolated.
 * - `retryAfter`: `remaining`, and this call's own share of the spread that keeps waiting calls from coming back at once.
 * - `cause`: the failure that opened the circuit, if one did.
 *
 * @category policy errors
 * @since 0.1.0
 */
export class CircuitOpenError extends Schema.TaggedError<CircuitOpenError>()("CircuitOpenError", {
  ...shared,
  reason: Schema.optionalKey(Schema.Literals(["open", "probing", "isolated", "tripped"])),
  remaining: Schema.optionalKey(Schema.DurationFromMillis)
}) {
  get verdict(): Verdict {
    return this.reason === "isolated" || this.reason === "tripped" ? stop : verdictOf(this)
  }
}

/**
 * The local rate limiter had no room: its queue was full, or the wait would have been longer than its `queueTimeout` or the
 * deadline. Nothing was sent. Retried as `rejected` after `retryAfter`.
 *
 * @category policy errors
 * @since 0.1.0
 */
export class RateLimitedLocallyError extends Schema.TaggedError<RateLimitedLocallyError>()("RateLimitedLocallyError", {
  ...shared,
  reason: Schema.optionalKey(Schema.Literals(["queueFull", "queueTimeout", "deadline"]))
}) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * The local concurrency limit had no room: its queue was full, or a permit took longer than its `queueTimeout`. Nothing was
 * sent. Retried as `rejected`.
 *
 * @category policy errors
 * @since 0.1.0
 */
export class ConcurrencyLimitError extends Schema.TaggedError<ConcurrencyLimitError>()("ConcurrencyLimitError", {
  ...shared,
  reason: Schema.optionalKey(Schema.Literals(["queueFull", "queueTimeout"]))
}) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * A retry was due and the retry budget did not allow it; `cause` is the failure that asked for it. Stops.
 *
 * @category policy errors
 * @since 0.1.0
 */
export class RetryBudgetExhaustedError
  extends Schema.TaggedError<RetryBudgetExhaustedError>()("RetryBudgetExhaustedError", shared)
{
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * The total time for the call is used up, waits and retries included; `cause` is the last failure on the way, if any. Stops.
 *
 * @category policy errors
 * @since 0.1.0
 */
export class DeadlineExceededError extends Schema.TaggedError<DeadlineExceededError>()("DeadlineExceededError", {
  ...shared,
  limit: Schema.optionalKey(Schema.DurationFromMillis)
}) {
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * A budget of tokens or money would have been exceeded. Nothing was sent. Stops: another try finds the same budget.
 *
 * **Details**
 *
 * - `budget`: the name of the budget, which of several it was.
 * - `unit`: what it counts; `limit`, `spent` and `required` are in it. `spent` includes what calls in flight have reserved,
 *   `required` is what this request was estimated to take.
 *
 * @category policy errors
 * @since 0.1.0
 */
export class UsageBudgetExceededError
  extends Schema.TaggedError<UsageBudgetExceededError>()("UsageBudgetExceededError", {
    ...shared,
    budget: Schema.optionalKey(Schema.String),
    unit: Schema.optionalKey(Schema.Literals(["tokens", "usd"])),
    limit: Schema.optionalKey(Schema.Number),
    spent: Schema.optionalKey(Schema.Number),
    required: Schema.optionalKey(Schema.Number)
  })
{
  get verdict(): Verdict {
    return verdictOf(this)
  }
}

/**
 * The failures that the API itself reported. As a value it is their Schema, with `match`, `guards` and `isAnyOf`.
 *
 * @category groups
 * @since 0.1.0
 */
export const ApiError = Schema.Union([
  InvalidRequestError,
  AuthenticationError,
  BillingError,
  PermissionDeniedError,
  NotFoundError,
  RequestTimeoutError,
  ConflictError,
  RequestTooLargeError,
  ContextWindowExceededError,
  RateLimitError,
  SpendLimitError,
  InternalServerError,
  GatewayTimeoutError,
  OverloadedError
]).pipe(Schema.toTaggedUnion("_tag"))

/**
 * The failures that the API itself reported.
 *
 * @category groups
 * @since 0.1.0
 */
export type ApiError = typeof ApiError.Type

/**
 * The failures that the transport caused: no answer, or not a whole one. As a value it is their Schema, with `match`, `guards` and `isAnyOf`.
 *
 * @category groups
 * @since 0.1.0
 */
export const TransportError = Schema.Union([
  ConnectionError,
  AttemptTimeoutError,
  StreamInterruptedError,
  InvalidResponseError
]).pipe(Schema.toTaggedUnion("_tag"))

/**
 * The failures that the transport caused: no answer, or not a whole one.
 *
 * @category groups
 * @since 0.1.0
 */
export type TransportError = typeof TransportError.Type

/**
 * The failures that lie in the answer: it arrived and is no success. As a value it is their Schema, with `match`, `guards` and `isAnyOf`.
 *
 * @category groups
 * @since 0.1.0
 */
export const AnswerError = Schema.Union([
  RefusalError,
  OutputTruncatedError,
  OutputInvalidError
]).pipe(Schema.toTaggedUnion("_tag"))

/**
 * The failures that lie in the answer: it arrived and is no success.
 *
 * @category groups
 * @since 0.1.0
 */
export type AnswerError = typeof AnswerError.Type

/**
 * The failures that a policy of this toolkit decided, without anything being sent. As a value it is their Schema, with `match`, `guards` and `isAnyOf`.
 *
 * @category groups
 * @since 0.1.0
 */
export const PolicyError = Schema.Union([
  CircuitOpenError,
  RateLimitedLocallyError,
  ConcurrencyLimitError,
  RetryBudgetExhaustedError,
  DeadlineExceededError,
  UsageBudgetExceededError
]).pipe(Schema.toTaggedUnion("_tag"))

/**
 * The failures that a policy of this toolkit decided, without anything being sent.
 *
 * @category groups
 * @since 0.1.0
 */
export type PolicyError = typeof PolicyError.Type

/**
 * Every way a call to Claude can fail. As a value it is the Schema of the union, with `match`, `guards` and `isAnyOf`.
 *
 * **Example** (Matching on the tag)
 *
 * ```ts
 * import { ClaudeError, RateLimitError } from "@effect-claude/client/ClaudeError"
 * import { assert } from "@effect/vitest"
 *
 * const advice = (error: ClaudeError) =>
 *   ClaudeError.matchOrElse(error, {
 *     RateLimitError: () => "slow down",
 *     BillingError: () => "call finance"
 *   }, (other) => other._tag)
 *
 * assert.strictEqual(advice(new RateLimitError({ message: "Too many requests" })), "slow down")
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export const ClaudeError = Schema.Union([
  ...ApiError.members,
  ...TransportError.members,
  ...AnswerError.members,
  ...PolicyError.members
]).pipe(Schema.toTaggedUnion("_tag"))

/**
 * Every way a call to Claude can fail.
 *
 * @category models
 * @since 0.1.0
 */
export type ClaudeError = typeof ClaudeError.Type

/**
 * The tag of any {@link ClaudeError}.
 *
 * @category models
 * @since 0.1.0
 */
export type ClaudeErrorTag = ClaudeError["_tag"]

/**
 * The codec between a {@link ClaudeError} and JSON. Durations are milliseconds; `cause` keeps its name and message.
 *
 * **Example** (Sending an error through a queue)
 *
 * ```ts
 * import { ClaudeErrorJson, OverloadedError } from "@effect-claude/client/ClaudeError"
 * import { assert } from "@effect/vitest"
 * import * as Schema from "effect/Schema"
 *
 * const json = JSON.stringify(Schema.encodeSync(ClaudeErrorJson)(new OverloadedError({ message: "Overloaded", status: 529 })))
 * const back = Schema.decodeUnknownSync(ClaudeErrorJson)(JSON.parse(json))
 *
 * assert.instanceOf(back, OverloadedError)
 * assert.deepStrictEqual(back.verdict, { _tag: "Retry", kind: "overloaded", after: undefined })
 * ```
 *
 * @category codecs
 * @since 0.1.0
 */
export const ClaudeErrorJson = Schema.toCodecJson(ClaudeError)

/**
 * Whether a value is a {@link ClaudeError}.
 *
 * **Example** (Recognising an error of ours)
 *
 * ```ts
 * import { isClaudeError, NotFoundError } from "@effect-claude/client/ClaudeError"
 * import { assert } from "@effect/vitest"
 *
 * assert.isTrue(isClaudeError(new NotFoundError({ message: "model: claude-nope" })))
 * assert.isFalse(isClaudeError(new Error("something else")))
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isClaudeError: (value: unknown) => value is ClaudeError = Schema.is(ClaudeError)

/**
 * Whether a failure is one that the API itself reported.
 *
 * **Example** (Asking for the group)
 *
 * ```ts
 * import { isApiError, NotFoundError } from "@effect-claude/client/ClaudeError"
 * import { assert } from "@effect/vitest"
 *
 * assert.strictEqual(isApiError(new NotFoundError({ message: "model: claude-nope" })), true)
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isApiError: (error: ClaudeError) => error is ApiError = ClaudeError.isAnyOf(ApiError.discriminants)

/**
 * Whether a failure is one that the transport caused: no answer, or not a whole one.
 *
 * **Example** (Asking for the group)
 *
 * ```ts
 * import { isTransportError, NotFoundError } from "@effect-claude/client/ClaudeError"
 * import { assert } from "@effect/vitest"
 *
 * assert.strictEqual(isTransportError(new NotFoundError({ message: "model: claude-nope" })), false)
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isTransportError: (error: ClaudeError) => error is TransportError = ClaudeError.isAnyOf(
  TransportError.discriminants
)

/**
 * Whether a failure is one that lies in the answer: it arrived and is no success.
 *
 * **Example** (Asking for the group)
 *
 * ```ts
 * import { isAnswerError, NotFoundError } from "@effect-claude/client/ClaudeError"
 * import { assert } from "@effect/vitest"
 *
 * assert.strictEqual(isAnswerError(new NotFoundError({ message: "model: claude-nope" })), false)
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isAnswerError: (error: ClaudeError) => error is AnswerError = ClaudeError.isAnyOf(
  AnswerError.discriminants
)

/**
 * Whether a failure is one that a policy of this toolkit decided, without anything being sent.
 *
 * **Example** (Asking for the group)
 *
 * ```ts
 * import { isPolicyError, NotFoundError } from "@effect-claude/client/ClaudeError"
 * import { assert } from "@effect/vitest"
 *
 * assert.strictEqual(isPolicyError(new NotFoundError({ message: "model: claude-nope" })), false)
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isPolicyError: (error: ClaudeError) => error is PolicyError = ClaudeError.isAnyOf(
  PolicyError.discriminants
)
