/**
 * Ledgers of what calls use: tokens and cost of every request that was sent for them, and the share that was wasted.
 *
 * **Details**
 *
 * `ClaudeLayer.withUsageLedger` writes to a ledger, and `ClaudeLayer.controls(claude).usage` reads it. One call may send many
 * requests: retries, hedges, other models, the parts of a stream. Each is an entry of its own, which says why it was sent and what
 * became of it. Entries are booked when their call ends; those that end later (a hedge that lost) when they do.
 *
 * Only the API knows for certain what a request has used. What it tells is booked as it is. Where it does not tell, the entry
 * `isEstimated`: of a stream that broke the input it had told and the output that had come, of a request that timed out or
 * was interrupted its estimated input and the average output of the model. A request that failed with an error of the API has
 * used nothing, and neither has a refusal that came before any content.
 *
 * **Example** (Seeing what a call cost)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const usage = { input_tokens: 1000, output_tokens: 200 }
 * const Claude = ClaudeTest.script([Reply.text("Hello!", { usage })]).pipe(ClaudeLayer.withUsageLedger())
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 500,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   return yield* ClaudeLayer.controls(claude).usage?.totals ?? Effect.die("no ledger")
 * })
 *
 * const totals = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.strictEqual(totals.cost, 0.004)
 * assert.strictEqual(totals.wastedShare, 0)
 * ```
 *
 * @since 0.1.0
 */
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { ClaudeErrorTag } from "./ClaudeError.ts"
import { Book } from "./internal/usage/Book.ts"
import { bookingOf } from "./internal/usage/bookingOf.ts"
import { checkPrices } from "./internal/usage/checkPrices.ts"
import { inRegion, streamInRegion } from "./internal/usage/UsageRegion.ts"
import * as Prices from "./Prices.ts"
import type { TokenUsage } from "./TokenUsage.ts"

/**
 * Why a request was sent.
 *
 * **Details**
 *
 * - `first`: it was the call's first
 * - `retry`: an earlier one failed, and the same model was asked again
 * - `hedge`: an earlier one was slow
 * - `fallback`: another model, another service, or the same model for an adapted request, in the place of one that failed
 * - `continuation`: it goes on where a stream broke off
 *
 * @category models
 * @since 0.1.0
 */
export type AttemptReason = "first" | "retry" | "hedge" | "fallback" | "continuation"

/**
 * What became of a request. All but `answered` is waste.
 *
 * **Details**
 *
 * - `answered`: it gave the call's answer, or a part of it
 * - `failed`: it failed
 * - `lost`: another one of its hedges settled the call
 * - `interrupted`: it was given up: a deadline passed, or the caller left
 * - `discarded`: it was answered, and the call has another answer or none
 *
 * @category models
 * @since 0.1.0
 */
export type AttemptOutcome = "answered" | "failed" | "lost" | "interrupted" | "discarded"

/**
 * One request that was sent.
 *
 * **Details**
 *
 * - `at`: when it ended, in milliseconds since the epoch
 * - `callId`: the same for all requests of a call; grows within a process
 * - `key`: whose it was: the tenant, the feature, as the layer's `key` or {@link withKey} says
 * - `model`: the model that was asked, or that the API itself asked in its place
 * - `attempt`, `hedge`: the numbers that the retry (from 1) and the hedging (0 for the first) gave it
 * - `usage`, `cost`: what it used, and that in USD; `undefined` where the price is not known
 * - `isEstimated`: whether nobody told what it used, or not all of it
 * - `error`: the tag of its failure
 *
 * @category models
 * @since 0.1.0
 */
export interface UsageEntry {
  readonly at: number
  readonly callId: number
  readonly key: string
  readonly model: string
  readonly attempt: number
  readonly hedge: number
  readonly reason: AttemptReason
  readonly outcome: AttemptOutcome
  readonly usage: TokenUsage
  readonly cost: number | undefined
  readonly isEstimated: boolean
  readonly error: ClaudeErrorTag | undefined
}

/**
 * Sums over entries.
 *
 * **Details**
 *
 * - `calls`: calls for which something was sent; `attempts`: the requests that were
 * - `usage`, `cost`: what they used, in tokens and in USD
 * - `wasted`, `wastedCost`: what those of them used that gave no answer
 * - `wastedShare`: from 0 to 1; of the cost, and of the tokens if the price of one is not known
 * - `estimated`: how many entries are estimates; `unpriced`: how many have no known price. With one of those, `cost` and
 *   `wastedCost` are `undefined`: a sum that leaves some out is no sum.
 *
 * @category models
 * @since 0.1.0
 */
export interface UsageTotals {
  readonly calls: number
  readonly attempts: number
  readonly usage: TokenUsage
  readonly cost: number | undefined
  readonly wasted: TokenUsage
  readonly wastedCost: number | undefined
  readonly wastedShare: number
  readonly estimated: number
  readonly unpriced: number
}

