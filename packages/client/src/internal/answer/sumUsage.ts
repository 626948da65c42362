import type { Usage } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Predicate from "effect/Predicate"

const sum = (one: unknown, other: unknown): unknown => {
  if (other === null || other === undefined) return one
  if (Predicate.isNumber(one) && Predicate.isNumber(other)) return one + other
  if (Array.isArray(one) && Array.isArray(other)) {
    return [...one as ReadonlyArray<unknown>, ...other as ReadonlyArray<unknown>]
  }
  if (!Predicate.isObject(one) || !Predicate.isObject(other)) return other
  const names = new Set([...Object.keys(one), ...Object.keys(other)])
  return Object.fromEntries(Array.from(names, (name) => [name, sum(one[name], other[name])]))
}

/**
 * The usage of two turns as that of one answer: counts are added, also those that the SDK does not know of, lists joined, and
 * of what is neither the later one stands. A server or gateway leaves out what it likes.
 */
export const sumUsage = (one: Usage, other: Usage): Usage => sum(one, other) as Usage
