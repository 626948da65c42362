import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Load, run } from "./RateLimiterLoad.ts"

const limits = { requests: 600, inputTokens: 400_000, outputTokens: 100_000 }

/** Loads that run into one of the limits each, three times over. */
const loads: ReadonlyArray<Pick<Load, "input" | "output" | "demand"> & { readonly binding: string }> = [
  { binding: "requests", input: 400, output: 120, demand: 3 * 600 },
  { binding: "input tokens", input: 2000, output: 100, demand: 3 * 200 },
  { binding: "output tokens", input: 400, output: 500, demand: 3 * 200 }
]
const servers: ReadonlyArray<Pick<Load, "headersAt" | "network" | "work">> = [
  { headersAt: "admission", network: 60, work: 400 },
  { headersAt: "answer", network: 60, work: 5000 },
  { headersAt: "admission", network: 500, work: 25_000 },
  { headersAt: "answer", network: 60, work: 60_000 }
]

describe("RateLimiter against a server that enforces three buckets, for 10 minutes at three times the limit", () => {
  for (const { binding, ...load } of loads) {
    it.effect(
      `${binding}: no 429 after the first response, and 97 % of the limit at least`,
      () =>
        Effect.forEach(servers, (server) =>
          Effect.gen(function*() {
            const result = yield* run({ ...load, ...server, limits, minutes: 10, seed: binding })
            const shown = JSON.stringify({ ...server, ...result })
            assert.strictEqual(result.refusedAfterFirst, 0, shown)
            assert.isAtLeast(result.share, 0.97, shown)
          })),
      60_000
    )

    it.effect(
      `${binding}: 429 for 1 % at most when a program that nobody sees takes half`,
      () =>
        Effect.forEach(servers, (server) =>
          Effect.gen(function*() {
            const result = yield* run({
              ...load,
              ...server,
              limits,
              minutes: 10,
              foreign: load.demand / 6,
              seed: `${binding}, shared`
            })
            const shown = JSON.stringify({ ...server, ...result })
            assert.isAtMost(result.refusedAfterFirst / result.sent, 0.01, shown)
            assert.isAtLeast(result.share, 0.45, shown)
          })),
      60_000
    )
  }

  it.effect("two programs with a limiter each share the limit without a word", () =>
    Effect.gen(function*() {
      const result = yield* run({
        limits,
        input: 400,
        output: 120,
        demand: 1800,
        minutes: 10,
        headersAt: "admission",
        network: 60,
        work: 2000,
        programs: 2,
        seed: "two"
      })
      const shown = JSON.stringify(result)
      const [first = 0, second = 0] = result.startedBy
      assert.isAtMost(result.refusedAfterFirst / result.sent, 0.01, shown)
      assert.isAtLeast(result.share, 0.95, shown)
      assert.isAtLeast(Math.min(first, second) / Math.max(first, second), 0.5, shown)
    }))

  it.effect("starts within configured limits before any response", () =>
    Effect.gen(function*() {
      const result = yield* run({
        limits,
        input: 400,
        output: 120,
        demand: 1800,
        minutes: 10,
        headersAt: "answer",
        network: 60,
        work: 30_000,
        configured: true,
        seed: "configured"
      })
      assert.strictEqual(result.refused, 0, JSON.stringify(result))
      assert.isAtLeast(result.share, 0.97, JSON.stringify(result))
    }))
})
