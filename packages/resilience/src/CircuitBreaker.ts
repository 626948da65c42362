/**
 * Circuit breakers: while a service is down, calls to it fail at once instead of adding to its load, and one call at a time
 * finds out whether it is back.
 *
 * **Details**
 *
 * A breaker holds one circuit for each key, a model or a host:
 *
 * - *Closed*: calls run. After some failures in a row, or a share of failures over a time, the circuit opens.
 * - *Open*: calls fail with {@link CircuitOpenError} until the open time is over.
 * - *HalfOpen*: one call at a time runs as a probe, others fail. Good probes close the circuit, a bad one opens it again. A
 *   probe that is interrupted, hangs, dies, or says nothing about the service frees its place.
 * - *Isolated*: opened by hand, until it is reset by hand.
 *
 * The result of a call that was admitted before the circuit last changed counts for nothing. What a failure says about the
 * service is its {@link Outcome}: by default a server error, an overload, a broken connection and a timeout count, a wrong
 * request or a rate limit do not.
 *
 * A rejection carries the verdict `rejected`, with the time to wait. Inside of a `RetrySchedule` with a deadline around it a
 * call therefore waits for the circuit without using up its attempts, sends nothing meanwhile, and comes back spread out from
 * the others that wait. Put the breaker inside of the retry and outside of timeouts.
 *
 * **Gotchas**
 *
 * Interruption and defects say nothing about a service. A timeout belongs inside of the breaker: outside it is an interrupt,
 * and a service that answers nobody would never open its circuit.
 *
 * **Example** (Failing fast while a service is down)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Data from "effect/Data"
 * import * as Effect from "effect/Effect"
 *
 * class ShopError extends Data.TaggedError("ShopError")<{ readonly status: number }> {}
 *
 * const program = Effect.gen(function*() {
 *   const breaker = yield* CircuitBreaker.make({
 *     failures: 2,
 *     openFor: "30 seconds",
 *     classify: (error: ShopError) => error.status >= 500 ? Verdict.retry("serverError") : Verdict.stop
 *   })
 *   const order = Effect.fail(new ShopError({ status: 503 })).pipe(breaker.execute({ key: "shop" }))
 *
 *   yield* Effect.flip(order)
 *   yield* Effect.flip(order)
 *   return yield* Effect.flip(order)
 * }).pipe(Effect.scoped)
 *
 * assert.strictEqual((await Effect.runPromise(program))._tag, "CircuitOpenError")
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as PubSub from "effect/PubSub"
import type * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Take from "effect/Take"
import { Breaker } from "./internal/circuit/Breaker.ts"
import type { Settings } from "./internal/circuit/Circuit.ts"
import { admit, type Call, runEffect, runStream, type StreamRules } from "./internal/circuit/Execution.ts"
import { openTimes } from "./internal/circuit/OpenTime.ts"
import { outcomeOfError, outcomeOfVerdict } from "./internal/circuit/OutcomeOfError.ts"
import * as OptionCheck from "./OptionCheck.ts"
import type { HasVerdict, Verdict } from "./Verdict.ts"
import * as Verdicts from "./Verdict.ts"

/**
 * What the end of a call says about the service.
 *
 * **Details**
 *
 * | outcome | closed circuit | probe |
 * | --- | --- | --- |
 * | `Success` | ends a row of failures, counts in the ratio | good |
 * | `Failure` | counts; `after` is the wait the server asked for | opens the circuit again |
 * | `Alive`: refused, by a service that works | nothing | good |
 * | `Ignored`: says nothing | nothing | frees its place |
 * | `Trip`: no call can succeed for now | opens at once, for this key or for all | opens again |
 *
 * `Alive` never ends a row of failures: wrong requests between failing good ones would hide an outage.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome =
  | { readonly _tag: "Success" }
  | { readonly _tag: "Failure"; readonly after: Duration.Duration | undefined }
  | { readonly _tag: "Alive" }
  | { readonly _tag: "Ignored" }
  | { readonly _tag: "Trip"; readonly scope: "key" | "all"; readonly openFor: Duration.Duration | undefined }

/**
 * The outcome of a call that succeeded.
 *
 * **Example** (Taking an error for a success)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
 *
 * const classify = (error: "empty" | "down") => error === "empty" ? CircuitBreaker.success : CircuitBreaker.failure()
 *
 * assert.strictEqual(classify("empty")._tag, "Success")
 * ```
 *
 * @category outcomes
 * @since 0.1.0
 */
