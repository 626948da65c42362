import { assert, describe, it } from "@effect/vitest"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "../Workspace.mjs"
import { checkDocs } from "./DocCheck.mjs"
import { undocumentedExports } from "./Exports.mjs"

/**
 * Checks a document as `npm run docs` would.
 *
 * @param {string} name
 * @param {string} text
 */
const check = async (name, text) => {
  const folder = `build/selftest/${name.replace(".", "-")}`
  const file = `${folder}/${name}`
  rmSync(join(root, folder), { recursive: true, force: true })
  mkdirSync(join(root, folder), { recursive: true })
  writeFileSync(join(root, file), text)
  return { file, ...await checkDocs([file], `${folder}-examples`) }
}

const timeout = 60_000

/**
 * @param {string} info
 * @param {ReadonlyArray<string>} code
 */
const fence = (info, ...code) => ["# A title", "", `\`\`\`${info}`, ...code, "```", ""].join("\n")

describe("doc examples", () => {
  it("accepts examples that compile and hold", async () => {
    const outcome = await check(
      "good.md",
      fence(
        "ts",
        "import { assert } from \"@effect/vitest\"",
        "import * as Effect from \"effect/Effect\"",
        "",
        "assert.strictEqual(await Effect.runPromise(Effect.succeed(1)), 1)"
      ) + fence("ts no-run", "throw new Error(\"never run\")")
    )
    assert.deepStrictEqual({ passed: outcome.passed, failed: outcome.failed }, { passed: 2, failed: 0 }, outcome.output)
  }, timeout)

  it("reports a type error at its place in the document, examples that do not run included", async () => {
    const outcome = await check("types.md", fence("ts no-run", "", "const wrong: number = \"text\""))
    assert.strictEqual(outcome.failed, 1)
    assert.include(outcome.output, `${outcome.file}(5,7): error TS2322`)
  }, timeout)

  it("reports a type error at its place in a doc comment", async () => {
    const comment = ["  /**", "   * ```ts no-run", "   * const wrong: number = \"text\"", "   * ```", "   */"]
    const outcome = await check("comment.ts", ["export class A {", ...comment, "  a = 1", "}", ""].join("\n"))
    assert.strictEqual(outcome.failed, 1)
    assert.include(outcome.output, `${outcome.file}(4,12): error TS2322`)
  }, timeout)

  it("fails on an assertion that does not hold", async () => {
    const outcome = await check(
      "assertion.md",
      fence("ts", "import { assert } from \"@effect/vitest\"", "", "assert.strictEqual(1 + 1, 3)")
    )
    assert.strictEqual(outcome.failed, 1)
    assert.include(outcome.output, `${outcome.file}:4 A title`)
    assert.include(outcome.output, "expected 2 to equal 3")
  }, timeout)

  it("fails on a program whose process fails, and on a test suite that fails", async () => {
    const outcome = await check(
      "programs.md",
      fence(
        "ts",
        "import * as NodeRuntime from \"@effect/platform-node/NodeRuntime\"",
        "import * as Effect from \"effect/Effect\"",
        "",
        "NodeRuntime.runMain(Effect.fail(\"planted\"))"
      ) + fence(
        "ts",
        "import { assert, it } from \"@effect/vitest\"",
        "import * as Effect from \"effect/Effect\"",
        "",
        "it.effect(\"is wrong\", () => Effect.sync(() => assert.isTrue(false)))"
      ) + fence(
        "ts",
        "import * as ClaudeTest from \"@effect-claude/testing/ClaudeTest\"",
        "import * as ClaudeVitest from \"@effect-claude/testing/ClaudeVitest\"",
        "import * as Effect from \"effect/Effect\"",
        "",
        "ClaudeVitest.effect(\"is wrong too\", ClaudeTest.empty, () => Effect.die(\"planted as well\"))"
      )
    )
    assert.strictEqual(outcome.failed, 3, outcome.output)
    assert.include(outcome.output, "planted")
    assert.include(outcome.output, "is wrong")
    assert.include(outcome.output, "is wrong too")
  }, timeout)

  it("fails on a promise whose failure nobody would see", async () => {
    const outcome = await check("floating.md", fence("ts", "Promise.resolve(1)"))
    assert.strictEqual(outcome.failed, 1, outcome.output)
    assert.include(outcome.output, `${outcome.file}:4:1`)
    assert.include(outcome.output, "no-floating-promises")
  }, timeout)

  it("refuses fences that would escape the check", async () => {
    const outcome = await check("fences.md", fence("ts no-check", "x") + fence("typescript", "x") + "```ts\nx")
    assert.strictEqual(outcome.failed, 3)
    assert.include(outcome.output, `${outcome.file}:3 "ts no-check" is not allowed here`)
    assert.include(outcome.output, `${outcome.file}:8 "typescript" is not allowed here`)
    assert.include(outcome.output, `${outcome.file}:11 this code fence is not closed`)
  })
})

describe("documentation of exports", () => {
  /** @param {string} text */
  const messages = (text) =>
    undocumentedExports("src/Module.ts", (file) => file === "src/Module.ts" ? text : internal)
      .map(({ line, message }) => `${line} ${message}`)

  const example = "**Example** (Using it)"
  const tags = "@since 0.1.0 @category models"
  const internal = `/** ${example} ${tags} */\nexport const documented = () => 1\nexport const bare = () => 1\n`

  it("accepts a documented module", () => {
    const text = `/** ${example} ${tags} */\nexport const f = () => 1\n/** ${tags} */\nexport interface A {}\n`
    assert.deepStrictEqual(messages(text), [])
  })

  it("takes the documentation of a re-exported name from where it is declared", () => {
    assert.deepStrictEqual(messages("export { documented } from \"./internal/other.ts\"\n"), [])
    assert.deepStrictEqual(
      messages(`/** ${example} ${tags} */\nexport { bare } from "./internal/other.ts"\n`),
      []
    )
    assert.deepStrictEqual(messages("export { bare, documented as other } from \"./internal/other.ts\"\n"), [
      "1 `bare` is exported without a doc comment"
    ])
  })

  it("reports what lacks a comment, a tag or an example", () => {
    const text = [
      "export const bare = 1",
      "/** No tags. */",
      "export class Untagged {}",
      `/** ${tags} */`,
      "export const f: { (a: number): number } = (a) => a",
      `/** ${tags} */`,
      "export function g(): void",
      "export function g(a?: number): void {}",
      `/** ${tags} */`,
      "export const h = Effect.fn(\"h\")(function*() {})",
      "export * from \"./internal/other.ts\"",
      ""
    ].join("\n")
    assert.sameMembers(messages(text), [
      "11 re-export by name, so that it shows what is public",
      "1 `bare` is exported without a doc comment",
      "3 the doc comment of `Untagged` has no @since",
      "3 the doc comment of `Untagged` has no @category",
      "5 the doc comment of the function `f` has no **Example**",
      "7 the doc comment of the function `g` has no **Example**",
      "10 the doc comment of the function `h` has no **Example**",
      "1 the module has no **Example**"
    ])
  })
})
