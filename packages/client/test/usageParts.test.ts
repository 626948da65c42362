import { BatchLedgerError } from "@effect-claude/client/BatchError"
import * as Prices from "@effect-claude/client/Prices"
import * as TokenUsage from "@effect-claude/client/TokenUsage"
import { assert, describe, it } from "@effect/vitest"
import { servedBy } from "../src/internal/answer/servedBy.ts"
import { continuationOf } from "../src/internal/stream/continuation.ts"
import { makeTextTrack } from "../src/internal/stream/TextTrack.ts"
import { addUsage, updatedUsage } from "../src/internal/stream/usageSum.ts"
import { exactNumber, isSameJson } from "../src/internal/structured/jsonValue.ts"
import { Book } from "../src/internal/usage/Book.ts"
import { bookingOf } from "../src/internal/usage/bookingOf.ts"
import { checkPrices } from "../src/internal/usage/checkPrices.ts"
import { RecentKeys } from "../src/internal/usage/RecentKeys.ts"

describe("values for the keys used most lately", () => {
  const kept = (recent: RecentKeys<number>) => Array.from(recent.map((value) => value))

  it("go in the order of their use", () => {
    const recent = new RecentKeys<number>(2)
    recent.set("a", 1)
    recent.set("b", 2)
    assert.strictEqual(recent.get("a"), 1)
    assert.isUndefined(recent.get("c"))
    recent.set("c", 3)
    assert.deepStrictEqual(kept(recent), [["a", 1], ["c", 3]])
  })

  it("stay where they may not be dropped, and where nothing else is left", () => {
    const recent = new RecentKeys<number>(1, (value) => value !== 1)
    recent.set("a", 1)
    recent.set("b", 2)
    recent.set("c", 3)
    assert.deepStrictEqual(kept(recent), [["a", 1], ["c", 3]])
  })

  it("are gone once they are cleared, the last one too", () => {
    const recent = new RecentKeys<number>(2)
    recent.set("a", 1)
    recent.clear()
    assert.deepStrictEqual(kept(recent), [])
    assert.isUndefined(recent.get("a"))
    recent.set("a", 5)
    assert.deepStrictEqual(kept(recent), [["a", 5]])
  })
})

describe("usage that comes in several events", () => {
  it("is changed by what is stated", () => {
    const known = { input_tokens: 1, output_tokens: 2 }
    assert.deepStrictEqual(updatedUsage(known, { input_tokens: null, output_tokens: 5 }), {
      input_tokens: 1,
      output_tokens: 5
    })
    assert.deepStrictEqual(updatedUsage(known, undefined), known)
  })

  it("is summed count by count, with what only one of them states", () => {
    assert.deepStrictEqual(
      addUsage({ a: 1, b: null, c: { d: 2 }, e: [1], f: 3, g: "x" }, {
        a: 10,
        b: 5,
        c: { d: 20 },
        e: [2],
        f: null,
        g: "y"
      }),
      { a: 11, b: 5, c: { d: 22 }, e: [1, 2], f: 3, g: "y" }
    )
  })
})

describe("the model that the API asked in place of another", () => {
  const answer = (iterations: unknown) => ({ usage: { iterations } })

  it("is the last that is named as such", () => {
    const fallback = (model: unknown) => ({ type: "fallback_message", model })
    assert.strictEqual(servedBy(answer([fallback("a"), fallback("b"), { type: "message", model: "c" }])), "b")
    for (
      const other of [
        {},
        { usage: null },
        answer("a"),
        answer([]),
        answer([{ type: "message", model: "c" }]),
        answer([
          fallback(5),
          { type: "fallback_message" },
          null
        ])
      ]
    ) assert.isUndefined(servedBy(other))
  })
})

describe("the text that a stream has emitted", () => {
  it("stands in the order of its blocks, and is taken back from one on", () => {
    const track = makeTextTrack()
    track.add(2, "c")
    track.add(0, "a")
    track.add(1, "b")
    track.add(0, "A")
    track.add(3, "")
    assert.strictEqual(track.text(), "aAbc")
    assert.isFalse(track.cut(3))
    assert.isTrue(track.cut(1))
    assert.strictEqual(track.text(), "aA")
  })
})

