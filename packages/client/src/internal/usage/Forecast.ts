import type { MessageRequest } from "../../ClaudeService.ts"
import type { Prices } from "../../Prices.ts"
import * as TokenUsage from "../../TokenUsage.ts"
import type { Reserve } from "../../UsageBudget.ts"
import { estimateInput } from "../estimateInput.ts"
import { property } from "../foreignError.ts"
import type { LearnedCosts } from "../limiter/LearnedCosts.ts"
import type { Consumption } from "./consumption.ts"
import { nothing } from "./consumption.ts"
import { factorFor, nanosPerRatedToken, nanosPerSearch, ratesFor, ratesForInput } from "./pricing.ts"

type CacheLifetime = "5m" | "1h" | undefined

const longer = (one: CacheLifetime, other: CacheLifetime): CacheLifetime =>
  one === "1h" || other === "1h" ? "1h" : one ?? other

const lifetimeIn = (value: unknown): CacheLifetime => {
  if (typeof value !== "object" || value === null) return undefined
  if (Array.isArray(value)) return value.map(lifetimeIn).reduce(longer, undefined)
  const mark = property(value, "cache_control")
  const own = mark === undefined || mark === null ? undefined : property(mark, "ttl") === "1h" ? "1h" : "5m"
  return longer(own, lifetimeIn(property(value, "content")))
}

/** For how long the longest-lived of what a request may write to the prompt cache is kept there. */
const cacheLifetime = (request: MessageRequest): CacheLifetime => {
  const { messages, system, tools } = request
  return longer(lifetimeIn([request, system, tools]), lifetimeIn(messages))
}

/** The most searches that the tools of a request allow; one without a limit of its own is taken for none. */
const mostSearches = (tools: unknown): number => {
  if (!Array.isArray(tools)) return 0
  let most = 0
  for (const tool of tools) {
    const uses = property(tool, "max_uses")
    if (String(property(tool, "type")).startsWith("web_search_") && typeof uses === "number" && uses > 0) most += uses
  }
  return most
}

const tokensOf = (limit: unknown): number =>
  typeof limit === "number" && Number.isFinite(limit) && limit > 0 ? Math.ceil(limit) : 0

/** A request that was made up may name no model. */
const nameOf = (model: unknown): string => typeof model === "string" ? model : "none"

/** A model that may be the one to answer, and what an answer of it is bounded by. */
interface Candidate {
  readonly model: string
  readonly maxTokens: number
  readonly isFast: boolean
}

/** The models that the API may ask in place of the one of a request; `"default"` if it is to choose. */
const fallbacksOf = (request: MessageRequest, own: Candidate): ReadonlyArray<Candidate> | "default" => {
  const fallbacks = property(request, "fallbacks")
  if (fallbacks === "default") return fallbacks
  if (!Array.isArray(fallbacks)) return []
  return fallbacks.flatMap((entry: unknown) => {
    const model = property(entry, "model")
    if (typeof model !== "string") return []
    const maxTokens = property(entry, "max_tokens") ?? own.maxTokens
    const speed = property(entry, "speed")
    return [{ model, maxTokens: tokensOf(maxTokens), isFast: speed === undefined ? own.isFast : speed === "fast" }]
  })
}

/** An estimate, also where the program's own function has none: with one that is no number a budget would let all pass. */
const checkedEstimate = (estimate: (request: MessageRequest) => number, request: MessageRequest): number => {
  try {
    const tokens = estimate(request)
    return Number.isNaN(tokens) ? estimateInput(request) : Math.max(0, Math.ceil(tokens))
  } catch {
    return estimateInput(request)
  }
}

/** An estimate may be short by a few percent, and a price that changes with the length of the prompt is five times the other. */
const nearlyLong = 1.25

/** What a request may use, before it is sent. Worked out when somebody asks. */
export class Forecast {
  readonly model: string
  private readonly request: MessageRequest
  private readonly learned: LearnedCosts
  private readonly estimate: (request: MessageRequest) => number
  private estimated: number | undefined

