/**
 * What models cost: a table of list prices, and the cost of an answer.
 *
 * **Details**
 *
 * {@link known} holds the list prices of the Claude API as published on `platform.claude.com/docs/en/about-claude/pricing` and the
 * overview pages of the models (copies of September to November 2026). A model that no source prices is not in it. A table of
 * one's own is a record from names to {@link ModelPrices}; spread {@link known} into it to change or add a few.
 *
 * Costs are USD, rounded to the billionth of a dollar for each answer, so that sums do not drift.
 *
 * **Gotchas**
 *
 * List prices change, and contracts differ. Other clouds have prices of their own.
 *
 * **Example** (Adding a price)
 *
 * ```ts
 * import * as Prices from "@effect-claude/client/Prices"
 * import * as TokenUsage from "@effect-claude/client/TokenUsage"
 * import { assert } from "@effect/vitest"
 *
 * const prices: Prices.Prices = {
 *   ...Prices.known,
 *   "our-proxy-model": { input: 1, output: 4, cacheWrite5m: 1.25, cacheWrite1h: 2, cacheRead: 0.1 }
 * }
 * const usage = { ...TokenUsage.zero, inputTokens: 1000, outputTokens: 500 }
 *
 * assert.strictEqual(Prices.cost(usage, "our-proxy-model", { prices }), 0.003)
 * assert.isUndefined(Prices.cost(usage, "our-proxy-model"))
 * ```
 *
 * @since 0.1.0
 */
import { servedBy } from "./internal/answer/servedBy.ts"
import { type Consumption, consumptionOf } from "./internal/usage/consumption.ts"
import { nanosOf, ratesFor, toUsd } from "./internal/usage/pricing.ts"
import type { KnownModel } from "./Models.ts"
import type { TokenUsage } from "./TokenUsage.ts"

/**
 * Prices in USD for a million tokens.
 *
 * **Details**
 *
 * - `input`: input that is neither read from the prompt cache nor written to it
 * - `output`: output, thinking included
 * - `cacheWrite5m`, `cacheWrite1h`: input that is written to the cache, to be kept for 5 minutes or an hour
 * - `cacheRead`: input that is read from it
 *
 * @category models
 * @since 0.1.0
 */
export interface Rates {
  readonly input: number
  readonly output: number
  readonly cacheWrite5m: number
  readonly cacheWrite1h: number
  readonly cacheRead: number
}

/**
 * What a model costs.
 *
 * **Details**
 *
 * - `longPrompt`: the rates of a request whose whole input, cached or not, has more than `above` tokens; the same as of others
 * - `fast`: by how much `speed: "fast"` multiplies all rates. Without it the price of a fast answer is not known.
 *
 * @category models
 * @since 0.1.0
 */
export interface ModelPrices extends Rates {
  readonly longPrompt?: (Rates & { readonly above: number }) | undefined
  readonly fast?: number | undefined
}

/**
 * Prices by the name of the model.
 *
 * @category models
 * @since 0.1.0
 */
export interface Prices {
  readonly [model: string]: ModelPrices | undefined
}

const fable5: ModelPrices = { input: 10, output: 50, cacheWrite5m: 12.5, cacheWrite1h: 20, cacheRead: 1 }
const opus: ModelPrices = { input: 5, output: 25, cacheWrite5m: 6.25, cacheWrite1h: 10, cacheRead: 0.5 }
const sonnet4: ModelPrices = { input: 3, output: 15, cacheWrite5m: 3.75, cacheWrite1h: 6, cacheRead: 0.3 }
const sonnet5: ModelPrices = { input: 2, output: 10, cacheWrite5m: 2.5, cacheWrite1h: 4, cacheRead: 0.2 }

/**
 * The list prices of the Claude API.
 *
 * **Details**
 *
 * From the pricing page of 2 September 2026, and for what came later: Opus 5.5 from its overview page, Haiku 5.5 from its own
 * (two prices by the length of the prompt), the price of a cache read of Sonnet 5.5 as cut on 7 October 2026, Fable 5.2 as
 * published on 9 November 2026. `fast` is what fast mode costs where it exists. No price was found for `claude-mythos-5-2` and
 * `claude-mythos-preview`. A name with a date has the price of the name without.
 *
 * @category tables
 * @since 0.1.0
 */
