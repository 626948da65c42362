/**
 * Coalescing: identical work that is in flight is done once, for everybody who asks for it.
 *
 * **Example** (Asking once for three callers)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Coalesce from "@effect-claude/resilience/Coalesce"
 * import * as Effect from "effect/Effect"
 *
 * let requests = 0
 * const fetchPrice = Effect.gen(function*() {
 *   requests += 1
 *   yield* Effect.sleep("5 millis")
 *   return 42
 * })
 *
 * const program = Effect.gen(function*() {
 *   const prices = yield* Coalesce.make<number>()
 *   const asks = ["tea", "tea", "tea"].map((product) => prices.execute(product, fetchPrice))
 *   return yield* Effect.all(asks, { concurrency: "unbounded" })
 * })
 *
 * assert.deepStrictEqual(await Effect.runPromise(program), [42, 42, 42])
 * assert.strictEqual(requests, 1)
 * ```
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { type Flight, flightContext, forget, isAboard, leave } from "./internal/Flights.ts"
import { StreamFlight } from "./internal/StreamFlight.ts"
import * as OptionCheck from "./OptionCheck.ts"
import * as ResilienceEvent from "./ResilienceEvent.ts"

/**
 * Runs effects, one at a time for each key.
 *
 * **Details**
 *
 * - `execute`: joins the effect that is in flight under this key, or else starts the one that is given. Whoever waits gets
 *   its success, its typed failure or its defect. What has ended is forgotten: the next call starts anew.
 * - `inFlight`: how many keys have an effect in flight.
 *
 * @category models
 * @since 0.1.0
 */
