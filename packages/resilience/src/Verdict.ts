/**
 * What a failure means for the next step: try again, and if so after what kind of trouble and how long a wait, or stop.
 *
 * Every policy of this package reads failures through a `Verdict` and through nothing else. An error class carries one
 * (see {@link HasVerdict}), or the caller passes a `classify` function that makes one. That is how the same schedule
 * serves an HTTP client, a database and a model API.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import { dual } from "effect/Function"
import * as Schema from "effect/Schema"

/**
 * Lists the kinds of trouble a retry can answer, in the order in which documentation and metrics show them.
 *
 * **Example** (Listing the retry kinds)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 *
 * assert.include(Verdict.retryKinds, "overloaded")
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const retryKinds = [
  "rateLimited",
  "overloaded",
  "serverError",
  "connection",
  "timeout",
  "conflict",
  "rejected"
] as const

/**
 * Names the kind of trouble behind a failure that is worth another attempt.
 *
 * **Details**
 *
 * - `rateLimited`: the caller sent too much (HTTP 429)
 * - `overloaded`: the service has no capacity (HTTP 503, 529)
 * - `serverError`: the service broke (HTTP 500, 502)
 * - `connection`: no answer, or half of one: DNS, TLS, refused, reset
 * - `timeout`: no answer in time (HTTP 408, 504, a local timeout)
 * - `conflict`: somebody else holds the resource (HTTP 409, a serialization failure)
 * - `rejected`: a policy of this program said no and nothing was sent: an open circuit, a full queue
 *
 * @category models
 * @since 0.1.0
 */
export type RetryKind = typeof retryKinds[number]

/**
 * Says that another attempt may succeed; `after` is the wait the server asked for, if it asked.
 *
 * @category models
 * @since 0.1.0
 */
export interface Retry {
  readonly _tag: "Retry"
  readonly kind: RetryKind
  readonly after: Duration.Duration | undefined
}

/**
 * Says that the same request will fail again, so that no attempt is worth making.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stop {
  readonly _tag: "Stop"
}

/**
 * The meaning of a failure for the next step: {@link Retry} or {@link Stop}.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict = Retry | Stop

/**
 * An error that knows its own verdict; what policies ask for when they get no `classify`.
 *
 * @category models
 * @since 0.1.0
 */
export interface HasVerdict {
  readonly verdict: Verdict
}

const RetrySchema = Schema.TaggedStruct("Retry", {
  kind: Schema.Literals(retryKinds),
  after: Schema.UndefinedOr(Schema.DurationFromMillis)
})

/**
 * Encodes a verdict to JSON and back; the wait becomes milliseconds, an absent wait becomes `null`.
 *
 * **When to use**
 *
 * Use with `Schema.toCodecJson` to log a verdict, queue it, or send it to another process.
 *
 * **Example** (Sending a verdict as JSON)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Schema from "effect/Schema"
 *
 * const codec = Schema.toCodecJson(Verdict.VerdictSchema)
 * const json = Schema.encodeSync(codec)(Verdict.retry("overloaded", "2 seconds"))
 *
 * assert.deepStrictEqual(json, { _tag: "Retry", kind: "overloaded", after: 2000 })
 * assert.deepStrictEqual(Schema.decodeSync(codec)(json), Verdict.retry("overloaded", "2 seconds"))
 * ```
 *
 * @category schemas
 * @since 0.1.0
 */
export const VerdictSchema = Schema.Union([RetrySchema, Schema.TaggedStruct("Stop", {})])

/**
 * Makes a verdict that asks for another attempt.
 *
 * **Details**
 *
 * `after` is the wait the server asked for, counted from now. A negative or NaN wait says nothing and is left out, as a
 * `Retry-After` date in the past would be; an infinite one is kept, and every schedule stops on it.
 *
 * **Example** (Reading a Retry-After header)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Duration from "effect/Duration"
 *
 * const verdict = Verdict.retry("rateLimited", Duration.seconds(Number("12")))
 *
 * assert.deepStrictEqual(verdict.after, Duration.seconds(12))
 * assert.isUndefined(Verdict.retry("rateLimited", Number.NaN).after)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const retry = (kind: RetryKind, after?: Duration.Input): Retry => {
  if (after === undefined || Number.isNaN(after)) return { _tag: "Retry", kind, after: undefined }
  const wait = Duration.fromInputUnsafe(after)
  return { _tag: "Retry", kind, after: Duration.isNegative(wait) ? undefined : wait }
}

/**
 * The verdict that asks for no further attempt.
 *
 * **Example** (Refusing to retry a bad request)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 *
 * const classify = (status: number) => status === 503 ? Verdict.retry("overloaded") : Verdict.stop
 *
 * assert.deepStrictEqual(classify(400), Verdict.stop)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const stop: Stop = { _tag: "Stop" }

/**
 * Checks that a verdict asks for another attempt.
 *
 * **Example** (Narrowing to a retry)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 *
 * const verdict: Verdict.Verdict = Verdict.retry("timeout")
 *
 * assert.isTrue(Verdict.isRetry(verdict) && verdict.kind === "timeout")
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isRetry = (verdict: Verdict): verdict is Retry => verdict._tag === "Retry"

/**
 * Checks that a verdict asks for no further attempt.
 *
 * **Example** (Counting failures that are final)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 *
 * const verdicts = [Verdict.retry("timeout"), Verdict.stop, Verdict.stop]
 *
 * assert.strictEqual(verdicts.filter(Verdict.isStop).length, 2)
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isStop = (verdict: Verdict): verdict is Stop => verdict._tag === "Stop"

/**
 * Folds a verdict into one value, with a function for each of its two cases.
 *
 * **Example** (Choosing an HTTP status for a verdict)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 *
 * const status = Verdict.match({ onRetry: () => 503, onStop: () => 400 })
 *
 * assert.strictEqual(status(Verdict.retry("connection")), 503)
 * assert.strictEqual(status(Verdict.stop), 400)
 * ```
 *
 * @category pattern matching
 * @since 0.1.0
 */
export const match: {
  <A, B>(
    cases: { readonly onRetry: (verdict: Retry) => A; readonly onStop: (verdict: Stop) => B }
  ): (self: Verdict) => A | B
  <A, B>(
    self: Verdict,
    cases: { readonly onRetry: (verdict: Retry) => A; readonly onStop: (verdict: Stop) => B }
  ): A | B
} = dual(
  2,
  <A, B>(
    self: Verdict,
    cases: { readonly onRetry: (verdict: Retry) => A; readonly onStop: (verdict: Stop) => B }
  ): A | B => isRetry(self) ? cases.onRetry(self) : cases.onStop(self)
)
