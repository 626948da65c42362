/**
 * A concurrency limit that finds out how many calls a service takes at once, and follows it when that changes.
 *
 * A limit that is too high meets a service in trouble with more of it; one that is too low wastes what the service could
 * do. This one is raised by successes and lowered by overload, as TCP does with its window, so that nobody has to guess.
 *
 * **Example** (Shrinking on overload)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as AdaptiveConcurrency from "@effect-claude/resilience/AdaptiveConcurrency"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const limiter = yield* AdaptiveConcurrency.make({ initial: 20 })
 *   const busy = Effect.fail({ message: "busy", verdict: Verdict.retry("overloaded") })
 *   yield* Effect.ignore(limiter.withPermit(busy))
 *   return yield* limiter.state()
 * })
 *
 * assert.deepStrictEqual(await Effect.runPromise(program), { permits: 18, inFlight: 0, queued: 0 })
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { PermitOptions, Rejection, State } from "./Bulkhead.ts"
import { AdaptiveCall } from "./internal/concurrency/AdaptiveCall.ts"
import { AdaptiveLimit, type LimitRules } from "./internal/concurrency/AdaptiveLimit.ts"
import { AdaptivePool } from "./internal/concurrency/AdaptivePool.ts"
import { defaultKey, KeyedPools } from "./internal/concurrency/KeyedPools.ts"
import { type Restore, streamHolding } from "./internal/concurrency/permitStream.ts"
import { rejectionFields, rejectionMessage, rejectionVerdict } from "./internal/concurrency/rejection.ts"
import { count, keyCount, type QueueRules, queueRules, waitForPermit } from "./internal/concurrency/waitForPermit.ts"
import * as OptionCheck from "./OptionCheck.ts"
import type { HasVerdict, Verdict } from "./Verdict.ts"

/**
 * What the call of a stream may say about its permit: what any call may, and what its first event is.
 *
 * **Details**
 *
 * `isEvent` tells elements that count as the first event from those that do not, such as pings. By default every element
 * does.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamPermitOptions<in A, out E = never, out R = never> extends PermitOptions<E, R> {
  readonly isEvent?: ((element: A) => boolean) | undefined
}

/**
 * Lets calls through up to a limit that moves with their outcomes. `Failure` is what it can tell overload from, `E` is what
 * it turns calls away with.
 *
 * **Details**
 *
 * Everything that is said of a `Bulkhead` holds here too: the order of the queue, `afterWait`, interruption, streams.
 * `permits` of a state is where the limit stands.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdaptiveConcurrency<Failure = HasVerdict, out E = ConcurrencyLimitError> {
  readonly withPermit: {
    <A, E2 extends Failure, R, E3 = never, R3 = never>(
      self: Effect.Effect<A, E2, R>,
      options?: PermitOptions<E3, R3>
    ): Effect.Effect<A, E | E2 | E3, R | R3>
    <E3 = never, R3 = never>(
      options?: PermitOptions<E3, R3>
    ): <A, E2 extends Failure, R>(self: Effect.Effect<A, E2, R>) => Effect.Effect<A, E | E2 | E3, R | R3>
  }
  readonly withPermitStream: {
    <A, E2 extends Failure, R, E3 = never, R3 = never>(
      self: Stream.Stream<A, E2, R>,
      options?: StreamPermitOptions<A, E3, R3>
    ): Stream.Stream<A, E | E2 | E3, R | R3>
    <A, E3 = never, R3 = never>(
      options?: StreamPermitOptions<A, E3, R3>
    ): <B extends A, E2 extends Failure, R>(self: Stream.Stream<B, E2, R>) => Stream.Stream<B, E | E2 | E3, R | R3>
  }
  readonly state: (key?: string) => Effect.Effect<State>
  readonly states: Effect.Effect<ReadonlyMap<string, State>>
}

/**
 * Fails a call that got no permit. Nothing was sent for it.
 *
 * **Details**
 *
 * As `BulkheadFullError` of a `Bulkhead`: the verdict is `Retry` of kind `rejected`, and there is no stack.
 *
 * **Example** (Answering when there is no room)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as AdaptiveConcurrency from "@effect-claude/resilience/AdaptiveConcurrency"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const limiter = yield* AdaptiveConcurrency.make({ maximum: 1, queue: 0 })
 *   const nested = Effect.succeed("answer").pipe(
 *     limiter.withPermit(),
 *     Effect.catchTag("ConcurrencyLimitError", (error) => Effect.succeed(error.reason))
 *   )
 *   return yield* limiter.withPermit(nested)
 * })
 *
 * assert.strictEqual(await Effect.runPromise(program), "queueFull")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class ConcurrencyLimitError
  extends Schema.TaggedError<ConcurrencyLimitError>("resilience/ConcurrencyLimitError")(
    "ConcurrencyLimitError",
    rejectionFields
  )
{
  override get message(): string {
    return rejectionMessage(this)
  }

  get verdict(): Verdict {
    return rejectionVerdict
  }
}

/**
 * How the limit listens to the time until the first event.
 *
 * **Details**
 *
 * - `tolerance`: how many times longer than normal the first events must take, on average over the last ten, to count as a
 *   sign of overload. Default 2. Normal is the mean of the last 600.
 * - `effects`: whether the whole duration of an effect counts as such a time. Default `false`: the duration of a call that
 *   generates text says how long the text is.
 *
 * @category models
 * @since 0.1.0
 */