describe("JSON values", () => {
  it("are the same only with the same items", () => {
    assert.isTrue(isSameJson([1, { a: 1, b: [2] }], [1, { b: [2], a: 1 }]))
    for (const other of [[1], [1, 2, null], [1, 3], { 0: 1, 1: 2 }]) {
      assert.isFalse(isSameJson([1, 2], other))
      assert.isFalse(isSameJson(other, [1, 2]))
    }
    assert.isFalse(isSameJson({ a: null }, { b: null }))
  })

  it("have no number that JavaScript would change", () => {
    const exact = ["0", "-5", "1.5", "1e3", "9007199254740992", "10000000000000000000000"]
    for (const digits of exact) assert.strictEqual(exactNumber(digits), Number(digits), digits)
    for (const digits of ["9007199254740993", "1e400"]) assert.isUndefined(exactNumber(digits), digits)
  })
})

describe("a book of usage", () => {
  const model = "claude-sonnet-5-5"
  const usage = { ...TokenUsage.zero, inputTokens: 5 }

  it("begins anew when it is reset, by key and by model too, and numbers calls as they come", () => {
    const book = new Book(Prices.known, 10)
    const first = bookingOf({ model, key: "a", usage }, Prices.known, 1)
    const second = bookingOf({ model, key: "b", usage }, Prices.known, 2)
    assert.isAbove(second.entry.callId, first.entry.callId)
    assert.deepStrictEqual([first.entry.reason, first.entry.attempt, first.entry.key], ["first", 1, "a"])
    book.add([first], true)
    book.add([second], true)
    const { byKey, byModel, since, totals } = book.reset()
    assert.deepStrictEqual([since, totals.calls, [...byKey.keys()], [...byModel.keys()]], [1, 2, ["a", "b"], [model]])
    const empty = book.snapshot
    assert.deepStrictEqual([empty.since, empty.totals.calls, empty.byKey.size, empty.byModel.size], [
      undefined,
      0,
      0,
      0
    ])
  })

  it("has no price that is no number", () => {
    const price = Prices.known[model]
    assert.isDefined(price)
    if (price === undefined) return
    const { cacheRead, cacheWrite1h, cacheWrite5m, input, output } = price
    const rates = { cacheRead, cacheWrite1h, cacheWrite5m, input, output }
    const longPrompt = { ...rates, above: 200_000 }
    assert.deepStrictEqual(checkPrices("owner", { m: { ...rates, longPrompt } }), { m: { ...rates, longPrompt } })
    for (const wrong of [Number.NaN, -1]) {
      const table = { m: { ...rates, longPrompt: { ...longPrompt, output: wrong } } }
      assert.throws(() => checkPrices("owner", table), RangeError, /owner.*prices\.m\.longPrompt/)
      const above = { m: { ...rates, longPrompt: { ...longPrompt, above: wrong } } }
      assert.throws(() => checkPrices("owner", above), RangeError, /owner.*prices\.m\.longPrompt\.above/)
      assert.throws(() => checkPrices("owner", { m: { ...rates, fast: wrong } }), RangeError, /owner.*prices\.m\.fast/)
    }
  })
})

describe("the request that goes on with an answer", () => {
  const request = { model: "m", max_tokens: 2000, messages: [{ role: "user" as const, content: "a" }] }
  const kept = {
    blocks: [{ type: "text" as const, text: "word ".repeat(1000), citations: null }],
    text: "word",
    count: 1
  }

  it("has no budget to think that is not below what is left", () => {
    const thinkingOf = (budget: number) =>
      continuationOf({ ...request, thinking: { type: "enabled", budget_tokens: budget } }, kept as never, "prefill")
    assert.isUndefined(thinkingOf(1500).thinking)
    assert.isBelow(thinkingOf(1500).max_tokens, 1500)
    assert.deepStrictEqual(thinkingOf(100).thinking, { type: "enabled", budget_tokens: 100 })
  })
})

describe("a ledger of batches that cannot be read", () => {
  it("stops, since whether the work was submitted is not known", () => {
    assert.strictEqual(new BatchLedgerError({ message: "m", operation: "read" }).verdict._tag, "Stop")
  })
})
