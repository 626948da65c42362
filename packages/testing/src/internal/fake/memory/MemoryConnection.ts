import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { STATUS_CODES } from "node:http"
import type { Break, ConnectFailure, Connection, Ending, RequestHeaders, ResponseHeaders } from "../Connection.ts"
import * as FetchErrors from "./FetchErrors.ts"
import { MemoryBody } from "./MemoryBody.ts"

/** A request as it leaves the client. */
export interface MemoryRequest {
  readonly method: string
  readonly url: URL
  readonly headers: RequestHeaders
  readonly body: Uint8Array
  readonly signal: AbortSignal | undefined
  /** What keeps the signal alive, if something has to. */
  readonly sources?: ReadonlyArray<unknown>
}

/** Runs something when a time has passed, unless it is canceled. */
export type Timer = (duration: Duration.Duration, action: () => void) => () => void

/** What Node's `fetch` waits for headers, and for the next bytes of a body. */
const silenceLimit = Duration.seconds(300)

/** When a server closes a connection on which nothing is asked any more. */
const keepAlive = Duration.seconds(60)

/** A request to an API in the same process, and the promise of its answer. */
export class MemoryConnection implements Connection {
  readonly method: string
  readonly target: string
  readonly headers: RequestHeaders
  readonly origin: string
  /** Nothing is lost on the way here. */
  readonly breakPause = Duration.zero
  readonly response: Promise<Response>
  readonly #request: MemoryRequest
  readonly #timer: Timer
  readonly #endListeners: Array<(ending: Ending) => void> = []
  #settle!: { readonly resolve: (response: Response) => void; readonly reject: (error: unknown) => void }
  #head: { readonly status: number; readonly headers: ResponseHeaders } | undefined
  #body: MemoryBody | undefined
  #ending: Ending | undefined
  #stopTimer: () => void = () => undefined

  constructor(request: MemoryRequest, timer: Timer) {
    this.#request = request
    this.#timer = timer
    this.method = request.method
    this.target = request.url.pathname + request.url.search
    this.headers = request.headers
    this.origin = request.url.origin
    this.response = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    request.signal?.addEventListener("abort", this.#onAbort)
  }

  /** To be called when the request is under way: it fails when no headers come in time. */
  awaitHeaders(): void {
    if (this.#body !== undefined || this.#ending !== undefined) return
    this.#limitSilence(() => FetchErrors.fetchFailed(FetchErrors.headersTimeout()))
  }

  readBody(limit: number): Effect.Effect<{ readonly size: number; readonly bytes: Uint8Array }> {
    const { body } = this.#request
    return Effect.succeed({ size: body.length, bytes: body.length > limit ? new Uint8Array(0) : body })
  }

  head(status: number, headers: ResponseHeaders): void {
    this.#head = { status, headers }
  }

  flushHead(): void {
    if (this.#head === undefined || this.#body !== undefined || this.#ending !== undefined) return
    this.#stopTimer()
    const { status } = this.#head
    const headers = sentHeaders(this.#head.headers)
    const announced = announcedLength(headers["content-length"])
    if (Number.isNaN(announced)) {
      this.#fail(FetchErrors.fetchFailed(FetchErrors.noHttp("Invalid character in Content-Length", "")))
      return this.#end("answered")
    }
    const bodiless = this.method === "HEAD" || statusesWithoutBody.has(status)
    this.#body = new MemoryBody(bodiless ? 0 : announced, {
      onHungry: () => this.#limitSilence(() => FetchErrors.terminated(FetchErrors.bodyTimeout())),
      onFed: () => {
        if (this.#ending === undefined) this.#stopTimer()
      },
      onRead: () => this.#forget(),
      onCancel: () => {
        this.#forget()
        this.#end("clientClosed")
      }
    })
    const response = new Response(bodiless ? null : this.#body.stream, {
      status,
      statusText: STATUS_CODES[status] ?? "unknown",
      headers
    })
    Object.defineProperty(response, "url", { value: this.#request.url.href.replace(/#.*$/s, "") })
    if (bodiless) this.#forget()
    this.#settle.resolve(response)
  }

  writeRaw(): void {
    // There are no answers but whole ones that a client of `fetch` could see the beginning of.
  }

  write(bytes: Uint8Array): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.flushHead()
      return this.#body?.write(bytes) ?? Effect.void
    })
  }

  writePiece(bytes: Uint8Array): Effect.Effect<void> {
    return this.write(bytes)
  }

  end(bytes: Uint8Array = nothing): Effect.Effect<void> {
    return Effect.map(this.write(bytes), () => {
      if (this.#ending !== undefined) return
      if (this.#body?.isShort === true) {
        this.#stopTimer()
        this.#stopTimer = this.#timer(keepAlive, () => this.#cutBody(FetchErrors.otherSideClosed()))
      } else this.#body?.end()
      this.#end("answered")
    })
  }

  announceClose(): void {
    // Each request has a connection of its own.
  }

  break(how: Break): void {
    const cause = breakCauses[how]()
    if (this.#body === undefined) this.#fail(FetchErrors.fetchFailed(cause))
    else this.#cutBody(cause)
    this.#end("cut")
  }

  fail(code: ConnectFailure): void {
    this.#fail(FetchErrors.fetchFailed(FetchErrors.connectFailed(code, this.#request.url)))
    this.#end("cut")
  }

  onEnd(listener: (ending: Ending) => void): void {
    if (this.#ending === undefined) this.#endListeners.push(listener)
    else listener(this.#ending)
  }

  #cutBody(cause: Error): void {
    this.#stopTimer()
    this.#body?.end(FetchErrors.terminated(cause))
  }

  /** Fails what the client waits for: the headers, or the body. */
  #fail(error: unknown): void {
    this.#forget()
    if (this.#body === undefined) this.#settle.reject(error)
    else this.#body.abort(error)
  }

  #end(ending: Ending): void {
    if (this.#ending !== undefined) return
    this.#ending = ending
    for (const listener of this.#endListeners) listener(ending)
  }

  readonly #onAbort = (): void => {
    this.#fail(this.#request.signal?.reason)
    this.#end("clientClosed")
  }

  #limitSilence(error: () => Error): void {
    // An answer that ended short has the limit of an idle connection, which is shorter.
    if (this.#ending !== undefined) return
    this.#stopTimer = this.#timer(silenceLimit, () => {
      this.#fail(error())
      this.#end("clientClosed")
    })
  }

  #forget(): void {
    this.#stopTimer()
    this.#request.signal?.removeEventListener("abort", this.#onAbort)
  }
}

const nothing = new Uint8Array(0)

const statusesWithoutBody = new Set([204, 205, 304])

const breakCauses: { readonly [How in Break]: () => Error } = {
  reset: FetchErrors.connectionReset,
  close: FetchErrors.otherSideClosed,
  garbage: () => FetchErrors.noHttp("Expected HTTP/, RTSP/ or ICE/", "%% this is not HTTP %%\r\n\r\n")
}

/** The length that the headers announce; not a number if they announce something else. */
const announcedLength = (length: string | undefined): number | undefined =>
  length === undefined ? undefined : /^\d+$/.test(length) ? Number(length) : Number.NaN

/** With what node's server adds. */
const sentHeaders = (headers: ResponseHeaders): Record<string, string> => {
  const sent: Record<string, string> = { connection: "keep-alive", "keep-alive": "timeout=60" }
  for (const name in headers) sent[name.toLowerCase()] = String(headers[name])
  if (sent["content-length"] === undefined) sent["transfer-encoding"] = "chunked"
  return sent
}