export interface LatencyOptions {
  readonly tolerance?: number | undefined
  readonly effects?: boolean | undefined
}

/**
 * Options of {@link make}.
 *
 * **Details**
 *
 * - `initial`: where the limit of a key begins. Default 20, as far as it fits between the other two.
 * - `minimum`, `maximum`: the limit stays between them. Default 4 and 200. The minimum is what goes on asking a service that is
 *   down, and where the way back begins; from 1 it would take two round trips more.
 * - `decrease`: what the limit is multiplied by on overload. Default 0.9.
 * - `latency`: how it listens to the time until the first event, see {@link LatencyOptions}; `false` switches that off.
 * - `queue`, `queueTimeout`, `batchHandicap`, `maxKeys`: as for a `Bulkhead`. The limit of a key that is forgotten begins anew.
 *
 * 20, 200 and 0.9 are the defaults of Netflix's AIMD limit.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly initial?: number | undefined
  readonly minimum?: number | undefined
  readonly maximum?: number | undefined
  readonly decrease?: number | undefined
  readonly latency?: LatencyOptions | false | undefined
  readonly queue?: number | undefined
  readonly queueTimeout?: Duration.Input | undefined
  readonly batchHandicap?: Duration.Input | undefined
  readonly maxKeys?: number | undefined
}

interface AnyOptions<in Failure, out E> extends Options {
  readonly classify?: ((error: Failure) => Verdict) | undefined
  readonly onRejected?: ((rejection: Rejection) => E) | undefined
}

const owner = "AdaptiveConcurrency.make"

const limitRules = (options: Options): LimitRules => {
  const maximum = count(owner, "maximum", options.maximum ?? 200, 1)
  const minimum = count(owner, "minimum", options.minimum ?? Math.min(4, maximum), 1)
  const initial = count(owner, "initial", options.initial ?? Math.max(minimum, Math.min(20, maximum)), 1)
  if (minimum > maximum) {
    throw new RangeError(`${owner}: option "minimum" must not be greater than "maximum", got ${minimum} and ${maximum}`)
  }
  if (initial < minimum || initial > maximum) {
    throw OptionCheck.refuse(
      owner,
      "initial",
      `from "minimum" to "maximum" (${minimum} to ${maximum})`,
      options.initial
    )
  }
  return {
    initial,
    minimum,
    maximum,
    decrease: OptionCheck.number(owner, "decrease", options.decrease ?? 0.9, 0.1, 0.99),
    latency: options.latency === false
      ? undefined
      : { tolerance: OptionCheck.number(owner, "latency.tolerance", options.latency?.tolerance ?? 2, 1.1) }
  }
}

/**
 * Makes an adaptive concurrency limit.
 *
 * **When to use**
 *
 * Use it for a service whose capacity you do not know, or that shares it with others. Make one and share it between all
 * callers. When you know the capacity, use a `Bulkhead`.
 *
 * **Details**
 *
 * - A success raises the limit, if it was in full use: by a half for each success, which is by half every round trip, and near the
 *   limit at which overload last struck by one for each round trip.
 * - A failure whose verdict is of kind `overloaded` multiplies the limit by `decrease`, once for each round trip: failures of calls
 *   that began before the last decrease say nothing new.
 * - First events that come much later than normal do the same, while the limit is in full use, but never take it below
 *   `initial`: longer prompts look like that too. A call that times out before its first event counts as that late.
 * - Nothing else moves it: no rate limit, no server error, no `Stop`, no rejection by another policy, no interruption.
 *
 * Without `classify` the errors of calls must carry a verdict. `onRejected` makes the error for a call that is turned away.
 * Wrong options throw a `RangeError`.
 *
 * **Gotchas**
 *
 * A service that fails at once takes as many calls a second as a low limit lets through in no time. To leave a service alone
 * that is down is the work of a circuit breaker around this.
 *
 * **Example** (Limiting calls to a database)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as AdaptiveConcurrency from "@effect-claude/resilience/AdaptiveConcurrency"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Effect from "effect/Effect"
 *
 * interface DbError {
 *   readonly sqlState: string
 * }
 * const tooManyConnections: Effect.Effect<string, DbError> = Effect.fail({ sqlState: "53300" })
 *
 * const program = Effect.gen(function*() {
 *   const limiter = yield* AdaptiveConcurrency.make({
 *     initial: 10,
 *     latency: { effects: true },
 *     classify: (error: DbError) => error.sqlState === "53300" ? Verdict.retry("overloaded") : Verdict.stop
 *   })
 *   yield* Effect.ignore(limiter.withPermit(tooManyConnections, { key: "replica" }))
 *   return yield* limiter.state("replica")
 * })
 *
 * assert.strictEqual((await Effect.runPromise(program)).permits, 9)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: {
  <Failure, E>(
    options: Options & {
      readonly classify: (error: Failure) => Verdict
      readonly onRejected: (rejection: Rejection) => E
    }
  ): Effect.Effect<AdaptiveConcurrency<Failure, E>>
  <Failure>(
    options: Options & { readonly classify: (error: Failure) => Verdict; readonly onRejected?: undefined }
  ): Effect.Effect<AdaptiveConcurrency<Failure>>
  <E>(
    options: Options & { readonly classify?: undefined; readonly onRejected: (rejection: Rejection) => E }
  ): Effect.Effect<AdaptiveConcurrency<HasVerdict, E>>
  (
    options?: Options & { readonly classify?: undefined; readonly onRejected?: undefined }
  ): Effect.Effect<AdaptiveConcurrency>
} = <Failure, E>(
  given?: AnyOptions<Failure & HasVerdict, E>
): Effect.Effect<AdaptiveConcurrency<Failure & HasVerdict, E | ConcurrencyLimitError>> => {
  const options: AnyOptions<Failure & HasVerdict, E> = given ?? {}
  const limits = limitRules(options)
  const maxKeys = keyCount(owner, options)
  const { classify, onRejected } = options
  const rules = queueRules<E | ConcurrencyLimitError>(
    owner,
    options,
    (rejection) => onRejected === undefined ? new ConcurrencyLimitError(rejection) : onRejected(rejection)
  )
  return Effect.sync(() =>
    fromPools({
      rules,
      initial: limits.initial,
      timesEffects: options.latency !== false && options.latency?.effects === true,
      timesStreams: options.latency !== false,
      classify: classify ?? ownVerdict,
      pools: new KeyedPools(maxKeys, (_, onIdle) => new AdaptivePool(new AdaptiveLimit(limits), onIdle))
    })
  )
}

const ownVerdict = (error: HasVerdict): Verdict => error.verdict

interface Parts<Failure, E> {
  readonly rules: QueueRules<E>
  readonly initial: number
  readonly timesEffects: boolean
  readonly timesStreams: boolean
  readonly classify: (error: Failure) => Verdict
  readonly pools: KeyedPools<AdaptivePool>
}

const fromPools = <Failure, E>(
  { classify, initial, pools, rules, timesEffects, timesStreams }: Parts<Failure, E>
): AdaptiveConcurrency<Failure, E> => {
  const acquire = <E3, R3>(
    restore: Restore,
    options: PermitOptions<E3, R3> | undefined,
    isTimed: boolean
  ): Effect.Effect<AdaptiveCall<Failure>, E | E3, R3> => {
    const key = options?.key ?? defaultKey
    const pool = pools.get(key)
    const start = Effect.withFiber((fiber) =>
      Effect.succeed(new AdaptiveCall(key, pool, classify, isTimed ? fiber.getRef(Clock.Clock) : undefined))
    )
    return pool.tryTake()
      ? start
      : Effect.andThen(waitForPermit(pool, key, rules, restore, options?.afterWait), start)
  }

  return {
    withPermit: dual(
      (args) => Effect.isEffect(args[0]),
      <A, E2 extends Failure, R, E3, R3>(self: Effect.Effect<A, E2, R>, options?: PermitOptions<E3, R3>) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(acquire(restore, options, timesEffects), (call) =>
            Effect.onExitPrimitive(
              restore(self),
              (exit) => {
                if (exit._tag === "Success") call.firstEvent()
                call.end(exit)
                return undefined
              },
              true
            ))
        )
    ),
    withPermitStream: dual(
      (args) => Stream.isStream(args[0]),
      <A, E2 extends Failure, R, E3, R3>(self: Stream.Stream<A, E2, R>, options?: StreamPermitOptions<A, E3, R3>) =>
        streamHolding({
          acquire: (restore) => acquire(restore, options, timesStreams),
          stream: (call) => timesStreams ? tellingFirstEvent(self, call, options?.isEvent) : self,
          release: (call, exit: Exit.Exit<unknown, Failure>) => call.end(exit)
        })
    ),
    state: (key = defaultKey) =>
      Effect.sync(() => pools.peek(key)?.state ?? { permits: initial, inFlight: 0, queued: 0 }),
    states: Effect.sync(() => pools.map((pool) => pool.state))
  }
}

const tellingFirstEvent = <A, E, R, Failure>(
  self: Stream.Stream<A, E, R>,
  call: AdaptiveCall<Failure>,
  isEvent: ((element: A) => boolean) | undefined
): Stream.Stream<A, E, R> =>
  Stream.mapArray(self, (elements) => {
    if (call.awaitsEvent && (isEvent === undefined || elements.some(isEvent))) call.firstEvent()
    return elements
  })
