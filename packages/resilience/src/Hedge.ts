/**
 * Hedging: asking a second time when the first answer is late, and taking the one that comes first.
 *
 * **Details**
 *
 * Most slow calls are slow by bad luck: a busy machine, a lost packet. A second attempt, started when the first takes
 * longer than nearly all others do, is soon back, and cuts the slow tail for a few percent more requests. It helps with
 * nothing that is slow for everybody: hedges are limited, so that they do not add to an overload.
 *
 * **Example** (Hedging a slow call)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Hedge from "@effect-claude/resilience/Hedge"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const { hedge } = yield* Hedge.make({ delay: "5 millis" })
 *   const replica = Effect.flatMap(
 *     Hedge.CurrentHedge,
 *     (number) => number === 0 ? Effect.never : Effect.succeed(`answered by hedge ${number}`)
 *   )
 *   return yield* hedge(replica)
 * })
 *
 * assert.strictEqual(await Effect.runPromise(program), "answered by hedge 1")
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import { CurrentBudgetAccount } from "./internal/budget/BudgetAccount.ts"
import { hedgedEffect, type LoserUsage } from "./internal/hedge/HedgedCall.ts"
import { FixedDelay, type HedgeDelays, LatencyTable } from "./internal/hedge/HedgeDelays.ts"
import { hedgedStream, withFirstEvent } from "./internal/hedge/hedgedStream.ts"
import * as MonotonicTime from "./internal/MonotonicTime.ts"
import { wasRejected } from "./internal/OwnVerdict.ts"
import * as OptionCheck from "./OptionCheck.ts"
import { emit, isHeard } from "./ResilienceEvent.ts"
import * as RetryBudget from "./RetryBudget.ts"
import type { Verdict } from "./Verdict.ts"

/**
 * Holds the number of the attempt that is running: 0 for the first, 1 for the first hedge.
 *
 * **Example** (Naming an attempt)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Hedge from "@effect-claude/resilience/Hedge"
 * import * as Effect from "effect/Effect"
 *
 * assert.strictEqual(await Effect.runPromise(Hedge.CurrentHedge), 0)
 * ```
 *
 * @category references
 * @since 0.1.0
 */
export const CurrentHedge: Context.Reference<number> = Context.Reference<number>(
  "@effect-claude/resilience/CurrentHedge",
  { defaultValue: () => 0 }
)

/**
 * A delay that follows the service: so many calls of a hundred are faster.
 *
 * **Details**
 *
 * - `quantile`: the share of calls that are to be answered before they are hedged; between 0 and 1
 * - `minimumSamples`: how many calls must have been seen before any is hedged; 50
 * - `window`: how many of the last calls count; 200
 *
 * @category models
 * @since 0.1.0
 */
export interface QuantileOptions {
  readonly quantile: number
  readonly minimumSamples?: number | undefined
  readonly window?: number | undefined
}

/**
 * Options of {@link make}.
 *
 * **Details**
 *
 * - `delay`: how long an attempt may take before the next one is started beside it; a time, or a quantile of the times seen
 * - `max`: how many hedges a call may have; 1
 * - `budget`: what pays for the hedges; by default the budget that the call is under already, if it is under one
 * - `maxKeys`: of how many keys latencies are kept; 1000. The one that was not called for longest goes first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly delay: Duration.Input | QuantileOptions
  readonly max?: number | undefined
  readonly budget?: RetryBudget.RetryBudget | undefined
  readonly maxKeys?: number | undefined
}

/**
 * An attempt that was cancelled because another one had settled the call.
 *
 * **Details**
 *
 * - `hedge`: its number; 0 is the first attempt
 * - `elapsed`: how long it ran
 * - `elements`: what it had emitted and nobody has seen; nothing but for a stream
 *
 * @category models
 * @since 0.1.0
 */
export interface Loser<out A> {
  readonly hedge: number
  readonly elapsed: Duration.Duration
  readonly elements: ReadonlyArray<A>
}

