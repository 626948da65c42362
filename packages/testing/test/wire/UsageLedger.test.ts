import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import * as UsageBudget from "@effect-claude/client/UsageBudget"
import type * as UsageLedger from "@effect-claude/client/UsageLedger"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { apiKey, connect, quickPipeline, quickRetries, request, withWire } from "./support.ts"

const usage = { input_tokens: 1000, output_tokens: 200, cache_read_input_tokens: 5000 }

const ledgerOf = (claude: ClaudeServiceShape) => {
  const { usage } = ClaudeLayer.controls(claude)
  return usage === undefined ? Effect.die("no ledger") : Effect.succeed(usage)
}

const pipeline = quickPipeline({ usage: {} })

describe("the usage ledger, over a socket", () => {
  it.live("a message and a stream are booked with the numbers of the API", () =>
    withWire(
      { steps: [FaultStep.message({ usage }), FaultStep.message({ usage })] },
      ({ claude }) =>
        Effect.gen(function*() {
          yield* claude.createMessage(request)
          yield* Stream.runDrain(claude.streamMessage(request))
          const totals = yield* Effect.flatMap(ledgerOf(claude), ({ totals }) => totals)
          assert.deepInclude(totals, { calls: 2, attempts: 2, estimated: 0, wastedShare: 0 })
          assert.deepStrictEqual(totals.usage, {
            inputTokens: 2000,
            outputTokens: 400,
            cacheReadTokens: 10_000,
            cacheWriteTokens: 0
          })
          assert.strictEqual(totals.cost, 0.009)
        }),
      pipeline
    ))

  it.live("what failed with a status is free; a stream that was cut is what it had told, as an estimate", () =>
    withWire(
      {
        steps: [
          FaultStep.overloaded(),
          FaultStep.message({ usage, interrupt: { how: "reset", afterEvents: 4 } }),
          FaultStep.message({ usage })
        ]
      },
      ({ claude }) =>
        Effect.gen(function*() {
          const ledger = yield* ledgerOf(claude)
          const seen: Array<UsageLedger.UsageEntry> = []
          yield* Effect.forkScoped(
            Stream.runForEach(ledger.entries, (entry) => Effect.sync(() => seen.push(entry))),
            { startImmediately: true }
          )
          yield* Effect.exit(Stream.runDrain(claude.streamMessage(request)))
          yield* claude.createMessage(request)
          yield* Effect.yieldNow
          assert.deepStrictEqual(
            seen.map(({ isEstimated, outcome, reason, usage }) => [reason, outcome, isEstimated, usage.inputTokens]),
            [["first", "failed", false, 0], ["retry", "failed", true, 1000], ["first", "answered", false, 1000]]
          )
          assert.strictEqual(seen[1]?.usage.cacheReadTokens, 5000)
        }),
      pipeline
    ))

  it.live("a budget stops before the request that would exceed it", () => {
    const budget = UsageBudget.makeUnsafe({ limit: { usd: 0.01 } })
    return withWire(
      { after: FaultStep.message({ usage: { input_tokens: 20, output_tokens: 256 } }) },
      ({ api, claude }) =>
        Effect.gen(function*() {
          // 256 tokens of output are 0.00256 USD, and with the input three of them fit.
          const error = yield* Effect.flip(Effect.forever(claude.createMessage(request)))
          assert.strictEqual(error._tag, "UsageBudgetExceededError")
          assert.strictEqual((yield* api.requests).length, 3)
          const { remaining, reserved, spent } = yield* budget.level
          assert.deepStrictEqual([spent, reserved], [0.0078, 0])
          assert.isBelow(remaining, 0.0026)
        }),
      ClaudeLayer.standard({ telemetry: false, retry: quickRetries, usage: { budget: { all: budget } } })
    )
  })

  it.live("a request that was given up keeps its reservation", () => {
    const budget = UsageBudget.makeUnsafe({ limit: { tokens: 1000 } })
    return withWire(
      { steps: [FaultStep.slowFirstByte("1 minute")] },
      ({ claude }) =>
        Effect.gen(function*() {
          yield* Effect.timeoutOption(claude.createMessage(request), "200 millis")
          const { reserved, spent } = yield* budget.level
          assert.strictEqual(reserved, 0)
          assert.isAtLeast(spent, 256)
        }),
      ClaudeLayer.withUsageLedger({ budget: { all: budget } })
    )
  })

  it.live("a request that found no connection has used nothing", () =>
    Effect.scoped(Effect.gen(function*() {
      // Of a server that is gone.
      const { url } = yield* Effect.scoped(FakeClaudeApi.make())
      const budget = UsageBudget.makeUnsafe({ limit: { tokens: 1000 } })
      const claude = yield* connect(
        { apiKey: Redacted.make(apiKey), baseUrl: url },
        ClaudeLayer.withUsageLedger({ budget: { all: budget } })
      )
      const error = yield* Effect.flip(claude.createMessage(request))
      assert.strictEqual(error._tag, "ConnectionError")
      assert.deepStrictEqual(yield* budget.level, { spent: 0, reserved: 0, remaining: 1000 })
      assert.deepInclude(yield* Effect.flatMap(ledgerOf(claude), ({ totals }) => totals), { attempts: 1, cost: 0 })
    })))

  // The service is no part of the region's context, so only the client itself can notice.
  it.live("a client that nobody counts sends nothing within a budget", () =>
    withWire({}, ({ api, claude }) =>
      Effect.gen(function*() {
        const budget = UsageBudget.makeUnsafe({ limit: { tokens: 1000 } })
        const message = yield* Effect.exit(claude.createMessage(request).pipe(UsageBudget.withBudget(budget)))
        assert.include(String(message), "nobody sees")
        const stream = claude.streamMessage(request).pipe(UsageBudget.streamWithBudget(budget), Stream.runDrain)
        assert.include(String(yield* Effect.exit(stream)), "nobody sees")
        assert.lengthOf(yield* api.requests, 0)
        yield* claude.countTokens(request).pipe(UsageBudget.withBudget(budget))
      })))

  it.live("a policy around it is enough, wherever the service is provided", () => {
    const budget = UsageBudget.makeUnsafe({ limit: { tokens: 1_000_000 } })
    return withWire(
      { after: FaultStep.message({ usage }) },
      ({ claude }) =>
        Effect.gen(function*() {
          yield* claude.createMessage(request).pipe(UsageBudget.withBudget(budget))
          yield* claude.streamMessage(request).pipe(UsageBudget.streamWithBudget(budget), Stream.runDrain)
          assert.strictEqual((yield* budget.level).spent, 2 * 6200)
        }),
      (base) =>
        base.pipe(ClaudeLayer.withAttemptTimeout({ attempt: "10 seconds" }), ClaudeLayer.withDeadline("10 seconds"))
    )
  })
})
