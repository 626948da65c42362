/**
 * Retry schedules: exponential backoff with jitter, waits by kind of failure, the server's own wait, and a deadline.
 *
 * A schedule made here is a plain `Schedule`. It works in `Effect.retry`, in `Retry.retry` and `Retry.retryStream`, and
 * composes with every combinator of `effect/Schedule`.
 *
 * **Example** (Retrying a database query)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Data from "effect/Data"
 * import * as Effect from "effect/Effect"
 *
 * class DbError extends Data.TaggedError("DbError")<{ readonly sqlState: string }> {}
 *
 * const schedule = RetrySchedule.standard({
 *   base: "1 millis",
 *   classify: (error: DbError) => error.sqlState === "40001" ? Verdict.retry("conflict") : Verdict.stop
 * })
 *
 * let queries = 0
 * const query = Effect.suspend(() => {
 *   queries += 1
 *   return queries === 1 ? Effect.fail(new DbError({ sqlState: "40001" })) : Effect.succeed("rows")
 * })
 *
 * assert.strictEqual(await Effect.runPromise(Effect.retry(query, schedule)), "rows")
 * ```
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Backoff from "./internal/Backoff.ts"
import { CurrentDeadline } from "./internal/CurrentDeadline.ts"
import * as MonotonicTime from "./internal/MonotonicTime.ts"
import * as OptionCheck from "./OptionCheck.ts"
import type { HasVerdict, RetryKind, Verdict } from "./Verdict.ts"
import { retryKinds } from "./Verdict.ts"

/**
 * How the computed backoff is spread, so that clients that failed together do not come back together.
 *
 * **Details**
 *
 * With `v = min(cap, base * factor^(retry - 1))`, and `U(a, b)` uniform between `a` and `b`:
 *
 * - `full`: `U(0, v)`
 * - `equal`: `v / 2 + U(0, v / 2)`
 * - `decorrelated`: `min(cap, U(base, 3 * previous))`, where the first `previous` is `base`
 * - `none`: `v`
 *
 * Full jitter is the default: for the least load on a contended service the simulation of the AWS Architecture Blog
 * ("Exponential Backoff and Jitter") favours it.
 *
 * @category models
 * @since 0.1.0
 */
export type Jitter = "full" | "equal" | "decorrelated" | "none"

/**
 * The shape of a backoff.
 *
 * **Details**
 *
 * - `base`: the first wait before jitter; 500 ms. Zero retries at once.
 * - `cap`: no backoff is longer; 20 s. Must not be shorter than `base`.
 * - `factor`: how much longer each wait is than the one before; 2. At least 1; refused with `decorrelated`, which has no
 *   use for it.
 * - `jitter`: `"full"`.
 *
 * @category models
 * @since 0.1.0
 */
export interface BackoffOptions {
  readonly base?: Duration.Input | undefined
  readonly cap?: Duration.Input | undefined
  readonly factor?: number | undefined
  readonly jitter?: Jitter | undefined
}

/**
 * What one kind of failure does differently from the rest; what is left out is taken from the schedule's own options.
 *
 * **Details**
 *
 * `attempts` is the number of failures of this kind at which the call gives up: with 1 the first one is final.
 *
 * @category models
 * @since 0.1.0
 */
export interface KindOptions extends BackoffOptions {
  readonly attempts?: number | undefined
}

/**
 * Options of {@link standard}.
 *
 * **Details**
 *
 * - `attempts`: how often the effect runs in all, the first run included; 3. `Infinity` leaves the end to a deadline.
 * - `kinds`: what a kind of failure does differently. `rateLimited` and `overloaded` start from a base of 1 s unless
 *   `base` is set here or for the kind.
 * - `serverWaitJitter`: the share of the server's wait by which it may be exceeded, from 0 to 1; 0.2.
 * - `maxWait`: the longest wait a server may ask for; 60 s. If it asks for longer the schedule stops.
 *   `Duration.infinity` lifts the limit.
 *
 * @category models
 * @since 0.1.0
 */
export interface StandardOptions extends BackoffOptions {
  readonly attempts?: number | undefined
  readonly kinds?: { readonly [Kind in RetryKind]?: KindOptions | undefined } | undefined
  readonly serverWaitJitter?: number | undefined
  readonly maxWait?: Duration.Input | undefined
}

