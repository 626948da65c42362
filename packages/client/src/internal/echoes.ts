import { gram, makeGramIndex } from "./gramIndex.ts"
import { readLetters } from "./letters.ts"

// A source shorter than this is cut out only between quotes: "be" is no secret, and its loss would garble a message.
const shortestWord = 4

// Beyond this many characters a source is not short, whatever it consists of.
const longestShort = 200

// More quoted pieces than this come from no message that a person is meant to read.
const mostPieces = 20

const quoted = /(["'`])(?=([^"'`\n]{3,40})\1)/g

// Names of fields, which the API quotes itself, are likely to occur in any long prompt.
const fieldName = /^[a-z][a-z_]*(\.\w+)*$/

const beforeQuote = /["'`]$/
const afterQuote = /^["'`]/
const beforeWord = /(^|\W)$/
const afterWord = /^(\W|$)/

/**
 * The texts without what they repeat of the sources: any run of `gram` letters or more, a whole source that is shorter,
 * and a quoted piece. Costs one pass over each source, however many texts there are.
 */
export const withoutEchoes = (
  texts: ReadonlyArray<string>,
  sources: Iterable<string>,
  placeholder: string
): ReadonlyArray<string> => {
  const text = texts.join("\n")
  const letters: Array<number> = []
  const starts: Array<number> = []
  const ends: Array<number> = []
  readLetters(text, (letter, start, end) => {
    letters.push(letter)
    starts.push(start)
    ends.push(end)
  })
  if (letters.length === 0) return texts
  const lettersAsText = letters.map((letter) => String.fromCharCode(letter)).join("")
  const index = makeGramIndex(letters)
  const pieces = new Set(Array.from(text.matchAll(quoted), ([, , piece = ""]) => piece).slice(0, mostPieces))
  for (const piece of pieces) {
    if (fieldName.test(piece)) pieces.delete(piece)
  }
  const isEcho = new Uint8Array(text.length)

  const mark = (place: number, count: number): void => {
    isEcho.fill(1, starts[place], ends[place + count - 1])
  }

  const findShort = (source: string): void => {
    const before = source.length < shortestWord ? beforeQuote : beforeWord
    const after = source.length < shortestWord ? afterQuote : afterWord
    for (let at = lettersAsText.indexOf(source); at !== -1; at = lettersAsText.indexOf(source, at + 1)) {
      const start = starts[at] ?? 0
      const end = ends[at + source.length - 1] ?? 0
      if (before.test(text.slice(0, start).slice(-1)) && after.test(text.slice(end, end + 1))) mark(at, source.length)
    }
  }

  const findPieces = (source: string): void => {
    for (const piece of pieces) {
      if (!source.includes(piece)) continue
      pieces.delete(piece)
      for (let at = text.indexOf(piece); at !== -1; at = text.indexOf(piece, at + 1)) {
        isEcho.fill(1, at, at + piece.length)
      }
    }
  }

  for (const source of new Set(sources)) {
    if (source.length > longestShort && index.isEmpty() && pieces.size === 0) continue
    const start: Array<number> = []
    const read = index.reader((place) => mark(place, gram))
    readLetters(source, (letter) => {
      if (start.length < gram) start.push(letter)
      read(letter)
    })
    if (start.length < gram && start.length > 0) findShort(String.fromCharCode(...start))
    findPieces(source)
  }

  let at = 0
  return texts.map((original) => {
    const clean = cut(original, isEcho.subarray(at, at + original.length), placeholder)
    at += original.length + 1
    return clean
  })
}

const cut = (text: string, isEcho: Uint8Array, placeholder: string): string => {
  let clean = ""
  let kept = 0
  for (let start = isEcho.indexOf(1); start !== -1; start = isEcho.indexOf(1, kept)) {
    const end = isEcho.indexOf(0, start)
    clean += text.slice(kept, start) + placeholder
    kept = end === -1 ? text.length : end
    if (end === -1) break
  }
  return clean + text.slice(kept)
}
