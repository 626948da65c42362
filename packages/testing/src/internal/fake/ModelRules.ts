import * as ModelCapabilities from "@effect-claude/client/ModelCapabilities"
import * as Models from "@effect-claude/client/Models"
import * as Predicate from "effect/Predicate"
import type { ApiErrorAnswer } from "./ApiErrors.ts"
import { forcedTool } from "./OutputRequest.ts"
import type { RequestRulesPlan } from "./PlanSchema.ts"
import { fallbackModels } from "./ServerFallback.ts"

interface ModelRequest {
  readonly model: string
  readonly fields: { readonly [field: string]: unknown }
}

/** The answer to a request for a model that the plan says there is not. */
export const unknownModel = (model: string, { models }: typeof RequestRulesPlan.Type): ApiErrorAnswer | undefined => {
  if (models === undefined || models === "any") return undefined
  const isThere = models === "known" ? Models.isKnown(model) : models.includes(model)
  return isThere ? undefined : { status: 404, error: { type: "not_found_error", message: `model: ${model}` } }
}

/** What the API says of a request that asks a model for what it cannot do. */
export const modelMistake = (
  request: ModelRequest,
  { allowedFallbacks = {} }: typeof RequestRulesPlan.Type
): string | undefined =>
  thinkingMistake(request) ?? forcedToolMistake(request) ?? fallbackMistake(request, allowedFallbacks)

const thinkingMistake = ({ fields, model }: ModelRequest): string | undefined => {
  const { thinking } = fields
  const type = Predicate.isObject(thinking) ? thinking["type"] : undefined
  const { thinking: support } = ModelCapabilities.of(model)
  if (!Predicate.isString(type) || !Predicate.isObject(support)) return undefined
  const taken = new Map<string, unknown>(Object.entries(support))
  return taken.get(type) === false ? `"thinking.type.${type}" is not supported for this model.` : undefined
}

const forcedToolMistake = ({ fields, model }: ModelRequest): string | undefined =>
  forcedTool(fields) !== undefined && ModelCapabilities.of(model).forcedTools === false
    ? "tool_choice: This model does not support a tool_choice that forces tool use."
    : undefined

const fallbackMistake = (
  { fields, model }: ModelRequest,
  allowed: { readonly [model: string]: ReadonlyArray<string> }
): string | undefined => {
  const { fallbacks } = fields
  const permitted = Object.hasOwn(allowed, model) ? allowed[model] : undefined
  if (permitted === undefined || !Array.isArray(fallbacks)) return undefined
  if (permitted.length === 0) return "fallbacks: This model does not support fallbacks."
  const refused = fallbackModels(fallbacks).findIndex((fallback) => !permitted.includes(fallback))
  return refused < 0 ? undefined : `fallbacks.${refused}.model: This model cannot be a fallback for ${model}.`
}
