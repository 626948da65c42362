/**
 * A rate limiter for several limits at once: requests, tokens, rows, whatever a service counts by the minute.
 *
 * **Details**
 *
 * Each limit is a token bucket that refills continuously. A call takes from all of them or from none, waits its turn in one
 * queue, and settles afterwards for what it has really cost. The limits are configured, or learned from what responses
 * report, and follow it from then on.
 *
 * **Example** (Keeping to requests and tokens a minute)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as RateLimiter from "@effect-claude/resilience/RateLimiter"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const limiter = yield* RateLimiter.make({
 *     limits: { requests: { limit: 60 }, tokens: { limit: 10_000 } },
 *     headroom: 1
 *   })
 *   yield* limiter.withLimit(Effect.succeed({ text: "Hello", tokens: 120 }), {
 *     costs: { requests: 1, tokens: 500 },
 *     settle: (exit) => exit._tag === "Success" ? { requests: 1, tokens: exit.value.tokens } : undefined
 *   })
 *   return yield* limiter.levels()
 * })
 *
 * const levels = await Effect.runPromise(program)
 * assert.approximately(levels.limits.tokens.available, 9880, 10)
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import { limiterOf } from "./internal/limiter/limiterOf.ts"
import { planOf } from "./internal/limiter/planOf.ts"
import type { Verdict } from "./Verdict.ts"
import * as Verdicts from "./Verdict.ts"

/**
 * What a call takes of each limit; a limit that is not named costs nothing.
 *
 * @category models
 * @since 0.1.0
 */
export type Costs<Dimension extends string> = { readonly [Name in Dimension]?: number | undefined }

/**
 * One limit.
 *
 * **Details**
 *
 * - `limit`: how much may be used in a window. Left out, nothing is limited until a response tells: see `observe`.
 * - `window`: the time in which an empty bucket fills. Default: 1 minute.
 * - `burst`: how much refill may be saved up, as the time in which it comes. Default: the window. With 10 seconds and 60
 *   requests a minute, 10 requests can start at once after a silence: for services that enforce a minute's limit by the
 *   second.
 * - `rounding`: by how much a reported `remaining` may be too high. Default: 0.
 *
 * @category models
 * @since 0.1.0
 */
export interface LimitPlan {
  readonly limit?: number | undefined
  readonly window?: Duration.Input | undefined
  readonly burst?: Duration.Input | undefined
  readonly rounding?: number | undefined
}

/**
 * What a response reports of one limit: how large it is, what is left, and when the bucket will be full again, counted from
 * the response. What makes no sense is left out of account.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly limit?: number | undefined
  readonly remaining?: number | undefined
  readonly resetAfter?: Duration.Input | undefined
}

/**
 * What a response reports of the limits. One without any says that nothing is limited.
 *
 * @category models
 * @since 0.1.0
 */
export type Snapshot<Dimension extends string> = { readonly [Name in Dimension]?: Report | undefined }

