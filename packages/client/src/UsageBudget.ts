/**
 * Budgets of tokens or money that stop before they are exceeded.
 *
 * **Details**
 *
 * Before a request is sent, what it may use at most is reserved: its estimated input, and its `max_tokens` of output. A request
 * that does not fit is not sent, and its call fails with a `UsageBudgetExceededError`. What it did use takes the place of the
 * reservation when it ends. Each request draws on the budget: retries, hedges, fallbacks and the parts of a stream too.
 *
 * `ClaudeLayer.withUsageLedger` takes budgets for each call and each key; {@link withBudget} sets one for a part of a program.
 *
 * **Example** (Giving a job a budget)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as UsageBudget from "@effect-claude/client/UsageBudget"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Done") }).pipe(ClaudeLayer.withUsageLedger())
 * const budget = UsageBudget.makeUnsafe({ name: "nightly job", limit: { tokens: 250 } })
 *
 * const job = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* Effect.forever(claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }))
 * }).pipe(UsageBudget.withBudget(budget))
 *
 * const error = await Effect.runPromise(job.pipe(Effect.flip, Effect.provide(Claude)))
 * assert.strictEqual(error._tag, "UsageBudgetExceededError")
 * assert.isAtMost((await Effect.runPromise(budget.level)).spent, 250)
 * ```
 *
 * @since 0.1.0
 */
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Stream from "effect/Stream"
import { type BudgetFacts, BudgetMeter } from "./internal/usage/BudgetMeter.ts"
import { checkPrices } from "./internal/usage/checkPrices.ts"
import { inRegion, streamInRegion } from "./internal/usage/UsageRegion.ts"
import type { Prices } from "./Prices.ts"

/**
 * How much may be used: tokens, of input, output and cache alike, or US dollars.
 *
 * @category models
 * @since 0.1.0
 */
export type Limit =
  | { readonly tokens: number; readonly usd?: undefined }
  | { readonly usd: number; readonly tokens?: undefined }

/**
 * What is reserved for a request.
 *
 * **Details**
 *
 * - `max_tokens`: its whole `max_tokens` of output, and its input at the price of a cache write if it asks for the cache. The
 *   budget is not exceeded, but what is reserved and not used keeps others waiting for a budget that will be there.
 * - `expected`: what answers of the model take on average. More fits at once, and requests under way may exceed the budget
 *   together, by what they use more than that.
 *
 * @category models
 * @since 0.1.0
 */
export type Reserve = "max_tokens" | "expected"

/**
 * What a budget is made of.
 *
 * **Details**
 *
 * - `limit`: how much may be used
 * - `name`: what the budget is called in errors; `"budget"`
 * - `window`: after what time it begins anew, counted from midnight UTC of 1 January 1970, so that a day begins at midnight
 *   UTC; never. What is used counts in the window in which it was sent.
 * - `reserve`: what is reserved for a request; `"max_tokens"`
 * - `prices`: for a limit in dollars; those of the ledger around, else `Prices.known`
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly limit: Limit
  readonly name?: string | undefined
  readonly window?: Duration.Input | undefined
  readonly reserve?: Reserve | undefined
  readonly prices?: Prices | undefined
}

/**
 * How a budget stands, in its unit. `reserved` is for requests under way. `resetsAt` is when its window ends, in milliseconds
 * since the epoch, if it has one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Level {
  readonly spent: number
  readonly reserved: number
  readonly remaining: number
  readonly resetsAt?: number
}

/**
 * The key of a budget's state, which is none of a program's business.
 *
 * @category symbols
 * @since 0.1.0
 */
export const StateKey: unique symbol = Symbol.for("@effect-claude/client/UsageBudget/State")

/**
 * A budget of tokens or money.
 *
 * **Details**
 *
 * - `level`: how it stands
 * - `charge`: counts what was used elsewhere, such as a batch. It is not refused, as it has happened.
 * - `reset`: forgets what was spent. What is reserved stays so.
 *
 * @category models
 * @since 0.1.0
 */
export interface UsageBudget {
  readonly [StateKey]: unknown
  readonly name: string
  readonly unit: "tokens" | "usd"
  readonly limit: number
  readonly level: Effect.Effect<Level>
  readonly charge: (amount: number) => Effect.Effect<void>
  readonly reset: Effect.Effect<void>
}

const owner = "UsageBudget.make"

const factsOf = (options: Options): BudgetFacts => {
  const { limit: { tokens, usd }, name = "budget", prices, reserve = "max_tokens", window } = options
  if ((tokens === undefined) === (usd === undefined)) {
    throw OptionCheck.refuse(owner, "limit", `either "tokens" or "usd"`, options.limit)
  }
  if (reserve !== "max_tokens" && reserve !== "expected") {
    throw OptionCheck.refuse(owner, "reserve", `"max_tokens" or "expected"`, reserve)
  }
  return {
    name,
    unit: usd === undefined ? "tokens" : "usd",
    limit: usd === undefined
      ? OptionCheck.number(owner, "limit.tokens", tokens ?? 0, 0)
      : OptionCheck.number(owner, "limit.usd", usd, 0),
    windowMillis: window === undefined
      ? undefined
      : Duration.toMillis(OptionCheck.duration(owner, "window", window, { positive: true })),
    reserve,
    prices: prices && checkPrices(owner, prices)
  }
}

