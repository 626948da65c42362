/**
 * The steps of a fault plan: what a fake Claude API does with one request.
 *
 * `message`, `error`, `response`, `disconnect`, `unreachable` and `capacity` build every step there is. The others are presets of these
 * for the faults that are seen in practice.
 *
 * @since 0.1.0
 */
import type { SdkErrorCode } from "@effect-claude/client/Classification"
import * as Duration from "effect/Duration"
import { format } from "effect/Formatter"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import { STATUS_CODES } from "node:http"
import { type ApiErrorType, errorOfCode, statusOf } from "./internal/fake/ApiErrors.ts"
import type { ConnectFailure } from "./internal/fake/Connection.ts"
import { defaultText } from "./internal/fake/MessageContent.ts"
import { decodeStep } from "./internal/fake/PlanDecoding.ts"
import type * as StepSchema from "./internal/fake/StepSchema.ts"
import { Step } from "./internal/fake/StepSchema.ts"
import { eventCount, words } from "./internal/fake/StreamEvents.ts"

/**
 * What happens to one request, told apart by `kind`.
 *
 * **Details**
 *
 * Every step takes `times`, the number of requests it serves [1], and `delay`, the time before anything is sent [0].
 *
 * | kind | what the client gets |
 * |---|---|
 * | `message` | a healthy answer, streamed when the request says so, optionally slow, split or interrupted |
 * | `error` | an error of the API: status, JSON body, request id |
 * | `response` | any status, headers and body, with nothing added, as from a proxy |
 * | `disconnect` | no answer: a TCP reset, a closed connection, or bytes that are no HTTP |
 * | `unreachable` | no connection: DNS, connect or TLS fails; for an API in memory, see {@link unreachable} |
 * | `capacity` | a healthy answer after `serviceTime`, or a 529 when `limit` others are being served |
 *
 * @category models
 * @since 0.1.0
 */
export type FaultStep = typeof Step.Type

/**
 * A step of one kind.
 *
 * @category models
 * @since 0.1.0
 */
export type StepOf<Kind extends FaultStep["kind"]> = Extract<FaultStep, { readonly kind: Kind }>

/**
 * States a step as JSON has it, or with any `Duration.Input` where a time goes.
 *
 * @category models
 * @since 0.1.0
 */
export type FaultStepInput = typeof Step.Encoded

/**
 * Decodes and encodes single steps.
 *
 * **Example** (Decoding a step)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 * import * as Schema from "effect/Schema"
 *
 * const step = Schema.decodeUnknownSync(FaultStep.FaultStep)({ kind: "disconnect", how: "reset" })
 *
 * assert.deepStrictEqual(step, FaultStep.reset())
 * ```
 *
 * @category schemas
 * @since 0.1.0
 */
export const FaultStep: Schema.Codec<FaultStep, FaultStepInput> = Step

/**
 * An error as the API words it: `type`, `message` [a usual one for the type] and `details`, which carry `error_code`.
 *
 * @category models
 * @since 0.1.0
 */
export type ApiError = typeof StepSchema.ApiError.Encoded

/**
 * What every preset takes: how many requests it serves [1], and how long it waits before it sends anything [0].
 *
 * @category models
 * @since 0.1.0
 */
export interface StepOptions {
  readonly times?: number | undefined
  readonly delay?: Duration.Input | undefined
}

/**
 * The fields of a `message` step.
 *
 * **Details**
 *
 * - `text` or `content`: what the answer says [what the request asks for, see below]. Blocks of type text, thinking,
 *   tool_use and server_tool_use may leave out what the API always adds; other blocks are sent as written.
 * - `truncateToolInput`: after how many characters the JSON of the last tool call's input ends. A stream sends it as far as
 *   that, a JSON answer has the object that it can still be read as. The stop reason is `max_tokens` then.
 * - `stopReason` [`tool_use` if there is such a block, otherwise `end_turn`], `stopSequence`, `stopDetails`. The fields of
 *   the fallback credit in it reach only clients that send its beta header, or that of the server-side fallback.
 * - `fallbackText`: what a fallback model says when this answer is a refusal and the request has `fallbacks` [they refuse,
 *   too].
 * - `usage`: token counts that replace the estimated ones.
 * - `resume` [false]: a request that holds the beginning of this answer gets the rest of it. See below.
 * - `headers`: added to those of the API; `null` removes one.
 * - `bodyDelay`: the time between headers and body, or first event [0].
 * - `chunkBytes`: sends the body in pieces of this size, wherever characters and events end, `chunkDelay` [0] apart.
 * - `lineEnd` [`lf`]: how the lines of a stream end, also `crlf` or `cr`. `byteOrderMark` [false]: puts one before its first
 *   event. The standard of event streams allows all of these.
 * - `eventDelay`: the time between the events of a stream [0].
 * - `insert`: pings, comments and events of any name and data to put into a stream after `afterEvents` [3] events,
 *   `count` [1] times or `"forever"`, `interval` [0] apart. An event's `data` of type string is sent as it is.
 * - `interrupt`: how the answer ends early, after `afterEvents` [3] events of a stream or `afterBytes` [half] of a JSON
 *   body; a stream that has only `afterBytes` is cut there, wherever events end. `stall` sends nothing more and holds the
 *   connection open, `reset` and `close` break it after a `pause` [20 milliseconds] in which the client can read, `end`
 *   ends the answer as if it were whole, `error` sends an `error` event with `error` [an `overloaded_error`] or with any
 *   `data`. A JSON answer becomes that error with its usual status, or a 500 for `data`.
 *
 * Events are counted without pings: `message_start`, `content_block_start` and one `content_block_delta` are three.
 * A text has one delta a word. An answer that has fewer events than expected, such as a resumed one, is interrupted at its
 * end. `count_tokens` answers have the timing and interruption, but not the content.
 *
 * Without `text` and `content` the answer is a fixed sentence or, if the request has `output_config.format`, an instance
 * of its schema, the same for a schema every time; a `tool_choice` that forces a call gets one, with an instance of the
 * tool's schema. With thinking on it begins with a signed thinking block, whose text is empty with `display: "omitted"`.
 *
 * With `resume` the fake answers as a model that goes on where it was cut off. The beginning is the text of the assistant's
 * turn that ends the request (a prefill), or that only a user's text follows (a request to go on). White space at the end of
 * the turn that the answer does not have there is ignored, and white space that a client trimmed is sent again. What the
 * turn already holds of thinking, tools and other blocks is left out; what it lacks of those before the place where it
 * stopped is sent again, except after a prefill. `{ overlap: 3 }` starts three words earlier, within the same text
 * block, as models do that repeat themselves. A turn with other text, or without any, gets the whole answer; one with all
 * of the text gets what else there is, at the least an empty `end_turn`.
 *
 * @category models
 * @since 0.1.0
 */
