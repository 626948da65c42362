/**
 * The failures of a test script: one constructor for every tag of `ClaudeError`, and the faults that only a stream can have.
 *
 * **Details**
 *
 * Each constructor makes a step for `ClaudeTest.script`. Called without arguments, the error looks as it usually does: of
 * the API with the status, type and code that the API sends, of the transport and of policies as they word it. Every field
 * can be set; durations in any form that Effect takes. What is not set and depends on the call is filled in when the call
 * comes: `attempt`, `model`, and, where headers of an answer had arrived, `requestId`.
 *
 * The faults of streams ({@link cutStream}, {@link stallStream}, {@link midStream}, {@link endWithoutStop}) give a
 * `createMessage` or `countTokens` that meets them what the same trouble does to a JSON answer.
 *
 * Wrong fields throw a `RangeError` when the fault is made.
 *
 * **Example** (Scripting a bad morning)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * )
 * const Claude = ClaudeTest.script([
 *   Fault.rateLimit({ retryAfter: "5 millis" }),
 *   Fault.connection({ code: "ETIMEDOUT" }),
 *   Reply.text("Good morning!")
 * ])
 *
 * const message = await Effect.runPromise(program.pipe(
 *   Effect.retry({ times: 2, while: (error) => error.verdict._tag === "Retry" }),
 *   Effect.provide(Claude)
 * ))
 * assert.strictEqual(message.stop_reason, "end_turn")
 * ```
 *
 * @since 0.1.0
 */
import type { ClaudeError, ClaudeErrorTag } from "@effect-claude/client/ClaudeError"
import type { FaultFields } from "./internal/script/FaultConstruction.ts"
import { brokenBy, failureOf } from "./internal/script/FaultConstruction.ts"
import * as HttpFailure from "./internal/script/HttpFailure.ts"
import type * as Step from "./internal/script/Step.ts"
import { describeStep, makeStep } from "./internal/script/Step.ts"
import type { Reply } from "./Reply.ts"
import * as Replies from "./Reply.ts"

/**
 * A step of a script that fails.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fault extends Step.Step<Step.Failure> {}

/**
 * A step of a script whose answer breaks off.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamFault extends Step.Step<Step.Broken> {}

/**
 * A step of a script that never answers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hang extends Step.Step<Step.Hang> {}

/**
 * The fields of the error with this tag, all optional. Those that are not set look as they usually do.
 *
 * @category models
 * @since 0.1.0
 */
export type Fields<Tag extends ClaudeErrorTag> = FaultFields<Tag>

/**
 * Fails as for a request that the API finds wrong: 400 `invalid_request_error`. Stops.
 *
 * **Example** (Naming the code)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.invalidRequest({ errorCode: "tool_name_conflict" })])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "InvalidRequestError")
 * assert.strictEqual(error.errorCode, "tool_name_conflict")
 * ```
 *
 * @category api faults
 * @since 0.1.0
 */
export const invalidRequest = (fields: Fields<"InvalidRequestError"> = {}): Fault =>
  failureOf("Fault.invalidRequest", "InvalidRequestError", fields)

/**
 * Fails as for a key that is wrong: 401 `authentication_error`. Stops.
 *
 * **Example** (Rejecting the key)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.authentication()])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "AuthenticationError")
 * assert.strictEqual(error.status, 401)
 * ```
 *
 * @category api faults
 * @since 0.1.0
 */
export const authentication = (fields: Fields<"AuthenticationError"> = {}): Fault =>
  failureOf("Fault.authentication", "AuthenticationError", fields)

/**
 * Fails as for an account that cannot pay: 402 `billing_error`. Stops.
 *
 * **Example** (Running out of credit)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.billing()])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "BillingError")
 * assert.strictEqual(error.verdict._tag, "Stop")
 * ```
 *
 * @category api faults
 * @since 0.1.0
 */
export const billing = (fields: Fields<"BillingError"> = {}): Fault =>
  failureOf("Fault.billing", "BillingError", fields)