/**
 * A decision to try again: what {@link standard} gives out before each wait.
 *
 * **Details**
 *
 * - `attempt`: the number of the attempt that failed, counted from 1
 * - `kind`: the kind of its failure
 * - `wait`: the time until the next attempt
 * - `serverWait`: the wait the server asked for, `undefined` if it did not ask
 *
 * **Gotchas**
 *
 * When a schedule ends it hands its last value to `Effect.retryOrElse`. There `wait` is zero, and `kind` is `"stop"` if
 * the verdict was `Stop`. `Schedule.tap` never sees that value.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryDecision {
  readonly attempt: number
  readonly kind: RetryKind | "stop"
  readonly wait: Duration.Duration
  readonly serverWait: Duration.Duration | undefined
}

const defaults: Backoff.Backoff = { base: 500, cap: 20_000, factor: 2, jitter: "full" }
const longerBase: Partial<Record<RetryKind, number>> = { rateLimited: 1000, overloaded: 1000 }

/**
 * Makes a schedule that waits longer each time and never ends by itself.
 *
 * **When to use**
 *
 * Use when every failure is worth a retry and no server tells how long to wait; add a limit with `Schedule.upTo`.
 * Otherwise use {@link standard}.
 *
 * **Details**
 *
 * The output is the wait. Randomness comes from the `Random` service, so `Random.withSeed` repeats the same waits. A
 * wrong option throws a `RangeError` that names it.
 *
 * **Example** (Reconnecting for ever)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
 * import * as Effect from "effect/Effect"
 *
 * let dials = 0
 * const dial = Effect.suspend(() => ++dials < 4 ? Effect.fail("refused" as const) : Effect.succeed("connected"))
 * const schedule = RetrySchedule.backoff({ base: "1 millis", cap: "5 millis", jitter: "equal" })
 *
 * assert.strictEqual(await Effect.runPromise(Effect.retry(dial, schedule)), "connected")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const backoff = (options: BackoffOptions = {}): Schedule.Schedule<Duration.Duration> => {
  const policy = Backoff.make("RetrySchedule.backoff", "", options, defaults)
  return Schedule.fromStep(Effect.sync(() => {
    let retries = 0
    let previous: number | undefined
    return () =>
      Effect.map(Random.next, (random): [Duration.Duration, Duration.Duration] => {
        retries += 1
        previous = Backoff.wait(policy, retries, previous, random)
        const wait = Duration.millis(previous)
        return [wait, wait]
      })
  }))
}

interface Plan<E> {
  readonly classify: (error: E) => Verdict
  readonly attempts: number
  readonly kinds: Readonly<Record<RetryKind, { readonly backoff: Backoff.Backoff; readonly attempts: number }>>
  readonly serverWaitJitter: number
  readonly maxWait: Duration.Duration
}

const planOf = <E>(options: StandardOptions, classify: (error: E) => Verdict): Plan<E> => {
  const owner = "RetrySchedule.standard"
  const attempts = OptionCheck.attempts(owner, "attempts", options.attempts ?? 3)
  const shared = Backoff.make(owner, "", options, defaults)
  const ofKind = (kind: RetryKind) => {
    const overrides = options.kinds?.[kind] ?? {}
    const limit = overrides.attempts === undefined
      ? kind === "rejected" ? Number.POSITIVE_INFINITY : attempts
      : OptionCheck.attempts(owner, `kinds.${kind}.attempts`, overrides.attempts)
    if (limit > attempts && kind !== "rejected") {
      throw new RangeError(
        `${owner}: option "kinds.${kind}.attempts" must not be greater than "attempts", got ${limit} and ${attempts}`
      )
    }
    const base = options.base === undefined ? longerBase[kind] ?? shared.base : shared.base
    return { backoff: Backoff.make(owner, `kinds.${kind}.`, overrides, { ...shared, base }), attempts: limit }
  }
  const unknownKind = Object.keys(options.kinds ?? {}).find((key) => !retryKinds.some((kind) => kind === key))
  if (unknownKind !== undefined) {
    throw OptionCheck.refuse(owner, "kinds", `keyed by ${retryKinds.join(", ")}`, unknownKind)
  }
  return {
    classify,
    attempts,
    kinds: {
      rateLimited: ofKind("rateLimited"),
      overloaded: ofKind("overloaded"),
      serverError: ofKind("serverError"),
      connection: ofKind("connection"),
      timeout: ofKind("timeout"),
      conflict: ofKind("conflict"),
      rejected: ofKind("rejected")
    },
    serverWaitJitter: OptionCheck.number(owner, "serverWaitJitter", options.serverWaitJitter ?? 0.2, 0, 1),
    maxWait: OptionCheck.duration(owner, "maxWait", options.maxWait ?? "60 seconds", { infinite: true })
  }
}

const fromPlan = <E>(plan: Plan<E>): Schedule.Schedule<RetryDecision, E> =>
  Schedule.fromStep(Effect.sync(() => {
    const failuresOfKind: Partial<Record<RetryKind, number>> = {}
    let failures = 0
    let previous: number | undefined

    // What was never sent is no attempt. Only a deadline bounds how long that may go on, so it takes one to have it free.
    const afterRejection = (
      after: Duration.Duration | undefined,
      remaining: number,
      random: { readonly nextDoubleUnsafe: () => number }
    ) => {
      const { attempts, backoff } = plan.kinds.rejected
      const rejections = failuresOfKind.rejected = (failuresOfKind.rejected ?? 0) + 1
      const serverWait = after === undefined || Duration.isNegative(after) ? undefined : after
      const wait = serverWait === undefined || Duration.isZero(serverWait)
        ? Duration.millis(Backoff.wait(backoff, rejections, undefined, random.nextDoubleUnsafe()))
        : serverWait
      const decision: RetryDecision = { attempt: failures + 1, kind: "rejected", wait, serverWait }
      return rejections >= attempts || Duration.toMillis(wait) >= remaining
        ? Cause.done<RetryDecision>({ ...decision, wait: Duration.zero })
        : Effect.succeed<[RetryDecision, Duration.Duration]>([decision, wait])
    }

    return (_now: number, error: E) =>
      Effect.withFiber((fiber): Effect.Effect<[RetryDecision, Duration.Duration], Cause.Done<RetryDecision>> => {
        const verdict = plan.classify(error)
        const deadline = fiber.getRef(CurrentDeadline)
        const remaining = deadline === undefined
          ? Number.POSITIVE_INFINITY
          : deadline.expiresAt - MonotonicTime.now(fiber.getRef(Clock.Clock))
        const random = fiber.getRef(Random.Random)
        const rejected = verdict._tag === "Retry" && verdict.kind === "rejected"
        if (rejected && deadline !== undefined) return afterRejection(verdict.after, remaining, random)
        failures += 1
        if (verdict._tag === "Stop") {
          return Cause.done({ attempt: failures, kind: "stop", wait: Duration.zero, serverWait: undefined })
        }
        const kind = verdict.kind
        const serverWait = verdict.after === undefined || Duration.isNegative(verdict.after) ? undefined : verdict.after
        const giveUp = Cause.done<RetryDecision>({ attempt: failures, kind, wait: Duration.zero, serverWait })

        const ofKind = plan.kinds[kind]
        const failed = failuresOfKind[kind] = (failuresOfKind[kind] ?? 0) + 1
        if (failures >= plan.attempts || failed >= ofKind.attempts) return giveUp

        const after = serverWait ?? Duration.zero
        if (Duration.isGreaterThan(after, plan.maxWait)) return giveUp

        const delay = previous = Backoff.wait(ofKind.backoff, failures, previous, random.nextDoubleUnsafe())
        const afterMillis = Duration.toMillis(after)
        // An infinite wait ends here too: without a deadline the time that remains is infinite, and not longer.
        if (Math.max(delay, afterMillis) >= remaining) return giveUp

        // Who rejects has spread those it rejected already.
        let spread = rejected ? 0 : plan.serverWaitJitter * afterMillis
        if (afterMillis + spread >= remaining) spread = (remaining - afterMillis) / 2
        const jittered = spread === 0 ? afterMillis : afterMillis + random.nextDoubleUnsafe() * spread
        // Going through a float may have lost a fraction of the server's wait.
        const wait = Duration.max(Duration.millis(Math.max(delay, jittered)), after)
        return Effect.succeed([{ attempt: failures, kind, wait, serverWait }, wait])
      })
  }))

const statedOptions = new WeakMap<object, StandardOptions>()

const ownVerdict = (error: HasVerdict): Verdict => error.verdict

/**
 * Makes the retry schedule to start from: backoff with jitter by kind of failure, the server's wait respected, attempts
 * limited, the deadline kept.
 *
 * **When to use**
 *
 * Use in `Effect.retry`, `Retry.retry` or `Retry.retryStream`. Without `classify` it takes errors that carry a verdict;
 * with `classify` it takes any error, and the compiler refuses the wrong ones.
 *
 * **Details**
 *
 * For each failure, in this order:
 *
 * 1. A `Stop` verdict ends the schedule.
 * 2. So does reaching `attempts`, overall or for the kind.
 * 3. So does a server wait longer than `maxWait`. The wait is compared as the server sent it, before jitter.
 * 4. The backoff comes from the options of the failure's kind. Its exponent counts all retries of the call, whatever
 *    their kinds, and so does the `previous` of decorrelated jitter: a service that fails in several ways is no healthier
 *    than one that fails in one.
 * 5. The wait is the longer of the backoff and the server's wait plus `U(0, serverWaitJitter)` of it. The cap does not
 *    shorten the server's wait, and jitter only ever adds to it: those told to wait 30 s do not all return at once.
 * 6. Inside a deadline (see `Deadline`), a backoff or server wait that leaves no time ends the schedule at once, and
 *    `Effect.retry` fails with the last error. If only the jitter on the server's wait would miss the deadline, it is
 *    drawn from at most half of the time that is left after the server's wait.
 * 7. Inside a deadline, a `rejected` failure (nothing was sent) counts as no attempt: the call waits as long as the
 *    rejection says, exactly, and for a backoff if it does not say. That is how a call waits for an open circuit instead
 *    of failing. `kinds.rejected.attempts` limits it; without a deadline a rejection counts like any other failure.
 *
 * A schedule that ends does so before it gives anything out: `Schedule.tap` sees the retries that happen and no others.
 * Each run counts from zero. Randomness comes from the `Random` service, so `Random.withSeed` repeats the same waits. A
 * wrong option throws a `RangeError` that names it.
 *
 * Three attempts, full jitter and the cap of 20 s are the AWS SDKs' standard mode, the bases the longer ones that suit
 * calls of seconds rather than milliseconds.
 *
 * **Gotchas**
 *
 * The deadline in question is the one around the whole retry, not one around each attempt. Timers of Node may fire up
 * to 1 ms early.
 *
 * **Example** (Retrying an HTTP call)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 *
 * interface HttpError {
 *   readonly status: number
 *   readonly retryAfterSeconds?: number
 * }
 *
 * const waits: Array<string> = []
 * const schedule = RetrySchedule.standard({
 *   classify: (error: HttpError) =>
 *     error.status === 429 ? Verdict.retry("rateLimited", `${error.retryAfterSeconds ?? 0} seconds`) : Verdict.stop,
 *   attempts: 5,
 *   base: "1 millis",
 *   kinds: { timeout: { attempts: 2 } }
 * }).pipe(Schedule.tap(({ output }) => Effect.sync(() => waits.push(output.kind))))
 *
 * const error = await Effect.runPromise(
 *   Effect.fail<HttpError>({ status: 429, retryAfterSeconds: 3600 }).pipe(Effect.retry(schedule), Effect.flip)
 * )
 *
 * assert.deepStrictEqual(error, { status: 429, retryAfterSeconds: 3600 })
 * assert.deepStrictEqual(waits, [])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const standard: {
  <E>(
    options: StandardOptions & { readonly classify: (error: E) => Verdict }
  ): Schedule.Schedule<RetryDecision, E>
  (options?: StandardOptions & { readonly classify?: undefined }): Schedule.Schedule<RetryDecision, HasVerdict>
} = <E>(
  options?: StandardOptions & { readonly classify?: ((error: E) => Verdict) | undefined }
): Schedule.Schedule<RetryDecision, E & HasVerdict> => {
  const schedule = fromPlan(planOf<E & HasVerdict>(options ?? {}, options?.classify ?? ownVerdict))
  const { classify: _, ...stated } = options ?? {}
  statedOptions.set(schedule, stated)
  return schedule
}

/**
 * The options that {@link standard} made a schedule of, as they were stated; `undefined` for any other schedule, and for one
 * that was changed since.
 *
 * **When to use**
 *
 * Use to describe a policy in a test or a log.
 *
 * **Example** (Asking a schedule for its options)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
 * import * as Schedule from "effect/Schedule"
 *
 * assert.deepStrictEqual(RetrySchedule.optionsOf(RetrySchedule.standard({ attempts: 5 })), { attempts: 5 })
 * assert.isUndefined(RetrySchedule.optionsOf(Schedule.recurs(5)))
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const optionsOf = (schedule: object): StandardOptions | undefined => statedOptions.get(schedule)
