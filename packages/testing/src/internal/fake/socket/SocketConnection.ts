import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { Break, Connection, Ending, RequestHeaders, ResponseHeaders } from "../Connection.ts"

/** A request to node's HTTP server. */
export class SocketConnection implements Connection {
  readonly method: string
  readonly target: string
  readonly headers: RequestHeaders
  readonly origin: string
  /** A reset may discard what the client has not read yet. */
  readonly breakPause = Duration.millis(20)
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #socket: Socket
  #isCut = false

  /** `socket` is that of the TCP connection, below TLS if there is TLS. */
  constructor(request: IncomingMessage, response: ServerResponse, socket: Socket) {
    this.#socket = socket
    this.#request = request
    this.#response = response
    this.method = request.method ?? ""
    this.target = pathOf(request.url ?? "")
    this.headers = request.headers
    this.origin = `${socket === request.socket ? "http" : "https"}://${request.headers.host ?? "localhost"}`
  }

  readBody(limit: number): Effect.Effect<{ readonly size: number; readonly bytes: Uint8Array }> {
    return Effect.callback((resume) => {
      const chunks: Array<Buffer> = []
      let size = 0
      // What is too large by its own account is not kept at all.
      const isKept = !(Number(this.#request.headers["content-length"]) > limit)
      const onData = (chunk: Buffer) => {
        size += chunk.length
        if (isKept && size <= limit) chunks.push(chunk)
        else chunks.length = 0
      }
      const onEnd = () => resume(Effect.succeed({ size, bytes: Buffer.concat(chunks) }))
      this.#request.on("data", onData)
      this.#request.once("end", onEnd)
      return Effect.sync(() => {
        this.#request.off("data", onData)
        this.#request.off("end", onEnd)
      })
    })
  }

  head(status: number, headers: ResponseHeaders): void {
    this.#response.writeHead(status, headers)
  }

  flushHead(): void {
    this.#response.flushHeaders()
  }

  writeRaw(bytes: Uint8Array): void {
    this.#request.socket.write(bytes)
  }

  write(bytes: Uint8Array): Effect.Effect<void> {
    return Effect.callback((resume) => {
      this.#response.write(bytes, () => resume(Effect.void))
    })
  }

  writePiece(bytes: Uint8Array): Effect.Effect<void> {
    return Effect.andThen(this.write(bytes), turn)
  }

  end(bytes?: Uint8Array): Effect.Effect<void> {
    return Effect.callback((resume) => {
      this.#response.end(bytes, () => resume(Effect.void))
    })
  }

  announceClose(): void {
    this.#response.shouldKeepAlive = false
  }

  break(how: Break): void {
    const { socket } = this.#request
    this.markCut()
    switch (how) {
      case "reset":
        this.#socket.resetAndDestroy()
        return
      case "close":
        socket.destroy()
        return
      case "garbage":
        socket.end("%% this is not HTTP %%\r\n\r\n", () => socket.destroy())
    }
  }

  /** The connection is there already: what is left is to close it. */
  fail(): void {
    this.break("close")
  }

  /** Says that the server breaks the connection, should it close before the answer is complete. */
  markCut(): void {
    this.#isCut = true
  }

  onEnd(listener: (ending: Ending) => void): void {
    this.#response.once("close", () => {
      listener(this.#response.writableFinished ? "answered" : this.#isCut ? "cut" : "clientClosed")
    })
  }
}

// A client of a proxy sends the whole address, and a server has to understand that.
const pathOf = (target: string): string =>
  /^https?:\/\//i.test(target) ? target.replace(/^[^:]*:\/\/[^/?]*/, "") : target

// A turn of the event loop between two pieces, in which a client on this machine can read the first by itself.
const turn: Effect.Effect<void> = Effect.callback((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})
