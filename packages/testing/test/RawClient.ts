import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { connect, type Socket } from "node:net"

/** A bare TCP connection, for requests that no HTTP client sends. It is broken when the scope ends. */
export class RawClient {
  readonly socket: Socket
  #received = ""
  #closed = false
  readonly #waiting = new Set<() => void>()

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding("latin1")
    socket.on("data", (data: string) => {
      this.#received += data
      this.#changed()
    })
    // What ends a connection is no failure here: `closed` is what a test asks for.
    socket.on("error", () => undefined)
    socket.on("close", () => {
      this.#closed = true
      this.#changed()
    })
  }

  static open(url: string): Effect.Effect<RawClient, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.callback<RawClient>((resume) => {
        const { hostname, port } = new URL(url)
        const socket = connect(Number(port), hostname)
        const client = new RawClient(socket)
        socket.once("connect", () => resume(Effect.succeed(client)))
      }),
      (client) => Effect.sync(() => client.socket.destroy())
    )
  }

  get received(): string {
    return this.#received
  }

  /** Sends bytes and completes when the operating system has them, or will never have them. */
  send(bytes: string | Uint8Array): Effect.Effect<void> {
    return Effect.callback((resume) => {
      this.socket.write(bytes, () => resume(Effect.void))
    })
  }

  /** Waits until the condition holds for what came so far; dies if the connection closes before. */
  until(condition: (received: string) => boolean): Effect.Effect<string> {
    return this.#when(() => {
      if (condition(this.#received)) return Effect.succeed(this.#received)
      return this.#closed
        ? Effect.die(new Error(`The connection closed after ${JSON.stringify(this.#received.slice(0, 2000))}`))
        : undefined
    })
  }

  /** Waits until the connection is closed, and returns all that came. */
  get closed(): Effect.Effect<string> {
    return this.#when(() => this.#closed ? Effect.succeed(this.#received) : undefined)
  }

  #when(look: () => Effect.Effect<string> | undefined): Effect.Effect<string> {
    return Effect.callback((resume) => {
      const check = () => {
        const result = look()
        if (result === undefined) return
        this.#waiting.delete(check)
        resume(result)
      }
      this.#waiting.add(check)
      check()
      return Effect.sync(() => {
        this.#waiting.delete(check)
      })
    })
  }

  #changed(): void {
    for (const check of this.#waiting) check()
  }
}
