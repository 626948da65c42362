import * as Duration from "effect/Duration"
import type { RampPlan } from "./RateLimitSchema.ts"

type Plan = typeof RampPlan.Type

interface Use {
  readonly requests: number
  readonly inputTokens: number
}

const nothing: Use = { requests: 0, inputTokens: 0 }

/** How many times the use of the window before a window may have, unless the plan says otherwise. */
const usualGrowth = 2

/**
 * A limit on growth: in a window no more than some times what the window before had, and always the floor of the plan.
 * The first request of a window always fits, whatever its size, so that no request is too large for ever.
 */
export class RampLimit {
  readonly #growth: number
  readonly #window: number
  readonly #floor: Use
  #start: number
  #before = nothing
  #used = nothing

  constructor(
    { growth = usualGrowth, inputTokens = Infinity, requests = Infinity, window }: Plan,
    usual: number,
    now: number
  ) {
    this.#growth = growth
    this.#window = window === undefined ? usual : Duration.toMillis(window)
    this.#floor = { requests, inputTokens }
    this.#start = now
  }

  /** How long it takes until the request can be let in: to the end of the window, or not at all. */
  wait(inputTokens: number, now: number): number {
    this.#advance(now)
    const isFirst = this.#used.requests === 0
    const fits = this.#used.requests < this.#allowed("requests")
      && this.#used.inputTokens + inputTokens <= this.#allowed("inputTokens")
    return isFirst || fits ? 0 : this.#start + this.#window - now
  }

  take(inputTokens: number, now: number): void {
    this.#advance(now)
    this.#used = { requests: this.#used.requests + 1, inputTokens: this.#used.inputTokens + inputTokens }
  }

  #allowed(name: keyof Use): number {
    return Math.max(this.#floor[name], this.#before[name] * this.#growth)
  }

  #advance(now: number): void {
    const windows = Math.max(0, Math.floor((now - this.#start) / this.#window))
    if (windows === 0) return
    this.#before = windows === 1 ? this.#used : nothing
    this.#used = nothing
    this.#start += windows * this.#window
  }
}
