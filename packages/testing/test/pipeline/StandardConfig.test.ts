import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"

type Environment = Readonly<Record<string, string>>

const described = (environment: Environment, options: ClaudeLayer.StandardOptions = {}) =>
  ClaudeLayer.describe.pipe(
    Effect.provide(ClaudeTest.script([]).pipe(ClaudeLayer.standardConfig(options)), { local: true }),
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(environment))),
    Effect.map((parts) => new Map(parts.map(({ options: own, policy }) => [policy, own])))
  )

describe("standardConfig", () => {
  it.effect("is standard() where nothing is set, and a blank variable is not set", () =>
    Effect.gen(function*() {
      const standard = yield* ClaudeLayer.describe.pipe(
        Effect.provide(ClaudeTest.script([]).pipe(ClaudeLayer.standard()))
      )
      const expected = new Map(standard.map(({ options, policy }) => [policy, options]))
      assert.deepStrictEqual(yield* described({}), expected)
      assert.deepStrictEqual(yield* described({ CLAUDE_DEADLINE: "  ", CLAUDE_CACHE_STALE_FOR: "" }), expected)
    }))

  it.effect("every part can be set", () =>
    Effect.gen(function*() {
      const parts = yield* described({
        CLAUDE_DEADLINE: "4 minutes",
        CLAUDE_ATTEMPT_TIMEOUT: "100 seconds",
        CLAUDE_FIRST_EVENT_TIMEOUT: "9 seconds",
        CLAUDE_IDLE_TIMEOUT: "11 seconds",
        CLAUDE_STREAM_TIMEOUT: "3 minutes",
        CLAUDE_RETRY_ATTEMPTS: "7",
        CLAUDE_RETRY_MAX_WAIT: "8 seconds",
        CLAUDE_RETRY_BUDGET: "77",
        CLAUDE_HEDGE: "2 seconds",
        CLAUDE_CIRCUIT_FAILURES: "9",
        CLAUDE_CIRCUIT_OPEN_FOR: "30 seconds",
        CLAUDE_RATE_LIMIT_REQUESTS: "60",
        CLAUDE_RATE_LIMIT_INPUT_TOKENS: "50000",
        CLAUDE_RATE_LIMIT_OUTPUT_TOKENS: "10000",
        CLAUDE_CONCURRENCY: "12",
        CLAUDE_FALLBACK_MODELS: "claude-haiku-5-5, claude-sonnet-5",
        CLAUDE_CACHE_STALE_FOR: "1 hour",
        CLAUDE_STREAM_RECOVERY: "restart"
      })
      assert.deepInclude(parts.get("streamRecovery"), { mode: "restart", maxRecoveries: 3 })
      assert.deepInclude(parts.get("deadline"), { duration: "4m" })
      assert.deepInclude(parts.get("attemptTimeout"), {
        attempt: "1m 40s",
        firstEvent: "9s",
        idle: "11s",
        stream: "3m"
      })
      assert.deepInclude(parts.get("retry"), {
        schedule: { attempts: 7, maxWait: "8s", kinds: { timeout: { attempts: 2 } } }
      })
      assert.deepInclude(parts.get("retryBudget"), { capacity: 77 })
      assert.deepInclude(parts.get("hedge"), { delay: "2s" })
      assert.deepInclude(parts.get("circuitBreaker"), { failures: 9, openFor: "30s" })
      assert.deepInclude(parts.get("rateLimiter"), {
        limits: { requests: 60, inputTokens: 50_000, outputTokens: 10_000 }
      })
      assert.deepInclude(parts.get("concurrency"), { permits: 12 })
      assert.deepInclude(parts.get("fallback"), { models: ["claude-haiku-5-5", "claude-sonnet-5"] })
      assert.deepInclude(parts.get("cache"), { staleFor: "1h" })
    }))

  it.effect("every part can be left out, whatever the program says", () =>
    Effect.gen(function*() {
      const parts = yield* described({
        CLAUDE_DEADLINE: "off",
        CLAUDE_ATTEMPT_TIMEOUT: "off",
        CLAUDE_RETRY_ATTEMPTS: "Off",
        CLAUDE_RETRY_BUDGET: "off",
        CLAUDE_HEDGE: "OFF",
        CLAUDE_CIRCUIT_BREAKER: "off",
        CLAUDE_RATE_LIMITER: "off",
        CLAUDE_CONCURRENCY: "off",
        CLAUDE_FALLBACK_MODELS: "off",
        CLAUDE_CACHE_STALE_FOR: "off",
        CLAUDE_TELEMETRY: "off"
      }, { cache: {}, hedge: {}, fallback: { models: ["claude-haiku-5-5"] } })
      assert.deepStrictEqual([...parts.keys()], [])
    }))

  it.effect("switches on what is off, and keeps what the program says beside it", () =>
    Effect.gen(function*() {
      const parts = yield* described({
        CLAUDE_HEDGE: "on",
        CLAUDE_CIRCUIT_BREAKER: "on",
        CLAUDE_RATE_LIMITER: "on",
        CLAUDE_CONCURRENCY: "adaptive",
        CLAUDE_TELEMETRY: "on",
        CLAUDE_RATE_LIMIT_REQUESTS: "60"
      }, {
        hedge: false,
        circuitBreaker: false,
        concurrency: { permits: 3 },
        rateLimiter: { limits: { inputTokens: 1000 } },
        telemetry: { spans: false }
      })
      assert.isTrue(parts.has("hedge") && parts.has("circuitBreaker"))
      assert.deepInclude(parts.get("rateLimiter"), { limits: { inputTokens: 1000, requests: 60 } })
      assert.deepInclude(parts.get("telemetry"), { spans: false })
      assert.notProperty(parts.get("concurrency"), "permits")
    }))

  const wrong: ReadonlyArray<readonly [Environment, ClaudeLayer.StandardOptions, ReadonlyArray<string>]> = [
    [{ CLAUDE_DEADLINE: "soon" }, {}, ["CLAUDE_DEADLINE", `"off"`, "soon"]],
    [{ CLAUDE_DEADLINE: "0 seconds" }, {}, ["CLAUDE_DEADLINE", "longer than zero"]],
    [{ CLAUDE_DEADLINE: "-5 seconds" }, {}, ["CLAUDE_DEADLINE", "longer than zero"]],
    [{ CLAUDE_RETRY_ATTEMPTS: "0" }, {}, ["CLAUDE_RETRY_ATTEMPTS", "at least 1"]],
    [{ CLAUDE_RETRY_ATTEMPTS: "2.5" }, {}, ["CLAUDE_RETRY_ATTEMPTS"]],
    [{ CLAUDE_CONCURRENCY: "many" }, {}, ["CLAUDE_CONCURRENCY", "adaptive", "many"]],
    [{ CLAUDE_FALLBACK_MODELS: "a,,b" }, {}, ["CLAUDE_FALLBACK_MODELS", "a,,b"]],
    [{ CLAUDE_FALLBACK_MODELS: "a; b" }, {}, ["CLAUDE_FALLBACK_MODELS", "a; b"]],
    [{ CLAUDE_DEADLINE: "soon", CLAUDE_HEDGE: "maybe" }, {}, ["CLAUDE_DEADLINE", "CLAUDE_HEDGE"]],
    [{ CLAUDE_FALLBACK_MODELS: "a,a" }, {}, ["names", `"a" twice`]],
    [{ CLAUDE_TELEMETRY: "yes" }, {}, ["CLAUDE_TELEMETRY", `"on"`]],
    [
      { CLAUDE_RATE_LIMITER: "off", CLAUDE_RATE_LIMIT_REQUESTS: "5" },
      {},
      ["CLAUDE_RATE_LIMIT_REQUESTS", "CLAUDE_RATE_LIMITER is off"]
    ],
    [{ CLAUDE_RETRY_ATTEMPTS: "5" }, { retry: Schedule.recurs(2) }, ["CLAUDE_RETRY_ATTEMPTS", `option "retry"`]],
    [{ CLAUDE_RETRY_ATTEMPTS: "off", CLAUDE_RETRY_BUDGET: "100" }, {}, [`"retryBudget"`, `"retry"`]],
    [{ CLAUDE_FIRST_EVENT_TIMEOUT: "5 minutes", CLAUDE_STREAM_TIMEOUT: "1 minute" }, {}, [`"firstEvent"`, `"stream"`]]
  ]
  for (const [environment, options, words] of wrong) {
    it.effect(`refuses ${JSON.stringify(environment)} by name`, () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(described(environment, options))
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.instanceOf(error, Config.ConfigError)
        for (const word of words) assert.include(error instanceof Config.ConfigError ? error.message : "", word)
      }))
  }

  it.effect("retries can be switched off whatever budget the program has for them", () =>
    Effect.gen(function*() {
      const parts = yield* described({ CLAUDE_RETRY_ATTEMPTS: "off" }, { retryBudget: { capacity: 100 } })
      assert.isFalse(parts.has("retry") || parts.has("retryBudget"))
      const hedged = yield* described({ CLAUDE_RETRY_ATTEMPTS: "off", CLAUDE_HEDGE: "on" }, {
        retryBudget: { capacity: 100 }
      })
      assert.deepInclude(hedged.get("retryBudget"), { capacity: 100 })
    }))

  it.effect("what the program itself states wrongly stays a defect", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(described({}, { deadline: -1 }))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    }))
})
