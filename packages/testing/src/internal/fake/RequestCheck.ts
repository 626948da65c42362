import type { ApiErrorAnswer } from "./ApiErrors.ts"
import { statusOf } from "./ApiErrors.ts"
import { betaMistake, betasOf } from "./Betas.ts"
import { type Turn, turnsOf } from "./Conversation.ts"
import { conversationMistake } from "./ConversationRules.ts"
import { modelMistake, unknownModel } from "./ModelRules.ts"
import { outputMistake, toolNameConflict } from "./OutputRules.ts"
import type { RequestRulesPlan } from "./PlanSchema.ts"
import { fallbacksMistake } from "./ServerFallback.ts"
import { versionMistake } from "./VersionRules.ts"

export const maxBodyBytes = 32 * 1024 * 1024

export type Endpoint = "messages" | "countTokens"

const endpoints: { readonly [path: string]: Endpoint } = {
  "/v1/messages": "messages",
  "/v1/messages/count_tokens": "countTokens"
}

export interface ApiRequest {
  readonly endpoint: Endpoint
  readonly model: string
  readonly stream: boolean
  readonly fields: { readonly [field: string]: unknown }
  /** The messages, those in a row from the same side taken together. */
  readonly turns: ReadonlyArray<Turn>
  /** What the `anthropic-beta` header asks for. */
  readonly betas: ReadonlySet<string>
}

export const isApiErrorAnswer = (value: object): value is ApiErrorAnswer => "error" in value

const refusal = (type: string, message: string, status = statusOf(type)): ApiErrorAnswer => ({
  status,
  error: { type, message }
})

const invalid = (message: string) => refusal("invalid_request_error", message)

/** The endpoint a request is for, or the answer to a request for none. */
export const route = (method: string, path: string): Endpoint | ApiErrorAnswer => {
  const endpoint = Object.hasOwn(endpoints, path) ? endpoints[path] : undefined
  if (endpoint === undefined) return refusal("not_found_error", "Not found")
  return method === "POST" ? endpoint : refusal("invalid_request_error", "Method Not Allowed", 405)
}

/** What the API checks before it answers, in its order: size, credentials, JSON, fields, conversation. */
export const checkRequest = (endpoint: Endpoint, received: {
  readonly headers: { readonly [name: string]: unknown }
  readonly bodyBytes: number
  readonly body: unknown
  readonly bodyIsJson: boolean
}, rules: typeof RequestRulesPlan.Type = {}): ApiRequest | ApiErrorAnswer => {
  if (received.bodyBytes > maxBodyBytes) {
    return refusal("request_too_large", "Request exceeds the maximum size")
  }
  if (!received.headers["x-api-key"] && !received.headers["authorization"]) {
    return refusal("authentication_error", "x-api-key header is required")
  }
  if (!received.bodyIsJson) return invalid("The request body is not valid JSON")
  if (!isRecord(received.body)) return invalid("The request body must be a JSON object")
  return checkFields(endpoint, received.body, received.headers, rules)
}

export const isRecord = (value: unknown): value is { readonly [field: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const checkFields = (
  endpoint: Endpoint,
  fields: { readonly [field: string]: unknown },
  headers: { readonly [name: string]: unknown },
  rules: typeof RequestRulesPlan.Type
): ApiRequest | ApiErrorAnswer => {
  const required = endpoint === "messages" ? ["model", "max_tokens", "messages"] : ["model", "messages"]
  const missing = required.find((field) => fields[field] === undefined)
  if (missing !== undefined) return invalid(`${missing}: Field required`)
  const { max_tokens: maxTokens, messages, model, stream = false } = fields
  if (typeof model !== "string" || model === "") return invalid("model: Input should be a valid string")
  if (!Array.isArray(messages)) return invalid("messages: Input should be a valid list")
  if (messages.length === 0) return invalid("messages: at least one message is required")
  const absent = unknownModel(model, rules)
  if (absent !== undefined) return absent
  const request = { endpoint, model, fields, turns: turnsOf(messages), betas: betasOf(headers) }
  const mistake = betaMistake(request) ?? fallbacksMistake(fields["fallbacks"])
    ?? versionMistake(request, headers["anthropic-version"]) ?? modelMistake(request, rules) ?? outputMistake(fields)
    ?? conversationMistake(request)
  if (mistake !== undefined) return invalid(mistake)
  const conflict = toolNameConflict(fields)
  if (conflict !== undefined) return conflict
  if (endpoint === "countTokens") return { ...request, stream: false }
  if (typeof maxTokens !== "number" || !Number.isInteger(maxTokens)) {
    return invalid("max_tokens: Input should be a valid integer")
  }
  if (maxTokens < 1) return invalid("max_tokens: Input should be greater than or equal to 1")
  if (typeof stream !== "boolean") return invalid("stream: Input should be a valid boolean")
  return { ...request, stream }
}
