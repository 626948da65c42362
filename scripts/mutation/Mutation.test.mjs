import { assert, describe, it } from "vitest"
import { mutate, notSampled } from "./Mutants.mjs"
import { fates } from "./Report.mjs"

const file = "packages/resilience/src/internal/LatencyWindow.ts"

describe("mutation testing", () => {
  it("makes the mutants of a file, each with a switch of its own in the one copy", async () => {
    const { instrumented, mutants } = await mutate([file], Number.POSITIVE_INFINITY)
    const code = instrumented.get(file) ?? ""
    assert.isAbove(mutants.length, 20)
    for (const { id } of mutants) assert.include(code, `stryMutAct_9fa48("${id}")`)
    const swapped = mutants.find(({ original, replacement }) =>
      original === "low + high" && replacement === "low - high"
    )
    assert.strictEqual(swapped?.excluded, undefined)
    assert.isTrue(swapped?.key.startsWith(`${file}@`))
  })

  it("leaves out text for people, and nothing else that is a string", async () => {
    const { mutants } = await mutate(["packages/resilience/src/CircuitBreaker.ts"], Number.POSITIVE_INFINITY)
    /** @param {string} original */
    const excluded = (original) => mutants.find((mutant) => mutant.original === original)?.excluded
    assert.strictEqual(excluded(`"was tripped"`), "text for people")
    assert.strictEqual(excluded(`"tripped"`), undefined)
  })

  it("samples by seed, and has a small sample in a larger one", async () => {
    /** @param {number} size */
    const sample = async (size) =>
      (await mutate([file], size)).mutants.flatMap(({ excluded, key }) => excluded === notSampled ? [] : [key])
    const small = await sample(5)
    assert.strictEqual(small.length, 5)
    assert.deepStrictEqual(await sample(5), small)
    const large = await sample(15)
    assert.deepStrictEqual(small.filter((key) => large.includes(key)), small)
  })

  it("counts a mutant as noticed once a test has failed, and as not reached while none came by", () => {
    /** @param {string} key */
    const mutant = (key) => ({ id: key, key, file, line: 1, column: 1, mutator: "X", original: "a", replacement: "b" })
    const mutants = ["killed", "slow", "reached", "loaded", "nothing"].map(mutant)
    const found = fates([...mutants, { ...mutant("text"), excluded: "text for people" }], [
      { status: "static", reached: ["killed", "loaded"] },
      { status: "done", reached: ["killed", "reached", "slow"] },
      { status: "killed", key: "killed" },
      { status: "timeout", key: "slow" }
    ])
    assert.deepStrictEqual([...found.values()], ["killed", "timeout", "survived", "at load", "not reached", "excluded"])
  })
})
