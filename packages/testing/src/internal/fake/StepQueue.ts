import type { Plan, Step } from "./StepSchema.ts"

type FaultPlan = typeof Plan.Type
type FaultStep = typeof Step.Type
type Queue = Pick<FaultPlan, "steps" | "after">

export const healthy: FaultStep = { kind: "message" }

/** Hands out the steps of a plan, one a request. */
export class StepQueue {
  readonly #shared: Cursor
  readonly #byModel: ReadonlyMap<string, Cursor>

  constructor(plan: FaultPlan) {
    this.#shared = new Cursor(plan)
    this.#byModel = new Map(Object.entries(plan.models ?? {}).map(([model, queue]) => [model, new Cursor(queue)]))
  }

  next(model: string | undefined): FaultStep {
    const own = model === undefined ? undefined : this.#byModel.get(model)
    return (own ?? this.#shared).next()
  }
}

class Cursor {
  readonly #steps: ReadonlyArray<FaultStep>
  readonly #after: FaultStep
  #index = 0
  #served = 0

  constructor(queue: Queue) {
    this.#steps = queue.steps ?? []
    this.#after = queue.after ?? healthy
  }

  next(): FaultStep {
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