/**
 * Fails as for a key that may not do this: 403 `permission_error`. Stops.
 *
 * **Example** (Refusing a model)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.permissionDenied()])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "PermissionDeniedError")
 * assert.strictEqual(error.errorType, "permission_error")
 * ```
 *
 * @category api faults
 * @since 0.1.0
 */
export const permissionDenied = (fields: Fields<"PermissionDeniedError"> = {}): Fault =>
  failureOf("Fault.permissionDenied", "PermissionDeniedError", fields)

/**
 * Fails as for a model or a file that does not exist: 404 `not_found_error`. Stops.
 *
 * **Example** (Missing a model)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.notFound({ message: "model: claude-nope" })])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "NotFoundError")
 * assert.strictEqual(error.message, "model: claude-nope")
 * ```
 *
 * @category api faults
 * @since 0.1.0
 */
export const notFound = (fields: Fields<"NotFoundError"> = {}): Fault =>
  failureOf("Fault.notFound", "NotFoundError", fields)

/**
 * Fails as when the API got the request too slowly: 408. Retried as `timeout`.
 *
 * **Example** (Sending too slowly)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.requestTimeout()])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "RequestTimeoutError")
 * assert.deepStrictEqual(error.verdict, { _tag: "Retry", kind: "timeout", after: undefined })
 * ```
 *
 * @category api faults
 * @since 0.1.0
 */
export const requestTimeout = (fields: Fields<"RequestTimeoutError"> = {}): Fault =>
  failureOf("Fault.requestTimeout", "RequestTimeoutError", fields)

/**
 * Fails as for a request that collides with another one: 409 `conflict_error`. Retried as `conflict`.
 *
 * **Details**
 *
 * Codes tell a conflict that passes from one that stays: `thread_already_continued` stops.
 *
 * **Example** (Colliding for good)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.conflict({ errorCode: "thread_already_continued" })])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "ConflictError")
 * assert.strictEqual(error.verdict._tag, "Stop")
 * ```
 *
 * @category api faults
 * @since 0.1.0
 */
export const conflict = (fields: Fields<"ConflictError"> = {}): Fault =>
  failureOf("Fault.conflict", "ConflictError", fields)

/**
 * Fails as for a body that is too large: 413 `request_too_large`. Stops.
 *
 * **Example** (Sending too much)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.requestTooLarge({ limit: 33_554_432 })])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "RequestTooLargeError")
 * assert.strictEqual(error.status, 413)
 * ```
 *
 * @category api faults
 * @since 0.1.0
 */
export const requestTooLarge = (fields: Fields<"RequestTooLargeError"> = {}): Fault =>
  failureOf("Fault.requestTooLarge", "RequestTooLargeError", fields)

/**
 * Fails as for a conversation that does not fit into the model: 400 `invalid_request_error`, told by its message.
 * Stops.
 *
 * **Example** (Talking for too long)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.contextWindowExceeded()])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "ContextWindowExceededError")
 * assert.match(error.message, /^prompt is too long/)
 * ```
 *
 * @category api faults
 * @since 0.1.0
 */
export const contextWindowExceeded = (fields: Fields<"ContextWindowExceededError"> = {}): Fault =>
  failureOf("Fault.contextWindowExceeded", "ContextWindowExceededError", fields)

/**
 * Fails as for too many requests or tokens: 429 `rate_limit_error`. Retried as `rateLimited`.
 *
 * **Details**
 *
 * `retryAfter` is not set unless it is given.
 *
 * **Example** (Asking for a pause)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Duration from "effect/Duration"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.rateLimit({ retryAfter: "12 seconds" })])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "RateLimitError")
 * assert.deepStrictEqual(error.retryAfter, Duration.seconds(12))
 * ```
 *
 * @category api faults
 * @since 0.1.0
 */
export const rateLimit = (fields: Fields<"RateLimitError"> = {}): Fault =>
  failureOf("Fault.rateLimit", "RateLimitError", fields)

