import * as Duration from "effect/Duration"
import { OtherConsumers } from "./OtherConsumers.ts"
import { RampLimit } from "./RampLimit.ts"
import type { limitNames, RateLimitPlan } from "./RateLimitSchema.ts"
import { TokenBucket } from "./TokenBucket.ts"

export type LimitName = (typeof limitNames)[number]
export type Buckets = Readonly<Record<LimitName, TokenBucket>>
type Plan = typeof RateLimitPlan.Type
type Limits = { readonly [Name in LimitName]?: number | undefined }
type TokenLimit = Exclude<LimitName, "requests">
type TokenBuckets = Readonly<Record<TokenLimit, TokenBucket>>

/** What a server reports when its plan sets no limits: more than a client of one machine can use. */
export const generousLimits = { requests: 1_000_000, inputTokens: 1_000_000_000, outputTokens: 200_000_000 }

const minute = Duration.minutes(1)

/** Whose limits a request uses: those of everybody, of the Priority Tier as well, or of fast mode. */
export type Tier = "standard" | "priority" | "fast"

/** What a request asks for, as far as limits go. */
export interface Demand {
  readonly inputTokens: number
  readonly fast: boolean
  readonly standardOnly: boolean
}

/** A request that does not fit: the limit it met first, and the milliseconds until it fits. */
export interface Refusal {
  readonly limit: LimitName | "ramp"
  readonly tier: Tier
  readonly size: number
  readonly wait: number
}

/** The limits of the requests that share them: three buckets, of which others may take too, and those of the tiers. */
export class RateLimits {
  readonly #buckets: Buckets
  readonly #fast: TokenBuckets
  readonly #priority: TokenBuckets | undefined
  readonly #ramp: RampLimit | undefined
  readonly #rounding: number | undefined
  readonly #enforced: boolean
  readonly #others: OtherConsumers | undefined

  constructor(plan: Plan | undefined, limits: Limits, now: number) {
    const window = Duration.toMillis(plan?.window ?? minute)
    const scale = window / Duration.toMillis(minute)
    const bucket = (name: LimitName, of: Limits) =>
      new TokenBucket(of[name] ?? generousLimits[name] * scale, window, now)
    const tokens = (of: Limits): TokenBuckets => ({
      inputTokens: bucket("inputTokens", of),
      outputTokens: bucket("outputTokens", of)
    })
    this.#buckets = { requests: bucket("requests", limits), ...tokens(limits) }
    this.#fast = tokens(plan?.fast ?? {})
    this.#priority = plan?.priority === undefined ? undefined : tokens(plan.priority)
    this.#ramp = plan?.ramp === undefined ? undefined : new RampLimit(plan.ramp, window, now)
    this.#rounding = plan?.rounding
    this.#enforced = plan !== undefined && plan.enforce !== false
    this.#others = plan?.otherConsumers === undefined
      ? undefined
      : new OtherConsumers(plan.otherConsumers, limits, window, now)
  }

  /** Takes a request and its input, all or nothing. Output is taken as it is produced, so it need only not be used up. */
  admit(inputTokens: number, now: number, tier: Tier = "standard"): Refusal | undefined {
    this.#others?.advance(this.#buckets, now)
    const needed = { requests: 1, inputTokens, outputTokens: 1 }
    const used = tier === "fast" ? { ...this.#buckets, ...this.#fast } : this.#buckets
    const refusal = this.#enforced
      ? longestWait(used, needed, tier, now) ?? this.#rampRefusal(inputTokens, tier, now)
      : undefined
    if (refusal !== undefined) return refusal
    this.#ramp?.take(inputTokens, now)
    this.take("requests", 1, now, tier)
    this.take("inputTokens", inputTokens, now, tier)
    return undefined
  }

  /** Whose limits a request uses. What the Priority Tier has no room for is served as everybody else. */
  tierOf({ fast, inputTokens, standardOnly }: Demand, now: number): Tier {
    if (fast) return "fast"
    const priority = standardOnly ? undefined : this.#priority
    return priority !== undefined && priority.inputTokens.level(now) >= inputTokens
        && priority.outputTokens.level(now) >= 1
      ? "priority"
      : "standard"
  }

  #rampRefusal(inputTokens: number, tier: Tier, now: number): Refusal | undefined {
    const wait = this.#ramp?.wait(inputTokens, now) ?? 0
    return wait === 0 ? undefined : { limit: "ramp", tier, size: 0, wait }
  }

