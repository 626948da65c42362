import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { LatencyWindow } from "../src/internal/LatencyWindow.ts"

describe("LatencyWindow", () => {
  it.effect("agrees with sorting the last latencies anew each time, equal ones among them", () =>
    Effect.gen(function*() {
      for (let round = 0; round < 100; round++) {
        const size = yield* Random.nextIntBetween(1, 12)
        const window = new LatencyWindow(size)
        const seen: Array<number> = []
        for (let step = 0; step < 40; step++) {
          const latency = yield* Random.nextIntBetween(0, 8)
          window.add(latency)
          seen.push(latency)
          const last = seen.slice(-size).sort((left, right) => left - right)
          assert.strictEqual(window.count, last.length)
          for (const q of [0.01, 0.5, 0.9, 0.99]) {
            const rank = Math.min(Math.ceil(q * (last.length + 1)), last.length)
            assert.strictEqual(window.quantile(q), last[rank - 1])
          }
        }
      }
    }).pipe(Random.withSeed("latencies")))
})
