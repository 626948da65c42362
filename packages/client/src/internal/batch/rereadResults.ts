import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { type BatchNotEndedError, IncompleteResultsError } from "../../BatchError.ts"
import type { BatchOutcome } from "../../BatchOutcome.ts"
import type { ClaudeBatchesShape } from "../../ClaudeBatches.ts"
import { type ClaudeError, StreamInterruptedError } from "../../ClaudeError.ts"
import type { ClaudeSchedule } from "../../ClaudeSchedule.ts"
import type { CallOptions } from "../../ClaudeService.ts"

export type ResultsFailure = ClaudeError | BatchNotEndedError | IncompleteResultsError

export interface RereadOptions {
  readonly batchId: string
  /** How many outcomes there are. */
  readonly expected: number
  readonly schedule: ClaudeSchedule
  readonly call: CallOptions
  readonly onInterrupted: (received: number, error: ResultsFailure) => void
}

/**
 * The outcomes of a batch, each once. When the file breaks off it is fetched again, as often as the schedule says, and what was
 * given already is passed over: in memory are the ids and nothing else.
 */
export const rereadResults = (
  batches: ClaudeBatchesShape,
  { batchId, call, expected, onInterrupted, schedule }: RereadOptions
): Stream.Stream<BatchOutcome, ResultsFailure> =>
  Stream.unwrap(Effect.gen(function*() {
    const given = new Set<string>()
    const step = yield* Schedule.toStepWithSleep(schedule)

    const isNew = ({ customId }: BatchOutcome): boolean => {
      if (given.has(customId)) return false
      given.add(customId)
      return true
    }

    // As many lines as requests, and yet an outcome is missing: a custom_id was there twice.
    const checkWhole = Stream.suspend(() =>
      given.size >= expected ? Stream.empty : Stream.fail(
        new IncompleteResultsError({
          message: `The results of batch ${batchId} hold ${given.size} different custom_ids of ${expected}`,
          batchId,
          expected,
          received: given.size
        })
      )
    )

    const inAll = (error: ResultsFailure): ResultsFailure => {
      if (error._tag === "IncompleteResultsError") {
        return new IncompleteResultsError({ message: error.message, batchId, expected, received: given.size })
      }
      if (error._tag !== "StreamInterruptedError") return error
      return new StreamInterruptedError({
        message: `The results of batch ${batchId} broke off each time: ${given.size} of ${expected} outcomes arrived`,
        cause: error,
        ...(error.requestId === undefined ? {} : { requestId: error.requestId })
      })
    }

    const download: Stream.Stream<BatchOutcome, ResultsFailure> = Stream.suspend(() =>
      batches.results(batchId, call).pipe(
        Stream.filter(isNew),
        Stream.concat(checkWhole),
        Stream.catch((error) => {
          onInterrupted(given.size, error)
          return Stream.unwrap(Pull.matchEffect(step(error), {
            onSuccess: () => Effect.succeed(download),
            onFailure: Effect.failCause,
            onDone: () => Effect.fail(inAll(error))
          }))
        })
      )
    )
    return download
  }))
