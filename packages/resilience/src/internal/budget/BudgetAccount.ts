import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as OptionCheck from "../../OptionCheck.ts"
import type { Expense, RetryBudget } from "../../RetryBudget.ts"
import type { RetryKind } from "../../Verdict.ts"
import * as MonotonicTime from "../MonotonicTime.ts"

const now = (fiber: Fiber.Fiber<unknown, unknown>): number => MonotonicTime.now(fiber.getRef(Clock.Clock))

/** What a request that could not be paid for would have cost; `undefined` for one that could. */
type Refusal = number | undefined

/** What one call has drawn on its budget. Opened when the call begins, closed when it ends. */
export class BudgetAccount {
  readonly budget: RetryBudget
  private readonly weight: number | (() => number)
  private weighed: number | undefined
  private isFirstRequest = true
  private runs: Array<RetryRun> | undefined

  constructor(budget: RetryBudget, weight: number | (() => number)) {
    this.budget = budget
    this.weight = weight
  }

  cost(expense: Expense): number {
    return this.budget.cost(expense, this.weighed ??= this.weigh())
  }

  /** A hedge is a request more than the call needed, so that no success gives back what it cost. */
  payHedge(): Effect.Effect<Refusal> {
    return this.pay(this.cost("hedge"))
  }

  /** Gives back what a hedge took that was not sent after all. */
  refundHedge(): Effect.Effect<void> {
    return this.budget.deposit(this.cost("hedge"))
  }

  pay(amount: number): Effect.Effect<Refusal> {
    if (amount === 0) return Effect.succeed(undefined)
    return Effect.map(this.budget.withdraw(amount), (paid) => {
      if (!paid) return amount
      this.isFirstRequest = false
      return undefined
    })
  }

  /** A request was sent in vain: what comes is another one, also where that costs nothing. */
  noteFailure(): void {
    this.isFirstRequest = false
  }

  openRun(): RetryRun {
    const run = new RetryRun(this)
    this.runs ??= []
    this.runs.push(run)
    return run
  }

  close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    if (this.runs !== undefined) {
      return Effect.andThen(
        Effect.forEach(this.runs, (run) => run.close(Exit.isSuccess(exit)), { discard: true }),
        this.reward(exit)
      )
    }
    return this.reward(exit)
  }

  private reward(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return this.isFirstRequest && Exit.isSuccess(exit) ? this.budget.deposit(1) : Effect.void
  }

  private weigh(): number {
    return typeof this.weight === "number"
      ? this.weight
      : OptionCheck.number("RetryBudget", "weight", this.weight(), 0)
  }
}

/** The account of the current call; `undefined` where nothing limits retries and hedges. */
export const CurrentBudgetAccount: Context.Reference<BudgetAccount | undefined> = Context.Reference<
  BudgetAccount | undefined
>("@effect-claude/resilience/internal/CurrentBudgetAccount", { defaultValue: () => undefined })

/**
 * What the retries of one schedule's run have drawn.
 *
 * A withdrawal pays for one request. What was paid for an attempt that a policy of this program turned away goes back at
 * once, since the call may wait long for its next one. That one is owed for, and falls due once it was sent in vain.
 */
export class RetryRun {
  private readonly account: BudgetAccount
  private paid = 0
  private owed = 0
  private due = 0
  private startsAt: number | undefined

  constructor(account: BudgetAccount) {
    this.account = account
  }

  /** Settles the attempt that failed, before the next one is thought of. */
  failed(kind: RetryKind | "stop"): Effect.Effect<void> {
    const { paid } = this
    this.paid = 0
    this.startsAt = undefined
    if (kind !== "rejected") {
      this.account.noteFailure()
      this.due += this.owed
      this.owed = 0
      return Effect.void
    }
    if (paid === 0) return Effect.void
    this.owed = Math.max(this.owed, paid)
    return this.account.budget.deposit(paid)
  }

  /** Pays for the next attempt, which starts after `wait`. */
  pay(kind: RetryKind | "stop", wait: Duration.Duration): Effect.Effect<Refusal> {
    return Effect.withFiber((fiber) => {
      const startsAt = now(fiber) + Duration.toMillis(wait)
      const cost = this.account.cost(kind === "stop" ? "serverError" : kind)
      const total = Math.min(this.account.budget.capacity, this.due + cost)
      return Effect.map(this.account.pay(total), (refusal) => {
        if (refusal !== undefined) return refusal
        this.due = 0
        this.paid = cost
        this.startsAt = startsAt
        return undefined
      })
    })
  }

  close(succeeded: boolean): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const { budget } = this.account
      const isWaiting = this.startsAt !== undefined && now(fiber) < this.startsAt
      if (succeeded || isWaiting) return this.paid === 0 ? Effect.void : budget.deposit(this.paid)
      const due = this.due + (this.startsAt === undefined ? 0 : this.owed)
      if (due === 0) return Effect.void
      // As far as it goes: the request was sent, so there is nothing left to refuse.
      return Effect.flatMap(
        budget.level,
        (level) => level <= 0 ? Effect.void : Effect.asVoid(budget.withdraw(Math.min(due, level)))
      )
    })
  }
}
