/**
 * What a model can do, as far as it is known: the largest input and output, thinking, tools, prefill, structured outputs.
 *
 * **Details**
 *
 * `withFallback` adapts a request to the model it falls back to by these, or skips the model. What is absent is unknown, and
 * unknown is never a reason to change or to skip anything. Little is known without asking: the API's own list of models
 * ({@link fromModelInfo}) has the numbers.
 *
 * **Example** (Asking what is known of a model)
 *
 * ```ts
 * import * as ModelCapabilities from "@effect-claude/client/ModelCapabilities"
 * import { assert } from "@effect/vitest"
 *
 * assert.isTrue(ModelCapabilities.of("claude-haiku-4-5").prefill)
 * assert.isFalse(ModelCapabilities.of("claude-sonnet-5-5").prefill)
 * assert.deepStrictEqual(ModelCapabilities.of("a-model-of-another-cloud"), {})
 * ```
 *
 * @since 0.1.0
 */
import type { ThinkingConfigParam } from "@anthropic-ai/sdk/resources/messages/messages"
import type { ModelInfo } from "@anthropic-ai/sdk/resources/models"
import { isKnown, type KnownModel } from "./Models.ts"

/**
 * A way to configure thinking: the `type` of a request's `thinking`.
 *
 * @category models
 * @since 0.1.0
 */
export type ThinkingType = ThinkingConfigParam["type"]

/**
 * Which ways to configure thinking a model takes. What is absent is unknown.
 *
 * @category models
 * @since 0.1.0
 */
export type ThinkingSupport = { readonly [Type in ThinkingType]?: boolean | undefined }

/**
 * What a model can do. What is absent is unknown.
 *
 * **Details**
 *
 * - `contextWindow`: the largest input, in tokens
 * - `maxOutputTokens`: the largest `max_tokens`
 * - `maxOutputTokensUnstreamed`: the largest `max_tokens` of an answer that is not streamed, where that is less
 * - `thinking`: whether the model thinks at all, or which configurations of it the model takes
 * - `tools`: whether it takes tools
 * - `prefill`: whether a request may end with the beginning of the answer
 * - `structuredOutputs`: whether the answer can be constrained by a JSON Schema (`output_config.format`)
 * - `forcedTools`: whether the call of a tool can be forced (`tool_choice` of type `tool` or `any`)
 *
 * @category models
 * @since 0.1.0
 */
export interface ModelCapabilities {
  readonly contextWindow?: number | undefined
  readonly maxOutputTokens?: number | undefined
  readonly maxOutputTokensUnstreamed?: number | undefined
  readonly thinking?: boolean | ThinkingSupport | undefined
  readonly tools?: boolean | undefined
  readonly prefill?: boolean | undefined
  readonly structuredOutputs?: boolean | undefined
  readonly forcedTools?: boolean | undefined
}

// Extended thinking is the only kind up to 4.5 and is refused from 4.7 on; the models in between take both. Which of the
// later ones let thinking be switched off differs from model to model, so that stays unknown; Sonnet 5.5 takes
// `between_tools` for it, and is the only one that does.
const extendedOnly: ModelCapabilities = {
  structuredOutputs: true,
  forcedTools: true,
  prefill: true,
  thinking: { enabled: true, adaptive: false, between_tools: false }
}
const bothKinds: ModelCapabilities = {
  structuredOutputs: true,
  prefill: false,
  thinking: { enabled: true, adaptive: true, between_tools: false }
}
const adaptiveOnly: ModelCapabilities = {
  structuredOutputs: true,
  prefill: false,
  thinking: { enabled: false, adaptive: true, between_tools: false }
}
const betweenTools: ModelCapabilities = {
  structuredOutputs: true,
  forcedTools: false,
  prefill: false,
  thinking: { enabled: false, adaptive: true, between_tools: true, disabled: false }
}

const table: Readonly<Record<KnownModel, ModelCapabilities>> = {
  "claude-fable-5-2": adaptiveOnly,
  "claude-mythos-5-2": adaptiveOnly,
  "claude-haiku-5-5": adaptiveOnly,
  "claude-sonnet-5-5": betweenTools,
  "claude-fable-5-1": { ...adaptiveOnly, forcedTools: false },
  "claude-opus-5-5": adaptiveOnly,
  "claude-mythos-5-1": { ...adaptiveOnly, forcedTools: false },
  "claude-sonnet-5": { ...adaptiveOnly, forcedTools: true },
  "claude-fable-5": adaptiveOnly,
  "claude-mythos-5": adaptiveOnly,
  "claude-opus-5": { ...adaptiveOnly, forcedTools: true },
  "claude-opus-4-8": { ...adaptiveOnly, forcedTools: true },
  "claude-opus-4-7": { ...adaptiveOnly, forcedTools: true },
  "claude-mythos-preview": bothKinds,
  "claude-opus-4-6": { ...bothKinds, forcedTools: true },
  "claude-sonnet-4-6": { ...bothKinds, forcedTools: true },
  "claude-haiku-4-5": extendedOnly,
  "claude-haiku-4-5-20251001": extendedOnly,
  "claude-opus-4-5": extendedOnly,
  "claude-opus-4-5-20251101": extendedOnly,
  "claude-sonnet-4-5": extendedOnly,
  "claude-sonnet-4-5-20250929": extendedOnly
}