/**
 * Makes a budget of which nothing is spent, at once, for a module's top level.
 *
 * **When to use**
 *
 * Use where there is no Effect to make it in. Otherwise use {@link make}, whose details apply.
 *
 * **Example** (Making a daily budget at the top level)
 *
 * ```ts
 * import * as UsageBudget from "@effect-claude/client/UsageBudget"
 * import { assert } from "@effect/vitest"
 *
 * const daily = UsageBudget.makeUnsafe({ name: "daily", limit: { usd: 20 }, window: "1 day" })
 * assert.strictEqual(daily.unit, "usd")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (options: Options): UsageBudget => {
  const meter = new BudgetMeter(factsOf(options))
  const { limit, name, unit } = meter.facts
  return {
    [StateKey]: meter,
    name,
    unit,
    limit,
    level: Effect.map(Clock.Clock, (clock) => meter.level(clock)),
    charge: (amount) =>
      Effect.map(Clock.Clock, (clock) => {
        meter.charge(OptionCheck.number("UsageBudget.charge", "amount", amount, 0), clock)
      }),
    reset: Effect.sync(() => {
      meter.reset()
    })
  }
}

/**
 * Makes a budget of which nothing is spent.
 *
 * **Details**
 *
 * How exact the promise is depends on what can be known before a request is sent. Its output is bounded by `max_tokens`. Its
 * input is estimated (`TokenEstimate`), corrected by what answers have said, and may be short by a few percent; tools that the
 * API runs, such as web search, read more than the request shows. What was really used is what is counted in the end, so the
 * next request sees it.
 *
 * What nobody tells (a request that timed out or was interrupted before its answer began) stays counted as it was reserved. A
 * stream that broke, or whose reader left, counts with what had come of it. An error of the API costs nothing; a 500, 502 or 504 that a
 * gateway made up in its place is told by nobody either.
 *
 * A budget in dollars needs the price of each model: a request to a model without one fails at once, with a
 * `UsageBudgetExceededError` that names it. Where the API itself may ask other models (`fallbacks`), it is the dearest of them that is
 * reserved for.
 *
 * A wrong option throws a `RangeError` that names it.
 *
 * **Example** (Reading how a budget stands)
 *
 * ```ts
 * import * as UsageBudget from "@effect-claude/client/UsageBudget"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const budget = yield* UsageBudget.make({ limit: { usd: 5 } })
 *   yield* budget.charge(1.25)
 *   return yield* budget.level
 * })
 *
 * assert.deepStrictEqual(await Effect.runPromise(program), { spent: 1.25, reserved: 0, remaining: 3.75 })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<UsageBudget> => Effect.sync(() => makeUnsafe(options))

const region = (budget: UsageBudget) => ({
  owner: "UsageBudget.withBudget",
  budgets: [budget[StateKey] as BudgetMeter]
})

/**
 * Charges all calls of an effect to a budget. Regions nest: a call inside of two draws on both, and is sent only if both have
 * room for it.
 *
 * **Gotchas**
 *
 * The requests of a service are seen by `ClaudeLayer.withUsageLedger`, or any other policy around it. With a service that has
 * none in its context, this is a defect: a budget that nobody keeps to is worse than none.
 *
 * **Example** (Stopping an agent)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as UsageBudget from "@effect-claude/client/UsageBudget"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([]).pipe(ClaudeLayer.withUsageLedger())
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const budget = yield* UsageBudget.make({ limit: { usd: 0.01 } })
 *   return yield* claude.createMessage({
 *     model: "claude-opus-5-5",
 *     max_tokens: 10_000,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }).pipe(UsageBudget.withBudget(budget), Effect.flip)
 * })
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.include(error.message, "has $0.01 of $0.01 left")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withBudget: {
  (budget: UsageBudget): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, budget: UsageBudget): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, budget: UsageBudget): Effect.Effect<A, E, R> => inRegion(self, region(budget))
)

/**
 * Charges all calls of a stream to a budget, as {@link withBudget} does for an effect.
 *
 * **Example** (Charging a streamed answer)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as UsageBudget from "@effect-claude/client/UsageBudget"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const Claude = ClaudeTest.script([Reply.text("Hello!")]).pipe(ClaudeLayer.withUsageLedger())
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const budget = yield* UsageBudget.make({ limit: { tokens: 1000 } })
 *   yield* claude.streamMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }).pipe(UsageBudget.streamWithBudget(budget), Stream.runDrain)
 *   return yield* budget.level
 * })
 *
 * assert.strictEqual((await Effect.runPromise(program.pipe(Effect.provide(Claude)))).reserved, 0)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const streamWithBudget: {
  (budget: UsageBudget): <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E, R>
  <A, E, R>(self: Stream.Stream<A, E, R>, budget: UsageBudget): Stream.Stream<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Stream.Stream<A, E, R>, budget: UsageBudget): Stream.Stream<A, E, R> =>
    streamInRegion(self, region(budget))
)
