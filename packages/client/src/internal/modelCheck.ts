import * as Effect from "effect/Effect"
import type { UnknownModel } from "../AnthropicClient.ts"
import { InvalidRequestError } from "../ClaudeError.ts"
import * as Models from "../Models.ts"

// Names are remembered so as to warn once; a program that makes up names must not fill the memory with them.
const maxWarnings = 100

/** A check of a model's name that does what the policy says about one that the SDK does not list. */
export const makeModelCheck = (policy: UnknownModel) => {
  const warned = new Set<string>()
  return (model: string): Effect.Effect<void, InvalidRequestError> => {
    if (policy === "ignore" || Models.isKnown(model)) return Effect.void
    if (policy === "warn" && (warned.has(model) || warned.size >= maxWarnings)) return Effect.void
    const nearest = Models.nearest(model)
    const advice = nearest.length === 0 ? "" : `; did you mean ${nearest.join(", ")}?`
    const message = `model: "${model.slice(0, 100)}" is not a model that the SDK knows${advice}`
    if (policy === "fail") return Effect.fail(new InvalidRequestError({ message, field: "model", model }))
    warned.add(model)
    return Effect.logWarning(message)
  }
}
