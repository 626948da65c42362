import * as RateLimits from "@effect-claude/client/RateLimits"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

const now = Date.parse("2026-11-20T10:00:00Z")

const waitOf = (headers: Record<string, string>): number | undefined => {
  const wait = RateLimits.retryAfter(new Headers(headers), now)
  return wait === undefined ? undefined : Duration.toMillis(wait)
}

describe("retryAfter", () => {
  const table: ReadonlyArray<readonly [Record<string, string>, number | undefined]> = [
    [{}, undefined],
    [{ "retry-after": "30" }, 30_000],
    [{ "retry-after": " 30 " }, 30_000],
    [{ "retry-after": "0.25" }, 250],
    [{ "retry-after": "2147483" }, 2_147_483_000],
    [{ "retry-after-ms": "40" }, 40],
    [{ "retry-after-ms": "40.5" }, 40.5],
    [{ "retry-after-ms": "40", "retry-after": "30" }, 40],
    [{ "retry-after-ms": "0", "retry-after": "30" }, 30_000],
    [{ "retry-after-ms": "-1", "retry-after": "30" }, 30_000],
    [{ "retry-after-ms": "9999999999", "retry-after": "30" }, 30_000],
    [{ "retry-after": "Fri, 20 Nov 2026 10:00:30 GMT" }, 30_000],
    [{ "retry-after": "Friday, 20-Nov-26 10:00:30 GMT" }, 30_000],
    [{ "retry-after": "Fri Nov 20 10:00:30 2026" }, 30_000],
    [{ "retry-after": "Sun Dec  6 10:00:00 2026" }, 16 * 86_400_000],
    [{ "retry-after": "Fri, 20 Nov 2026 09:59:59 GMT" }, undefined],
    [{ "retry-after": "Fri, 20 Nov 2026 10:00:00 GMT" }, undefined],
    [{ "retry-after": "Fri, 20 Nov 2099 10:00:00 GMT" }, undefined],
    [{ "retry-after": "Fri, 31 Foo 2026 10:00:00 GMT" }, undefined],
    [{ "retry-after": "Sat, 21 Nov" }, undefined],
    [{ "retry-after": "monday, perhaps, 21 Nov 2026" }, undefined],
    [{ "retry-after": "2026-11-20T10:00:30Z" }, undefined],
    ...[
      "0",
      "-5",
      "+5",
      "NaN",
      "Infinity",
      "1e3",
      "1abc",
      "0x10",
      "1,5",
      "5, 6",
      "1_000",
      "",
      "soon",
      "2147483.648",
      "9".repeat(400)
    ]
      .map((absurd) => [{ "retry-after": absurd }, undefined] as const)
  ]
  for (const [headers, expected] of table) {
    it(`${JSON.stringify(headers).slice(0, 80)}: ${expected}`, () => assert.strictEqual(waitOf(headers), expected))
  }
})

describe("shouldRetry", () => {
  it("takes true and false and nothing else", () => {
    const read = (value: string) => RateLimits.shouldRetry(new Headers({ "x-should-retry": value }))
    assert.deepStrictEqual(["true", "TRUE", " false ", "False", "1", "no", ""].map(read), [
      true,
      true,
      false,
      false,
      undefined,
      undefined,
      undefined
    ])
  })
})

describe("fromHeaders", () => {
  it("reads every bucket, each from its own headers", () => {
    const prefixes = {
      requests: "anthropic-ratelimit-requests",
      tokens: "anthropic-ratelimit-tokens",
      inputTokens: "anthropic-ratelimit-input-tokens",
      outputTokens: "anthropic-ratelimit-output-tokens",
      priorityInputTokens: "anthropic-priority-input-tokens",
      priorityOutputTokens: "anthropic-priority-output-tokens",
      fastInputTokens: "anthropic-fast-input-tokens",
      fastOutputTokens: "anthropic-fast-output-tokens"
    }
    const headers = new Headers()
    Object.values(prefixes).forEach((prefix, index) => {
      headers.set(`${prefix}-limit`, String(1000 + index))
      headers.set(`${prefix}-remaining`, String(index))
      headers.set(`${prefix}-reset`, `2026-11-20T10:00:0${index}Z`)
    })
    const expected = Object.keys(prefixes).map((name, index) => [
      name,
      { limit: 1000 + index, remaining: index, resetAt: now + index * 1000 }
    ])
    assert.deepStrictEqual(RateLimits.fromHeaders(headers), Object.fromEntries(expected))
  })

  it("reports nothing when there is nothing, or nothing that makes sense", () => {
    assert.isUndefined(RateLimits.fromHeaders(new Headers()))
    for (const absurd of ["-1", "1.5", "many", "", "99999999999999999999", "1e3"]) {
      assert.isUndefined(RateLimits.fromHeaders(new Headers({ "anthropic-ratelimit-requests-limit": absurd })))
    }
    for (
      const absurd of [
        "30",
        "1s",
        "1763632830",
        "tomorrow",
        "2026-11-20",
        "2026-13-45T99:99:99Z",
        "2026-11-20T10:00:00"
      ]
    ) {
      assert.isUndefined(RateLimits.fromHeaders(new Headers({ "anthropic-ratelimit-tokens-reset": absurd })))
    }
  })

  it("reads RFC 3339 with a zone or with fractions", () => {
    const read = (reset: string) =>
      RateLimits.fromHeaders(new Headers({ "anthropic-ratelimit-tokens-reset": reset }))?.tokens?.resetAt
    assert.strictEqual(read("2026-11-20T11:00:00.250+01:00"), now + 250)
    assert.strictEqual(read("2026-11-20t10:00:00z"), now)
  })
})

// Pieces that numbers and dates are made of, so that random strings come close to what is accepted.
const pieces = [
  ...Array.from("0123456789.-+:, eTZ"),
  "GMT",
  "Fri, ",
  "20 Nov 2026 ",
  "10:00:30",
  "2026-11-20T",
  "Infinity",
  "NaN",
  "9".repeat(30),
  "0.0000000001",
  "Nov"
]

const randomText = Effect.gen(function*() {
  const length = yield* Random.nextIntBetween(0, 7)
  const chosen: Array<string> = []
  for (let i = 0; i < length; i++) chosen.push(yield* Effect.orDie(Random.choice(pieces)))
  return chosen.join("")
})

describe("any header at all", () => {
  it.effect("gives a wait that can be slept, or none", () =>
    Effect.gen(function*() {
      let waits = 0
      for (let run = 0; run < 20_000; run++) {
        const texts = new Map([["retry-after", yield* randomText], ["retry-after-ms", yield* randomText]])
        const wait = RateLimits.retryAfter({ get: (name) => texts.get(name) ?? null }, now)
        if (wait === undefined) continue
        waits++
        const millis = Duration.toMillis(wait)
        assert.isTrue(millis >= 0 && millis <= 2 ** 31 - 1, JSON.stringify([...texts]))
      }
      assert.isAbove(waits, 500)
    }).pipe(Random.withSeed("retry-after")))

  it.effect("gives buckets of whole numbers, or none", () =>
    Effect.gen(function*() {
      for (let run = 0; run < 5000; run++) {
        const value = yield* randomText
        for (const bucket of Object.values(RateLimits.fromHeaders({ get: () => value }) ?? {})) {
          for (const number of Object.values(bucket)) assert.isTrue(Number.isSafeInteger(number), value)
        }
      }
    }).pipe(Random.withSeed("buckets")))
})
