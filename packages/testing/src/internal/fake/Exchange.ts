import * as Effect from "effect/Effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { RequestEntry, RequestLog } from "./RequestLog.ts"

export type ResponseHeaders = { readonly [name: string]: string | number }

/**
 * One request and the connection its answer goes to, below the level of an HTTP response: it can send half an answer,
 * wait, or break the connection. The platform interrupts the fiber that answers when the client goes away.
 */
export class Exchange {
  readonly request: IncomingMessage
  readonly entry: RequestEntry
  readonly #response: ServerResponse
  #cut = false

  constructor(request: IncomingMessage, response: ServerResponse, entry: RequestEntry, log: RequestLog) {
    this.request = request
    this.entry = entry
    this.#response = response
    response.once("close", () => {
      entry.outcome = response.writableFinished ? "answered" : this.#cut ? "cut" : "clientClosed"
      entry.endedAt = performance.now()
      log.changed()
    })
  }

  /** Reads the whole body, and keeps it unless it is above `limit`. */
  readBody(limit: number): Effect.Effect<{ readonly size: number; readonly bytes: Buffer }> {
    return Effect.callback((resume) => {
      // The platform leaves this to whoever reads the body, and nothing here reads it through the platform.
      if (/^100-continue$/i.test(this.request.headers.expect ?? "")) this.#response.writeContinue()
      const chunks: Array<Buffer> = []
      let size = 0
      const onData = (chunk: Buffer) => {
        size += chunk.length
        if (size <= limit) chunks.push(chunk)
        else chunks.length = 0
      }
      const onEnd = () => resume(Effect.succeed({ size, bytes: Buffer.concat(chunks) }))
      this.request.on("data", onData)
      this.request.once("end", onEnd)
      return Effect.sync(() => {
        this.request.off("data", onData)
        this.request.off("end", onEnd)
      })
    })
  }

  /** Marks the connection as broken by the server, should it close before the answer is complete. */
  markCut(): void {
    this.#cut = true
  }

  /** Sets status and headers; they leave with the first bytes of the body, or with `flushHead`. */
  head(status: number, headers: ResponseHeaders): Effect.Effect<void> {
    return Effect.sync(() => {
      this.entry.status = status
      this.#response.writeHead(status, headers)
    })
  }

  readonly flushHead: Effect.Effect<void> = Effect.sync(() => this.#response.flushHeaders())

  /** Sends bytes and completes when the operating system has them. */
  write(bytes: Uint8Array): Effect.Effect<void> {
    return Effect.callback((resume) => {
      this.#response.write(bytes, () => resume(Effect.void))
    })
  }

  /** Completes the answer. */
  end(bytes?: Uint8Array): Effect.Effect<void> {
    return Effect.callback((resume) => {
      this.#response.end(bytes, () => resume(Effect.void))
    })
  }

  /** Breaks the connection with a TCP reset. */
  readonly reset: Effect.Effect<never> = this.#break(() => this.request.socket.resetAndDestroy())

  /** Closes the connection without completing the answer. */
  readonly close: Effect.Effect<never> = this.#break(() => this.request.socket.destroy())

  /** Sends bytes that are no HTTP, then closes the connection. */
  readonly garbage: Effect.Effect<never> = this.#break(() => {
    const { socket } = this.request
    socket.end("%% this is not HTTP %%\r\n\r\n", () => socket.destroy())
  })

  // Nothing is left to do after a cut: the platform interrupts the fiber as the connection closes.
  #break(destroy: () => void): Effect.Effect<never> {
    return Effect.andThen(
      Effect.sync(() => {
        this.markCut()
        destroy()
      }),
      Effect.never
    )
  }
}