export type MessageOptions = Omit<typeof StepSchema.MessageStep.Encoded, "kind">

/**
 * The fields of an `error` step: `status`, from 400 to 599, `error`, `headers` added to those of the API (`null` removes
 * one), `retryAt`, the time from now that a `retry-after` in the form of a date names, in whole seconds, and `limit`, the
 * rate limit that the headers show as used up: nothing remaining, and a whole window until it is full again.
 *
 * @category models
 * @since 0.1.0
 */
export type ErrorOptions = Omit<typeof StepSchema.ErrorStep.Encoded, "kind">

/**
 * The fields of a `response` step.
 *
 * **Details**
 *
 * `status`, from 200 to 599; `body`, sent as it is if a string and as JSON otherwise [empty]; `contentType` [plain text
 * for a string, otherwise JSON]; `headers`; `bodyDelay`, `chunkBytes`, `chunkDelay` and `interrupt` as in a
 * `message` step.
 *
 * @category models
 * @since 0.1.0
 */
export type ResponseOptions = Omit<typeof StepSchema.ResponseStep.Encoded, "kind">

/**
 * The fields of a `disconnect` step. `how` is `reset` (TCP RST), `close` (the connection ends without an answer) or
 * `garbage` (bytes that are no HTTP). `afterBytes` [0] is for the first two: so many bytes of the status line and the headers of
 * an answer come before, and never all of them.
 *
 * @category models
 * @since 0.1.0
 */
export type DisconnectOptions = Omit<typeof StepSchema.DisconnectStep.Encoded, "kind">

/**
 * The fields of a `capacity` step: `limit`, the number of requests served at the same time, `serviceTime`, how long each
 * takes, and `retryAfter`, the wait that the others are told [none].
 *
 * @category models
 * @since 0.1.0
 */
export type CapacityOptions = Omit<typeof StepSchema.CapacityStep.Encoded, "kind">

const make = <Kind extends FaultStep["kind"]>(
  name: string,
  step: Extract<FaultStepInput, { readonly kind: Kind }>
): StepOf<Kind> =>
  // A step keeps its kind when it is decoded, which the type of the union does not say.
  Result.getOrThrowWith(
    decodeStep(step),
    (mistakes) => new RangeError(`FaultStep.${name}: ${mistakes}`)
  ) as StepOf<Kind>

/**
 * Answers as a healthy API does, with the content, timing and interruption of the options.
 *
 * **Details**
 *
 * Throws a `RangeError` for options that are wrong or contradict each other, such as an `afterEvents` beyond the last
 * event of the `text` or `content`. A request the API would refuse is refused as there: 401 without credentials, 413
 * above 32 MB, and 400 for
 *
 * - a body that is no JSON or lacks `model`, `messages` or `max_tokens`;
 * - a prefill on a model that takes none (by the client's `ModelCapabilities`), while thinking is on, with thinking in it,
 *   or with white space at its end; a `fallback_credit_token` allows the first three;
 * - a `tool_use` without its `tool_result` at the beginning of the next message, a `tool_result` without its `tool_use`, and
 *   an id that is used twice;
 * - a schema in `output_config.format` or of a `strict` tool that the API takes no answer to: objects without
 *   `additionalProperties: false`, recursion, and what it does not support of JSON Schema;
 * - a forced tool that there is not, or while thinking is on, and a prefill with `output_config.format`;
 * - a kind of thinking or a forced tool that the model does not take (by the client's `ModelCapabilities`), and two tools of
 *   one name (`tool_name_conflict`);
 * - with `anthropic-version: 2026-10-21` or later, which the SDK sends: `temperature`, `top_p`, `top_k`, `document` blocks of
 *   the assistant, and `citations` on text of the user;
 * - what the plan's `requestRules` say;
 * - thinking of the assistant without a signature, text blocks without text, and messages without content;
 * - `fallbacks` and `fallback_credit_token` without their beta headers, or together.
 *
 * **Example** (Answering with a tool call)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.message({
 *   content: [{ type: "tool_use", name: "get_weather", input: { city: "Oslo" } }],
 *   eventDelay: "10 millis"
 * })
 *
 * assert.strictEqual(step.kind, "message")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const message = (options: MessageOptions = {}): StepOf<"message"> =>
  make("message", { kind: "message", ...options })

/**
 * Answers with an error of the API.
 *
 * **Example** (Refusing with an error code)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.error({
 *   status: 400,
 *   error: { type: "invalid_request_error", details: { error_code: "thread_continue_in_flight" } },
 *   headers: { "x-should-retry": "true" }
 * })
 *
 * assert.strictEqual(step.kind, "error")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const error = (options: ErrorOptions): StepOf<"error"> => make("error", { kind: "error", ...options })

/**
 * Answers with exactly this status, body and headers, as a proxy would.
 *
 * **Example** (Answering like a captive portal)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.response({ status: 200, contentType: "text/html", body: "<html>Sign in</html>" })
 *
 * assert.strictEqual(step.kind, "response")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const response = (options: ResponseOptions): StepOf<"response"> =>
  make("response", { kind: "response", ...options })

/**
 * States why a connection cannot be made: the `code` of the error that the client sees.
 *
 * @category models
 * @since 0.1.0
 */
