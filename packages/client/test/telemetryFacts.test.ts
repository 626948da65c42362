import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import { BillingError, OverloadedError } from "@effect-claude/client/ClaudeError"
import { maxNames, otherName } from "@effect-claude/client/ClaudeMetrics"
import type { ResilienceEvent } from "@effect-claude/resilience/ResilienceEvent"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { answeringModel, passedOver, sourceName, tokenUsage } from "../src/internal/telemetry/answerFacts.ts"
import {
  attemptAttributes,
  failureAttributes,
  logged,
  messageAttributes,
  requestAttributes,
  spanName,
  verdictName
} from "../src/internal/telemetry/attributes.ts"
import { BoundedNames } from "../src/internal/telemetry/BoundedNames.ts"
import { Meter } from "../src/internal/telemetry/Meter.ts"

const long = "x".repeat(150)
const cut = "x".repeat(100)

const answer = (usage: unknown) => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-5-5",
  content: [],
  stop_reason: "end_turn",
  usage
})

const sources: ReadonlyArray<AnswerInfo.Source> = [
  { _tag: "Requested" },
  { _tag: "Model", model: long },
  { _tag: "Service", name: long, model: "m" },
  { _tag: "Service", name: "s" },
  { _tag: "Cached", age: Duration.zero, stale: false },
  { _tag: "Static" },
  { _tag: "HandOff" }
]

describe("what an answer used, as OpenTelemetry counts it", () => {
  it("has the cache in the input, and only counts", () => {
    const usage = {
      input_tokens: 1,
      output_tokens: 20,
      cache_read_input_tokens: 300,
      cache_creation_input_tokens: 4000,
      output_tokens_details: { thinking_tokens: 6 }
    }
    const used = { input: 4301, output: 20, cacheRead: 300, cacheCreation: 4000, thinking: 6 }
    assert.deepStrictEqual(tokenUsage({ usage }), used)
    assert.strictEqual(tokenUsage({ usage: { input_tokens: 5, cache_creation_input_tokens: null } }).input, 5)
    assert.strictEqual(tokenUsage({ usage: { input_tokens: 5, cache_read_input_tokens: 6 } }).input, 11)
  })

  it("is nothing where nothing is told", () => {
    const nothing = {
      input: undefined,
      output: undefined,
      cacheRead: undefined,
      cacheCreation: undefined,
      thinking: undefined
    }
    for (
      const usage of [undefined, null, "5", {
        input_tokens: "5",
        output_tokens: Number.NaN,
        output_tokens_details: null
      }]
    ) assert.deepStrictEqual(tokenUsage({ usage }), nothing)
  })
})

describe("who answered", () => {
  it("has a name of a bounded length", () => {
    assert.deepStrictEqual(sources.map(sourceName), ["requested", cut, cut, "s", "cached", "static", "handoff"])
  })

  it("is a model, unless nobody was asked for this call", () => {
    assert.deepStrictEqual(sources.map((source) => answeringModel(source, "asked")), [
      "asked",
      long,
      "m",
      "asked",
      undefined,
      undefined,
      undefined
    ])
  })

  it("was not who was passed over, each with why", () => {
    const error = new OverloadedError({ message: "m" })
    assert.deepStrictEqual(
      passedOver([{ target: long, error, reason: "failed" }, { target: "b", reason: "open" }] as never),
      [`${cut}: OverloadedError`, "b: open"]
    )
  })
})

