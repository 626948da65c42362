import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FakeClaudeApi from "../src/FakeClaudeApi.ts"
import * as FaultPlan from "../src/FaultPlan.ts"
import * as FaultStep from "../src/FaultStep.ts"
import { type Answer, eventNames, exchangeOverTcp, post, request, sseEvents } from "./FakeClaudeApi.rawClient.ts"

const streamed = { ...request, stream: true }

const serve = (step: FaultStep.FaultStepInput) => FakeClaudeApi.make({ plan: FaultPlan.make({ after: step }) })

const ask = (step: FaultStep.FaultStepInput, body: unknown = request): Effect.Effect<Answer> =>
  Effect.scoped(Effect.flatMap(Effect.orDie(serve(step)), (api) => post(api.url, { body })))

const fakeMessage = FaultStep.message({ text: "one two three" })
const healthyEvents = [
  "message_start",
  "content_block_start",
  "content_block_delta",
  "content_block_delta",
  "content_block_delta",
  "content_block_stop",
  "message_delta",
  "message_stop"
]

const withoutPings = (text: string) => eventNames(text).filter((name) => name !== "ping")

const failureCode = ({ failure }: Answer): unknown =>
  failure instanceof TypeError && failure.cause instanceof Error && "code" in failure.cause
    ? failure.cause.code
    : failure

describe("errors of the API", () => {
  const errors: ReadonlyArray<
    readonly [string, FaultStep.FaultStep, number, string, Record<string, string> | undefined]
  > = [
    ["rateLimit", FaultStep.rateLimit(), 429, "rate_limit_error", undefined],
    ["spendLimit", FaultStep.spendLimit(), 429, "rate_limit_error", { error_code: "enforced_spend_limit_reached" }],
    ["overloaded", FaultStep.overloaded(), 529, "overloaded_error", undefined],
    ["internalServer", FaultStep.internalServer(), 500, "api_error", undefined],
    ["invalidRequest", FaultStep.invalidRequest(), 400, "invalid_request_error", undefined],
    ["authentication", FaultStep.authentication(), 401, "authentication_error", undefined],
    ["requestTooLarge", FaultStep.requestTooLarge(), 413, "request_too_large", undefined]
  ]
  for (const [name, step, status, type, details] of errors) {
    for (const stream of [false, true]) {
      it.live(`${name}, ${stream ? "streamed" : "JSON"}`, () =>
        Effect.gen(function*() {
          const answer = yield* ask(step, { ...request, stream })
          const body = JSON.parse(answer.text)
          assert.strictEqual(answer.status, status)
          assert.strictEqual(body.error.type, type)
          assert.deepStrictEqual(body.error.details, details)
          assert.strictEqual(body.request_id, answer.headers.get("request-id"))
          assert.isNull(answer.headers.get("retry-after"))
          assert.strictEqual(answer.headers.get("content-type"), "application/json")
        }))
    }
  }

  it.live("retry-after in seconds", () =>
    Effect.gen(function*() {
      const waits = yield* Effect.forEach(
        [FaultStep.rateLimit({ retryAfter: "1 minute" }), FaultStep.overloaded({ retryAfter: "1500 millis" })],
        (step) => Effect.map(ask(step), ({ headers }) => headers.get("retry-after"))
      )
      assert.deepStrictEqual(waits, ["60", "1.5"])
    }))

  it.live("any status, error and headers; null removes a header", () =>
    Effect.gen(function*() {
      const { headers, status, text } = yield* ask(FaultStep.error({
        status: 418,
        error: { type: "teapot_error", message: "short and stout", details: { error_code: "kettle" } },
        headers: { "Retry-After-Ms": "40", "X-Should-Retry": "false", "request-id": null }
      }))
      assert.strictEqual(status, 418)
      assert.deepStrictEqual(JSON.parse(text).error, {
        type: "teapot_error",
        message: "short and stout",
        details: { error_code: "kettle" }
      })
      assert.strictEqual(headers.get("retry-after-ms"), "40")
      assert.strictEqual(headers.get("x-should-retry"), "false")
      assert.isNull(headers.get("request-id"))
    }))
})

