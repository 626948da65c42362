import type { CapturedRequest } from "./CapturedRequest.ts"

const replacement = "<redacted>"

/** A credential in a header or a query. Anthropic's own names, and whatever anybody else may call his. */
const confidential = /auth|key|token|secret|cookie|password|credential|signature|^sig$/i

/** One that is called after a key and is none: there is another for each request. */
const harmless = "idempotency-key"

/** Fields of JSON that hold a credential, in requests as in answers. Not a credit token, which the next request repeats. */
const confidentialField =
  /^(authorization|(authorization|access|refresh|id)[-_]?token|(x[-_])?api[-_]?key|client[-_]?secret|secret|password)$/i

// Shorter ones are placeholders ("key", "test"); cutting them out would only garble what is stored.
const shortestSecret = 6

const patterns: ReadonlyArray<RegExp> = [
  /sk-ant-[\w-]+/g,
  // Bounded where a text may go on for ever, so that it is not read anew from each of its places.
  /\beyJ[\w-]{8,2000}\.[\w-]{8,}\.[\w-]*/g,
  // With a digit or padding in it: answers speak of basic knowledge and of bearers too.
  /(?<=\b(?:Bearer|Basic)\s{1,8})(?=[\w.~+/-]*[\d=])[\w.~+/=-]{8,}/gi,
  /(?<=\/\/)[^\s/?#"@]+(?=@)/g
]

/** The credential itself, without the scheme before it; of cookies, each value. */
const piecesOf = (name: string, value: string): ReadonlyArray<string> =>
  [value, value.replace(/^\w+\s+/, ""), ...(/cookie/i.test(name) ? value.split(/;\s*/).map(valueOfCookie) : [])]
    .filter(({ length }) => length >= shortestSecret)

const valueOfCookie = (cookie: string): string => cookie.replace(/^[^=]*=/, "")

const global = (pattern: RegExp): RegExp =>
  new RegExp(pattern.source, pattern.global ? pattern.flags : `${pattern.flags}g`)

/** What must be in no file: credentials, by their form and as they were sent, and what else somebody knows of. */
export class Secrets {
  readonly #known = new Set<string>()
  // The longest first: one may be a piece of another.
  #sorted: ReadonlyArray<string> = []
  readonly #patterns: ReadonlyArray<RegExp>

  constructor(extra: ReadonlyArray<RegExp>) {
    this.#patterns = [...patterns, ...extra.map(global)]
  }

  /** Remembers the credentials that a request is sent with. */
  learn({ headers, url }: CapturedRequest): void {
    for (const [name, value] of [...headers, ...url.searchParams]) {
      if (!confidential.test(name) || name === harmless) continue
      for (const piece of piecesOf(name, value)) {
        this.#known.add(piece)
        this.#known.add(JSON.stringify(piece).slice(1, -1))
      }
    }
    if (this.#known.size === this.#sorted.length) return
    this.#sorted = [...this.#known].sort((one, other) => other.length - one.length)
  }

  readonly clean = (text: string): string => {
    let clean = text
    for (const secret of this.#sorted) clean = clean.replaceAll(secret, replacement)
    for (const pattern of this.#patterns) clean = clean.replace(pattern, replacement)
    return clean
  }

  /** The value of a field of JSON. */
  readonly cleanField = (name: string, text: string): string =>
    confidentialField.test(name) && text !== "" ? replacement : this.clean(text)

  /** The number of a field; 0 in its place is still a number to whoever reads it. */
  readonly cleanNumber = (name: string, value: number): number =>
    this.cleanField(name, String(value)) === String(value) ? value : 0

  readonly isSecret = (text: string): boolean => this.clean(text) !== text
}
