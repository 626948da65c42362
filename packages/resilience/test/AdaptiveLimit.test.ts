import { assert, describe, it } from "@effect/vitest"
import { AdaptiveLimit, type LimitRules } from "../src/internal/concurrency/AdaptiveLimit.ts"

const make = (rules: Partial<LimitRules>) =>
  new AdaptiveLimit({ initial: 10, minimum: 1, maximum: 1000, decrease: 0.5, latency: undefined, ...rules })

const succeed = (limit: AdaptiveLimit, times: number, wasFull = true) => {
  for (let n = 0; n < times; n++) limit.succeeded(limit.epoch, wasFull)
  return limit.permits
}

const overload = (limit: AdaptiveLimit, wasFull = true) => {
  limit.overloaded(limit.epoch, wasFull)
  return limit.permits
}

describe("AdaptiveLimit", () => {
  it("grows by half a permit with each success in full use, up to its maximum", () => {
    const limit = make({ maximum: 12 })
    assert.strictEqual(succeed(limit, 1), 10)
    assert.strictEqual(succeed(limit, 1), 11)
    assert.strictEqual(succeed(limit, 9, false), 11)
    limit.succeeded(limit.epoch - 1, true)
    limit.succeeded(limit.epoch - 1, true)
    assert.strictEqual(limit.permits, 11)
    assert.strictEqual(succeed(limit, 9), 12)
  })

  it("decreases once in an epoch, and not below its minimum", () => {
    const limit = make({ initial: 20, minimum: 4 })
    limit.overloaded(0, true)
    limit.overloaded(0, true)
    assert.strictEqual(limit.permits, 10)
    assert.strictEqual(limit.epoch, 1)
    assert.deepStrictEqual([overload(limit), overload(limit), overload(limit)], [5, 4, 4])
  })

  it("decreases by what it is told, or to what the last round trip took if it has grown fast", () => {
    assert.strictEqual(overload(make({ initial: 100, decrease: 0.9 })), 90)
    const grown = make({ initial: 100, decrease: 0.9 })
    assert.strictEqual(succeed(grown, 100), 150)
    assert.strictEqual(overload(grown), 100)
    // What came before the last decrease no longer counts.
    assert.strictEqual(overload(grown), 90)
    const cautious = make({ initial: 100, decrease: 0.5 })
    succeed(cautious, 100)
    assert.strictEqual(overload(cautious), 75)
  })

  it("takes an overload of a call that was sent alone for one of capacity only with reason", () => {
    const first = make({})
    assert.strictEqual(overload(first, false), 5)
    assert.strictEqual(overload(first, false), 5)
    succeed(first, 1, false)
    assert.strictEqual(overload(first, false), 2)
  })

  it("goes one by one from what the service took to a tenth past where overload struck, and fast from there", () => {
    const limit = make({ initial: 10 })
    assert.strictEqual(overload(limit), 5)
    assert.strictEqual(succeed(limit, 5), 5)
    assert.strictEqual(succeed(limit, 1), 6)
    // It has grown slowly, so by no more than it is told to.
    const slow = make({ initial: 10, decrease: 0.9 })
    overload(slow)
    succeed(slow, 1)
    assert.strictEqual(overload(slow), 8)

    // The square of the limit grows by two with each success, or just over.
    assert.strictEqual(succeed(limit, 41), 10)
    assert.strictEqual(succeed(limit, 1), 11)
    assert.strictEqual(succeed(limit, 2), 12)
  })

  it("remembers through an outage what the service took, and is back there fast", () => {
    const limit = make({ initial: 40 })
    assert.strictEqual(overload(limit), 20)
    assert.strictEqual(overload(limit), 10)
    assert.strictEqual(overload(limit), 5)
    assert.strictEqual(succeed(limit, 1), 7)
    assert.strictEqual(succeed(limit, 7), 21)
    assert.strictEqual(succeed(limit, 20), 21)
    assert.strictEqual(succeed(limit, 2), 22)
  })

  it("learns where overload struck from a limit in full use only", () => {
    const limit = make({ initial: 40, decrease: 0.5 })
    // Not in full use: from here it may grow fast at once.
    assert.strictEqual(overload(limit, false), 20)
    assert.strictEqual(succeed(limit, 2), 21)
    // In full use after a success: this is what it takes.
    assert.strictEqual(overload(limit), 10)
    assert.strictEqual(succeed(limit, 2), 10)
  })
})
