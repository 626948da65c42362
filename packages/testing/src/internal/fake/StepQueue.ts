import * as Duration from "effect/Duration"
import type { Plan } from "./PlanSchema.ts"
import type { Step } from "./StepSchema.ts"

type FaultPlan = typeof Plan.Type
type FaultStep = typeof Step.Type
type Queue = Pick<FaultPlan, "steps" | "after" | "outages">

export const healthy: FaultStep = { kind: "message" }

/** Hands out the steps of a plan, one a request. `elapsed` is the time since the plan began, in milliseconds. */
export class StepQueue {
  readonly #shared: Cursor
  readonly #byModel: ReadonlyMap<string, Cursor>

  constructor(plan: FaultPlan) {
    this.#shared = new Cursor(plan)
    this.#byModel = new Map(Object.entries(plan.models ?? {}).map(([model, queue]) => [model, new Cursor(queue)]))
  }

  next(model: string | undefined, elapsed: number): FaultStep {
    const own = model === undefined ? undefined : this.#byModel.get(model)
    return (own ?? this.#shared).next(elapsed)
  }
}

class Cursor {
  readonly #steps: ReadonlyArray<FaultStep>
  readonly #after: FaultStep
  readonly #outages: ReadonlyArray<{ readonly from: number; readonly to: number; readonly step: FaultStep }>
  #index = 0
  #served = 0

  constructor(queue: Queue) {
    this.#steps = queue.steps ?? []
    this.#after = queue.after ?? healthy
    this.#outages = (queue.outages ?? []).map(({ from, step, to }) => ({
      from: Duration.toMillis(from),
      to: to === undefined ? Infinity : Duration.toMillis(to),
      step
    }))
  }

  next(elapsed: number): FaultStep {
    const outage = this.#outages.find(({ from, to }) => from <= elapsed && elapsed < to)
    if (outage !== undefined) return outage.step
    const step = this.#steps[this.#index]
    if (step === undefined) return this.#after
    this.#served++
    if (this.#served === (step.times ?? 1)) {
      this.#index++
      this.#served = 0
    }
    return step
  }
}
