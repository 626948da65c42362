/**
 * Retry budgets: one bucket of tokens that all calls of a client share and that retries and hedges draw on, so that an
 * outage is not met with a multiple of the requests.
 *
 * **Details**
 *
 * A retry takes tokens when it is decided, more for a failure that costs the service more. A call that succeeds gives back
 * what its last retry took; one whose first request succeeds adds one token. In a healthy service the bucket stays full. In
 * an outage it is soon empty, and each call then fails with the failure of its first attempt.
 *
 * **Example** (Sharing a budget between calls)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
 * import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Effect from "effect/Effect"
 *
 * const budget = RetryBudget.makeUnsafe({ capacity: 50 })
 * let requests = 0
 * const call = Effect.suspend(() => {
 *   requests += 1
 *   return Effect.fail({ verdict: Verdict.retry("connection") })
 * }).pipe(RetryBudget.retry({ schedule: RetrySchedule.standard({ base: 0 }), budget }))
 *
 * await Effect.runPromise(Effect.forEach(Array.from({ length: 100 }), () => Effect.ignore(call)))
 *
 * // 100 calls and the three retries that 50 tokens pay for, where the schedule alone would have sent 300.
 * assert.strictEqual(requests, 103)
 * ```
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { NoInfer } from "effect/Types"
import { BudgetAccount, CurrentBudgetAccount, type RetryRun } from "./internal/budget/BudgetAccount.ts"
import { makeMemoryBudget } from "./internal/budget/MemoryBudget.ts"
import { withoutStack } from "./internal/WithoutStack.ts"
import * as OptionCheck from "./OptionCheck.ts"
import * as Retry from "./Retry.ts"
import type { HasVerdict, RetryKind, Verdict } from "./Verdict.ts"
import * as Verdicts from "./Verdict.ts"

/**
 * What a budget is asked to pay for: a retry after a failure of some kind, or a hedge.
 *
 * @category models
 * @since 0.1.0
 */
export type Expense = RetryKind | "hedge"

/**
 * A bucket of tokens that retries and hedges draw on.
 *
 * **When to use**
 *
 * {@link make} makes one in memory. Write one of your own to share it between processes: the combinators of this module
 * use no more than what is here.
 *
 * **Details**
 *
 * - `capacity`: the tokens in a full bucket
 * - `level`: the tokens that are in it
 * - `cost`: the tokens that an expense takes for a call of some weight, never more than `capacity`
 * - `withdraw`: takes so many tokens, or none and answers `false`
 * - `deposit`: puts tokens in, up to `capacity`
 *
 * **Gotchas**
 *
 * A withdrawal and a deposit are not interrupted, so that no token is lost. One that asks another machine needs a timeout of
 * its own: a call waits for it, past its deadline too.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryBudget {
  readonly capacity: number
  readonly level: Effect.Effect<number>
  readonly cost: (expense: Expense, weight: number) => number
  readonly withdraw: (amount: number) => Effect.Effect<boolean>
  readonly deposit: (amount: number) => Effect.Effect<void>
}

/**
 * Options of {@link make}.
 *
 * **Details**
 *
 * - `capacity`: the tokens in a full bucket; 500
 * - `costs`: the tokens that a retry takes by the kind of the failure, and a hedge; 14, and 5 after `rateLimited` and
 *   `overloaded`. After `rejected` nothing, for nothing was sent. Multiplied by the weight of the call.
 * - `refill`: tokens that come by themselves, evenly over time; none
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly capacity?: number | undefined
  readonly costs?: { readonly [E in Expense]?: number | undefined } | undefined
  readonly refill?: { readonly tokens: number; readonly every: Duration.Input } | undefined
}

/**
 * Makes a full budget at once, for a module's top level.
 *
 * **When to use**
 *
 * Use where there is no Effect to make it in. Otherwise use {@link make}, whose details apply.
 *
 * **Example** (Making a budget at the top level)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
 *
 * const budget = RetryBudget.makeUnsafe({ capacity: 100, costs: { timeout: 20 } })
 *
 * assert.strictEqual(budget.cost("timeout", 1), 20)
 * assert.strictEqual(budget.cost("timeout", 10), 100)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (options: Options = {}): RetryBudget => makeMemoryBudget(options)

/**
 * Makes a full budget.
 *
 * **Details**
 *
 * The numbers are those of the standard mode of the AWS SDKs: 500 tokens; a retry takes 14, or 5 after a failure that only
 * says "not so fast"; success gives back what the last retry took, or adds 1 if there was none. A full bucket pays for 35
 * retries of failures in a row, or for 100 after an overload; in the long run about one call in 15 may be
 * retried in vain. A hedge takes 14, and as no success gives that back, no more than about 7 % of the calls can be hedged
 * in the long run.
 *
 * There is no refill over time, unless `refill` says so: the bucket tells how healthy the service is, not how late it is.
 * A first attempt never needs a token, so that an empty bucket fills again by the calls that succeed. A client with little
 * traffic may want a slow `refill`.
 *
 * A cost is never more than `capacity`: a call of great weight may be retried, but only by a full bucket.
 *
 * A wrong option throws a `RangeError` that names it.
 *
 * **Example** (Reading the level)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
 * import * as Effect from "effect/Effect"
 *
 * const level = Effect.gen(function*() {
 *   const budget = yield* RetryBudget.make()
 *   yield* budget.withdraw(budget.cost("serverError", 1))
 *   return yield* budget.level
 * })
 *
 * assert.strictEqual(await Effect.runPromise(level), 486)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<RetryBudget> => Effect.sync(() => makeUnsafe(options))

/**
 * What a retry that could not be paid for was about.
 *
 * **Details**
 *
 * - `cause`: the failure that asked for the retry
 * - `cost`: the tokens it would have taken
 * - `level`: the tokens that were left
 * - `capacity`: the tokens of a full bucket
 *
 * @category models
 * @since 0.1.0
 */
