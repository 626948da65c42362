import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as AnswerFibers from "../AnswerFibers.ts"
import { Changes } from "../Changes.ts"
import type { Connection } from "../Connection.ts"
import * as FetchErrors from "./FetchErrors.ts"
import { MemoryConnection, type Timer } from "./MemoryConnection.ts"
import { readRequest } from "./MemoryRequest.ts"

/** A server that is reached by its `fetch`. */
export interface MemoryServer {
  readonly fetch: typeof globalThis.fetch
  readonly openConnections: () => number
  readonly awaitClosed: Effect.Effect<void>
}

/** Starts a server in memory; leaving the scope breaks every exchange that is not over. */
export const make = Effect.fnUntraced(function*(options: {
  readonly clock: Clock.Clock
  readonly answer: (connection: Connection) => Effect.Effect<void>
}): Effect.fn.Return<MemoryServer, never, Scope.Scope> {
  const serve = yield* AnswerFibers.make(options.answer, options.clock)
  const connections = new Set<MemoryConnection>()
  const changes = new Changes()
  let closed = false

  const run = Effect.runForkWith(Context.add(yield* Effect.context(), Clock.Clock, options.clock))
  const timer: Timer = (duration, action) => {
    const fiber = run(Effect.andThen(Effect.sleep(duration), Effect.sync(action)))
    return () => fiber.interruptUnsafe()
  }

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      closed = true
      for (const connection of connections) connection.break("close")
    })
  )
  return {
    fetch: async (input, init) => {
      const read = readRequest(input, init)
      // Without a turn where there is nothing to wait for, in which nobody would hear of an abort.
      const request = read instanceof Promise ? await read : read
      request.signal?.throwIfAborted()
      if (closed) throw FetchErrors.fetchFailed(FetchErrors.connectFailed("ECONNREFUSED", request.url))
      const connection = new MemoryConnection(request, timer)
      connections.add(connection)
      connection.onEnd(() => {
        connections.delete(connection)
        changes.announce()
      })
      serve(connection)
      connection.awaitHeaders()
      return connection.response
    },
    openConnections: () => connections.size,
    awaitClosed: changes.awaitUntil(() => connections.size === 0)
  }
})
