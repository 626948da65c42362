import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import { type ClaudeError, OverloadedError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeMetrics from "@effect-claude/client/ClaudeMetrics"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import { fromMessage, type MessageEvent } from "@effect-claude/client/MessageEvents"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/testing/TestClock"
import { createMessage, request, runFor, streamEvents, using } from "./support.ts"

type Snapshot = Readonly<Record<string, number>>

const model = request.model

const ping: MessageEvent = { type: "ping" }

const numberOf = (metric: Metric.Metric.Snapshot): number => {
  if (metric.type === "Counter") return Number(metric.state.count)
  if (metric.type === "Gauge") return Number(metric.state.value)
  return metric.type === "Histogram" ? metric.state.sum : Number.NaN
}

/** Every series of Claude as "name label=value ...", without the labels that are the same everywhere. */
const read = Effect.map(Metric.snapshot, (metrics): Snapshot =>
  Object.fromEntries(
    metrics.filter(({ id }) => id.startsWith("claude.") || id.startsWith("gen_ai.")).map((metric) => {
      const labels = Object.entries(metric.attributes ?? {})
        .filter(([name, value]) => name !== "unit" && name !== "gen_ai.provider.name" && value !== model)
        .map(([name, value]) => `${name}=${value}`)
      return [[metric.id, ...labels.sort()].join(" "), numberOf(metric)]
    })
  ))

const isolated = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.provideService(effect, Metric.MetricRegistry, new Map())

const observe = (
  call: Effect.Effect<unknown, ClaudeError, ClaudeService>,
  layer: Layer.Layer<ClaudeService>
) => using(Effect.andThen(runFor(call, "10 minutes"), read), layer).pipe(isolated)

const pipeline = (steps: ReadonlyArray<Parameters<typeof ClaudeTest.script>[0][number]>) =>
  ClaudeTest.script(steps).pipe(
    ClaudeLayer.withAttemptTimeout({ attempt: "60 seconds" }),
    ClaudeLayer.withRetry(Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 2 }))),
    ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"], answer: () => "We are busy" }),
    ClaudeLayer.withTelemetry({ logs: false })
  )

const usage = (fields: Record<string, number>) => ({ usage: { ...Reply.message("").usage, ...fields } })

