import { Stream as SdkStream } from "@anthropic-ai/sdk/streaming"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { type ServerSentEvent, SseDecoder } from "../src/internal/stream/SseDecoder.ts"

const decode = (chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<ServerSentEvent> => {
  const decoder = new SseDecoder()
  return [...chunks.flatMap((chunk) => decoder.push(chunk)), ...decoder.end()]
}

const decodeWithSdk = async (chunks: ReadonlyArray<Uint8Array>): Promise<ReadonlyArray<ServerSentEvent>> => {
  const iterator = chunks[Symbol.iterator]()
  const body = new ReadableStream({
    pull: (controller) => {
      const { done, value } = iterator.next()
      if (done === true) controller.close()
      else controller.enqueue(value)
    }
  })
  const events: Array<ServerSentEvent> = []
  for await (const { data, event } of SdkStream.rawEvents(new Response(body))) events.push({ event, data })
  return events
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const cutAt = (bytes: Uint8Array, cuts: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const places = [0, ...[...cuts].sort((one, other) => one - other), bytes.length]
  return places.slice(1).map((end, index) => bytes.slice(places[index], end))
}

const documents: ReadonlyArray<readonly [string, string, ReadonlyArray<ServerSentEvent>]> = [
  ["an event", "event: a\ndata: {}\n\n", [{ event: "a", data: "{}" }]],
  ["no name", "data: 1\n\n", [{ event: null, data: "1" }]],
  ["no data", "event: a\n\n", [{ event: "a", data: "" }]],
  ["several lines of data", "data: 1\ndata:2\ndata\n\n", [{ event: null, data: "1\n2\n" }]],
  ["carriage returns", "event: a\rdata: 1\r\revent: b\r\ndata: 2\r\n\r\n", [
    { event: "a", data: "1" },
    { event: "b", data: "2" }
  ]],
  ["a mark at the start", "\uFEFFdata: 1\n\n", [{ event: null, data: "1" }]],
  ["comments and other fields", ": hi\nid: 1\nretry: 5\n:\ndatabase: x\ndata: 1\n\n", [{ event: null, data: "1" }]],
  ["characters of several bytes", "data: ü 日本 👋🏽\n\n", [{ event: null, data: "ü 日本 👋🏽" }]],
  ["colons and spaces in the data", "data:  a: b:c \n\n", [{ event: null, data: " a: b:c " }]],
  ["the end in the middle of a line", "data: 1\n\ndata: 2", [{ event: null, data: "1" }]],
  ["the end without a blank line", "data: 1\n", []],
  ["the end behind a carriage return", "data: 1\r\n\r", [{ event: null, data: "1" }]],
  ["nothing", "", []],
  ["blank lines", "\n\n\r\n\n", []]
]

describe("SseDecoder", () => {
  for (const [name, text, expected] of documents) {
    it(`${name}, cut at every byte`, async () => {
      const bytes = bytesOf(text)
      assert.deepStrictEqual(decode([bytes]), expected)
      assert.deepStrictEqual(await decodeWithSdk([bytes]), expected)
      for (let cut = 0; cut <= bytes.length; cut++) assert.deepStrictEqual(decode(cutAt(bytes, [cut])), expected)
      assert.deepStrictEqual(decode(Array.from(bytes, (byte) => Uint8Array.of(byte))), expected)
    })
  }

  it.effect("decodes whatever comes as the SDK does", () =>
    Effect.gen(function*() {
      const parts = [
        "\n",
        "\n",
        "\r",
        "\r\n",
        "data",
        "event",
        ":",
        ": ",
        "data: x",
        "event: y",
        "é",
        "日",
        "👋",
        "\uFEFF",
        "a",
        ":c"
      ]
      for (let run = 0; run < 1500; run++) {
        let text = ""
        const length = yield* Random.nextIntBetween(0, 25)
        for (let i = 0; i < length; i++) text += yield* Effect.orDie(Random.choice(parts))
        const bytes = bytesOf(text)
        const cuts: Array<number> = []
        const count = yield* Random.nextIntBetween(0, 6)
        for (let i = 0; i < count; i++) cuts.push(yield* Random.nextIntBetween(0, bytes.length + 1))
        const chunks = cutAt(bytes, cuts)
        const expected = yield* Effect.promise(() => decodeWithSdk(chunks))
        assert.deepStrictEqual(decode(chunks), expected, JSON.stringify([text, cuts]))
      }
    }).pipe(Random.withSeed("server-sent events")))
})
