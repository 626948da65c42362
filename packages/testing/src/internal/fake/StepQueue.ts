import * as Duration from "effect/Duration"
import type { ConnectFailure } from "./Connection.ts"
import { Draws } from "./Draw.ts"
import type { Plan } from "./PlanSchema.ts"
import type { Step } from "./StepSchema.ts"

type FaultPlan = typeof Plan.Type
type FaultStep = typeof Step.Type
type Queue = Pick<FaultPlan, "steps" | "after" | "outages">

export const healthy: FaultStep = { kind: "message" }

/** A request as far as its step depends on it. */
interface Received {
  readonly model: string | undefined
  /** The time since the plan began, in milliseconds. */
  readonly elapsed: number
  /** What it says, by which a share of the requests is chosen. */
  readonly content: () => string
}

/** Hands out the steps of a plan, one a request. */
export class StepQueue {
  readonly #shared: Cursor
  readonly #byModel: ReadonlyMap<string, Cursor>
  readonly #draws: Draws

  constructor(plan: FaultPlan) {
    this.#shared = new Cursor(plan)
    this.#byModel = new Map(Object.entries(plan.models ?? {}).map(([model, queue]) => [model, new Cursor(queue)]))
    this.#draws = new Draws(plan.seed ?? "")
  }

  /** Takes the next step of all models if it is one for a connection on which no request has arrived yet. */
  nextConnectFailure(elapsed: number): ConnectFailure | undefined {
    const step = this.#shared.next(elapsed, never, (step) => step.kind === "unreachable")
    return step?.kind === "unreachable" ? step.code : undefined
  }

  /** Whether the next request should find no connection. */
  awaitsConnectFailure(elapsed: number): boolean {
    return this.#shared.peek(elapsed).kind === "unreachable"
  }

  next({ content, elapsed, model }: Received): FaultStep {
    const queue = (model === undefined ? undefined : this.#byModel.get(model)) ?? this.#shared
    return queue.next(elapsed, queue.draws ? this.#draws.next(content()) : noDraw, any) ?? healthy
  }
}

type Draw = (name: string) => number

const noDraw: Draw = () => 0
const never: Draw = () => 1
const any = () => true

interface Outage {
  readonly from: number
  readonly to: number
  readonly share: number
  readonly step: FaultStep
}

class Cursor {
  /** Whether a step can depend on chance. */
  readonly draws: boolean
  readonly #steps: ReadonlyArray<FaultStep>
  readonly #after: FaultStep
  readonly #outages: ReadonlyArray<Outage>
  #index = 0
  #served = 0

  constructor(queue: Queue) {
    this.#steps = queue.steps ?? []
    this.#after = queue.after ?? healthy
    this.#outages = (queue.outages ?? []).map(({ from, share = 1, step, to }) => ({
      from: Duration.toMillis(from),
      to: to === undefined ? Infinity : Duration.toMillis(to),
      share,
      step
    }))
    this.draws = this.#outages.some(({ share }) => share < 1)
  }

  peek(elapsed: number): FaultStep {
    const outage = this.#outages.find(({ from, share, to }) => from <= elapsed && elapsed < to && share === 1)
    return outage?.step ?? this.#steps[this.#index] ?? this.#after
  }

  /** Takes the next step, if it is one of those that are asked for. */
  next(elapsed: number, draw: Draw, isWanted: (step: FaultStep) => boolean): FaultStep | undefined {
    const outage = this.#outages.find(({ from, share, to }, index) =>
      from <= elapsed && elapsed < to && (share === 1 || draw(`outage ${index}`) < share)
    )
    if (outage !== undefined) return isWanted(outage.step) ? outage.step : undefined
    const step = this.#steps[this.#index]
    if (!isWanted(step ?? this.#after)) return undefined
    if (step === undefined) return this.#after
    this.#served++
    if (this.#served === (step.times ?? 1)) {
      this.#index++
      this.#served = 0
    }
    return step
  }
}
