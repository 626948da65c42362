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

const none: ReadonlyArray<never> = []

/** What one attempt holds of its budgets, and what it tells the calls that it is made for. */
export class AttemptUsage {
  readonly forecast: Forecast
  private readonly call: CallUsage
  private readonly clock: Clock.Clock
  private readonly attempt: number
  private readonly hedge: number
  private holds: ReadonlyArray<Hold> = none
  /** There from when the attempt is let in until it is settled. */
  private note: AttemptNote | undefined

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
    if (budgets.length > 0) this.holds = budgets.map((budget) => budget.take(this.forecast, prices))
    this.note = this.call.begin(this.forecast.model, this.attempt, this.hedge)
    return undefined
  }

  /** Settles once, and nothing if the attempt was never let in. */
  close(usedBy: (forecast: Forecast) => Used): void {
    const { call, forecast, note } = this
    if (note === undefined) return
    this.note = undefined
    const used = usedBy(forecast)
    if (used.end === "succeeded" && !used.isEstimated) forecast.learn(used.consumption)
    const model = used.servedBy ?? forecast.model
    for (const hold of this.holds) hold.meter.settle(hold, model, used.consumption, used.isUnknown, call.prices)
    call.end(note, used, this.clock.currentTimeMillisUnsafe())
  }
}
