import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import type { UsageBudgetExceededError } from "../../ClaudeError.ts"
import type { Prices } from "../../Prices.ts"
import * as TokenUsage from "../../TokenUsage.ts"
import type * as UsageBudget from "../../UsageBudget.ts"
import type { Consumption } from "./consumption.ts"
import type { Forecast } from "./Forecast.ts"
import { nanosOf, ratesFor, toNanos, toUsd } from "./pricing.ts"

/** Why a request may not be sent. */
export type Refusal = ConstructorParameters<typeof UsageBudgetExceededError>[0]

/** What is held of a budget for a request that is under way. */
export interface Hold {
  readonly meter: BudgetMeter
  readonly amount: number
  /** The window that it was taken from: what is used later counts there too. */
  readonly window: number
}

/** What a budget is made of, checked. `limit` is in its own unit, whole dollars or tokens. */
export interface BudgetFacts {
  readonly name: string
  readonly unit: "tokens" | "usd"
  readonly limit: number
  readonly windowMillis: number | undefined
  readonly reserve: UsageBudget.Reserve
  readonly prices: Prices | undefined
}

const shownUsd = (nanos: number): string => `$${Number(toUsd(nanos).toPrecision(6))}`
const shownTokens = (tokens: number): string => `${tokens} tokens`

/** The state of a budget. Counts whole tokens, or whole billionths of a dollar. */
export class BudgetMeter {
  readonly facts: BudgetFacts
  private readonly limit: number
  private window = 0
  private spent = 0
  private held = 0

  constructor(facts: BudgetFacts) {
    this.facts = facts
    this.limit = facts.unit === "usd" ? toNanos(facts.limit) : facts.limit
  }

  /** Holds nothing, so that it may be forgotten with no more lost than what was spent. */
  get isIdle(): boolean {
    return this.held === 0
  }

  /** Why a request may not be sent, and nothing if it may. Takes nothing: of several budgets all are asked first. */
  refusal(forecast: Forecast, prices: Prices, clock: Clock.Clock): Refusal | undefined {
    const required = this.required(forecast, prices)
    if (required === undefined) return this.unpriced(forecast.unpriced(this.facts.prices ?? prices))
    this.roll(clock)
    return this.spent + this.held + required > this.limit ? this.exceeded(forecast.model, required, clock) : undefined
  }

  take(forecast: Forecast, prices: Prices): Hold {
    const amount = this.required(forecast, prices) ?? 0
    this.held += amount
    return { meter: this, amount, window: this.window }
  }

  /** Puts what was used in the place of what was held. `isUnknown` says that nobody told what was used. */
  settle(hold: Hold, model: string, used: Consumption, isUnknown: boolean, prices: Prices): void {
    if (hold.window !== this.window) return
    this.held -= hold.amount
    this.spent += isUnknown && this.facts.reserve === "max_tokens"
      ? hold.amount
      : this.amountOf(model, used, prices) ?? hold.amount
  }

  /** Counts what was used elsewhere. It is not refused: it has happened. */
  charge(amount: number, clock: Clock.Clock): void {
    this.roll(clock)
    this.spent += this.facts.unit === "usd" ? toNanos(amount) : amount
  }

  reset(): void {
    this.spent = 0
  }

  level(clock: Clock.Clock): UsageBudget.Level {
    this.roll(clock)
    const resetsAt = this.facts.windowMillis === undefined ? undefined : (this.window + 1) * this.facts.windowMillis
    return {
      spent: this.shown(this.spent),
      reserved: this.shown(this.held),
      remaining: this.shown(Math.max(0, this.limit - this.spent - this.held)),
      ...(resetsAt === undefined ? undefined : { resetsAt })
    }
  }

  private shown(amount: number): number {
    return this.facts.unit === "usd" ? toUsd(amount) : amount
  }

  private required(forecast: Forecast, prices: Prices): number | undefined {
    return this.facts.unit === "tokens"
      ? forecast.tokens(this.facts.reserve)
      : forecast.nanos(this.facts.reserve, this.facts.prices ?? prices)
  }

  private amountOf(model: string, used: Consumption, prices: Prices): number | undefined {
    return this.facts.unit === "tokens"
      ? TokenUsage.total(used.usage)
      : nanosOf(used, ratesFor(model, this.facts.prices ?? prices))
  }

  /** Begins a new window when its time has come; never an earlier one, where the clock was set back. */
  private roll(clock: Clock.Clock): void {
    if (this.facts.windowMillis === undefined) return
    const window = Math.floor(clock.currentTimeMillisUnsafe() / this.facts.windowMillis)
    if (window <= this.window) return
    this.window = window
    this.spent = 0
    this.held = 0
  }

  private unpriced(model: string): Refusal {
    return {
      message:
        `The budget "${this.facts.name}" counts money, and no price of the model "${model}" is known, or none for its speed; `
        + `add it to "prices"`,
      budget: this.facts.name,
      unit: this.facts.unit,
      model
    }
  }

  private exceeded(model: string, required: number, clock: Clock.Clock): Refusal {
    const used = this.spent + this.held
    const show = this.facts.unit === "usd" ? shownUsd : shownTokens
    const { limit, window } = this
    const { windowMillis } = this.facts
    const fitsLater = windowMillis !== undefined && required <= limit
    return {
      message: `The budget "${this.facts.name}" has ${show(Math.max(0, limit - used))} of ${
        show(limit)
      } left, and this request may take ${show(required)}; nothing was sent`,
      budget: this.facts.name,
      unit: this.facts.unit,
      limit: this.shown(limit),
      spent: this.shown(used),
      required: this.shown(required),
      model,
      ...(fitsLater
        ? { retryAfter: Duration.millis((window + 1) * windowMillis - clock.currentTimeMillisUnsafe()) }
        : undefined)
    }
  }
}