export interface Exhausted<out E> {
  readonly cause: E
  readonly cost: number
  readonly level: number
  readonly capacity: number
}

// `Data.TaggedError` takes the fields as a type argument, and there the class's own `E` is out of scope.
const TaggedExhausted: new<E>(
  fields: Exhausted<E>
) => Cause.YieldableError & { readonly _tag: "RetryBudgetExhaustedError" } & Exhausted<E> = Data.TaggedError(
  "RetryBudgetExhaustedError"
)

/**
 * Fails a call whose schedule wanted another attempt that the budget could not pay for.
 *
 * **Details**
 *
 * `cause` is the failure that asked for the attempt. The verdict is `Stop`: whoever tries again further out would undo what
 * the budget is for.
 *
 * **Example** (Handling an empty budget)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
 * import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Effect from "effect/Effect"
 *
 * const budget = RetryBudget.makeUnsafe({ capacity: 20 })
 * const message = Effect.fail({ code: "ECONNRESET", verdict: Verdict.retry("connection") }).pipe(
 *   RetryBudget.retry({ schedule: RetrySchedule.standard({ base: 0 }), budget }),
 *   Effect.catchTag("RetryBudgetExhaustedError", (error) => Effect.succeed(`${error.cause.code}: ${error.message}`))
 * )
 *
 * assert.strictEqual(
 *   await Effect.runPromise(message),
 *   "ECONNRESET: Retry budget exhausted: another attempt costs 14, and 6 of 20 are left"
 * )
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class RetryBudgetExhaustedError<out E> extends TaggedExhausted<E> {
  override get message(): string {
    return `Retry budget exhausted: another attempt costs ${this.cost}, and ${this.level} of ${this.capacity} are left`
  }

  get verdict(): Verdict {
    return Verdicts.stop
  }
}

/**
 * What pays for the retries and hedges of a call.
 *
 * **Details**
 *
 * - `budget`: the bucket that is drawn on
 * - `weight`: multiplies what the call's retries and hedges cost; 1. A function is asked once, when something is to be paid
 *   for, so that an estimate costs a call that succeeds nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface BudgetOptions {
  readonly budget: RetryBudget
  readonly weight?: number | (() => number) | undefined
}

const weightOf = (owner: string, { weight = 1 }: BudgetOptions): number | (() => number) =>
  typeof weight === "number" ? OptionCheck.number(owner, "weight", weight, 0) : weight

/**
 * Opens an account for a call: what the schedules inside that are guarded by {@link guard} pay, and the hedges of `Hedge`,
 * is drawn on the budget, and settled when the call ends.
 *
 * **When to use**
 *
 * Use around one call, outside of its retries. {@link retry} does this, {@link guard} and the retrying at once.
 *
 * **Details**
 *
 * When the call succeeds, what its last retry took goes back; if its first request succeeded, and no other was sent, one
 * token is added. When it fails, what its retries took stays taken, but for a retry that was interrupted before its wait
 * was over.
 *
 * **Gotchas**
 *
 * All that runs inside counts as one call. Give each of several calls an account of its own.
 *
 * **Example** (Paying for the retries of Effect.retry)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 *
 * const program = Effect.gen(function*() {
 *   const budget = yield* RetryBudget.make()
 *   yield* Effect.fail({ verdict: Verdict.retry("overloaded") }).pipe(
 *     Effect.retry(RetryBudget.guard(Schedule.recurs(2))),
 *     RetryBudget.withBudget({ budget }),
 *     Effect.ignore
 *   )
 *   return yield* budget.level
 * })
 *
 * assert.strictEqual(await Effect.runPromise(program), 490)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withBudget: {
  (options: BudgetOptions): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, options: BudgetOptions): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, options: BudgetOptions): Effect.Effect<A, E, R> => {
  const weight = weightOf("RetryBudget.withBudget", options)
  return Effect.suspend(() => {
    const account = new BudgetAccount(options.budget, weight)
    return Effect.onExitPrimitive(
      Effect.provideService(self, CurrentBudgetAccount, account),
      (exit) => account.close(exit)
    )
  })
})

/**
 * Opens an account for a stream, as {@link withBudget} does for an effect, until the stream ends.
 *
 * **Details**
 *
 * A stream that its consumer leaves before the end counts as a success.
 *
 * **Example** (Paying for the retries of a stream)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Retry from "@effect-claude/resilience/Retry"
 * import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 * import * as Stream from "effect/Stream"
 *
 * const budget = RetryBudget.makeUnsafe()
 * const stream = Stream.fail({ verdict: Verdict.retry("overloaded") }).pipe(
 *   Retry.retryStream({ schedule: RetryBudget.guard(Schedule.recurs(2)), isContent: () => true }),
 *   RetryBudget.streamWithBudget({ budget })
 * )
 *
 * await Effect.runPromise(Effect.ignore(Stream.runDrain(stream)))
 * assert.strictEqual(await Effect.runPromise(budget.level), 490)
 * ```
 *
 * @category streams
 * @since 0.1.0
 */
