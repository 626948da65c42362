/**
 * Retry schedules with the numbers that fit the Claude API.
 *
 * **Details**
 *
 * Each is a plain `Schedule` over any error with a `verdict`: it works in `ClaudeLayer.withRetry`, in `Effect.retry`, and on
 * the errors of another service through `RetrySchedule.standard({ classify })`. All have full jitter, take the server's wait
 * as a floor with up to 20 % on top, stop at once on a `Stop` verdict, and stop rather than sleep past a deadline.
 *
 * **Example** (Choosing a schedule)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Fault.rateLimit({ retryAfter: "5 millis" }), Reply.text("Hello!")]).pipe(
 *   ClaudeLayer.withRetry(ClaudeSchedule.make({ kinds: { rateLimited: { base: "1 millis" } } }))
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * })
 *
 * const message = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.strictEqual(message.stop_reason, "end_turn")
 * ```
 *
 * @since 0.1.0
 */
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import type { HasVerdict } from "@effect-claude/resilience/Verdict"
import type * as Schedule from "effect/Schedule"

/**
 * A schedule over anything that carries a verdict.
 *
 * @category models
 * @since 0.1.0
 */
export type ClaudeSchedule = Schedule.Schedule<RetrySchedule.RetryDecision, HasVerdict>

// Each attempt that timed out has taken its whole time, and may have been billed.
const timeoutAttempts = 2

/**
 * The standard schedule with some of its numbers changed. What is left out stays as in {@link standard}: timeouts are tried
 * once more at most, unless `kinds.timeout.attempts` says otherwise.
 *
 * **Example** (Waiting longer for capacity)
 *
 * ```ts
 * import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
 * import * as Schedule from "effect/Schedule"
 * import { assert } from "@effect/vitest"
 *
 * const schedule = ClaudeSchedule.make({ attempts: 6, kinds: { overloaded: { base: "5 seconds", cap: "1 minute" } } })
 * assert.isTrue(Schedule.isSchedule(schedule))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: RetrySchedule.StandardOptions = {}): ClaudeSchedule => {
  const timeout = options.kinds?.timeout
  const attempts = timeout?.attempts ?? Math.min(timeoutAttempts, options.attempts ?? timeoutAttempts)
  return RetrySchedule.standard({ ...options, kinds: { ...options.kinds, timeout: { ...timeout, attempts } } })
}

/**
 * For a call that someone waits for: 3 attempts; waits from 0.5 s (1 s for rate limits and overload), doubling, at most
 * 20 s; a server's wait of more than 60 s fails at once; timeouts are tried once more and not twice, since each may have
 * cost a whole attempt timeout and been billed.
 *
 * **Example** (Reading its decisions)
 *
 * ```ts
 * import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 *
 * const logged = ClaudeSchedule.standard.pipe(
 *   Schedule.tap(({ output }) => Effect.logInfo(`attempt ${output.attempt} failed, ${output.kind}`))
 * )
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const standard: ClaudeSchedule = make()

/**
 * For a call that cannot wait: 2 attempts, a first wait of at most 0.25 s, at most 5 s if the server asks. Best with a
 * fallback outside.
 *
 * **Example** (Answering soon or falling back)
 *
 * ```ts
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
 *
 * const Claude = AnthropicClient.layerConfig.pipe(
 *   ClaudeLayer.withRetry(ClaudeSchedule.interactive),
 *   ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] })
 * )
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const interactive: ClaudeSchedule = make({
  attempts: 2,
  base: "250 millis",
  maxWait: "5 seconds"
})

/**
 * For a job that nobody watches: 10 attempts, waits from 5 s for rate limits and overload (whose windows last minutes), at
 * most 60 s, and up to 10 minutes if the server asks.
 *
 * **Example** (Running through the night)
 *
 * ```ts
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
 *
 * const Claude = AnthropicClient.layerConfig.pipe(
 *   ClaudeLayer.withRetry(ClaudeSchedule.patient),
 *   ClaudeLayer.withDeadline("1 hour")
 * )
 * ```
 *
 * @category presets
 * @since 0.1.0
 */
export const patient: ClaudeSchedule = make({
  attempts: 10,
  cap: "60 seconds",
  maxWait: "10 minutes",
  kinds: {
    rateLimited: { base: "5 seconds" },
    overloaded: { base: "5 seconds" },
    timeout: { attempts: 4 }
  }
})
