import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import type { Prices, Rates } from "../../Prices.ts"

const rateNames = ["input", "output", "cacheWrite5m", "cacheWrite1h", "cacheRead"] as const

const checkRates = (owner: string, option: string, rates: Rates): void => {
  for (const name of rateNames) OptionCheck.number(owner, `${option}.${name}`, rates[name], 0)
}

/** A price that is no number would make every sum with it none. */
export const checkPrices = (owner: string, prices: Prices): Prices => {
  for (const [model, price] of Object.entries(prices)) {
    if (price === undefined) continue
    checkRates(owner, `prices.${model}`, price)
    if (price.fast !== undefined) OptionCheck.number(owner, `prices.${model}.fast`, price.fast, 0)
    if (price.longPrompt === undefined) continue
    checkRates(owner, `prices.${model}.longPrompt`, price.longPrompt)
    OptionCheck.number(owner, `prices.${model}.longPrompt.above`, price.longPrompt.above, 0)
  }
  return prices
}
