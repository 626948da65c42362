import { assert, describe, it } from "@effect/vitest"
import { FixedDelay, LatencyTable } from "../src/internal/hedge/HedgeDelays.ts"

const options = { quantile: 0.75, minimumSamples: 3, window: 4, maxKeys: 3 }

const called = (table: LatencyTable, times: number) => {
  let delay = table.call("a")
  for (let n = 1; n < times; n++) delay = table.call("a")
  return delay
}

describe("LatencyTable", () => {
  it("gives each key the hedges that its calls have left over, ten of them at most", () => {
    const table = new LatencyTable(options)
    const delay = called(table, 3)
    assert.isFalse(delay.take())
    table.call("a")
    assert.isTrue(delay.take())
    assert.isFalse(delay.take())
    assert.isFalse(table.call("b").take())
    called(table, 1000)
    assert.deepStrictEqual(Array.from({ length: 11 }, () => delay.take()), [...Array<boolean>(10).fill(true), false])
  })

  it("lets a hedge that was given back be taken once more", () => {
    const delay = called(new LatencyTable(options), 4)
    assert.isTrue(delay.take())
    delay.giveBack()
    assert.isTrue(delay.take())
    assert.isFalse(delay.take())
  })

  it("waits for ever until it has seen enough, and then for the quantile of what it saw last", () => {
    const delay = new LatencyTable(options).call("a")
    const seen = [10, 40, 20, 30, 1, 1, 1].map((latency) => {
      delay.observe(latency)
      return delay.millis
    })
    assert.deepStrictEqual(seen, [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 40, 40, 40, 30, 30])
  })

  it("forgets the key that was not called for longest", () => {
    const table = new LatencyTable(options)
    for (const key of ["a", "b", "c", "a", "a", "d"]) table.call(key)
    assert.strictEqual(table.size, 3)
    assert.deepStrictEqual(["a", "b", "c", "d"].map((key) => table.peek(key) !== undefined), [true, false, true, true])
    assert.strictEqual(table.call("a"), table.peek("a"))
  })
})

describe("FixedDelay", () => {
  it("is the same for every key, and never runs out", () => {
    const fixed = new FixedDelay(50)
    assert.strictEqual(fixed.call(), fixed)
    assert.strictEqual(fixed.peek(), fixed)
    assert.isTrue(fixed.take() && fixed.take())
    assert.deepStrictEqual([fixed.millis, fixed.size], [50, 0])
  })
})