/**
 * Fails as for a spend limit: a 429 `rate_limit_error` with the code `enforced_spend_limit_reached` and no
 * `retryAfter`. Stops.
 *
 * **Example** (Reaching the budget of the month)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.spendLimit()])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "SpendLimitError")
 * assert.strictEqual(error.status, 429)
 * assert.strictEqual(error.verdict._tag, "Stop")
 * ```
 *
 * @category api faults
 * @since 0.1.0
 */
export const spendLimit = (fields: Fields<"SpendLimitError"> = {}): Fault =>
  failureOf("Fault.spendLimit", "SpendLimitError", fields)

/**
 * Fails as for a fault of the service: 500 `api_error`. Retried as `serverError`.
 *
 * **Example** (Meeting a proxy's error page)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.internalServer({ status: 502, message: "HTTP 502 with an HTML page: Bad Gateway" })])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "InternalServerError")
 * assert.strictEqual(error.status, 502)
 * ```
 *
 * @category api faults
 * @since 0.1.0
 */
export const internalServer = (fields: Fields<"InternalServerError"> = {}): Fault =>
  failureOf("Fault.internalServer", "InternalServerError", fields)

/**
 * Fails as when the service took too long: 504 `timeout_error`. Retried as `timeout`.
 *
 * **Example** (Taking too long)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.gatewayTimeout()])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "GatewayTimeoutError")
 * assert.strictEqual(error.status, 504)
 * ```
 *
 * @category api faults
 * @since 0.1.0
 */
export const gatewayTimeout = (fields: Fields<"GatewayTimeoutError"> = {}): Fault =>
  failureOf("Fault.gatewayTimeout", "GatewayTimeoutError", fields)

/**
 * Fails as for a service without capacity: 529 `overloaded_error`. Retried as `overloaded`.
 *
 * **Details**
 *
 * `retryAfter` is not set unless it is given.
 *
 * **Example** (Being told not to retry)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.overloaded({ shouldRetry: false })])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "OverloadedError")
 * assert.strictEqual(error.verdict._tag, "Stop")
 * ```
 *
 * @category api faults
 * @since 0.1.0
 */
export const overloaded = (fields: Fields<"OverloadedError"> = {}): Fault =>
  failureOf("Fault.overloaded", "OverloadedError", fields)

/**
 * Fails before an answer arrives, as when the connection is reset. Retried as `connection`.
 *
 * **Details**
 *
 * `code` is `ECONNRESET` unless it is given; codes of TLS, of an unknown host and of an abort stop.
 *
 * **Example** (Not finding the host)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.connection({ code: "ENOTFOUND" })])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "ConnectionError")
 * assert.strictEqual(error.message, "The connection failed (ENOTFOUND)")
 * assert.strictEqual(error.verdict._tag, "Stop")
 * ```
 *
 * @category transport faults
 * @since 0.1.0
 */
export const connection = (fields: Fields<"ConnectionError"> = {}): Fault =>
  failureOf("Fault.connection", "ConnectionError", fields)

/**
 * Fails at once as if an attempt had run out of time: phase `attempt`, limit 60 seconds. Retried as `timeout`.
 *
 * **Details**
 *
 * For a call that really takes too long, see {@link hang}, {@link stallStream} and `ClaudeTest.delayed`.
 *
 * **Example** (Going silent)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.attemptTimeout({ phase: "idle", limit: "15 seconds" })])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "AttemptTimeoutError")
 * assert.strictEqual(error.message, "Nothing arrived within 15s")
 * ```
 *
 * @category transport faults
 * @since 0.1.0
 */
export const attemptTimeout = (fields: Fields<"AttemptTimeoutError"> = {}): Fault =>
  failureOf("Fault.attemptTimeout", "AttemptTimeoutError", fields)