/**
 * All sums of a ledger: of everything, by key and by model. `since` is when the first entry ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface UsageSnapshot {
  readonly since: number | undefined
  readonly totals: UsageTotals
  readonly byKey: ReadonlyMap<string, UsageTotals>
  readonly byModel: ReadonlyMap<string, UsageTotals>
}

/**
 * What a program books by hand: an item of a batch, a call that went another way. `outcome` is `answered`, `key` `"default"`
 * unless given; `facts` are what else decides the cost.
 *
 * @category models
 * @since 0.1.0
 */
export interface ManualEntry {
  readonly model: string
  readonly usage: TokenUsage
  readonly key?: string | undefined
  readonly outcome?: AttemptOutcome | undefined
  readonly isEstimated?: boolean | undefined
  readonly error?: ClaudeErrorTag | undefined
  readonly facts?: Omit<Prices.CostOptions, "prices"> | undefined
}

/**
 * The key of a ledger's state, which is none of a program's business.
 *
 * @category symbols
 * @since 0.1.0
 */
export const StateKey: unique symbol = Symbol.for("@effect-claude/client/UsageLedger/State")

/**
 * What a ledger can do.
 *
 * **Details**
 *
 * - `entries`: the entries from the moment on that the stream runs. A reader that is 1,024 behind misses the oldest.
 * - `totals`, `snapshot`: the sums so far
 * - `reset`: gives the sums so far and begins anew, in one step, so that nothing is counted twice or not at all
 * - `record`: books something by hand, as a call of its own
 *
 * @category models
 * @since 0.1.0
 */
export interface UsageLedgerShape {
  readonly [StateKey]: unknown
  readonly prices: Prices.Prices
  readonly entries: Stream.Stream<UsageEntry>
  readonly totals: Effect.Effect<UsageTotals>
  readonly snapshot: Effect.Effect<UsageSnapshot>
  readonly reset: Effect.Effect<UsageSnapshot>
  readonly record: (entry: ManualEntry) => Effect.Effect<UsageEntry>
}

/**
 * A ledger for the layers of a program to share: `withUsageLedger` writes to it if it is in the context.
 *
 * @category services
 * @since 0.1.0
 */
export class UsageLedger extends Context.Service<UsageLedger, UsageLedgerShape>()(
  "@effect-claude/client/UsageLedger"
) {}