describe("bodies that are no message", () => {
  it.live("a proxy's page of HTML", () =>
    Effect.gen(function*() {
      const { headers, status, text } = yield* ask(FaultStep.htmlBadGateway())
      assert.strictEqual(status, 502)
      assert.strictEqual(headers.get("content-type"), "text/html")
      assert.isNull(headers.get("request-id"))
      assert.isTrue(text.startsWith("<html>"))
    }))

  it.live("an empty 200", () =>
    Effect.gen(function*() {
      const { headers, status, text } = yield* ask(FaultStep.emptyBody())
      assert.deepStrictEqual([status, headers.get("content-length"), text], [200, "0", ""])
      assert.strictEqual(headers.get("content-type"), "application/json")
    }))

  it.live("a 200 with half a JSON value", () =>
    Effect.gen(function*() {
      const { headers, status, text } = yield* ask(FaultStep.invalidJson())
      assert.strictEqual(status, 200)
      assert.strictEqual(headers.get("content-type"), "application/json")
      assert.throws(() => JSON.parse(text), SyntaxError)
    }))

  it.live("a JSON body and headers of the plan's own", () =>
    Effect.gen(function*() {
      const { headers, status, text } = yield* ask(
        FaultStep.response({
          status: 203,
          body: { hello: [1, null] },
          headers: { "X-Proxy": "yes", "Content-Type": "text/json" }
        })
      )
      assert.deepStrictEqual([status, text, headers.get("x-proxy")], [203, "{\"hello\":[1,null]}", "yes"])
      assert.strictEqual(headers.get("content-type"), "text/json")
    }))

  it.live("a status that has no body", () =>
    Effect.gen(function*() {
      const { status, text } = yield* ask(FaultStep.response({ status: 204 }))
      assert.deepStrictEqual([status, text], [204, ""])
    }))
})

describe("connections", () => {
  it.live("a reset before the headers is a TCP RST", () =>
    Effect.gen(function*() {
      const api = yield* serve(FaultStep.reset())
      assert.deepStrictEqual(yield* exchangeOverTcp(api.url), { text: "", ended: "reset" })
      assert.deepInclude((yield* api.awaitEnded(1))[0], { outcome: "cut", status: undefined, body: request })
    }))

  it.live("a close before the headers is no reset", () =>
    Effect.gen(function*() {
      const api = yield* serve(FaultStep.closed())
      assert.deepStrictEqual(yield* exchangeOverTcp(api.url), { text: "", ended: "closed" })
      assert.strictEqual((yield* api.awaitEnded(1))[0]?.outcome, "cut")
    }))

  it.live("bytes that are no HTTP", () =>
    Effect.gen(function*() {
      const api = yield* serve(FaultStep.disconnect({ how: "garbage" }))
      const error = yield* Effect.promise(() =>
        fetch(`${api.url}/v1/messages`, { method: "POST", body: JSON.stringify(request) }).catch((error: unknown) =>
          error
        )
      )
      assert.isTrue(
        error instanceof TypeError && error.cause instanceof Error && error.cause.name === "HTTPParserError"
      )
    }))

  for (const [how, ended] of [["reset", "reset"], ["close", "closed"]] as const) {
    it.live(`a JSON body interrupted by ${how}`, () =>
      Effect.gen(function*() {
        const api = yield* serve(FaultStep.message({ interrupt: { how, afterBytes: 20 } }))
        const exchange = yield* exchangeOverTcp(api.url)
        const [head = "", body] = exchange.text.split("\r\n\r\n")

        assert.strictEqual(exchange.ended, ended)
        assert.isAbove(Number(/content-length: (\d+)/.exec(head)?.[1]), 100)
        assert.strictEqual(body?.length, 20)
        assert.deepInclude((yield* api.awaitEnded(1))[0], { outcome: "cut", status: 200 })
      }))

    it.live(`a stream interrupted by ${how}`, () =>
      Effect.gen(function*() {
        const api = yield* serve({ ...fakeMessage, interrupt: { how, afterEvents: 4 } })
        const { text, ...exchange } = yield* exchangeOverTcp(api.url, streamed)
        assert.strictEqual(exchange.ended, ended)
        assert.include(text, "two ")
        assert.notInclude(text, "three")
        assert.notInclude(text, "0\r\n\r\n")
      }))
  }

  it.live("fetch sees the reset of a body as ECONNRESET, after all that was sent", () =>
    Effect.gen(function*() {
      const answer = yield* ask(FaultStep.cutStream({ afterEvents: 5 }), streamed)
      assert.strictEqual(failureCode(answer), "ECONNRESET")
      assert.deepStrictEqual(withoutPings(answer.text), [
        ...healthyEvents.slice(0, 3),
        "content_block_delta",
        "content_block_delta"
      ])
    }))
})