describe("metrics of ClaudeLayer.withTelemetry", () => {
  it.effect("a call that succeeds", () =>
    Effect.gen(function*() {
      const reply = Reply.text("hi", usage({ input_tokens: 10, output_tokens: 5 }))
      assert.deepStrictEqual(yield* observe(createMessage, pipeline([reply])), {
        "claude.attempts": 1,
        "claude.calls gen_ai.operation.name=chat outcome=success": 1,
        "claude.calls.in_flight": 0,
        "gen_ai.client.operation.duration gen_ai.operation.name=chat": 0,
        "gen_ai.client.token.usage gen_ai.operation.name=chat gen_ai.token.type=input": 10,
        "gen_ai.client.token.usage gen_ai.operation.name=chat gen_ai.token.type=output": 5
      })
    }))

  it.effect("input holds the tokens of the prompt cache, which are counted apart too", () =>
    Effect.gen(function*() {
      const fields = { input_tokens: 10, cache_read_input_tokens: 200, cache_creation_input_tokens: 3000 }
      for (const call of [createMessage, streamEvents]) {
        const metrics = yield* observe(call, pipeline([Reply.text("hi", usage(fields))]))
        assert.strictEqual(
          metrics["gen_ai.client.token.usage gen_ai.operation.name=chat gen_ai.token.type=input"],
          3210
        )
        assert.strictEqual(metrics["claude.prompt_cache.tokens type=read"], 200)
        assert.strictEqual(metrics["claude.prompt_cache.tokens type=creation"], 3000)
      }
    }))

  it.effect("a call that is mended by a retry: its failure, the retry and the wait", () =>
    Effect.gen(function*() {
      const metrics = yield* observe(createMessage, pipeline([Fault.overloaded(), Reply.text("hi")]))
      assert.deepInclude(metrics, {
        "claude.attempts": 2,
        "claude.calls gen_ai.operation.name=chat outcome=success": 1,
        "claude.errors error.type=OverloadedError": 1,
        "claude.retries kind=overloaded": 1,
        "claude.retry.wait kind=overloaded": 1,
        "gen_ai.client.operation.duration gen_ai.operation.name=chat": 1
      })
    }))

  it.effect("a call that fails: by tag, counted once however many layers it passes", () =>
    Effect.gen(function*() {
      for (const call of [createMessage, streamEvents]) {
        const metrics = yield* observe(call, pipeline([Fault.authentication()]))
        assert.deepInclude(metrics, {
          "claude.attempts": 1,
          "claude.calls gen_ai.operation.name=chat outcome=failure": 1,
          "claude.errors error.type=AuthenticationError": 1,
          "gen_ai.client.operation.duration error.type=AuthenticationError gen_ai.operation.name=chat": 0
        })
        assert.isFalse("gen_ai.client.operation.duration gen_ai.operation.name=chat" in metrics)
      }
    }))

  it.effect("a deadline that no attempt failed with is an error too", () =>
    Effect.gen(function*() {
      const layer = ClaudeTest.script([Fault.hang()]).pipe(
        ClaudeLayer.withDeadline("1 minute"),
        ClaudeLayer.withTelemetry({ logs: false })
      )
      assert.deepInclude(yield* observe(createMessage, layer), {
        "claude.errors error.type=DeadlineExceededError": 1,
        "gen_ai.client.operation.duration error.type=DeadlineExceededError gen_ai.operation.name=chat": 60
      })
    }))

  it.effect("tokens go to the model that answered, and the answer counts as a fallback", () =>
    Effect.gen(function*() {
      const failures = [Fault.overloaded(), Fault.overloaded(), Fault.overloaded()]
      const reply = Reply.text("hi", { ...usage({ input_tokens: 7 }), model: "claude-haiku-5-5" })
      const metrics = yield* observe(createMessage, pipeline([...failures, reply]))
      assert.deepInclude(metrics, {
        "claude.fallbacks source=model": 1,
        "claude.attempts": 3,
        "claude.attempts gen_ai.request.model=claude-haiku-5-5": 1
      })
      assert.strictEqual(
        metrics[
          "gen_ai.client.token.usage gen_ai.operation.name=chat gen_ai.request.model=claude-haiku-5-5 "
          + "gen_ai.token.type=input"
        ],
        7
      )
    }))

  for (const [way, call] of [["a message", createMessage], ["a stream", streamEvents]] as const) {
    it.effect(`an answer that is taken for a failure has used its tokens all the same: ${way}`, () =>
      Effect.gen(function*() {
        const reply = Reply.text("Once", {
          ...usage({ input_tokens: 10, output_tokens: 5 }),
          stop_reason: "max_tokens"
        })
        const layer = ClaudeTest.script([reply]).pipe(
          ClaudeLayer.withCompleteAnswers(),
          ClaudeLayer.withTelemetry({ logs: false })
        )
        const metrics = yield* observe(call, layer)
        assert.strictEqual(metrics["gen_ai.client.token.usage gen_ai.operation.name=chat gen_ai.token.type=input"], 10)
        assert.strictEqual(metrics["gen_ai.client.token.usage gen_ai.operation.name=chat gen_ai.token.type=output"], 5)
        assert.strictEqual(metrics["claude.calls gen_ai.operation.name=chat outcome=failure"], 1)
      }))
  }

  it.effect("an answer that nobody made for the call used no tokens", () =>
    Effect.gen(function*() {
      const age = Duration.hours(1)
      const sources = [
        { _tag: "Static" },
        { _tag: "HandOff" },
        { _tag: "Cached", age, stale: true }
      ] as const
      for (const source of sources) {
        const message = AnswerInfo.annotate(Reply.message("old", usage({ input_tokens: 10 })), { source })
        const metrics = yield* observe(createMessage, pipeline([Reply.of(message)]))
        assert.strictEqual(metrics[`claude.fallbacks source=${source._tag.toLowerCase()}`], 1)
        assert.isFalse(Object.keys(metrics).some((name) => name.startsWith("gen_ai.client.token.usage")))
      }
    }))

  it.effect("calls that share a request: its tokens and its failure are counted once", () =>
    Effect.gen(function*() {
      for (const call of [Effect.asVoid(createMessage), Effect.asVoid(streamEvents)]) {
        const three = Effect.all([call, call, call].map((each) => Effect.ignore(each)), { concurrency: "unbounded" })
        const layer = (step: ClaudeTest.Step) =>
          ClaudeTest.script([ClaudeTest.delayed(step, "1 second")]).pipe(
            ClaudeLayer.withCache({ coalesce: true }),
            ClaudeLayer.withTelemetry({ logs: false })
          )
        const shared = yield* observe(three, layer(Reply.text("hi", usage({ input_tokens: 10 }))))
        assert.deepInclude(shared, {
          "claude.attempts": 1,
          "claude.calls gen_ai.operation.name=chat outcome=success": 3,
          "claude.cache.lookups result=coalesced": 2,
          "gen_ai.client.token.usage gen_ai.operation.name=chat gen_ai.token.type=input": 10
        })
        const failed = yield* observe(three, layer(Fault.overloaded()))
        assert.deepInclude(failed, {
          "claude.calls gen_ai.operation.name=chat outcome=failure": 3,
          "claude.errors error.type=OverloadedError": 1
        })
      }
    }))

  it.effect("counting tokens uses none", () =>
    Effect.gen(function*() {
      const count = Effect.flatMap(ClaudeService, (claude) => claude.countTokens(request))
      const metrics = yield* observe(count, pipeline([Reply.text("hi")]))
      assert.strictEqual(metrics["claude.calls gen_ai.operation.name=count_tokens outcome=success"], 1)
      assert.isFalse(Object.keys(metrics).some((name) => name.startsWith("gen_ai.client.token.usage")))
    }))

  it.effect("a stream: the time to its first event, pings aside, and its tokens", () =>
    Effect.gen(function*() {
      const events = Reply.events([ping, Reply.pause("3 seconds"), ...fromMessage(Reply.message("hi"))])
      const metrics = yield* observe(streamEvents, ClaudeTest.script([events]).pipe(ClaudeLayer.withTelemetry()))
      assert.strictEqual(
        metrics["gen_ai.client.operation.time_to_first_chunk gen_ai.operation.name=chat"],
        3
      )
      assert.isAbove(
        metrics["gen_ai.client.token.usage gen_ai.operation.name=chat gen_ai.token.type=output"] ?? 0,
        0
      )
    }))

  it.effect("calls in flight, and calls that are interrupted", () =>
    Effect.gen(function*() {
      const inFlight = Effect.map(Metric.value(ClaudeMetrics.inFlight), ({ value }) => value)
      for (const call of [Effect.asVoid(createMessage), Effect.asVoid(streamEvents)]) {
        const test = Effect.gen(function*() {
          const fibers = yield* Effect.replicateEffect(Effect.forkChild(call, { startImmediately: true }), 3)
          yield* TestClock.adjust("1 second")
          assert.strictEqual(yield* inFlight, 3)
          yield* Fiber.interruptAll(fibers)
          assert.strictEqual(yield* inFlight, 0)
          return yield* read
        })
        const layer = ClaudeTest.script([Fault.hang(), Fault.hang(), Fault.hang()]).pipe(ClaudeLayer.withTelemetry())
        const metrics = yield* using(test, layer).pipe(isolated)
        assert.strictEqual(metrics["claude.calls gen_ai.operation.name=chat outcome=interrupted"], 3)
        assert.isFalse(Object.keys(metrics).some((name) => /operation\.duration|claude\.errors/.test(name)))
      }
    }))

  it.effect("of two telemetry layers the outer counts calls and the inner attempts, each once", () =>
    Effect.gen(function*() {
      for (const call of [createMessage, streamEvents]) {
        const layer = pipeline([Fault.overloaded(), Reply.text("hi")]).pipe(ClaudeLayer.withTelemetry())
        assert.deepInclude(yield* observe(call, layer), {
          "claude.attempts": 2,
          "claude.calls gen_ai.operation.name=chat outcome=success": 1,
          "claude.calls.in_flight": 0,
          "claude.errors error.type=OverloadedError": 1,
          "claude.retries kind=overloaded": 1
        })
        const uncountedInside = ClaudeTest.script([Reply.text("hi")]).pipe(
          ClaudeLayer.withTelemetry({ metrics: false }),
          ClaudeLayer.withTelemetry()
        )
        assert.strictEqual((yield* observe(call, uncountedInside))["claude.attempts"], 1)
      }
    }))

  it.effect("can be switched off", () =>
    Effect.gen(function*() {
      const layer = ClaudeTest.script([Reply.text("hi")]).pipe(ClaudeLayer.withTelemetry({ metrics: false }))
      assert.deepStrictEqual(yield* observe(createMessage, layer), {})
    }))

  it.effect("what policies decide is counted, by labels that are bounded", () =>
    Effect.gen(function*() {
      const wait = Duration.seconds(2)
      const events: ReadonlyArray<ResilienceEvent.ResilienceEvent> = [
        { _tag: "RetryScheduled", attempt: 1, kind: "rejected", error: "CircuitOpenError", wait },
        { _tag: "RetryScheduled", attempt: 1, error: "Odd", wait },
        { _tag: "CircuitOpened", key: "a", reason: "ratio", openFor: wait },
        { _tag: "CircuitOpened", key: "b", reason: "ratio", openFor: wait },
        { _tag: "CircuitHalfOpened", key: "b" },
        { _tag: "CircuitOpened", key: "c", reason: "ratio", openFor: wait },
        { _tag: "CircuitClosed", key: "c", reason: "probes" },
        { _tag: "CircuitRejected", key: "a", reason: "open" },
        { _tag: "RateLimiterWaited", key: "k", wait },
        { _tag: "RateLimiterRejected", key: "k", reason: "queueFull" },
        { _tag: "ConcurrencyQueued", key: "k", wait },
        { _tag: "ConcurrencyRejected", key: "k", reason: "queueFull" },
        { _tag: "ConcurrencyLimitChanged", key: "k", from: 20, to: 18, reason: "overload" },
        { _tag: "BudgetWithdrawn", cost: 14, level: 486 },
        { _tag: "BudgetExhausted", cost: 14, level: 3 },
        { _tag: "BudgetDeposited", amount: 1, level: 4 },
        { _tag: "HedgeStarted", hedge: 1, delay: wait },
        { _tag: "HedgeWon", hedge: 1 },
        { _tag: "HedgeLost", hedge: 0, inputTokens: 120, outputTokens: 7 },
        { _tag: "HedgeSuppressed", reason: "budget" },
        { _tag: "CacheHit", age: wait, stale: false },
        { _tag: "CacheHit", age: wait, stale: true },
        { _tag: "CacheMissed" },
        { _tag: "CacheStored" },
        { _tag: "CacheFailed", operation: "read", error: "Gone" },
        { _tag: "Coalesced" }
      ]
      const emitAll = Reply.effect(() =>
        Effect.withFiber((fiber) => {
          for (const event of events) ResilienceEvent.emit(fiber, event)
          return Effect.succeed(Reply.message("hi"))
        })
      )
      const metrics = yield* observe(createMessage, ClaudeTest.script([emitAll]).pipe(ClaudeLayer.withTelemetry()))
      assert.deepInclude(metrics, {
        "claude.retries kind=unknown": 1,
        "claude.retry.wait kind=rejected": 2,
        "claude.retry.wait kind=unknown": 2,
        "claude.circuit.state key=a": 2,
        "claude.circuit.state key=b": 1,
        "claude.circuit.state key=c": 0,
        "claude.rejections policy=circuit_breaker": 1,
        "claude.rejections policy=rate_limiter": 1,
        "claude.rejections policy=concurrency": 1,
        "claude.rejections policy=retry_budget": 1,
        "claude.rate_limiter.wait key=k": 2,
        "claude.concurrency.wait key=k": 2,
        "claude.concurrency.limit key=k": 18,
        "claude.retry_budget.level": 4,
        "claude.hedges outcome=started": 1,
        "claude.hedges outcome=won": 1,
        "claude.hedges outcome=lost": 1,
        "claude.hedges.tokens type=input": 120,
        "claude.hedges.tokens type=output": 7,
        "claude.hedges outcome=suppressed": 1,
        "claude.cache.lookups result=hit": 1,
        "claude.cache.lookups result=stale": 1,
        "claude.cache.lookups result=miss": 1,
        "claude.cache.lookups result=failed": 1,
        "claude.cache.lookups result=coalesced": 1
      })
      assert.isFalse("claude.retries kind=rejected" in metrics)
    }))

  it.effect("10,000 models and 10,000 keys are 51 labels each", () =>
    Effect.gen(function*() {
      const emit = (key: string) =>
        Reply.effect(() =>
          Effect.withFiber((fiber) => {
            ResilienceEvent.emit(fiber, { _tag: "RateLimiterWaited", key, wait: Duration.seconds(1) })
            return Effect.fail(new OverloadedError({ message: "busy" }))
          })
        )
      const names = Array.from({ length: 10_000 }, (_, index) => `model-${index}`)
      const callAll = Effect.gen(function*() {
        const claude = yield* ClaudeService
        for (const name of names) yield* Effect.ignore(claude.createMessage({ ...request, model: name }))
      })
      const test = Effect.andThen(callAll, Metric.snapshot)
      const layer = ClaudeTest.script(names.map(emit)).pipe(ClaudeLayer.withTelemetry({ logs: false }))
      const metrics = yield* using(test, layer).pipe(isolated)
      const values = (label: string) =>
        new Set(metrics.flatMap(({ attributes }) => attributes?.[label] === undefined ? [] : [attributes[label]]))
      assert.strictEqual(values("gen_ai.request.model").size, ClaudeMetrics.maxNames + 1)
      assert.strictEqual(values("key").size, ClaudeMetrics.maxNames + 1)
      assert.isTrue(values("gen_ai.request.model").has(ClaudeMetrics.otherName))
      assert.isBelow(metrics.length, 300)
      const total = metrics
        .filter(({ id }) => id === ClaudeMetrics.attempts.id)
        .reduce((sum, metric) => sum + numberOf(metric), 0)
      assert.strictEqual(total, 10_000)
    }))
})
