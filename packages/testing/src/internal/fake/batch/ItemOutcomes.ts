import { fraction } from "../Draw.ts"
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
