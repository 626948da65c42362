import * as Predicate from "effect/Predicate"
import type { MessageEvent } from "../MessageEvents.ts"

const isIndex = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0

// Of deltas that are not known here nothing is read.
const deltaText: Readonly<Record<string, string>> = {
  text_delta: "text",
  thinking_delta: "thinking",
  input_json_delta: "partial_json"
}

const isDelta = (delta: unknown): boolean => {
  if (!Predicate.isObject(delta) || typeof delta["type"] !== "string") return false
  const text = Object.hasOwn(deltaText, delta["type"]) ? deltaText[delta["type"]] : undefined
  return text === undefined || typeof delta[text] === "string"
}

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
      return isIndex(event["index"]) && isDelta(event["delta"])
    case "content_block_stop":
      return isIndex(event["index"])
    case "message_delta":
      return Predicate.isObject(event["delta"])
    default:
      return true
  }
}
