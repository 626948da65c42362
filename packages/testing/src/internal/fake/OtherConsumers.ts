import * as Duration from "effect/Duration"
import type { Buckets, LimitName } from "./RateLimits.ts"
import type { OtherConsumersPlan } from "./RateLimitSchema.ts"

type Plan = typeof OtherConsumersPlan.Type
type Use = Readonly<Record<LimitName, number>>

/** How many requests a window holds when no limit on requests says it. */
const requestsPerWindow = 100

/**
 * Other programs of the same organisation, which no client sees: requests at even intervals, each taking what it needs
 * from the buckets, or nothing if it does not fit, for then it got a 429 of its own.
 */
export class OtherConsumers {
  readonly #use: Use
  readonly #interval: number
  readonly #end: number
  #next: number

  constructor(plan: Plan, limits: { readonly [Name in LimitName]?: number | undefined }, window: number, now: number) {
    if (plan.share === undefined) {
      this.#interval = 1000 / (plan.requestsPerSecond ?? 1)
      this.#use = { requests: 1, inputTokens: plan.inputTokens ?? 0, outputTokens: plan.outputTokens ?? 0 }
    } else {
      const requests = (limits.requests ?? requestsPerWindow) * plan.share
      const each = (limit: number | undefined) => (limit ?? 0) * (plan.share ?? 0) / requests
      this.#interval = window / requests
      this.#use = { requests: 1, inputTokens: each(limits.inputTokens), outputTokens: each(limits.outputTokens) }
    }
    this.#next = now + (plan.from === undefined ? 0 : Duration.toMillis(plan.from)) + this.#interval
    this.#end = plan.to === undefined ? Infinity : now + Duration.toMillis(plan.to)
  }

  /** Takes what was asked for up to now, each request at its own time. */
  advance(buckets: Buckets, now: number): void {
    for (; this.#next <= now && this.#next < this.#end; this.#next += this.#interval) {
      const at = this.#next
      const fits = names.every((name) => buckets[name].level(at) >= this.#use[name])
      if (!fits) continue
      for (const name of names) buckets[name].take(this.#use[name], at)
    }
  }
}

const names: ReadonlyArray<LimitName> = ["requests", "inputTokens", "outputTokens"]
