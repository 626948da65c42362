import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as FakeClaudeApi from "../src/FakeClaudeApi.ts"
import { RampLimit } from "../src/internal/fake/RampLimit.ts"
import { RateLimits } from "../src/internal/fake/RateLimits.ts"
import { post } from "./FakeClaudeApi.rawClient.ts"

const window = 1000

/** How many of `count` requests of `tokens` each are let in at a time. */
const burst = (limit: RampLimit, count: number, now: number, tokens = 1): number => {
  let admitted = 0
  for (let index = 0; index < count; index++) {
    if (limit.wait(tokens, now) > 0) continue
    limit.take(tokens, now)
    admitted++
  }
  return admitted
}

describe("RampLimit", () => {
  it("lets traffic double from window to window, and begins again after one without requests", () => {
    const limit = new RampLimit({ requests: 10 }, window, 0)
    const admitted = [0, 1, 2, 3, 5, 6].map((second) => burst(limit, 1000, second * window))
    assert.deepStrictEqual(admitted, [10, 20, 40, 80, 10, 20])
  })

  it("says how long it is to the next window, in which the request fits", () => {
    const limit = new RampLimit({ requests: 1, growth: 1.5 }, window, 0)
    burst(limit, 1, 200)
    assert.strictEqual(limit.wait(1, 300), 700)
    assert.strictEqual(limit.wait(1, 1000), 0)
  })

  it("counts tokens, and lets in a first request of any size", () => {
    const limit = new RampLimit({ inputTokens: 100 }, window, 0)
    assert.strictEqual(burst(limit, 20, 0, 30), 3)
    assert.strictEqual(burst(limit, 20, window, 30), 6)
    assert.strictEqual(burst(new RampLimit({ inputTokens: 100 }, window, 0), 2, 0, 5000), 1)
  })

  it.effect.prop(
    "never lets a window have more than the growth of the one before it, or the floor",
    {
      floor: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 20 })),
      growth: Schema.Literals([1.1, 1.5, 2, 3]),
      gaps: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 400 })))
    },
    ({ floor, gaps, growth }) =>
      Effect.sync(() => {
        const limit = new RampLimit({ requests: floor, growth }, window, 0)
        const counts = new Map<number, number>()
        let now = 0
        for (const gap of gaps) {
          now += gap
          const at = Math.floor(now / window)
          const before = counts.get(at - 1) ?? 0
          const allowed = Math.max(1, floor, before * growth)
          const count = counts.get(at) ?? 0
          const wait = limit.wait(1, now)
          assert.strictEqual(wait === 0, count < allowed)
          if (wait > 0) assert.strictEqual(now + wait, (at + 1) * window)
          else {
            limit.take(1, now)
            counts.set(at, count + 1)
          }
        }
      }),
    { arbitrary: { runs: 200, seed: 5 } }
  )

  it("is part of the rate limits, which come first, and counts nothing that they refuse", () => {
    const plan = { requests: 5, window: Duration.seconds(10), ramp: { requests: 3, window: Duration.seconds(1) } }
    const limits = new RateLimits(plan, plan, 0)
    const reasons = Array.from({ length: 4 }, () => limits.admit(1, 0)?.limit)
    assert.deepStrictEqual(reasons, [undefined, undefined, undefined, "ramp"])
    assert.deepStrictEqual([limits.admit(1, 1000), limits.admit(1, 1000)], [undefined, undefined])
    assert.strictEqual(limits.admit(1, 1000)?.limit, "requests")
  })
})

describe("a ramp limit of the fake API", () => {
  it.live("answers 429 with its code and a wait, and costs no step", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({
        plan: { rateLimits: { ramp: { requests: 2, window: "1 hour" } } }
      })
      const answers = yield* Effect.forEach([1, 2, 3], () => post(api.url))
      assert.deepStrictEqual(answers.map(({ status }) => status), [200, 200, 429])
      const refused = answers[2]
      assert.deepInclude(JSON.parse(refused?.text ?? "").error, {
        type: "rate_limit_error",
        details: { error_code: "ramp_limit_exceeded" }
      })
      const wait = Number(refused?.headers.get("retry-after"))
      assert.isTrue(wait > 3_500 && wait <= 3_600)
    }))
})

describe("tiers", () => {
  const limitHeaders = (headers: Headers, prefix: string) =>
    [...headers].flatMap(([name, value]) =>
      name.startsWith(prefix) && !name.endsWith("reset") ? [[name.slice(prefix.length), value]] : []
    )

  it.live("a Priority Tier is used first and reported to everybody", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({
        plan: {
          rateLimits: { window: "1 hour", rounding: 1, priority: { inputTokens: 40, outputTokens: 1_000 } },
          after: { kind: "message", usage: { input_tokens: 35, output_tokens: 10 } }
        }
      })
      const ask = (fields: object = {}) =>
        post(api.url, {
          body: { model: "claude-opus-5", max_tokens: 9, messages: [{ role: "user", content: "Hi" }], ...fields }
        })
      const standard = yield* ask({ service_tier: "standard_only" })
      const first = yield* ask()
      // Five tokens are left, which the estimate of the next request is above.
      const second = yield* ask()
      assert.deepStrictEqual(
        [standard, first, second].map(({ text }) => JSON.parse(text).usage.service_tier),
        ["standard", "priority", "standard"]
      )
      assert.deepStrictEqual(limitHeaders(second.headers, "anthropic-priority-"), [
        ["input-tokens-limit", "40"],
        ["input-tokens-remaining", "5"],
        ["output-tokens-limit", "1000"],
        ["output-tokens-remaining", "990"]
      ])
      assert.match(second.headers.get("anthropic-priority-input-tokens-reset") ?? "", /^\d{4}-\d\d-\d\dT[\d:]+Z$/)
      assert.deepStrictEqual(limitHeaders(second.headers, "anthropic-fast-"), [])
    }))

  it.live("fast mode has limits of its own, which only its answers report", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({
        plan: {
          rateLimits: { window: "1 hour", rounding: 1, fast: { inputTokens: 30, outputTokens: 100 } },
          after: { kind: "message", usage: { input_tokens: 28, output_tokens: 5 } }
        }
      })
      const ask = (speed: string) =>
        post(api.url, {
          body: { model: "claude-opus-5", max_tokens: 9, speed, messages: [{ role: "user", content: "Hi" }] }
        })
      const fast = yield* ask("fast")
      assert.strictEqual(JSON.parse(fast.text).usage.speed, "fast")
      assert.deepStrictEqual(limitHeaders(fast.headers, "anthropic-fast-"), [
        ["input-tokens-limit", "30"],
        ["input-tokens-remaining", "2"],
        ["output-tokens-limit", "100"],
        ["output-tokens-remaining", "95"]
      ])
      const refused = yield* ask("fast")
      assert.strictEqual(refused.status, 429)
      assert.strictEqual(
        JSON.parse(refused.text).error.message,
        "This request would exceed the limit of 30 input tokens in fast mode"
      )
      assert.isAbove(Number(refused.headers.get("retry-after")), 0)
      const dropped = yield* ask("standard")
      assert.strictEqual(JSON.parse(dropped.text).usage.speed, "standard")
      assert.deepStrictEqual(limitHeaders(dropped.headers, "anthropic-fast-"), [])
    }))
})