describe("time", () => {
  it.live("delay before the headers", () =>
    Effect.gen(function*() {
      const { headersAfter, status } = yield* ask(FaultStep.slowFirstByte("60 millis"))
      assert.strictEqual(status, 200)
      assert.isAtLeast(headersAfter, 59)
    }))

  it.live("delay between headers and body", () =>
    Effect.gen(function*() {
      for (const body of [request, streamed]) {
        const { chunksAfter, failure, headersAfter } = yield* ask(FaultStep.slowBody("60 millis"), body)
        assert.isUndefined(failure)
        assert.isAtLeast((chunksAfter[0] ?? 0) - headersAfter, 50)
      }
    }))

  it.live("delay between events", () =>
    Effect.gen(function*() {
      const { chunksAfter, headersAfter, text } = yield* ask({ ...fakeMessage, eventDelay: "10 millis" }, streamed)
      assert.deepStrictEqual(withoutPings(text), healthyEvents)
      assert.isAtLeast((chunksAfter.at(-1) ?? 0) - headersAfter, 65)
    }))

  it.live("a stall sends the beginning, holds the connection and ends with the client", () =>
    Effect.gen(function*() {
      const api = yield* serve({ ...fakeMessage, interrupt: { how: "stall", afterEvents: 4 } })
      const response = yield* Effect.promise(() =>
        fetch(`${api.url}/v1/messages`, {
          method: "POST",
          headers: { "x-api-key": "k" },
          body: JSON.stringify(streamed)
        })
      )
      const reader = response.body?.getReader()
      let text = ""
      while (!text.includes("two ")) {
        text += Buffer.from((yield* Effect.promise(async () => reader?.read()))?.value ?? []).toString()
      }
      assert.deepStrictEqual(withoutPings(text), healthyEvents.slice(0, 4))
      yield* Effect.sleep("50 millis")
      assert.strictEqual((yield* api.requests)[0]?.outcome, "pending")
      yield* Effect.promise(async () => reader?.cancel())
      assert.strictEqual((yield* api.awaitEnded(1))[0]?.outcome, "clientClosed")
      yield* api.awaitClosed
    }))

  it.live("a stall in a JSON body", () =>
    Effect.gen(function*() {
      const api = yield* serve(FaultStep.stallStream())
      const client = yield* Effect.forkChild(exchangeOverTcp(api.url))
      yield* api.awaitRequests(1)
      yield* Effect.sleep("30 millis")
      assert.deepInclude((yield* api.requests)[0], { outcome: "pending", status: 200 })
      yield* Fiber.interrupt(client)
      assert.strictEqual((yield* api.awaitEnded(1))[0]?.outcome, "clientClosed")
    }))
})

