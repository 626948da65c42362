/**
 * What policies decide, as it happens: one event for each retry, rejection, circuit, queue, hedge and fallback.
 *
 * **Details**
 *
 * A policy emits its events in the fiber of the call they belong to, to the {@link CurrentListener}. Without a listener
 * they are not even built.
 *
 * **Example** (Watching the retries of a call)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
 * import * as Retry from "@effect-claude/resilience/Retry"
 * import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
 * import * as Verdict from "@effect-claude/resilience/Verdict"
 * import * as Effect from "effect/Effect"
 *
 * const seen: Array<string> = []
 * const call = Effect.fail({ verdict: Verdict.retry("connection") }).pipe(
 *   Retry.retry(RetrySchedule.standard({ base: "1 millis", attempts: 3 })),
 *   ResilienceEvent.listen((event) => {
 *     seen.push(event._tag)
 *   }),
 *   Effect.ignore
 * )
 *
 * await Effect.runPromise(call)
 * assert.deepStrictEqual(seen, ["RetryScheduled", "RetryScheduled", "RetriesEnded"])
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import type { RetryKind } from "./Verdict.ts"

/**
 * Something a policy decided. Names of keys and targets are the program's own; no event holds what was sent or answered.
 *
 * **Details**
 *
 * | event | when |
 * | --- | --- |
 * | `RetryScheduled` | an attempt failed and another one follows after `wait` |
 * | `RetriesEnded` | an attempt failed and none follows: a `Stop`, no attempts, no time or no budget left |
 * | `AttemptTimedOut`, `DeadlineExceeded` | a clock ran out |
 * | `CircuitOpened`, `CircuitHalfOpened`, `CircuitClosed` | a circuit changed its state |
 * | `CircuitRejected` | a call met an open circuit; nothing was sent |
 * | `RateLimiterWaited`, `RateLimiterRejected` | a call had to wait for the limiter, or was turned away |
 * | `RateLimiterPaused` | the server told everybody of a key to wait |
 * | `RateLimitsLearned` | a response told of other limits than those in force |
 * | `ConcurrencyQueued`, `ConcurrencyRejected` | a call had to wait for a permit, or was turned away |
 * | `ConcurrencyLimitChanged` | an adaptive limit moved |
 * | `BudgetWithdrawn`, `BudgetDeposited`, `BudgetExhausted` | the retry budget paid, was refunded, or could not pay |
 * | `HedgeStarted`, `HedgeWon`, `HedgeLost`, `HedgeSuppressed` | a second request was started, answered first, was cancelled, or was not allowed |
 * | `FallbackSwitched`, `FallbackSkipped` | another target is asked, or passed over without being asked |
 * | `FallbackAdapted` | a request was changed for the target that is asked |
 * | `CacheHit`, `CacheMissed`, `CacheStored`, `CacheFailed` | the answer cache was asked or told |
 * | `Coalesced` | a call joined one that is in flight |
 * | `StreamRecoveryScheduled` | a stream broke off after its first content, and is gone on with or made anew after `wait` |
 * | `StreamRecovered` | the part that was asked for has begun to arrive |
 * | `StreamSurfaced` | a stream broke off after its first content, and fails |
 * | `ChaosInjected` | what the call meets, or met, is no trouble of the service but was injected on purpose |
 *
 * @category models
 * @since 0.1.0
 */
