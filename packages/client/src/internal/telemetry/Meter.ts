import type { ResilienceEvent } from "@effect-claude/resilience/ResilienceEvent"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import type * as Metric from "effect/Metric"
import * as ClaudeMetrics from "../../ClaudeMetrics.ts"
import type { TokenUsage } from "./answerFacts.ts"
import { BoundedNames } from "./BoundedNames.ts"
import { counter, gauge, histogram, SeriesBy } from "./Series.ts"

/** What a call asks for, as OpenTelemetry names it. */
export type Operation = "chat" | "count_tokens"

export type Outcome = "success" | "failure" | "interrupted"

type Registry = Context.Context<never>

/** The series of one operation on one model. */
class OperationSeries {
  readonly calls: SeriesBy<Metric.Counter<number>>
  readonly succeeded: Metric.Histogram<number>
  readonly failed: SeriesBy<Metric.Histogram<number>>
  readonly firstChunk: Metric.Histogram<number>
  readonly input: Metric.Histogram<number>
  readonly output: Metric.Histogram<number>

  constructor(operation: Operation, model: string) {
    const labels = {
      "gen_ai.operation.name": operation,
      "gen_ai.provider.name": "anthropic",
      "gen_ai.request.model": model
    }
    const { "gen_ai.provider.name": _, ...own } = labels
    const duration = (more?: Readonly<Record<string, string>>) =>
      histogram(ClaudeMetrics.operationDuration, ClaudeMetrics.durationBoundaries, { ...labels, ...more })
    const tokens = (type: string) =>
      histogram(ClaudeMetrics.tokenUsage, ClaudeMetrics.tokenBoundaries, { ...labels, "gen_ai.token.type": type })
    this.calls = new SeriesBy((outcome) => counter(ClaudeMetrics.calls, { ...own, outcome }))
    this.succeeded = duration()
    this.failed = new SeriesBy((tag) => duration({ "error.type": tag }))
    this.firstChunk = histogram(ClaudeMetrics.timeToFirstChunk, ClaudeMetrics.durationBoundaries, labels)
    this.input = tokens("input")
    this.output = tokens("output")
  }
}

/** The series of one model. */
class ModelSeries {
  readonly chat: OperationSeries
  readonly countTokens: OperationSeries
  readonly attempts: Metric.Counter<number>
  readonly errors: SeriesBy<Metric.Counter<number>>
  readonly promptCache: SeriesBy<Metric.Counter<number>>

  constructor(model: string) {
    const labels = { "gen_ai.request.model": model }
    this.chat = new OperationSeries("chat", model)
    this.countTokens = new OperationSeries("count_tokens", model)
    this.attempts = counter(ClaudeMetrics.attempts, labels)
    this.errors = new SeriesBy((tag) => counter(ClaudeMetrics.errors, { ...labels, "error.type": tag }))
    this.promptCache = new SeriesBy((type) => counter(ClaudeMetrics.promptCacheTokens, { ...labels, type }))
  }

  operation(operation: Operation): OperationSeries {
    return operation === "chat" ? this.chat : this.countTokens
  }
}

const waits = (base: Metric.Histogram<number>, label: string) =>
  new SeriesBy((value) => histogram(base, ClaudeMetrics.waitBoundaries, { [label]: value }))

const counters = (base: Metric.Counter<number>, label: string) =>
  new SeriesBy((value) => counter(base, { [label]: value }))

const gauges = (base: Metric.Gauge<number>, label: string) => new SeriesBy((value) => gauge(base, { [label]: value }))

/** Keeps the metrics of a telemetry layer. Its series are made once; an update is a lookup in the registry of the call. */
export class Meter {
  private readonly modelNames = new BoundedNames()
  private readonly keys = new BoundedNames()
  private readonly models = new SeriesBy((model) => new ModelSeries(model))
  private readonly inFlight = gauge(ClaudeMetrics.inFlight)
  private readonly fallbacks = counters(ClaudeMetrics.fallbacks, "source")
  private readonly retries = counters(ClaudeMetrics.retries, "kind")
  private readonly retryWait = waits(ClaudeMetrics.retryWait, "kind")
  private readonly rateLimiterWait = waits(ClaudeMetrics.rateLimiterWait, "key")
  private readonly concurrencyWait = waits(ClaudeMetrics.concurrencyWait, "key")
  private readonly rejections = counters(ClaudeMetrics.rejections, "policy")
  private readonly hedges = counters(ClaudeMetrics.hedges, "outcome")
  private readonly hedgeTokens = counters(ClaudeMetrics.hedgeTokens, "type")
  private readonly cacheLookups = counters(ClaudeMetrics.cacheLookups, "result")
  private readonly streamRecoveries = counters(ClaudeMetrics.streamRecoveries, "outcome")
  private readonly chaosInjections = counters(ClaudeMetrics.chaosInjections, "injection")
  private readonly circuitState = gauges(ClaudeMetrics.circuitState, "key")
  private readonly retryBudgetLevel = gauge(ClaudeMetrics.retryBudgetLevel)
  private readonly concurrencyLimit = gauges(ClaudeMetrics.concurrencyLimit, "key")

