import * as TokenUsage from "@effect-claude/client/TokenUsage"
import { assert, describe, it } from "@effect/vitest"
import { consumptionOf } from "../src/internal/usage/consumption.ts"

const usage = (value: unknown) => ({
  input_tokens: value,
  output_tokens: 7,
  cache_read_input_tokens: value,
  cache_creation_input_tokens: value
})

describe("what an answer says that it used", () => {
  it("counts for nothing where it is no count", () => {
    for (const value of [Number.POSITIVE_INFINITY, Number.NaN, -1, "5", null, undefined, {}]) {
      const used = { inputTokens: 0, outputTokens: 7, cacheReadTokens: 0, cacheWriteTokens: 0 }
      assert.deepStrictEqual(TokenUsage.of({ usage: usage(value) }), used)
      assert.deepStrictEqual(consumptionOf(usage(value)).usage, used)
    }
  })

  it("is summed over input, cache and output", () => {
    const used = TokenUsage.of({
      usage: { input_tokens: 1, output_tokens: 20, cache_read_input_tokens: 300, cache_creation_input_tokens: 4000 }
    })
    assert.deepStrictEqual(used, { inputTokens: 1, outputTokens: 20, cacheReadTokens: 300, cacheWriteTokens: 4000 })
    assert.strictEqual(TokenUsage.totalInput(used), 4301)
    assert.strictEqual(TokenUsage.total(used), 4321)
  })
})
