import type * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeService, ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import * as Prices from "@effect-claude/client/Prices"
import type { TokenUsage } from "@effect-claude/client/TokenUsage"
import * as UsageBudget from "@effect-claude/client/UsageBudget"
import * as UsageLedger from "@effect-claude/client/UsageLedger"
import type * as Config from "effect/Config"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"

declare const base: typeof AnthropicClient.layerConfig
declare const claude: ClaudeServiceShape
declare const budget: UsageBudget.UsageBudget
declare const ledger: UsageLedger.UsageLedgerShape
declare const usage: TokenUsage
declare const work: Effect.Effect<number, ClaudeError, ClaudeService>
declare const events: Stream.Stream<string, ClaudeError, ClaudeService>

describe("the types of usage", () => {
  test("the layer adds nothing", () => {
    expect(base.pipe(ClaudeLayer.withUsageLedger())).type.toBe<Layer.Layer<ClaudeService, Config.ConfigError>>()
    expect(base.pipe(ClaudeLayer.standard({ usage: { ledger, budget: { all: budget } } })))
      .type.toBe<Layer.Layer<ClaudeService, Config.ConfigError>>()
    expect(base.pipe(ClaudeLayer.withUsageLedger(), Layer.provideMerge(UsageLedger.layer())))
      .type.toBe<Layer.Layer<ClaudeService | UsageLedger.UsageLedger, Config.ConfigError>>()
    expect(ClaudeLayer.controls(claude).usage).type.toBe<UsageLedger.UsageLedgerShape | undefined>()
  })

  test("regions keep the type of what they are around", () => {
    expect(work.pipe(UsageBudget.withBudget(budget))).type.toBe<typeof work>()
    expect(UsageBudget.withBudget(work, budget)).type.toBe<typeof work>()
    expect(work.pipe(UsageLedger.withLedger(ledger), UsageLedger.withKey("key"))).type.toBe<typeof work>()
    expect(events.pipe(UsageBudget.streamWithBudget(budget), UsageLedger.streamWithLedger(ledger)))
      .type.toBe<typeof events>()
    expect(events.pipe(UsageLedger.streamWithKey("key"))).type.toBe<typeof events>()
  })

  test("a limit is of tokens or of money", () => {
    expect(UsageBudget.makeUnsafe).type.toBeCallableWith({ limit: { tokens: 1 } })
    expect(UsageBudget.makeUnsafe).type.toBeCallableWith({ limit: { usd: 1 }, window: "1 day", reserve: "expected" })
    expect(UsageBudget.makeUnsafe).type.not.toBeCallableWith({ limit: {} })
    expect(UsageBudget.makeUnsafe).type.not.toBeCallableWith({ limit: { tokens: 1, usd: 1 } })
    expect(UsageBudget.makeUnsafe).type.not.toBeCallableWith({})
  })

  test("a call's budget has no window", () => {
    expect(ClaudeLayer.withUsageLedger).type.toBeCallableWith({ budget: { call: { limit: { usd: 1 } } } })
    expect(ClaudeLayer.withUsageLedger).type.not.toBeCallableWith({
      budget: { call: { limit: { usd: 1 }, window: "1 day" } }
    })
  })

  test("a price may not be known", () => {
    expect(Prices.cost(usage, "any model")).type.toBe<number | undefined>()
    expect(Prices.of("any model")).type.toBe<Prices.ModelPrices | undefined>()
    expect<UsageLedger.UsageTotals["cost"]>().type.toBe<number | undefined>()
    expect(UsageLedger.makeUnsafe).type.not.toBeCallableWith({ prices: { model: { input: 1, output: 5 } } })
  })

  test("who exceeded a budget is in the error", () => {
    expect<Extract<ClaudeError, { _tag: "UsageBudgetExceededError" }>["unit"]>().type.toBe<
      "tokens" | "usd" | undefined
    >()
  })
})
