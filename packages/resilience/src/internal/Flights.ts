import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { CurrentDeadline } from "./CurrentDeadline.ts"

/** Work that is under way for everybody who waits for it. */
export interface Flight<A, E> {
  /** Set before anybody else can see the flight. */
  fiber: Fiber.Fiber<A, E> | undefined
  waiting: number
}

interface Aboard {
  readonly flight: object
  readonly outer: Aboard | undefined
}

/** The flights that the running fiber works for, the innermost first. */
const CurrentFlight = Context.Reference<Aboard | undefined>("@effect-claude/resilience/internal/CurrentFlight", {
  defaultValue: () => undefined
})

/**
 * What a flight keeps of the context of the call that started it: all but the deadline, which is that caller's own and
 * must not end what others wait for.
 */
export const flightContext = <R>(context: Context.Context<R>, flight: object): Context.Context<R> =>
  Context.add(
    Context.add(context, CurrentDeadline, undefined),
    CurrentFlight,
    { flight, outer: Context.get(context, CurrentFlight) }
  )

/** Whether the fiber works for this flight, so that waiting for it would be for ever. */
export const isAboard = (context: Context.Context<never>, flight: object): boolean => {
  for (let aboard = Context.get(context, CurrentFlight); aboard !== undefined; aboard = aboard.outer) {
    if (aboard.flight === flight) return true
  }
  return false
}

/**
 * One caller less. The last one ends the flight and waits until it has cleaned up, as an interrupt of the work itself
 * would; a call that comes meanwhile starts anew.
 */
export const leave = <F extends Flight<unknown, unknown>>(
  flights: Map<string, F>,
  key: string,
  flight: F
): Effect.Effect<void> =>
  Effect.suspend(() => {
    flight.waiting -= 1
    if (flight.waiting > 0 || flight.fiber === undefined || flight.fiber.pollUnsafe() !== undefined) return Effect.void
    forget(flights, key, flight)
    return Fiber.interrupt(flight.fiber)
  })

/** Lets no further caller find a flight. A newer one under the same key stays. */
export const forget = <F>(flights: Map<string, F>, key: string, flight: F): void => {
  if (flights.get(key) === flight) flights.delete(key)
}
