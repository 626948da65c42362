import type { BatchPlan } from "./BatchSchema.ts"

/** What the plan says becomes of some requests. */
export type OutcomeRule = NonNullable<(typeof BatchPlan.Type)["outcomes"]>[number]

interface Chance {
  readonly rule: OutcomeRule
  readonly pattern: RegExp | undefined
  readonly from: number
  readonly to: number
}

/** What a plan says becomes of requests: the same for the same seed, `custom_id` and number of the submission. */
export class ItemOutcomes {
  readonly #seed: string
  readonly #chances: ReadonlyArray<Chance>

  constructor(plan: typeof BatchPlan.Type) {
    this.#seed = plan.seed ?? ""
    let sum = 0
    this.#chances = (plan.outcomes ?? []).map((rule) => {
      const from = rule.share === undefined ? 0 : sum
      sum += rule.share ?? 0
      return {
        rule,
        pattern: rule.customId === undefined ? undefined : new RegExp(rule.customId),
        from,
        to: rule.share === undefined ? 1 : sum
      }
    })
  }

  /** The rule for a request; `undefined` for a healthy answer. `submission` is 1 for the first of its `custom_id`. */
  ruleFor(customId: string, submission: number): OutcomeRule | undefined {
    if (this.#chances.length === 0) return undefined
    const draw = fraction(`${this.#seed}\n${customId}\n${submission}`)
    return this.#chances.find(({ from, pattern, rule, to }) =>
      submission <= (rule.times ?? Infinity) && (pattern === undefined || pattern.test(customId))
      && from <= draw && draw < to
    )?.rule
  }
}

/** A number from 0 up to 1 that a text always has: FNV-1a, its bits mixed so that similar texts come far apart. */
const fraction = (text: string): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