// The SDK refuses to ask these for more without streaming (`MODEL_NONSTREAMING_TOKENS`).
const unstreamed: Readonly<Record<string, number>> = {
  "claude-opus-4@20250514": 8192,
  "anthropic.claude-opus-4-1-20250805-v1:0": 8192,
  "claude-opus-4-1@20250805": 8192
}

/**
 * What the documentation and the SDK say of a model by its name.
 *
 * **Details**
 *
 * - `prefill`: of the models that the SDK lists only those of 4.5 take one; 4.6 and later answer with a 400 (the API's
 *   documentation of its errors).
 * - `thinking`: models of 4.5 take `enabled` and not `adaptive`, from 4.7 on it is the other way round; 4.6 and Mythos Preview
 *   take both. Only Sonnet 5.5 takes `between_tools`, in the place of `disabled` (the API's page on troubleshooting thinking).
 * - `structuredOutputs`: all that the SDK lists (the API's page on structured outputs; for those newer than the page, the
 *   cloud platforms' "4.5 and higher").
 * - `forcedTools`: the API's page on defining tools names those that refuse it, Fable 5.1 and Mythos 5.1, and its page on Sonnet
 *   5.5 that model. Known to take it are the Haiku, Sonnet and Opus models up to 5.
 * - `maxOutputTokensUnstreamed`: the three names in the SDK's table.
 *
 * Everything else is unknown, as is everything of a model that is not listed. The numbers come from {@link fromModelInfo} or
 * from you.
 *
 * **Example** (Knowing which thinking a model takes)
 *
 * ```ts
 * import * as ModelCapabilities from "@effect-claude/client/ModelCapabilities"
 * import { assert } from "@effect/vitest"
 *
 * assert.deepStrictEqual(ModelCapabilities.of("claude-opus-5-5").thinking, {
 *   adaptive: true,
 *   between_tools: false,
 *   enabled: false
 * })
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const of = (model: string): ModelCapabilities => {
  if (isKnown(model)) return table[model]
  return Object.hasOwn(unstreamed, model) ? { maxOutputTokensUnstreamed: unstreamed[model] } : {}
}

/**
 * What the API's list of models says of one of them (`client.models.retrieve`, `client.models.list`).
 *
 * **When to use**
 *
 * Use to give `withFallback` the numbers of its targets without writing them down.
 *
 * **Details**
 *
 * Nothing in it tells of prefill and of tools; both come from {@link of}, if there.
 *
 * **Example** (Reading a model's limits)
 *
 * ```ts
 * import type { ModelInfo } from "@anthropic-ai/sdk/resources/models"
 * import * as ModelCapabilities from "@effect-claude/client/ModelCapabilities"
 * import { assert } from "@effect/vitest"
 *
 * const info: ModelInfo = {
 *   id: "a-model",
 *   type: "model",
 *   display_name: "A model",
 *   line: null,
 *   lifecycle: "active",
 *   created_at: "2026-01-01T00:00:00Z",
 *   deprecated_at: null,
 *   retires_at: null,
 *   capabilities: null,
 *   max_input_tokens: 100_000,
 *   max_tokens: 16_000
 * }
 *
 * assert.deepStrictEqual(ModelCapabilities.fromModelInfo(info), { contextWindow: 100_000, maxOutputTokens: 16_000 })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromModelInfo = (info: ModelInfo): ModelCapabilities => {
  // Gateways leave out fields that the types promise.
  const { capabilities, id, max_input_tokens, max_tokens }: Partial<ModelInfo> & Pick<ModelInfo, "id"> = info
  return {
    ...of(id),
    ...(max_input_tokens === null || max_input_tokens === undefined ? undefined : { contextWindow: max_input_tokens }),
    ...(max_tokens === null || max_tokens === undefined ? undefined : { maxOutputTokens: max_tokens }),
    ...(capabilities === null || capabilities === undefined
      ? undefined
      : {
        thinking: thinkingOf(capabilities.thinking),
        ...structuredOutputsOf(capabilities)
      })
  }
}

// Gateways leave out this one too.
const structuredOutputsOf = (
  { structured_outputs }: { readonly structured_outputs?: { readonly supported?: unknown } | undefined }
): ModelCapabilities =>
  typeof structured_outputs?.supported === "boolean" ? { structuredOutputs: structured_outputs.supported } : {}

const thinkingOf = (
  { supported, types }: NonNullable<ModelInfo["capabilities"]>["thinking"]
): ModelCapabilities["thinking"] =>
  supported
    ? {
      adaptive: types.adaptive.supported,
      between_tools: types.between_tools.supported,
      disabled: types.disabled.supported,
      enabled: types.enabled.supported
    }
    : false