/**
 * What a call has been given. Settle it once; what comes later is left out of account.
 *
 * **Details**
 *
 * - `waited`: the time in the queue, zero for a call that went through at once.
 * - `settle`: counts what the call has really cost, which may be more or less than was reserved.
 * - `refund`: gives everything back, for a call that used nothing.
 * - `observe`: takes over what the response to this call reports. Heard only if no response to a later call was heard
 *   before: responses overtake each other, and an old one never overrules a newer one. `observeUnsafe` does it at once, for
 *   callbacks and the functions of a stream.
 * - `slowDown`: halves the pace of the key, as the limiter's own does, unless it was halved since this call was let through:
 *   calls that were sent together are complained of together.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reservation<Dimension extends string> {
  readonly key: string
  readonly waited: Duration.Duration
  readonly settle: (costs: Costs<Dimension>) => Effect.Effect<void>
  readonly refund: Effect.Effect<void>
  readonly observe: (snapshot: Snapshot<Dimension>) => Effect.Effect<void>
  readonly observeUnsafe: (snapshot: Snapshot<Dimension>) => void
  readonly slowDown: Effect.Effect<void>
}

/**
 * What a call asks for.
 *
 * **Details**
 *
 * - `key`: whose limits; each key has its own. `"default"` without one.
 * - `costs`: what to reserve. A number that is negative or not finite is a defect. A cost that is larger than its whole
 *   bucket goes through when the bucket is full and puts it in debt, which those behind have to wait off, whatever they
 *   cost.
 * - `afterWait`: runs if the call had to wait, with the reservation in hand and before the call. When it fails, so does the
 *   call, and everything is given back. For conditions that may have changed during the wait, such as an open circuit.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReserveOptions<Dimension extends string, out E = never, out R = never> {
  readonly key?: string | undefined
  readonly costs: Costs<Dimension>
  readonly afterWait?: Effect.Effect<void, E, R> | undefined
}

/**
 * What a call asks for, and how it settles.
 *
 * **Details**
 *
 * `settle` tells by how the call ended what it has cost; `undefined` gives everything back. Default: a success costs what
 * was reserved, a failure or an interruption nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface LimitOptions<Dimension extends string, in A, in E, out E2 = never, out R2 = never>
  extends ReserveOptions<Dimension, E2, R2>
{
  readonly settle?: ((exit: Exit.Exit<A, E>) => Costs<Dimension> | undefined) | undefined
}

/**
 * The state of one key.
 *
 * **Details**
 *
 * - `limits`: for each limit its size as configured or reported (`undefined` while unknown), what a call could take now
 *   (negative in debt), and the most that can be saved up.
 * - `waiting` and `inFlight`: how many calls are in the queue, and how many have not settled.
 * - `pausedFor`: what is left of a pause.
 *
 * @category models
 * @since 0.1.0
 */
export interface Levels<Dimension extends string> {
  readonly limits: {
    readonly [Name in Dimension]: {
      readonly limit: number | undefined
      readonly available: number
      readonly capacity: number
    }
  }
  readonly waiting: number
  readonly inFlight: number
  readonly pausedFor: Duration.Duration
}

/**
 * Lets calls through at the rate that the limits allow; `E` is what it turns calls away with.
 *
 * **Details**
 *
 * - `withLimit` runs an effect when its turn comes and settles when it has ended.
 * - `withLimitStream` reserves before the first pull of a stream and settles when the stream has ended or was dropped.
 * - `withReservation` and `withReservationStream` hand the reservation to the call, which settles it as soon as the costs
 *   are known and passes on what the response reports. Without a settlement a success costs what was reserved, a failure
 *   or an interruption nothing.
 * - `observe` takes over what a response reports that belongs to no reservation, as of now.
 * - `pause` lets nobody of a key start for a time, and then lets those who waited start one by one; what was saved up until
 *   then is gone. A pause that ends before the one in force does not shorten it. Calls that cannot wait that long fail at
 *   once.
 * - `slowDown` halves the pace of a key, which then doubles each minute: for a server that complains of acceleration.
 * - `levels` tells the state of a key.
 *
 * A call that is interrupted while it waits leaves nothing behind.
 *
 * @category models
 * @since 0.1.0
 */
export interface RateLimiter<Dimension extends string, out E = RateLimitedLocallyError> {
  readonly withLimit: {
    <A, E2, E3 = never, R3 = never>(
      options: LimitOptions<Dimension, A, E2, E3, R3>
    ): <B extends A, R>(self: Effect.Effect<B, E2, R>) => Effect.Effect<B, E | E2 | E3, R | R3>
    <A, E2, R, E3 = never, R3 = never>(
      self: Effect.Effect<A, E2, R>,
      options: LimitOptions<Dimension, A, E2, E3, R3>
    ): Effect.Effect<A, E | E2 | E3, R | R3>
  }
  readonly withLimitStream: {
    <E3 = never, R3 = never>(
      options: LimitOptions<Dimension, unknown, unknown, E3, R3>
    ): <A, E2, R>(self: Stream.Stream<A, E2, R>) => Stream.Stream<A, E | E2 | E3, R | R3>
    <A, E2, R, E3 = never, R3 = never>(
      self: Stream.Stream<A, E2, R>,
      options: LimitOptions<Dimension, unknown, unknown, E3, R3>
    ): Stream.Stream<A, E | E2 | E3, R | R3>
  }
  readonly withReservation: <A, E2, R, E3 = never, R3 = never>(
    options: ReserveOptions<Dimension, E3, R3>,
    use: (reservation: Reservation<Dimension>) => Effect.Effect<A, E2, R>
  ) => Effect.Effect<A, E | E2 | E3, R | R3>
  readonly withReservationStream: <A, E2, R, E3 = never, R3 = never>(
    options: ReserveOptions<Dimension, E3, R3>,
    use: (reservation: Reservation<Dimension>) => Stream.Stream<A, E2, R>
  ) => Stream.Stream<A, E | E2 | E3, R | R3>
  readonly observe: (key: string, snapshot: Snapshot<Dimension>) => Effect.Effect<void>
  readonly pause: (key: string, duration: Duration.Input) => Effect.Effect<void>
  readonly slowDown: (key: string) => Effect.Effect<void>
  readonly levels: (key?: string) => Effect.Effect<Levels<Dimension>>
}