export const streamWithBudget: {
  (options: BudgetOptions): <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E, R>
  <A, E, R>(self: Stream.Stream<A, E, R>, options: BudgetOptions): Stream.Stream<A, E, R>
} = dual(2, <A, E, R>(self: Stream.Stream<A, E, R>, options: BudgetOptions): Stream.Stream<A, E, R> => {
  const weight = weightOf("RetryBudget.streamWithBudget", options)
  return Stream.suspend(() => {
    const account = new BudgetAccount(options.budget, weight)
    return Stream.onExit(
      Stream.provideService(self, CurrentBudgetAccount, account),
      (exit) => account.close(exit)
    )
  })
})

/**
 * How {@link guard} reads failures, and what it fails with.
 *
 * **Details**
 *
 * - `classify`: the verdict on a failure, for errors that carry none
 * - `onExhausted`: makes the error for a retry that cannot be paid for; a {@link RetryBudgetExhaustedError}
 *
 * @category models
 * @since 0.1.0
 */
export interface GuardOptions<in E, out E2> {
  readonly classify?: ((error: E) => Verdict) | undefined
  readonly onExhausted?: ((exhausted: Exhausted<E>) => E2) | undefined
}

interface Classified<in E> {
  readonly classify: (error: E) => Verdict
}

type Step<Out, E, E2, R2> = (now: number, error: E) => Pull.Pull<[Out, Duration.Duration], E2, Out, R2>