export interface UnreachableOptions extends StepOptions {
  readonly code: ConnectFailure
}

/**
 * Lets no connection be made: the client fails with the `code`, and no request arrives.
 *
 * **Details**
 *
 * `UND_ERR_CONNECT_TIMEOUT` comes after 10 seconds unless there is a `delay`; the others come at once.
 *
 * **Gotchas**
 *
 * It takes an API in memory. A server on a socket has been reached by the time it has a request, so it refuses a plan with such
 * a step. With `tls` there is a handshake before the request, in which it can be `ERR_SSL_WRONG_VERSION_NUMBER` (it does not
 * speak TLS) or `ECONNRESET`; that is in `steps`, `after` and whole `outages` of all models, and delays do not count. A connection
 * that a client has in its pool has its handshake behind it: a request that comes over it gets a closed connection instead.
 *
 * Nothing arrives, so that nothing is recorded.
 *
 * **Example** (A name that is not found for an hour)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultPlan from "@effect-claude/testing/FaultPlan"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const plan = FaultPlan.make({
 *   outages: [{ from: 0, to: "1 hour", step: FaultStep.unreachable({ code: "ENOTFOUND" }) }]
 * })
 *
 * assert.strictEqual(plan.outages?.[0]?.step.kind, "unreachable")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const unreachable = (options: UnreachableOptions): StepOf<"unreachable"> =>
  make("unreachable", { kind: "unreachable", ...options })

/**
 * Ends the connection instead of answering.
 *
 * **Details**
 *
 * With `afterBytes` the client has the beginning of an answer, up to the last header at most. In memory it cannot see that.
 *
 * **Example** (Sending what is no HTTP)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.disconnect({ how: "garbage" })
 *
 * assert.deepStrictEqual(step, { kind: "disconnect", how: "garbage" })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const disconnect = (options: DisconnectOptions): StepOf<"disconnect"> =>
  make("disconnect", { kind: "disconnect", ...options })

/**
 * Serves a limited number of requests at the same time and refuses the others with a 529.
 *
 * **Example** (Serving two requests at a time)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * import * as FaultPlan from "@effect-claude/testing/FaultPlan"
 *
 * const plan = FaultPlan.make({ after: FaultStep.capacity({ limit: 2, serviceTime: "50 millis" }) })
 *
 * assert.strictEqual(plan.after?.kind, "capacity")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const capacity = (options: CapacityOptions): StepOf<"capacity"> =>
  make("capacity", { kind: "capacity", ...options })

/**
 * The types of the API's errors.
 *
 * @category models
 * @since 0.1.0
 */
export type ErrorType = ApiErrorType

/**
 * The codes of the API's errors: every one that the SDK's types know.
 *
 * @category models
 * @since 0.1.0
 */
export type ErrorCode = SdkErrorCode

/**
 * What an answer says about trying again.
 *
 * **Details**
 *
 * - `retryAfter`: the wait that the server asks for [none]
 * - `retryAfterAs` [`seconds`]: the form of it. `seconds` is `retry-after` as a number, with decimals where they are needed;
 *   `milliseconds` is `retry-after-ms`; `date` is `retry-after` as an HTTP date, in whole seconds.
 * - `shouldRetry`: what `x-should-retry` says [not sent]
 * - `headers`: headers of your own, which win over these. A wait that makes no sense, such as `"retry-after": "-1"`, goes here.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryHints {
  readonly retryAfter?: Duration.Input | undefined
  readonly retryAfterAs?: "seconds" | "milliseconds" | "date" | undefined
  readonly shouldRetry?: boolean | undefined
  readonly headers?: ErrorOptions["headers"]
}

/**
 * What every preset for an error of the API takes: its `message` [a usual one], further fields of its `details`, and what
 * it says about trying again.
 *
 * @category models
 * @since 0.1.0
 */
export interface ApiErrorOptions extends StepOptions, RetryHints {
  readonly message?: string | undefined
  readonly details?: ApiError["details"]
}

