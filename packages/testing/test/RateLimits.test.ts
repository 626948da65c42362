import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { RateLimits } from "../src/internal/fake/RateLimits.ts"

const minute = 60_000

describe("RateLimits", () => {
  it.effect.prop(
    "lets in no more than a bucket holds and refills, and refuses nothing that fits",
    {
      limit: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 200 })),
      steps: Schema.Array(Schema.Struct({
        gap: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5_000 })),
        tokens: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 60 }))
      }))
    },
    ({ limit, steps }) =>
      Effect.sync(() => {
        const limits = new RateLimits({ inputTokens: limit }, { inputTokens: limit }, 0)
        let now = 0
        let level = limit
        for (const { gap, tokens } of steps) {
          now += gap
          level = Math.min(limit, level + gap * limit / minute)
          const refusal = limits.admit(tokens, now)
          if (Math.abs(level - tokens) < 1e-6) {
            level = refusal === undefined ? level - tokens : level
            continue
          }
          assert.strictEqual(refusal === undefined, level >= tokens)
          if (refusal === undefined) level -= tokens
          else if (tokens <= limit) assert.closeTo(level + refusal.wait * limit / minute, tokens, 1e-6)
        }
      }),
    { arbitrary: { runs: 300, seed: 11 } }
  )

  const admitted = (limits: RateLimits, from: number, to: number): number => {
    let count = 0
    for (let now = from; now < to; now += 50) {
      if (limits.admit(100, now) === undefined) {
        limits.take("outputTokens", 20, now)
        count++
      }
    }
    return count
  }

  const plan = { requests: 600, inputTokens: 60_000, outputTokens: 12_000 }

  it("leaves a client that always asks all of the limit, and its reserve once", () => {
    const limits = new RateLimits(plan, plan, 0)
    admitted(limits, 0, 2 * minute)
    assert.closeTo(admitted(limits, 2 * minute, 12 * minute), 6_000, 2)
  })

  it("leaves half of the limit beside others that take half", () => {
    const others = { ...plan, otherConsumers: { share: 0.5 } }
    const limits = new RateLimits(others, plan, 0)
    admitted(limits, 0, 2 * minute)
    assert.closeTo(admitted(limits, 2 * minute, 12 * minute), 3_000, 30)
  })

  it("counts others by their rate, between their times", () => {
    const otherConsumers = {
      requestsPerSecond: 2,
      inputTokens: 50,
      from: Duration.seconds(10),
      to: Duration.seconds(20)
    }
    const limits = new RateLimits({ ...plan, otherConsumers }, { inputTokens: 60_000 }, 0)
    assert.strictEqual(limits.report(10_000).inputTokens.remaining, 60_000)
    // Twenty requests of fifty tokens, less what is refilled, in hundreds.
    limits.admit(60_000, 10_000)
    assert.isAtMost(limits.report(20_000).inputTokens.remaining, 10_000 - 20 * 50 + 600)
    const late = new RateLimits({ ...plan, otherConsumers }, { inputTokens: 60_000 }, 0)
    assert.strictEqual(late.report(minute).inputTokens.remaining, 60_000)
  })

  it("a request larger than the limit never fits", () => {
    const limits = new RateLimits({ inputTokens: 10 }, { inputTokens: 10 }, 0)
    assert.deepStrictEqual(limits.admit(11, 0), {
      limit: "inputTokens",
      tier: "standard",
      size: 10,
      wait: 0.1 * minute
    })
    assert.isDefined(limits.admit(11, 10 * minute))
  })
})
