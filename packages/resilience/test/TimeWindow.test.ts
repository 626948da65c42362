import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { TimeWindow } from "../src/internal/circuit/TimeWindow.ts"

describe("TimeWindow", () => {
  it.effect("counts what lies in the last ten buckets, whatever the clock began with", () =>
    Effect.gen(function*() {
      for (const origin of [0, -12_345, 1e12]) {
        const window = new TimeWindow(1000)
        let seen: Array<{ readonly bucket: number; readonly failed: boolean }> = []
        let now = origin
        let newest = Number.NEGATIVE_INFINITY
        for (let step = 0; step < 1000; step++) {
          // Mostly within a bucket or the next, at times beyond the whole window, and at times back.
          const choice = yield* Random.nextIntBetween(0, 20)
          now += choice === 0 ? yield* Random.nextIntBetween(0, 3000) : choice === 1 ? -150 : choice * 4
          const failed = yield* Random.nextBoolean
          window.add(now, failed)
          newest = Math.max(newest, Math.floor(now / 100))
          seen.push({ bucket: newest, failed })
          seen = seen.filter(({ bucket }) => bucket > newest - 10)
          assert.strictEqual(window.calls, seen.length)
          assert.strictEqual(window.failures, seen.filter((call) => call.failed).length)
          if (step % 100 === 99) {
            window.clear()
            seen = []
            assert.deepStrictEqual([window.calls, window.failures], [0, 0])
          }
        }
      }
    }).pipe(Random.withSeed("time window")))
})