/**
 * Answers with an error of the type, with the status that the API sends it with.
 *
 * **Details**
 *
 * `status` replaces the usual one, as for a 408 or a 503, which have no type of their own; `errorCode` is put into the
 * details.
 *
 * **Gotchas**
 *
 * Throws a `RangeError` for a `retryAfter` that is negative or infinite, and for a `retryAfterAs` without it.
 *
 * **Example** (Denying permission)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.ofType("permission_error", { shouldRetry: false })
 *
 * assert.deepInclude(step, { status: 403, headers: { "x-should-retry": "false" } })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const ofType = (
  type: ErrorType,
  options: ApiErrorOptions & {
    readonly status?: number | undefined
    readonly errorCode?: string | undefined
  } = {}
): StepOf<"error"> => apiError("ofType", options.status ?? statusOf(type), type, options)

/**
 * Answers with the error that has this code, with the status and the type that the API sends it with.
 *
 * **Details**
 *
 * The codes are all that the SDK knows, those of endpoints that the fake API does not have included. `details` are what the
 * API adds to some of them, such as `appeal_url` for `organization_on_hold`.
 *
 * **Example** (Colliding with another request of the same thread)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.ofCode("thread_continue_in_flight")
 *
 * assert.deepInclude(step, {
 *   status: 400,
 *   error: { type: "invalid_request_error", details: { error_code: "thread_continue_in_flight" } }
 * })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const ofCode = (code: ErrorCode, options: ApiErrorOptions = {}): StepOf<"error"> => {
  const { status, type } = errorOfCode(code)
  return apiError("ofCode", status, type, { ...options, errorCode: code })
}

/**
 * Answers 429 `rate_limit_error`, with `retry-after` if a wait is given.
 *
 * **Details**
 *
 * - `limit`: which limit the headers show as used up, `requests` by default. Only this answer shows it so: limits that
 *   count and are enforced belong to the plan's `rateLimits`.
 * - `errorCode`: the code in the error's details. Default: none.
 *
 * **Example** (Asking for a pause of two seconds)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.rateLimit({ retryAfter: "2 seconds", times: 3 })
 *
 * assert.deepInclude(step, { status: 429, times: 3, headers: { "retry-after": "2" } })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const rateLimit = (
  options: ApiErrorOptions & {
    readonly limit?: ErrorOptions["limit"]
    readonly errorCode?: string | undefined
  } = {}
): StepOf<"error"> => apiError("rateLimit", 429, "rate_limit_error", { ...options, limit: options.limit ?? "requests" })

/**
 * Answers 429 with the code `ramp_limit_exceeded`: usage grew too fast, whatever the limits have left.
 *
 * **Details**
 *
 * `retryAfter` [none] is how long to wait. Limits on growth that are enforced belong to the plan's `rateLimits.ramp`.
 *
 * **Example** (Growing too fast)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.rampLimit({ retryAfter: "20 seconds" })
 *
 * assert.deepInclude(step, { status: 429, headers: { "retry-after": "20" } })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const rampLimit = (options: ApiErrorOptions = {}): StepOf<"error"> =>
  apiError("rampLimit", 429, "rate_limit_error", { ...options, errorCode: "ramp_limit_exceeded" })

/**
 * Answers 529 `overloaded_error`, with `retry-after` if a wait is given.
 *
 * **Example** (Being overloaded five times)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.overloaded({ times: 5 })
 *
 * assert.deepInclude(step, { status: 529, times: 5 })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const overloaded = (options: ApiErrorOptions = {}): StepOf<"error"> =>
  apiError("overloaded", 529, "overloaded_error", options)

/**
 * Answers 429 with a code of a spend limit and no `retry-after`: the type of a rate limit, but no wait helps.
 *
 * **Details**
 *
 * - `limit` [`enforced`]: the cap of the API tier (`enforced_spend_limit_reached`), or that of the `contract`
 *   (`contract_spend_limit_reached`)
 * - `retryAfter` [none]: a Claude Code workspace is told a wait with its spend limit.
 *
 * **Example** (Running into a spend limit)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.spendLimit()
 *
 * assert.deepInclude(step, {
 *   error: { type: "rate_limit_error", details: { error_code: "enforced_spend_limit_reached" } }
 * })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const spendLimit = (
  options: ApiErrorOptions & { readonly limit?: "enforced" | "contract" | undefined } = {}
): StepOf<"error"> => {
  const { limit = "enforced", ...rest } = options
  return apiError("spendLimit", 429, "rate_limit_error", { ...rest, errorCode: `${limit}_spend_limit_reached` })
}

/**
 * Answers 400 as the API does when a spend limit is reached that its customer has set: without a code, so that only the
 * message tells it.
 *
 * **Details**
 *
 * `of` [`organization`] says whose limit it is, that of the organization or of a `workspace`.
 *
 * **Example** (Reaching the limit of a workspace)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.usageLimit({ of: "workspace" })
 *
 * assert.match(step.error.message ?? "", /^You have reached your specified workspace API usage limits/)
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const usageLimit = (
  options: Omit<ApiErrorOptions, "message"> & { readonly of?: "organization" | "workspace" | undefined } = {}
): StepOf<"error"> => {
  const { of = "organization", ...rest } = options
  return apiError("usageLimit", 400, "invalid_request_error", {
    ...rest,
    message: `You have reached your specified ${of === "workspace" ? "workspace " : ""}API usage limits. `
      + "You will regain access on 2026-12-01 at 00:00 UTC."
  })
}

/**
 * Answers 400 as the API does when no credit is left: without a code, so that only the message tells it.
 *
 * **Example** (Running out of credit)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * assert.deepInclude(FaultStep.lowCredit(), { status: 400 })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const lowCredit = (options: Omit<ApiErrorOptions, "message"> = {}): StepOf<"error"> =>
  apiError("lowCredit", 400, "invalid_request_error", {
    ...options,
    message: "Your credit balance is too low to access the Claude API. Go to Plans & Billing to purchase credits."
  })

/**
 * Answers 400 as the API does when the input does not fit into the model's context window.
 *
 * **Example** (Sending too much)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * assert.match(FaultStep.promptTooLong().error.message ?? "", /^prompt is too long/)
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const promptTooLong = (options: Omit<ApiErrorOptions, "message"> = {}): StepOf<"error"> =>
  apiError("promptTooLong", 400, "invalid_request_error", {
    ...options,
    message: "prompt is too long: 208310 tokens > 200000 maximum"
  })

/**
 * Answers 500 `api_error`.
 *
 * **Example** (Failing inside)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.internalServer()
 *
 * assert.deepInclude(step, { status: 500, error: { type: "api_error" } })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const internalServer = (options: StepOptions = {}): StepOf<"error"> =>
  make("internalServer", { kind: "error", ...common(options), status: 500, error: { type: "api_error" } })

/**
 * Answers 400 `invalid_request_error`.
 *
 * **Example** (Refusing a request)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.invalidRequest()
 *
 * assert.deepInclude(step, { status: 400, error: { type: "invalid_request_error" } })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const invalidRequest = (options: StepOptions = {}): StepOf<"error"> =>
  make("invalidRequest", { kind: "error", ...common(options), status: 400, error: { type: "invalid_request_error" } })

/**
 * Answers 401 `authentication_error`.
 *
 * **Example** (Refusing a key)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.authentication()
 *
 * assert.deepInclude(step, { status: 401, error: { type: "authentication_error" } })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const authentication = (options: StepOptions = {}): StepOf<"error"> =>
  make("authentication", { kind: "error", ...common(options), status: 401, error: { type: "authentication_error" } })

/**
 * Answers 413 `request_too_large`.
 *
 * **Example** (Refusing a large request)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.requestTooLarge()
 *
 * assert.deepInclude(step, { status: 413, error: { type: "request_too_large" } })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const requestTooLarge = (options: StepOptions = {}): StepOf<"error"> =>
  make("requestTooLarge", { kind: "error", ...common(options), status: 413, error: { type: "request_too_large" } })

/**
 * Answers 502 with a page of HTML and none of the API's headers, as a proxy in between does.
 *
 * **Example** (Failing in a proxy)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.htmlBadGateway()
 *
 * assert.deepInclude(step, { status: 502, contentType: "text/html" })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const htmlBadGateway = (options: StepOptions = {}): StepOf<"response"> =>
  make("htmlBadGateway", {
    kind: "response",
    ...common(options),
    status: 502,
    contentType: "text/html",
    body: htmlPage("502 Bad Gateway")
  })

/**
 * Answers with a page of HTML and none of the API's headers, as a proxy does, or with status 200 the portal of a network.
 *
 * **Details**
 *
 * `title` is what the page says [the status and what it stands for].
 *
 * **Example** (Refusing a large request in a proxy)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.html({ status: 413 })
 *
 * assert.match(String(step.body), /<h1>413 /)
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const html = (
  options: StepOptions & { readonly status: number; readonly title?: string | undefined }
): StepOf<"response"> =>
  make("html", {
    kind: "response",
    ...common(options),
    status: options.status,
    contentType: "text/html",
    body: htmlPage(options.title ?? `${options.status} ${STATUS_CODES[options.status] ?? "Error"}`)
  })

const htmlPage = (title: string): string =>
  `<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`

/**
 * Answers 200 with the content type of JSON and no body at all.
 *
 * **Example** (Answering nothing)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.emptyBody()
 *
 * assert.deepInclude(step, { status: 200, contentType: "application/json" })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const emptyBody = (options: StepOptions = {}): StepOf<"response"> =>
  make("emptyBody", { kind: "response", ...common(options), status: 200, contentType: "application/json" })

/**
 * Answers 200 with a body that stops in the middle of its JSON.
 *
 * **Example** (Answering half a JSON value)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.invalidJson()
 *
 * assert.throws(() => JSON.parse(String(step.body)))
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const invalidJson = (options: StepOptions = {}): StepOf<"response"> =>
  make("invalidJson", {
    kind: "response",
    ...common(options),
    status: 200,
    contentType: "application/json",
    body: "{\"type\":\"mess"
  })

/**
 * Resets the TCP connection before anything is sent.
 *
 * **Example** (Resetting a connection)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.reset()
 *
 * assert.deepStrictEqual(step, { kind: "disconnect", how: "reset" })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const reset = (options: StepOptions = {}): StepOf<"disconnect"> =>
  make("reset", { kind: "disconnect", ...common(options), how: "reset" })

/**
 * Closes the connection before anything is sent.
 *
 * **Example** (Closing a connection)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.closed()
 *
 * assert.deepStrictEqual(step, { kind: "disconnect", how: "close" })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const closed = (options: StepOptions = {}): StepOf<"disconnect"> =>
  make("closed", { kind: "disconnect", ...common(options), how: "close" })

/**
 * Answers well, but sends nothing for a while.
 *
 * **Example** (Answering after three seconds)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * import * as Duration from "effect/Duration"
 *
 * const step = FaultStep.slowFirstByte("3 seconds")
 *
 * assert.deepStrictEqual(step.delay, Duration.seconds(3))
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const slowFirstByte = (
  delay: Duration.Input,
  options: { readonly times?: number | undefined } = {}
): StepOf<"message"> => make("slowFirstByte", { kind: "message", ...common(options), delay })

/**
 * Answers well, but lets time pass between the headers and the body or the first event.
 *
 * **Example** (Sending the body after three seconds)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.slowBody("3 seconds")
 *
 * assert.strictEqual(step.kind, "message")
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const slowBody = (bodyDelay: Duration.Input, options: StepOptions = {}): StepOf<"message"> =>
  make("slowBody", { kind: "message", ...common(options), bodyDelay })

/**
 * Sends the beginning of an answer, then nothing, and holds the connection open until the client leaves.
 *
 * **Details**
 *
 * `afterEvents` is where it strikes [3], counted without pings. A JSON answer is sent by half.
 *
 * **Example** (Falling silent after one event)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.stallStream({ afterEvents: 1 })
 *
 * assert.deepInclude(step, { interrupt: { how: "stall", afterEvents: 1 } })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const stallStream = (
  options: StepOptions & { readonly afterEvents?: number | undefined } = {}
): StepOf<"message"> =>
  make("stallStream", {
    kind: "message",
    ...common(options),
    interrupt: defined({ how: "stall" as const, afterEvents: options.afterEvents })
  })

/**
 * Sends the beginning of an answer, then resets the connection.
 *
 * **Details**
 *
 * `afterEvents` is where it strikes [3], counted without pings. A JSON answer is sent by half. With `afterBytes` both are cut
 * there, wherever events and characters end; 0 sends the headers alone.
 *
 * **Example** (Cutting a stream)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.cutStream({ afterEvents: 1 })
 *
 * assert.deepInclude(step, { interrupt: { how: "reset", afterEvents: 1 } })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const cutStream = (
  options: StepOptions & { readonly afterEvents?: number | undefined; readonly afterBytes?: number | undefined } = {}
): StepOf<"message"> =>
  make("cutStream", {
    kind: "message",
    ...common(options),
    interrupt: defined({ how: "reset" as const, afterEvents: options.afterEvents, afterBytes: options.afterBytes })
  })

/**
 * Ends a stream in good order without what belongs at its end, `message_stop` above all.
 *
 * **Details**
 *
 * `afterEvents` is where it strikes [3], counted without pings. A JSON answer is sent by half.
 *
 * **Example** (Ending early)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.endWithoutStop({ afterEvents: 1 })
 *
 * assert.deepInclude(step, { interrupt: { how: "end", afterEvents: 1 } })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const endWithoutStop = (
  options: StepOptions & { readonly afterEvents?: number | undefined } = {}
): StepOf<"message"> =>
  make("endWithoutStop", {
    kind: "message",
    ...common(options),
    interrupt: defined({ how: "end" as const, afterEvents: options.afterEvents })
  })

/**
 * Ends a stream after `message_delta`: all of the answer is there and its stop reason, only `message_stop` is not. Some
 * gateways do so.
 *
 * **Details**
 *
 * `text` is what the answer says [a fixed sentence]. A JSON answer is sent by half.
 *
 * **Example** (Leaving out the last event)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.endAfterMessageDelta({ text: "Hi" })
 *
 * assert.deepInclude(step, { interrupt: { how: "end", afterEvents: 5 } })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const endAfterMessageDelta = (
  options: StepOptions & { readonly text?: string | undefined } = {}
): StepOf<"message"> => {
  const { text = defaultText } = options
  return make("endAfterMessageDelta", {
    kind: "message",
    ...common(options),
    text,
    interrupt: { how: "end", afterEvents: eventCount({ text }) - 1 }
  })
}

/**
 * Sends the beginning of a stream, then an `error` event.
 *
 * **Details**
 *
 * `afterEvents` is where it strikes [3], counted without pings; `error` is what it says [an `overloaded_error`], or `data`
 * in its place, as it is. A JSON answer becomes that error with its usual status, or a 500 for `data`.
 *
 * **Example** (Becoming overloaded in mid-stream)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.midStreamError({ afterEvents: 4, error: { type: "overloaded_error" } })
 *
 * assert.deepInclude(step, { interrupt: { how: "error", afterEvents: 4, error: { type: "overloaded_error" } } })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const midStreamError = (
  options: StepOptions & {
    readonly afterEvents?: number | undefined
    readonly error?: ApiError | undefined
    readonly data?: string | undefined
  } = {}
): StepOf<"message"> =>
  make("midStreamError", {
    kind: "message",
    ...common(options),
    interrupt: defined({
      how: "error" as const,
      afterEvents: options.afterEvents,
      error: options.error,
      data: options.data
    })
  })

/**
 * Puts an event whose data is no JSON into a stream.
 *
 * **Details**
 *
 * `afterEvents` is where it stands [3], counted without pings. A JSON answer is left healthy.
 *
 * **Example** (Garbling a stream)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.malformedEvent({ afterEvents: 2 })
 *
 * assert.strictEqual(step.kind, "message")
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const malformedEvent = (
  options: StepOptions & { readonly afterEvents?: number | undefined } = {}
): StepOf<"message"> =>
  make("malformedEvent", {
    kind: "message",
    ...common(options),
    insert: [defined({
      kind: "event" as const,
      event: "content_block_delta",
      data: "{\"type\":\"content_block_de",
      afterEvents: options.afterEvents
    })]
  })

/**
 * Puts an event into a stream that no client knows, as the API may at any time.
 *
 * **Details**
 *
 * `afterEvents` is where it stands [3], counted without pings. `event` [`fake_event`] is its name, `data` what it carries
 * [an object of that type]. A JSON answer is left healthy.
 *
 * **Example** (Sending a new kind of event)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.unknownEvent({ event: "brand_new" })
 *
 * assert.deepInclude(step.insert?.[0], { event: "brand_new", data: { type: "brand_new" } })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const unknownEvent = (
  options: StepOptions & {
    readonly afterEvents?: number | undefined
    readonly event?: string | undefined
    readonly data?: Schema.Json | undefined
  } = {}
): StepOf<"message"> => {
  const { afterEvents, event = "fake_event", data = { type: event } } = options
  return make("unknownEvent", {
    kind: "message",
    ...common(options),
    insert: [defined({ kind: "event" as const, event, data, afterEvents })]
  })
}

/**
 * Sends the beginning of a stream, then nothing but pings, and holds the connection open until the client leaves.
 *
 * **Details**
 *
 * `afterEvents` is where the pings begin [0], `interval` the time between them [1 second]. A JSON answer is left healthy.
 *
 * **Example** (Keeping a dead stream open)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.onlyPings()
 *
 * assert.deepInclude(step.insert?.[0], { kind: "ping", count: "forever", afterEvents: 0 })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const onlyPings = (
  options: StepOptions & {
    readonly afterEvents?: number | undefined
    readonly interval?: Duration.Input | undefined
  } = {}
): StepOf<"message"> => {
  const { afterEvents = 0, interval = "1 second" } = options
  return make("onlyPings", {
    kind: "message",
    ...common(options),
    insert: [{ kind: "ping", count: "forever", afterEvents, interval }]
  })
}

/**
 * Answers well, but in pieces of one byte, so that every character of more than one is split between two of them.
 *
 * **Details**
 *
 * `text` is what the answer says [a sentence with characters of two, three and four bytes]; `bytes` [1] is the size of a piece.
 *
 * **Example** (Splitting an emoji)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.splitCharacters({ text: "🎉", bytes: 3 })
 *
 * assert.deepInclude(step, { text: "🎉", chunkBytes: 3 })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const splitCharacters = (
  options: StepOptions & { readonly text?: string | undefined; readonly bytes?: number | undefined } = {}
): StepOf<"message"> =>
  make("splitCharacters", {
    kind: "message",
    ...common(options),
    text: options.text ?? "Grüße aus 東京, 7 °C 🎉",
    chunkBytes: options.bytes ?? 1
  })

/**
 * Answers well, but slowly all the time: a few bytes, a pause, a few bytes.
 *
 * **Details**
 *
 * `bytes` [16] is the size of a piece, `interval` [1 second] the time between two of them. An answer has 700 bytes at the
 * least, a stream twice as many.
 *
 * **Example** (Taking a minute for an answer)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.slowDrip({ bytes: 12 })
 *
 * assert.deepInclude(step, { kind: "message", chunkBytes: 12 })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const slowDrip = (
  options: StepOptions & {
    readonly bytes?: number | undefined
    readonly interval?: Duration.Input | undefined
  } = {}
): StepOf<"message"> =>
  make("slowDrip", {
    kind: "message",
    ...common(options),
    chunkBytes: options.bytes ?? 16,
    chunkDelay: options.interval ?? "1 second"
  })

/**
 * Answers 200 with the stop reason `end_turn` and no content at all, as models do that think a conversation is over.
 *
 * **Example** (Saying nothing)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * assert.deepInclude(FaultStep.emptyAnswer(), { content: [], stopReason: "end_turn" })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const emptyAnswer = (options: StepOptions = {}): StepOf<"message"> =>
  make("emptyAnswer", { kind: "message", ...common(options), content: [], stopReason: "end_turn" })

/**
 * Answers 200 with text that was cut: by the request's own `max_tokens`, or because the context window is full.
 *
 * **Details**
 *
 * `by` [`max_tokens`] is the stop reason, the other one is `model_context_window_exceeded`; `text` is what was said until then
 * [a fixed sentence].
 *
 * **Example** (Filling the context window)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.truncatedAnswer({ by: "model_context_window_exceeded", text: "To begin with," })
 *
 * assert.deepInclude(step, { text: "To begin with,", stopReason: "model_context_window_exceeded" })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const truncatedAnswer = (
  options: StepOptions & {
    readonly by?: "max_tokens" | "model_context_window_exceeded" | undefined
    readonly text?: string | undefined
  } = {}
): StepOf<"message"> =>
  make("truncatedAnswer", {
    kind: "message",
    ...common(options),
    text: options.text ?? defaultText,
    stopReason: options.by ?? "max_tokens"
  })

/**
 * The fields of a `refusal` step.
 *
 * **Details**
 *
 * - `category` [null] and `explanation` [null]: what `stop_details` say.
 * - `text`: what the model says before it is stopped, all of it unless `afterEvents` says otherwise [nothing; a fixed
 *   sentence with `afterEvents`].
 * - `afterEvents`: how many events of a stream come before the end of the refused answer, as in {@link MessageOptions}: the
 *   words of `text` that a JSON answer has are those that fit into them, without white space at the end.
 * - `creditToken`, `hasPrefillClaim` [whether there is text], `recommendedModel`: the fields of the fallback credit. Only
 *   requests with the beta header `fallback-credit-2026-07-01`, or that of the server-side fallback, are told.
 * - `fallbackText`: what the first model says that `fallbacks` of the request name [they all refuse].
 *
 * @category models
 * @since 0.1.0
 */
