import type {
  BetaFallbackCreditUsage,
  BetaFallbackMessageIterationUsage,
  BetaMessageIterationUsage,
  BetaRefusalStopDetails
} from "@anthropic-ai/sdk/resources/beta/messages"
import type { Message, RefusalStopDetails, StopReason, Usage } from "@anthropic-ai/sdk/resources/messages"
import { hasFallbackCredit } from "./Betas.ts"
import { defaultBlocks } from "./DefaultAnswer.ts"
import { type AnswerBlock, answerBlocks, isPlanned, type PlannedContent } from "./MessageContent.ts"
import type { Tier } from "./RateLimits.ts"
import type { ApiRequest } from "./RequestCheck.ts"
import { remainingBlocks } from "./Resumption.ts"
import { fallBack, fallbackModels } from "./ServerFallback.ts"
import { estimateOutputTokens } from "./TokenEstimate.ts"

export type IterationUsage = BetaMessageIterationUsage | BetaFallbackMessageIterationUsage

type StopDetails = RefusalStopDetails & Partial<BetaRefusalStopDetails>

/** The SDK's `Message`, with a few fields of the beta, and with blocks that may be of a type the SDK does not know. */
export type AnswerMessage = Omit<Message, "content" | "stop_details" | "usage"> & {
  readonly content: ReadonlyArray<AnswerBlock>
  readonly stop_details: StopDetails | null
  readonly usage: AnswerUsage
}

interface AnswerUsage extends Usage {
  readonly iterations?: ReadonlyArray<IterationUsage>
  readonly fallback_credit?: BetaFallbackCreditUsage
}

export interface PlannedMessage extends PlannedContent {
  readonly stopReason?: StopReason | undefined
  readonly stopSequence?: string | undefined
  readonly stopDetails?: PlannedStopDetails | undefined
  readonly usage?: PlannedUsage | undefined
  readonly resume?: boolean | { readonly overlap: number } | undefined
  readonly fallbackText?: string | undefined
}

type PlannedStopDetails =
  & RefusalStopDetails
  & {
    readonly [Field in "fallback_credit_token" | "fallback_has_prefill_claim" | "recommended_model"]?:
      | BetaRefusalStopDetails[Field]
      | undefined
  }

export interface PlannedUsage {
  readonly input_tokens?: number | undefined
  readonly output_tokens?: number | undefined
  readonly cache_creation_input_tokens?: number | undefined
  readonly cache_read_input_tokens?: number | undefined
}

export const answerMessage = (planned: PlannedMessage, request: ApiRequest, { inputTokens, number, tier }: {
  readonly number: number
  readonly inputTokens: number
  /** Whose limits it uses, or a batch, which has its own. */
  readonly tier: Tier | "batch"
}): AnswerMessage => {
  const content = answerContent(planned, request, number)
  const message: AnswerMessage = {
    id: `msg_fake${String(number).padStart(20, "0")}`,
    type: "message",
    role: "assistant",
    model: request.model,
    content,
    stop_reason: planned.stopReason ?? defaultStopReason(planned, content),
    stop_sequence: planned.stopSequence ?? null,
    stop_details: stopDetails(planned, request),
    usage: { ...usage(planned.usage ?? {}, inputTokens, content, tier), ...redeemedCredit(request) },
    container: null,
    diagnostics: null
  }
  return message.stop_reason === "refusal"
    ? fallBack(message, fallbackModels(request.fields["fallbacks"]), planned.fallbackText)
    : message
}

const answerContent = (planned: PlannedMessage, request: ApiRequest, number: number): ReadonlyArray<AnswerBlock> => {
  const blocks = isPlanned(planned) ? answerBlocks(planned, number) : defaultBlocks(request.fields, number)
  const { resume = false } = planned
  return resume === false ? blocks : remainingBlocks(blocks, request.turns, resume === true ? 0 : resume.overlap)
}

// The fields of the fallback credit come with its beta header, and then always.
const stopDetails = ({ stopDetails }: PlannedMessage, request: ApiRequest): StopDetails | null => {
  if (stopDetails === undefined) return null
  const { category, explanation, type } = stopDetails
  return {
    type,
    category,
    explanation,
    ...(hasFallbackCredit(request)
      ? {
        fallback_credit_token: stopDetails.fallback_credit_token ?? null,
        fallback_has_prefill_claim: stopDetails.fallback_has_prefill_claim ?? null,
        recommended_model: stopDetails.recommended_model ?? null
      }
      : {})
  }
}

const redeemedCredit = ({ fields }: ApiRequest): Pick<AnswerUsage, "fallback_credit"> =>
  fields["fallback_credit_token"] === undefined || fields["fallback_credit_token"] === null
    ? {}
    : { fallback_credit: { status: { type: "redeemed" } } }

const defaultStopReason = (planned: PlannedMessage, content: ReadonlyArray<AnswerBlock>): StopReason => {
  if (planned.stopSequence !== undefined) return "stop_sequence"
  if (planned.stopDetails !== undefined) return "refusal"
  if (planned.truncateToolInput !== undefined) return "max_tokens"
  return content.some((block) => block.type === "tool_use") ? "tool_use" : "end_turn"
}

const usage = (
  planned: PlannedUsage,
  inputTokens: number,
  content: ReadonlyArray<AnswerBlock>,
  tier: Tier | "batch"
): Usage => ({
  input_tokens: planned.input_tokens ?? inputTokens,
  output_tokens: planned.output_tokens ?? estimateOutputTokens(content),
  cache_creation_input_tokens: planned.cache_creation_input_tokens ?? 0,
  cache_read_input_tokens: planned.cache_read_input_tokens ?? 0,
  cache_creation: { ephemeral_5m_input_tokens: planned.cache_creation_input_tokens ?? 0, ephemeral_1h_input_tokens: 0 },
  inference_geo: null,
  output_tokens_details: null,
  server_tool_use: null,
  service_tier: tier === "fast" ? "standard" : tier,
  speed: tier === "fast" ? "fast" : "standard"
})