export interface Coalesce<in out A, in out E> {
  readonly execute: <R>(key: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly inFlight: Effect.Effect<number>
}

/**
 * Runs streams, one at a time for each key, and replays to a caller that joins what it has missed.
 *
 * **Details**
 *
 * - `execute`: a stream that, when run, joins the one in flight under this key or starts the one that is given. Each
 *   consumer sees every element once, from the first one on, and the same end or failure.
 * - `inFlight`: how many keys have a stream in flight that can be joined.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamCoalesce<in out A, in out E> {
  readonly execute: <R>(key: string, stream: Stream.Stream<A, E, R>) => Stream.Stream<A, E, R>
  readonly inFlight: Effect.Effect<number>
}

/**
 * Options of {@link makeStream}.
 *
 * **Details**
 *
 * - `replay`: how many elements of a stream are kept for callers that join late; 16,384. A stream that has emitted more
 *   can no longer be joined, and the next caller starts one of its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamOptions {
  readonly replay?: number | undefined
}

/** The flight under this key, found or started, with one more caller in it. */
const board = <F extends Flight<unknown, unknown>>(
  flights: Map<string, F>,
  key: string,
  fiber: Fiber.Fiber<unknown, unknown>,
  start: () => F
): F => {
  const known = flights.get(key)
  if (known !== undefined) ResilienceEvent.emit(fiber, { _tag: "Coalesced" })
  const flight = known ?? start()
  flight.waiting += 1
  return flight
}

// A flight that is being started may wake somebody who joins it before it has its fiber.
const landed = <A, E>(flight: Flight<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() =>
    flight.fiber === undefined ? Effect.flatMap(Effect.yieldNow, () => landed(flight)) : Fiber.join(flight.fiber)
  )

/**
 * Makes a place where identical effects meet.
 *
 * **When to use**
 *
 * Use for reads that many callers make at the same time: the same prompt, the same row, the same token refresh. Callers
 * with the same key must want the same thing; put into the key whatever tells them apart, the tenant for one.
 *
 * **Details**
 *
 * The effect runs on a fiber of its own with the context of the caller that started it, so that no caller, the first one
 * included, can fail the others by being interrupted. When the last one leaves, the effect is interrupted, and that caller
 * waits for its finalizers as it would without this.
 *
 * A caller's deadline ends only its own waiting: the effect does not see it. A deadline for the work belongs into the
 * effect. An effect that asks for its own key while in flight runs what it gives, instead of waiting for itself.
 *
 * **Gotchas**
 *
 * All callers get the same value by reference. A `Scope` in the context of the effect is the first caller's and may close
 * before the others are done; wrap the effect in `Effect.scoped` instead.
 *
 * **Example** (Leaving without failing the others)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Coalesce from "@effect-claude/resilience/Coalesce"
 * import * as Effect from "effect/Effect"
 * import * as Fiber from "effect/Fiber"
 *
 * const program = Effect.gen(function*() {
 *   const answers = yield* Coalesce.make<string>()
 *   const ask = answers.execute("question", Effect.delay(Effect.succeed("answer"), "10 millis"))
 *   const first = yield* Effect.forkChild(ask, { startImmediately: true })
 *   const second = yield* Effect.forkChild(ask, { startImmediately: true })
 *   yield* Fiber.interrupt(first)
 *   return yield* Fiber.join(second)
 * })
 *
 * assert.strictEqual(await Effect.runPromise(program), "answer")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A, E = never>(): Effect.Effect<Coalesce<A, E>> =>
  Effect.sync(() => {
    const flights = new Map<string, Flight<A, E>>()

    const start = <R>(key: string, effect: Effect.Effect<A, E, R>, context: Context.Context<R>): Flight<A, E> => {
      const flight: Flight<A, E> = { fiber: undefined, waiting: 0 }
      flights.set(key, flight)
      flight.fiber = Effect.runForkWith(flightContext(context, flight))(effect)
      flight.fiber.addObserver(() => forget(flights, key, flight))
      return flight
    }

    const execute = <R>(key: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.contextWith((context: Context.Context<R>) =>
          Effect.withFiber((fiber) => {
            const known = flights.get(key)
            if (known !== undefined && isAboard(fiber.context, known)) return restore(effect)
            const flight = board(flights, key, fiber, () => start(key, effect, context))
            return Effect.onExit(restore(landed(flight)), () => leave(flights, key, flight))
          })
        )
      )

    return { execute, inFlight: Effect.sync(() => flights.size) }
  })

/**
 * Makes a place where identical streams meet.
 *
 * **When to use**
 *
 * Use as {@link make}, for answers that come in pieces.
 *
 * **Details**
 *
 * The stream is pulled at the pace of its fastest consumer. A slower one holds nobody up and loses nothing: what it has
 * not read stays in memory until it has, or leaves. A consumer that joins sees everything from the first element on. When
 * the last one leaves, the stream is interrupted and its resources are released.
 *
 * What {@link make} says of contexts, deadlines and shared values holds here too.
 *
 * **Example** (Joining a stream half way)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Coalesce from "@effect-claude/resilience/Coalesce"
 * import * as Effect from "effect/Effect"
 * import * as Fiber from "effect/Fiber"
 * import * as Stream from "effect/Stream"
 *
 * let runs = 0
 * const words = Stream.suspend(() => {
 *   runs += 1
 *   return Stream.make("once", "upon", "a", "time").pipe(Stream.rechunk(1), Stream.tap(() => Effect.sleep("5 millis")))
 * })
 *
 * const program = Effect.gen(function*() {
 *   const stories = yield* Coalesce.makeStream<string>()
 *   const listen = Stream.runCollect(stories.execute("story", words))
 *   const first = yield* Effect.forkChild(listen)
 *   yield* Effect.sleep("12 millis")
 *   return [yield* listen, yield* Fiber.join(first)]
 * })
 *
 * const story = ["once", "upon", "a", "time"]
 * assert.deepStrictEqual(await Effect.runPromise(program), [story, story])
 * assert.strictEqual(runs, 1)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeStream = <A, E = never>(options: StreamOptions = {}): Effect.Effect<StreamCoalesce<A, E>> => {
  const replay = OptionCheck.number("Coalesce.makeStream", "replay", options.replay ?? 16_384, 0)

  return Effect.sync(() => {
    const flights = new Map<string, StreamFlight<A, E>>()

    const start = <R>(key: string, stream: Stream.Stream<A, E, R>, context: Context.Context<R>) => {
      const flight = new StreamFlight<A, E>(replay, () => forget(flights, key, flight))
      flights.set(key, flight)
      flight.start(stream, context)
      return flight
    }

    const execute = <R>(key: string, stream: Stream.Stream<A, E, R>): Stream.Stream<A, E, R> =>
      Stream.unwrap(Effect.contextWith((context: Context.Context<R>) =>
        Effect.withFiber((fiber) => {
          const known = flights.get(key)
          if (known !== undefined && isAboard(fiber.context, known)) return Effect.succeed(stream)
          const boarding = Effect.sync(() => {
            const flight = board(flights, key, fiber, () => start(key, stream, context))
            // At once: what is not read from the first element on is lost when the flight closes.
            return { flight, elements: Stream.fromPull(Effect.succeed(flight.consume())) }
          })
          return Effect.map(
            Effect.acquireRelease(boarding, ({ flight }) => leave(flights, key, flight)),
            ({ elements }) => elements
          )
        })
      ))

    return { execute, inFlight: Effect.sync(() => flights.size) }
  })
}
