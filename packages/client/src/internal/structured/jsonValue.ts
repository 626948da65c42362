import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"

// Deeper than any answer that a person asked for, and far from where a walk over it would exhaust the stack.
export const deepestJson = 200

/** Whether JSON nests deeper than {@link deepestJson}. Finds out without recursion: what is too deep for the stack is the case. */
export const isTooDeep = (value: unknown): boolean => {
  let level: ReadonlyArray<unknown> = [value]
  for (let depth = 0; depth <= deepestJson; depth++) {
    const next: Array<unknown> = []
    for (const node of level) {
      if (Predicate.isObjectOrArray(node)) {
        for (const child of Array.isArray(node) ? node : Object.values(node)) next.push(child)
      }
    }
    if (next.length === 0) return false
    level = next
  }
  return true
}

/** Whether a value is an object of JSON, and no array. */
export const isJsonObject = (value: Schema.Json): value is Schema.JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Whether a value is an array of JSON. `Array.isArray` makes its items `any`. */
export const isJsonArray = (value: Schema.Json): value is Schema.JsonArray => Array.isArray(value)

/** Whether two values are the same JSON; the order of keys does not matter. */
export const isSameJson = (one: Schema.Json, other: Schema.Json): boolean => {
  if (one === other) return true
  if (isJsonArray(one)) {
    return isJsonArray(other) && one.length === other.length
      && one.every((item, index) => isSameJson(item, other[index] ?? null))
  }
  if (!isJsonObject(one) || !isJsonObject(other)) return false
  const keys = Object.keys(one)
  return keys.length === Object.keys(other).length
    && keys.every((key) => Object.hasOwn(other, key) && isSameJson(one[key] ?? null, other[key] ?? null))
}

/** Sets a key as JSON has it: `__proto__` is a key like any other. */
export const setKey = (target: object, key: string, value: Schema.Json): void => {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}

/** What stands for a character after a backslash. */
export const escapes: Readonly<Record<string, string>> = {
  "\"": "\"",
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t"
}

/** The words that are values. */
export const literals: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null }

// Integers of more digits than these may lie between two numbers that JavaScript can tell apart.
const exactDigits = 15

/** The number that digits say, `undefined` if JavaScript has none that is the same. */
export const exactNumber = (digits: string): number | undefined => {
  const value = Number(digits)
  if (!Number.isFinite(value)) return undefined
  const isExact = digits.length <= exactDigits || !/^-?\d+$/.test(digits) || String(value) === digits
  return isExact || BigInt(digits) === BigInt(value) ? value : undefined
}
