/**
 * What can be known to be wrong with a request before it is sent.
 *
 * **Details**
 *
 * Checked: the model's name is there, `messages` is not empty, `max_tokens` is a positive whole number, the body fits the
 * endpoint, and a request that is not streamed can be answered within the ten minutes that the SDK allows it. Everything
 * else passes, fields that are unknown here too: the API is the judge of those.
 *
 * **Example** (Refusing a request without a round trip)
 *
 * ```ts
 * import * as RequestCheck from "@effect-claude/client/RequestCheck"
 * import { assert } from "@effect/vitest"
 *
 * const error = RequestCheck.check({ model: "claude-opus-5-5", max_tokens: 0, messages: [] }, "messages")
 * assert.strictEqual(error?._tag, "InvalidRequestError")
 * assert.strictEqual(error?.field, "messages")
 * ```
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import { InvalidRequestError, RequestTooLargeError } from "./ClaudeError.ts"
import { property } from "./internal/foreignError.ts"
import { exactSize, isSurelySmaller } from "./internal/jsonSize.ts"

/**
 * An endpoint with a limit of its own on the size of a body.
 *
 * @category models
 * @since 0.1.0
 */
export type Endpoint = "messages" | "count_tokens" | "batches" | "files"

const megabyte = 1024 * 1024

/**
 * The largest body that each endpoint takes, in bytes: 32 MB for messages and count_tokens, 256 MB for batches, 500 MB for
 * files (the API's documentation of `request_too_large`).
 *
 * @category tables
 * @since 0.1.0
 */
export const bodyLimits: Readonly<Record<Endpoint, number>> = {
  messages: 32 * megabyte,
  count_tokens: 32 * megabyte,
  batches: 256 * megabyte,
  files: 500 * megabyte
}

/**
 * The most output tokens of a request that is not streamed. The SDK reckons with 128,000 tokens an hour and refuses what
 * would take longer than ten minutes.
 *
 * @category tables
 * @since 0.1.0
 */
export const maxTokensUnstreamed = 21_333

const invalid = (field: string, message: string, numbers?: { readonly limit?: number; readonly actual?: number }) =>
  new InvalidRequestError({ message: `${field}: ${message}`, field, ...numbers })

/**
 * The error for a body that is larger than its endpoint takes, naming both numbers.
 *
 * **Example** (Measuring a body)
 *
 * ```ts
 * import * as RequestCheck from "@effect-claude/client/RequestCheck"
 * import { assert } from "@effect/vitest"
 *
 * const error = RequestCheck.checkSize({ data: "x".repeat(33 * 1024 * 1024) }, "messages")
 * assert.strictEqual(error?.limit, 32 * 1024 * 1024)
 * assert.isUndefined(RequestCheck.checkSize({ data: "small" }, "messages"))
 * ```
 *
 * @category checks
 * @since 0.1.0
 */
export const checkSize = (
  request: object,
  endpoint: Endpoint
): InvalidRequestError | RequestTooLargeError | undefined => {
  const limit = bodyLimits[endpoint]
  if (isSurelySmaller(request, limit)) return undefined
  const actual = exactSize(request)
  if (actual === undefined) return invalid("body", "cannot be written as JSON")
  if (actual <= limit) return undefined
  return new RequestTooLargeError({
    message: `The body has ${actual} bytes; ${endpoint} takes at most ${limit} (${limit / megabyte} MB)`,
    field: "body",
    limit,
    actual
  })
}

/**
 * The first thing that is wrong with a request, or `undefined`. `streaming` says whether the answer will be streamed.
 *
 * **Details**
 *
 * For `"batches"` the request is one of those in a batch: nobody waits for its answer, so that `max_tokens` is not limited
 * to what ten minutes suffice for, and it may be as large as a batch.
 *
 * **Example** (Being told to stream)
 *
 * ```ts
 * import * as RequestCheck from "@effect-claude/client/RequestCheck"
 * import { assert } from "@effect/vitest"
 *
 * const request = {
 *   model: "claude-opus-5-5",
 *   max_tokens: 64_000,
 *   messages: [{ role: "user", content: "Write a book" }]
 * }
 * assert.strictEqual(RequestCheck.check(request, "messages")?.limit, RequestCheck.maxTokensUnstreamed)
 * assert.isUndefined(RequestCheck.check(request, "messages", { streaming: true }))
 * ```
 *
 * @category checks
 * @since 0.1.0
 */
export const check = (
  request: object,
  endpoint: "messages" | "count_tokens" | "batches",
  options?: { readonly streaming?: boolean | undefined }
): InvalidRequestError | RequestTooLargeError | undefined => {
  const maxTokens = property(request, "max_tokens")
  const messages = property(request, "messages")
  const model = property(request, "model")
  if (!Predicate.isString(model) || model === "") return invalid("model", "the name of a model is needed")
  if (!Array.isArray(messages) || messages.length === 0) return invalid("messages", "at least one message is needed")
  if (endpoint !== "count_tokens") {
    if (maxTokens === undefined || maxTokens === null) return invalid("max_tokens", "is needed")
    if (!Predicate.isNumber(maxTokens) || !Number.isInteger(maxTokens) || maxTokens < 1) {
      // Only a number is shown: anything else may hold any text.
      const shown = Predicate.isNumber(maxTokens) ? String(maxTokens) : `of type ${typeof maxTokens}`
      return invalid("max_tokens", `must be a whole number of at least 1, not ${shown}`, { limit: 1 })
    }
    if (endpoint === "messages" && options?.streaming !== true && maxTokens > maxTokensUnstreamed) {
      return invalid(
        "max_tokens",
        `${maxTokens} may take longer than 10 minutes: stream the answer (streamMessage), use a batch, or ask for at most ${maxTokensUnstreamed}`,
        { limit: maxTokensUnstreamed, actual: maxTokens }
      )
    }
  }
  return checkSize(request, endpoint)
}