/**
 * What a ledger is made of.
 *
 * **Details**
 *
 * - `prices`: what it counts costs with; `Prices.known`
 * - `maxKeys`: of how many keys it keeps sums; 10,000. The one that was not used for longest goes first; the sums of
 *   everything keep what it had.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly prices?: Prices.Prices | undefined
  readonly maxKeys?: number | undefined
}

const readersMayBeBehind = 1024

const owner = "UsageLedger.make"

/**
 * Makes an empty ledger at once, for a module's top level.
 *
 * **When to use**
 *
 * Use where there is no Effect to make it in. Otherwise use {@link make}.
 *
 * **Example** (Making a ledger at the top level)
 *
 * ```ts
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as UsageLedger from "@effect-claude/client/UsageLedger"
 *
 * const ledger = UsageLedger.makeUnsafe()
 * const Claude = AnthropicClient.layerConfig.pipe(ClaudeLayer.withUsageLedger({ ledger }))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (options: Options = {}): UsageLedgerShape => {
  const { maxKeys = 10_000, prices = Prices.known } = options
  if (!Number.isSafeInteger(maxKeys) || maxKeys < 1) {
    throw OptionCheck.refuse(owner, "maxKeys", "a whole number of at least 1", maxKeys)
  }
  const book = new Book(checkPrices(owner, prices), maxKeys)
  return {
    [StateKey]: book,
    prices,
    entries: Stream.unwrap(Effect.map(
      Effect.acquireRelease(
        Effect.tap(Queue.sliding<UsageEntry>(readersMayBeBehind), (queue) =>
          Effect.sync(() => {
            book.readers.add(queue)
          })),
        (queue) => {
          book.readers.delete(queue)
          return Queue.shutdown(queue)
        }
      ),
      Stream.fromQueue
    )),
    totals: Effect.sync(() => book.totals),
    snapshot: Effect.sync(() => book.snapshot),
    reset: Effect.sync(() => book.reset()),
    record: (entry) =>
      Effect.map(Clock.Clock, (clock) => {
        const booking = bookingOf(entry, prices, clock.currentTimeMillisUnsafe())
        book.add([booking], true)
        return booking.entry
      })
  }
}

/**
 * Makes an empty ledger.
 *
 * **Example** (Booking a batch by hand)
 *
 * ```ts
 * import * as TokenUsage from "@effect-claude/client/TokenUsage"
 * import * as UsageLedger from "@effect-claude/client/UsageLedger"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const ledger = yield* UsageLedger.make()
 *   yield* ledger.record({
 *     model: "claude-opus-5-5",
 *     key: "nightly report",
 *     usage: { ...TokenUsage.zero, inputTokens: 1_000_000 },
 *     facts: { isBatch: true }
 *   })
 *   return yield* ledger.totals
 * })
 *
 * assert.strictEqual((await Effect.runPromise(program)).cost, 2)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<UsageLedgerShape> => Effect.sync(() => makeUnsafe(options))

/**
 * Provides an empty ledger for the layers of a program to share.
 *
 * **Example** (Sharing a ledger between two services)
 *
 * ```ts
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as UsageLedger from "@effect-claude/client/UsageLedger"
 * import * as Layer from "effect/Layer"
 *
 * const Claude = AnthropicClient.layerConfig.pipe(
 *   ClaudeLayer.standard({ usage: {} }),
 *   Layer.provideMerge(UsageLedger.layer())
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<UsageLedger> => {
  makeUnsafe(options)
  return Layer.effect(UsageLedger, make(options))
}

const region = (ledger: UsageLedgerShape) => ({
  owner: "UsageLedger.withLedger",
  books: [ledger[StateKey] as Book]
})

/**
 * Books all calls of an effect in this ledger too, beside that of the layer: the sums of a job, a request, a conversation.
 *
 * **Gotchas**
 *
 * A hedge that lost ends a moment after its call, and may be booked after the effect has ended.
 *
 * **Example** (Adding up what a job costs)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as UsageLedger from "@effect-claude/client/UsageLedger"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello!") }).pipe(ClaudeLayer.withUsageLedger())
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const ask = claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   const job = yield* UsageLedger.make()
 *   yield* ask
 *   yield* Effect.all([ask, ask]).pipe(UsageLedger.withLedger(job))
 *   return (yield* job.totals).calls
 * })
 *
 * assert.strictEqual(await Effect.runPromise(program.pipe(Effect.provide(Claude))), 2)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withLedger: {
  (ledger: UsageLedgerShape): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, ledger: UsageLedgerShape): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, ledger: UsageLedgerShape): Effect.Effect<A, E, R> =>
    inRegion(self, region(ledger))
)

/**
 * Books all calls of a stream in this ledger too, as {@link withLedger} does for an effect.
 *
 * **Example** (Adding up a streamed answer)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as UsageLedger from "@effect-claude/client/UsageLedger"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const Claude = ClaudeTest.script([Reply.text("Hello!")]).pipe(ClaudeLayer.withUsageLedger())
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const answer = yield* UsageLedger.make()
 *   yield* claude.streamMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }).pipe(UsageLedger.streamWithLedger(answer), Stream.runDrain)
 *   return (yield* answer.totals).attempts
 * })
 *
 * assert.strictEqual(await Effect.runPromise(program.pipe(Effect.provide(Claude))), 1)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const streamWithLedger: {
  (ledger: UsageLedgerShape): <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E, R>
  <A, E, R>(self: Stream.Stream<A, E, R>, ledger: UsageLedgerShape): Stream.Stream<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Stream.Stream<A, E, R>, ledger: UsageLedgerShape): Stream.Stream<A, E, R> =>
    streamInRegion(self, region(ledger))
)

const keyed = (key: string) => ({ owner: "UsageLedger.withKey", key })

/**
 * Books all calls of an effect under this key, whatever the `key` of the layer says. The innermost counts.
 *
 * **Example** (Booking by tenant)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as UsageLedger from "@effect-claude/client/UsageLedger"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const ledger = UsageLedger.makeUnsafe()
 * const Claude = ClaudeTest.script([Reply.text("Hello!")]).pipe(ClaudeLayer.withUsageLedger({ ledger }))
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * }).pipe(UsageLedger.withKey("tenant-7"))
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.deepStrictEqual([...(await Effect.runPromise(ledger.snapshot)).byKey.keys()], ["tenant-7"])
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withKey: {
  (key: string): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, key: string): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, key: string): Effect.Effect<A, E, R> => inRegion(self, keyed(key)))

/**
 * Books all calls of a stream under this key, as {@link withKey} does for an effect.
 *
 * **Example** (Booking a streamed answer by feature)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as UsageLedger from "@effect-claude/client/UsageLedger"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const chat = Stream.unwrap(Effect.map(ClaudeService, (claude) =>
 *   claude.streamMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }))).pipe(UsageLedger.streamWithKey("chat"))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const streamWithKey: {
  (key: string): <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E, R>
  <A, E, R>(self: Stream.Stream<A, E, R>, key: string): Stream.Stream<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Stream.Stream<A, E, R>, key: string): Stream.Stream<A, E, R> => streamInRegion(self, keyed(key))
)