export const known: Prices & { readonly [Model in KnownModel]?: ModelPrices } = {
  "claude-fable-5-2": { input: 8, output: 40, cacheWrite5m: 10, cacheWrite1h: 16, cacheRead: 0.2, fast: 2 },
  "claude-haiku-5-5": {
    input: 0.1,
    output: 0.5,
    cacheWrite5m: 0.125,
    cacheWrite1h: 0.2,
    cacheRead: 0.01,
    longPrompt: { above: 100_000, input: 0.5, output: 2.5, cacheWrite5m: 0.625, cacheWrite1h: 1, cacheRead: 0.05 }
  },
  "claude-sonnet-5-5": { ...sonnet5, cacheRead: 0.1 },
  "claude-opus-5-5": { input: 4, output: 20, cacheWrite5m: 5, cacheWrite1h: 8, cacheRead: 0.2, fast: 2 },
  "claude-fable-5-1": { ...fable5, cacheRead: 0.25 },
  "claude-mythos-5-1": { ...fable5, cacheRead: 0.25 },
  "claude-sonnet-5": sonnet5,
  "claude-fable-5": fable5,
  "claude-mythos-5": fable5,
  "claude-opus-5": { ...opus, fast: 2 },
  "claude-opus-4-8": { ...opus, fast: 2 },
  "claude-opus-4-7": opus,
  "claude-opus-4-6": opus,
  "claude-opus-4-5": opus,
  "claude-sonnet-4-6": sonnet4,
  "claude-sonnet-4-5": sonnet4,
  "claude-haiku-4-5": { input: 1, output: 5, cacheWrite5m: 1.25, cacheWrite1h: 2, cacheRead: 0.1 }
}

/**
 * What else decides the cost of an answer.
 *
 * **Details**
 *
 * - `prices`: the table; {@link known}
 * - `cacheWrite1hTokens`: how many of the `cacheWriteTokens` are kept for an hour; none
 * - `webSearches`: searches of the API's own tool, at 10 USD for a thousand; none
 * - `isFast`: whether it was made with `speed: "fast"`
 * - `isBatch`: whether it came from a batch, for half of the price
 * - `isUsOnly`: whether inference was held to the US, for 1.1 times the price
 *
 * @category models
 * @since 0.1.0
 */
export interface CostOptions extends Partial<Omit<Consumption, "usage">> {
  readonly prices?: Prices | undefined
}

/**
 * What is known of a model's price. A name that ends in a date is looked up without it as well.
 *
 * **Example** (Looking up a dated name)
 *
 * ```ts
 * import * as Prices from "@effect-claude/client/Prices"
 * import { assert } from "@effect/vitest"
 *
 * assert.strictEqual(Prices.of("claude-haiku-4-5-20251001")?.output, 5)
 * assert.isUndefined(Prices.of("claude-haiku-9"))
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const of = (model: string, prices: Prices = known): ModelPrices | undefined => ratesFor(model, prices)

/**
 * What tokens cost, in USD; `undefined` if the price is not known.
 *
 * **Example** (Pricing a cached prompt)
 *
 * ```ts
 * import * as Prices from "@effect-claude/client/Prices"
 * import * as TokenUsage from "@effect-claude/client/TokenUsage"
 * import { assert } from "@effect/vitest"
 *
 * const usage = { ...TokenUsage.zero, cacheReadTokens: 100_000, outputTokens: 1000 }
 *
 * assert.strictEqual(Prices.cost(usage, "claude-opus-5-5"), 0.04)
 * assert.strictEqual(Prices.cost(usage, "claude-opus-5-5", { isBatch: true }), 0.02)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const cost = (usage: TokenUsage, model: string, options: CostOptions = {}): number | undefined => {
  const {
    cacheWrite1hTokens = 0,
    isBatch = false,
    isFast = false,
    isUsOnly = false,
    prices = known,
    webSearches = 0
  } = options
  const nanos = nanosOf({ usage, cacheWrite1hTokens, isBatch, isFast, isUsOnly, webSearches }, ratesFor(model, prices))
  return nanos === undefined ? undefined : toUsd(nanos)
}

/**
 * What an answer cost, in USD: read off its `usage`, with the lifetime of cache writes, fast mode, batch, place and searches.
 * `undefined` if the price of its model is not known: of the one that the API asked in its place, if it did.
 *
 * **Example** (Pricing an answer)
 *
 * ```ts
 * import * as Prices from "@effect-claude/client/Prices"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 *
 * const answer = Reply.message("Hello", { model: "claude-opus-5-5", usage: { input_tokens: 1000, output_tokens: 100 } })
 * assert.strictEqual(Prices.costOf(answer), 0.006)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const costOf = (
  answer: { readonly model: string; readonly usage?: unknown },
  prices: Prices = known
): number | undefined => {
  const { usage, ...facts } = consumptionOf(answer.usage)
  return cost(usage, servedBy(answer) ?? answer.model, { ...facts, prices })
}
