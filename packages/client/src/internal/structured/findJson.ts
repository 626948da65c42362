import type * as Schema from "effect/Schema"
import { parseJson } from "./parseJson.ts"

/** JSON found in an answer. `isAlone`: nothing else is in the answer, or in the fenced block that it stands in. */
export interface Candidate {
  readonly json: Schema.Json
  readonly isAlone: boolean
}

/** What an answer holds: the JSON in it, and why what looks like JSON is none. */
export interface Found {
  readonly candidates: ReadonlyArray<Candidate>
  readonly broken: ReadonlyArray<string>
}

const fence = /^[ \t>]*(`{3,}|~{3,})[ \t]*(?:[\w+.-]*[ \t]*(?=$|[{["]))?/gm

/** The parts of a text between the lines that open and close fenced blocks. */
const segments = (text: string): ReadonlyArray<string> => {
  const parts: Array<string> = []
  let from = 0
  for (const match of text.matchAll(fence)) {
    parts.push(text.slice(from, match.index))
    from = match.index + match[0].length
  }
  parts.push(text.slice(from))
  return parts
}

/** Where the brackets that are open at `start` are closed again; `undefined` if they are not. Strings count as such. */
const endOfRegion = (text: string, start: number): number | undefined => {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x7b:
      case 0x5b:
        depth++
        break
      case 0x7d:
      case 0x5d:
        depth--
        if (depth <= 0) return at + 1
        break
      case 0x22:
        for (at++; at < text.length && text.charCodeAt(at) !== 0x22; at++) {
          if (text.charCodeAt(at) === 0x5c) at++
        }
        break
    }
  }
  return undefined
}

const opener = /[{[]/g

const scan = (segment: string, candidates: Array<Candidate>, broken: Array<string>): void => {
  let at = 0
  let readAgain = 0
  for (;;) {
    opener.lastIndex = at
    const start = opener.exec(segment)?.index
    if (start === undefined) return
    const parsed = parseJson(segment, start)
    if ("value" in parsed) {
      candidates.push({ json: parsed.value, isAlone: false })
      at = parsed.end
      continue
    }
    // Nothing within it is a candidate: a part of a broken answer may look like a whole one.
    const end = endOfRegion(segment, start)
    const region = segment.slice(start, end)
    // Placeholders and references ("{name}", "[1]") are prose; what might be meant as an object is not.
    if (end === undefined || region.includes(region.startsWith("{") ? ":" : "{")) broken.push(parsed.reason)
    if (end === undefined) return
    // A comment may have led the parser far beyond the brackets. What it read there is read again, but not again and again.
    readAgain += Math.max(0, parsed.end - end)
    if (readAgain > segment.length) {
      broken.push("there are comments all over")
      return
    }
    at = end
  }
}

/**
 * Finds the JSON in the text of an answer: the whole text, else each fenced block that is JSON as a whole, else whatever
 * objects and arrays stand in a part of it. Reads each character a fixed number of times, whatever the text is.
 */
export const findJson = (text: string): Found => {
  const whole = parseJson(text, 0, true)
  if ("value" in whole) return { candidates: [{ json: whole.value, isAlone: true }], broken: [] }
  const candidates: Array<Candidate> = []
  const broken: Array<string> = []
  segments(text).forEach((segment, index) => {
    const isFenced = index % 2 === 1
    const parsed = isFenced ? parseJson(segment, 0, true) : undefined
    if (parsed !== undefined && "value" in parsed) candidates.push({ json: parsed.value, isAlone: true })
    else scan(segment, candidates, broken)
  })
  return { candidates, broken }
}
