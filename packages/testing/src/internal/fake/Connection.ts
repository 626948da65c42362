import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"

export type RequestHeaders = { readonly [name: string]: string | ReadonlyArray<string> | undefined }

export type ResponseHeaders = { readonly [name: string]: string | number }

/** The ways in which a server breaks a connection: a TCP reset, an orderly close, and bytes that are no HTTP before it. */
export type Break = "reset" | "close" | "garbage"

/** The reasons, by their codes, why a client cannot make a connection. */
export const connectFailures = [
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_HAS_EXPIRED",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "ERR_SSL_WRONG_VERSION_NUMBER"
] as const

export type ConnectFailure = (typeof connectFailures)[number]

/** How an exchange is over: all of the answer left, the client closed the connection before, or the server broke it. */
export type Ending = "answered" | "clientClosed" | "cut"

/**
 * One request and the way its answer goes, as a transport has it. It is below the level of an HTTP response: half an
 * answer can be sent, and the connection broken. The transport interrupts the fiber that answers when the client goes.
 */
export interface Connection {
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** Names in lower case. */
  readonly headers: RequestHeaders
  /** Where the client finds the server, such as `http://127.0.0.1:4000`. */
  readonly origin: string
  /** The time a client needs to read what was sent before the connection breaks. */
  readonly breakPause: Duration.Duration

  /** Reads the whole body, and keeps it unless it is above `limit`. */
  readonly readBody: (limit: number) => Effect.Effect<{ readonly size: number; readonly bytes: Uint8Array }>

  /** Sets status and headers; they leave with the first bytes of the body, or with `flushHead`. */
  readonly head: (status: number, headers: ResponseHeaders) => void
  readonly flushHead: () => void
  /** Sends bytes as they are, in the place of a head. */
  readonly writeRaw: (bytes: Uint8Array) => void

  /** Sends bytes and completes when there is room for more. */
  readonly write: (bytes: Uint8Array) => Effect.Effect<void>
  /** The same, and the client can read these bytes by themselves. */
  readonly writePiece: (bytes: Uint8Array) => Effect.Effect<void>
  /** Completes the answer. */
  readonly end: (bytes?: Uint8Array) => Effect.Effect<void>

  /** Says in the headers that the connection closes after the answer, so that the next request comes over another one. */
  readonly announceClose: () => void
  readonly break: (how: Break) => void
  /** Ends the exchange as if the connection had not been made; a transport that has one already closes it. */
  readonly fail: (code: ConnectFailure) => void

  /** Calls the listener once: when the exchange is over, or now if it is over already. */
  readonly onEnd: (listener: (ending: Ending) => void) => void
}
