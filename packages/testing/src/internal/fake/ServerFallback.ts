import * as Predicate from "effect/Predicate"
import type { AnswerMessage, IterationUsage } from "./AnswerMessage.ts"
import { type AnswerBlock, textBlock } from "./MessageContent.ts"
import { estimateOutputTokens } from "./TokenEstimate.ts"

/** What a request falls back to that says `"default"`: the API has a list of its own. */
const defaultModels = ["claude-opus-4-8"]

/** What the API says of `fallbacks` in the wrong form. */
export const fallbacksMistake = (fallbacks: unknown): string | undefined => {
  if (fallbacks === undefined || fallbacks === null || fallbacks === "default") return undefined
  if (!Array.isArray(fallbacks) || fallbacks.length === 0) return "fallbacks: Input should be a valid list"
  const wrong = fallbacks.findIndex((entry: unknown) => modelOf(entry) === undefined)
  return wrong < 0 ? undefined : `fallbacks.${wrong}.model: Field required`
}

/** The models to ask in the place of one that refuses. */
export const fallbackModels = (fallbacks: unknown): ReadonlyArray<string> => {
  if (fallbacks === "default") return defaultModels
  return Array.isArray(fallbacks) ? fallbacks.flatMap((entry: unknown) => modelOf(entry) ?? []) : []
}

const modelOf = (entry: unknown): string | undefined =>
  Predicate.isObject(entry) && Predicate.isString(entry["model"]) ? entry["model"] : undefined

/**
 * What becomes of a refusal when the request names fallbacks: the first of them says `text` behind a block that marks
 * the seam or, without a text, all of them refuse as well. Usage is that of the model that spoke last; the others are in
 * `iterations`.
 */
export const fallBack = (
  refused: AnswerMessage,
  models: ReadonlyArray<string>,
  text: string | undefined
): AnswerMessage => {
  const [first] = models
  if (first === undefined) return refused
  if (text === undefined) {
    const asked = [refused.model, ...models]
    return {
      ...refused,
      model: models.at(-1) ?? first,
      content: [...refused.content, ...models.map((model, index) => seam(refused, asked[index] ?? first, model))],
      usage: {
        ...refused.usage,
        output_tokens: 0,
        iterations: asked.map((model, index) =>
          iteration(
            index === models.length ? "fallback_message" : "message",
            model,
            refused,
            index === 0 ? undefined : 0
          )
        )
      }
    }
  }
  const answer = textBlock(text)
  const outputTokens = estimateOutputTokens([answer])
  return {
    ...refused,
    model: first,
    content: [...refused.content, seam(refused, refused.model, first), answer],
    stop_reason: "end_turn",
    stop_details: null,
    usage: {
      ...refused.usage,
      output_tokens: outputTokens,
      iterations: [
        iteration("message", refused.model, refused),
        iteration("fallback_message", first, refused, outputTokens)
      ]
    }
  }
}

const seam = (refused: AnswerMessage, from: string, to: string): AnswerBlock => ({
  type: "fallback",
  from: { model: from },
  to: { model: to },
  trigger: { type: "refusal", category: refused.stop_details?.category ?? null }
})

const iteration = (
  type: IterationUsage["type"],
  model: string,
  { usage }: AnswerMessage,
  outputTokens = usage.output_tokens
): IterationUsage => ({
  type,
  model,
  input_tokens: usage.input_tokens,
  output_tokens: outputTokens,
  cache_creation_input_tokens: usage.cache_creation_input_tokens ?? 0,
  cache_read_input_tokens: usage.cache_read_input_tokens ?? 0,
  cache_creation: usage.cache_creation
})
