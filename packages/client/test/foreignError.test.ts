import { assert, describe, it } from "@effect/vitest"
import { causeChain, codeOf, isErrorLike, messageOf, nameOf, property } from "../src/internal/foreignError.ts"

const hostile = {
  get message(): string {
    throw new Error("no message")
  }
}

describe("what somebody threw", () => {
  it("is read property by property, absent where there is none or reading it throws", () => {
    assert.strictEqual(property({ a: 1 }, "a"), 1)
    assert.strictEqual(property(Object.assign(() => {}, { a: 1 }), "a"), 1)
    for (const value of [undefined, null, "text", 5, {}]) assert.isUndefined(property(value, "a"))
    assert.isUndefined(property(hostile, "message"))
    assert.deepStrictEqual([messageOf({ message: "m" }), messageOf({ message: 5 }), messageOf(hostile)], ["m", "", ""])
    assert.deepStrictEqual([nameOf({ name: "N" }), nameOf({ name: "" }), nameOf(null)], ["N", undefined, undefined])
  })

  it("is an error by its shape", () => {
    assert.deepStrictEqual(
      [new Error("x"), { message: "" }, { message: 5 }, "text", null, hostile].map(isErrorLike),
      [true, true, false, false, false, false]
    )
  })

  it("has a code only if that is a word, which cannot be a text that holds a secret", () => {
    assert.strictEqual(codeOf({ code: "ECONNRESET" }), "ECONNRESET")
    assert.strictEqual(codeOf({ code: "x".repeat(64) }), "x".repeat(64))
    for (const code of ["two words", "x".repeat(65), "", 5, null, "sk-ant-1"]) assert.isUndefined(codeOf({ code }))
  })

  it("has no more than eight causes, however they are tied", () => {
    const circle: { cause?: unknown } = {}
    circle.cause = circle
    assert.deepStrictEqual(causeChain(circle), Array.from({ length: 8 }, () => circle))
    assert.deepStrictEqual(causeChain({ cause: "end" }), [{ cause: "end" }, "end"])
    assert.deepStrictEqual(causeChain({ cause: null }), [{ cause: null }])
    assert.deepStrictEqual(causeChain(undefined), [])
  })
})
