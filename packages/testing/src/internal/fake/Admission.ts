import type { RateLimits, Refusal, Tier } from "./RateLimits.ts"
import { type checkRequest, isApiErrorAnswer } from "./RequestCheck.ts"
import type { ServerClock } from "./ServerClock.ts"
import { estimateInputTokens } from "./TokenEstimate.ts"

/** What a request has taken of its limits, while it is answered. */
export class Admitted {
  readonly limits: RateLimits
  readonly tier: Tier
  readonly #clock: ServerClock
  #inputTokens: number

  constructor(limits: RateLimits, inputTokens: number, clock: ServerClock, tier: Tier = "standard") {
    this.limits = limits
    this.tier = tier
    this.#inputTokens = inputTokens
    this.#clock = clock
  }

  /** Corrects the estimate by which the request was let in. */
  settleInput(inputTokens: number): void {
    this.limits.take("inputTokens", inputTokens - this.#inputTokens, this.#clock.now(), this.tier)
    this.#inputTokens = inputTokens
  }

  produce(outputTokens: number): void {
    this.limits.take("outputTokens", outputTokens, this.#clock.now(), this.tier)
  }
}

/**
 * Asks the rate limits for a request. Only requests for messages that the API would answer use them: token counting has
 * limits of its own, which are not part of the fake.
 */
export const admitRequest = (
  limits: RateLimits,
  checked: ReturnType<typeof checkRequest>,
  clock: ServerClock
): { readonly admitted: Admitted; readonly refusal: Refusal | undefined } => {
  if (isApiErrorAnswer(checked) || checked.endpoint !== "messages") {
    return { admitted: new Admitted(limits, 0, clock), refusal: undefined }
  }
  const inputTokens = estimateInputTokens(checked.fields)
  const now = clock.now()
  const { service_tier: serviceTier, speed } = checked.fields
  const tier = limits.tierOf(
    { inputTokens, fast: speed === "fast", standardOnly: serviceTier === "standard_only" },
    now
  )
  const refusal = limits.admit(inputTokens, now, tier)
  return { admitted: new Admitted(limits, refusal === undefined ? inputTokens : 0, clock, tier), refusal }
}
