import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { BatchItem } from "../../ClaudeBatches.ts"
import type { InvalidRequestError, RequestTooLargeError } from "../../ClaudeError.ts"
import { canonicalJson } from "../canonicalRequest.ts"
import { sha256 } from "../sha256.ts"
import { byteLength, envelopeBytes, separatorBytes } from "./batchCheck.ts"
import { ItemCheck, itemTooLarge, notJson } from "./itemCheck.ts"

/** As many items as go into one batch, and the key of that work. */
export interface Portion {
  readonly items: ReadonlyArray<BatchItem>
  readonly key: string
}

export interface Limits {
  readonly maxItems: number
  readonly maxBytes: number
}

type ItemError = InvalidRequestError | RequestTooLargeError

const canonical = (item: BatchItem): string | undefined => {
  try {
    return canonicalJson(item)
  } catch {
    return undefined
  }
}

/**
 * Fills portions with items, one after the other. Each item is written as JSON once, for its size and for the key: with the names
 * in order it is as long as it will be on the wire.
 */
class Splitter {
  readonly #limits: Limits
  readonly #seed: string
  readonly #check = new ItemCheck()
  #items: Array<BatchItem> = []
  #bytes = envelopeBytes
  #key: string

  constructor(limits: Limits, seed: string) {
    this.#limits = limits
    this.#seed = seed
    this.#key = seed
  }

  /** The portion that is full without this item, if one is. */
  add(item: BatchItem): Effect.Effect<ReadonlyArray<Portion>, ItemError> {
    const error = this.#check.next(item)
    if (error !== undefined) return Effect.fail(error)
    const json = canonical(item)
    if (json === undefined) return Effect.fail(notJson(item.custom_id))
    const bytes = byteLength(json)
    if (envelopeBytes + bytes > this.#limits.maxBytes) {
      return Effect.fail(itemTooLarge(item.custom_id, envelopeBytes + bytes, this.#limits.maxBytes))
    }
    const separator = this.#items.length === 0 ? 0 : separatorBytes
    const isFull = this.#items.length === this.#limits.maxItems
      || this.#bytes + separator + bytes > this.#limits.maxBytes
    const portions = isFull ? this.take() : []
    this.#bytes += bytes + (this.#items.length === 0 ? 0 : separatorBytes)
    this.#items.push(item)
    this.#key = sha256(`${this.#key}\n${json}`)
    return Effect.succeed(portions)
  }

  /** What has gathered. */
  take(): ReadonlyArray<Portion> {
    if (this.#items.length === 0) return []
    const portion = { items: this.#items, key: this.#key }
    this.#items = []
    this.#bytes = envelopeBytes
    this.#key = this.#seed
    return [portion]
  }
}

/**
 * The portions of a stream of items: each as large as a batch may be, read no further than that. `seed` tells the keys of this
 * work from those of other work with the same items.
 */
export const splitItems = <E, R>(
  items: Stream.Stream<BatchItem, E, R>,
  limits: Limits,
  seed: string
): Stream.Stream<Portion, E | ItemError, R> =>
  items.pipe(
    Stream.rechunk(1),
    Stream.mapAccumEffect(
      () => new Splitter(limits, seed),
      (splitter, item) => Effect.map(splitter.add(item), (portions) => [splitter, portions] as const),
      { onHalt: (splitter) => splitter.take() }
    )
  )

/** Reads all items and fails with what is wrong with the first that cannot be sent. */
export const checkItems = <E, R>(items: Stream.Stream<BatchItem, E, R>): Effect.Effect<void, E | ItemError, R> =>
  Effect.suspend(() => {
    const check = new ItemCheck()
    return Stream.runForEach(items, (item) => {
      const error = check.next(item)
      return error === undefined ? Effect.void : Effect.fail(error)
    })
  })
