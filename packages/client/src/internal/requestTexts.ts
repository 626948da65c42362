import * as Predicate from "effect/Predicate"

// Under these keys the API expects names of its own, which are worth seeing in a message and say nothing of the prompt.
const structural: ReadonlySet<string> = new Set([
  "type",
  "role",
  "model",
  "media_type",
  "stop_reason",
  "id",
  "tool_use_id",
  "effort",
  "service_tier",
  "speed"
])

interface Node {
  readonly value: unknown
  /** Below the input of a tool everything is the caller's own: keys, numbers, and what stands under structural keys. */
  readonly isFree: boolean
}

// A getter or a proxy in a request may throw; what cannot be read was not sent either.
const entriesOf = (value: object): ReadonlyArray<[string, unknown]> => {
  try {
    return Object.entries(value)
  } catch {
    return []
  }
}

/** Every text of a request that may be part of its prompt. Copes with circles. */
export function* requestTexts(request: unknown): Generator<string, void, undefined> {
  const seen = new Set<object>()
  const pending: Array<Node> = [{ value: request, isFree: false }]
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const { isFree, value } = node
    if (typeof value === "string") yield value
    else if (isFree && typeof value === "number") yield String(value)
    if (!Predicate.isObjectOrArray(value) || ArrayBuffer.isView(value) || seen.has(value)) continue
    seen.add(value)
    if (Array.isArray(value)) {
      for (const item of value) pending.push({ value: item, isFree })
      continue
    }
    for (const [key, item] of entriesOf(value)) {
      if (isFree) yield key
      else if (typeof item === "string" && structural.has(key)) continue
      pending.push({ value: item, isFree: isFree || key === "input" })
    }
  }
}
