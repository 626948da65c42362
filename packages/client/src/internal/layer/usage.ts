import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { CallOptions, ClaudeServiceShape, MessageRequest } from "../../ClaudeService.ts"
import type { Prices } from "../../Prices.ts"
import * as UsageBudget from "../../UsageBudget.ts"
import * as UsageLedger from "../../UsageLedger.ts"
import { CurrentUsageScope } from "../callContext.ts"
import { estimateInput } from "../estimateInput.ts"
import type { Book } from "../usage/Book.ts"
import type { BudgetMeter } from "../usage/BudgetMeter.ts"
import { CallUsage } from "../usage/CallUsage.ts"
import { checkPrices } from "../usage/checkPrices.ts"
import { watchSeen } from "../usage/metered.ts"
import { RecentKeys } from "../usage/RecentKeys.ts"
import { defaultKey } from "../usage/UsageRegion.ts"
import { type PolicyLayer, stateful } from "./PolicyLayer.ts"

/**
 * Budgets of `withUsageLedger`: for each call, for each key, and for all calls of the layer.
 *
 * **Details**
 *
 * - `call`: of a call, with all its retries, hedges and fallbacks. A function of the request may give each its own.
 * - `key`: of a key. A function may give each its own, and `undefined` for one without a budget.
 * - `all`: one budget for all calls, which may be shared with other layers
 *
 * @category models
 * @since 0.1.0
 */
export interface UsageBudgets {
  readonly call?:
    | Omit<UsageBudget.Options, "window">
    | ((request: MessageRequest) => Omit<UsageBudget.Options, "window"> | undefined)
    | undefined
  readonly key?: UsageBudget.Options | ((key: string) => UsageBudget.Options | undefined) | undefined
  readonly all?: UsageBudget.UsageBudget | undefined
}

/**
 * Options of `withUsageLedger`, which describes them.
 *
 * @category models
 * @since 0.1.0
 */
export interface UsageLedgerOptions {
  readonly ledger?: UsageLedger.UsageLedgerShape | undefined
  readonly prices?: Prices | undefined
  readonly key?: ((request: MessageRequest, options: CallOptions | undefined) => string) | undefined
  readonly budget?: UsageBudgets | undefined
  readonly estimate?: ((request: MessageRequest) => number) | undefined
  readonly maxKeys?: number | undefined
}

const owner = "ClaudeLayer.withUsageLedger"

const stateOf = (budget: UsageBudget.UsageBudget): BudgetMeter => budget[UsageBudget.StateKey] as BudgetMeter

const meterOf = (name: string, options: UsageBudget.Options): BudgetMeter =>
  stateOf(UsageBudget.makeUnsafe({ name, ...options }))

/** Refuses what is wrong with options that are there before any call. */
const check = ({ budget, estimate: _, prices }: UsageLedgerOptions, maxKeys: number): void => {
  OptionCheck.attempts(owner, "maxKeys", maxKeys)
  if (prices !== undefined) checkPrices(owner, prices)
  if (typeof budget?.call === "object") {
    meterOf("call", budget.call)
    if ("window" in budget.call) {
      throw OptionCheck.refuse(owner, "budget.call.window", "left out: a call is over before a window is", "one")
    }
  }
  if (typeof budget?.key === "object") meterOf("key", budget.key)
}

/** The budgets of the keys. What a key has spent is forgotten only when so many others were used since. */
class KeyBudgets {
  private readonly meters: RecentKeys<BudgetMeter>
  private readonly budgetOf: (key: string) => UsageBudget.Options | undefined

  constructor(given: Exclude<UsageBudgets["key"], undefined>, maxKeys: number) {
    this.budgetOf = typeof given === "function" ? given : () => given
    this.meters = new RecentKeys(maxKeys, (meter) => meter.isIdle)
  }

