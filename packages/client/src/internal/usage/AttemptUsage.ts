import { CurrentAttempt } from "@effect-claude/resilience/Attempt"
import { CurrentHedge } from "@effect-claude/resilience/Hedge"
import * as Clock from "effect/Clock"
import type * as Fiber from "effect/Fiber"
import { UsageBudgetExceededError } from "../../ClaudeError.ts"
import type { MessageRequest } from "../../ClaudeService.ts"
import type { Hold } from "./BudgetMeter.ts"
import type { AttemptNote, CallUsage } from "./CallUsage.ts"
import { Forecast } from "./Forecast.ts"
import type { Used } from "./used.ts"

/** What one attempt holds of its budgets, and what it tells the calls that it is made for. */
export class AttemptUsage {
  readonly forecast: Forecast
  private readonly call: CallUsage
  private readonly clock: Clock.Clock
  private readonly attempt: number
  private readonly hedge: number
  private readonly holds: Array<Hold> = []
  private readonly notes: Array<AttemptNote> = []
  private isOpen = false

  constructor(call: CallUsage, fiber: Fiber.Fiber<unknown, unknown>, request: MessageRequest) {
    this.call = call
    this.clock = fiber.getRef(Clock.Clock)
    this.attempt = fiber.getRef(CurrentAttempt)
    this.hedge = fiber.getRef(CurrentHedge)
    this.forecast = new Forecast(request, call.learned, call.estimate)
  }

  /** Takes what the attempt may need from all budgets, or nothing and tells which of them does not have it. */
  open(): UsageBudgetExceededError | undefined {
    const { budgets, lastFailure, prices } = this.call
    for (const budget of budgets) {
      const refusal = budget.refusal(this.forecast, prices, this.clock)
      if (refusal !== undefined) {
        return new UsageBudgetExceededError({
          ...refusal,
          attempt: this.attempt,
          ...(lastFailure === undefined ? undefined : { cause: lastFailure })
        })
      }
    }
    for (const budget of budgets) this.holds.push(budget.take(this.forecast, prices))
    const { model } = this.forecast
    for (let call: CallUsage | undefined = this.call; call !== undefined; call = call.outer) {
      this.notes.push(call.begin(model, this.attempt, this.hedge))
    }
    this.isOpen = true
    return undefined
  }

  /** Settles once, and nothing if the attempt was never let in. */
  close(usedBy: (forecast: Forecast) => Used): void {
    if (!this.isOpen) return
    this.isOpen = false
    const used = usedBy(this.forecast)
    if (used.end === "succeeded" && !used.isEstimated) this.forecast.learn(used.consumption)
    const { model } = this.forecast
    for (const hold of this.holds) hold.meter.settle(hold, model, used.consumption, used.isUnknown, this.call.prices)
    const at = this.clock.currentTimeMillisUnsafe()
    let index = 0
    for (let call: CallUsage | undefined = this.call; call !== undefined; call = call.outer) {
      const note = this.notes[index]
      if (note !== undefined) call.end(note, used, at)
      index += 1
    }
  }
}
