import * as Predicate from "effect/Predicate"

// A UTF-16 unit takes at most six bytes in JSON (\uXXXX); keys, numbers and punctuation are covered by the surplus.
const bytesPerUnit = 6
const bytesPerNode = 32

/**
 * An upper bound of the size as JSON, which costs a walk over the nodes and not over the characters. Infinite for what
 * JSON has no form for.
 */
const upperBound = (value: unknown, limit: number): number => {
  let bytes = bytesPerNode
  const pending: Array<unknown> = [value]
  while (pending.length > 0 && bytes <= limit) {
    const next = pending.pop()
    if (typeof next === "bigint") return Number.POSITIVE_INFINITY
    if (typeof next === "string") {
      bytes += next.length * bytesPerUnit
    } else if (ArrayBuffer.isView(next)) {
      bytes += next.byteLength * bytesPerNode
    } else if (Predicate.isObjectOrArray(next)) {
      // Counted before they are looked at: a circle would fill the memory with pending nodes.
      const children: ReadonlyArray<unknown> = Array.isArray(next) ? next : Object.values(next)
      bytes += children.length * bytesPerNode
      if (bytes > limit) break
      for (const child of children) pending.push(child)
      if (!Array.isArray(next)) {
        for (const key of Object.keys(next)) bytes += key.length * bytesPerUnit
      }
    }
  }
  return bytes
}

/** The size as JSON, `undefined` for what cannot be written as JSON (a circle, a bigint). */
export const exactSize = (request: object): number | undefined => {
  try {
    return new TextEncoder().encode(JSON.stringify(request)).byteLength
  } catch {
    return undefined
  }
}

/** Whether a value fits into so many bytes as JSON, as far as that can be told without writing it. */
export const isSurelySmaller = (request: object, limit: number): boolean => {
  try {
    return upperBound(request, limit) <= limit
  } catch {
    // A getter that throws.
    return false
  }
}
