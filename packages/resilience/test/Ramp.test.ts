import { assert, describe, it } from "@effect/vitest"
import { Ramp } from "../src/internal/limiter/Ramp.ts"

const window = 60_000
const plan = { from: 0.5, doubling: 5000 }

/** What has been let through by a time: the sum of a rate that begins at `from` and doubles every `doubling`. */
const passed = (now: number, { doubling, from } = plan) => {
  let sum = 0
  for (let at = 0.5; at < now; at++) sum += from * 2 ** (at / doubling) / window
  return sum
}

describe("Ramp", () => {
  it("holds nobody back before it begins, nor from eight times the limits on", () => {
    const ramp = new Ramp(window)
    assert.strictEqual(ramp.waitFor(5, 5, 0), 0)
    ramp.take(5, 0)
    ramp.begin(plan, 0)
    // From a half to eight are four doublings.
    assert.deepStrictEqual([0, 19_999, 20_000].map((now) => ramp.isActive(now)), [true, true, false])
    assert.strictEqual(ramp.waitFor(1, 100, 19_000), 1000)
    assert.strictEqual(ramp.waitFor(1, 100, 20_000), 0)
  })

  it("lets a sixth of what it begins with start at once, and the rest as the rate grows", () => {
    const ramp = new Ramp(window)
    ramp.begin(plan, 0)
    assert.strictEqual(ramp.waitFor(0.5 / 6, 0, 0), 0)
    ramp.take(0.5 / 6, 0)
    for (const share of [0.01, 0.05, 0.08]) {
      const wait = ramp.waitFor(share, 0, 0)
      assert.approximately(passed(wait), share, 1e-4)
      assert.approximately(passed(ramp.waitFor(share, 0.02, 0)), share + 0.02, 1e-4)
    }
    // A call that is larger than what may be saved up waits for that only.
    assert.approximately(passed(ramp.waitFor(3, 0, 0)), 0.5 / 6, 1e-4)
  })

  it("counts what was started, and saves up no more than the burst", () => {
    const ramp = new Ramp(window)
    ramp.begin(plan, 0)
    ramp.take(0.05, 0)
    ramp.take(0.05, 3000)
    const left = Math.min(0.5 / 6, 0.5 / 6 - 0.05 + passed(3000)) - 0.05
    const wait = ramp.waitFor(0.08, 0, 3000)
    assert.approximately(passed(3000 + wait) - passed(3000), 0.08 - left, 1e-4)
    // Long silent, it is full again.
    assert.strictEqual(ramp.waitFor(0.5 / 6, 0, 18_000), 0)
    assert.isAbove(ramp.waitFor(0.5 / 6, 0.001, 18_000), 0)
    // A clock that goes back refills nothing.
    ramp.take(0.5 / 6, 18_000)
    assert.isAbove(ramp.waitFor(0.5 / 6, 0, 17_000), 0)
  })

  it("begins again at half of what it lets through, with nothing to start at once", () => {
    const ramp = new Ramp(window)
    ramp.slowDown(0.1, 5000, 0)
    assert.isAbove(ramp.waitFor(0.01, 0, 0), 0)
    // Half of the whole, doubled for two seconds and halved again.
    ramp.slowDown(0.1, 5000, 2000)
    const from = 0.5 * 2 ** (2000 / 5000) / 2
    assert.approximately(passed(ramp.waitFor(0.01, 0, 2000), { from, doubling: 5000 }), 0.01, 1e-4)
    for (let n = 0; n < 10; n++) ramp.slowDown(0.1, 5000, 2000)
    assert.approximately(passed(ramp.waitFor(0.01, 0, 2000), { from: 0.1, doubling: 5000 }), 0.01, 1e-4)
    // What it lets through beyond the limits does not count.
    ramp.slowDown(0.1, 5000, 20_000)
    assert.approximately(passed(ramp.waitFor(0.01, 0, 20_000), { from: 0.5, doubling: 5000 }), 0.01, 1e-4)
  })
})
