import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { stripVTControlCharacters } from "node:util"

const folder = join(import.meta.dirname, "failing")
const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs")

const runFailing = (): Promise<string> =>
  new Promise((resolve, reject) => {
    const args = [vitest, "run", "--root", folder, "--config", join(folder, "vitest.config.ts"), "--no-color"]
    const child = spawn(process.execPath, args, { env: { ...process.env, NO_COLOR: "1", CI: "1" } })
    let output = ""
    child.stdout.on("data", (data) => (output += String(data)))
    child.stderr.on("data", (data) => (output += String(data)))
    child.on("error", reject)
    child.on("close", () => resolve(stripVTControlCharacters(output)))
  })

/** What Vitest prints of a failed test, from its summary. */
const reportOf = (output: string, title: string): string => {
  const summary = output.slice(output.indexOf("Failed Tests"))
  const start = summary.indexOf(`> ${title}`)
  assert.isAtLeast(start, 0, output)
  return summary.slice(start, summary.indexOf("⎯⎯⎯⎯", start))
}

const first = "     0.000 s  #1 attempt 1  claude-sonnet-5-5  createMessage  OverloadedError (529)"
const wait = "     0.000 s     retry in 1s 240ms after OverloadedError, overloaded"
const second = `     1.240 s  #2 attempt 2  claude-sonnet-5-5  createMessage  text "hi"`
const timeline = [first, wait, second].join("\n")

describe("a failing test", () => {
  it("prints the timeline of its attempts", { timeout: 60_000 }, async () => {
    const output = await runFailing()
    const report = (title: string) => reportOf(output, title)

    const runner = report("A an assertion of the runner")
    assert.include(runner, `AssertionError: expected 'end_turn' to equal 'tool_use'\n\n${timeline}`)
    assert.match(runner, /timeline\.failing\.ts:\d+:\d+/)

    assert.include(
      report("B an assertion of ours"),
      `AssertionError: expected attempts of each call: 3, got 2\n\n${timeline}`
    )
    assert.include(report("C a matcher"), "expected attempts of each call: 1, got 2\n\n")
    assert.include(report("C a matcher"), [first, second].join("\n"))
    assert.include(
      report("D a failure of the program"),
      "     0.000 s  #1 attempt 1  claude-sonnet-5-5  createMessage  SpendLimitError (429)"
    )
    assert.include(report("E a call that never ends"), "VirtualTime.run:")
    assert.include(report("E a call that never ends"), "#1 attempt 1  claude-sonnet-5-5  createMessage")
    assert.include(report("F a test over a shared layer"), `expected requests sent: 7, got 2\n\n${timeline}`)
    assert.include(report("G a test of its own"), timeline)

    assert.match(output, /7 failed \| 1 passed/)
    assert.notInclude(output, "the prompt that nobody should see\"")
  })
})
