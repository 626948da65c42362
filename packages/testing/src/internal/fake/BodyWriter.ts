import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Exchange } from "./Exchange.ts"

/** The size of the pieces that a body is sent in, and the time between them. */
export interface Pieces {
  readonly chunkBytes?: number | undefined
  readonly chunkDelay?: Duration.Duration | undefined
}

/** Writes a body as it comes, or in pieces of a fixed size that ignore where characters and events end. */
export class BodyWriter {
  readonly #exchange: Exchange
  readonly #chunkBytes: number | undefined
  readonly #between: Effect.Effect<void>
  #held: Uint8Array = new Uint8Array(0)
  #left: number

  /** Of a body, no more than `limit` bytes are sent. */
  constructor(exchange: Exchange, { chunkBytes, chunkDelay }: Pieces, limit = Infinity) {
    this.#exchange = exchange
    this.#chunkBytes = chunkBytes
    this.#between = chunkDelay === undefined ? Effect.void : Effect.sleep(chunkDelay)
    this.#left = limit
  }

  /** Whether the limit is reached. */
  get isFull(): boolean {
    return this.#left === 0
  }

  write(bytes: Uint8Array): Effect.Effect<void> {
    return Effect.suspend(() => {
      const sent = bytes.subarray(0, this.#left)
      this.#left -= sent.length
      return sent.length === 0 ? Effect.void : this.#send(sent)
    })
  }

  #send(bytes: Uint8Array): Effect.Effect<void> {
    const size = this.#chunkBytes
    if (size === undefined) return this.#exchange.write(bytes)
    const all = Buffer.concat([this.#held, bytes])
    const whole = all.length - all.length % size
    this.#held = all.subarray(whole)
    const chunks = Array.from({ length: whole / size }, (_, index) => all.subarray(index * size, (index + 1) * size))
    return Effect.forEach(
      chunks,
      (chunk) => Effect.andThen(this.#exchange.writePiece(chunk), this.#between),
      { discard: true }
    )
  }

  /** Sends what is held back for a whole piece. */
  readonly flush: Effect.Effect<void> = Effect.suspend(() => {
    if (this.#held.length === 0) return Effect.void
    const held = this.#held
    this.#held = new Uint8Array(0)
    return this.#exchange.write(held)
  })
}
