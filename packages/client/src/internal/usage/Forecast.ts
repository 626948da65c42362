import type { MessageRequest } from "../../ClaudeService.ts"
import type { ModelPrices } from "../../Prices.ts"
import * as TokenUsage from "../../TokenUsage.ts"
import type { Reserve } from "../../UsageBudget.ts"
import { estimateInput } from "../estimateInput.ts"
import { property } from "../foreignError.ts"
import type { LearnedCosts } from "../limiter/LearnedCosts.ts"
import type { Consumption } from "./consumption.ts"
import { nothing } from "./consumption.ts"
import { factorFor, nanosPerRatedToken, nanosPerSearch, ratesForInput } from "./pricing.ts"

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

const outputLimit = ({ max_tokens }: MessageRequest): number =>
  Number.isFinite(max_tokens) && max_tokens > 0 ? Math.ceil(max_tokens) : 0

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
    return this.input(reserve) + this.output(reserve)
  }

  /** In billionths of a dollar; `undefined` if there is no price for the speed that the request asks for. */
  nanos(reserve: Reserve, prices: ModelPrices): number | undefined {
    const factor = factorFor(prices, this.modifiers)
    if (factor === undefined) return undefined
    const input = this.input(reserve)
    const rates = ratesForInput(prices, input * nearlyLong)
    const lifetime = reserve === "expected" ? undefined : cacheLifetime(this.request)
    const rate = lifetime === undefined ? rates.input : lifetime === "1h" ? rates.cacheWrite1h : rates.cacheWrite5m
    const rated = input * rate + this.output(reserve) * rates.output
    return Math.ceil(rated * factor * nanosPerRatedToken) + mostSearches(this.request.tools) * nanosPerSearch
  }

  /** What is thought to have been used where nobody tells: the input, and as much output as answers have on average. */
  guess(output = this.output("expected")): Consumption {
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
    const estimate = this.estimated ??= Math.max(0, Math.ceil(this.estimate(this.request)))
    // A function of the program's own is taken at its word.
    if (this.estimate !== estimateInput) return estimate
    const usual = this.learned.input(this.model, estimate, false)
    return reserve === "expected" ? usual : Math.max(estimate, usual)
  }

  private output(reserve: Reserve): number {
    const most = outputLimit(this.request)
    return reserve === "expected" ? this.learned.output(this.model, most) : most
  }
}