/**
 * Why a call was turned away, and when it may come back.
 *
 * **Details**
 *
 * - `queueFull`: everybody in the queue goes before this call, or came to do so while it waited;
 * - `queueTimeout`: its turn would come, or did not come, within the `queueTimeout`;
 * - `deadline`: its turn would come after its deadline (`Deadline`).
 *
 * @category models
 * @since 0.1.0
 */
export interface Rejection {
  readonly key: string
  readonly reason: "queueFull" | "queueTimeout" | "deadline"
  readonly retryAfter: Duration.Duration
}

/**
 * Fails a call whose turn does not come in time. Nothing was sent for it.
 *
 * **Details**
 *
 * The verdict is `Retry` of kind `rejected` after `retryAfter`, an estimate that is spread already, so that those who are
 * turned away together do not come back together. The error has no stack, as it comes in masses when it comes.
 *
 * **Example** (Failing at once instead of waiting past a deadline)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Deadline from "@effect-claude/resilience/Deadline"
 * import * as RateLimiter from "@effect-claude/resilience/RateLimiter"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 1 } } })
 *   const call = Effect.succeed("answer").pipe(
 *     limiter.withLimit({ costs: { requests: 1 } }),
 *     Deadline.withDeadline("5 seconds"),
 *     Effect.catchTag("RateLimitedLocallyError", (error) => Effect.succeed(error.reason))
 *   )
 *   return [yield* call, yield* call]
 * })
 *
 * assert.deepStrictEqual(await Effect.runPromise(program), ["answer", "deadline"])
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class RateLimitedLocallyError
  extends Schema.TaggedError<RateLimitedLocallyError>("resilience/RateLimitedLocallyError")("RateLimitedLocallyError", {
    key: Schema.String,
    reason: Schema.Literals(["queueFull", "queueTimeout", "deadline"]),
    retryAfter: Schema.DurationFromMillis
  })
{
  override get message(): string {
    const why = {
      queueFull: "the queue is full",
      queueTimeout: "the turn does not come within the queue timeout",
      deadline: "the turn does not come within the deadline"
    }
    return `Rate limit of "${this.key}": ${why[this.reason]}; retry after ${Duration.format(this.retryAfter)}`
  }

  get verdict(): Verdict {
    return Verdicts.retry("rejected", this.retryAfter)
  }
}

/**
 * How a key starts after a silence of more than a window, and when its limits become known: at `from` times its limits, a
 * share that doubles in each `doubling`. A sixth of a minute's worth may start at once.
 *
 * @category models
 * @since 0.1.0
 */
export interface RampUp {
  readonly from?: number | undefined
  readonly doubling?: Duration.Input | undefined
}

