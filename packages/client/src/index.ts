/**
 * Claude for Effect programs: every failure a tagged error, every policy a layer.
 *
 * @since 0.1.0
 */
export * as Alerts from "./Alerts.ts"
export * as AnswerInfo from "./AnswerInfo.ts"
export * as AnthropicClient from "./AnthropicClient.ts"
export * from "./BatchError.ts"
export * as BatchJob from "./BatchJob.ts"
export * as BatchLedger from "./BatchLedger.ts"
export * as BatchOutcome from "./BatchOutcome.ts"
export * as Classification from "./Classification.ts"
export * as ClaudeBatches from "./ClaudeBatches.ts"
export * from "./ClaudeError.ts"
export * as ClaudeEvents from "./ClaudeEvents.ts"
export * as ClaudeLayer from "./ClaudeLayer.ts"
export * as ClaudeMetrics from "./ClaudeMetrics.ts"
export * as ClaudeSchedule from "./ClaudeSchedule.ts"
export * from "./ClaudeService.ts"
export * as MessageEvents from "./MessageEvents.ts"
export * as ModelCapabilities from "./ModelCapabilities.ts"
export * as Models from "./Models.ts"
export * as RateLimits from "./RateLimits.ts"
export * as RequestCheck from "./RequestCheck.ts"
export * as RequestKey from "./RequestKey.ts"
export * as SdkFailure from "./SdkFailure.ts"
export * as TokenEstimate from "./TokenEstimate.ts"
export * as TokenUsage from "./TokenUsage.ts"