/**
 * Fails at once as a stream that broke off before its first event. Retried as `connection`.
 *
 * **Details**
 *
 * For a stream that breaks off later, see {@link cutStream} and {@link endWithoutStop}.
 *
 * **Example** (Breaking off at once)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.streamInterrupted()])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert(error._tag === "StreamInterruptedError")
 * assert.deepStrictEqual(error.partial, { text: "", events: 0 })
 * ```
 *
 * @category transport faults
 * @since 0.1.0
 */
export const streamInterrupted = (fields: Fields<"StreamInterruptedError"> = {}): Fault =>
  failureOf("Fault.streamInterrupted", "StreamInterruptedError", fields)

/**
 * Fails as for a 200 that is no answer, such as the page of a captive portal. Retried as `serverError`.
 *
 * **Example** (Meeting a captive portal)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.invalidResponse()])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "InvalidResponseError")
 * assert.strictEqual(error.message, "A successful status with an HTML page")
 * ```
 *
 * @category transport faults
 * @since 0.1.0
 */
export const invalidResponse = (fields: Fields<"InvalidResponseError"> = {}): Fault =>
  failureOf("Fault.invalidResponse", "InvalidResponseError", fields)

/**
 * Fails as when the model refuses; category `general_harms`. Stops.
 *
 * **Details**
 *
 * The client itself answers a refusal with a message whose stop reason is `refusal`: that is `Reply.text("", {
 * stop_reason: "refusal" })`.
 *
 * **Example** (Refusing)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.refusal({ category: "cyber" })])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert(error._tag === "RefusalError")
 * assert.strictEqual(error.category, "cyber")
 * ```
 *
 * @category answer faults
 * @since 0.1.0
 */
export const refusal = (fields: Fields<"RefusalError"> = {}): Fault =>
  failureOf("Fault.refusal", "RefusalError", fields)

/**
 * Fails as for an answer that was cut by a limit; stop reason `max_tokens`. Stops.
 *
 * **Example** (Filling the context window)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.outputTruncated({ stopReason: "model_context_window_exceeded" })])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert(error._tag === "OutputTruncatedError")
 * assert.strictEqual(error.stopReason, "model_context_window_exceeded")
 * ```
 *
 * @category answer faults
 * @since 0.1.0
 */
export const outputTruncated = (fields: Fields<"OutputTruncatedError"> = {}): Fault =>
  failureOf("Fault.outputTruncated", "OutputTruncatedError", fields)

/**
 * Fails as for an answer that does not have the shape that was asked for. Stops.
 *
 * **Example** (Missing a field)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.outputInvalid({ issues: [`Missing key at ["city"]`] })])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert(error._tag === "OutputInvalidError")
 * assert.deepStrictEqual(error.issues, [`Missing key at ["city"]`])
 * ```
 *
 * @category answer faults
 * @since 0.1.0
 */
export const outputInvalid = (fields: Fields<"OutputInvalidError"> = {}): Fault =>
  failureOf("Fault.outputInvalid", "OutputInvalidError", fields)

/**
 * Fails as an open circuit breaker does; `retryAfter` 60 seconds. Retried as `overloaded`.
 *
 * **Example** (Waiting for the next probe)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Duration from "effect/Duration"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.circuitOpen({ retryAfter: "30 seconds" })])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "CircuitOpenError")
 * assert.deepStrictEqual(error.retryAfter, Duration.seconds(30))
 * ```
 *
 * @category policy faults
 * @since 0.1.0
 */
export const circuitOpen = (fields: Fields<"CircuitOpenError"> = {}): Fault =>
  failureOf("Fault.circuitOpen", "CircuitOpenError", fields)

/**
 * Fails as a local rate limiter without room does; `retryAfter` 1 second. Retried as `rateLimited`.
 *
 * **Example** (Being too fast for oneself)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Duration from "effect/Duration"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.rateLimitedLocally()])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "RateLimitedLocallyError")
 * assert.deepStrictEqual(error.retryAfter, Duration.seconds(1))
 * ```
 *
 * @category policy faults
 * @since 0.1.0
 */
