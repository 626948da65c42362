import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import type * as Duration from "effect/Duration"
import type { AlertsOptions, RateRule } from "../../Alerts.ts"
import type { ClaudeErrorTag } from "../../ClaudeError.ts"

/** A share that should not be passed. */
interface ShareRule {
  readonly share: number
  readonly window: Duration.Duration
  readonly minimumCalls: number
}

/** The rules of an alerts layer, checked. `undefined` for one that is off. */
export interface Rules {
  readonly successRate: ShareRule | undefined
  readonly errorRate: ShareRule | undefined
  readonly rateLimits: { readonly above: number; readonly window: Duration.Duration } | undefined
  readonly immediate: ReadonlySet<ClaudeErrorTag>
  readonly repeatAfter: Duration.Duration
  readonly concurrency: number
}

const owner = "ClaudeLayer.withAlerts"

const defaultImmediate: ReadonlyArray<ClaudeErrorTag> = ["AuthenticationError", "BillingError", "SpendLimitError"]

const duration = (option: string, value: Duration.Input): Duration.Duration =>
  OptionCheck.duration(owner, option, value, { positive: true })

const whole = (option: string, value: number): number => {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw OptionCheck.refuse(owner, option, "a whole number of at least 1", value)
  }
  return value
}

const shareRule = (option: string, bound: string, share: number, rule: RateRule): ShareRule => ({
  share: OptionCheck.number(owner, `${option}.${bound}`, share, 0, 1),
  window: duration(`${option}.window`, rule.window ?? "5 minutes"),
  minimumCalls: whole(`${option}.minimumCalls`, rule.minimumCalls ?? 20)
})

export const checkRules = <E, R>(options: AlertsOptions<E, R>): Rules => {
  const { errorRate = {}, immediate = defaultImmediate, rateLimits = {}, successRate = {} } = options
  return {
    successRate: successRate === false
      ? undefined
      : shareRule("successRate", "below", successRate.below ?? 0.95, successRate),
    errorRate: errorRate === false ? undefined : shareRule("errorRate", "above", errorRate.above ?? 0.1, errorRate),
    rateLimits: rateLimits === false ? undefined : {
      above: OptionCheck.number(owner, "rateLimits.above", rateLimits.above ?? 50, 0),
      window: duration("rateLimits.window", rateLimits.window ?? "1 minute")
    },
    immediate: new Set(immediate === false ? [] : immediate),
    repeatAfter: OptionCheck.duration(owner, "repeatAfter", options.repeatAfter ?? "15 minutes"),
    concurrency: whole("concurrency", options.concurrency ?? 4)
  }
}
