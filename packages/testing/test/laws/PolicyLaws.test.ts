import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import * as Bulkhead from "@effect-claude/resilience/Bulkhead"
import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
import * as Deadline from "@effect-claude/resilience/Deadline"
import * as Fallback from "@effect-claude/resilience/Fallback"
import * as RateLimiter from "@effect-claude/resilience/RateLimiter"
import * as Retry from "@effect-claude/resilience/Retry"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as StaleCache from "@effect-claude/resilience/StaleCache"
import * as PolicyLaws from "@effect-claude/testing/PolicyLaws"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

/** Of a policy whose parts are tried with all cases beside it. */
const cases = 40

describe("our own policies keep the laws", () => {
  it.effect("retries: the schedules", () =>
    Effect.gen(function*() {
      yield* PolicyLaws.retry(ClaudeSchedule.standard, { attempts: 3 })
      yield* PolicyLaws.retry(ClaudeSchedule.patient, { attempts: Infinity, cases })
      const report = yield* PolicyLaws.retry(RetrySchedule.standard({ attempts: 6, jitter: "decorrelated" }), {
        attempts: 6
      })
      assert.isAbove(report.seen["retries"] ?? 0, 80)
      assert.isAbove(report.seen["interrupts"] ?? 0, 15)
    }))

  it.effect("retries: Retry.retry and ClaudeLayer.withRetry", () =>
    Effect.gen(function*() {
      yield* PolicyLaws.retry(Retry.retry(RetrySchedule.standard({ attempts: 4 })), { attempts: 4, cases })
      yield* PolicyLaws.retry(PolicyLaws.fromLayer(ClaudeLayer.withRetry()), { attempts: 3, cases })
      const pipeline = ClaudeLayer.standard({ attemptTimeout: { attempt: "10 seconds" }, telemetry: false })
      yield* PolicyLaws.retry(PolicyLaws.fromLayer(pipeline), { attempts: 3, cases })
    }))

  it.effect("circuit breakers", () =>
    Effect.gen(function*() {
      const breaker = Effect.map(
        CircuitBreaker.make({ failures: 3, openFor: "10 seconds", closeAfter: 2 }),
        ({ execute }): PolicyLaws.Policy => execute({ key: "claude" })
      )
      const report = yield* PolicyLaws.circuitBreaker(breaker, { failures: 3, openFor: "10 seconds", closeAfter: 2 })
      assert.isAbove(report.seen["probes"] ?? 0, 30)
      assert.isAbove(report.seen["interrupted probes"] ?? 0, 5)
      assert.isAbove(report.seen["late results"] ?? 0, 10)
      yield* PolicyLaws.circuitBreaker(PolicyLaws.fromLayer(ClaudeLayer.withCircuitBreaker()), {
        failures: 5,
        openFor: { atLeast: "900 millis", atMost: "2200 millis" },
        closeAfter: 2,
        cases
      })
    }))

  it.effect("rate limiters", () =>
    Effect.gen(function*() {
      const limiter = Effect.map(
        RateLimiter.make({
          limits: { requests: { limit: 10, window: "1 minute", burst: "6 seconds" } },
          headroom: 1,
          rampUp: false
        }),
        ({ withLimit }): PolicyLaws.Policy => (call) =>
          // By default a call that failed costs nothing, and the next one takes its place at once.
          withLimit(call, { costs: { requests: 1 }, settle: () => ({ requests: 1 }) })
      )
      // This seed has cases in which a wait of whole milliseconds is one longer for a call that was given up.
      const report = yield* PolicyLaws.rateLimiter(limiter, { limit: 11, window: "1 minute", seed: "s0" })
      assert.isAbove(report.seen["interrupted waits"] ?? 0, 50)
      assert.isAbove(report.seen["compared"] ?? 0, 100)
    }))

  it.effect("bulkheads", () =>
    Effect.gen(function*() {
      const bulkhead = Effect.map(
        Bulkhead.make({ permits: 3, queue: 4 }),
        ({ withPermit }): PolicyLaws.Policy => (call) => withPermit(call)
      )
      const report = yield* PolicyLaws.bulkhead(bulkhead, { limit: 3 })
      assert.isAbove(report.seen["interrupted waits"] ?? 0, 5)
      assert.isAbove(report.seen["interrupted calls"] ?? 0, 20)
      yield* PolicyLaws.bulkhead(PolicyLaws.fromLayer(ClaudeLayer.withConcurrency({ permits: 2 })), { limit: 2, cases })
    }))

  it.effect("deadlines, alone and around a pipeline", () =>
    Effect.gen(function*() {
      yield* PolicyLaws.deadline(Deadline.withDeadline("30 seconds"), { limit: "30 seconds" })
      yield* PolicyLaws.deadline(
        PolicyLaws.fromLayer(ClaudeLayer.standard({ deadline: "30 seconds", telemetry: false })),
        { limit: "30 seconds", cases }
      )
    }))

  it.effect("fallbacks", () =>
    Effect.gen(function*() {
      const report = yield* PolicyLaws.fallback((targets) =>
        Fallback.firstOf(targets, { shouldFallback: ({ verdict }) => verdict._tag === "Retry" })
      )
      assert.isAbove(report.seen["switches"] ?? 0, 40)
      yield* PolicyLaws.fallback(PolicyLaws.fallbackFromLayer((models) => ClaudeLayer.withFallback({ models })), {
        cases
      })
    }))

  it.effect("caches", () =>
    Effect.gen(function*() {
      const cache = Effect.map(
        StaleCache.make<string, ClaudeError>({
          staleFor: "1 hour",
          freshFor: "1 minute",
          shouldServeStale: ({ verdict }) => verdict._tag === "Retry"
        }),
        ({ execute }): PolicyLaws.KeyedPolicy => execute
      )
      yield* PolicyLaws.cache(cache, { maxAge: "1 hour" })
      yield* PolicyLaws.cache(PolicyLaws.cacheFromLayer(ClaudeLayer.withCache({ staleFor: "1 hour" })), {
        maxAge: "1 hour",
        cases
      })
    }))
})
