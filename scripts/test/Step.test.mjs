import { assert, describe, it } from "@effect/vitest"
import { counted, runSteps, single } from "./Step.mjs"

/** @typedef {import("./Step.mjs").Step} Step */

/**
 * @param {string} name
 * @param {number} code
 * @param {Partial<Step>} [options]
 * @returns {Step}
 */
const step = (name, code, options) => ({
  name,
  title: name,
  run: () => Promise.resolve(single({ code, stdout: "", output: `${name} ended` })),
  ...options
})

/** @param {ReadonlyArray<Step>} steps */
const results = async (steps) => {
  const reports = await runSteps(steps, { onStart: () => {}, onEnd: () => {} })
  return Object.fromEntries(
    reports.map(({ failed, passed, skipped, step }) => [step.name, { passed, failed, skipped }])
  )
}

const passed = { passed: 1, failed: 0, skipped: 0 }
const failed = { passed: 0, failed: 1, skipped: 0 }
const notRun = { passed: 0, failed: 0, skipped: 1 }

describe("steps", () => {
  it("go on after a failure, except for those that need what failed", async () => {
    const steps = [
      step("build", 1),
      step("packages", 0, { needs: ["build"] }),
      step("unit", 0),
      step("broken", 0, { run: () => Promise.reject(new Error("broken")) })
    ]
    assert.deepStrictEqual(await results(steps), { build: failed, packages: notRun, unit: passed, broken: failed })
  })

  it("run two at a time, and one that measures time alone", async () => {
    let running = 0
    /** @type {Array<string>} */
    const seen = []
    /** @param {string} name */
    const observe = (name) => async () => {
      running++
      await new Promise((resolve) => setImmediate(resolve))
      seen.push(`${name} ${running}`)
      running--
      return single({ code: 0, stdout: "", output: "" })
    }
    const steps = ["a", "b", "timed", "c"].map((name) => step(name, 0, { run: observe(name), alone: name === "timed" }))
    await results(steps)
    assert.deepStrictEqual(seen, ["a 2", "b 1", "timed 1", "c 1"])
  })

  it("that fail without a failing test count as one failure", () => {
    const finished = { code: 1, stdout: "", output: "" }
    assert.strictEqual(counted(finished, { passed: 3, failed: 0, skipped: 0 }).failed, 1)
    assert.strictEqual(counted(finished, { passed: 3, failed: 2, skipped: 0 }).failed, 2)
    assert.strictEqual(counted({ ...finished, code: 0 }, { passed: 3, failed: 0, skipped: 0 }).failed, 0)
  })

  it("that found nothing to test count as one failure, and say so", () => {
    const outcome = counted({ code: 0, output: "all good" }, { passed: 0, failed: 0, skipped: 0 })
    assert.deepStrictEqual(outcome, { ...failed, output: "all good\nno test was found" })
  })
})
