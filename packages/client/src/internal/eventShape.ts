import * as Predicate from "effect/Predicate"
import type { MessageEvent } from "../MessageEvents.ts"

const isIndex = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0

const isTyped = (value: unknown): boolean => Predicate.isObject(value) && typeof value["type"] === "string"

/**
 * Whether what a server sent as an event has the parts that its type promises. One of an unknown type has nothing to
 * promise.
 */
export const isWellFormed = (event: unknown): event is MessageEvent => {
  if (!Predicate.isObject(event) || typeof event["type"] !== "string") return false
  switch (event["type"]) {
    case "message_start":
      return Predicate.isObject(event["message"])
    case "content_block_start":
      return isIndex(event["index"]) && isTyped(event["content_block"])
    case "content_block_delta":
      return isIndex(event["index"]) && isTyped(event["delta"])
    case "content_block_stop":
      return isIndex(event["index"])
    case "message_delta":
      return Predicate.isObject(event["delta"])
    default:
      return true
  }
}