export const rateLimitedLocally = (fields: Fields<"RateLimitedLocallyError"> = {}): Fault =>
  failureOf("Fault.rateLimitedLocally", "RateLimitedLocallyError", fields)

/**
 * Fails as a concurrency limit without room does. Retried as `overloaded`.
 *
 * **Example** (Being one call too many)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.concurrencyLimit()])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "ConcurrencyLimitError")
 * assert.strictEqual(error.verdict._tag, "Retry")
 * ```
 *
 * @category policy faults
 * @since 0.1.0
 */
export const concurrencyLimit = (fields: Fields<"ConcurrencyLimitError"> = {}): Fault =>
  failureOf("Fault.concurrencyLimit", "ConcurrencyLimitError", fields)

/**
 * Fails as a retry without budget does; `cause` is an `OverloadedError`. Stops.
 *
 * **Example** (Giving up a retry)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.retryBudgetExhausted()])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "RetryBudgetExhaustedError")
 * assert.strictEqual(error.verdict._tag, "Stop")
 * ```
 *
 * @category policy faults
 * @since 0.1.0
 */
export const retryBudgetExhausted = (fields: Fields<"RetryBudgetExhaustedError"> = {}): Fault =>
  failureOf("Fault.retryBudgetExhausted", "RetryBudgetExhaustedError", fields)

/**
 * Fails at once as a call that used up its deadline; limit 2 minutes. Stops.
 *
 * **Details**
 *
 * For a call that really takes too long, see {@link hang} and `ClaudeTest.delayed`.
 *
 * **Example** (Missing a deadline)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.deadlineExceeded({ limit: "30 seconds" })])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "DeadlineExceededError")
 * assert.strictEqual(error.message, "The call did not end within its deadline of 30s")
 * ```
 *
 * @category policy faults
 * @since 0.1.0
 */
export const deadlineExceeded = (fields: Fields<"DeadlineExceededError"> = {}): Fault =>
  failureOf("Fault.deadlineExceeded", "DeadlineExceededError", fields)

/**
 * Fails as a call that would exceed a budget of money or tokens: 9.75 of 10 US dollars spent, 0.5 needed. Stops.
 *
 * **Example** (Running out of money)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * )
 * const Claude = ClaudeTest.script([Fault.usageBudgetExceeded({ unit: "tokens", limit: 50_000, spent: 49_000, required: 2_000 })])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "UsageBudgetExceededError")
 * ```
 *
 * @category policy faults
 * @since 0.1.0
 */
export const usageBudgetExceeded = (fields: Fields<"UsageBudgetExceededError"> = {}): Fault =>
  failureOf("Fault.usageBudgetExceeded", "UsageBudgetExceededError", fields)

/**
 * The constructor of each tag. A tag that `ClaudeError` gains is a compile error here.
 *
 * **When to use**
 *
 * Use to run a test for every way a call can fail.
 *
 * **Example** (Trying every failure)
 *
 * ```ts
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 *
 * const everyFault = Object.values(Fault.byTag).map((make) => make())
 * assert.strictEqual(everyFault.length, 27)
 * ```
 *
 * @category tables
 * @since 0.1.0
 */
export const byTag: { readonly [Tag in ClaudeErrorTag]: (fields?: Fields<Tag>) => Fault } = {
  InvalidRequestError: invalidRequest,
  AuthenticationError: authentication,
  BillingError: billing,
  PermissionDeniedError: permissionDenied,
  NotFoundError: notFound,
  RequestTimeoutError: requestTimeout,
  ConflictError: conflict,
  RequestTooLargeError: requestTooLarge,
  ContextWindowExceededError: contextWindowExceeded,
  RateLimitError: rateLimit,
  SpendLimitError: spendLimit,
  InternalServerError: internalServer,
  GatewayTimeoutError: gatewayTimeout,
  OverloadedError: overloaded,
  ConnectionError: connection,
  AttemptTimeoutError: attemptTimeout,
  StreamInterruptedError: streamInterrupted,
  InvalidResponseError: invalidResponse,
  RefusalError: refusal,
  OutputTruncatedError: outputTruncated,
  OutputInvalidError: outputInvalid,
  CircuitOpenError: circuitOpen,
  RateLimitedLocallyError: rateLimitedLocally,
  ConcurrencyLimitError: concurrencyLimit,
  RetryBudgetExhaustedError: retryBudgetExhausted,
  DeadlineExceededError: deadlineExceeded,
  UsageBudgetExceededError: usageBudgetExceeded
}

