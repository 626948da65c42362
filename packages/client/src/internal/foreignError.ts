import * as Predicate from "effect/Predicate"

// Not `Predicate.hasProperty`, which looks at how it was called each time: a call reads a dozen properties of its request.
const has = (value: unknown, key: string): value is Readonly<Record<string, unknown>> =>
  Predicate.isObjectKeyword(value) && key in value

/** A property of a value that somebody threw: absent where reading it throws. */
export const property = (value: unknown, key: string): unknown => {
  try {
    return has(value, key) ? value[key] : undefined
  } catch {
    return undefined
  }
}

export const textOf = (value: unknown): string | undefined =>
  typeof value === "string" && value.length > 0 ? value : undefined

/** Whether a value is an error by its shape: one of another realm has another `Error` as its prototype. */
export const isErrorLike = (value: unknown): value is object =>
  Predicate.isObject(value) && typeof property(value, "message") === "string"

export const messageOf = (error: unknown): string => textOf(property(error, "message")) ?? ""

export const nameOf = (error: unknown): string | undefined => textOf(property(error, "name"))

const codePattern = /^\w{1,64}$/

/** The error code that Node and its HTTP client put on errors. */
export const codeOf = (error: unknown): string | undefined => {
  const code = textOf(property(error, "code"))
  return code !== undefined && codePattern.test(code) ? code : undefined
}

const longestChain = 8

/** An error and its causes, cut where they might be circular. */
export const causeChain = (error: unknown): ReadonlyArray<unknown> => {
  const links: Array<unknown> = []
  for (
    let link = error;
    link !== undefined && link !== null && links.length < longestChain;
    link = property(link, "cause")
  ) {
    links.push(link)
  }
  return links
}
