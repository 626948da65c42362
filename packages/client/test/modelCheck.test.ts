import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { makeModelCheck } from "../src/internal/modelCheck.ts"

const warningsOf = (check: ReturnType<typeof makeModelCheck>, models: ReadonlyArray<string>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => {
    lines.push(String(message))
  })
  return Effect.forEach(models, check).pipe(Effect.provide(Logger.layer([logger])), Effect.as(lines))
}

describe("a model whose name the SDK does not list", () => {
  it.effect("is warned of once, with its name cut", () =>
    Effect.gen(function*() {
      const check = makeModelCheck("warn")
      const name = `claude-${"x".repeat(200)}`
      const lines = yield* warningsOf(check, [name, name, "claude-sonnet-5-5", "another"])
      assert.strictEqual(lines.length, 2)
      assert.include(lines[0], `"${name.slice(0, 100)}"`)
      assert.include(lines[1], `"another"`)
    }))

  it.effect("is warned of no more after a hundred others", () =>
    Effect.gen(function*() {
      const names = Array.from({ length: 120 }, (_, index) => `made-up-${index}`)
      assert.strictEqual((yield* warningsOf(makeModelCheck("warn"), names)).length, 100)
    }))

  it.effect("fails each time, or is let through, as the policy says", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* warningsOf(makeModelCheck("ignore"), ["made-up"]), [])
      const check = makeModelCheck("fail")
      yield* check("claude-sonnet-5-5")
      for (let i = 0; i < 2; i++) {
        const error = yield* Effect.flip(check("claude-sonet-5-5"))
        assert.deepStrictEqual([error.field, error.model], ["model", "claude-sonet-5-5"])
        assert.match(error.message, /did you mean .*claude-sonnet-5-5/)
      }
    }))
})
