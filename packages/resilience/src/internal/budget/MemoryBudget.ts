import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as OptionCheck from "../../OptionCheck.ts"
import { emit, isHeard } from "../../ResilienceEvent.ts"
import type { Expense, Options, RetryBudget } from "../../RetryBudget.ts"
import { TokenBucket } from "./TokenBucket.ts"

type Costs = Record<Expense, number>

const defaultCosts: Readonly<Costs> = {
  rateLimited: 5,
  overloaded: 5,
  serverError: 14,
  connection: 14,
  timeout: 14,
  conflict: 14,
  rejected: 0,
  hedge: 14
}

const isExpense = (name: string): name is Expense => Object.hasOwn(defaultCosts, name)

const costsOf = (owner: string, given: Options["costs"]): Readonly<Costs> => {
  const costs: Costs = { ...defaultCosts }
  for (const [name, cost] of Object.entries(given ?? {})) {
    if (!isExpense(name)) {
      throw OptionCheck.refuse(owner, "costs", `keyed by ${Object.keys(defaultCosts).join(", ")}`, name)
    }
    if (cost !== undefined) costs[name] = OptionCheck.number(owner, `costs.${name}`, cost, 0)
  }
  return costs
}

const refillPerMilli = (owner: string, refill: Options["refill"]): number =>
  refill === undefined
    ? 0
    : OptionCheck.number(owner, "refill.tokens", refill.tokens, 0)
      / Duration.toMillis(OptionCheck.duration(owner, "refill.every", refill.every, { positive: true }))

export const makeMemoryBudget = (options: Options): RetryBudget => {
  const owner = "RetryBudget.make"
  const capacity = OptionCheck.number(owner, "capacity", options.capacity ?? 500, 1)
  const costs = costsOf(owner, options.costs)
  for (const [name, cost] of Object.entries(costs)) {
    if (cost > capacity) {
      throw new RangeError(`${owner}: option "capacity" (${capacity}) must not be less than "costs.${name}" (${cost})`)
    }
  }
  const bucket = new TokenBucket(capacity, refillPerMilli(owner, options.refill))
  return {
    capacity,
    level: Effect.withFiber((fiber) => Effect.succeed(bucket.level(fiber))),
    cost: (expense, weight) => Math.min(capacity, costs[expense] * weight),
    withdraw: (amount) =>
      Effect.withFiber((fiber) => {
        const paid = bucket.withdraw(fiber, amount)
        if (isHeard(fiber)) {
          emit(fiber, { _tag: paid ? "BudgetWithdrawn" : "BudgetExhausted", cost: amount, level: bucket.level(fiber) })
        }
        return Effect.succeed(paid)
      }),
    deposit: (amount) =>
      Effect.withFiber((fiber) => {
        const added = bucket.deposit(fiber, amount)
        if (added > 0 && isHeard(fiber)) {
          emit(fiber, { _tag: "BudgetDeposited", amount: added, level: bucket.level(fiber) })
        }
        return Effect.void
      })
  }
}