describe("what a span says", () => {
  it("of a request is what it asks for", () => {
    const facts = { operation: "chat", model: long, maxTokens: 5, isStream: true } as const
    assert.strictEqual(spanName("chat", long), `chat ${cut}`)
    const usual = { "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": cut }
    assert.deepStrictEqual(requestAttributes(facts), {
      ...usual,
      "gen_ai.request.max_tokens": 5,
      "gen_ai.request.stream": true
    })
    assert.deepStrictEqual(requestAttributes({ ...facts, maxTokens: "5", isStream: false }), usual)
  })

  it("of an attempt is its number, and what it waited for if it did", () => {
    const facts = { attempt: 2, hedge: 0, model: long, waited: 0, queued: 0 }
    const usual = { "claude.attempt": 2, "gen_ai.request.model": cut }
    assert.deepStrictEqual(attemptAttributes(facts), usual)
    assert.deepStrictEqual(attemptAttributes({ ...facts, hedge: 1, waited: 2, queued: 3 }), {
      ...usual,
      "claude.hedge": 1,
      "claude.wait_ms": 2,
      "claude.queue_ms": 3
    })
  })

  it("of an answer is who gave it and what that used", () => {
    const usual = {
      "gen_ai.response.finish_reasons": ["end_turn"],
      "claude.attempt": 1,
      "gen_ai.response.id": "msg_1",
      "gen_ai.response.model": "claude-sonnet-5-5"
    }
    const message = answer({ input_tokens: 1, output_tokens: 2 })
    assert.deepStrictEqual(messageAttributes(message as never, "asked"), {
      ...usual,
      "claude.source": "requested",
      "gen_ai.usage.input_tokens": 1,
      "gen_ai.usage.output_tokens": 2
    })
    const stored = AnswerInfo.annotate({ ...message, stop_reason: null }, {
      source: { _tag: "Cached", age: Duration.zero, stale: false },
      passedOver: [{ target: "a", reason: "open" }] as never,
      requestId: "req_1"
    })
    assert.deepStrictEqual(messageAttributes(stored as never, "asked"), {
      ...usual,
      "gen_ai.response.finish_reasons": [],
      "claude.source": "cached",
      "claude.passed_over": ["a: open"],
      "claude.request_id": "req_1"
    })
  })

  it("of a failure is what it means, and the log line says it too", () => {
    const overloaded = new OverloadedError({
      message: "m".repeat(300),
      status: 529,
      requestId: "req_1",
      retryAfter: Duration.seconds(2),
      model: "a",
      attempt: 3
    })
    assert.deepStrictEqual(failureAttributes(overloaded), {
      "error.type": "OverloadedError",
      "claude.verdict": "overloaded",
      "claude.request_id": "req_1",
      "http.response.status_code": 529,
      "claude.retry_after_ms": 2000
    })
    assert.deepStrictEqual(logged(overloaded), {
      error: "OverloadedError",
      message: "m".repeat(200),
      verdict: "overloaded",
      model: "a",
      attempt: 3,
      request_id: "req_1",
      status: 529,
      retry_after_ms: 2000
    })
    assert.strictEqual(verdictName(new BillingError({ message: "m" })), "stop")
  })
})

describe("names as labels", () => {
  it("are cut, told apart up to a number, and one from there on", () => {
    const names = new BoundedNames()
    assert.strictEqual(names.label(long), cut)
    for (let i = 1; i < maxNames; i++) assert.strictEqual(names.label(`name-${i}`), `name-${i}`)
    assert.strictEqual(names.label("one more"), otherName)
    assert.strictEqual(names.label("name-1"), "name-1")
    assert.strictEqual(names.label(long), cut)
  })
})