const ownVerdict = (error: HasVerdict): Verdict => error.verdict

const paying = <Out, E, E2, R2, E3>(
  schedule: Schedule.Schedule<Out, E, E2, R2>,
  { onExhausted }: Pick<GuardOptions<E, E3>, "onExhausted">,
  classify: (error: E) => Verdict
): Schedule.Schedule<Out, E, E2 | E3 | RetryBudgetExhaustedError<E>, R2> => {
  const refuse = (budget: RetryBudget, cause: E, cost: number) =>
    Effect.flatMap(budget.level, (level) => {
      const exhausted = { cause, cost, level, capacity: budget.capacity }
      return Effect.fail(
        onExhausted === undefined
          ? withoutStack(() => new RetryBudgetExhaustedError(exhausted))
          : onExhausted(exhausted)
      )
    })

  const payingStep = (
    { budget }: BudgetAccount,
    run: RetryRun,
    step: Step<Out, E, E2, R2>
  ): Step<Out, E, E2 | E3 | RetryBudgetExhaustedError<E>, R2> =>
  (now, error) => {
    const verdict = classify(error)
    const kind = verdict._tag === "Stop" ? "stop" : verdict.kind
    const decided = Effect.flatMap(step(now, error), (decision) =>
      Effect.flatMap(
        // A withdrawal that nobody has noted down would never be settled.
        Effect.uninterruptible(run.pay(kind, decision[1])),
        (unpaid) => unpaid === undefined ? Effect.succeed(decision) : refuse(budget, error, unpaid)
      ))
    return Effect.andThen(run.failed(kind), decided)
  }

  return Schedule.fromStep(
    Effect.flatMap(
      Schedule.toStep(schedule),
      (step) =>
        Effect.map(
          CurrentBudgetAccount,
          (account): Step<Out, E, E2 | E3 | RetryBudgetExhaustedError<E>, R2> =>
            account === undefined ? step : payingStep(account, account.openRun(), step)
        )
    )
  )
}

/**
 * Makes a schedule pay for each retry it decides.
 *
 * **When to use**
 *
 * Use inside of {@link withBudget} or {@link streamWithBudget}, in any combinator that takes a schedule. Put it around the
 * whole schedule, so that it sees what is decided in the end.
 *
 * **Details**
 *
 * The retry is paid for when it is decided, by the kind of the failure's verdict; a retry after a `Stop` costs as much as
 * one after a `serverError`. If the budget cannot pay, the schedule fails with {@link RetryBudgetExhaustedError}. If the
 * schedule ends by itself, the budget is not asked and the failure comes out as it is.
 *
 * A `rejected` failure costs nothing, for nothing was sent; what had been paid for the attempt that was turned away goes
 * back at once. That does not make the next attempt free of charge: if it fails, its cost is due with that of the retry
 * after it.
 *
 * **Gotchas**
 *
 * Where no budget is in force the schedule is as it was. A combinator around this one that changes the wait
 * (`Schedule.jittered`) hides from it when the attempt starts, and with that whether an interrupted retry was sent.
 *
 * **Example** (Guarding a schedule of one's own)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 *
 * const schedule = RetryBudget.guard(Schedule.recurs(10), {
 *   classify: (_status: number) => Verdict.retry("serverError"),
 *   onExhausted: ({ cause, level }) => `status ${cause}, ${level} tokens left`
 * })
 * const error = Effect.fail(503).pipe(
 *   Effect.retry(schedule),
 *   RetryBudget.withBudget({ budget: RetryBudget.makeUnsafe({ capacity: 30 }) }),
 *   Effect.flip
 * )
 *
 * assert.strictEqual(await Effect.runPromise(error), "status 503, 2 tokens left")
 * ```
 *
 * @category schedules
 * @since 0.1.0
 */
