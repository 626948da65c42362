import * as Predicate from "effect/Predicate"
import { createHash, createHmac } from "node:crypto"

const byName = ([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number =>
  one < other ? -1 : one > other ? 1 : 0

// From entries, since assigning a key named `__proto__` would lose it.
const sorted = (_key: string, value: unknown): unknown =>
  Predicate.isObject(value) ? Object.fromEntries(Object.entries(value).sort(byName)) : value

/** A value as JSON with the names of each object in order. */
export const canonicalJson = (value: unknown): string => JSON.stringify(value, sorted)

/** Half of the 256 bits: enough that no two texts of a file share them, and short enough to read past. */
const shownDigits = 32

/**
 * What stands for a text that is not stored: the same for the same text, and with a secret of no use to anybody who has
 * not got it.
 */
export class Digest {
  readonly algorithm: "sha256" | "hmac-sha256"
  readonly #secret: string | undefined

  constructor(secret: string | undefined) {
    this.#secret = secret
    this.algorithm = secret === undefined ? "sha256" : "hmac-sha256"
  }

  /** Tells whether a file was made with the same secret. */
  get check(): string | undefined {
    return this.#secret === undefined ? undefined : this.of("effect-claude-cassette")
  }

  of(data: string | Uint8Array): string {
    const hash = this.#secret === undefined ? createHash("sha256") : createHmac("sha256", this.#secret)
    return hash.update(data).digest("hex").slice(0, shownDigits)
  }

  text(text: string): string {
    return `<text of ${text.length}, ${this.of(text)}>`
  }

  field(name: string): string {
    return `<field, ${this.of(name)}>`
  }

  /** A path whose last field is not stored by its name. */
  path(path: string): string {
    return path.replace(/[^.]+$/, (name) => this.field(name))
  }

  bytes(bytes: Uint8Array): string {
    return `<bytes of ${bytes.length}, ${this.of(bytes)}>`
  }

  value(value: unknown): string {
    const sort = Array.isArray(value) ? `array of ${value.length}` : typeof value
    return `<${sort}, ${this.of(canonicalJson(value))}>`
  }
}
