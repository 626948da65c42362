import { assert, describe, it } from "@effect/vitest"
import { nameOf, retryKindOf } from "../src/internal/OwnVerdict.ts"
import { withoutStack } from "../src/internal/WithoutStack.ts"

describe("OwnVerdict", () => {
  it("knows the kind of an error that carries a verdict to retry", () => {
    assert.strictEqual(retryKindOf({ verdict: { _tag: "Retry", kind: "timeout" } }), "timeout")
    for (const error of [undefined, null, "timeout", {}, { verdict: null }, { verdict: {} }, { kind: "timeout" }]) {
      assert.isUndefined(retryKindOf(error))
    }
    assert.isUndefined(retryKindOf({ verdict: { kind: "boredom" } }))
  })

  it("names an error by its tag, its name, or its type", () => {
    assert.strictEqual(nameOf({ _tag: "Gone" }), "Gone")
    assert.strictEqual(nameOf(Object.assign(new TypeError("x"), { _tag: "Gone" })), "Gone")
    assert.strictEqual(nameOf(Object.assign(new TypeError("x"), { _tag: 5 })), "TypeError")
    assert.strictEqual(nameOf(new TypeError("x")), "TypeError")
    assert.strictEqual(nameOf({ _tag: 5 }), "object")
    assert.deepStrictEqual([undefined, null, "gone", 5].map(nameOf), ["undefined", "object", "string", "number"])
  })
})

describe("withoutStack", () => {
  it("makes an error without a stack, and leaves the limit of others as it was, also if making fails", () => {
    const limit = Error.stackTraceLimit
    assert.notInclude(withoutStack(() => new Error("rejected")).stack ?? "", "\n    at ")
    assert.strictEqual(Error.stackTraceLimit, limit)
    assert.throws(() =>
      withoutStack(() => {
        throw new Error("no error to make")
      }), "no error to make")
    assert.strictEqual(Error.stackTraceLimit, limit)
    assert.include(new Error("another").stack ?? "", "\n    at ")
  })
})
