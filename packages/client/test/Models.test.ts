import * as Models from "@effect-claude/client/Models"
import { assert, describe, it } from "@effect/vitest"

describe("Models", () => {
  it("knows each model that it lists, and no property of a table", () => {
    for (const model of Models.known) assert.isTrue(Models.isKnown(model))
    for (const name of ["", "claude", "constructor", "__proto__", "Claude-Opus-5-5"]) {
      assert.isFalse(Models.isKnown(name))
    }
  })

  const typos: ReadonlyArray<readonly [string, string]> = [
    ["claude-opus-5.5", "claude-opus-5-5"],
    ["claude-sonet-5-5", "claude-sonnet-5-5"],
    ["CLAUDE-HAIKU-5-5", "claude-haiku-5-5"],
    ["claude-opus-4-5-20251102", "claude-opus-4-5-20251101"],
    ["claude-mythos", "claude-mythos-5"]
  ]
  for (const [typo, meant] of typos) {
    it(`takes ${typo} for ${meant}`, () => assert.strictEqual(Models.nearest(typo)[0], meant))
  }

  it("puts a model that is known first, and names three at most", () => {
    for (const model of Models.known) {
      assert.strictEqual(Models.nearest(model)[0], model)
      assert.isAtMost(Models.nearest(model).length, 3)
    }
  })

  it("has no idea about what is no typing error", () => {
    for (const name of ["", "gpt", "x".repeat(101), "x".repeat(10_000_000)]) {
      assert.deepStrictEqual(Models.nearest(name), [])
    }
  })
})
