import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"

const page = readFileSync(new URL("../../../docs/testing.md", import.meta.url), "utf8")
const [, section = ""] = page.split("## Ten tests")
const [, fence = ""] = section.split("```")

/** What stands under each numbered comment: a layer, and the test of it. */
const tests = fence.split(/^\/\/ \d+\. /m).slice(1)

describe("the tests in docs/testing.md", () => {
  it("are ten", () => {
    assert.lengthOf(tests, 10)
    for (const test of tests) assert.lengthOf(test.match(/^ClaudeVitest\.effect\(/gm) ?? [], 1, test)
  })

  it("have ten lines at most, the layer they run on included", () => {
    for (const test of tests) {
      const [, ...lines] = test.trim().split("\n")
      assert.isAtMost(lines.length, 10, test)
    }
  })
})
