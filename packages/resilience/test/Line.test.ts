import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { Lease } from "../src/internal/limiter/Lease.ts"
import { Line } from "../src/internal/limiter/Line.ts"

describe("Line", () => {
  it.effect("agrees with a list, whoever comes and goes", () =>
    Effect.gen(function*() {
      const line = new Line(2)
      let model: Array<{ readonly lease: Lease; readonly rank: number }> = []
      for (let step = 0; step < 800; step++) {
        const isFilling = Math.floor(step / 40) % 2 === 0
        if (yield* Effect.map(Random.nextIntBetween(0, 10), (n) => isFilling ? n < 7 : n < 3)) {
          const rank = yield* Random.nextIntBetween(0, 6)
          const lease = new Lease([1, yield* Random.nextIntBetween(0, 100)])
          line.add(lease, rank)
          model.push({ lease, rank })
        } else if (model.length > 0) {
          const gone = model[yield* Random.nextIntBetween(0, model.length)]
          model = model.filter((one) => one !== gone)
          if (gone !== undefined) {
            line.remove(gone.lease)
            assert.isUndefined(gone.lease.entry)
            // A second time changes nothing.
            line.remove(gone.lease)
          }
        }
        const sorted = model.map((one, arrival) => ({ ...one, arrival }))
          .sort((left, right) => left.rank - right.rank || left.arrival - right.arrival)
        assert.strictEqual(line.size, model.length)
        assert.strictEqual(line.first, sorted[0]?.lease)
        assert.strictEqual(line.oldest, model[0]?.lease)
        assert.deepStrictEqual(
          Array.from({ [Symbol.iterator]: () => line[Symbol.iterator]() }),
          model.map((one) => one.lease)
        )
        for (let rank = -1; rank < 7; rank++) {
          const before = model.filter((one) => one.rank <= rank).map((one) => one.lease)
          const costs = [0, 1].map((index) => before.reduce((sum, lease) => sum + (lease.costs[index] ?? 0), 0))
          assert.deepStrictEqual(line.before(rank), { calls: before.length, costs })
          assert.deepStrictEqual([...line.leasesBefore(rank)], before)
          const last = sorted.at(-1)
          assert.strictEqual(line.lastAfter(rank), last !== undefined && last.rank > rank ? last.lease : undefined)
        }
      }
    }).pipe(Random.withSeed("line")))

  it("forgets what adding and subtracting leaves of fractions when it is empty", () => {
    const line = new Line(1)
    const leases = [0.1, 0.2, 0.3].map((cost) => new Lease([cost]))
    for (const lease of leases) line.add(lease, 0)
    for (const lease of leases) line.remove(lease)
    assert.deepStrictEqual(line.before(1), { calls: 0, costs: [0] })
  })
})
