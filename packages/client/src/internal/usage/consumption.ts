import * as TokenUsage from "../../TokenUsage.ts"
import { property } from "../foreignError.ts"

/** What was used, with all that decides what it costs. */
export interface Consumption {
  readonly usage: TokenUsage.TokenUsage
  readonly cacheWrite1hTokens: number
  readonly webSearches: number
  readonly isFast: boolean
  readonly isBatch: boolean
  readonly isUsOnly: boolean
}

export const nothing: Consumption = {
  usage: TokenUsage.zero,
  cacheWrite1hTokens: 0,
  webSearches: 0,
  isFast: false,
  isBatch: false,
  isUsOnly: false
}

const count = (value: unknown): number => typeof value === "number" && Number.isFinite(value) && value > 0 ? value : 0

/** What a `usage` of the API's form says. */
export const consumptionOf = (usage: unknown): Consumption => {
  return {
    // As `TokenUsage.of` does it, without its copy: this runs for every answer.
    usage: {
      inputTokens: count(property(usage, "input_tokens")),
      outputTokens: count(property(usage, "output_tokens")),
      cacheReadTokens: count(property(usage, "cache_read_input_tokens")),
      cacheWriteTokens: count(property(usage, "cache_creation_input_tokens"))
    },
    cacheWrite1hTokens: count(property(property(usage, "cache_creation"), "ephemeral_1h_input_tokens")),
    webSearches: count(property(property(usage, "server_tool_use"), "web_search_requests")),
    isFast: property(usage, "speed") === "fast",
    isBatch: property(usage, "service_tier") === "batch",
    isUsOnly: property(usage, "inference_geo") === "us"
  }
}

/** Whether a `usage` says anything of tokens. Gateways leave it out. */
export const saysTokens = (usage: unknown): boolean =>
  typeof property(usage, "input_tokens") === "number" || typeof property(usage, "output_tokens") === "number"
