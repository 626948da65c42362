import * as Predicate from "effect/Predicate"

const isFallback = (iteration: unknown): iteration is { readonly model: string } =>
  Predicate.hasProperty(iteration, "type") && iteration.type === "fallback_message"
  && Predicate.hasProperty(iteration, "model") && Predicate.isString(iteration.model)

/**
 * The model that the API itself asked in place of the one of the request, if it did. Only `usage.iterations` tells it in all
 * cases: of a stream, `message_start` may name the model that refused later.
 */
export const servedBy = (answer: object): string | undefined => {
  if (!Predicate.hasProperty(answer, "usage") || !Predicate.hasProperty(answer.usage, "iterations")) return undefined
  const { iterations } = answer.usage
  return Array.isArray(iterations) ? (iterations as ReadonlyArray<unknown>).findLast(isFallback)?.model : undefined
}
