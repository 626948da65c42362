import * as Cassette from "@effect-claude/testing/Cassette"
import * as CassetteFile from "@effect-claude/testing/CassetteFile"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import { type Fetch, post, recordingOf, recordWith, replayWith, seen, textOf, withFile, writeText } from "./support.ts"

const request = { model: "claude-sonnet-5-5", max_tokens: 10, messages: [] }

const answering = (chunks: ReadonlyArray<Uint8Array>, init: ResponseInit = {}): Fetch => async () =>
  new Response(
    new ReadableStream<Uint8Array>({
      start: (controller) => {
        for (const chunk of chunks) controller.enqueue(chunk)
        controller.close()
      }
    }),
    init
  )

const roundTrip = (fetch: Fetch) =>
  withFile((file) =>
    Effect.gen(function*() {
      const recorded = yield* recordWith({ file, fetch }, (fetch) => seen(() => post(fetch, request)))
      const replayed = yield* replayWith({ file, shiftTimes: false }, (fetch) => seen(() => post(fetch, request)))
      return { recorded, replayed, recording: yield* recordingOf(file), text: yield* textOf(file) }
    })
  )

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A text cut into pieces of so many bytes. */
const cut = (all: Uint8Array, sizes: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const out: Array<Uint8Array> = []
  let from = 0
  for (const size of sizes) {
    if (from < all.length) out.push(all.subarray(from, from + size))
    from += size
  }
  return from < all.length ? [...out, all.subarray(from)] : out
}

const Chunk = Schema.Union([
  Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))),
  Schema.String
])

