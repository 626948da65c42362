import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import type * as SdkFailure from "@effect-claude/client/SdkFailure"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { readEvents } from "../src/internal/messageStream.ts"

const message = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-opus-5-5",
  content: [{ type: "text", text: "Grüße 👋 aus Köln", citations: null }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 1, output_tokens: 2 }
} as unknown as Message

const sse = (event: { readonly type: string }): string => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`

const events = MessageEvents.fromMessage(message)
const wire = events.map(sse)
const whole = wire.join("")

type Chunk = string | Uint8Array | Error

const bodyOf = (chunks: Iterable<Chunk>): ReadableStream<Uint8Array> => {
  const iterator = chunks[Symbol.iterator]()
  return new ReadableStream({
    pull: (controller) => {
      const { done, value } = iterator.next()
      if (done === true) controller.close()
      else if (value instanceof Error) controller.error(value)
      else controller.enqueue(typeof value === "string" ? new TextEncoder().encode(value) : value)
    }
  })
}

const responseOf = (chunks: Iterable<Chunk>, headers: Record<string, string> = {}): Response =>
  new Response(bodyOf(chunks), {
    headers: { "content-type": "text/event-stream; charset=utf-8", "request-id": "req_1", ...headers }
  })

interface Read {
  readonly types: ReadonlyArray<string>
  readonly events: ReadonlyArray<MessageEvents.MessageEvent>
  readonly error: ClaudeError | undefined
}

const read = async (
  response: Response,
  context: SdkFailure.Context = { attempt: 2, model: "claude-opus-5-5" }
): Promise<Read> => {
  const seen: Array<MessageEvents.MessageEvent> = []
  const result = (error?: ClaudeError): Read => ({ types: seen.map(({ type }) => type), events: seen, error })
  const events = Stream.runForEach(readEvents(response, context), (event) => Effect.sync(() => seen.push(event)))
  return Effect.runPromise(Effect.match(events, { onFailure: result, onSuccess: () => result() }))
}

const types = events.map(({ type }) => type)

describe("a stream that is well", () => {
  it("loses nothing to pulls that were given up, and reads no piece for them twice", async () => {
    let waiting: (() => void) | undefined
    let asked = 0
    const pieces = wire[Symbol.iterator]()
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        asked++
        await new Promise<void>((resolve) => waiting = resolve)
        const { done, value } = pieces.next()
        if (done === true) controller.close()
        else controller.enqueue(new TextEncoder().encode(value))
      }
    }, { highWaterMark: 0 })
    const response = new Response(body, { headers: { "content-type": "text/event-stream" } })
    const program = Effect.scoped(Effect.gen(function*() {
      const pull = yield* Stream.toPull(readEvents(response, {}))
      const seen: Array<MessageEvents.MessageEvent> = []
      while (seen.at(-1)?.type !== "message_stop") {
        for (let times = 0; times < 3; times++) {
          const givenUp = yield* Effect.forkChild(pull, { startImmediately: true })
          yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
          yield* Fiber.interrupt(givenUp)
        }
        waiting?.()
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        seen.push(...(yield* pull))
      }
      return seen
    }))
    assert.deepStrictEqual((await Effect.runPromise(program)).map(({ type }) => type), types)
    assert.strictEqual(asked, wire.length)
  })

  it("gives its events as they are, and says on the first what the response said", async () => {
    const { error, events: seen } = await read(responseOf([whole], { "anthropic-ratelimit-requests-remaining": "7" }))
    assert.isUndefined(error)
    assert.strictEqual(JSON.stringify(seen), JSON.stringify(events))
    const [first] = seen
    const info = first?.type === "message_start" ? AnswerInfo.of(first.message) : undefined
    assert.deepInclude({ ...info }, { attempt: 2, requestId: "req_1", rateLimits: { requests: { remaining: 7 } } })
  })

  const cuts: ReadonlyArray<readonly [string, Iterable<Chunk>]> = [
    ["byte by byte", Array.from(new TextEncoder().encode(whole), (byte) => Uint8Array.of(byte))],
    ["with CRLF", [whole.replaceAll("\n", "\r\n")]],
    ["with CRLF, byte by byte", Array.from(whole.replaceAll("\n", "\r\n"))],
    ["with CR", [whole.replaceAll("\n", "\r")]],
    ["with a byte order mark", [`\ufeff${whole}`]],
    ["with comments and other fields", [`: hello\nid: 5\nretry: 10\n\n${whole}`]],
    ["without a space after the colon", [whole.replaceAll(": {", ":{").replaceAll("event: ", "event:")]],
    ["without an empty line at the end", [whole.trimEnd()]]
  ]
  for (const [name, chunks] of cuts) {
    it(name, async () => {
      const { error, events: seen } = await read(responseOf(chunks))
      assert.isUndefined(error)
      assert.strictEqual(JSON.stringify(seen), JSON.stringify(events))
    })
  }

  it("passes pings on, with and without data", async () => {
    const { types: seen } = await read(
      responseOf([`event: ping\ndata: {"type":"ping"}\n\nevent: ping\ndata:\n\n`, whole])
    )
    assert.deepStrictEqual(seen, ["ping", "ping", ...types])
  })

  it("passes on events that nobody knows yet", async () => {
    const { error, types: seen } = await read(responseOf([wire[0] ?? "", sse({ type: "weather" }), ...wire.slice(1)]))
    assert.isUndefined(error)
    assert.deepStrictEqual(seen, ["message_start", "weather", ...types.slice(1)])
  })

  it("ignores what comes after the end", async () => {
    for (const rest of ["event: error\ndata: {}\n\n", "event: x\ndata: {{{\n\n", new Error("reset")]) {
      const { error, types: seen } = await read(responseOf([whole, rest]))
      assert.isUndefined(error)
      assert.deepStrictEqual(seen, types)
    }
  })

  it("reads the body to its end, which leaves its connection to the next call", async () => {
    let isCancelled = false
    const rest: Array<string> = [whole, "\n", ": bye\n\n"]
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        const chunk = rest.shift()
        if (chunk === undefined) controller.close()
        else controller.enqueue(new TextEncoder().encode(chunk))
      },
      cancel: () => {
        isCancelled = true
      }
    }, { highWaterMark: 0 })
    assert.deepStrictEqual((await read(new Response(body))).types, types)
    assert.deepStrictEqual([isCancelled, rest.length], [false, 0])
  })

  it("ends even if the body never does", async () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(new TextEncoder().encode(whole))
      }
    })
    assert.deepStrictEqual((await read(new Response(body))).types, types)
  })

  it("closes the body when the reader leaves", async () => {
    let isCancelled = false
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(new TextEncoder().encode(wire.slice(0, 2).join("")))
      },
      cancel: () => {
        isCancelled = true
      }
    })
    const untilContent = Stream.takeUntil(readEvents(new Response(body), {}), MessageEvents.isContent)
    await Effect.runPromise(Stream.runDrain(untilContent))
    assert.isTrue(isCancelled)
  })

  it("ends well where a gateway leaves message_stop out", async () => {
    const { error, types: seen } = await read(responseOf(wire.slice(0, -1)))
    assert.isUndefined(error)
    assert.deepStrictEqual(seen, types)
  })

  it("takes a content type in any case, and none at all", async () => {
    assert.isUndefined((await read(responseOf([whole], { "content-type": "Text/Event-Stream" }))).error)
    assert.isUndefined((await read(new Response(bodyOf([whole])))).error)
  })
})

describe("a stream that breaks off", () => {
  for (let end = 1; end < wire.length - 1; end++) {
    it(`after ${types[end - 1]} is interrupted and says what had arrived`, async () => {
      const { error, types: seen } = await read(responseOf(wire.slice(0, end)))
      assert.include(error, {
        _tag: "StreamInterruptedError",
        requestId: "req_1",
        attempt: 2,
        model: "claude-opus-5-5"
      })
      assert.strictEqual(error?.verdict._tag, "Retry")
      assert.deepStrictEqual(seen, types.slice(0, end))
      const partial = error !== undefined && "partial" in error ? error.partial : undefined
      assert.strictEqual(partial?.events, end)
      assert.strictEqual(partial?.text, end >= 3 ? "Grüße 👋 aus Köln" : "")
    })
  }

  it("by a reset is interrupted and keeps the cause", async () => {
    const cause = Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET" })
    const { error } = await read(responseOf([...wire.slice(0, 3), new TypeError("terminated", { cause })]))
    assert.include(error, { _tag: "StreamInterruptedError", requestId: "req_1" })
    assert.include(error?.message, "UND_ERR_SOCKET")
    assert.nestedInclude(error, { "partial.text": "Grüße 👋 aus Köln" })
  })

  it("with a block open is interrupted even if a stop reason came", async () => {
    const withoutBlockStop = wire.filter((_, index) => types[index] !== "content_block_stop").slice(0, -1)
    assert.strictEqual((await read(responseOf(withoutBlockStop))).error?._tag, "StreamInterruptedError")
  })

  it("in the middle of an event is interrupted, and the half of it is not shown", async () => {
    const { error } = await read(
      responseOf([...wire.slice(0, 2), `event: content_block_delta\ndata: {"type":"content_bl`])
    )
    assert.strictEqual(error?._tag, "StreamInterruptedError")
    assert.nestedInclude(error, { "partial.events": 2 })
  })

  it("while nobody listens any more is not told to the reader that left", async () => {
    const events = readEvents(responseOf([...wire.slice(0, 2), new TypeError("terminated")]), {})
    assert.lengthOf(await Effect.runPromise(Stream.runCollect(Stream.take(events, 1))), 1)
  })
})

