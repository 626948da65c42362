/** Where the text of a continuation is joined to: what was sent back, and what the consumer has seen beyond it. */
export interface Cut {
  readonly text: string
  readonly tail: string
}

const wordAtEnd = /[\p{L}\p{N}\p{M}_]$/u
const wordAtStart = /^[\p{L}\p{N}\p{M}_]/u
const letters = /\p{L}/gu
const picture = /\p{Extended_Pictographic}/u
// Scripts that put nothing between words: a word begins anywhere in them, and a single character says little.
const unspacedAtStart =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u

const countLetters = (text: string): number => text.match(letters)?.length ?? 0

const isLowSurrogate = (text: string, position: number): boolean => /^[\uDC00-\uDFFF]/.test(text.charAt(position))

const anchorWords = 8
const anchorCharacters = 80

/** The last words of a text, for the model to begin with, so that it is known where it goes on. */
export const anchorOf = (text: string): string => {
  const end = text.slice(-anchorCharacters)
  const words = new RegExp(`(?:\\S+\\s+){0,${anchorWords - 1}}\\S+$`, "u").exec(end)?.[0] ?? ""
  // A text without spaces, or one cut within its first word.
  const isCutOff = words.length === end.length && end.length < text.length
  const whole = isCutOff ? words.replace(/^\S+\s+/u, "") : words
  return isLowSurrogate(whole, 0) ? whole.slice(1) : whole
}

// Repeated lines are usual in code, above all those that close what was opened.
const code = /[<>{}()[\];=|]/
const isWholeLine = (text: string, start: number): boolean =>
  !/\s/.test(text.slice(start)) && text.slice(text.lastIndexOf("\n", start - 1) + 1, start).trim() === ""

// So much does not come twice by chance.
const certainLetters = 12

// An overlap that begins further back than this is none, unless the whole answer was begun anew.
const reach = 400

/**
 * Joins the text of a continuation to the text before the cut, piece by piece: says of each piece what is new.
 *
 * A model that was given the beginning of its answer goes on exactly behind it, so nothing but the white space that could not
 * be sent is left out. One that was asked to go on repeats some words, the ones it was asked for at best: nothing is given out
 * until it is clear where the repetition ends.
 */
export class Joint {
  private readonly cut: Cut
  private readonly anchor: string
  private readonly starts: ReadonlyArray<number>
  private held = ""
  /** How much of what is held is the beginning of the answer again, as far as that was looked at. */
  private begun = 0
  private isDecided: boolean
  /** How much of the tail has come again. */
  private met = 0

  constructor(cut: Cut, isExact: boolean) {
    this.cut = cut
    this.isDecided = isExact || cut.text === ""
    this.anchor = this.isDecided ? "" : anchorOf(cut.text)
    this.starts = this.isDecided ? [] : wordStarts(cut.text)
  }

  /** What of the text so far is new and has not been given out. */
  push(piece: string): string {
    if (this.isDecided) return this.behindTail(piece)
    this.held += piece
    return this.beginsOn(piece) ? "" : this.decide(false)
  }

  /** What is left when the text is over. */
  end(): string {
    return this.isDecided ? "" : this.decide(true)
  }

  /**
   * Whether the answer is begun again, and this piece goes on with that. Told by the piece alone: a long answer is thousands
   * of them. Up to the length of the anchor all that is held is looked at, since it may be that.
   */
  private beginsOn(piece: string): boolean {
    const { anchor, begun, cut: { text } } = this
    if (begun === 0 || begun < anchor.length || begun + piece.length >= text.length) return false
    if (!text.startsWith(piece, begun)) return false
    this.begun += piece.length
    return true
  }

  private decide(isOver: boolean): string {
    const repeated = this.repeated(isOver)
    if (repeated === undefined) return ""
    const rest = this.held.slice(repeated)
    this.isDecided = true
    this.held = ""
    return this.behindTail(rest)
  }

  /** How much of the held text is a repetition; `undefined` as long as more of it may tell. */
  private repeated(isOver: boolean): number | undefined {
    const text = this.held.trimStart()
    const blank = this.held.length - text.length
    if (text === "") return isOver ? 0 : undefined
    if (text.startsWith(this.anchor)) return blank + this.anchor.length
    if (!isOver && this.anchor.startsWith(text)) return undefined
    let longest = 0
    for (const start of this.starts) {
      const length = this.cut.text.length - start
      if (text.length < length) {
        if (!isOver && this.cut.text.startsWith(text, start)) {
          if (start === 0) this.begun = text.length
          return undefined
        }
        continue
      }
      if (length <= longest || !text.startsWith(this.cut.text.slice(start))) continue
      const verdict = this.isRepetition(start, text.slice(length), isOver)
      if (verdict === undefined) return undefined
      if (verdict) longest = length
    }
    return longest === 0 ? 0 : blank + longest
  }

  /**
   * Whether words at the end that come again are a repetition of the model's, and not the answer's own ("had had", the closing
   * tags of nested elements). `undefined` if the next character will tell.
   */
  private isRepetition(start: number, rest: string, isOver: boolean): boolean | undefined {
    const { tail, text } = this.cut
    const overlap = text.slice(start)
    const count = countLetters(overlap)
    // Numbers, marks and, in a row of them, pictures come twice in the answer itself.
    if (count === 0) return tail !== "" && picture.test(overlap)
    if (count >= certainLetters) return true
    if (code.test(overlap)) return false
    if (tail.includes("\n") && isWholeLine(text, start)) return false
    if (unspacedAtStart.test(overlap)) return count >= 3
    if (tail === "" && count >= 3) return true
    // As a word of its own it is a repetition; as the beginning of another one it may be the answer's next word.
    if (!wordAtEnd.test(overlap)) return true
    return rest === "" && !isOver ? undefined : !wordAtStart.test(rest)
  }

  private behindTail(piece: string): string {
    const { tail } = this.cut
    let position = 0
    while (this.met < tail.length && position < piece.length && piece[position] === tail[this.met]) {
      this.met += 1
      position += 1
    }
    if (position < piece.length) this.met = tail.length
    return piece.slice(position)
  }
}

/** Where a repetition may begin: at each word near the end, and at the beginning of the answer. */
const wordStarts = (text: string): ReadonlyArray<number> => {
  const starts: Array<number> = [0]
  for (let position = Math.max(1, text.length - reach); position < text.length; position++) {
    if (isLowSurrogate(text, position)) continue
    const before = text.slice(Math.max(0, position - 2), position)
    const at = text.slice(position, position + 2)
    if ((!wordAtEnd.test(before) && /^\S/.test(at)) || unspacedAtStart.test(at)) starts.push(position)
  }
  return starts
}
