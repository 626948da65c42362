/** Receives a letter or digit of a text, and the part of the text that it was read from. */
export type Take = (letter: number, start: number, end: number) => void

const backslash = 0x5c
const ampersand = 0x26
const hash = 0x23
const semicolon = 0x3b

// Letters to lower case, digits as they are, anything else to nothing.
const folded = Uint8Array.from({ length: 128 }, (_, code) => {
  const letter = String.fromCharCode(code).toLowerCase()
  return /[a-z\d]/.test(letter) ? letter.charCodeAt(0) : 0
})

// One character of a script without an alphabet says as much as several letters. The API's own messages are English, so
// that a short run of other characters is telling enough.
const weight = 3

const take = (code: number, start: number, end: number, receive: Take): void => {
  if (code < 128) {
    const letter = folded[code] ?? 0
    if (letter !== 0) receive(letter, start, end)
    return
  }
  for (let i = 0; i < weight; i++) receive(code, start, end)
}

const takePoint = (point: number, start: number, end: number, receive: Take): void => {
  if (Number.isNaN(point) || point > 0x10ffff) return
  const text = String.fromCodePoint(point)
  for (let i = 0; i < text.length; i++) take(text.charCodeAt(i), start, end, receive)
}

const hexDigits: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }

const readEscape = (text: string, at: number, receive: Take): number => {
  let end = at
  while (text.charCodeAt(end) === backslash) end++
  const kind = text[end] ?? ""
  if ("nrtbfv".includes(kind)) return kind === "" ? end : end + 1
  const digits = hexDigits[kind]
  if (digits === undefined) return end
  const code = text.slice(end + 1, end + 1 + digits)
  if (code.length < digits || !/^[\da-f]+$/i.test(code)) return end
  takePoint(Number.parseInt(code, 16), at, end + 1 + digits, receive)
  return end + 1 + digits
}

const longestEntity = 10

const readEntity = (text: string, at: number, receive: Take): number => {
  let end = at + 1
  while (end < at + longestEntity && text.charCodeAt(end) !== semicolon) end++
  const name = text.slice(at + 1, end)
  if (text.charCodeAt(end) !== semicolon || !/^(#\d+|#x[\da-f]+|[a-z]+)$/i.test(name)) return at + 1
  // "&#65;" or "&#x41;"; a named one stands for punctuation.
  if (name.charCodeAt(0) === hash) takePoint(Number(`0${name.slice(1)}`), at, end + 1, receive)
  return end + 1
}

/**
 * Reads the letters and digits of a text, in lower case, and leaves out the rest. Escapes of JSON and of HTML are undone,
 * so that a text and its echo in an answer read the same, whatever quoted it on the way.
 */
export const readLetters = (text: string, receive: Take): void => {
  let at = 0
  while (at < text.length) {
    const code = text.charCodeAt(at)
    const letter = code < 128 ? folded[code] ?? 0 : 0
    if (letter !== 0) {
      receive(letter, at, at + 1)
      at++
    } else if (code === backslash) {
      at = readEscape(text, at, receive)
    } else if (code === ampersand) {
      at = readEntity(text, at, receive)
    } else {
      take(code, at, at + 1, receive)
      at++
    }
  }
}