export interface RefusalOptions extends StepOptions {
  readonly category?: NonNullable<MessageOptions["stopDetails"]>["category"] | undefined
  readonly explanation?: string | undefined
  readonly text?: string | undefined
  readonly afterEvents?: number | undefined
  readonly creditToken?: string | undefined
  readonly hasPrefillClaim?: boolean | undefined
  readonly recommendedModel?: string | undefined
  readonly fallbackText?: string | undefined
}

/**
 * Answers 200 with the stop reason `refusal`, before anything was said or in the middle of an answer.
 *
 * **Details**
 *
 * A refusal before any output has no content and no output tokens. Throws a `RangeError` for an `afterEvents` beyond the
 * events of the text, and for a `hasPrefillClaim` without a `creditToken`.
 *
 * **Example** (Refusing after two words)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const step = FaultStep.refusal({ category: "cyber", text: "First, you need", afterEvents: 4, creditToken: "credit" })
 *
 * assert.deepInclude(step, {
 *   content: [{ type: "text", text: "First, you" }],
 *   stopDetails: {
 *     type: "refusal",
 *     category: "cyber",
 *     explanation: null,
 *     fallback_credit_token: "credit",
 *     fallback_has_prefill_claim: true
 *   }
 * })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const refusal = (options: RefusalOptions = {}): StepOf<"message"> => {
  const { afterEvents, creditToken, hasPrefillClaim } = options
  if (hasPrefillClaim !== undefined && creditToken === undefined) {
    throw new RangeError("FaultStep.refusal: hasPrefillClaim: Expected a creditToken beside it")
  }
  const said = saidBeforeRefusal(options.text, afterEvents)
  return make("refusal", {
    kind: "message",
    ...common(options),
    content: said === "" ? [] : [{ type: "text", text: said }],
    stopReason: "refusal",
    stopDetails: defined({
      type: "refusal" as const,
      category: options.category ?? null,
      explanation: options.explanation ?? null,
      fallback_credit_token: creditToken,
      fallback_has_prefill_claim: creditToken === undefined ? undefined : hasPrefillClaim ?? said !== "",
      recommended_model: options.recommendedModel
    }),
    ...defined({ fallbackText: options.fallbackText }),
    ...(said === "" ? { usage: { output_tokens: 0 } } : {})
  })
}

const saidBeforeRefusal = (text: string | undefined, afterEvents: number | undefined): string => {
  if (afterEvents === undefined) return text ?? ""
  const all = words(text ?? defaultText)
  const most = eventsBeforeText + all.length
  if (!Number.isInteger(afterEvents) || afterEvents < 0 || afterEvents > most) {
    throw new RangeError(
      `FaultStep.refusal: afterEvents: Expected a whole number from 0 to ${most}, got ${format(afterEvents)}`
    )
  }
  // The API lets it be sent back as it is, and it forbids white space at the end of that.
  return all.slice(0, Math.max(0, afterEvents - eventsBeforeText)).join("").trimEnd()
}

/** `message_start` and `content_block_start`. */
const eventsBeforeText = 2

