import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { Connection } from "./Connection.ts"

/** Answers a connection on a fiber of its own. */
export type Serve = (connection: Connection) => void

/**
 * Runs each answer on a fiber that ends with its exchange, all of them with the scope. Their time is that of `clock`. An
 * answer that dies is a mistake of this package: it is logged, and its connection closed.
 */
export const make = (
  answer: (connection: Connection) => Effect.Effect<void>,
  clock: Clock.Clock
): Effect.Effect<Serve, never, Scope.Scope> =>
  Effect.gen(function*() {
    const services = yield* Effect.context()
    const run = Effect.runForkWith(Context.add(services, Clock.Clock, clock))
    const fibers = yield* Effect.acquireRelease(
      Effect.sync(() => new Set<Fiber.Fiber<void>>()),
      (fibers) => Fiber.interruptAll(fibers)
    )
    return (connection) => {
      const fiber = run(Effect.catchCause(answer(connection), (cause) => abandon(connection, cause)))
      if (fiber.pollUnsafe() !== undefined) return
      fibers.add(fiber)
      fiber.addObserver(() => fibers.delete(fiber))
      connection.onEnd((ending) => {
        if (ending !== "answered") fiber.interruptUnsafe()
      })
    }
  })

const abandon = (connection: Connection, cause: Cause.Cause<never>): Effect.Effect<void> =>
  Cause.hasInterruptsOnly(cause)
    ? Effect.void
    : Effect.andThen(
      Effect.logError("The fake Claude API cannot answer a request", cause),
      Effect.sync(() => connection.break("close"))
    )