export const success: Outcome = { _tag: "Success" }

/**
 * The outcome of a call that the service failed; `after` is the wait it asked for.
 *
 * **Example** (Counting a failure)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
 * import * as Duration from "effect/Duration"
 *
 * assert.deepStrictEqual(CircuitBreaker.failure({ after: "5 seconds" }), {
 *   _tag: "Failure",
 *   after: Duration.seconds(5)
 * })
 * ```
 *
 * @category outcomes
 * @since 0.1.0
 */
export const failure = (options?: { readonly after?: Duration.Input | undefined }): Outcome => ({
  _tag: "Failure",
  after: options?.after === undefined
    ? undefined
    : OptionCheck.duration("CircuitBreaker.failure", "after", options.after, {
      infinite: true
    })
})

/**
 * The outcome of a call that a working service refused: a wrong request, a wrong key.
 *
 * **Example** (Not counting what the caller did wrong)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
 *
 * const classify = (status: number) => status < 500 ? CircuitBreaker.alive : CircuitBreaker.failure()
 *
 * assert.strictEqual(classify(400)._tag, "Alive")
 * ```
 *
 * @category outcomes
 * @since 0.1.0
 */
export const alive: Outcome = { _tag: "Alive" }

/**
 * The outcome of a call that says nothing about the service.
 *
 * **Example** (Leaving out what never reached the service)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
 *
 * const classify = (error: "queueFull" | "down") =>
 *   error === "queueFull" ? CircuitBreaker.ignored : CircuitBreaker.failure()
 *
 * assert.strictEqual(classify("queueFull")._tag, "Ignored")
 * ```
 *
 * @category outcomes
 * @since 0.1.0
 */
export const ignored: Outcome = { _tag: "Ignored" }

/**
 * The outcome of a call after which no other can succeed for now: it opens the circuit at once, for its key or for all.
 *
 * **Details**
 *
 * `scope` is `key` by default, `openFor` the breaker's own open time. A call that such a trip rejects stops instead of
 * waiting inside of a retry, and its rejection has the reason `tripped` and the error that tripped as its `cause`.
 *
 * **Example** (Stopping all calls of an account that may spend no more)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const breaker = yield* CircuitBreaker.make({
 *     classify: (error: "spendLimit" | "down") =>
 *       error === "spendLimit"
 *         ? CircuitBreaker.trip({ scope: "all", openFor: "1 minute" })
 *         : Verdict.retry("serverError")
 *   })
 *   yield* Effect.fail("spendLimit" as const).pipe(breaker.execute({ key: "large" }), Effect.ignore)
 *   return yield* Effect.succeed("answer").pipe(breaker.execute({ key: "small" }), Effect.flip)
 * }).pipe(Effect.scoped)
 *
 * const rejection = await Effect.runPromise(program)
 * assert.strictEqual(rejection.reason, "tripped")
 * assert.strictEqual(rejection.cause, "spendLimit")
 * assert.isTrue(Verdict.isStop(rejection.verdict))
 * ```
 *
 * @category outcomes
 * @since 0.1.0
 */
export const trip = (options?: {
  readonly scope?: "key" | "all" | undefined
  readonly openFor?: Duration.Input | undefined
}): Outcome => ({
  _tag: "Trip",
  scope: options?.scope ?? "key",
  openFor: options?.openFor === undefined
    ? undefined
    : OptionCheck.duration("CircuitBreaker.trip", "openFor", options.openFor, { positive: true, infinite: true })
})

/**
 * An opening that is about to begin: what an {@link OpenFor} or a schedule decides its length from.
 *
 * **Details**
 *
 * `openings` counts the openings of a row, this one included: the circuit opened again after a failed probe, or closed for a
 * shorter time than it had been open. `outage` is the time since the first of them. `random` draws a number from 0 to 1 from
 * the `Random` of the call.
 *
 * @category models
 * @since 0.1.0
 */
