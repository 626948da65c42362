import * as Models from "@effect-claude/client/Models"
import * as Prices from "@effect-claude/client/Prices"
import * as TokenUsage from "@effect-claude/client/TokenUsage"
import { assert, describe, it } from "@effect/vitest"

const usage = (given: Partial<TokenUsage.TokenUsage>) => ({ ...TokenUsage.zero, ...given })

describe("Prices.known", () => {
  it("prices nothing that is no model, and all models but those of which no price is published", () => {
    for (const model of Object.keys(Prices.known)) assert.isTrue(Models.isKnown(model), model)
    assert.deepStrictEqual(
      Models.known.filter((model) => Prices.of(model) === undefined),
      ["claude-mythos-5-2", "claude-mythos-preview"]
    )
  })

  it("follows the multipliers of the cache: 1.25 and 2 for writes, at most 0.1 for reads", () => {
    for (const [model, prices] of Object.entries(Prices.known)) {
      for (const rates of [prices, prices?.longPrompt]) {
        if (rates === undefined) continue
        assert.closeTo(rates.cacheWrite5m, 1.25 * rates.input, 1e-9, model)
        assert.closeTo(rates.cacheWrite1h, 2 * rates.input, 1e-9, model)
        assert.isAtMost(rates.cacheRead, 0.1 * rates.input + 1e-9, model)
        assert.closeTo(rates.output, 5 * rates.input, 1e-9, model)
      }
    }
  })

  it("tells no cost of a model whose price is not known", () => {
    const used = usage({ inputTokens: 1_000_000 })
    assert.isUndefined(Prices.cost(used, "made-up"))
    assert.isNumber(Prices.cost(used, "claude-sonnet-5-5"))
  })

  it("knows no property of a table, and no date but one at the end", () => {
    for (const name of ["", "constructor", "__proto__", "claude-opus-5-5-2026", "20251001-claude-haiku-4-5"]) {
      assert.isUndefined(Prices.of(name))
    }
    assert.strictEqual(Prices.of("claude-opus-4-5-20251101"), Prices.of("claude-opus-4-5"))
  })
})

describe("Prices.cost", () => {
  const million = 1_000_000
  const rows: ReadonlyArray<readonly [string, number | undefined, number | undefined]> = [
    ["input", Prices.cost(usage({ inputTokens: million }), "claude-opus-5"), 5],
    ["output", Prices.cost(usage({ outputTokens: million }), "claude-opus-5"), 25],
    ["cache reads", Prices.cost(usage({ cacheReadTokens: million }), "claude-fable-5-1"), 0.25],
    ["cache writes", Prices.cost(usage({ cacheWriteTokens: million }), "claude-opus-5"), 6.25],
    [
      "cache writes for an hour",
      Prices.cost(usage({ cacheWriteTokens: million }), "claude-opus-5", { cacheWrite1hTokens: million }),
      10
    ],
    [
      "more writes for an hour than writes",
      Prices.cost(usage({ cacheWriteTokens: million }), "claude-opus-5", { cacheWrite1hTokens: 2 * million }),
      10
    ],
    ["a batch", Prices.cost(usage({ outputTokens: million }), "claude-opus-5", { isBatch: true }), 12.5],
    ["fast mode", Prices.cost(usage({ outputTokens: million }), "claude-opus-5", { isFast: true }), 50],
    [
      "fast mode where there is none",
      Prices.cost(usage({ outputTokens: 1 }), "claude-sonnet-5-5", { isFast: true }),
      undefined
    ],
    ["inference in the US", Prices.cost(usage({ inputTokens: million }), "claude-opus-5", { isUsOnly: true }), 5.5],
    ["searches", Prices.cost(TokenUsage.zero, "claude-opus-5", { webSearches: 3 }), 0.03],
    ["searches in a batch", Prices.cost(TokenUsage.zero, "claude-opus-5", { isBatch: true, webSearches: 3 }), 0.03],
    [
      "a short prompt",
      Prices.cost(usage({ inputTokens: 50_000, cacheReadTokens: 50_000 }), "claude-haiku-5-5"),
      0.0055
    ],
    [
      "a long prompt, output and all",
      Prices.cost(usage({ inputTokens: 50_001, cacheReadTokens: 50_000, outputTokens: 1000 }), "claude-haiku-5-5"),
      0.0300005
    ],
    ["nothing, of a model without a price", Prices.cost(TokenUsage.zero, "claude-mythos-5-2"), 0],
    ["a model without a price", Prices.cost(usage({ inputTokens: 1 }), "claude-mythos-5-2"), undefined]
  ]
  for (const [name, cost, expected] of rows) it(name, () => assert.strictEqual(cost, expected))

  it("rounds to the billionth of a dollar, so that a million answers add up exactly", () => {
    const one = Prices.cost(usage({ cacheWriteTokens: 1 }), "claude-haiku-5-5", { isBatch: true }) ?? 0
    assert.strictEqual(one, 63e-9)
  })
})

describe("Prices.costOf", () => {
  it("reads all that decides off the answer", () => {
    const answer = {
      model: "claude-opus-5",
      usage: {
        input_tokens: 1000,
        output_tokens: 100,
        cache_creation_input_tokens: 300,
        cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 },
        cache_read_input_tokens: 400,
        server_tool_use: { web_search_requests: 2 },
        service_tier: "standard",
        inference_geo: "us",
        speed: "fast"
      }
    }
    const rated = 1000 * 5 + 100 * 25 + 100 * 6.25 + 200 * 10 + 400 * 0.5
    assert.closeTo(Prices.costOf(answer) ?? 0, rated * 2 * 1.1 / 1_000_000 + 0.02, 1e-9)
    assert.strictEqual(
      Prices.costOf({ model: "claude-opus-5", usage: { input_tokens: 1000, service_tier: "batch" } }),
      0.0025
    )
  })

  it("takes what is missing, or no number, for nothing", () => {
    for (
      const given of [undefined, null, "usage", {}, { input_tokens: "12" }, { input_tokens: -5, cache_creation: 7 }]
    ) {
      assert.strictEqual(Prices.costOf({ model: "claude-opus-5", usage: given }), 0)
    }
  })
})
