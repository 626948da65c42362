import type { MessageBatch } from "@anthropic-ai/sdk/resources/messages/batches"
import { property } from "../foreignError.ts"

const countNames = ["processing", "succeeded", "errored", "canceled", "expired"] as const

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0

/** Whether an answer is a batch with all that is decided by: how far it is, and how many requests it has. */
export const isBatch = (body: object): boolean => {
  const counts = property(body, "request_counts")
  return property(body, "type") === "message_batch"
    && typeof property(body, "id") === "string"
    && typeof property(body, "processing_status") === "string"
    && countNames.every((name) => isCount(property(counts, name)))
}

export const isDeletedBatch = (body: object): boolean => property(body, "type") === "message_batch_deleted"

const isAnyBatch = (value: unknown): boolean => typeof value === "object" && value !== null && isBatch(value)

export const isPage = (body: object): boolean => {
  const data = property(body, "data")
  return Array.isArray(data) && data.every(isAnyBatch)
}

/** How many requests a batch has, whatever has become of them. */
export const requestCount = ({ request_counts: counts }: MessageBatch): number =>
  countNames.reduce((sum, name) => sum + counts[name], 0)