export type ResilienceEvent =
  | {
    readonly _tag: "RetryScheduled"
    readonly attempt: number
    /** Absent for an error that carries no verdict, under a schedule that makes none. */
    readonly kind?: RetryKind
    readonly error: string
    readonly wait: Duration.Duration
  }
  | {
    readonly _tag: "RetriesEnded"
    readonly attempt: number
    readonly error: string
    readonly reason: "schedule" | "budget"
  }
  | {
    readonly _tag: "AttemptTimedOut"
    readonly phase: "headers" | "firstEvent" | "idle" | "attempt"
    readonly limit: Duration.Duration
  }
  | { readonly _tag: "DeadlineExceeded"; readonly limit: Duration.Duration }
  | {
    readonly _tag: "CircuitOpened"
    readonly key: string
    readonly reason: "consecutive" | "ratio" | "probe" | "trip" | "isolated"
    /** Absent for a circuit that was isolated by hand. */
    readonly openFor?: Duration.Duration
  }
  | { readonly _tag: "CircuitHalfOpened"; readonly key: string }
  | { readonly _tag: "CircuitClosed"; readonly key: string; readonly reason: "probes" | "reset" }
  | {
    readonly _tag: "CircuitRejected"
    readonly key: string
    readonly reason: "open" | "probing" | "isolated" | "tripped"
    readonly retryAfter?: Duration.Duration
  }
  | { readonly _tag: "RateLimiterWaited"; readonly key: string; readonly wait: Duration.Duration }
  | {
    readonly _tag: "RateLimiterRejected"
    readonly key: string
    readonly reason: "queueFull" | "queueTimeout" | "deadline"
  }
  | { readonly _tag: "RateLimiterPaused"; readonly key: string; readonly duration: Duration.Duration }
  | {
    readonly _tag: "RateLimitsLearned"
    readonly key: string
    readonly limits: Readonly<Record<string, number>>
  }
  | { readonly _tag: "ConcurrencyQueued"; readonly key: string; readonly wait: Duration.Duration }
  | {
    readonly _tag: "ConcurrencyRejected"
    readonly key: string
    readonly reason: "queueFull" | "queueTimeout"
  }
  | {
    readonly _tag: "ConcurrencyLimitChanged"
    readonly key: string
    readonly from: number
    readonly to: number
    readonly reason: "success" | "overload" | "latency"
  }
  | { readonly _tag: "BudgetWithdrawn"; readonly cost: number; readonly level: number }
  | { readonly _tag: "BudgetDeposited"; readonly amount: number; readonly level: number }
  | { readonly _tag: "BudgetExhausted"; readonly cost: number; readonly level: number }
  | { readonly _tag: "HedgeStarted"; readonly hedge: number; readonly delay: Duration.Duration }
  | { readonly _tag: "HedgeWon"; readonly hedge: number }
  | {
    readonly _tag: "HedgeLost"
    readonly hedge: number
    /** What the loser used as far as is known. */
    readonly inputTokens?: number
    readonly outputTokens?: number
  }
  | { readonly _tag: "HedgeSuppressed"; readonly reason: "budget" | "load" | "samples" | "refused" }
  | { readonly _tag: "FallbackSwitched"; readonly from: string; readonly to: string; readonly error: string }
  | { readonly _tag: "FallbackSkipped"; readonly target: string; readonly reason: string }
  | { readonly _tag: "FallbackAdapted"; readonly target: string; readonly changes: ReadonlyArray<string> }
  | { readonly _tag: "CacheHit"; readonly age: Duration.Duration; readonly stale: boolean }
  | { readonly _tag: "CacheMissed" }
  | { readonly _tag: "CacheStored" }
  | { readonly _tag: "CacheFailed"; readonly operation: "read" | "write"; readonly error: string }
  | { readonly _tag: "Coalesced" }
  | {
    readonly _tag: "StreamRecoveryScheduled"
    readonly mode: "continue" | "restart"
    /** The number of the part that is to come; 2 for the first recovery. */
    readonly part: number
    readonly error: string
    readonly wait: Duration.Duration
  }
  | { readonly _tag: "StreamRecovered"; readonly mode: "continue" | "restart"; readonly part: number }
  | {
    readonly _tag: "StreamSurfaced"
    /** How many parts there were. */
    readonly part: number
    readonly error: string
    /**
     * `verdict`: a `Stop`; `mode`: as asked for; `limit`: recovered often enough; `tools`: a tool may have run; `request`: one
     * that nothing can be made anew of; `schedule`, `budget`: no attempts, no time or no budget left.
     */
    readonly reason: "verdict" | "mode" | "limit" | "tools" | "request" | "schedule" | "budget"
  }
  | {
    readonly _tag: "ChaosInjected"
    /** The name of the injection. */
    readonly injection: string
    readonly kind: "fault" | "latency" | "outcome" | "behavior"
  }