/**
 * What a cancelled attempt is known to have used; it goes into the `HedgeLost` event.
 *
 * @category models
 * @since 0.1.0
 */
export type Usage = LoserUsage

/**
 * What one call may say about its hedges.
 *
 * **Details**
 *
 * - `key`: whose latencies to go by; `"default"`
 * - `hedgeWhen`: asked before each hedge whether the work may still be started again; it may
 * - `classify`: the verdict on a failure. A `Stop` settles the call; after any other failure the attempts that run are
 *   waited for. A hedge that is `rejected` costs no tokens. By default the error's own `verdict`, if it has one; a
 *   `CircuitOpenError` always counts as `rejected`.
 * - `onLoser`: told of each attempt that is cancelled; what it returns goes into the event. What it throws is dropped.
 *
 * @category models
 * @since 0.1.0
 */
export interface HedgeOptions<in A, in E> {
  readonly key?: string | undefined
  readonly hedgeWhen?: (() => boolean) | undefined
  readonly classify?: ((error: E) => Verdict) | undefined
  readonly onLoser?: ((loser: Loser<A>) => Usage | void) | undefined
}

/**
 * What one stream may say about its hedges.
 *
 * **Details**
 *
 * - `isTransparent`: holds for elements that mean nothing and pass at once, of whichever attempt, such as pings; none
 * - `isEvent`: holds for elements that decide for an attempt; all that are not transparent. What comes before is held back.
 *
 * @category models
 * @since 0.1.0
 */
export interface HedgeStreamOptions<in A, in E> extends HedgeOptions<A, E> {
  readonly isEvent?: ((element: A) => boolean) | undefined
  readonly isTransparent?: ((element: A) => boolean) | undefined
}

/**
 * Hedges calls, and remembers how long they took.
 *
 * **Details**
 *
 * - `hedge` starts an effect again when it is late, and takes the first success.
 * - `hedgeStream` does so for a stream until its first event. From then on the attempt that had it is the stream.
 * - `delay` tells when a call of a key would be hedged now; `None` while too few have been seen.
 * - `keys` tells of how many keys latencies are kept.
 *
 * What is hedged must be safe to run twice at once.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hedge {
  readonly hedge: {
    <A, E, R>(self: Effect.Effect<A, E, R>, options?: HedgeOptions<A, E>): Effect.Effect<A, E, R>
    <A, E>(
      options?: HedgeOptions<A, E>
    ): <A2 extends A, E2 extends E, R>(self: Effect.Effect<A2, E2, R>) => Effect.Effect<A2, E2, R>
  }
  readonly hedgeStream: {
    <A, E, R>(self: Stream.Stream<A, E, R>, options?: HedgeStreamOptions<A, E>): Stream.Stream<A, E, R>
    <A, E>(
      options?: HedgeStreamOptions<A, E>
    ): <A2 extends A, E2 extends E, R>(self: Stream.Stream<A2, E2, R>) => Stream.Stream<A2, E2, R>
  }
  readonly delay: (key?: string) => Effect.Effect<Option.Option<Duration.Duration>>
  readonly keys: Effect.Effect<number>
}

const owner = "Hedge.make"

const count = (option: string, value: number): number => {
  if (!Number.isInteger(value) || value < 1) {
    throw OptionCheck.refuse(owner, option, "a whole number of at least 1", value)
  }
  return value
}

const delaysOf = (delay: Options["delay"], maxKeys: number): HedgeDelays => {
  if (!isQuantile(delay)) {
    return new FixedDelay(Duration.toMillis(OptionCheck.duration(owner, "delay", delay, { positive: true })))
  }
  const { minimumSamples = 50, quantile, window = 200 } = delay
  OptionCheck.number(owner, "delay.quantile", quantile, 0, 1)
  if (quantile === 0 || quantile === 1) throw OptionCheck.refuse(owner, "delay.quantile", "between 0 and 1", quantile)
  count("delay.minimumSamples", minimumSamples)
  count("delay.window", window)
  if (minimumSamples > window) {
    throw new RangeError(
      `${owner}: option "delay.minimumSamples" must not be greater than "delay.window", got ${minimumSamples} and ${window}`
    )
  }
  return new LatencyTable({ quantile, minimumSamples, window, maxKeys })
}

const isQuantile = (delay: Options["delay"]): delay is QuantileOptions => Predicate.hasProperty(delay, "quantile")

const saysStop = (error: unknown): boolean =>
  Predicate.hasProperty(error, "verdict") && Predicate.isTagged(error.verdict, "Stop")

/** What a failure of one attempt means for the call. One that was turned away says nothing about those that were not. */
const meanings = <E>(classify: ((error: E) => Verdict) | undefined) => {
  if (classify === undefined) {
    return { wasRejected, isFinal: (error: E) => saysStop(error) && !wasRejected(error) }
  }
  return {
    wasRejected: (error: E) => {
      const verdict = classify(error)
      return verdict._tag === "Retry" && verdict.kind === "rejected"
    },
    isFinal: (error: E) => classify(error)._tag === "Stop"
  }
}

