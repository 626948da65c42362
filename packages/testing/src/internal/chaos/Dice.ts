import { OccurrenceCounter } from "../OccurrenceCounter.ts"

// Murmur's multipliers and shifts, in two lanes: what is wanted of them is only that one character changes every bit.
const lane = (text: string, start: number, multiplier: number): number => {
  let state = start
  for (let at = 0; at < text.length; at++) {
    state = Math.imul(state ^ text.charCodeAt(at), multiplier)
    state ^= state >>> 15
  }
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35)
  return (state ^ (state >>> 16)) >>> 0
}

const hex = (word: number): string => word.toString(16).padStart(8, "0")

/** 64 bits of a text, in hexadecimal. */
export const digest = (text: string): string =>
  hex(lane(text, 0x9e3779b9, 0x5bd1e995)) + hex(lane(text, 0x7f4a7c15, 0x1b873593))

/** A number from 0 to 1, one excluded, that is the same for the same text. */
export const uniform = (text: string): number => lane(text, 0x2545f491, 0xcc9e2d51) / 2 ** 32

/** What the request says, as text. One that is no JSON fails further in, and its method is enough to be told apart by. */
const textOf = (method: string, request: object): string => {
  try {
    return `${method} ${JSON.stringify(request)}`
  } catch {
    return method
  }
}

/** How many different requests are told apart. */
export const maxContents = 10_000

/** Numbers the calls of the same content, for as many contents as it remembers: those used last. */
export class ContentCounter {
  readonly #counter = new OccurrenceCounter(maxContents)

  /** The content of a call, and how often it has come with this one. */
  next(method: string, request: object): { readonly content: string; readonly count: number } {
    const content = digest(textOf(method, request))
    return { content, count: this.#counter.next(content) }
  }
}