/**
 * Options of {@link make}.
 *
 * **Details**
 *
 * - `limits`: what is limited, by names of your own.
 * - `headroom`: the share of the configured limits to use. Default 5/6, 50 of 60: the service and this program do not count
 *   in step, and other programs may use the same account. A reported limit is used up to 99 %, as reports show what is left.
 * - `adopt`: what a reported limit does to a configured one. Default `"always"` replaces it; `"lower"` only if that allows
 *   less, for a program that must not take more than its share.
 * - `queue`: how many calls of a key may wait. Default 1,000; 0 turns every call away that cannot start at once. In a full
 *   queue the call that would be let in last is turned away, which may be one that waits already.
 * - `queueTimeout`: how long a call may wait. Default 60 seconds. A call whose turn would come later is turned away at once.
 * - `batchHandicap`: how much later a call of priority `batch` counts as begun (`Admission`). Default 30 seconds.
 * - `pauseJitter`: those who wait for the end of a pause start within this share of it, at random. Default 0.2, at most a
 *   window.
 * - `rampUp`: the slow start after a silence. Default: from half of the limits, doubling in 5 seconds; `false` for none.
 * - `maxKeys`: how many keys to remember. Default 1,000. Beyond that, those without calls that were used least lately are
 *   forgotten, and begin anew with full buckets: have more than are in use within a window.
 * - `onRejected`: makes the error for a call that is turned away. Default {@link RateLimitedLocallyError}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<Dimension extends string, out E = RateLimitedLocallyError> {
  readonly limits: { readonly [Name in Dimension]: LimitPlan }
  readonly headroom?: number | undefined
  readonly adopt?: "always" | "lower" | undefined
  readonly queue?: number | undefined
  readonly queueTimeout?: Duration.Input | undefined
  readonly batchHandicap?: Duration.Input | undefined
  readonly pauseJitter?: number | undefined
  readonly rampUp?: RampUp | false | undefined
  readonly maxKeys?: number | undefined
  readonly onRejected?: ((rejection: Rejection) => E) | undefined
}

/**
 * Makes a rate limiter.
 *
 * **When to use**
 *
 * Make one for each account with limits of its own and share it between all callers: one made per call limits nothing.
 *
 * **Details**
 *
 * Configured limits are kept from the first call on. Where no limit is configured, ten calls go at once and then one a
 * second until a response has told the limits, or that there are none.
 *
 * Calls start in the order of `Admission.rank`: by age, those of priority `batch` 30 seconds later. Only the first in the
 * queue waits for the clock. A call whose turn would come after its deadline or after the `queueTimeout` fails at once. Time is
 * taken from the clock that only moves forward. Nothing runs in the background while nobody waits, and nothing needs to
 * be closed. Wrong options throw a `RangeError`.
 *
 * **Gotchas**
 *
 * The first in the queue is not overtaken, not even by a call for which there would be room: else a call that costs much
 * would never get its turn.
 *
 * A reported `remaining` only ever lowers what this program thinks is left: other programs may be using it up. What was
 * thought too low recovers as the bucket refills.
 *
 * **Example** (Learning the limits from the first response)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as RateLimiter from "@effect-claude/resilience/RateLimiter"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const limiter = yield* RateLimiter.make({ limits: { requests: {} } })
 *   yield* limiter.withReservation({ key: "large", costs: { requests: 1 } }, (reservation) =>
 *     Effect.succeed("answer").pipe(
 *       Effect.tap(reservation.observe({ requests: { limit: 50, remaining: 49 } }))
 *     ))
 *   return yield* limiter.levels("large")
 * })
 *
 * const levels = await Effect.runPromise(program)
 * assert.strictEqual(levels.limits.requests.limit, 50)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: {
  <const Dimension extends string, E>(
    options: Options<Dimension, E> & { readonly onRejected: (rejection: Rejection) => E }
  ): Effect.Effect<RateLimiter<Dimension, E>>
  <const Dimension extends string>(
    options: Options<Dimension> & { readonly onRejected?: undefined }
  ): Effect.Effect<RateLimiter<Dimension>>
} = <Dimension extends string, E>(
  options: Options<Dimension, E>
): Effect.Effect<RateLimiter<Dimension, E | RateLimitedLocallyError>> => {
  const { onRejected } = options
  const plan = planOf<Dimension, E | RateLimitedLocallyError>(
    "RateLimiter.make",
    options,
    (rejection) => onRejected === undefined ? new RateLimitedLocallyError(rejection) : onRejected(rejection)
  )
  return Effect.sync(() => limiterOf(plan))
}