describe("what the metrics of a layer say of its events", () => {
  const wait = Duration.seconds(2)
  const told = (events: ReadonlyArray<ResilienceEvent>) => {
    const registry = Context.make(Metric.MetricRegistry, new Map())
    const meter = new Meter()
    for (const event of events) meter.event(registry, event)
    return Effect.map(
      Effect.provideContext(Metric.snapshot, registry),
      (metrics) =>
        Object.fromEntries(metrics.map(({ attributes, id, state, type }) => {
          const { unit: _, ...labels } = attributes ?? {}
          const value = type === "Histogram"
            ? state.sum
            : type === "Counter"
            ? Number(state.count)
            : "value" in state
            ? Number(state.value)
            : 0
          return [[id, ...Object.values(labels)].join(" "), value]
        }))
    )
  }

  const cases: ReadonlyArray<readonly [string, ReadonlyArray<ResilienceEvent>, Readonly<Record<string, number>>]> = [
    [
      "a retry is counted with its wait",
      [{ _tag: "RetryScheduled", attempt: 1, kind: "overloaded", error: "e", wait }],
      { "claude.retries overloaded": 1, "claude.retry.wait overloaded": 2 }
    ],
    [
      "one that waits for a policy of the program is no retry",
      [{ _tag: "RetryScheduled", attempt: 1, kind: "rejected", error: "e", wait }],
      { "claude.retry.wait rejected": 2 }
    ],
    [
      "queues are counted by what they wait for",
      [{ _tag: "RateLimiterWaited", key: "a", wait }, { _tag: "ConcurrencyQueued", key: "b", wait }],
      { "claude.rate_limiter.wait a": 2, "claude.concurrency.wait b": 2 }
    ],
    [
      "what turns a call away is counted by policy",
      [
        { _tag: "CircuitRejected", key: "a", reason: "open" },
        { _tag: "RateLimiterRejected", key: "a", reason: "queueFull" },
        { _tag: "ConcurrencyRejected", key: "a", reason: "queueFull" },
        { _tag: "BudgetExhausted", cost: 5, level: 3 }
      ],
      {
        "claude.rejections circuit_breaker": 1,
        "claude.rejections rate_limiter": 1,
        "claude.rejections concurrency": 1,
        "claude.rejections retry_budget": 1,
        "claude.retry_budget.level": 3
      }
    ],
    [
      "the level of a retry budget is its last",
      [{ _tag: "BudgetWithdrawn", cost: 5, level: 10 }, { _tag: "BudgetDeposited", amount: 1, level: 11 }],
      { "claude.retry_budget.level": 11 }
    ],
    [
      "a circuit has a state and a pool has a limit",
      [
        { _tag: "CircuitOpened", key: "a", reason: "trip" },
        { _tag: "CircuitHalfOpened", key: "b" },
        { _tag: "CircuitOpened", key: "c", reason: "trip" },
        { _tag: "CircuitClosed", key: "c", reason: "reset" },
        { _tag: "ConcurrencyLimitChanged", key: "a", from: 8, to: 5, reason: "overload" }
      ],
      {
        "claude.circuit.state a": 2,
        "claude.circuit.state b": 1,
        "claude.circuit.state c": 0,
        "claude.concurrency.limit a": 5
      }
    ],
    [
      "a hedge is counted, and the tokens of the one that lost",
      [
        { _tag: "HedgeStarted", hedge: 1, delay: wait },
        { _tag: "HedgeWon", hedge: 1 },
        { _tag: "HedgeLost", hedge: 0, inputTokens: 5, outputTokens: 6 },
        { _tag: "HedgeLost", hedge: 0 },
        { _tag: "HedgeSuppressed", reason: "load" }
      ],
      {
        "claude.hedges started": 1,
        "claude.hedges won": 1,
        "claude.hedges lost": 2,
        "claude.hedges suppressed": 1,
        "claude.hedges.tokens input": 5,
        "claude.hedges.tokens output": 6
      }
    ],
    [
      "a lookup is counted by what it met",
      [
        { _tag: "CacheHit", age: wait, stale: true },
        { _tag: "CacheHit", age: wait, stale: false },
        { _tag: "CacheMissed" },
        { _tag: "CacheFailed", operation: "read", error: "e" },
        { _tag: "Coalesced" }
      ],
      {
        "claude.cache.lookups stale": 1,
        "claude.cache.lookups hit": 1,
        "claude.cache.lookups miss": 1,
        "claude.cache.lookups failed": 1,
        "claude.cache.lookups coalesced": 1
      }
    ],
    [
      "a broken stream is counted by how it went on",
      [
        { _tag: "StreamRecovered", mode: "continue", part: 1 },
        { _tag: "StreamRecovered", mode: "restart", part: 1 },
        { _tag: "StreamSurfaced", part: 1, error: "e", reason: "limit" },
        { _tag: "ChaosInjected", injection: "i", kind: "fault" }
      ],
      {
        "claude.stream.recoveries continued": 1,
        "claude.stream.recoveries restarted": 1,
        "claude.stream.recoveries surfaced": 1,
        "claude.chaos.injections i": 1
      }
    ]
  ]
  for (const [what, events, expected] of cases) {
    it.effect(what, () =>
      Effect.map(told(events), (found) => {
        for (const [name, value] of Object.entries(expected)) assert.strictEqual(found[name], value, name)
        const others = Object.keys(found).filter((name) => found[name] !== 0 && expected[name] === undefined)
        assert.deepStrictEqual(others, [])
      }))
  }
})