  constructor(request: MessageRequest, learned: LearnedCosts, estimate: (request: MessageRequest) => number) {
    this.model = request.model
    this.request = request
    this.learned = learned
    this.estimate = estimate
  }

  tokens(reserve: Reserve): number {
    const own = this.own
    const fallbacks = fallbacksOf(this.request, own)
    const candidates = fallbacks === "default" ? [own] : [own, ...fallbacks]
    return this.input(reserve) + Math.max(...candidates.map((candidate) => this.output(reserve, candidate)))
  }

  /**
   * In billionths of a dollar, of the dearest of the models that may answer; where the API chooses, of all that have a price.
   * `undefined` if one has none, or none for the speed that is asked for.
   */
  nanos(reserve: Reserve, prices: Prices): number | undefined {
    const own = this.own
    const fallbacks = fallbacksOf(this.request, own)
    let most = this.nanosOf(reserve, prices, own)
    if (fallbacks === "default") {
      for (const model of Object.keys(prices)) {
        const nanos = this.nanosOf(reserve, prices, { ...own, model, isFast: false })
        if (most !== undefined && nanos !== undefined) most = Math.max(most, nanos)
      }
      return most
    }
    for (const candidate of fallbacks) {
      const nanos = this.nanosOf(reserve, prices, candidate)
      most = most === undefined || nanos === undefined ? undefined : Math.max(most, nanos)
    }
    return most
  }

  /** The first of the models that may answer of which `nanos` finds no price. */
  unpriced(prices: Prices): string {
    const own = this.own
    const fallbacks = fallbacksOf(this.request, own)
    const candidates = fallbacks === "default" ? [own] : [own, ...fallbacks]
    const unpriced = candidates.find((candidate) => this.nanosOf("expected", prices, candidate) === undefined)
    return nameOf((unpriced ?? own).model)
  }

  private nanosOf(reserve: Reserve, prices: Prices, candidate: Candidate): number | undefined {
    const known = ratesFor(candidate.model, prices)
    const factor = known && factorFor(known, { ...this.modifiers, isFast: candidate.isFast })
    if (known === undefined || factor === undefined) return undefined
    const input = this.input(reserve)
    const rates = ratesForInput(known, input * nearlyLong)
    const lifetime = reserve === "expected" ? undefined : cacheLifetime(this.request)
    const rate = lifetime === undefined ? rates.input : lifetime === "1h" ? rates.cacheWrite1h : rates.cacheWrite5m
    const rated = input * rate + this.output(reserve, candidate) * rates.output
    return Math.ceil(rated * factor * nanosPerRatedToken) + mostSearches(this.request.tools) * nanosPerSearch
  }

  /** What is thought to have been used where nobody tells: the input, and as much output as answers have on average. */
  guess(output = this.output("expected", this.own)): Consumption {
    const usage = { ...TokenUsage.zero, inputTokens: this.input("expected"), outputTokens: output }
    return { ...nothing, ...this.modifiers, usage }
  }

  /** Takes note of what an answer used, for the forecasts after this one. */
  learn({ usage }: Consumption): void {
    const actual = { input: TokenUsage.totalInput(usage), output: usage.outputTokens }
    this.learned.learn(this.model, this.estimated ?? 0, false, actual)
  }

  private get modifiers(): { readonly isFast: boolean; readonly isUsOnly: boolean } {
    return {
      isFast: property(this.request, "speed") === "fast",
      isUsOnly: property(this.request, "inference_geo") === "us"
    }
  }

  private input(reserve: Reserve): number {
    const estimate = this.estimated ??= checkedEstimate(this.estimate, this.request)
    // A function of the program's own is taken at its word.
    if (this.estimate !== estimateInput) return estimate
    const usual = this.learned.input(this.model, estimate, false)
    return reserve === "expected" ? usual : Math.max(estimate, usual)
  }

  private output(reserve: Reserve, { maxTokens, model }: Candidate): number {
    return reserve === "expected" ? this.learned.output(model, maxTokens) : maxTokens
  }

  /** The model that the request names. */
  private get own(): Candidate {
    return { model: this.model, maxTokens: tokensOf(this.request.max_tokens), isFast: this.modifiers.isFast }
  }
}
