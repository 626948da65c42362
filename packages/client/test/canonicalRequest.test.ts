import type { MessageRequest } from "@effect-claude/client/ClaudeService"
import * as RequestKey from "@effect-claude/client/RequestKey"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { createHash } from "node:crypto"
import { canonicalRequest, isStateful } from "../src/internal/canonicalRequest.ts"
import { portable, sha256 } from "../src/internal/sha256.ts"

type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [name: string]: Json }

const request: MessageRequest = {
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  messages: [{ role: "user", content: "Hello" }]
}

const names = ["model", "messages", "tools", "a", "B", "10", "2", "__proto__", "constructor", "toString", "ü"]

const randomJson = (depth: number): Effect.Effect<Json> =>
  Effect.gen(function*() {
    const size = yield* Random.nextIntBetween(0, 4)
    switch (yield* Random.nextIntBetween(0, depth > 0 ? 6 : 4)) {
      case 0:
        return null
      case 1:
        return yield* Random.nextBoolean
      case 2:
        return yield* Random.nextIntBetween(-3, 3)
      case 3:
        return (yield* Effect.orDie(Random.choice(["", "1", "Hello", "\u2028", "\ud800", "{}"])))
      case 4: {
        const items: Array<Json> = []
        for (let i = 0; i < size; i++) items.push(yield* randomJson(depth - 1))
        return items
      }
      default:
        return yield* randomObject(depth - 1)
    }
  })

const randomObject = (depth: number): Effect.Effect<{ readonly [name: string]: Json }> =>
  Effect.gen(function*() {
    const entries: Array<readonly [string, Json]> = []
    for (const name of names) if (yield* Random.nextBoolean) entries.push([name, yield* randomJson(depth)])
    return Object.fromEntries(entries)
  })

/** The same value with the names of each object in another order. */
const shuffled = (value: Json): Effect.Effect<Json> =>
  Effect.gen(function*() {
    if (Array.isArray(value)) return yield* Effect.forEach(value, shuffled)
    if (typeof value !== "object" || value === null) return value
    const entries: Array<readonly [string, Json]> = []
    for (const [name, inner] of Object.entries(value)) entries.push([name, yield* shuffled(inner)])
    return Object.fromEntries(yield* Random.shuffle(entries))
  })

/** The same value with one thing in it changed. */
const changed = (value: Json): Effect.Effect<Json> =>
  Effect.gen(function*() {
    const goesDeeper = yield* Random.nextBoolean
    if (Array.isArray(value) && value.length > 0) {
      const index = yield* Random.nextIntBetween(0, value.length - 1)
      const inner = yield* changed(value[index] ?? null)
      return goesDeeper ? value.with(index, inner) : [...value, null]
    }
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      const entries = Object.entries(value)
      const entry = entries[yield* Random.nextIntBetween(0, Math.max(0, entries.length - 1))]
      if (entry === undefined) return { added: null }
      const [name, inner] = entry
      const others = entries.filter(([other]) => other !== name)
      return Object.fromEntries(goesDeeper ? [...others, [name, yield* changed(inner)]] : others)
    }
    return typeof value === "string" ? `${value}.` : typeof value === "number" ? String(value) : 7
  })

describe("canonicalRequest", () => {
  it.effect("is the same in any order of names, and another one with any difference: 1,000 random requests", () =>
    Effect.gen(function*() {
      for (let run = 0; run < 1000; run++) {
        const fields = yield* randomObject(3)
        const text = canonicalRequest(fields)
        assert.strictEqual(canonicalRequest((yield* shuffled(fields)) as object), text, `run ${run}: ${text}`)
        const other = (yield* changed(fields)) as object
        assert.notStrictEqual(canonicalRequest(other), text, `run ${run}: ${text} and ${JSON.stringify(other)}`)
        assert.deepStrictEqual(JSON.parse(text)[0], JSON.parse(JSON.stringify(fields)))
      }
    }).pipe(Random.withSeed("requests")))

  it("tells requests apart by each of their fields, and not by stream or what is undefined", () => {
    const text = canonicalRequest(request)
    const fields = {
      model: "claude-opus-5-5",
      max_tokens: 101,
      messages: [{ role: "user", content: "Hello!" }],
      system: "Be brief",
      tools: [],
      tool_choice: { type: "none" },
      thinking: { type: "disabled" },
      stop_sequences: ["x"],
      metadata: { user_id: "ann" },
      output_config: { effort: "low" },
      service_tier: "auto",
      field_of_tomorrow: true
    }
    for (const [name, value] of Object.entries(fields)) {
      assert.notStrictEqual(canonicalRequest({ ...request, [name]: value }), text, name)
    }
    assert.strictEqual(canonicalRequest({ ...request, stream: true }), text)
    assert.strictEqual(canonicalRequest({ ...request, system: undefined }), text)
    assert.strictEqual(canonicalRequest({ ...request, metadata: { user_id: "ann" } }, {}, ["metadata"]), text)
  })

  it("tells requests apart by their headers, but those that only identify them", () => {
    const text = canonicalRequest(request, { "anthropic-beta": "one" })
    assert.strictEqual(canonicalRequest(request, { "Anthropic-Beta": "one" }), text)
    assert.strictEqual(canonicalRequest(request, { traceparent: "00-1", "anthropic-beta": "one" }), text)
    assert.strictEqual(
      canonicalRequest(request, { "X-Request-Id": "1", "Idempotency-Key": "2" }),
      canonicalRequest(request)
    )
    for (const headers of [{}, { "anthropic-beta": "two" }, { "anthropic-beta": "one", "x-api-key": "sk-other" }]) {
      assert.notStrictEqual(canonicalRequest(request, headers), text)
    }
    assert.strictEqual(
      canonicalRequest(request, { a: "1", b: "2" }),
      canonicalRequest(request, { b: "2", a: "1" })
    )
  })

  it("knows the requests that build on what the server keeps", () => {
    assert.isFalse(isStateful(request))
    assert.isFalse(isStateful({ ...request, container: null, thread: null }))
    assert.isFalse(isStateful({ ...request, container: { skills: [] } }))
    assert.isTrue(isStateful({ ...request, container: "container_1" }))
    assert.isTrue(isStateful({ ...request, container: { id: "container_1" } }))
    assert.isTrue(isStateful({ ...request, thread: { type: "create" } }))
  })
})

describe("RequestKey.make", () => {
  it("is a SHA-256 hash, and the same on every machine", () => {
    const text = `[{"max_tokens":100,"messages":[{"content":"Hello","role":"user"}],"model":"claude-sonnet-5-5"},[]]`
    assert.strictEqual(RequestKey.make(request), createHash("sha256").update(text).digest("hex"))
  })

  it("throws at what is no JSON", () => {
    const cyclic: Record<string, unknown> = {}
    cyclic["self"] = cyclic
    assert.throws(() => RequestKey.make({ ...request, metadata: cyclic }))
    assert.throws(() => RequestKey.make({ ...request, max_tokens: 1n as unknown as number }), TypeError)
  })

  it("hashes as the platform does, with its help or without", () => {
    for (const length of [0, 1, 3, 55, 56, 57, 63, 64, 65, 119, 120, 1000, 70_000]) {
      const text = "aü€😀".repeat(length).slice(0, length)
      const expected = createHash("sha256").update(text).digest("hex")
      assert.strictEqual(sha256(text), expected)
      assert.strictEqual(portable(new TextEncoder().encode(text)), expected)
    }
  })
})