export interface Opening {
  readonly key: string
  readonly openings: number
  readonly outage: Duration.Duration
  readonly random: () => number
}

/**
 * Decides how long a circuit stays open.
 *
 * @category models
 * @since 0.1.0
 */
export type OpenFor = (opening: Opening) => Duration.Input

/**
 * Makes an open time that grows with the outage: a share of the time it has lasted so far, between `first` and `cap`.
 *
 * **When to use**
 *
 * It is the default. After an outage of any length the recovery is noticed within about the share of that length, and within
 * `cap` at the latest; a blip of a second costs a second. A backoff that doubles leaves a circuit open for as long again as
 * the outage lasted.
 *
 * **Details**
 *
 * `first` 1 s, `share` a fifth, `cap` 2 s: one small request every two seconds is no load for any service. Up to `jitter`
 * (a tenth) of it is added, so that processes do not probe in step.
 *
 * **Example** (Asking less often in a long outage)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
 * import * as Duration from "effect/Duration"
 *
 * const openFor = CircuitBreaker.growing({ cap: "30 seconds", jitter: 0 })
 * const after = (outage: Duration.Input) =>
 *   openFor({ key: "shop", openings: 1, outage: Duration.fromInputUnsafe(outage), random: Math.random })
 *
 * assert.deepStrictEqual(after(0), Duration.seconds(1))
 * assert.deepStrictEqual(after("1 minute"), Duration.seconds(12))
 * assert.deepStrictEqual(after("1 hour"), Duration.seconds(30))
 * ```
 *
 * @category open times
 * @since 0.1.0
 */
export const growing = (options: {
  readonly first?: Duration.Input | undefined
  readonly share?: number | undefined
  readonly cap?: Duration.Input | undefined
  readonly jitter?: number | undefined
} = {}): OpenFor => {
  const owner = "CircuitBreaker.growing"
  const first = Duration.toMillis(OptionCheck.duration(owner, "first", options.first ?? "1 second", { positive: true }))
  const cap = Duration.toMillis(
    OptionCheck.duration(owner, "cap", options.cap ?? Math.max(first, 2000), { positive: true })
  )
  const share = OptionCheck.number(owner, "share", options.share ?? 0.2, 0, 1)
  const jitter = OptionCheck.number(owner, "jitter", options.jitter ?? 0.1, 0, 1)
  if (cap < first) {
    throw OptionCheck.refuse(owner, "cap", `at least "first" (${Duration.format(Duration.millis(first))})`, options.cap)
  }
  return ({ outage, random }) => {
    const millis = Math.min(cap, Math.max(first, share * Duration.toMillis(outage)))
    return Duration.millis(millis * (1 + jitter * random()))
  }
}