describe("an error inside a stream", () => {
  const error = (data: string) => `event: error\ndata: ${data}\n\n`
  const overloaded = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }
  const rows: ReadonlyArray<readonly [string, string, string, string]> = [
    ["of its own", error(JSON.stringify(overloaded)), "OverloadedError", "Retry"],
    ["under another name", `event: message\ndata: ${JSON.stringify(overloaded)}\n\n`, "OverloadedError", "Retry"],
    [
      "that is the request's fault",
      error(
        `{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}`
      ),
      "InvalidRequestError",
      "Stop"
    ],
    [
      "with a code",
      error(
        `{"error":{"type":"rate_limit_error","message":"m","details":{"error_code":"enforced_spend_limit_reached"}}}`
      ),
      "SpendLimitError",
      "Stop"
    ],
    [
      "of a type nobody knows",
      error(`{"error":{"type":"gremlin_error","message":"m"}}`),
      "InternalServerError",
      "Retry"
    ],
    ["that is no JSON", error("upstream is gone"), "InternalServerError", "Retry"],
    ["without data", "event: error\ndata:\n\n", "InternalServerError", "Retry"],
    ["that is null", error("null"), "InternalServerError", "Retry"]
  ]
  for (const [name, chunk, tag, verdict] of rows) {
    it(name, async () => {
      for (const before of [0, 3]) {
        const { error, types: seen } = await read(responseOf([...wire.slice(0, before), chunk, ...wire.slice(before)]))
        assert.deepStrictEqual([error?._tag, error?.requestId, error?.status], [tag, "req_1", undefined])
        assert.strictEqual(error?.verdict._tag, verdict)
        assert.deepStrictEqual(seen, types.slice(0, before))
        assert.nestedInclude(error, { "partial.events": before })
      }
    })
  }
})

