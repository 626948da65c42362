import type { MessageBatch } from "@anthropic-ai/sdk/resources/messages/batches"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { BatchNotEndedError } from "../../BatchError.ts"
import type { SubmitError, SubmittedBatch } from "../../BatchJob.ts"
import type { BatchOutcome } from "../../BatchOutcome.ts"
import type { BatchItem, ClaudeBatchesShape } from "../../ClaudeBatches.ts"
import type { ClaudeError } from "../../ClaudeError.ts"
import { canonicalJson, relevantHeaders } from "../canonicalRequest.ts"
import { sha256 } from "../sha256.ts"
import { requestCount } from "./batchShape.ts"
import type { JobSettings, RunSettings, SubmitSettings, WaitSettings } from "./jobSettings.ts"
import { rereadResults, type ResultsFailure } from "./rereadResults.ts"
import type { WorkPlan } from "./runWork.ts"
import { splitItems } from "./splitItems.ts"
import { submitPortion } from "./submitPortion.ts"
import { waitForBatch } from "./waitForBatch.ts"
import { Work } from "./Work.ts"

// Another round is other work, and so is the same round in another workspace, which a header may name.
const seedOf = (round: number, { call }: JobSettings): string =>
  sha256(canonicalJson([round, relevantHeaders(call.headers ?? {})]))

/** The batches that items are submitted in, each as it is made. */
export const submitItems = <E, R>(
  batches: ClaudeBatchesShape,
  items: Stream.Stream<BatchItem, E, R>,
  settings: SubmitSettings,
  round: number
): Stream.Stream<SubmittedBatch, E | SubmitError, R> =>
  Stream.mapEffect(
    splitItems(items, settings, seedOf(round, settings)),
    (portion) =>
      Effect.map(submitPortion(batches, portion, settings), ({ adopted, batchId }): SubmittedBatch => {
        const customIds = portion.items.map(({ custom_id: id }) => id)
        settings.tell({ _tag: "Submitted", batchId, count: customIds.length, submissions: round, adopted })
        return { id: batchId, customIds, adopted }
      })
  )

export const waitFor = (
  batches: ClaudeBatchesShape,
  id: string,
  settings: WaitSettings
): Effect.Effect<MessageBatch, ClaudeError | BatchNotEndedError> =>
  waitForBatch(batches, id, {
    ...settings,
    onPolled: (batch) => settings.tell({ _tag: "Polled", batchId: id, batch }),
    onPollFailed: (error) => settings.tell({ _tag: "PollFailed", batchId: id, error })
  })

export const outcomesOf = (
  batches: ClaudeBatchesShape,
  batch: MessageBatch,
  { call, retry, tell }: JobSettings
): Stream.Stream<BatchOutcome, ResultsFailure> => {
  const expected = requestCount(batch)
  return rereadResults(batches, {
    batchId: batch.id,
    expected,
    schedule: retry,
    call,
    onInterrupted: (received, error) =>
      tell({ _tag: "ResultsInterrupted", batchId: batch.id, received, expected, error })
  })
}

/** The outcomes of a batch that may have to be waited for. */
export const collectBatch = (
  batches: ClaudeBatchesShape,
  id: string,
  settings: WaitSettings
): Stream.Stream<BatchOutcome, ResultsFailure> =>
  Stream.unwrap(Effect.map(waitFor(batches, id, settings), (batch) => outcomesOf(batches, batch, settings)))

export const planOf = <E, R>(
  batches: ClaudeBatchesShape,
  items: Stream.Stream<BatchItem, E, R>,
  settings: RunSettings
): WorkPlan<E, R> => ({
  work: new Work(),
  items,
  rounds: settings.rounds,
  submit: (part, round) => submitItems(batches, part, settings, round),
  collect: (id) => collectBatch(batches, id, settings),
  onResubmitting: (count, submissions) => settings.tell({ _tag: "Resubmitting", count, submissions })
})