/**
 * Why and for how long a call was turned away.
 *
 * **Details**
 *
 * - `reason`: `open`; `probing`, another call is finding out; `isolated` by hand; `tripped` by an {@link Outcome} `Trip`.
 * - `remaining`: until the circuit lets a probe through; `undefined` if nobody knows: while a probe runs, or when isolated.
 * - `retryAfter`: when this call should come back: `remaining`, and its own share of the spread. While a probe runs it is a
 *   fifth of the time the probe has taken so far (50 ms to 1 s), and the share. `undefined` when isolated.
 * - `cause`: the error that tripped the circuit, if the reason is `tripped`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rejection {
  readonly key: string
  readonly reason: "open" | "probing" | "isolated" | "tripped"
  readonly remaining: Duration.Duration | undefined
  readonly retryAfter: Duration.Duration | undefined
  readonly cause: unknown
}

/**
 * Fails a call that an open circuit turned away; nothing ran. See {@link Rejection} for its fields.
 *
 * **Details**
 *
 * The verdict is `Retry` of the kind `rejected` after `retryAfter`, or `Stop` for the reasons `isolated` and `tripped`: no
 * wait that a call can afford changes those. It has no stack, which makes it cheap.
 *
 * **Example** (Answering without the service)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const breaker = yield* CircuitBreaker.make()
 *   yield* breaker.isolate("shop")
 *   return yield* Effect.succeed("fresh").pipe(
 *     breaker.execute({ key: "shop" }),
 *     Effect.catchTag("CircuitOpenError", (error) => Effect.succeed(`cached, circuit ${error.reason}`))
 *   )
 * }).pipe(Effect.scoped)
 *
 * assert.strictEqual(await Effect.runPromise(program), "cached, circuit isolated")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class CircuitOpenError
  extends Schema.TaggedError<CircuitOpenError>("resilience/CircuitOpenError")("CircuitOpenError", {
    key: Schema.String,
    reason: Schema.Literals(["open", "probing", "isolated", "tripped"]),
    remaining: Schema.UndefinedOr(Schema.DurationFromMillis),
    retryAfter: Schema.UndefinedOr(Schema.DurationFromMillis),
    cause: Schema.optional(Schema.Defect())
  })
{
  override get message(): string {
    const state = this.reason === "isolated"
      ? "is isolated"
      : this.reason === "probing"
      ? "is half-open, and a probe is running"
      : this.reason === "tripped"
      ? "was tripped"
      : "is open"
    const wait = this.remaining === undefined ? "" : `; next probe in ${Duration.format(this.remaining)}`
    return `Circuit "${this.key}" ${state}${wait}`
  }

  get verdict(): Verdict {
    return this.reason === "isolated" || this.reason === "tripped"
      ? Verdicts.stop
      : Verdicts.retry("rejected", this.retryAfter)
  }
}

/**
 * A circuit at some moment. `openings` counts the openings of a row, see {@link Opening}.
 *
 * **Details**
 *
 * `remaining` is zero for an open circuit that waits for the next call to probe it. `tripped` tells that an {@link Outcome}
 * `Trip` opened it. The key `*` stands for what concerns all keys.
 *
 * @category models
 * @since 0.1.0
 */
export type State =
  | { readonly _tag: "Closed"; readonly key: string; readonly failures: number }
  | {
    readonly _tag: "Open"
    readonly key: string
    readonly remaining: Duration.Duration
    readonly openings: number
    readonly tripped: boolean
  }
  | {
    readonly _tag: "HalfOpen"
    readonly key: string
    readonly probing: boolean
    readonly goodProbes: number
    readonly openings: number
    readonly tripped: boolean
  }
  | { readonly _tag: "Isolated"; readonly key: string }

/**
 * A circuit that changed its state. `at` is the time of day in milliseconds since 1970, `openFor` set when it opened. The
 * key `*` stands for all keys.
 *
 * @category models
 * @since 0.1.0
 */
export interface Transition {
  readonly key: string
  readonly from: State["_tag"]
  readonly to: State["_tag"]
  readonly at: number
  readonly reason: "consecutive" | "ratio" | "probe" | "trip" | "isolated" | "openTimeOver" | "probes" | "reset"
  readonly openFor?: Duration.Duration
}

/**
 * What a call says of itself: its `key`, and optionally the error a rejection becomes instead of {@link CircuitOpenError}.
 *
 * @category models
 * @since 0.1.0
 */
export interface CallOptions {
  readonly key: string
  readonly orElse?: ((rejection: Rejection) => unknown) | undefined
}

/**
 * What a stream says of itself.
 *
 * **Details**
 *
 * - `isContent`: which elements show that the service answers; all of them by default.
 * - `goodProbeAt`: when a stream that is a probe counts as a good one: at its `end` (the default), or with its first
 *   `content`, which lets the next call go sooner; a failure after that still counts.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamCallOptions<in A> extends CallOptions {
  readonly isContent?: ((element: A) => boolean) | undefined
  readonly goodProbeAt?: "content" | "end" | undefined
}

/**
 * The error with which a call of these options is rejected.
 *
 * @category models
 * @since 0.1.0
 */
export type RejectedBy<Options> = Options extends { readonly orElse: infer F }
  ? F extends (rejection: Rejection) => infer E ? E : CircuitOpenError
  : "orElse" extends keyof Options ? unknown
  : CircuitOpenError

