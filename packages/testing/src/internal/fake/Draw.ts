import { OccurrenceCounter } from "../OccurrenceCounter.ts"

/**
 * A number from 0 up to 1 that a text always has: FNV-1a, its bits mixed so that similar texts come far apart.
 */
export const fraction = (text: string): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}

/** How many different requests are told from new ones. A server runs for days; beyond that the oldest begin again at the first. */
export const mostRemembered = 100_000

/**
 * Draws for requests that depend on the seed, on what a request says and on how often it was said before. The order in
 * which different requests arrive changes nothing.
 */
export class Draws {
  readonly #seed: string
  readonly #times = new OccurrenceCounter(mostRemembered)

  constructor(seed: string) {
    this.#seed = seed
  }

  /** The draws for one request: a number from 0 up to 1 for each `name`. */
  next(content: string): (name: string) => number {
    // Twice 32 bits, so that no two of a million requests are taken for the same.
    const said = `${fraction(`${this.#seed}\n${content}`)} ${fraction(`${content}\n${this.#seed}`)}`
    const times = this.#times.next(said)
    return (name) => fraction(`${name}\n${said}\n${times}`)
  }
}
