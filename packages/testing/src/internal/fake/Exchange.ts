import * as Effect from "effect/Effect"
import type { Break, ConnectFailure, Connection, ResponseHeaders } from "./Connection.ts"
import type { RequestEntry } from "./RequestLog.ts"
import type { ServerClock } from "./ServerClock.ts"

/** A connection and the record of what is sent on it. */
export class Exchange {
  readonly connection: Connection
  readonly entry: RequestEntry
  /** Whether the client could not even make its connection, so that no request arrived. */
  isUnreached = false
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
    return this.#counted(bytes, this.connection.write(bytes))
  }

  /** The same, and the client can read these bytes by themselves. */
  writePiece(bytes: Uint8Array): Effect.Effect<void> {
    return this.#counted(bytes, this.connection.writePiece(bytes))
  }

  /** Completes the answer. */
  end(bytes?: Uint8Array): Effect.Effect<void> {
    return bytes === undefined ? this.connection.end() : this.#counted(bytes, this.connection.end(bytes))
  }

  /** Ends the exchange as if the connection had not been made. */
  fail(code: ConnectFailure): Effect.Effect<never> {
    return Effect.andThen(Effect.sync(() => this.connection.fail(code)), Effect.never)
  }

  #counted(bytes: Uint8Array, sending: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.entry.bytesSent += bytes.length
      return sending
    })
  }

  /** Breaks the connection. Nothing is left to do then: the transport interrupts the fiber. */
  break(how: Break): Effect.Effect<never> {
    return Effect.andThen(Effect.sync(() => this.connection.break(how)), Effect.never)
  }
}
