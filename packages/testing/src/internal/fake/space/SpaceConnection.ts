import type { Break, ConnectFailure, Connection, Ending, ResponseHeaders } from "../Connection.ts"

/** A connection as a space sees it: what stands before its own paths is part of where the client finds it. */
export class SpaceConnection implements Connection {
  readonly method: Connection["method"]
  readonly target: string
  readonly headers: Connection["headers"]
  readonly origin: string
  readonly breakPause: Connection["breakPause"]
  readonly #connection: Connection

  constructor(connection: Connection, prefix: string) {
    this.#connection = connection
    this.method = connection.method
    const rest = connection.target.slice(prefix.length)
    this.target = rest.startsWith("/") ? rest : `/${rest}`
    this.headers = connection.headers
    this.origin = connection.origin + prefix
    this.breakPause = connection.breakPause
  }

  readBody(limit: number): ReturnType<Connection["readBody"]> {
    return this.#connection.readBody(limit)
  }

  head(status: number, headers: ResponseHeaders): void {
    this.#connection.head(status, headers)
  }

  flushHead(): void {
    this.#connection.flushHead()
  }

  writeRaw(bytes: Uint8Array): void {
    this.#connection.writeRaw(bytes)
  }

  write(bytes: Uint8Array): ReturnType<Connection["write"]> {
    return this.#connection.write(bytes)
  }

  writePiece(bytes: Uint8Array): ReturnType<Connection["writePiece"]> {
    return this.#connection.writePiece(bytes)
  }

  end(bytes?: Uint8Array): ReturnType<Connection["end"]> {
    return this.#connection.end(bytes)
  }

  announceClose(): void {
    this.#connection.announceClose()
  }

  break(how: Break): void {
    this.#connection.break(how)
  }

  fail(code: ConnectFailure): void {
    this.#connection.fail(code)
  }

  onEnd(listener: (ending: Ending) => void): void {
    this.#connection.onEnd(listener)
  }
}
