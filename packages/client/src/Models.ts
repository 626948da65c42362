/**
 * The names of the models that the SDK knows, and a guess at what was meant by a name it does not.
 *
 * **Example** (Catching a typing error)
 *
 * ```ts
 * import * as Models from "@effect-claude/client/Models"
 * import { assert } from "@effect/vitest"
 *
 * assert.isFalse(Models.isKnown("claude-sonet-5-5"))
 * assert.strictEqual(Models.nearest("claude-sonet-5-5")[0], "claude-sonnet-5-5")
 * ```
 *
 * @since 0.1.0
 */
import type { Model } from "@anthropic-ai/sdk/resources/messages/messages"

type Listed<M> = M extends string ? string extends M ? never : M : never

/**
 * The name of a model that the SDK lists.
 *
 * @category models
 * @since 0.1.0
 */
export type KnownModel = Listed<Model>

const table: Readonly<Record<KnownModel, true>> = {
  "claude-fable-5-2": true,
  "claude-mythos-5-2": true,
  "claude-haiku-5-5": true,
  "claude-sonnet-5-5": true,
  "claude-fable-5-1": true,
  "claude-opus-5-5": true,
  "claude-mythos-5-1": true,
  "claude-sonnet-5": true,
  "claude-fable-5": true,
  "claude-mythos-5": true,
  "claude-opus-5": true,
  "claude-opus-4-8": true,
  "claude-opus-4-7": true,
  "claude-mythos-preview": true,
  "claude-opus-4-6": true,
  "claude-sonnet-4-6": true,
  "claude-haiku-4-5": true,
  "claude-haiku-4-5-20251001": true,
  "claude-opus-4-5": true,
  "claude-opus-4-5-20251101": true,
  "claude-sonnet-4-5": true,
  "claude-sonnet-4-5-20250929": true
}

/**
 * Every model that the SDK lists. A model that the SDK adds is a compile error in this module until it is listed here too.
 *
 * @category tables
 * @since 0.1.0
 */
export const known = Object.keys(table) as ReadonlyArray<KnownModel>

/**
 * Whether the SDK lists a model of this name.
 *
 * **Example** (Asking for a model)
 *
 * ```ts
 * import * as Models from "@effect-claude/client/Models"
 * import { assert } from "@effect/vitest"
 *
 * assert.isTrue(Models.isKnown("claude-opus-5-5"))
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isKnown = (model: string): model is KnownModel => Object.hasOwn(table, model)

/** Levenshtein's: how many letters must be inserted, removed or changed. */
const editDistance = (from: string, to: string): number => {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const substitution = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1)
      current.push(Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[to.length] ?? 0
}

// Names are under 30 letters; a longer one is no typing error, and comparing it would take time.
const longestName = 100

/**
 * The listed models whose names are most like this one, the nearest first; three at most, none that differ in more than
 * half of their letters.
 *
 * **Example** (Suggesting a name)
 *
 * ```ts
 * import * as Models from "@effect-claude/client/Models"
 * import { assert } from "@effect/vitest"
 *
 * assert.include(Models.nearest("claude-opus-5.5"), "claude-opus-5-5")
 * assert.deepStrictEqual(Models.nearest("gpt"), [])
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const nearest = (model: string): ReadonlyArray<KnownModel> =>
  model.length > longestName ? [] : known
    .map((name) => ({ name, distance: editDistance(model.toLowerCase(), name) }))
    .filter(({ distance, name }) => distance <= name.length / 2)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ name }) => name)
