import * as Effect from "effect/Effect"
import type { Break, Connection, ResponseHeaders } from "./Connection.ts"
import type { RequestEntry } from "./RequestLog.ts"
import type { ServerClock } from "./ServerClock.ts"

/** A connection and the record of what is sent on it. */
export class Exchange {
  readonly connection: Connection
  readonly entry: RequestEntry
  readonly #clock: ServerClock

  constructor(connection: Connection, entry: RequestEntry, clock: ServerClock) {
    this.connection = connection
    this.entry = entry
    this.#clock = clock
  }

  /** Sets status and headers; they leave with the first bytes of the body, or with `flushHead`. */
  head(status: number, headers: ResponseHeaders): Effect.Effect<void> {
    return Effect.sync(() => {
      this.entry.status = status
      this.connection.head(status, { date: new Date(this.#clock.now()).toUTCString(), ...headers })
    })
  }

  readonly flushHead: Effect.Effect<void> = Effect.sync(() => this.connection.flushHead())

  /** Sends bytes and completes when there is room for more. */
  write(bytes: Uint8Array): Effect.Effect<void> {
    return this.connection.write(bytes)
  }

  /** The same, and the client can read these bytes by themselves. */
  writePiece(bytes: Uint8Array): Effect.Effect<void> {
    return this.connection.writePiece(bytes)
  }

  /** Completes the answer. */
  end(bytes?: Uint8Array): Effect.Effect<void> {
    return this.connection.end(bytes)
  }

  /** Breaks the connection. Nothing is left to do then: the transport interrupts the fiber. */
  break(how: Break): Effect.Effect<never> {
    return Effect.andThen(Effect.sync(() => this.connection.break(how)), Effect.never)
  }
}