/**
 * Answers 200 with the stop reason `pause_turn`: the API ran a tool of its own as often as it does in one request, and
 * wants the content back as it is to go on.
 *
 * **Details**
 *
 * `content` is what it has so far [a sentence, and a `server_tool_use` block for a web search]. The request that sends it
 * back gets the next step of the plan.
 *
 * **Gotchas**
 *
 * Throws a `RangeError` for content that ends with text: sent back, it would be a prefill.
 *
 * **Example** (Pausing twice)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultPlan from "@effect-claude/testing/FaultPlan"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const plan = FaultPlan.make({
 *   steps: [FaultStep.pauseTurn({ times: 2 }), FaultStep.message({ text: "It rains in Oslo." })]
 * })
 *
 * assert.deepInclude(plan.steps?.[0], { stopReason: "pause_turn", times: 2 })
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const pauseTurn = (
  options: StepOptions & { readonly content?: MessageOptions["content"] } = {}
): StepOf<"message"> => {
  const {
    content = [
      { type: "text", text: "Let me look that up." },
      { type: "server_tool_use", name: "web_search", input: { query: "weather in Oslo" } }
    ]
  } = options
  const last = content.at(-1)
  if (last === undefined || last.type === "text") {
    throw new RangeError("FaultStep.pauseTurn: content: Expected a block at its end that is no text")
  }
  return make("pauseTurn", { kind: "message", ...common(options), content, stopReason: "pause_turn" })
}

/**
 * Answers with a tool call whose input is cut by `max_tokens`, which many clients take for a whole one.
 *
 * **Details**
 *
 * `name` and `input` are those of the call, `afterCharacters` is where the JSON of the input ends, `text` is what the model
 * says before [nothing]. A stream closes the block in good order; a JSON answer has the object without its last fields.
 *
 * **Gotchas**
 *
 * Throws a `RangeError` if the input has no more characters than that.
 *
 * **Example** (Cutting a command)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 * import * as Effect from "effect/Effect"
 *
 * const step = FaultStep.truncatedToolInput({
 *   name: "shell",
 *   input: { path: "/etc", command: "rm -rf /tmp/cache" },
 *   afterCharacters: 36
 * })
 *
 * const program = Effect.gen(function*() {
 *   const api = yield* FakeClaudeApi.make({ plan: { steps: [step] } })
 *   const message = yield* Effect.promise(async () => {
 *     const response = await fetch(`${api.url}/v1/messages`, {
 *       method: "POST",
 *       headers: { "x-api-key": "key" },
 *       body: JSON.stringify({ model: "claude-opus-5", max_tokens: 10, messages: [{ role: "user", content: "Clean up" }] })
 *     })
 *     return response.json()
 *   })
 *   assert.strictEqual(message.stop_reason, "max_tokens")
 *   assert.deepStrictEqual(message.content[0].input, { path: "/etc" })
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const truncatedToolInput = (
  options: StepOptions & {
    readonly name: string
    readonly input: Schema.Json
    readonly afterCharacters: number
    readonly text?: string | undefined
  }
): StepOf<"message"> =>
  make("truncatedToolInput", {
    kind: "message",
    ...common(options),
    content: [
      ...(options.text === undefined ? [] : [{ type: "text" as const, text: options.text }]),
      { type: "tool_use", name: options.name, input: options.input }
    ],
    truncateToolInput: options.afterCharacters
  })

const common = ({ delay, times }: StepOptions): StepOptions => defined({ delay, times })

// An option that was not given leaves no field behind, neither in the step nor in its JSON.
const defined = <A extends object>(fields: A): A =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as A

const apiError = (
  name: string,
  status: number,
  type: ErrorType,
  options: ApiErrorOptions & {
    readonly errorCode?: string | undefined
    readonly limit?: ErrorOptions["limit"]
  }
): StepOf<"error"> => {
  const { errorCode, limit, message } = options
  const details = errorCode === undefined ? options.details : { ...options.details, error_code: errorCode }
  return make(name, {
    kind: "error",
    ...common(options),
    status,
    error: defined({ type, message, details }),
    ...defined({ limit }),
    ...retryHints(name, options)
  })
}

const retryHints = (name: string, { headers, retryAfter, retryAfterAs, shouldRetry }: RetryHints) => {
  if (retryAfter === undefined && retryAfterAs !== undefined) {
    throw new RangeError(`FaultStep.${name}: retryAfterAs: Expected a retryAfter, whose form it is`)
  }
  const wait = retryAfter === undefined ? undefined : finiteWait(name, retryAfter)
  const sent = {
    ...(wait === undefined || retryAfterAs === "date" ? {} : retryAfterAs === "milliseconds"
      ? { "retry-after-ms": String(Duration.toMillis(wait)) }
      : { "retry-after": String(Duration.toSeconds(wait)) }),
    ...(shouldRetry === undefined ? {} : { "x-should-retry": String(shouldRetry) }),
    ...headers
  }
  return {
    ...(Object.keys(sent).length === 0 ? {} : { headers: sent }),
    ...(wait === undefined || retryAfterAs !== "date" ? {} : { retryAt: wait })
  }
}

const finiteWait = (name: string, retryAfter: Duration.Input): Duration.Duration => {
  const wait = Duration.fromInput(retryAfter)
  if (Option.isNone(wait) || !Duration.isFinite(wait.value) || Duration.isNegative(wait.value)) {
    throw new RangeError(
      `FaultStep.${name}: retryAfter: Expected a finite time, not negative, got ${format(retryAfter)}`
    )
  }
  return wait.value
}
