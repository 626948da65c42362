/**
 * What became of one request of a batch, and what to do about it.
 *
 * **Details**
 *
 * A request of a batch ends in one of four ways. One that failed carries a `ClaudeError`, the same that a call for it would
 * have failed with, so that errors are handled in one place for both.
 *
 * **Gotchas**
 *
 * `Succeeded` says that the model answered. The answer can still be cut, refused or empty: it is a `Message` like any other and
 * to be checked like one.
 *
 * **Example** (Sorting outcomes)
 *
 * ```ts
 * import * as BatchOutcome from "@effect-claude/client/BatchOutcome"
 * import { InvalidRequestError } from "@effect-claude/client/ClaudeError"
 * import { assert } from "@effect/vitest"
 *
 * const origin = { customId: "doc-1", batchId: "msgbatch_1", submissions: 1 }
 * const wrong: BatchOutcome.BatchOutcome = {
 *   _tag: "Errored",
 *   ...origin,
 *   error: new InvalidRequestError({ message: "max_tokens: 0 is too low" })
 * }
 *
 * assert.strictEqual(BatchOutcome.advice(wrong), "fixRequest")
 * assert.strictEqual(BatchOutcome.advice({ _tag: "Expired", ...origin }), "submitAgain")
 * ```
 *
 * @since 0.1.0
 */
import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Effect from "effect/Effect"
import { RequestNotProcessedError } from "./BatchError.ts"
import { type ClaudeError, isTransportError } from "./ClaudeError.ts"

/**
 * Where an outcome comes from: the request it belongs to, the batch that gave it, and how many times the request had been
 * submitted by then (1 for the first time).
 *
 * @category models
 * @since 0.1.0
 */
export interface Origin {
  readonly customId: string
  readonly batchId: string
  readonly submissions: number
}

/**
 * The model answered.
 *
 * @category models
 * @since 0.1.0
 */
export interface Succeeded extends Origin {
  readonly _tag: "Succeeded"
  readonly message: Message
}

/**
 * The request failed. It costs nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Errored extends Origin {
  readonly _tag: "Errored"
  readonly error: ClaudeError
}

/**
 * The batch was canceled before the request was processed. It costs nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Canceled extends Origin {
  readonly _tag: "Canceled"
}

/**
 * The batch's 24 hours ended before the request was processed. It costs nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Expired extends Origin {
  readonly _tag: "Expired"
}

/**
 * What became of one request of a batch.
 *
 * @category models
 * @since 0.1.0
 */
export type BatchOutcome = Succeeded | Errored | Canceled | Expired

/**
 * What to do about an outcome.
 *
 * **Details**
 *
 * - `keep`: nothing. It succeeded, or somebody canceled it on purpose;
 * - `submitAgain`: it failed for the server's reasons or expired, so the same request may succeed;
 * - `fixRequest`: the request is at fault and would fail again as it is;
 * - `fixAccount`: the request is fine, and would fail again until credit, a spend limit or a permission is changed;
 * - `look`: the batch ended and its results hold nothing readable for the request. It may have been answered and billed.
 *
 * @category models
 * @since 0.1.0
 */
export type Advice = "keep" | "submitAgain" | "fixRequest" | "fixAccount" | "look"

const ofTheAccount: ReadonlySet<string> = new Set<ClaudeError["_tag"]>([
  "AuthenticationError",
  "BillingError",
  "PermissionDeniedError",
  "SpendLimitError"
])

/**
 * What to do about an outcome.
 *
 * **Details**
 *
 * The verdict of the error decides: what is worth a retry of a call is worth another submission. Low credit, which the API
 * reports for each request as an `invalid_request_error`, is told from a request at fault by its message.
 *
 * **Example** (Collecting what is worth another submission)
 *
 * ```ts
 * import * as BatchOutcome from "@effect-claude/client/BatchOutcome"
 * import { BillingError, OverloadedError } from "@effect-claude/client/ClaudeError"
 * import { assert } from "@effect/vitest"
 *
 * const origin = { batchId: "msgbatch_1", submissions: 1 }
 * const outcomes: ReadonlyArray<BatchOutcome.BatchOutcome> = [
 *   { _tag: "Errored", customId: "a", ...origin, error: new OverloadedError({ message: "Overloaded" }) },
 *   { _tag: "Errored", customId: "b", ...origin, error: new BillingError({ message: "Your credit balance is too low" }) },
 *   { _tag: "Canceled", customId: "c", ...origin }
 * ]
 *
 * assert.deepStrictEqual(outcomes.map(BatchOutcome.advice), ["submitAgain", "fixAccount", "keep"])
 * ```
 *
 * @category advice
 * @since 0.1.0
 */
export const advice = (outcome: BatchOutcome): Advice => {
  if (outcome._tag === "Expired") return "submitAgain"
  if (outcome._tag !== "Errored") return "keep"
  const { error } = outcome
  // No request of a batch fails in transport: the file of results did, for its line.
  if (isTransportError(error)) return "look"
  if (error.verdict._tag === "Retry") return "submitAgain"
  return ofTheAccount.has(error._tag) ? "fixAccount" : "fixRequest"
}

/**
 * The message of an outcome, or the reason why there is none as an error.
 *
 * **Example** (Going on with the messages only)
 *
 * ```ts
 * import * as BatchOutcome from "@effect-claude/client/BatchOutcome"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const expired: BatchOutcome.BatchOutcome = {
 *   _tag: "Expired",
 *   customId: "doc-1",
 *   batchId: "msgbatch_1",
 *   submissions: 3
 * }
 *
 * const error = await Effect.runPromise(Effect.flip(BatchOutcome.requireSucceeded(expired)))
 * assert.strictEqual(error._tag, "RequestNotProcessedError")
 * ```
 *
 * @category checks
 * @since 0.1.0
 */
export const requireSucceeded = (
  outcome: BatchOutcome
): Effect.Effect<Message, ClaudeError | RequestNotProcessedError> => {
  switch (outcome._tag) {
    case "Succeeded":
      return Effect.succeed(outcome.message)
    case "Errored":
      return Effect.fail(outcome.error)
    case "Canceled":
      return Effect.fail(notProcessed(outcome, "canceled"))
    case "Expired":
      return Effect.fail(notProcessed(outcome, "expired"))
  }
}

const notProcessed = ({ batchId, customId }: Origin, reason: "canceled" | "expired"): RequestNotProcessedError =>
  new RequestNotProcessedError({
    message: `The request ${customId} of batch ${batchId} was not processed: it ${
      reason === "expired" ? "expired" : "was canceled"
    }`,
    customId,
    batchId,
    reason
  })
