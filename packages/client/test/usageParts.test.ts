import { assert, describe, it } from "@effect/vitest"
import { servedBy } from "../src/internal/answer/servedBy.ts"
import { makeTextTrack } from "../src/internal/stream/TextTrack.ts"
import { addUsage, updatedUsage } from "../src/internal/stream/usageSum.ts"
import { exactNumber, isSameJson } from "../src/internal/structured/jsonValue.ts"
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