/**
 * Fails with exactly this error. Nothing is filled in, so the caller gets the very same instance.
 *
 * **Example** (Failing with an error of one's own)
 *
 * ```ts
 * import { OverloadedError } from "@effect-claude/client/ClaudeError"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const overloaded = new OverloadedError({ message: "Overloaded", status: 529 })
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 *
 * const error = await Effect.runPromise(program.pipe(
 *   Effect.provide(ClaudeTest.script([Fault.of(overloaded)])),
 *   Effect.flip
 * ))
 * assert.strictEqual(error, overloaded)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const of = (error: ClaudeError): Fault =>
  makeStep(error._tag, { _tag: "Failure", error: () => error, midStream: () => error })

/**
 * An answer with the status of an error, for {@link http}.
 *
 * **Details**
 *
 * - `status`: from 400 to 599.
 * - `type`, `message`, `errorCode`: what the API's JSON says. By default the type that the API sends with the status, the same
 *   as message, and no code.
 * - `headers`: beside `request-id`, which is there anyway.
 * - `body`: the whole body in place of the API's JSON: text, such as a proxy's page, or any value as JSON.
 *
 * @category models
 * @since 0.1.0
 */
export interface HttpAnswer extends HttpFailure.HttpAnswer {}

/**
 * Fails as the client does when it gets this answer: the way from the answer to the error is the client's own.
 *
 * **When to use**
 *
 * Use when a test knows what the server sends and leaves the error to the client: a row of the API's documentation, what a
 * log shows, a proxy's page. When it knows the error, the other constructors are shorter.
 *
 * **Example** (Getting the page of a proxy)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   Effect.flip(claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] }))
 * )
 * const Claude = ClaudeTest.script([
 *   Fault.http({ status: 429, errorCode: "enforced_spend_limit_reached" }),
 *   Fault.http({ status: 502, body: "<html><title>Bad Gateway</title></html>", headers: { "retry-after": "3" } })
 * ])
 *
 * const [spendLimit, badGateway] = await Effect.runPromise(Effect.provide(Effect.all([program, program]), Claude))
 * assert.strictEqual(spendLimit._tag, "SpendLimitError")
 * assert.strictEqual(badGateway._tag, "InternalServerError")
 * assert.strictEqual(badGateway.message, "HTTP 502 with an HTML page: Bad Gateway")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const http = (answer: HttpAnswer): Fault => HttpFailure.httpFailure("Fault.http", answer)

/**
 * Options of the faults that break an answer off.
 *
 * **Details**
 *
 * - `afterEvents`: how many events arrive before; pings do not count. 3 by default: `message_start`, `content_block_start`
 *   and the first delta. It must be less than the events of the answer.
 * - `reply`: the answer that breaks off. By default a text of some words. Its delay counts.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamFaultOptions {
  readonly afterEvents?: number | undefined
  readonly reply?: Reply | undefined
}

const someWords = Replies.text("This answer breaks off before it is complete.")

/**
 * Cuts the connection after some events: `StreamInterruptedError` with what had arrived in `partial`. A JSON answer is
 * cut half way: `ConnectionError`.
 *
 * **Example** (Losing the connection in a sentence)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const program = ClaudeService.use((claude) =>
 *   Stream.runDrain(claude.streamMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }))
 * )
 * const Claude = ClaudeTest.script([Fault.cutStream({ afterEvents: 3, reply: Reply.text("Hello, world!") })])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert(error._tag === "StreamInterruptedError")
 * assert.strictEqual(error.partial?.text, "Hello, w")
 * ```
 *
 * @category stream faults
 * @since 0.1.0
 */
