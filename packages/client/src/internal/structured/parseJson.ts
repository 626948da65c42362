import type * as Schema from "effect/Schema"
import { deepestJson, escapes, exactNumber, isSameJson, literals, setKey } from "./jsonValue.ts"

/**
 * What stands at a place of a text: a value and where it ends, or why there is none. `end` of a failure is about how far
 * it was read, `isCut` says that the text ended too early.
 */
export type Parsed =
  | { readonly value: Schema.Json; readonly end: number }
  | { readonly reason: string; readonly end: number; readonly isCut: boolean }

class Failure {
  readonly reason: string
  readonly at: number
  readonly isCut: boolean

  constructor(reason: string, at: number, isCut = false) {
    this.reason = reason
    this.at = at
    this.isCut = isCut
  }
}

const space = /[\s\uFEFF]/
const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const wordPattern = /[A-Za-z0-9_$+.-]+/y
const hexPattern = /[0-9a-fA-F]{4}/y
const plainPattern = /[^"\\]+/y

/**
 * The JSON value that begins at `start`, after white space. With `whole` nothing may follow it but white space and comments.
 *
 * Beyond JSON itself only what cannot change a value is taken: a byte-order mark, comments, a comma after the last item, a
 * line break within a string. What has two readings is none: single quotes, keys without quotes, NaN, a key with two
 * different values, a number that JavaScript cannot hold. Text that ends early is never completed.
 */
export const parseJson = (text: string, start = 0, whole = false): Parsed => {
  let at = start

  const fail = (reason: string): Failure =>
    at >= text.length ? new Failure("it is cut off", at, true) : new Failure(reason, at)

  const skipSpace = (): void => {
    for (;;) {
      while (at < text.length && space.test(text.charAt(at))) at++
      if (text.startsWith("//", at)) {
        const end = text.indexOf("\n", at)
        at = end === -1 ? text.length : end
      } else if (text.startsWith("/*", at)) {
        const end = text.indexOf("*/", at + 2)
        at = end === -1 ? text.length : end + 2
      } else return
    }
  }

  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0]
    if (found !== undefined) at += found.length
    return found
  }

  const readString = (): string => {
    at++
    let value = ""
    for (;;) {
      value += match(plainPattern) ?? ""
      const next = text.charAt(at)
      if (next === "") throw fail("")
      at++
      if (next === "\"") return value
      const escape = text.charAt(at)
      if (escape === "u") {
        at++
        const code = match(hexPattern)
        if (code === undefined) {
          if (text.length - at < 4) at = text.length
          throw fail("an escape in a string is none")
        }
        value += String.fromCharCode(Number.parseInt(code, 16))
      } else {
        const character = Object.hasOwn(escapes, escape) ? escapes[escape] : undefined
        if (character === undefined) throw fail("an escape in a string is none")
        value += character
        at++
      }
    }
  }

  const readNumber = (): number => {
    const begin = at
    const digits = match(numberPattern)
    // A word that begins like a number ("12px", "01", "-Infinity") is none.
    at = begin
    const word = match(wordPattern)
    if (digits === undefined || word !== digits) {
      at = word === undefined || begin + word.length < text.length ? begin : text.length
      throw fail("a number is malformed")
    }
    const value = exactNumber(digits)
    if (value === undefined) throw new Failure("a number is too large to be read exactly", begin)
    return value
  }

  const readLiteral = (): Schema.Json => {
    const begin = at
    const word = match(wordPattern) ?? ""
    if (Object.hasOwn(literals, word)) return literals[word] ?? null
    if (at < text.length || word === "") at = begin
    throw fail("a value is neither quoted nor a number, true, false or null")
  }

  const readArray = (depth: number): Schema.Json => {
    at++
    const items: Array<Schema.Json> = []
    for (;;) {
      skipSpace()
      if (text.charAt(at) === "]") {
        at++
        return items
      }
      items.push(readValue(depth + 1))
      skipSpace()
      if (text.charAt(at) === ",") at++
      else if (text.charAt(at) !== "]") throw fail("a comma or a bracket is missing in an array")
    }
  }

  const readObject = (depth: number): Schema.Json => {
    at++
    const object: Record<string, Schema.Json> = {}
    for (;;) {
      skipSpace()
      if (text.charAt(at) === "}") {
        at++
        return object
      }
      if (text.charAt(at) !== "\"") throw fail("a key has no double quotes")
      const key = readString()
      skipSpace()
      if (text.charAt(at) !== ":") throw fail("a colon is missing after a key")
      at++
      skipSpace()
      const value = readValue(depth + 1)
      if (Object.hasOwn(object, key) && !isSameJson(object[key] ?? null, value)) {
        throw new Failure("a key stands twice, with different values", at)
      }
      setKey(object, key, value)
      skipSpace()
      if (text.charAt(at) === ",") at++
      else if (text.charAt(at) !== "}") throw fail("a comma or a brace is missing in an object")
    }
  }

  const readValue = (depth: number): Schema.Json => {
    if (depth > deepestJson) throw new Failure(`it nests deeper than ${deepestJson} levels`, at)
    const first = text.charAt(at)
    if (first === "{") return readObject(depth)
    if (first === "[") return readArray(depth)
    if (first === "\"") return readString()
    return first === "-" || (first >= "0" && first <= "9") ? readNumber() : readLiteral()
  }

  try {
    skipSpace()
    const value = readValue(1)
    const end = at
    if (whole) skipSpace()
    return whole && at < text.length ? { reason: "something follows the value", end: at, isCut: false } : { value, end }
  } catch (failure) {
    if (failure instanceof Failure) return { reason: failure.reason, end: failure.at, isCut: failure.isCut }
    throw failure
  }
}