/**
 * Circuits by key, for calls whose errors are of the type `E`.
 *
 * **Details**
 *
 * - `execute`: runs an effect through the circuit of a key.
 * - `executeWith`: the same for a call that may have to queue before it is sent. Its `recheck` admits it anew after the wait:
 *   a circuit that opened meanwhile fails it, one that closed takes it as a call of now, and a free place in a half-open one
 *   makes it the probe.
 * - `executeStream`, `executeStreamWith`: the same for streams. A stream is admitted when it is opened, and judged when it
 *   ends or fails. One that its consumer drops counts as `Alive` if content had arrived, else as `Ignored`.
 * - `state`, `states`: the state that decides about a key, and that of all circuits that are kept: a closed one that never
 *   opened is kept only while it counts something.
 * - `transitions`: each change from now on; ends with the scope of the breaker. A reader that falls 128 behind loses the
 *   oldest.
 * - `isolate`, `reset`: open by hand until a reset; close, and forget everything. Without a key they concern all keys.
 *
 * @category models
 * @since 0.1.0
 */
export interface CircuitBreaker<in E = HasVerdict> {
  readonly execute: {
    <const Options extends CallOptions>(
      options: Options
    ): <A, E2 extends E, R>(self: Effect.Effect<A, E2, R>) => Effect.Effect<A, E2 | RejectedBy<Options>, R>
    <A, E2 extends E, R, const Options extends CallOptions>(
      self: Effect.Effect<A, E2, R>,
      options: Options
    ): Effect.Effect<A, E2 | RejectedBy<Options>, R>
  }
  readonly executeWith: <const Options extends CallOptions, A, E2 extends E | RejectedBy<Options>, R>(
    options: Options,
    use: (recheck: Effect.Effect<void, RejectedBy<Options>>) => Effect.Effect<A, E2, R>
  ) => Effect.Effect<A, E2 | RejectedBy<Options>, R>
  readonly executeStream: {
    <A, const Options extends CallOptions>(
      options: Options & StreamCallOptions<A>
    ): <B extends A, E2 extends E, R>(self: Stream.Stream<B, E2, R>) => Stream.Stream<B, E2 | RejectedBy<Options>, R>
    <A, E2 extends E, R, const Options extends CallOptions>(
      self: Stream.Stream<A, E2, R>,
      options: Options & StreamCallOptions<A>
    ): Stream.Stream<A, E2 | RejectedBy<Options>, R>
  }
  readonly executeStreamWith: <const Options extends CallOptions, A, E2 extends E | RejectedBy<Options>, R>(
    options: Options & StreamCallOptions<A>,
    use: (recheck: Effect.Effect<void, RejectedBy<Options>>) => Stream.Stream<A, E2, R>
  ) => Stream.Stream<A, E2 | RejectedBy<Options>, R>
  readonly state: (key: string) => Effect.Effect<State>
  readonly states: Effect.Effect<ReadonlyArray<State>>
  readonly transitions: Stream.Stream<Transition>
  readonly isolate: (key?: string) => Effect.Effect<void>
  readonly reset: (key?: string) => Effect.Effect<void>
}

/**
 * Options of {@link make}.
 *
 * **Details**
 *
 * - `failures`: failures in a row that open the circuit; 5. `false` leaves it to the ratio, to trips and to `isolate`. Calls
 *   that were sent together and fail together have met a full service, not one that is down: such a burst opens the circuit
 *   with the first failure of a call that began after it, or once it has lasted for a second.
 * - `ratio`: opens at a failure when at least `threshold` (0.5) of the calls that ended within `window` (1 minute) failed,
 *   and there were at least `minimumCalls` (10) of them. Off unless given; beside `failures`, whichever comes first. The
 *   window is of time, and forgets a tenth of itself at once; make it longer than calls usually take.
 * - `openFor`: how long it stays open: a duration, a schedule of which each step is one opening of a row, or an
 *   {@link OpenFor}; {@link growing}. A row ends when the circuit has stayed closed for as long as it was last open. The
 *   steps of a schedule must not wait.
 * - `maxServerOpenFor`: the longest that a server may ask the circuit to stay open, 60 s; what it asks for is a minimum.
 * - `closeAfter`: good probes in a row that close it; 2.
 * - `probeLease`: how long a probe keeps its place; 2 minutes. What it reports later counts for nothing, if another call took
 *   the place. Not shorter than the timeout of a call.
 * - `spread`: callers that were rejected come back over at most this time, 1 s: 5 ms for each caller that met the same
 *   opening, so that one alone loses nothing.
 * - `maxKeys`: circuits that are kept at most, 10,000. The closed one used least recently makes way for a new one. One that
 *   counted nothing for an hour is forgotten.
 *
 * @category models
 * @since 0.1.0
 */
