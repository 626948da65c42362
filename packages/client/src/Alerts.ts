/**
 * What `ClaudeLayer.withAlerts` tells a program of: that calls of Claude go wrong more than they should, or went wrong in a way
 * that somebody has to look at.
 *
 * **Details**
 *
 * | alert | when, unless told otherwise |
 * | --- | --- |
 * | `SuccessRateLow` | fewer than 95 % of the calls of the last five minutes succeeded, of at least 20 |
 * | `ErrorRateHigh` | more than 10 % of the requests sent in the last five minutes failed, of at least 20 |
 * | `RateLimitsFrequent` | more than 50 rate limits (429) in the last minute |
 * | `ErrorSeen` | at once on an authentication, billing or spend-limit error |
 *
 * The success rate is about calls as the program sees them: what a retry or a fallback mended is a success. The error rate is
 * about requests as Claude sees them, so it tells of trouble that the policies still hide. What a policy of the program's own
 * turned away was not sent and is in neither; a call that ends with it failed. Interrupted calls are not counted.
 *
 * The same alert is not given twice within `repeatAfter` (15 minutes); `ErrorSeen` is told apart by the tag. No alert holds
 * anything of a prompt, an answer or a key.
 *
 * **Example** (Telling an alert in a line)
 *
 * ```ts
 * import type * as Alerts from "@effect-claude/client/Alerts"
 * import { assert } from "@effect/vitest"
 *
 * const line = (alert: Alerts.Alert): string => {
 *   switch (alert._tag) {
 *     case "SuccessRateLow":
 *       return `Only ${Math.round(alert.rate * 100)} % of ${alert.total} calls succeeded`
 *     case "ErrorRateHigh":
 *       return `${Math.round(alert.rate * 100)} % of ${alert.total} requests failed`
 *     case "RateLimitsFrequent":
 *       return `${alert.count} rate limits`
 *     case "ErrorSeen":
 *       return `${alert.error} (${alert.requestId ?? "no request id"})`
 *   }
 * }
 *
 * assert.strictEqual(
 *   line({ _tag: "ErrorSeen", at: 0, error: "BillingError", model: "claude-sonnet-5-5", requestId: "req_1" }),
 *   "BillingError (req_1)"
 * )
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { ClaudeErrorTag } from "./ClaudeError.ts"

/**
 * Fewer calls succeeded than should. `rate` is the share of the `total` calls in the `window` that did.
 *
 * @category models
 * @since 0.1.0
 */
export interface SuccessRateLow {
  readonly _tag: "SuccessRateLow"
  readonly at: number
  readonly rate: number
  readonly below: number
  readonly total: number
  readonly failed: number
  readonly window: Duration.Duration
  /** What the call that made the difference failed with. */
  readonly error: ClaudeErrorTag
  readonly requestId?: string
}

/**
 * More requests failed than should. `rate` is the share of the `total` requests in the `window` that did.
 *
 * @category models
 * @since 0.1.0
 */
export interface ErrorRateHigh {
  readonly _tag: "ErrorRateHigh"
  readonly at: number
  readonly rate: number
  readonly above: number
  readonly total: number
  readonly failed: number
  readonly window: Duration.Duration
  /** What the request that made the difference failed with. */
  readonly error: ClaudeErrorTag
  readonly requestId?: string
}

/**
 * More requests than should were answered with a rate limit.
 *
 * @category models
 * @since 0.1.0
 */
export interface RateLimitsFrequent {
  readonly _tag: "RateLimitsFrequent"
  readonly at: number
  readonly count: number
  readonly above: number
  readonly window: Duration.Duration
  readonly requestId?: string
}

/**
 * A request failed in a way that calls for somebody at once.
 *
 * @category models
 * @since 0.1.0
 */
export interface ErrorSeen {
  readonly _tag: "ErrorSeen"
  readonly at: number
  readonly error: ClaudeErrorTag
  readonly model?: string
  readonly requestId?: string
  readonly errorCode?: string
}

/**
 * Something that somebody should know. `at` is milliseconds since the epoch.
 *
 * @category models
 * @since 0.1.0
 */
export type Alert = SuccessRateLow | ErrorRateHigh | RateLimitsFrequent | ErrorSeen

/**
 * A rate that should not be passed: of how many calls at least, in which stretch of time.
 *
 * **Details**
 *
 * - `window`: 5 minutes
 * - `minimumCalls`: calls, or requests, in the window before the rate says anything; 20
 *
 * @category models
 * @since 0.1.0
 */
export interface RateRule {
  readonly window?: Duration.Input | undefined
  readonly minimumCalls?: number | undefined
}

/**
 * When to alert, and whom. `false` switches a rule off; what is left out is as `Alerts` describes it.
 *
 * **Details**
 *
 * - `onAlert`: what to do. It runs beside the calls, on a fiber of the layer; its failure is logged and reaches no call. The
 *   end of the layer waits for it, 3 seconds at most.
 * - `successRate`: alerts `below` a share of calls that succeed; 0.95
 * - `errorRate`: alerts `above` a share of requests that fail; 0.1
 * - `rateLimits`: alerts `above` a number of rate limits within `window`; 50 in a minute
 * - `immediate`: the tags that alert at once; `AuthenticationError`, `BillingError`, `SpendLimitError`
 * - `repeatAfter`: how long the same alert is not given again; 15 minutes
 * - `concurrency`: how many `onAlert` may run at a time; 4. Up to 64 alerts wait for their turn, more are dropped.
 *
 * @category models
 * @since 0.1.0
 */
export interface AlertsOptions<out E = never, out R = never> {
  readonly onAlert: (alert: Alert) => Effect.Effect<unknown, E, R>
  readonly successRate?: (RateRule & { readonly below?: number | undefined }) | false | undefined
  readonly errorRate?: (RateRule & { readonly above?: number | undefined }) | false | undefined
  readonly rateLimits?:
    | { readonly above?: number | undefined; readonly window?: Duration.Input | undefined }
    | false
    | undefined
  readonly immediate?: ReadonlyArray<ClaudeErrorTag> | false | undefined
  readonly repeatAfter?: Duration.Input | undefined
  readonly concurrency?: number | undefined
}
