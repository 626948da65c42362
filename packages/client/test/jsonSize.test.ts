import { assert, describe, it } from "@effect/vitest"
import { exactSize, isSurelySmaller } from "../src/internal/jsonSize.ts"

describe("the size of a request as JSON", () => {
  it("is counted in bytes, where it can be written at all", () => {
    assert.strictEqual(exactSize({ a: "ä" }), 10)
    const circle: Record<string, unknown> = {}
    circle["self"] = circle
    assert.isUndefined(exactSize(circle))
    assert.isUndefined(exactSize({ n: 1n }))
  })

  it("is surely smaller only than what it cannot exceed", () => {
    const requests: ReadonlyArray<object> = [
      {},
      { text: "x".repeat(100) },
      { text: "\u0000".repeat(100) },
      { ["\u0000".repeat(50)]: 1 },
      [1, 2.5e-300, null, true, "ä"],
      { deep: { deeper: [{ a: [[]] }, "text"] } },
      { bytes: new Uint8Array(20).fill(255) },
      { bytes: new Float64Array(20).fill(1 / 3) }
    ]
    for (const request of requests) {
      const size = exactSize(request) ?? 0
      assert.isFalse(isSurelySmaller(request, size - 1), JSON.stringify(request))
      assert.isTrue(isSurelySmaller(request, 100_000))
    }
    // The bound of an empty one is a node, and of a text a node more and six bytes a character.
    assert.deepStrictEqual([31, 32].map((limit) => isSurelySmaller({}, limit)), [false, true])
    assert.deepStrictEqual([69, 70].map((limit) => isSurelySmaller(["x"], limit)), [false, true])
  })

  it("is not known of what has no form in JSON, or does not let itself be read", () => {
    const circle: Record<string, unknown> = {}
    circle["self"] = circle
    const closed = {
      get text(): string {
        throw new Error("closed")
      }
    }
    for (const request of [circle, { n: 1n }, closed]) assert.isFalse(isSurelySmaller(request, 1_000_000))
  })
})