export const guard: {
  <Out, E, E2, R2, E3 = RetryBudgetExhaustedError<E>>(
    schedule: Schedule.Schedule<Out, NoInfer<E>, E2, R2>,
    options: GuardOptions<NoInfer<E>, E3> & Classified<E>
  ): Schedule.Schedule<Out, E, E2 | E3, R2>
  <Out, E extends HasVerdict, E2, R2, E3 = RetryBudgetExhaustedError<E>>(
    schedule: Schedule.Schedule<Out, E, E2, R2>,
    options?: GuardOptions<NoInfer<E>, E3>
  ): Schedule.Schedule<Out, E, E2 | E3, R2>
} = <Out, E, E2, R2, E3>(
  schedule: Schedule.Schedule<Out, E & HasVerdict, E2, R2>,
  options?: GuardOptions<E & HasVerdict, E3>
): Schedule.Schedule<Out, E & HasVerdict, E2 | E3 | RetryBudgetExhaustedError<E>, R2> =>
  paying(schedule, options ?? {}, options?.classify ?? ownVerdict)

/**
 * Options of {@link retry}.
 *
 * **Details**
 *
 * - `schedule`: decides on each failure, before the budget is asked
 *
 * The others are those of {@link withBudget} and {@link guard}.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryOptions<in E, Out, out E2, out R2, out E3> extends BudgetOptions, GuardOptions<E, E3> {
  readonly schedule: Schedule.Schedule<Out, E, E2, R2>
}

/**
 * Retries an effect by a schedule for as long as a budget pays for it.
 *
 * **When to use**
 *
 * Use it for calls to one service that share one budget: then an outage costs the service few requests more than there are
 * calls, however many the schedule would allow.
 *
 * **Details**
 *
 * The same as `Retry.retry` with a schedule under {@link guard}, in {@link withBudget}. When the schedule wants another
 * attempt and the budget cannot pay for it, the call fails with {@link RetryBudgetExhaustedError}, or with what
 * `onExhausted` makes of it. A retry that is interrupted before its wait is over gives back what it took.
 *
 * **Example** (Weighing a retry by its size)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
 * import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Effect from "effect/Effect"
 *
 * const budget = RetryBudget.makeUnsafe({ capacity: 100 })
 * const upload = (megabytes: number) =>
 *   Effect.fail({ name: "reset", verdict: Verdict.retry("connection") }).pipe(
 *     RetryBudget.retry({ schedule: RetrySchedule.standard({ base: 0 }), budget, weight: megabytes }),
 *     Effect.flip
 *   )
 *
 * const error = await Effect.runPromise(upload(6))
 * assert.instanceOf(error, RetryBudget.RetryBudgetExhaustedError)
 * assert.strictEqual(await Effect.runPromise(budget.level), 16)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const retry: {
  <E, Out, E2, R2, E3 = RetryBudgetExhaustedError<E>>(
    options: RetryOptions<NoInfer<E>, Out, E2, R2, E3> & Classified<E>
  ): <A, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | E2 | E3, R | R2>
  <E extends HasVerdict, Out, E2, R2, E3 = RetryBudgetExhaustedError<E>>(
    options: RetryOptions<NoInfer<E>, Out, E2, R2, E3>
  ): <A, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | E2 | E3, R | R2>
  <A, E, R, Out, E2, R2, E3 = RetryBudgetExhaustedError<E>>(
    self: Effect.Effect<A, E, R>,
    options: RetryOptions<NoInfer<E>, Out, E2, R2, E3> & Classified<NoInfer<E>>
  ): Effect.Effect<A, E | E2 | E3, R | R2>
  <A, E extends HasVerdict, R, Out, E2, R2, E3 = RetryBudgetExhaustedError<E>>(
    self: Effect.Effect<A, E, R>,
    options: RetryOptions<NoInfer<E>, Out, E2, R2, E3>
  ): Effect.Effect<A, E | E2 | E3, R | R2>
} = dual(2, <A, E extends HasVerdict, R, Out, E2, R2, E3>(
  self: Effect.Effect<A, E, R>,
  options: RetryOptions<E, Out, E2, R2, E3>
): Effect.Effect<A, E | E2 | E3 | RetryBudgetExhaustedError<E>, R | R2> =>
  withBudget(Retry.retry(self, paying(options.schedule, options, options.classify ?? ownVerdict)), options))

/**
 * Options of {@link retryStream}: those of {@link retry}, and those of `Retry.retryStream`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryStreamOptions<in A, in E, Out, out E2, out R2, out E3>
  extends RetryOptions<E, Out, E2, R2, E3>, Omit<Retry.RetryStreamOptions<A, E, Out, E2, R2>, "schedule">
{}

/**
 * Retries a stream by a schedule, for as long as it has emitted no content and a budget pays for it.
 *
 * **Details**
 *
 * The same as `Retry.retryStream` with a schedule under {@link guard}, in {@link streamWithBudget}.
 *
 * **Example** (Retrying a stream within a budget)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as RetryBudget from "@effect-claude/resilience/RetryBudget"
 * import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const answer = Stream.fail({ verdict: Verdict.retry("timeout") }).pipe(
 *   RetryBudget.retryStream({
 *     schedule: RetrySchedule.standard({ base: 0 }),
 *     budget: RetryBudget.makeUnsafe({ capacity: 20 }),
 *     isContent: () => true
 *   }),
 *   Stream.catchTag("RetryBudgetExhaustedError", () => Stream.make("no answer"))
 * )
 *
 * assert.deepStrictEqual(await Effect.runPromise(Stream.runCollect(Stream.catch(answer, () => Stream.empty))), ["no answer"])
 * ```
 *
 * @category streams
 * @since 0.1.0
 */