describe("streams", () => {
  for (let afterEvents = 0; afterEvents <= healthyEvents.length; afterEvents++) {
    it.live(`an end in good order after ${afterEvents} events`, () =>
      Effect.gen(function*() {
        const { failure, text } = yield* ask({ ...fakeMessage, interrupt: { how: "end", afterEvents } }, streamed)
        assert.isUndefined(failure)
        assert.deepStrictEqual(withoutPings(text), healthyEvents.slice(0, afterEvents))
      }))

    it.live(`an error event after ${afterEvents} events`, () =>
      Effect.gen(function*() {
        const error = { type: "overloaded_error", message: "busy", details: { error_code: "x" } }
        const { failure, headers, text } = yield* ask(
          { ...fakeMessage, interrupt: { how: "error", afterEvents, error } },
          streamed
        )
        assert.isUndefined(failure)
        assert.deepStrictEqual(withoutPings(text), [...healthyEvents.slice(0, afterEvents), "error"])
        assert.deepStrictEqual(JSON.parse(sseEvents(text).at(-1)?.data ?? ""), {
          type: "error",
          error,
          request_id: headers.get("request-id")
        })
      }))
  }

  it.live("an error event whose data is no JSON", () =>
    Effect.gen(function*() {
      const { text } = yield* ask(
        FaultStep.message({ interrupt: { how: "error", data: "upstream went away" } }),
        streamed
      )
      assert.deepStrictEqual(sseEvents(text).at(-1), { event: "error", data: "upstream went away" })
    }))

  it.live("the error of a stream is the answer to a JSON request", () =>
    Effect.gen(function*() {
      const answer = yield* ask(FaultStep.midStreamError({ error: { type: "timeout_error" } }))
      assert.strictEqual(answer.status, 504)
      assert.strictEqual(JSON.parse(answer.text).error.type, "timeout_error")
    }))

  it.live("half a JSON body in good order", () =>
    Effect.gen(function*() {
      const { failure, headers, text } = yield* ask(FaultStep.endWithoutStop())
      assert.isUndefined(failure)
      assert.strictEqual(headers.get("content-length"), String(text.length))
      assert.throws(() => JSON.parse(text), SyntaxError)
    }))

  it.live("a malformed event, with the healthy ones around it", () =>
    Effect.gen(function*() {
      const { text } = yield* ask(FaultStep.malformedEvent({ afterEvents: 2 }), streamed)
      const events = sseEvents(text).filter(({ event }) => event !== "ping")
      assert.throws(() => JSON.parse(events[2]?.data ?? ""), SyntaxError)
      assert.strictEqual(events.at(-1)?.event, "message_stop")
    }))

  it.live("events, pings and comments put in between", () =>
    Effect.gen(function*() {
      const { chunksAfter, headersAfter, text } = yield* ask({
        ...fakeMessage,
        insert: [
          { kind: "event", event: "brand_new", data: { type: "brand_new" }, afterEvents: 0 },
          { kind: "ping", afterEvents: 3, count: 4, interval: "10 millis" },
          { kind: "comment", text: "still\nhere", afterEvents: 8 }
        ]
      }, streamed)
      assert.deepStrictEqual(eventNames(text), [
        "brand_new",
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "ping",
        "ping",
        "ping",
        "ping",
        ...healthyEvents.slice(3)
      ])
      assert.isTrue(text.endsWith("\n\n: still\n: here\n\n"))
      assert.isAtLeast((chunksAfter.at(-1) ?? 0) - headersAfter, 28)
    }))

  it.live("pings that never end keep a dead stream open", () =>
    Effect.gen(function*() {
      const api = yield* serve({
        ...fakeMessage,
        insert: [{ kind: "ping", afterEvents: 3, count: "forever", interval: 5 }]
      })
      const client = yield* Effect.forkChild(exchangeOverTcp(api.url, streamed))
      yield* Effect.sleep("60 millis")
      assert.deepInclude((yield* api.requests)[0], { outcome: "pending" })
      yield* Fiber.interrupt(client)
      assert.strictEqual((yield* api.awaitEnded(1))[0]?.outcome, "clientClosed")
    }))

  it.live("pieces that split characters and events arrive as the same text", () =>
    Effect.gen(function*() {
      const text = "Grüße 🎉🎉 aus Zürich, 日本語のテキスト"
      const whole = yield* ask(FaultStep.message({ text }), streamed)
      for (const chunkBytes of [1, 2, 3, 7]) {
        const split = yield* ask(FaultStep.message({ text, chunkBytes }), streamed)
        assert.strictEqual(split.text, whole.text)
        assert.isTrue(split.chunks.some((chunk) => chunk.toString("utf8").includes("\ufffd")))
      }
    }))

  it.live("pieces are pieces on the wire", () =>
    Effect.gen(function*() {
      const api = yield* serve(
        FaultStep.message({ text: "one ü three", chunkBytes: 11, interrupt: { how: "close", afterEvents: 8 } })
      )
      const { text } = yield* exchangeOverTcp(api.url, streamed)
      const sizes = [...text.matchAll(/\r\n([0-9a-f]+)\r\n/g)].map(([, size]) => size)
      assert.isAbove(sizes.length, 50)
      assert.isTrue(sizes.slice(0, -1).every((size) => size === "b"))
    }))

  it.live("pieces of a JSON body", () =>
    Effect.gen(function*() {
      const { chunks, text } = yield* ask(FaultStep.message({ chunkBytes: 100 }))
      assert.strictEqual(JSON.parse(text).type, "message")
      assert.isAbove(chunks.length, 1)
    }))
})

describe("capacity", () => {
  it.live("requests beyond the limit get a 529, until there is room again", () =>
    Effect.gen(function*() {
      const api = yield* serve(FaultStep.capacity({ limit: 2, serviceTime: "400 millis" }))
      const status = Effect.map(post(api.url), (answer) => answer.status)
      const burst = yield* Effect.all(Array.from({ length: 5 }, () => status), { concurrency: "unbounded" })

      assert.sameMembers(burst, [200, 200, 529, 529, 529])
      assert.strictEqual(yield* status, 200)
    }))

  it.live("a client that leaves gives its place back", () =>
    Effect.gen(function*() {
      const api = yield* serve(FaultStep.capacity({ limit: 1, serviceTime: "1 hour" }))
      const client = yield* Effect.forkChild(exchangeOverTcp(api.url))
      yield* api.awaitRequests(1)
      assert.strictEqual((yield* post(api.url)).status, 529)
      yield* Fiber.interrupt(client)
      yield* Effect.sleep("20 millis")
      const second = yield* Effect.forkChild(exchangeOverTcp(api.url))
      yield* api.awaitRequests(3)
      yield* Effect.sleep("20 millis")
      assert.deepInclude((yield* api.requests)[2], { outcome: "pending", status: undefined })
      yield* Fiber.interrupt(second)
    }))
})
