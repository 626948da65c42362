import type * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createServer, type RequestListener } from "node:http"
import { createServer as createTlsServer } from "node:https"
import { createServer as createTcpServer, type Socket } from "node:net"
import * as AnswerFibers from "../AnswerFibers.ts"
import { Changes } from "../Changes.ts"
import type { ConnectFailure, Connection } from "../Connection.ts"
import type { Certificate } from "./Certificate.ts"
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

/** What a server with TLS needs, and what it asks before a handshake. */
export interface TlsOptions {
  readonly certificate: Certificate
  readonly takeFailure: () => ConnectFailure | undefined
}

/** Starts a server that lives as long as the scope; leaving the scope breaks every open connection. */
export const make = Effect.fnUntraced(function*(options: {
  readonly port: number
  readonly clock: Clock.Clock
  readonly tls: TlsOptions | undefined
  readonly answer: (connection: Connection) => Effect.Effect<void>
}): Effect.fn.Return<SocketServer, ListenFailure, Scope.Scope> {
  const serve = yield* AnswerFibers.make(options.answer, options.clock)
  const { tls } = options
  const sockets = new Set<Socket>()
  const connections = new Set<SocketConnection>()
  const changes = new Changes()
  let closing = false

  const onRequest: RequestListener = (request, response) => {
    const socket = tls === undefined ? request.socket : tcpSockets.get(request.socket.remotePort)
    const connection = new SocketConnection(request, response, socket ?? request.socket)
    connections.add(connection)
    connection.onEnd(() => connections.delete(connection))
    serve(connection)
  }
  // Longer than any pause of a test, so that no pooled connection closes just as a client uses it again.
  const keepAliveTimeout = 60_000
  const http = tls === undefined
    ? createServer({ keepAliveTimeout }, onRequest)
    : createTlsServer({ keepAliveTimeout, ...tls.certificate }, onRequest)
  const tcpSockets = new Map<number | undefined, Socket>()
  // Before TLS, the connection is in the hands of the plan.
  const server = tls === undefined ? http : createTcpServer((socket) => {
    const failure = closing ? undefined : tls.takeFailure()
    if (failure !== undefined) return failHandshake(socket, failure)
    const { remotePort } = socket
    tcpSockets.set(remotePort, socket)
    socket.once("close", () => tcpSockets.delete(remotePort))
    http.emit("connection", socket)
  })
  server.prependListener("connection", (socket: Socket) => {
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
    url: `${tls === undefined ? "http" : "https"}://${host}:${port}`,
    openConnections: () => sockets.size,
    awaitClosed: changes.awaitUntil(() => sockets.size === 0)
  }
})

const failHandshake = (socket: Socket, failure: ConnectFailure): void => {
  // A client that is gone is what was wanted.
  socket.on("error", () => socket.destroy())
  socket.once("data", () => {
    if (failure === "ECONNRESET") socket.resetAndDestroy()
    else socket.end("HTTP/1.1 400 Bad Request\r\n\r\n", () => socket.destroy())
  })
}
