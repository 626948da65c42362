import * as Predicate from "effect/Predicate"

/** Fields that do not change what is answered. */
const irrelevantFields = new Set(["stream"])

/** Headers that identify a request, or the trace it belongs to, and not what is asked. */
const irrelevantHeaders = new Set([
  "baggage",
  "idempotency-key",
  "traceparent",
  "tracestate",
  "x-correlation-id",
  "x-request-id"
])

const byName = ([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number =>
  one < other ? -1 : one > other ? 1 : 0

// From entries, since assigning a key named `__proto__` would lose it.
const sorted = (_key: string, value: unknown): unknown =>
  Predicate.isObject(value) && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort(byName)) : value

/** A value as JSON with the names of each object in order: the same text for what says the same, as long as the usual one. */
export const canonicalJson = (value: unknown): string => JSON.stringify(value, sorted)

export const relevantHeaders = (headers: Readonly<Record<string, string>>): ReadonlyArray<readonly [string, string]> =>
  Object.entries(headers)
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name, value]) => value !== undefined && !irrelevantHeaders.has(name))
    .sort(byName)

/**
 * The same text for requests that ask the same: as JSON, which is what is sent, with the names of each object in order.
 *
 * Whatever is not known to be irrelevant counts, so that a field that the API gains tomorrow does not mix up answers.
 * Throws where the request cannot be sent either: a cycle, a bigint.
 */
export const canonicalRequest = (
  request: object,
  headers: Readonly<Record<string, string>> = {},
  ignore: ReadonlyArray<string> = []
): string => {
  const fields = Object.entries(request).filter(([name]) => !irrelevantFields.has(name) && !ignore.includes(name))
  return canonicalJson([Object.fromEntries(fields), relevantHeaders(headers)])
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null

/**
 * Whether the answer depends on something that the server keeps between requests, a container or a thread: the same
 * request then asks something else the next time.
 */
export const isStateful = (request: object): boolean => {
  const { container, thread } = request as { readonly container?: unknown; readonly thread?: unknown }
  const reusesContainer = Predicate.isObject(container) && !Array.isArray(container)
    ? isGiven((container as { readonly id?: unknown }).id)
    : isGiven(container)
  return reusesContainer || isGiven(thread)
}
