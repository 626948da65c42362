import * as Predicate from "effect/Predicate"

/** The order of entries by name that a canonical text has. */
export const byName = ([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number =>
  one < other ? -1 : one > other ? 1 : 0

// From entries, since assigning a key named `__proto__` would lose it.
const sorted = (_key: string, value: unknown): unknown =>
  Predicate.isObject(value) && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort(byName)) : value

/** The same JSON for values that differ in the order of names only. Throws for a cycle and for a bigint. */
export const canonicalJson = (value: unknown): string => JSON.stringify(value, sorted) ?? ""