describe("the file of a cassette", () => {
  it.effect.prop(
    "gives back every response, whatever its bytes and pieces are",
    [
      Schema.Array(Chunk),
      Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 7 }))),
      Schema.Literals([200, 201, 400, 404, 413, 429, 500, 502, 529])
    ],
    ([parts, sizes, status]) =>
      Effect.gen(function*() {
        const all = Buffer.concat(parts.map((part) => typeof part === "string" ? bytes(part) : Uint8Array.from(part)))
        const { recorded, replayed } = yield* roundTrip(
          answering(cut(all, sizes), { status, headers: { "content-type": "application/octet-stream" } })
        )
        assert.deepStrictEqual(replayed, recorded)
        const chunks = "chunks" in recorded ? recorded.chunks ?? [] : []
        assert.strictEqual(chunks.join(""), all.toString("hex"))
      }),
    { arbitrary: { runs: 60, seed: 11 } }
  )

  const forms: ReadonlyArray<readonly [string, Uint8Array, string]> = [
    ["compact JSON", bytes(`{"b":1,"a":["x",{"c":null}]}`), "json"],
    ["JSON with white space", bytes(`{ "a": 1 }`), "text"],
    ["JSON whose numbers are written otherwise", bytes(`{"a":1.0}`), "text"],
    ["JSON with a key that gets lost", bytes(`{"__proto__":1}`), "text"],
    ["lines", bytes("event: ping\r\ndata: {}\r\n\r\n"), "text"],
    ["a byte order mark", bytes("\uFEFFdata"), "text"],
    ["half a character at the end", bytes("data: ü").subarray(0, 7), "text"],
    ["no UTF-8", Uint8Array.from([0xff, 0x00, 0xc3]), "base64"],
    ["nothing", new Uint8Array(0), "text"]
  ]
  for (const [name, all, kind] of forms) {
    it.effect(`keeps ${name} as ${kind}`, () =>
      Effect.gen(function*() {
        const { recorded, recording, replayed } = yield* roundTrip(answering(all.length === 0 ? [] : [all]))
        assert.deepStrictEqual(replayed, recorded)
        const outcome = recording.exchanges[0]?.outcome
        assert.strictEqual(outcome?.kind === "response" ? outcome.body?.content.kind : undefined, kind)
      }))
  }

  it.effect("keeps a character whole that came in two pieces", () =>
    Effect.gen(function*() {
      const all = bytes("data: Grüße 🎉\n\n")
      const { recorded, replayed, text } = yield* roundTrip(answering(cut(all, [9, 5, 2, 1])))
      assert.deepStrictEqual(replayed, recorded)
      assert.include(text, "\"data: Grüße 🎉\"")
    }))

  it.effect("keeps a response without a body as one", () =>
    Effect.gen(function*() {
      const { recorded, replayed } = yield* roundTrip(async () => new Response(null, { status: 204 }))
      assert.deepStrictEqual(replayed, recorded)
      assert.isFalse("hasBody" in recorded && recorded.hasBody)
    }))

  it.effect("has a chunk in a line", () =>
    Effect.gen(function*() {
      const { text } = yield* roundTrip(answering([bytes("one\n"), bytes("two\n")]))
      assert.match(text, /"chunks": \[\n\s+\[0, 4\],\n\s+\[0, 4\]\n/)
    }))

  const healthy = {
    format: "effect-claude-cassette",
    version: 1,
    prompts: "redact",
    digest: "sha256",
    exchanges: [{
      at: "2026-11-26T14:05:00.000Z",
      request: { method: "POST", path: "/v1/messages", headers: {} },
      outcome: {
        kind: "response",
        after: 1,
        status: 200,
        headers: { "content-type": "text/plain" },
        body: {
          content: { kind: "text", lines: ["secret words"] },
          chunks: [[0, 6], [1, 6]],
          end: { kind: "complete", at: 1 }
        }
      }
    }]
  }

  const at = (path: ReadonlyArray<string | number>, value: unknown): string => {
    const copy: unknown = structuredClone(healthy)
    let place = copy as Record<string | number, unknown>
    for (const key of path.slice(0, -1)) place = place[key] as Record<string | number, unknown>
    place[path.at(-1) ?? ""] = value
    return JSON.stringify(copy)
  }
  const outcome = ["exchanges", 0, "outcome"]

  const damages: ReadonlyArray<readonly [string, string, RegExp]> = [
    ["an empty file", "", /^Not JSON/],
    ["a file that was cut", JSON.stringify(healthy).slice(0, -20), /^Not JSON/],
    ["marks of a merge", `<<<<<<< HEAD\n${JSON.stringify(healthy)}`, /^Not JSON/],
    ["another sort of file", `{"name":"package"}`, /^format: Expected "effect-claude-cassette"$/],
    ["a list", "[]", /^format: /],
    ["a version of tomorrow", at(["version"], 2), /^version: 2 is newer than 1/],
    ["a version that never was", at(["version"], "1"), /^version: Expected 1$/],
    ["a field nobody knows", at(["colour"], "red"), /^colour: Unknown field$/],
    ["a time that is none", at(["exchanges", 0, "at"], "yesterday"), /^exchanges\[0\]\.at: Expected a time/],
    [
      "a status that is none",
      at([...outcome, "status"], 99),
      /^exchanges\[0\]\.outcome\.status: Expected an HTTP status/
    ],
    ["a header on two lines", at([...outcome, "headers"], { a: "b\nc" }), /^exchanges\[0\]\.outcome\.headers\.a: /],
    ["a header that is no text", at([...outcome, "headers"], { a: 1 }), /^exchanges\[0\]\.outcome\.headers\.a: /],
    [
      "chunks of another size",
      at([...outcome, "body", "chunks"], [[0, 6]]),
      /^exchanges\[0\]\.outcome\.body\.chunks: .*12/
    ],
    [
      "times that go back",
      at([...outcome, "body", "chunks"], [[5, 6], [1, 6]]),
      /chunks: Expected times that do not go back/
    ],
    ["a chunk of nothing", at([...outcome, "body", "chunks"], [[0, 0], [1, 12]]), /chunks\[0\]\[1\]: Expected/],
    [
      "a body where there can be none",
      at([...outcome, "status"], 204),
      /^exchanges\[0\]\.outcome\.body: Expected null/
    ],
    [
      "base64 that is none",
      at([...outcome, "body", "content"], { kind: "base64", lines: ["%%"] }),
      /content\.lines\[0\]: Expected base64/
    ],
    ["an end that is none", at([...outcome, "body", "end"], { kind: "happy" }), /^exchanges\[0\]\.outcome\.body\.end/],
    ["no exchanges", at(["exchanges"], undefined), /^exchanges: Missing field$/]
  ]
  for (const [name, text, expected] of damages) {
    it.effect(`refuses ${name}`, () =>
      withFile((file) =>
        Effect.gen(function*() {
          yield* writeText(file, text)
          const error = yield* Effect.flip(Cassette.replay({ file }))
          assert.strictEqual(error.reason, "Invalid")
          assert.isTrue(error.message.startsWith(`${file}: `), error.message)
          assert.match(error.message.slice(file.length + 2), expected)
          assert.notInclude(error.message, "secret words")
        })
      ))
  }

  it.effect("is what its documentation shows", () =>
    Effect.gen(function*() {
      const [, example = ""] = /```json\n([\s\S]*?)\n```/.exec(readFileSync("docs/cassettes.md", "utf8")) ?? []
      const { exchanges } = yield* CassetteFile.decodeJson(example)
      assert.deepStrictEqual(exchanges.map(({ outcome }) => outcome.kind), ["response"])
    }))

  it.effect("reads what is healthy", () =>
    Effect.gen(function*() {
      const recording = yield* CassetteFile.decodeJson(JSON.stringify(healthy))
      assert.deepStrictEqual(yield* CassetteFile.decodeJson(CassetteFile.encodeJson(recording)), recording)
    }))

  it.effect("says how to record what is missing", () =>
    withFile((file) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Cassette.replay({ file }))
        assert.strictEqual(error.reason, "Missing")
        assert.include(error.message, "CASSETTE_MODE=record")
      })
    ))

  it.effect("is no folder", () =>
    withFile((file) =>
      Effect.gen(function*() {
        yield* writeText(`${file}/inner`, "")
        const error = yield* Effect.flip(Cassette.replay({ file }))
        assert.strictEqual(error.reason, "System")
        const below = yield* Effect.flip(Cassette.record({ file: `${file}/inner/below.json` }))
        assert.strictEqual(below.reason, "System")
      })
    ))
})