describe("a malformed event", () => {
  const data = [
    "{{{",
    "null",
    "[]",
    "5",
    `"text"`,
    "{}",
    `{"type":5}`,
    `{"type":"message_start"}`,
    `{"type":"message_start","message":null}`,
    `{"type":"content_block_start","index":0}`,
    `{"type":"content_block_start","index":"__proto__","content_block":{"type":"text"}}`,
    `{"type":"content_block_delta","index":-1,"delta":{"type":"text_delta"}}`,
    `{"type":"content_block_delta","index":0}`,
    `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta"}}`,
    `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":null}}`,
    `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":5}}`,
    `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta"}}`,
    `{"type":"content_block_stop"}`,
    `{"type":"message_delta"}`
  ]
  for (const text of data) {
    it(text, async () => {
      const { error, types: seen } = await read(
        responseOf([...wire.slice(0, 3), `event: x\ndata: ${text}\n\n`, ...wire.slice(3)])
      )
      assert.include(error, { _tag: "InvalidResponseError", requestId: "req_1" })
      assert.deepStrictEqual(error?.verdict, { _tag: "Retry", kind: "serverError", after: undefined })
      assert.deepStrictEqual(seen, types.slice(0, 3))
      assert.nestedInclude(error, { "partial.events": 3 })
    })
  }
})

describe("a 200 that is no stream", () => {
  const rows: ReadonlyArray<readonly [string, () => Response, string]> = [
    [
      "HTML",
      () => new Response("<html>Log in</html>", { headers: { "content-type": "text/html" } }),
      "InvalidResponseError"
    ],
    [
      "HTML that claims to be a stream",
      () => responseOf(["<!doctype html>\n<html>\n\n</html>"]),
      "InvalidResponseError"
    ],
    ["HTML without a content type", () => new Response(bodyOf(["<html>"])), "InvalidResponseError"],
    ["an empty stream", () => responseOf([]), "InvalidResponseError"],
    ["blank lines", () => responseOf(["\n\n\n\n"]), "InvalidResponseError"],
    ["no body", () => new Response(null, { headers: { "content-type": "text/event-stream" } }), "InvalidResponseError"],
    ["pings alone", () => responseOf(["event: ping\ndata: {}\n\n"]), "InvalidResponseError"],
    [
      "a JSON error",
      () => Response.json({ type: "error", error: { type: "overloaded_error", message: "m" } }),
      "OverloadedError"
    ],
    ["a JSON message", () => Response.json(message), "InvalidResponseError"],
    [
      "HTML that breaks off",
      () => new Response(bodyOf(["<html>", new TypeError("terminated")]), { headers: { "content-type": "text/html" } }),
      "ConnectionError"
    ]
  ]
  for (const [name, response, tag] of rows) {
    it(name, async () => {
      const { error } = await read(response())
      assert.strictEqual(error?._tag, tag)
      assert.strictEqual(error?.verdict._tag, "Retry")
      assert.strictEqual(error?.attempt, 2)
    })
  }
})
