import type { MessageBatch, MessageBatchRequestCounts } from "@anthropic-ai/sdk/resources/messages/batches"
import * as Duration from "effect/Duration"

/** After this time a batch is over, whatever is left of it. */
export const batchLifetime = Duration.toMillis(Duration.days(1))

const time = (millis: number): string => new Date(millis).toISOString()

/** A batch at some moment. Times are milliseconds since 1970, and there once they have passed. */
export interface BatchState {
  readonly id: string
  readonly size: number
  readonly createdAt: number
  readonly canceledAt: number | undefined
  readonly endedAt: number | undefined
  readonly archivedAt: number | undefined
  readonly tally: () => MessageBatchRequestCounts
  readonly origin: string
}

/** A batch as the API shows it. */
export const batchView = (
  { archivedAt, canceledAt, createdAt, endedAt, id, origin, size, tally }: BatchState
): MessageBatch => {
  const ended = endedAt !== undefined
  return {
    id,
    type: "message_batch",
    processing_status: ended ? "ended" : canceledAt === undefined ? "in_progress" : "canceling",
    request_counts: ended ? tally() : { processing: size, succeeded: 0, errored: 0, canceled: 0, expired: 0 },
    created_at: time(createdAt),
    expires_at: time(createdAt + batchLifetime),
    ended_at: ended ? time(endedAt) : null,
    cancel_initiated_at: canceledAt === undefined ? null : time(canceledAt),
    archived_at: archivedAt === undefined ? null : time(archivedAt),
    results_url: ended && archivedAt === undefined ? `${origin}/v1/messages/batches/${id}/results` : null
  }
}
