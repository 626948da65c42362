/**
 * How work with batches can fail beside the ways of a `ClaudeError`.
 *
 * **Details**
 *
 * Each is a tagged error with a `verdict`, like the errors of a call: a schedule or a policy of `@effect-claude/resilience`
 * reads it in the same way.
 *
 * **Example** (Saying which batch holds the work already)
 *
 * ```ts
 * import { DuplicateBatchError } from "@effect-claude/client/BatchError"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const submit: Effect.Effect<string, DuplicateBatchError> = Effect.fail(
 *   new DuplicateBatchError({ message: "Submitted before", key: "4f1c", batchId: "msgbatch_1", count: 2, startedAt: 0 })
 * )
 * const handled = Effect.catchTag(submit, "DuplicateBatchError", ({ batchId }) => Effect.succeed(`see ${batchId}`))
 *
 * assert.strictEqual(await Effect.runPromise(handled), "see msgbatch_1")
 * ```
 *
 * @since 0.1.0
 */
import * as Verdict from "@effect-claude/resilience/Verdict"
import * as Schema from "effect/Schema"

const serverError = Verdict.retry("serverError")

/**
 * The results of a batch were asked for before it had ended, or a wait gave up before. Stops: a batch takes minutes to hours,
 * which is no wait between two attempts.
 *
 * @category errors
 * @since 0.1.0
 */
export class BatchNotEndedError extends Schema.TaggedError<BatchNotEndedError>()("BatchNotEndedError", {
  message: Schema.String,
  batchId: Schema.String,
  processingStatus: Schema.optionalKey(Schema.String)
}) {
  get verdict(): Verdict.Verdict {
    return Verdict.stop
  }
}

/**
 * A results file came whole and does not hold an outcome for each request: lines cannot be read, or a `custom_id` is there
 * twice. `expected` outcomes should be there, `received` are. Retried as `serverError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class IncompleteResultsError extends Schema.TaggedError<IncompleteResultsError>()("IncompleteResultsError", {
  message: Schema.String,
  batchId: Schema.String,
  expected: Schema.Int,
  received: Schema.Int
}) {
  get verdict(): Verdict.Verdict {
    return serverError
  }
}

/**
 * The same work has been submitted before, by what the ledger says. Nothing was sent for it. Stops.
 *
 * **Details**
 *
 * - `key`: the key of the work in the ledger;
 * - `batchId`: the batch that holds it. Absent if that is not known: a submission was begun at `startedAt` (milliseconds of the
 *   epoch) and nobody heard how it ended, or it is under way right now;
 * - `count`: how many requests it has.
 *
 * @category errors
 * @since 0.1.0
 */
export class DuplicateBatchError extends Schema.TaggedError<DuplicateBatchError>()("DuplicateBatchError", {
  message: Schema.String,
  key: Schema.String,
  batchId: Schema.optionalKey(Schema.String),
  count: Schema.Int,
  startedAt: Schema.Finite
}) {
  get verdict(): Verdict.Verdict {
    return Verdict.stop
  }
}

/**
 * A submission broke off without an answer, and whether the batch was made cannot be told for certain. Stops: to submit again
 * may pay for the same work twice.
 *
 * **Details**
 *
 * - `candidates`: the batches on the server that may be the one, by the time they were made and their number of requests.
 *   Empty if the server could not be asked;
 * - `count`: how many requests it has;
 * - `cause`: how the submission failed.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnknownSubmissionError extends Schema.TaggedError<UnknownSubmissionError>()("UnknownSubmissionError", {
  message: Schema.String,
  candidates: Schema.Array(Schema.String),
  count: Schema.Int,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  get verdict(): Verdict.Verdict {
    return Verdict.stop
  }
}

/**
 * The ledger could not be read or written, so that whether the work was submitted before is not known. Nothing was sent. Stops.
 *
 * @category errors
 * @since 0.1.0
 */
export class BatchLedgerError extends Schema.TaggedError<BatchLedgerError>()("BatchLedgerError", {
  message: Schema.String,
  operation: Schema.Literals(["read", "write"]),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  get verdict(): Verdict.Verdict {
    return Verdict.stop
  }
}

/**
 * A request of a batch was never processed: it was canceled, or the batch's 24 hours ended before its turn. It costs nothing.
 *
 * @category errors
 * @since 0.1.0
 */
export class RequestNotProcessedError
  extends Schema.TaggedError<RequestNotProcessedError>()("RequestNotProcessedError", {
    message: Schema.String,
    customId: Schema.String,
    batchId: Schema.String,
    reason: Schema.Literals(["canceled", "expired"])
  })
{
  get verdict(): Verdict.Verdict {
    return this.reason === "expired" ? serverError : Verdict.stop
  }
}
