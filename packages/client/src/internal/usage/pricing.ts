import type { ModelPrices, Prices, Rates } from "../../Prices.ts"
import { total, totalInput } from "../../TokenUsage.ts"
import type { Consumption } from "./consumption.ts"

/** Money is counted in billionths of a dollar, in whole numbers: sums of those are exact up to nine million dollars. */
const nanosPerUsd = 1_000_000_000

export const toUsd = (nanos: number): number => nanos / nanosPerUsd

export const toNanos = (usd: number): number => Math.round(usd * nanosPerUsd)

/** A rate is in USD for a million tokens. */
export const nanosPerRatedToken = nanosPerUsd / 1_000_000

/** 10 USD for 1,000 searches. */
export const nanosPerSearch = 10_000_000

const batchShare = 0.5
const usOnlyFactor = 1.1

const date = /-\d{8}$/

export const ratesFor = (model: string, prices: Prices): ModelPrices | undefined => {
  // A request that was made up, or an answer of a gateway, may name none.
  if (typeof model !== "string") return undefined
  if (Object.hasOwn(prices, model)) return prices[model]
  const undated = model.replace(date, "")
  return Object.hasOwn(prices, undated) ? prices[undated] : undefined
}

/** The rates of a request with so much input, and with `speed: "fast"`; `undefined` if that has no known price. */
export const factorFor = (
  prices: ModelPrices,
  { isFast, isUsOnly }: { readonly isFast: boolean; readonly isUsOnly: boolean }
): number | undefined => {
  const fast = isFast ? prices.fast : 1
  return fast === undefined ? undefined : fast * (isUsOnly ? usOnlyFactor : 1)
}

export const ratesForInput = (prices: ModelPrices, input: number): Rates =>
  prices.longPrompt !== undefined && input > prices.longPrompt.above ? prices.longPrompt : prices

/** What was used, in billionths of a dollar. Nothing costs nothing, whatever its price. */
export const nanosOf = (consumption: Consumption, prices: ModelPrices | undefined): number | undefined => {
  const { cacheWrite1hTokens, isBatch, usage, webSearches } = consumption
  if (webSearches === 0 && total(usage) === 0) return 0
  const factor = prices && factorFor(prices, consumption)
  if (prices === undefined || factor === undefined) return undefined
  const rates = ratesForInput(prices, totalInput(usage))
  const writes1h = Math.min(cacheWrite1hTokens, usage.cacheWriteTokens)
  const rated = usage.inputTokens * rates.input
    + usage.outputTokens * rates.output
    + usage.cacheReadTokens * rates.cacheRead
    + (usage.cacheWriteTokens - writes1h) * rates.cacheWrite5m
    + writes1h * rates.cacheWrite1h
  return Math.round(rated * factor * (isBatch ? batchShare : 1) * nanosPerRatedToken) + webSearches * nanosPerSearch
}
