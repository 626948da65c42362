import { connect, type Socket } from "node:net"

/** An answer as it came over the wire; chunks of the transfer coding are taken out of the body. */
export interface RawAnswer {
  readonly head: string
  readonly body: string
  /** Milliseconds from the request to the first bytes of the body. */
  readonly firstAfter: number
}

/** A keep-alive connection that has one request at a time: the least that a client can do, so that the server is measured. */
export class RawConnection {
  readonly #socket: Socket
  #received = ""
  #startedAt = 0
  #firstAfter = 0
  #resume: ((answer: RawAnswer) => void) | undefined
  #fail: ((error: Error) => void) | undefined

  constructor(url: string) {
    const { hostname, port } = new URL(url)
    this.#socket = connect(Number(port), hostname)
    this.#socket.setNoDelay(true)
    this.#socket.setEncoding("latin1")
    this.#socket.on("data", (data: string) => {
      this.#received += data
      this.#look()
    })
    this.#socket.on("error", (error) => this.#fail?.(error))
    this.#socket.on("close", () => this.#fail?.(new Error("The server closed the connection")))
  }

  ask(request: string): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      this.#resume = resolve
      this.#fail = reject
      this.#startedAt = performance.now()
      this.#firstAfter = 0
      this.#socket.write(request)
    })
  }

  close(): void {
    this.#fail = undefined
    this.#socket.destroy()
  }

  #look(): void {
    const headEnd = this.#received.indexOf("\r\n\r\n")
    if (headEnd === -1) return
    const bodyStart = headEnd + 4
    if (this.#firstAfter === 0 && this.#received.length > bodyStart) {
      this.#firstAfter = performance.now() - this.#startedAt
    }
    const head = this.#received.slice(0, headEnd)
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
    if (length !== undefined) {
      if (this.#received.length < bodyStart + Number(length)) return
      return this.#done(head, this.#received.slice(bodyStart))
    }
    if (!this.#received.endsWith("\r\n0\r\n\r\n")) return
    this.#done(head, dechunked(this.#received.slice(bodyStart)))
  }

  #done(head: string, body: string): void {
    this.#received = ""
    this.#fail = undefined
    this.#resume?.({ head, body, firstAfter: this.#firstAfter })
  }
}

const dechunked = (text: string): string => {
  const parts: Array<string> = []
  for (let at = 0; at < text.length;) {
    const lineEnd = text.indexOf("\r\n", at)
    const size = Number.parseInt(text.slice(at, lineEnd), 16)
    parts.push(text.slice(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
  return parts.join("")
}