  callStarted(registry: Registry): void {
    this.inFlight.modifyUnsafe(1, registry)
  }

  /** `millis` is how long the call took, `tag` what it failed with. */
  callEnded(
    registry: Registry,
    operation: Operation,
    model: string,
    outcome: Outcome,
    millis: number,
    tag: string | undefined
  ): void {
    this.inFlight.modifyUnsafe(-1, registry)
    const series = this.model(model).operation(operation)
    series.calls.get(outcome).updateUnsafe(1, registry)
    if (outcome === "success") series.succeeded.updateUnsafe(millis / 1000, registry)
    else if (outcome === "failure") series.failed.get(tag ?? "defect").updateUnsafe(millis / 1000, registry)
  }

  firstChunk(registry: Registry, model: string, millis: number): void {
    this.model(model).chat.firstChunk.updateUnsafe(millis / 1000, registry)
  }

  tokens(registry: Registry, operation: Operation, model: string, usage: TokenUsage): void {
    const series = this.model(model)
    const { input, output } = series.operation(operation)
    if (usage.input !== undefined) input.updateUnsafe(usage.input, registry)
    if (usage.output !== undefined) output.updateUnsafe(usage.output, registry)
    if (usage.cacheRead) series.promptCache.get("read").updateUnsafe(usage.cacheRead, registry)
    if (usage.cacheCreation) series.promptCache.get("creation").updateUnsafe(usage.cacheCreation, registry)
  }

  attempt(registry: Registry, model: string): void {
    this.model(model).attempts.updateUnsafe(1, registry)
  }

  error(registry: Registry, model: string, tag: string): void {
    this.model(model).errors.get(tag).updateUnsafe(1, registry)
  }

  fallback(registry: Registry, source: string): void {
    this.fallbacks.get(source).updateUnsafe(1, registry)
  }

  event(registry: Registry, event: ResilienceEvent): void {
    const add = (counters: SeriesBy<Metric.Counter<number>>, value: string) =>
      counters.get(value).updateUnsafe(1, registry)
    const set = (gauges: SeriesBy<Metric.Gauge<number>>, key: string, value: number) =>
      gauges.get(this.keys.label(key)).updateUnsafe(value, registry)
    const wait = (histograms: SeriesBy<Metric.Histogram<number>>, value: string, duration: Duration.Duration) =>
      histograms.get(value).updateUnsafe(Duration.toSeconds(duration), registry)

    switch (event._tag) {
      case "RetryScheduled": {
        const kind = event.kind ?? "unknown"
        wait(this.retryWait, kind, event.wait)
        return kind === "rejected" ? undefined : add(this.retries, kind)
      }
      case "RateLimiterWaited":
        return wait(this.rateLimiterWait, this.keys.label(event.key), event.wait)
      case "ConcurrencyQueued":
        return wait(this.concurrencyWait, this.keys.label(event.key), event.wait)
      case "CircuitRejected":
        return add(this.rejections, "circuit_breaker")
      case "RateLimiterRejected":
        return add(this.rejections, "rate_limiter")
      case "ConcurrencyRejected":
        return add(this.rejections, "concurrency")
      case "BudgetExhausted":
        add(this.rejections, "retry_budget")
        return this.retryBudgetLevel.updateUnsafe(event.level, registry)
      case "BudgetWithdrawn":
      case "BudgetDeposited":
        return this.retryBudgetLevel.updateUnsafe(event.level, registry)
      case "CircuitClosed":
        return set(this.circuitState, event.key, 0)
      case "CircuitHalfOpened":
        return set(this.circuitState, event.key, 1)
      case "CircuitOpened":
        return set(this.circuitState, event.key, 2)
      case "ConcurrencyLimitChanged":
        return set(this.concurrencyLimit, event.key, event.to)
      case "HedgeStarted":
        return add(this.hedges, "started")
      case "HedgeWon":
        return add(this.hedges, "won")
      case "HedgeLost":
        if (event.inputTokens) this.hedgeTokens.get("input").updateUnsafe(event.inputTokens, registry)
        if (event.outputTokens) this.hedgeTokens.get("output").updateUnsafe(event.outputTokens, registry)
        return add(this.hedges, "lost")
      case "HedgeSuppressed":
        return add(this.hedges, "suppressed")
      case "CacheHit":
        return add(this.cacheLookups, event.stale ? "stale" : "hit")
      case "CacheMissed":
        return add(this.cacheLookups, "miss")
      case "CacheFailed":
        return add(this.cacheLookups, "failed")
      case "Coalesced":
        return add(this.cacheLookups, "coalesced")
      case "StreamRecovered":
        return add(this.streamRecoveries, event.mode === "continue" ? "continued" : "restarted")
      case "StreamSurfaced":
        return add(this.streamRecoveries, "surfaced")
      case "ChaosInjected":
        return add(this.chaosInjections, this.keys.label(event.injection))
      default:
        return undefined
    }
  }

  private model(name: string): ModelSeries {
    return this.models.get(this.modelNames.label(name))
  }
}