export interface CircuitBreakerOptions {
  readonly failures?: number | false | undefined
  readonly ratio?: {
    readonly threshold?: number | undefined
    readonly window?: Duration.Input | undefined
    readonly minimumCalls?: number | undefined
  } | undefined
  readonly openFor?: Duration.Input | Schedule.Schedule<unknown, Opening> | OpenFor | undefined
  readonly maxServerOpenFor?: Duration.Input | undefined
  readonly closeAfter?: number | undefined
  readonly probeLease?: Duration.Input | undefined
  readonly spread?: Duration.Input | undefined
  readonly maxKeys?: number | undefined
}

const owner = "CircuitBreaker.make"

const count = (option: string, value: number): number => {
  if (!Number.isInteger(value) || value < 1) {
    throw OptionCheck.refuse(owner, option, "a whole number of at least 1", value)
  }
  return value
}

const millis = (option: string, value: Duration.Input, bounds: { readonly positive?: boolean }): number =>
  Duration.toMillis(OptionCheck.duration(owner, option, value, bounds))

const settingsOf = (options: CircuitBreakerOptions): Settings => ({
  failures: options.failures === false ? Number.POSITIVE_INFINITY : count("failures", options.failures ?? 5),
  ratio: options.ratio === undefined ? undefined : {
    // A threshold of zero would open at the first failure, whatever the ratio.
    threshold: OptionCheck.number(owner, "ratio.threshold", options.ratio.threshold ?? 0.5, Number.MIN_VALUE, 1),
    window: millis("ratio.window", options.ratio.window ?? "1 minute", { positive: true }),
    minimumCalls: count("ratio.minimumCalls", options.ratio.minimumCalls ?? 10)
  },
  closeAfter: count("closeAfter", options.closeAfter ?? 2),
  probeLease: millis("probeLease", options.probeLease ?? "2 minutes", { positive: true }),
  maxServerOpenFor: millis("maxServerOpenFor", options.maxServerOpenFor ?? "60 seconds", {}),
  spread: millis("spread", options.spread ?? "1 second", {}),
  maxKeys: count("maxKeys", options.maxKeys ?? 10_000)
})

const rejectionError = (rejection: Rejection): CircuitOpenError => new CircuitOpenError(rejection)

const fromBreaker = <E>(
  breaker: Breaker,
  judge: (error: unknown) => Outcome,
  transitions: Stream.Stream<Transition>
): CircuitBreaker<E> => {
  const callOf = <Options extends CallOptions>(options: Options): Call<RejectedBy<Options>> => ({
    breaker,
    key: options.key,
    judge,
    // What `RejectedBy` says of the options, which the compiler cannot follow.
    orElse: (options.orElse ?? rejectionError) as (rejection: Rejection) => RejectedBy<Options>
  })
  const rulesOf = <A>({ goodProbeAt, isContent }: StreamCallOptions<A>): StreamRules<A> => ({
    isContent,
    goodProbeAt: goodProbeAt ?? "end"
  })

  const execute = <A, E2 extends E, R, Options extends CallOptions>(self: Effect.Effect<A, E2, R>, options: Options) =>
    runEffect(callOf<Options>(options), () => self)

  const executeStream = <A, E2 extends E, R, Options extends CallOptions>(
    self: Stream.Stream<A, E2, R>,
    options: Options & StreamCallOptions<A>
  ) => runStream(callOf<Options>(options), rulesOf(options), () => self)

  return {
    execute: dual(2, execute),
    executeWith: <const Options extends CallOptions, A, E2 extends E | RejectedBy<Options>, R>(
      options: Options,
      use: (recheck: Effect.Effect<void, RejectedBy<Options>>) => Effect.Effect<A, E2, R>
    ) => {
      const call = callOf<Options>(options)
      return runEffect(call, (permit) => use(admit(call, permit)))
    },
    executeStream: dual(2, executeStream),
    executeStreamWith: <const Options extends CallOptions, A, E2 extends E | RejectedBy<Options>, R>(
      options: Options & StreamCallOptions<A>,
      use: (recheck: Effect.Effect<void, RejectedBy<Options>>) => Stream.Stream<A, E2, R>
    ) => {
      const call = callOf<Options>(options)
      return runStream(call, rulesOf(options), (permit) => use(admit(call, permit)))
    },
    state: (key) => Effect.sync(() => breaker.state(key)),
    states: Effect.sync(() => breaker.states()),
    transitions,
    isolate: (key) =>
      Effect.withFiber((fiber) => {
        breaker.isolate(key, fiber)
        return Effect.void
      }),
    reset: (key) =>
      Effect.withFiber((fiber) => {
        breaker.reset(key, fiber)
        return Effect.void
      })
  }
}