  /** Takes what is used later than at the start of a request, or gives back a negative amount. */
  take(name: LimitName, amount: number, now: number, tier: Tier = "standard"): void {
    const buckets = name === "requests"
      ? [this.#buckets.requests]
      : tier === "fast"
      ? [this.#fast[name]]
      : tier === "priority" && this.#priority !== undefined
      ? [this.#priority[name], this.#buckets[name]]
      : [this.#buckets[name]]
    for (const bucket of buckets) {
      // Limits that nobody enforces are never in debt.
      bucket.take(this.#enforced ? amount : Math.min(amount, bucket.level(now)), now)
    }
  }

  /** What the answers report; `exhausted` as used up, whatever is left of it. */
  report(now: number, exhausted?: LimitName): Readonly<Record<LimitName | "tokens", Reported>> {
    this.#others?.advance(this.#buckets, now)
    const { inputTokens, outputTokens, requests } = this.#buckets
    const shown = (name: LimitName, bucket: Reported): Reported =>
      name === exhausted ? { ...bucket, remaining: 0, reset: now + bucket.window } : bucket
    const input = shown("inputTokens", this.#reported(inputTokens, now))
    const output = shown("outputTokens", this.#reported(outputTokens, now))
    return {
      requests: shown("requests", {
        limit: requests.limit,
        remaining: Math.max(0, Math.floor(requests.level(now))),
        reset: requests.fullAt(now),
        window: requests.window
      }),
      inputTokens: input,
      outputTokens: output,
      tokens: {
        limit: input.limit + output.limit,
        remaining: input.remaining + output.remaining,
        reset: Math.max(input.reset, output.reset),
        window: input.window
      }
    }
  }

  /** What the answers report of a tier's own limits, if it has any. */
  reportTier(tier: "priority" | "fast", now: number): Readonly<Record<TokenLimit, Reported>> | undefined {
    const buckets = tier === "fast" ? this.#fast : this.#priority
    return buckets === undefined ? undefined : {
      inputTokens: this.#reported(buckets.inputTokens, now),
      outputTokens: this.#reported(buckets.outputTokens, now)
    }
  }

  #reported(bucket: TokenBucket, now: number): Reported {
    // The API rounds to thousands; of a small limit that would leave nothing to go by.
    const rounding = this.#rounding ?? Math.max(1, Math.min(1000, Math.floor(bucket.limit / 100)))
    const remaining = Math.round(Math.max(0, bucket.level(now)) / rounding) * rounding
    return { limit: bucket.limit, remaining, reset: bucket.fullAt(now), window: bucket.window }
  }
}

/** A bucket as headers show it; `reset` is the time of its full refill. */
export interface Reported {
  readonly limit: number
  readonly remaining: number
  readonly reset: number
  readonly window: number
}

const longestWait = (
  buckets: Buckets,
  needed: Readonly<Record<LimitName, number>>,
  tier: Tier,
  now: number
): Refusal | undefined => {
  let longest: Refusal | undefined
  for (const limit of ["requests", "inputTokens", "outputTokens"] as const) {
    const wait = buckets[limit].wait(needed[limit], now)
    if (wait > (longest?.wait ?? 0)) longest = { limit, tier, size: buckets[limit].limit, wait }
  }
  return longest
}

/** The limits of a plan: those of each model that has its own, and those that all others share. */
export class RateLimitSet {
  readonly #shared: RateLimits
  readonly #byModel: ReadonlyMap<string, RateLimits>

  constructor(plan: Plan | undefined, now: number) {
    this.#shared = new RateLimits(plan, plan ?? {}, now)
    this.#byModel = new Map(
      Object.entries(plan?.models ?? {}).map(([model, limits]) => [model, new RateLimits(plan, limits, now)])
    )
  }

  of(model: string | undefined): RateLimits {
    return (model === undefined ? undefined : this.#byModel.get(model)) ?? this.#shared
  }
}