/**
 * The name of any {@link ResilienceEvent}.
 *
 * @category models
 * @since 0.1.0
 */
export type ResilienceEventTag = ResilienceEvent["_tag"]

/**
 * Takes events as they happen, on the fiber of the call; it should be quick, and what it throws is dropped.
 *
 * @category models
 * @since 0.1.0
 */
export type Listener = (event: ResilienceEvent) => void

/**
 * Who hears of what the policies of the current call decide; nobody by default.
 *
 * **Example** (Asking for the listener)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
 * import * as Effect from "effect/Effect"
 *
 * assert.isUndefined(await Effect.runPromise(ResilienceEvent.CurrentListener))
 * ```
 *
 * @category references
 * @since 0.1.0
 */
export const CurrentListener: Context.Reference<Listener | undefined> = Context.Reference<Listener | undefined>(
  "@effect-claude/resilience/ResilienceEvent/CurrentListener",
  { defaultValue: () => undefined }
)

/**
 * Whether anybody listens, for policies that would not build an event in vain.
 *
 * **Example** (Asking before building an event)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
 * import * as Effect from "effect/Effect"
 *
 * const heard = Effect.withFiber((fiber) => Effect.succeed(ResilienceEvent.isHeard(fiber)))
 *
 * assert.isFalse(await Effect.runPromise(heard))
 * assert.isTrue(await Effect.runPromise(ResilienceEvent.listen(heard, () => {})))
 * ```
 *
 * @category emitting
 * @since 0.1.0
 */
export const isHeard = (fiber: Fiber.Fiber<unknown, unknown>): boolean => fiber.getRef(CurrentListener) !== undefined

/**
 * Tells the listener of a fiber, if there is one. What it throws is dropped: to watch a call must not break it.
 *
 * **Example** (Emitting from a policy of one's own)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
 * import * as Effect from "effect/Effect"
 *
 * const seen: Array<ResilienceEvent.ResilienceEvent> = []
 * const policy = Effect.withFiber((fiber) => {
 *   ResilienceEvent.emit(fiber, { _tag: "FallbackSkipped", target: "archive", reason: "closed at night" })
 *   return Effect.void
 * })
 *
 * await Effect.runPromise(ResilienceEvent.listen(policy, (event) => {
 *   seen.push(event)
 * }))
 * assert.deepStrictEqual(seen, [{ _tag: "FallbackSkipped", target: "archive", reason: "closed at night" }])
 * ```
 *
 * @category emitting
 * @since 0.1.0
 */
export const emit = (fiber: Fiber.Fiber<unknown, unknown>, event: ResilienceEvent): void => {
  const listener = fiber.getRef(CurrentListener)
  if (listener === undefined) return
  try {
    listener(event)
  } catch {
    // See above.
  }
}

/**
 * Lets a listener hear of everything the policies inside decide, beside a listener further out.
 *
 * **Example** (Counting rejections)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Deadline from "@effect-claude/resilience/Deadline"
 * import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
 * import * as Effect from "effect/Effect"
 *
 * const seen: Array<string> = []
 * const call = Effect.never.pipe(
 *   Deadline.withDeadline("5 millis"),
 *   ResilienceEvent.listen((event) => {
 *     seen.push(event._tag)
 *   }),
 *   Effect.ignore
 * )
 *
 * await Effect.runPromise(call)
 * assert.deepStrictEqual(seen, ["DeadlineExceeded"])
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const listen: {
  (listener: Listener): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, listener: Listener): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, listener: Listener): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) =>
      Effect.provideService(self, CurrentListener, both(fiber.getRef(CurrentListener), listener))
    )
)

/**
 * One listener that tells two. Either may be absent.
 *
 * **Example** (Adding a listener)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
 *
 * let heard = 0
 * const listener = ResilienceEvent.both(undefined, () => {
 *   heard += 1
 * })
 * listener({ _tag: "CacheMissed" })
 * assert.strictEqual(heard, 1)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const both = (first: Listener | undefined, second: Listener): Listener =>
  first === undefined ? second : (event) => {
    try {
      first(event)
    } finally {
      second(event)
    }
  }
