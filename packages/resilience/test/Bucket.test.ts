import { assert, describe, it } from "@effect/vitest"
import { Bucket, type BucketPlan } from "../src/internal/limiter/Bucket.ts"

/** A tenth of a token comes each millisecond, and a thousand can be saved up. */
const make = (plan: Partial<BucketPlan> = {}) =>
  new Bucket({ limit: 6000, window: 60_000, burst: 10_000, rounding: 0, headroom: 1, mayRaise: false, ...plan })

const now0 = { at: 0, reserved: 0 }
const observed = (report: Parameters<Bucket["observe"]>[0], plan: Partial<BucketPlan> = {}, now = 0) => {
  const bucket = make(plan)
  bucket.observe(report, now0, now)
  return bucket.available(now)
}

describe("Bucket", () => {
  it("refills up to its burst, and tells how long to wait for what is missing", () => {
    const bucket = make()
    assert.strictEqual(bucket.size, 1000)
    assert.strictEqual(bucket.available(0), 1000)
    assert.strictEqual(bucket.waitFor(1000, 0, 0), 0)
    bucket.take(1000)
    assert.strictEqual(bucket.reserved, 1000)
    assert.strictEqual(bucket.waitFor(1, 0, 0), 10)
    assert.strictEqual(bucket.waitFor(1, 20, 0), 210)
    // More than it holds can be taken when it is full.
    assert.strictEqual(bucket.waitFor(5000, 0, 0), 10_000)
    assert.strictEqual(bucket.available(100), 10)
    assert.strictEqual(bucket.available(50), 10)
    assert.strictEqual(bucket.waitFor(10, 0, 100), 0)
    assert.strictEqual(bucket.available(1_000_000), 1000)
    bucket.take(1500)
    bucket.empty(1_000_000)
    assert.strictEqual(bucket.available(1_000_000), -500)
    bucket.empty(1_010_000)
    assert.strictEqual(bucket.available(1_010_000), 0)
  })

  it("settles what a call took with what it used", () => {
    const bucket = make()
    assert.strictEqual(bucket.waitFor(600, 0, 0), 0)
    bucket.take(600)
    bucket.settle(600, 200, 10, 0)
    assert.strictEqual(bucket.available(0), 800)
    bucket.take(600)
    bucket.settle(600, 900, 10, 0)
    assert.strictEqual(bucket.available(0), -100)
    bucket.settle(0, -5000, 10, 0)
    assert.strictEqual(bucket.available(0), 1000)
  })

  it("limits nothing until it knows a limit", () => {
    const bucket = make({ limit: undefined })
    assert.isFalse(bucket.isLimited)
    bucket.take(1e9)
    bucket.empty(0)
    assert.deepStrictEqual([bucket.waitFor(1e9, 1e9, 0), bucket.available(0)], [0, Number.POSITIVE_INFINITY])
    assert.isFalse(bucket.observe({ remaining: 5 }, now0, 0))
    assert.isFalse(bucket.isLimited)
    assert.isTrue(bucket.observe({ limit: 6000 }, now0, 0))
    assert.isTrue(bucket.isLimited)
    assert.strictEqual(bucket.size, 990)
  })

  it("follows a reported limit that is lower, and a higher one only if it may", () => {
    const bucket = make({ headroom: 0.8 })
    assert.strictEqual(bucket.size, 800)
    for (const limit of [0, -1, Number.NaN]) assert.isFalse(bucket.observe({ limit }, now0, 0))
    assert.isFalse(bucket.observe({ limit: 9000 }, now0, 0))
    assert.deepStrictEqual([bucket.limit, bucket.size], [6000, 800])
    assert.isTrue(bucket.observe({ limit: 3000 }, now0, 0))
    assert.deepStrictEqual([bucket.limit, bucket.size, bucket.available(0)], [3000, 495, 495])
    assert.isFalse(bucket.observe({ limit: 3000 }, now0, 0))
    assert.isTrue(bucket.observe({ limit: 9000 }, now0, 0))
    assert.deepStrictEqual([bucket.limit, bucket.size], [6000, 800])
    // As configured, so that the share that is used is the configured one, and not that of a report.
    assert.isFalse(bucket.observe({ limit: 6000 }, now0, 0))
    assert.strictEqual(bucket.size, 800)

    const raising = make({ headroom: 0.8, mayRaise: true })
    assert.isTrue(raising.observe({ limit: 9000 }, now0, 0))
    assert.deepStrictEqual([raising.limit, raising.size], [9000, 1485])
  })

  it("lowers its level to what the server has left, less a margin of two in a hundred", () => {
    assert.strictEqual(observed({ remaining: 500 }), 380)
    assert.strictEqual(observed({ remaining: 500 }, { rounding: 50 }), 330)
    // Of a full bucket nothing was rounded.
    assert.strictEqual(observed({ remaining: 6000 }, { rounding: 5500 }), 1000)
    assert.strictEqual(observed({ remaining: 5000 }), 1000)
    assert.strictEqual(observed({}), 1000)
  })

  it("takes the time of its reset for what it has left, if a report tells no more", () => {
    assert.strictEqual(Math.round(observed({ resetAfter: 54_000 })), 480)
    assert.strictEqual(observed({ resetAfter: 54_000, remaining: 500 }), 380)
    assert.strictEqual(observed({ resetAfter: 90_000 }), -120)
    assert.strictEqual(observed({ resetAfter: -90_000 }), 1000)
  })

  it("subtracts what was given away since the reported call, and what calls in flight may still use", () => {
    const bucket = make()
    bucket.take(100)
    const mark = { at: 0, reserved: bucket.reserved }
    bucket.take(50)
    bucket.observe({ remaining: 500 }, mark, 0)
    assert.strictEqual(bucket.available(0), 500 - 50 - 120 - 150)

    // Calls that last for 800 milliseconds, as far as an average of eight knows of one: 10 are refilled meanwhile.
    const known = make()
    known.take(100)
    known.settle(100, 0, 9999, 0)
    known.take(100)
    known.settle(100, 100, 800, 0)
    known.take(150)
    known.observe({ remaining: 800 }, { at: 0, reserved: known.reserved }, 0)
    assert.strictEqual(known.available(0), 800 - 120 - (150 - 10))
    known.settle(150, 150, 100, 0)
    known.observe({ remaining: 400 }, { at: 0, reserved: known.reserved }, 0)
    assert.isBelow(known.available(0), 400 - 120)
  })

  it("gives an old report credit for what was refilled since", () => {
    // From a quarter of the window on.
    assert.strictEqual(observed({ remaining: 0 }, {}, 15_000), -120)
    assert.strictEqual(observed({ remaining: 0 }, {}, 20_000), 500 - 120)
  })

  it("takes drops that it cannot explain for the doing of another, and keeps away from what that one may take", () => {
    const bucket = make()
    bucket.observe({ remaining: 500 }, now0, 0)
    // Refilled from 380 by 600, it would be at 980 and the server 120 above: 500 less are missing.
    bucket.observe({ remaining: 600 }, { at: 6000, reserved: 0 }, 6000)
    const first = 980 + 120 - 600
    assert.approximately(bucket.available(6000), 600 - (120 + 2 * first), 1e-9)

    // A second drop, told four seconds late. Half a thousand a minute are no surprise any more.
    bucket.observe({ remaining: 100 }, { at: 8000, reserved: 0 }, 12_000)
    const level = 600 - (120 + 2 * first) + 600
    const second = level + (120 + 2 * first) - 100
    const lately = first * Math.exp(-0.1) + second
    const surprise = second - first / 60_000 * 6000
    const margin = Math.min(1500, 120 + lately / 60_000 * 4000 / 8 + 2 * surprise)
    assert.strictEqual(margin, 1500)
    assert.approximately(bucket.available(12_000), 100 - 1500, 1e-9)

    // What nobody takes is forgotten again.
    const calm = make()
    calm.observe({ remaining: 900 }, now0, 0)
    calm.observe({ remaining: 1000 }, { at: 2000, reserved: 0 }, 6000)
    const drop = 1000 + 120 - 1000
    const age = 4000 / 8
    assert.approximately(calm.available(6000), 1000 - (120 + drop / 60_000 * age + 2 * drop), 1e-9)
    calm.observe({ remaining: 6000 }, { at: 66_000, reserved: 0 }, 66_000)
    const left = { dropped: drop * Math.exp(-1), age: age - age / 8 }
    calm.observe({ remaining: 700 }, { at: 66_000, reserved: 0 }, 66_000)
    const level66 = 1000
    const margin66 = 120 + left.dropped / 60_000 * left.age + 2 * left.dropped
    const drop66 = level66 + margin66 - 700
    const margin67 = 120 + (left.dropped + drop66) / 60_000 * (left.age * 7 / 8) + 2 * drop66
    assert.approximately(calm.available(66_000), 700 - margin67, 1e-9)
  })
})
