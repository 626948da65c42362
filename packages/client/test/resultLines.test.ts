import type { BatchOutcome } from "@effect-claude/client/BatchOutcome"
import { assert, describe, it } from "@effect/vitest"
import { readResults } from "../src/internal/batch/resultLines.ts"

const message = { type: "message", content: [{ type: "text", text: "Grüße 🎉" }] }

const lines = [
  { custom_id: "a", result: { type: "succeeded", message } },
  { custom_id: "b", result: { type: "expired" } },
  { custom_id: "ü", result: { type: "errored", error: { type: "error", error: { type: "api_error", message: "€" } } } }
].map((line) => JSON.stringify(line))

const file = new TextEncoder().encode(`${lines.join("\n")}\n`)

const bodyOf = (chunks: ReadonlyArray<Uint8Array>, failure?: Error): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk.slice())
      if (failure === undefined) controller.close()
    },
    pull(controller) {
      if (failure !== undefined) controller.error(failure)
    }
  }, { highWaterMark: 0 })

const chunked = (bytes: Uint8Array, size: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size))

const read = async (body: ReadableStream<Uint8Array>, total = 3, headers: Record<string, string> = {}) => {
  const outcomes: Array<BatchOutcome> = []
  try {
    for await (
      const found of readResults(new Response(body, { headers }), { batchId: "msgbatch_1", total, context: {} })
    ) outcomes.push(...found)
    return { outcomes, error: undefined }
  } catch (error) {
    return { outcomes, error: error as { readonly _tag: string; readonly message: string } }
  }
}

describe("readResults", () => {
  it("reads a file in pieces of any size, characters cut through", async () => {
    for (let size = 1; size <= file.length; size++) {
      const { error, outcomes } = await read(bodyOf(chunked(file, size)))
      assert.isUndefined(error)
      assert.deepStrictEqual(outcomes.map(({ customId }) => customId), ["a", "b", "ü"])
      const [first, , last] = outcomes
      assert.deepStrictEqual(first?._tag === "Succeeded" && first.message, message as never)
      assert.strictEqual(last?._tag === "Errored" ? last.error.message : "", "€")
    }
  })

  it("notices an end and a loss after each byte, and gives what had come whole", async () => {
    for (let length = 0; length < file.length; length++) {
      const ends = lines.map((_, index) => new TextEncoder().encode(lines.slice(0, index + 1).join("\n")).length)
      const lost = await read(bodyOf(chunked(file.subarray(0, length), 100), new TypeError("terminated")))
      assert.strictEqual(lost.error?._tag, "StreamInterruptedError")
      assert.strictEqual(lost.outcomes.length, ends.filter((end) => end < length).length)

      const ended = await read(bodyOf(chunked(file.subarray(0, length), 100)))
      // Only the end of the last line is missing.
      const isWhole = length === file.length - 1
      assert.strictEqual(ended.error?._tag, isWhole ? undefined : "StreamInterruptedError", `after ${length}`)
      assert.strictEqual(ended.outcomes.length, ends.filter((end) => end <= length).length)
    }
  })

  it("takes blank lines and line ends of another kind", async () => {
    const bytes = new TextEncoder().encode(`\r\n${lines.join("\r\n\r\n")}\r\n\n`)
    assert.strictEqual((await read(bodyOf([bytes]))).outcomes.length, 3)
  })

  it("takes a batch whose results nobody has asked for yet", async () => {
    assert.deepStrictEqual(await read(bodyOf([]), 0), { outcomes: [], error: undefined })
  })

  for (
    const [what, line] of [
      ["no JSON", "{\"custom_id\": "],
      ["no object", "null"],
      ["no custom_id", JSON.stringify({ result: { type: "expired" } })],
      ["no result", JSON.stringify({ custom_id: "b" })],
      ["a result of a kind that is not known", JSON.stringify({ custom_id: "b", result: { type: "vanished" } })],
      ["a message that is none", JSON.stringify({ custom_id: "b", result: { type: "succeeded", message: "hi" } })],
      ["an error that is none", JSON.stringify({ custom_id: "b", result: { type: "errored", error: null } })]
    ] as const
  ) {
    it(`does not take a line with ${what} for an outcome, and reads on`, async () => {
      const bytes = new TextEncoder().encode([lines[0], line, lines[2]].join("\n") + "\n")
      const { error, outcomes } = await read(bodyOf([bytes]))
      assert.deepStrictEqual(outcomes.map(({ customId }) => customId), ["a", "ü"])
      assert.strictEqual(error?._tag, "IncompleteResultsError")
    })
  }

  it("takes an error whose type is one level higher", async () => {
    const line = JSON.stringify({
      custom_id: "b",
      result: { type: "errored", error: { type: "overloaded_error", message: "Overloaded" } }
    })
    const [outcome] = (await read(bodyOf([new TextEncoder().encode(line)]), 1)).outcomes
    assert.strictEqual(outcome?._tag === "Errored" ? outcome.error._tag : outcome?._tag, "OverloadedError")
  })

  it("does not gather a line without an end for ever", async () => {
    const megabyte = new Uint8Array(1024 * 1024).fill(97)
    let sent = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent++
        controller.enqueue(megabyte)
      }
    }, { highWaterMark: 0 })
    assert.strictEqual((await read(body)).error?._tag, "InvalidResponseError")
    assert.isBelow(sent, 70)
  })
})
