import type { Prices } from "../../Prices.ts"
import type { ManualEntry } from "../../UsageLedger.ts"
import { nextCallId } from "./callId.ts"
import { nothing } from "./consumption.ts"
import { nanosOf, ratesFor, toUsd } from "./pricing.ts"
import type { Booking } from "./Tally.ts"
import { defaultKey } from "./UsageRegion.ts"

/** What a program books by hand, as a call of one request. */
export const bookingOf = (manual: ManualEntry, prices: Prices, at: number): Booking => {
  const { error, facts, isEstimated = false, key = defaultKey, model, outcome = "answered", usage } = manual
  const nanos = nanosOf({ ...nothing, ...facts, usage }, ratesFor(model, prices))
  return {
    nanos,
    entry: {
      at,
      callId: nextCallId(),
      key,
      model,
      attempt: 1,
      hedge: 0,
      reason: "first",
      outcome,
      usage,
      cost: nanos === undefined ? undefined : toUsd(nanos),
      isEstimated,
      error
    }
  }
}
