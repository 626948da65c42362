import type * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createServer } from "node:http"
import type { Socket } from "node:net"
import * as AnswerFibers from "../AnswerFibers.ts"
import { Changes } from "../Changes.ts"
import type { Connection } from "../Connection.ts"
import { SocketConnection } from "./SocketConnection.ts"

const host = "127.0.0.1"

/** Says why a server cannot listen. */
export class ListenFailure extends Data.TaggedError("ListenFailure")<{ readonly cause: unknown }> {}

/** An HTTP server on loopback. */
export interface SocketServer {
  readonly url: string
  readonly openConnections: () => number
  readonly awaitClosed: Effect.Effect<void>
}

/** Starts a server that lives as long as the scope; leaving the scope breaks every open connection. */
export const make = Effect.fnUntraced(function*(options: {
  readonly port: number
  readonly clock: Clock.Clock
  readonly answer: (connection: Connection) => Effect.Effect<void>
}): Effect.fn.Return<SocketServer, ListenFailure, Scope.Scope> {
  const serve = yield* AnswerFibers.make(options.answer, options.clock)
  const sockets = new Set<Socket>()
  const connections = new Set<SocketConnection>()
  const changes = new Changes()
  let closing = false

  // Longer than any pause of a test, so that no pooled connection closes just as a client uses it again.
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const connection = new SocketConnection(request, response)
    connections.add(connection)
    connection.onEnd(() => connections.delete(connection))
    serve(connection)
  })
  server.on("connection", (socket) => {
    if (closing) {
      socket.destroy()
      return
    }
    sockets.add(socket)
    socket.once("close", () => {
      sockets.delete(socket)
      changes.announce()
    })
  })

  const port = yield* Effect.acquireRelease(
    Effect.callback<number, ListenFailure>((resume) => {
      const onError = (cause: unknown) => resume(Effect.fail(new ListenFailure({ cause })))
      server.once("error", onError)
      server.listen(options.port, host, () => {
        server.off("error", onError)
        const address = server.address()
        resume(
          address === null || typeof address === "string"
            ? Effect.die(new Error("FakeClaudeApi: the server has no port"))
            : Effect.succeed(address.port)
        )
      })
    }),
    () =>
      Effect.callback<void>((resume) => {
        closing = true
        for (const connection of connections) connection.markCut()
        server.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
  )
  return {
    url: `http://${host}:${port}`,
    openConnections: () => sockets.size,
    awaitClosed: changes.awaitUntil(() => sockets.size === 0)
  }
})
