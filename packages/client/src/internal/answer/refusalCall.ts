import type { BetaFallbackParam } from "@anthropic-ai/sdk/resources/beta/messages/messages"
import type { ContentBlock } from "@anthropic-ai/sdk/resources/messages/messages"
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Predicate from "effect/Predicate"
import type { RefusalError } from "../../ClaudeError.ts"
import type { CallOptions, ClaudeServiceShape, MessageRequest } from "../../ClaudeService.ts"
import { answeredCalls, contentOf, isToolCall, textOf } from "./blocks.ts"

/**
 * A request with what goes beside it, as `createMessage` and `streamMessage` take them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call {
  readonly request: MessageRequest
  readonly options?: CallOptions | undefined
}

/**
 * The models that the API itself asks when the one of the request refuses: `"default"` for those it recommends, or names, or
 * what the SDK types, in order.
 *
 * @category models
 * @since 0.1.0
 */
export type ServerFallbacks = "default" | ReadonlyArray<string | BetaFallbackParam>

const serverFallbackBeta = "server-side-fallback-2026-07-01"
export const creditBeta = "fallback-credit-2026-07-01"

const betaHeader = (options: CallOptions | undefined): string | undefined =>
  Object.keys(options?.headers ?? {}).find((name) => name.toLowerCase() === "anthropic-beta")

/** The options with a beta asked for, beside those that the call asks for already. */
export const withBeta = (options: CallOptions | undefined, beta: string): CallOptions => {
  const headers = options?.headers ?? {}
  const name = betaHeader(options) ?? "anthropic-beta"
  const betas = (headers[name] ?? "").split(",").map((text) => text.trim()).filter((text) => text !== "")
  if (betas.includes(beta)) return options ?? {}
  return { ...options, headers: { ...headers, [name]: [...betas, beta].join(",") } }
}

export type Fallbacks = "default" | ReadonlyArray<BetaFallbackParam>

/** The chain as the API takes it. One that it would refuse throws a `RangeError`. */
export const checkFallbacks = (owner: string, fallbacks: ServerFallbacks): Fallbacks => {
  if (fallbacks === "default") return fallbacks
  const entries = fallbacks.map((entry) => Predicate.isString(entry) ? { model: entry } : entry)
  const names = new Set(entries.map(({ model }) => model))
  if (entries.length === 0 || names.has("") || names.size < entries.length) {
    throw OptionCheck.refuse(
      owner,
      "fallbacks",
      `"default", or names of models that differ`,
      [...entries].map(({ model }) => model)
    )
  }
  return entries
}

const has = (request: MessageRequest, field: string): boolean =>
  Predicate.hasProperty(request, field) && request[field] !== undefined && request[field] !== null

/**
 * The call with a chain of the API's own. A call that redeems a token has none, since the API refuses the two together; it has
 * the betas of the call that was refused, and the one that the token takes.
 */
export const withFallbacks = ({ options, request }: Call, fallbacks: Fallbacks): Call => {
  const sent = withBeta(options, serverFallbackBeta)
  if (has(request, "fallback_credit_token")) return { request, options: withBeta(sent, creditBeta) }
  const field = { fallbacks }
  return { request: { ...request, ...field }, options: sent }
}

const fallbacksOf = (request: MessageRequest): unknown =>
  Predicate.hasProperty(request, "fallbacks") ? request.fallbacks : undefined

const withoutFallbacks = (request: MessageRequest): MessageRequest => {
  const { fallbacks: _, ...rest }: MessageRequest & { readonly fallbacks?: unknown } = request
  return rest
}

/** The call with this chain of the API's own, unless its request says for itself which models the API is to ask. */
export const withDefaultFallbacks = (call: Call, fallbacks: Fallbacks): Call => {
  const stated = fallbacksOf(call.request)
  // For none, nothing is sent: the API knows the field by its beta only.
  if (stated === null) return { ...call, request: withoutFallbacks(call.request) }
  return stated === undefined ? withFallbacks(call, fallbacks) : call
}

/** The name of the policy that adds a chain of the API's own to each request. */
export const serverFallbacksPolicy = "serverFallbacks"

/**
 * A request that goes to another model than it was made for, without a list of fallbacks: the API permits other ones for each
 * model, and none for many, and answers with a 400.
 */
export const forOtherModel = (request: MessageRequest, { policies }: ClaudeServiceShape): MessageRequest => {
  const isAdded =
    policies?.some(({ name, options }) => name === serverFallbacksPolicy && options["fallbacks"] !== "default") === true
  const stated = fallbacksOf(request)
  if (isAdded && (stated === undefined || Array.isArray(stated))) {
    const none = { fallbacks: null }
    return { ...request, ...none }
  }
  return Array.isArray(stated) ? withoutFallbacks(request) : request
}

/** The request with the token of a refusal, if it has one, and without what the API does not take beside it. */
export const withToken = (request: MessageRequest, { fallbackCreditToken }: RefusalError): MessageRequest => {
  if (fallbackCreditToken === undefined) return request
  // Of best effort, so that a token which the API does not take costs the discount and not the answer.
  const field = { fallback_credit_token: { token: fallbackCreditToken, mode: "best_effort" } }
  return { ...withoutFallbacks(request), ...field }
}

/**
 * The options of a call that redeems a token. Where the call names betas, that of the token has to be among them, as the token may
 * come with the beta of the API's own fallbacks. Where it names none, they are the client's, which names here would replace.
 */
export const withTokenBeta = (options: CallOptions | undefined): CallOptions | undefined =>
  betaHeader(options) === undefined ? options : withBeta(options, creditBeta)

/** What was written before a refusal, in the form in which the API lets another model go on with it. */
const continuable = ({ partial }: RefusalError): ReadonlyArray<ContentBlock> => {
  const content = partial?.message === undefined ? [] : contentOf(partial.message)
  const answered = answeredCalls(content)
  const kept = content.filter((block) =>
    !isToolCall(block) || (Predicate.hasProperty(block, "id") && answered.has(block.id))
  )
  for (let last = kept.at(-1); last?.type === "text"; last = kept.at(-1)) {
    kept.pop()
    const text = textOf(last).trimEnd()
    if (text !== "") return [...kept, { ...last, text }]
  }
  return kept
}

/** How a refused request goes to another model. */
export interface Redemption {
  readonly model: string
  readonly prefill: boolean
}

/** The refused request for another model: as it was, which is what the token is valid for, or with what was written appended. */
export const redemption = ({ options, request }: Call, refusal: RefusalError, { model, prefill }: Redemption): Call => {
  const thinking = request.thinking?.type === "between_tools" ? { thinking: { type: "disabled" as const } } : undefined
  const other = { ...request, model, ...thinking }
  if (refusal.fallbackCreditToken === undefined) {
    return { request: Array.isArray(fallbacksOf(other)) ? withoutFallbacks(other) : other, options }
  }
  const same = withToken(other, refusal)
  const content = prefill ? [...continuable(refusal)] : []
  return {
    request: content.length === 0 ? same : { ...same, messages: [...same.messages, { role: "assistant", content }] },
    options: withBeta(options, creditBeta)
  }
}