  of(key: string): ReadonlyArray<BudgetMeter> {
    const known = this.meters.get(key)
    if (known !== undefined) return [known]
    const options = this.budgetOf(key)
    if (options === undefined) return []
    const meter = meterOf(`key ${key}`, options)
    this.meters.set(key, meter)
    return [meter]
  }
}

const none: ReadonlyArray<BudgetMeter> = []

export const usage = (options: UsageLedgerOptions = {}): PolicyLayer => {
  const { budget, estimate = estimateInput, key: keyOf, maxKeys = 10_000 } = options
  check(options, maxKeys)

  const wrap = (inner: ClaudeServiceShape, ledger: UsageLedger.UsageLedgerShape): ClaudeServiceShape => {
    const book = ledger[UsageLedger.StateKey] as Book
    const books = [book]
    const prices = options.prices ?? book.prices
    const keys = budget?.key === undefined ? undefined : new KeyBudgets(budget.key, maxKeys)
    const ofAll = budget?.all === undefined ? none : [stateOf(budget.all)]
    const callBudget = budget?.call
    const ofCall = callBudget === undefined
      ? () => none
      : (request: MessageRequest) => {
        const given = typeof callBudget === "function" ? callBudget(request) : callBudget
        return given === undefined ? none : [meterOf("call", given)]
      }

    const open = (
      fiber: Fiber.Fiber<unknown, unknown>,
      request: MessageRequest,
      call: CallOptions | undefined
    ): CallUsage => {
      const around = fiber.getRef(CurrentUsageScope)
      const key = around?.key ?? keyOf?.(request, call) ?? defaultKey
      const budgets = budget === undefined ? none : [...ofCall(request), ...(keys?.of(key) ?? none), ...ofAll]
      const facts = {
        model: request.model,
        key,
        books,
        learned: book.learned,
        prices,
        budgets,
        estimate,
        isSingle: false
      }
      return new CallUsage(facts, around)
    }

    return {
      createMessage: (request, call) =>
        Effect.withFiber((fiber) => {
          const usage = open(fiber, request, call)
          // As `Effect.provideService` does it, without a frame of its own: this runs for every call.
          const outer = fiber.context
          fiber.setContext(Context.add(outer, CurrentUsageScope, usage))
          return Effect.onExitPrimitive(inner.createMessage(request, call), (exit) => {
            fiber.setContext(outer)
            usage.close(Exit.isSuccess(exit) ? exit.value : undefined)
            return undefined
          })
        }),
      streamMessage: (request, call) =>
        Stream.unwrap(Effect.withFiber((fiber) => {
          const usage = open(fiber, request, call)
          return Effect.succeed(watchSeen(
            Stream.provideService(inner.streamMessage(request, call), CurrentUsageScope, usage),
            () => undefined,
            (seen) => usage.close(seen.isWhole ? seen.message : undefined)
          ))
        })),
      // Counting tokens is free.
      countTokens: inner.countTokens
    }
  }

  const { ledger } = options
  return stateful({
    name: "usage",
    options: describe(options),
    make: ledger === undefined
      ? Effect.map(
        Effect.serviceOption(UsageLedger.UsageLedger),
        Option.getOrElse(() => UsageLedger.makeUnsafe({ prices: options.prices, maxKeys }))
      )
      : Effect.succeed(ledger),
    wrap
  })
}

const describe = ({ budget, key, ledger, maxKeys, prices }: UsageLedgerOptions) => ({
  ...(ledger === undefined ? undefined : { shared: true }),
  ...(prices === undefined ? undefined : { prices: Object.keys(prices) }),
  ...(key === undefined ? undefined : { key }),
  ...(maxKeys === undefined ? undefined : { maxKeys }),
  ...(budget === undefined ? undefined : {
    budget: {
      call: budget.call,
      key: budget.key,
      ...(budget.all === undefined
        ? undefined
        : { all: { name: budget.all.name, [budget.all.unit]: budget.all.limit } })
    }
  })
})