const nothingIs = (): boolean => false

const suppressedForSamples = (fiber: Fiber.Fiber<unknown, unknown>): void => {
  if (isHeard(fiber)) emit(fiber, { _tag: "HedgeSuppressed", reason: "samples" })
}

/**
 * Makes what hedges calls, with no latencies seen yet.
 *
 * **Details**
 *
 * When an attempt has run for `delay`, another one is started, up to `max` of them. The first success wins, and the
 * attempts that still run are interrupted; the winner does not wait for their finalizers, and nothing that goes wrong in
 * them reaches the call.
 *
 * Hedging is no retry. A failure before the delay is the call's failure. When an attempt fails while others run, they are
 * waited for; if all fail, the call fails as its first attempt did. A defect, or a failure with the verdict `Stop`, settles
 * the call at once: the same request would meet it again. Interrupting the call interrupts its attempts and waits for
 * them.
 *
 * With a quantile, the delay is the one below which that share of the last `window` calls of the key was answered; a first
 * attempt that lost counts with the time it ran. Hedges are then held to `1 - quantile` of the calls as well, so that a
 * service that slows down as a whole does not get every request twice. A fixed delay knows no such limit: give it a budget.
 *
 * A hedge draws on the budget of the call. When there is nothing left the call goes on without a hedge; it never fails for
 * that. What a hedge took is not given back by success, unless a policy turned it away before anything was sent.
 *
 * The quantile of 0.95 that the examples use is from Dean and Barroso, "The Tail at Scale" (2013), which defers hedges until
 * then to hold the added load at about 5 %.
 *
 * A wrong option throws a `RangeError` that names it.
 *
 * **Example** (Hedging the slowest twentieth)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Hedge from "@effect-claude/resilience/Hedge"
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 *
 * const program = Effect.gen(function*() {
 *   const { delay, hedge } = yield* Hedge.make({ delay: { quantile: 0.95, minimumSamples: 10 } })
 *   const query = Effect.sleep("1 millis").pipe(hedge({ key: "orders" }))
 *   yield* Effect.repeat(query, { times: 20 })
 *   return yield* Effect.all([delay("orders"), delay("customers")])
 * })
 *
 * const [orders, customers] = await Effect.runPromise(program)
 * assert.isTrue(Option.isSome(orders))
 * assert.isTrue(Option.isNone(customers))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<Hedge> => Effect.sync(() => makeUnsafe(options))

/**
 * Makes what hedges calls at once, for a module's top level.
 *
 * **When to use**
 *
 * Use where there is no Effect to make it in. Otherwise use {@link make}, whose details apply.
 *
 * **Example** (Hedging a stream)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Hedge from "@effect-claude/resilience/Hedge"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const { hedgeStream } = Hedge.makeUnsafe({ delay: "5 millis" })
 * const tokens = Stream.unwrap(Effect.map(
 *   Hedge.CurrentHedge,
 *   (number) => number === 0 ? Stream.never : Stream.make("Hello", " world")
 * ))
 *
 * assert.strictEqual(await Effect.runPromise(Stream.mkString(hedgeStream(tokens))), "Hello world")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (options: Options): Hedge => {
  const { budget } = options
  const max = count("max", options.max ?? 1)
  const delays = delaysOf(options.delay, count("maxKeys", options.maxKeys ?? 1000))

  const drawsElsewhere = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
    budget === undefined || fiber.getRef(CurrentBudgetAccount)?.budget === budget

  const hedge = <A, E, R>(self: Effect.Effect<A, E, R>, call: HedgeOptions<A, E> = {}): Effect.Effect<A, E, R> => {
    const { key = "default", onLoser } = call
    const meaning = meanings(call.classify)
    const hedged = Effect.withFiber((fiber) => {
      const delay = delays.call(key)
      if (delay.millis === Number.POSITIVE_INFINITY) {
        suppressedForSamples(fiber)
        const clock = fiber.getRef(Clock.Clock)
        const startedAt = MonotonicTime.now(clock)
        return Effect.map(self, (answer) => {
          delay.observe(MonotonicTime.now(clock) - startedAt)
          return answer
        })
      }
      const outer = fiber.getRef(CurrentHedge)
      return hedgedEffect({
        delay,
        max,
        mayHedge: call.hedgeWhen,
        ...meaning,
        attempt: (number) => number === outer ? self : Effect.provideService(self, CurrentHedge, number),
        onLoser: onLoser === undefined ? undefined : (hedge, elapsed) => onLoser({ hedge, elapsed, elements: [] })
      })
    })
    return budget === undefined
      ? hedged
      : Effect.withFiber((fiber) => drawsElsewhere(fiber) ? hedged : RetryBudget.withBudget(hedged, { budget }))
  }

  const hedgeStream = <A, E, R>(
    self: Stream.Stream<A, E, R>,
    call: HedgeStreamOptions<A, E> = {}
  ): Stream.Stream<A, E, R> => {
    const { isTransparent = nothingIs, key = "default", onLoser } = call
    const isEvent = call.isEvent ?? ((element: A) => !isTransparent(element))
    const meaning = meanings(call.classify)
    const hedged = Stream.unwrap(Effect.withFiber((fiber) => {
      const delay = delays.call(key)
      if (delay.millis === Number.POSITIVE_INFINITY) {
        suppressedForSamples(fiber)
        const clock = fiber.getRef(Clock.Clock)
        return Effect.succeed(
          withFirstEvent(self, isEvent, () => MonotonicTime.now(clock), (wait) => delay.observe(wait))
        )
      }
      const outer = fiber.getRef(CurrentHedge)
      const attempt = (number: number) => number === outer ? self : Stream.provideService(self, CurrentHedge, number)
      return Effect.succeed(hedgedStream(attempt, {
        delay,
        max,
        mayHedge: call.hedgeWhen,
        ...meaning,
        isEvent,
        isTransparent,
        onLoser: onLoser === undefined ? undefined : (hedge, elapsed, elements) => onLoser({ hedge, elapsed, elements })
      }))
    }))
    return budget === undefined
      ? hedged
      : Stream.unwrap(
        Effect.withFiber((fiber) =>
          Effect.succeed(drawsElsewhere(fiber) ? hedged : RetryBudget.streamWithBudget(hedged, { budget }))
        )
      )
  }

  return {
    hedge: dual((args) => Effect.isEffect(args[0]), hedge),
    hedgeStream: dual((args) => Stream.isStream(args[0]), hedgeStream),
    delay: (key = "default") =>
      Effect.sync(() => {
        const millis = delays.peek(key)?.millis ?? Number.POSITIVE_INFINITY
        return millis === Number.POSITIVE_INFINITY ? Option.none() : Option.some(Duration.millis(millis))
      }),
    keys: Effect.sync(() => delays.size)
  }
}