export const retryStream: {
  <A, E, Out, E2, R2, E3 = RetryBudgetExhaustedError<E>>(
    options: RetryStreamOptions<A, NoInfer<E>, Out, E2, R2, E3> & Classified<E>
  ): <B extends A, R>(self: Stream.Stream<B, E, R>) => Stream.Stream<B, E | E2 | E3, R | R2>
  <A, E extends HasVerdict, Out, E2, R2, E3 = RetryBudgetExhaustedError<E>>(
    options: RetryStreamOptions<A, NoInfer<E>, Out, E2, R2, E3>
  ): <B extends A, R>(self: Stream.Stream<B, E, R>) => Stream.Stream<B, E | E2 | E3, R | R2>
  <A, E, R, Out, E2, R2, E3 = RetryBudgetExhaustedError<E>>(
    self: Stream.Stream<A, E, R>,
    options: RetryStreamOptions<NoInfer<A>, NoInfer<E>, Out, E2, R2, E3> & Classified<NoInfer<E>>
  ): Stream.Stream<A, E | E2 | E3, R | R2>
  <A, E extends HasVerdict, R, Out, E2, R2, E3 = RetryBudgetExhaustedError<E>>(
    self: Stream.Stream<A, E, R>,
    options: RetryStreamOptions<NoInfer<A>, NoInfer<E>, Out, E2, R2, E3>
  ): Stream.Stream<A, E | E2 | E3, R | R2>
} = dual(2, <A, E extends HasVerdict, R, Out, E2, R2, E3>(
  self: Stream.Stream<A, E, R>,
  options: RetryStreamOptions<A, E, Out, E2, R2, E3>
): Stream.Stream<A, E | E2 | E3 | RetryBudgetExhaustedError<E>, R | R2> =>
  streamWithBudget(
    Retry.retryStream(self, {
      schedule: paying(options.schedule, options, options.classify ?? ownVerdict),
      isContent: options.isContent,
      isTransparent: options.isTransparent
    }),
    options
  ))
