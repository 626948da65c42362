import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import type { Alert } from "../../Alerts.ts"
import type { ClaudeError } from "../../ClaudeError.ts"
import { RollingCount } from "./RollingCount.ts"
import type { Rules } from "./rules.ts"

const countIn = (rule: { readonly window: Duration.Duration } | undefined): RollingCount | undefined =>
  rule === undefined ? undefined : new RollingCount(Duration.toMillis(rule.window))

const requestIdOf = ({ requestId }: ClaudeError) => requestId === undefined ? undefined : { requestId }

/** Keeps count of calls and of requests, and tells what the rules say of them, the same not again for a while. */
export class Watchdog {
  private readonly rules: Rules
  private readonly raise: (alert: Alert) => void
  private readonly calls: RollingCount | undefined
  private readonly requests: RollingCount | undefined
  private readonly rateLimits: RollingCount | undefined
  private readonly seen = new WeakSet<ClaudeError>()
  private readonly quietUntil = new Map<string, number>()

  constructor(rules: Rules, raise: (alert: Alert) => void) {
    this.rules = rules
    this.raise = raise
    this.calls = countIn(rules.successRate)
    this.requests = countIn(rules.errorRate)
    this.rateLimits = countIn(rules.rateLimits)
  }

  /** A call as the program sees it has ended. */
  callEnded(clock: Clock.Clock, error: ClaudeError | undefined): void {
    if (error !== undefined) this.checkError(clock, error)
    const { calls, rules: { successRate: rule } } = this
    if (calls === undefined || rule === undefined) return
    const now = monotonicMillis(clock)
    calls.add(now, error !== undefined)
    const { failed, total } = calls
    const rate = 1 - failed / total
    if (error === undefined || total < rule.minimumCalls || rate >= rule.share) return
    this.alert(now, "SuccessRateLow", () => ({
      _tag: "SuccessRateLow",
      at: clock.currentTimeMillisUnsafe(),
      rate,
      below: rule.share,
      total,
      failed,
      window: rule.window,
      error: error._tag,
      ...requestIdOf(error)
    }))
  }

  /** A request that was sent has ended. */
  requestEnded(clock: Clock.Clock, error: ClaudeError | undefined): void {
    const { requests } = this
    if (error === undefined && requests === undefined) return
    const now = monotonicMillis(clock)
    requests?.add(now, error !== undefined)
    if (error === undefined) return
    this.checkErrorRate(clock, now, error)
    this.checkRateLimits(clock, now, error)
    this.checkError(clock, error)
  }

  // A failure of a request often is its call's too; one that a policy adds is no request's.
  private checkError(clock: Clock.Clock, error: ClaudeError): void {
    if (!this.rules.immediate.has(error._tag) || this.seen.has(error)) return
    this.seen.add(error)
    this.alert(monotonicMillis(clock), error._tag, () => ({
      _tag: "ErrorSeen",
      at: clock.currentTimeMillisUnsafe(),
      error: error._tag,
      ...requestIdOf(error),
      ...(error.model === undefined ? undefined : { model: error.model }),
      ...(error.errorCode === undefined ? undefined : { errorCode: error.errorCode })
    }))
  }

  private checkErrorRate(clock: Clock.Clock, now: number, error: ClaudeError): void {
    const { requests, rules: { errorRate: rule } } = this
    if (requests === undefined || rule === undefined) return
    const { failed, total } = requests
    const rate = failed / total
    if (total < rule.minimumCalls || rate <= rule.share) return
    this.alert(now, "ErrorRateHigh", () => ({
      _tag: "ErrorRateHigh",
      at: clock.currentTimeMillisUnsafe(),
      rate,
      above: rule.share,
      total,
      failed,
      window: rule.window,
      error: error._tag,
      ...requestIdOf(error)
    }))
  }

  private checkRateLimits(clock: Clock.Clock, now: number, error: ClaudeError): void {
    const { rateLimits, rules: { rateLimits: rule } } = this
    if (rateLimits === undefined || rule === undefined || error._tag !== "RateLimitError") return
    rateLimits.add(now, true)
    const { failed: count } = rateLimits
    if (count <= rule.above) return
    this.alert(now, "RateLimitsFrequent", () => ({
      _tag: "RateLimitsFrequent",
      at: clock.currentTimeMillisUnsafe(),
      count,
      above: rule.above,
      window: rule.window,
      ...requestIdOf(error)
    }))
  }

  private alert(now: number, name: string, make: () => Alert): void {
    if (now < (this.quietUntil.get(name) ?? Number.NEGATIVE_INFINITY)) return
    this.quietUntil.set(name, now + Duration.toMillis(this.rules.repeatAfter))
    this.raise(make())
  }
}

// The wall clock would stretch or cut a window whenever the host's time is corrected.
const monotonicMillis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
