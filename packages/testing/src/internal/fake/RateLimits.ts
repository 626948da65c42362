import * as Duration from "effect/Duration"
import { OtherConsumers } from "./OtherConsumers.ts"
import type { limitNames, RateLimitPlan } from "./RateLimitSchema.ts"
import { TokenBucket } from "./TokenBucket.ts"

export type LimitName = (typeof limitNames)[number]
export type Buckets = Readonly<Record<LimitName, TokenBucket>>
type Plan = typeof RateLimitPlan.Type
type Limits = { readonly [Name in LimitName]?: number | undefined }

/** What a server reports when its plan sets no limits: more than a client of one machine can use. */
export const generousLimits = { requests: 1_000_000, inputTokens: 1_000_000_000, outputTokens: 200_000_000 }

const minute = Duration.minutes(1)

/** A request that does not fit: the limit it met first, and the milliseconds until it fits. */
export interface Refusal {
  readonly limit: LimitName
  readonly size: number
  readonly wait: number
}

/** The limits of the requests that share them: three buckets, of which others may take too. */
export class RateLimits {
  readonly #buckets: Buckets
  readonly #rounding: number | undefined
  readonly #enforced: boolean
  readonly #others: OtherConsumers | undefined

  constructor(plan: Plan | undefined, limits: Limits, now: number) {
    const window = Duration.toMillis(plan?.window ?? minute)
    const scale = window / Duration.toMillis(minute)
    const bucket = (name: LimitName) => new TokenBucket(limits[name] ?? generousLimits[name] * scale, window, now)
    this.#buckets = {
      requests: bucket("requests"),
      inputTokens: bucket("inputTokens"),
      outputTokens: bucket("outputTokens")
    }
    this.#rounding = plan?.rounding
    this.#enforced = plan !== undefined && plan.enforce !== false
    this.#others = plan?.otherConsumers === undefined
      ? undefined
      : new OtherConsumers(plan.otherConsumers, limits, window, now)
  }

  /** Takes a request and its input, all or nothing. Output is taken as it is produced, so it need only not be used up. */
  admit(inputTokens: number, now: number): Refusal | undefined {
    this.#others?.advance(this.#buckets, now)
    const needed = { requests: 1, inputTokens, outputTokens: 1 }
    const refusal = this.#enforced ? longestWait(this.#buckets, needed, now) : undefined
    if (refusal !== undefined) return refusal
    this.take("requests", 1, now)
    this.take("inputTokens", inputTokens, now)
    return undefined
  }

  /** Takes what is used later than at the start of a request, or gives back a negative amount. */
  take(name: LimitName, amount: number, now: number): void {
    const bucket = this.#buckets[name]
    // Limits that nobody enforces are never in debt.
    bucket.take(this.#enforced ? amount : Math.min(amount, bucket.level(now)), now)
  }

  /** What the answers report. */
  report(now: number): Readonly<Record<LimitName | "tokens", Reported>> {
    this.#others?.advance(this.#buckets, now)
    const { inputTokens, outputTokens, requests } = this.#buckets
    const input = this.#reported(inputTokens, now)
    const output = this.#reported(outputTokens, now)
    return {
      requests: {
        limit: requests.limit,
        remaining: Math.max(0, Math.floor(requests.level(now))),
        reset: requests.fullAt(now),
        window: requests.window
      },
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
  now: number
): Refusal | undefined => {
  let longest: Refusal | undefined
  for (const limit of ["requests", "inputTokens", "outputTokens"] as const) {
    const wait = buckets[limit].wait(needed[limit], now)
    if (wait > (longest?.wait ?? 0)) longest = { limit, size: buckets[limit].limit, wait }
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
