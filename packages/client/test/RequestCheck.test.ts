import * as RequestCheck from "@effect-claude/client/RequestCheck"
import { assert, describe, it } from "@effect/vitest"

const megabyte = 1024 * 1024

const request = (changes: object = {}) => ({
  model: "claude-opus-5-5",
  max_tokens: 1000,
  messages: [{ role: "user", content: "Hello" }],
  ...changes
})

const bytesOf = (value: unknown): number => new TextEncoder().encode(JSON.stringify(value)).byteLength

/** A request whose JSON has exactly so many bytes. */
const ofSize = (bytes: number) => {
  const sized = (length: number) => request({ messages: [{ role: "user", content: "x".repeat(length) }] })
  return sized(bytes - bytesOf(sized(0)))
}

describe("check", () => {
  const wrong: ReadonlyArray<readonly [object, { field: string; limit?: number; actual?: number }]> = [
    [{ model: "" }, { field: "model" }],
    [{ model: undefined }, { field: "model" }],
    [{ model: 5 }, { field: "model" }],
    [{ messages: [] }, { field: "messages" }],
    [{ messages: undefined }, { field: "messages" }],
    [{ messages: "Hello" }, { field: "messages" }],
    [{ messages: { length: 1 } }, { field: "messages" }],
    [{ max_tokens: undefined }, { field: "max_tokens" }],
    [{ max_tokens: null }, { field: "max_tokens" }],
    ...[0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "1000", [5], {}, Symbol("s"), 5n, () => 5].map((maxTokens) =>
      [{ max_tokens: maxTokens }, { field: "max_tokens", limit: 1 }] as const
    ),
    [{ max_tokens: 21_334 }, { field: "max_tokens", limit: 21_333, actual: 21_334 }]
  ]
  for (const [changes, fields] of wrong) {
    const name = Object.entries(changes).map(([key, value]) =>
      `${key}: ${String(typeof value === "object" ? JSON.stringify(value) : value)}`
    )
    it(`refuses ${name.join()}`, () => {
      const error = RequestCheck.check(request(changes), "messages")
      assert.deepInclude(error, { _tag: "InvalidRequestError", ...fields })
      assert.isTrue(error?.message.startsWith(`${fields.field}: `))
      assert.strictEqual(error?.verdict._tag, "Stop")
    })
  }

  it("passes what it has no business with", () => {
    assert.isUndefined(
      RequestCheck.check(request({ a_field_of_next_year: { deep: [1] }, temperature: "hot" }), "messages")
    )
    assert.isUndefined(RequestCheck.check(request({ max_tokens: 21_333 }), "messages"))
    assert.isUndefined(RequestCheck.check(request({ max_tokens: 200_000 }), "messages", { streaming: true }))
    assert.isUndefined(RequestCheck.check(request({ max_tokens: undefined }), "count_tokens"))
  })

  it("does not repeat a value that is no number", () => {
    const error = RequestCheck.check(request({ max_tokens: "canary of the prompt" }), "messages")
    assert.notInclude(error?.message, "canary")
  })

  it("checks that the SDK would refuse the same", () => {
    assert.isAbove((3600 * (RequestCheck.maxTokensUnstreamed + 1)) / 128_000, 600)
    assert.isAtMost((3600 * RequestCheck.maxTokensUnstreamed) / 128_000, 600)
  })
})

describe("the size of a body", () => {
  it("is fine at the limit, and too large one byte above", () => {
    assert.isUndefined(RequestCheck.check(ofSize(32 * megabyte), "messages"))
    const error = RequestCheck.check(ofSize(32 * megabyte + 1), "messages")
    assert.include(error, {
      _tag: "RequestTooLargeError",
      field: "body",
      limit: 32 * megabyte,
      actual: 32 * megabyte + 1
    })
    assert.include(error?.message, "32 MB")
  })

  it("is counted in bytes of UTF-8, not in characters", () => {
    const euros = request({ messages: [{ role: "user", content: "€".repeat(11 * megabyte) }] })
    assert.include(RequestCheck.check(euros, "messages"), { _tag: "RequestTooLargeError", actual: bytesOf(euros) })
    const escaped = { text: "\u0001".repeat(6 * megabyte) }
    assert.strictEqual(RequestCheck.checkSize(escaped, "messages")?.actual, bytesOf(escaped))
  })

  it("has a limit for each endpoint", () => {
    const body = { text: "x".repeat(33 * megabyte) }
    assert.strictEqual(RequestCheck.checkSize(body, "messages")?._tag, "RequestTooLargeError")
    assert.strictEqual(RequestCheck.checkSize(body, "count_tokens")?._tag, "RequestTooLargeError")
    assert.isUndefined(RequestCheck.checkSize(body, "batches"))
    assert.isUndefined(RequestCheck.checkSize(body, "files"))
  })

  it("counts many small nodes", () => {
    const numbers = { numbers: Array.from({ length: 17 * megabyte }, () => 1) }
    assert.strictEqual(RequestCheck.checkSize(numbers, "messages")?.actual, bytesOf(numbers))
    assert.isUndefined(RequestCheck.checkSize({ numbers: Array.from({ length: 2 * megabyte }, () => 1) }, "messages"))
  })
})

describe("requests that are no JSON", () => {
  const circle: Record<string, unknown> = {}
  circle["self"] = circle
  const wide: Array<unknown> = []
  for (let i = 0; i < 500_000; i++) wide.push(wide)
  const getter = Object.defineProperty({}, "x", {
    enumerable: true,
    get: () => {
      throw new Error("hands off")
    }
  })
  const angry = new Proxy({}, {
    ownKeys: () => {
      throw new Error("hands off")
    }
  })
  const bodies: ReadonlyArray<readonly [string, unknown]> = [
    ["a circle", circle],
    ["a wide circle", wide],
    ["a bigint", 5n],
    ["a getter that throws", getter],
    ["a proxy that throws", angry]
  ]
  for (const [name, value] of bodies) {
    it(`says so of ${name}`, () => {
      const error = RequestCheck.check(request({ metadata: value }), "messages")
      assert.include(error, { _tag: "InvalidRequestError", field: "body" })
    })
  }

  it("never throws, whatever it is given", () => {
    const values: ReadonlyArray<unknown> = [
      undefined,
      null,
      0,
      "x",
      Symbol("s"),
      [],
      () => 1,
      new Date(),
      new Uint8Array(10),
      angry,
      circle,
      Object.create(null)
    ]
    for (const value of values) {
      assert.strictEqual(RequestCheck.check(value as object, "messages")?._tag, "InvalidRequestError")
      assert.isUndefined(
        RequestCheck.check(request({ system: value === angry || value === circle ? "" : value }), "messages")
      )
    }
  })
})