/**
 * Makes a circuit breaker. It starts no fiber; its scope ends `transitions`.
 *
 * **When to use**
 *
 * Make one for all calls to a service and keep it: a breaker made for each call never opens. Errors must carry a verdict, or
 * `classify` says what one means: a `Verdict`, or an {@link Outcome} where that is too coarse.
 *
 * **Details**
 *
 * Of a verdict, `serverError`, `overloaded`, `connection` and `timeout` are a `Failure`, `rateLimited`, `conflict` and
 * `rejected` are `Ignored`, and a `Stop` is `Alive`, unless it comes from a policy of this package, which is no answer of
 * the service.
 *
 * **Example** (Waiting for the circuit within a deadline)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
 * import * as Deadline from "@effect-claude/resilience/Deadline"
 * import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Effect from "effect/Effect"
 *
 * let requests = 0
 * const request = Effect.suspend(() => {
 *   requests += 1
 *   return requests <= 2 ? Effect.fail({ verdict: Verdict.retry("serverError") }) : Effect.succeed("answer")
 * })
 *
 * const program = Effect.gen(function*() {
 *   const breaker = yield* CircuitBreaker.make({ failures: 2, openFor: "50 millis", closeAfter: 1 })
 *   return yield* request.pipe(
 *     breaker.execute({ key: "shop" }),
 *     Effect.retry(RetrySchedule.standard({ attempts: 4, base: "1 millis" })),
 *     Deadline.withDeadline("10 seconds")
 *   )
 * }).pipe(Effect.scoped)
 *
 * assert.strictEqual(await Effect.runPromise(program), "answer")
 * assert.strictEqual(requests, 3)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: {
  (
    options?: CircuitBreakerOptions & { readonly classify?: undefined }
  ): Effect.Effect<CircuitBreaker, never, Scope.Scope>
  <E>(
    options: CircuitBreakerOptions & { readonly classify: (error: E) => Outcome | Verdict }
  ): Effect.Effect<CircuitBreaker<E>, never, Scope.Scope>
} = <E extends HasVerdict>(
  options: CircuitBreakerOptions & { readonly classify?: ((error: E) => Outcome | Verdict) | undefined } = {}
): Effect.Effect<CircuitBreaker<E>, never, Scope.Scope> => {
  const settings = settingsOf(options)
  const startRow = openTimes(options.openFor ?? growing())
  const { classify } = options
  const judge = classify === undefined ? outcomeOfError : (error: E) => outcomeOfVerdict(classify(error))
  // Only errors of the type E come in through the methods of the breaker.
  const judgeUnknown = (error: unknown): Outcome => judge(error as E)

  return Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const transitions = yield* PubSub.sliding<Take.Take<Transition>>(128)
    yield* Effect.addFinalizer(() => PubSub.end(transitions, Exit.void))
    const breaker = new Breaker(settings, startRow, clock, (transition) => {
      PubSub.publishUnsafe(transitions, [transition])
    })
    return fromBreaker<E>(breaker, judgeUnknown, Stream.fromPubSubTake(transitions))
  })
}
