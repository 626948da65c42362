import type { MessageBatch } from "@anthropic-ai/sdk/resources/messages/batches"
import * as Predicate from "effect/Predicate"
import { property } from "../foreignError.ts"

export const isBatch = (body: object): boolean =>
  property(body, "type") === "message_batch" && typeof property(body, "id") === "string"
  && Predicate.isObject(property(body, "request_counts"))

export const isDeletedBatch = (body: object): boolean => property(body, "type") === "message_batch_deleted"

export const isPage = (body: object): boolean => {
  const data = property(body, "data")
  return Array.isArray(data) && data.every((batch) => Predicate.isObject(batch) && isBatch(batch))
}

/** How many requests a batch has, whatever has become of them. */
export const requestCount = ({ request_counts: counts }: MessageBatch): number =>
  counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired
