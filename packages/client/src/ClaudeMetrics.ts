/**
 * The metrics that `ClaudeLayer.withTelemetry` keeps: what they are called, and what their labels mean.
 *
 * **Details**
 *
 * They live in `Metric.MetricRegistry` and go wherever the program's other metrics go (`effect/observability`'s OTLP exporter,
 * Prometheus). The first three follow the semantic conventions of OpenTelemetry for generative AI; the rest begins with
 * `claude.`. Times are in seconds.
 *
 * Every label has a bounded set of values: `error.type` is the tag of a `ClaudeError`, and names of models, of circuits and of
 * other keys are kept apart up to {@link maxNames} of them for each layer; what comes after is `other`. `docs/policies/telemetry.md`
 * has the table of all labels.
 *
 * A series has the labels of its own beside the `unit`; a metric from here, read with `Metric.withAttributes`, is that series.
 *
 * **Example** (Reading a metric)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as ClaudeMetrics from "@effect-claude/client/ClaudeMetrics"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Metric from "effect/Metric"
 *
 * const model = "claude-sonnet-5-5"
 * const Claude = ClaudeTest.script([Reply.text("Hello!")]).pipe(ClaudeLayer.withTelemetry())
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   yield* claude.createMessage({ model, max_tokens: 100, messages: [{ role: "user", content: "Hello" }] })
 *   const attempts = Metric.withAttributes(ClaudeMetrics.attempts, { "gen_ai.request.model": model })
 *   return (yield* Metric.value(attempts)).count
 * }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
 *
 * assert.strictEqual(await Effect.runPromise(program.pipe(Effect.provide(Claude))), 1)
 * ```
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"

/**
 * How many names of models (and, apart from those, of keys) a telemetry layer tells apart in its labels: 50. Others are
 * counted as {@link otherName}.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxNames = 50

/**
 * What stands in a label for the names beyond {@link maxNames}.
 *
 * @category constants
 * @since 0.1.0
 */
export const otherName = "other"

/**
 * The boundaries of the histograms of calls, in seconds: those that OpenTelemetry states for
 * `gen_ai.client.operation.duration`, and some more for answers that take minutes.
 *
 * @category constants
 * @since 0.1.0
 */
export const durationBoundaries: ReadonlyArray<number> = [
  0.01,
  0.02,
  0.04,
  0.08,
  0.16,
  0.32,
  0.64,
  1.28,
  2.56,
  5.12,
  10.24,
  20.48,
  40.96,
  81.92,
  163.84,
  327.68,
  655.36
]

/**
 * The boundaries of the histograms of waits, in seconds.
 *
 * @category constants
 * @since 0.1.0
 */
export const waitBoundaries: ReadonlyArray<number> = [
  0.01,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2,
  5,
  10,
  20,
  30,
  60,
  120,
  300,
  600
]

/**
 * The boundaries of `gen_ai.client.token.usage`, as OpenTelemetry states them.
 *
 * @category constants
 * @since 0.1.0
 */
export const tokenBoundaries: ReadonlyArray<number> = [
  1,
  4,
  16,
  64,
  256,
  1024,
  4096,
  16384,
  65536,
  262144,
  1048576,
  4194304,
  16777216,
  67108864
]

/**
 * `gen_ai.client.operation.duration`: how long calls took, retries, waits and fallbacks included. A call that was interrupted is
 * not in it. Labels: `gen_ai.operation.name`, `gen_ai.provider.name`, `gen_ai.request.model`, and `error.type` if it failed.
 *
 * @category gen ai metrics
 * @since 0.1.0
 */
export const operationDuration: Metric.Histogram<number> = Metric.histogram("gen_ai.client.operation.duration", {
  description: "Duration of calls, with all their attempts and waits",
  attributes: { unit: "s" },
  boundaries: durationBoundaries
})

/**
 * `gen_ai.client.operation.time_to_first_chunk`: for streams, from the call to the first event that is no ping. Labels:
 * `gen_ai.operation.name`, `gen_ai.provider.name`, `gen_ai.request.model`.
 *
 * @category gen ai metrics
 * @since 0.1.0
 */
export const timeToFirstChunk: Metric.Histogram<number> = Metric.histogram(
  "gen_ai.client.operation.time_to_first_chunk",
  {
    description: "Time from the call to the first event of its stream",
    attributes: { unit: "s" },
    boundaries: durationBoundaries
  }
)

/**
 * `gen_ai.client.token.usage`: tokens of each answer that Claude gave, also of a stream that broke off; not of an answer from a
 * cache or of the program's own. Labels: `gen_ai.operation.name`, `gen_ai.provider.name`, `gen_ai.request.model` (of who answered) and
 * `gen_ai.token.type`, `input` or `output`. Input holds what was read from and written to the prompt cache, as the convention
 * asks; {@link promptCacheTokens} has those apart.
 *
 * @category gen ai metrics
 * @since 0.1.0
 */
export const tokenUsage: Metric.Histogram<number> = Metric.histogram("gen_ai.client.token.usage", {
  description: "Tokens used by answers",
  attributes: { unit: "{token}" },
  boundaries: tokenBoundaries
})

/**
 * `claude.prompt_cache.tokens`: input tokens that were read from the prompt cache or written to it. Labels:
 * `gen_ai.request.model`, and `type`, `read` or `creation`.
 *
 * @category calls
 * @since 0.1.0
 */
export const promptCacheTokens: Metric.Counter<number> = Metric.counter("claude.prompt_cache.tokens", {
  description: "Input tokens read from the prompt cache or written to it",
  attributes: { unit: "{token}" },
  incremental: true
})

/**
 * `claude.calls`: calls of the service, as the program made them. Labels: `gen_ai.operation.name`, `gen_ai.request.model`, and
 * `outcome`, `success`, `failure` or `interrupted`.
 *
 * @category calls
 * @since 0.1.0
 */
export const calls: Metric.Counter<number> = Metric.counter("claude.calls", {
  description: "Calls, by outcome",
  incremental: true
})

/**
 * `claude.calls.in_flight`: calls that are running. No labels.
 *
 * @category calls
 * @since 0.1.0
 */
export const inFlight: Metric.Gauge<number> = Metric.gauge("claude.calls.in_flight", {
  description: "Calls that are running"
})

/**
 * `claude.attempts`: requests that were sent: first attempts, retries, hedges, and those of each fallback. Labels:
 * `gen_ai.request.model`.
 *
 * @category calls
 * @since 0.1.0
 */
export const attempts: Metric.Counter<number> = Metric.counter("claude.attempts", {
  description: "Requests sent",
  incremental: true
})

/**
 * `claude.errors`: failures, each counted once: those of attempts, and those of calls that no attempt failed with, such as a
 * deadline. Labels: `error.type`, `gen_ai.request.model`.
 *
 * @category calls
 * @since 0.1.0
 */
export const errors: Metric.Counter<number> = Metric.counter("claude.errors", {
  description: "Failures of attempts and of calls, by tag",
  incremental: true
})

/**
 * `claude.fallbacks`: calls that somebody else answered than the model that was asked for. Labels: `source`, `model`, `service`,
 * `cached`, `static` or `handoff`.
 *
 * @category policies
 * @since 0.1.0
 */
export const fallbacks: Metric.Counter<number> = Metric.counter("claude.fallbacks", {
  description: "Answers that were not of the model asked for, by who gave them",
  incremental: true
})

/**
 * `claude.retries`: attempts that were made again. Waiting for an open circuit or a full queue is none, since nothing was sent.
 * Labels: `kind`, that of the verdict (`rateLimited`, `overloaded`, ...), or `unknown`.
 *
 * @category policies
 * @since 0.1.0
 */
export const retries: Metric.Counter<number> = Metric.counter("claude.retries", {
  description: "Retries, by kind of failure",
  incremental: true
})

/**
 * `claude.retry.wait`: how long retries waited. Labels: `kind`, as in {@link retries}, and `rejected` for waits for a policy.
 *
 * @category policies
 * @since 0.1.0
 */
export const retryWait: Metric.Histogram<number> = Metric.histogram("claude.retry.wait", {
  description: "Waits before retries",
  attributes: { unit: "s" },
  boundaries: waitBoundaries
})

/**
 * `claude.rate_limiter.wait`: how long calls waited for the rate limiter; those that did not wait are not in it. Labels: `key`.
 *
 * @category policies
 * @since 0.1.0
 */
export const rateLimiterWait: Metric.Histogram<number> = Metric.histogram("claude.rate_limiter.wait", {
  description: "Waits for the local rate limiter",
  attributes: { unit: "s" },
  boundaries: waitBoundaries
})

/**
 * `claude.concurrency.wait`: how long calls waited for a permit; those that did not wait are not in it. Labels: `key`.
 *
 * @category policies
 * @since 0.1.0
 */
export const concurrencyWait: Metric.Histogram<number> = Metric.histogram("claude.concurrency.wait", {
  description: "Waits for the local concurrency limit",
  attributes: { unit: "s" },
  boundaries: waitBoundaries
})

/**
 * `claude.rejections`: times that a policy of the program's own said no. Labels: `policy`, `circuit_breaker`, `rate_limiter`,
 * `concurrency` or `retry_budget`.
 *
 * @category policies
 * @since 0.1.0
 */
export const rejections: Metric.Counter<number> = Metric.counter("claude.rejections", {
  description: "Rejections by local policies",
  incremental: true
})

/**
 * `claude.hedges`: second requests. Labels: `outcome`, `started`, `won`, `lost` or `suppressed`.
 *
 * @category policies
 * @since 0.1.0
 */
export const hedges: Metric.Counter<number> = Metric.counter("claude.hedges", {
  description: "Hedged requests, by what became of them",
  incremental: true
})

/**
 * `claude.hedges.tokens`: what requests that lost against another one had used, as far as they had told. Labels: `type`,
 * `input` or `output`.
 *
 * @category policies
 * @since 0.1.0
 */
export const hedgeTokens: Metric.Counter<number> = Metric.counter("claude.hedges.tokens", {
  description: "Tokens of hedged requests that lost",
  attributes: { unit: "{token}" },
  incremental: true
})

/**
 * `claude.cache.lookups`: what the answer cache said. Labels: `result`, `hit`, `stale`, `miss`, `coalesced` (joined a call in
 * flight) or `failed`.
 *
 * @category policies
 * @since 0.1.0
 */
export const cacheLookups: Metric.Counter<number> = Metric.counter("claude.cache.lookups", {
  description: "Lookups in the answer cache, by result",
  incremental: true
})

/**
 * `claude.stream.recoveries`: streams that broke off after their first content. Labels: `outcome`, `continued`, `restarted` or
 * `surfaced`. One stream may be recovered several times.
 *
 * @category policies
 * @since 0.1.0
 */
export const streamRecoveries: Metric.Counter<number> = Metric.counter("claude.stream.recoveries", {
  description: "Streams that broke off, by what became of them",
  incremental: true
})

/**
 * `claude.chaos.injections`: troubles that were injected on purpose, as `Chaos` of `@effect-claude/testing` does. Labels:
 * `injection`, its name.
 *
 * @category policies
 * @since 0.1.0
 */
export const chaosInjections: Metric.Counter<number> = Metric.counter("claude.chaos.injections", {
  description: "Troubles injected on purpose",
  incremental: true
})

/**
 * `claude.circuit.state`: 0 for a closed circuit, 1 for one that is half open, 2 for one that is open. Set at each change, so a
 * circuit that never opened is not in it. Labels: `key`.
 *
 * @category policies
 * @since 0.1.0
 */
export const circuitState: Metric.Gauge<number> = Metric.gauge("claude.circuit.state", {
  description: "State of circuits: 0 closed, 1 half open, 2 open"
})

/**
 * `claude.retry_budget.level`: what is left in the retry budget, after its last change. No labels.
 *
 * @category policies
 * @since 0.1.0
 */
export const retryBudgetLevel: Metric.Gauge<number> = Metric.gauge("claude.retry_budget.level", {
  description: "Level of the retry budget"
})

/**
 * `claude.concurrency.limit`: where an adaptive concurrency limit stands, after its last change. Labels: `key`.
 *
 * @category policies
 * @since 0.1.0
 */
export const concurrencyLimit: Metric.Gauge<number> = Metric.gauge("claude.concurrency.limit", {
  description: "Adaptive concurrency limit"
})
