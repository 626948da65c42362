import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import type { Settings } from "./Answer.ts"
import { type Shortfall, shortfalls } from "./shortfall.ts"

/** What is accepted, checked: a name that is none would be no protection, and nobody would notice. */
export const acceptsOf = (
  owner: string,
  accept: ReadonlyArray<Shortfall> | undefined
): Settings["accepts"] => {
  const accepted: ReadonlySet<Shortfall> = new Set(accept)
  for (const name of accepted) {
    if (!shortfalls.includes(name)) {
      throw OptionCheck.refuse(owner, "accept", `names among ${shortfalls.join(", ")}`, name)
    }
  }
  return (shortfall) => accepted.has(shortfall)
}

// A paused turn has run ten tools at the API already, so ten continuations are over a hundred. An answer that needs more is
// more likely to go in circles.
const defaultContinuations = 10

export const settingsOf = (
  owner: string,
  options: { readonly accept?: ReadonlyArray<Shortfall> | undefined; readonly continuations?: number | undefined }
): Settings => {
  const continuations = options.continuations ?? defaultContinuations
  if (!Number.isInteger(continuations) || continuations < 0) {
    throw OptionCheck.refuse(owner, "continuations", "a whole number of at least 0", continuations)
  }
  return { accepts: acceptsOf(owner, options.accept), continuations }
}