export const cutStream = (options: StreamFaultOptions = {}): StreamFault =>
  brokenBy("Fault.cutStream", "cut", "cut", options.reply ?? someWords, options.afterEvents)

/**
 * Goes silent after some events, for ever: the connection stays open and not even a ping comes. So does a JSON answer,
 * after its headers.
 *
 * **Example** (Noticing the silence)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const program = ClaudeService.use((claude) =>
 *   Stream.runDrain(claude.streamMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }))
 * )
 * const Claude = ClaudeTest.script([Fault.stallStream()]).pipe(
 *   ClaudeLayer.withAttemptTimeout({ idle: "10 millis" })
 * )
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert(error._tag === "AttemptTimeoutError")
 * assert.strictEqual(error.phase, "idle")
 * ```
 *
 * @category stream faults
 * @since 0.1.0
 */
export const stallStream = (options: StreamFaultOptions = {}): StreamFault =>
  brokenBy("Fault.stallStream", "stall", "stall", options.reply ?? someWords, options.afterEvents)

/**
 * Fails a stream with another fault after some events, with what had arrived in `partial`. A JSON answer fails with the
 * fault itself.
 *
 * **Details**
 *
 * An error of the API comes as an `error` event, as on the wire: it has no status and no headers, so `status`,
 * `retryAfter`, `shouldRetry` and `rateLimits` are gone, and `errorType` and `errorCode` say what it is. A `connection`
 * is a connection that is lost: `StreamInterruptedError`. The delay of the fault passes between the last event and the
 * error.
 *
 * **Gotchas**
 *
 * Where the tag comes from the status alone, it changes: a `requestTimeout` is a `GatewayTimeoutError` by its type.
 *
 * **Example** (Being overloaded in the middle of an answer)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const program = ClaudeService.use((claude) =>
 *   Stream.runDrain(claude.streamMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }))
 * )
 * const Claude = ClaudeTest.script([Fault.midStream(Fault.overloaded(), { afterEvents: 4 })])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert(error._tag === "OverloadedError")
 * assert.isUndefined(error.status)
 * assert.strictEqual(error.partial?.events, 4)
 * ```
 *
 * @category stream faults
 * @since 0.1.0
 */
export const midStream = (fault: Fault, options: StreamFaultOptions = {}): StreamFault =>
  brokenBy(
    "Fault.midStream",
    describeStep(fault),
    { failure: fault.behavior, delay: fault.delay },
    options.reply ?? someWords,
    options.afterEvents
  )

/**
 * Ends a stream in good order before its `message_stop`: `StreamInterruptedError`, or `InvalidResponseError` after 0
 * events. A JSON answer ends before its JSON does: `InvalidResponseError`.
 *
 * **Details**
 *
 * When only `message_stop` is missing, the stream is whole: some gateways leave it out, and the client adds it.
 *
 * **Example** (Ending too early)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const program = ClaudeService.use((claude) =>
 *   Stream.runDrain(claude.streamMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }))
 * )
 * const Claude = ClaudeTest.script([Fault.endWithoutStop()])
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error.message, "The stream ended without message_stop")
 * ```
 *
 * @category stream faults
 * @since 0.1.0
 */
export const endWithoutStop = (options: StreamFaultOptions = {}): StreamFault =>
  brokenBy("Fault.endWithoutStop", "end", "end", options.reply ?? someWords, options.afterEvents)

/**
 * Never answers: no headers, no events, for ever. A timeout, a deadline or an interrupt ends the call.
 *
 * **Example** (Giving up)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 * )
 * const Claude = ClaudeTest.script([Fault.hang()]).pipe(ClaudeLayer.withDeadline("10 millis"))
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "DeadlineExceededError")
 * ```
 *
 * @category stream faults
 * @since 0.1.0
 */
export const hang = (): Hang => makeStep("hang", { _tag: "Hang" })
