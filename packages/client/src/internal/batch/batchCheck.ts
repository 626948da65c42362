import type { BatchCreateParams } from "@anthropic-ai/sdk/resources/messages/batches"
import { InvalidRequestError, RequestTooLargeError } from "../../ClaudeError.ts"
import * as RequestCheck from "../../RequestCheck.ts"
import { isSurelySmaller } from "../jsonSize.ts"
import { ItemCheck } from "./itemCheck.ts"

export const maxItems = 100_000

/** What a batch has around its requests, and between two of them. */
export const envelopeBytes = "{\"requests\":[]}".length
export const separatorBytes = 1

const encoder = new TextEncoder()

export const byteLength = (text: string): number => encoder.encode(text).byteLength

const invalid = (message: string, limit: number, actual: number) =>
  new InvalidRequestError({ message: `requests: ${message}`, field: "requests", limit, actual })

/** The first thing that is wrong with a batch. Its size is measured request by request, so that the body is never built here. */
export const checkBatch = (
  items: ReadonlyArray<BatchCreateParams.Request>
): InvalidRequestError | RequestTooLargeError | undefined => {
  if (items.length === 0) return invalid("at least one is needed", 1, 0)
  if (items.length > maxItems) {
    return invalid(`${items.length} are more than the ${maxItems} of one batch`, maxItems, items.length)
  }
  const check = new ItemCheck()
  for (const item of items) {
    const error = check.next(item)
    if (error !== undefined) return error
  }
  const limit = RequestCheck.bodyLimits.batches
  if (isSurelySmaller(items, limit - envelopeBytes)) return undefined
  const actual = items.reduce(
    (bytes, item) => bytes + byteLength(JSON.stringify(item)) + separatorBytes,
    envelopeBytes - separatorBytes
  )
  return actual <= limit ? undefined : new RequestTooLargeError({
    message: `The batch has ${actual} bytes; one takes at most ${limit}`,
    field: "body",
    limit,
    actual
  })
}
