import type { Message } from "@anthropic-ai/sdk/resources/messages"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { connect } from "node:net"
import * as FakeClaudeApi from "../src/FakeClaudeApi.ts"
import * as FaultPlan from "../src/FaultPlan.ts"
import * as FaultStep from "../src/FaultStep.ts"
import { eventNames, exchangeOverTcp, post, request, sseEvents } from "./FakeClaudeApi.rawClient.ts"

const hour = "1 hour"

describe("healthy answers", () => {
  it.live("a message in the API's full shape, with its headers", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make()
      const { headers, status, text } = yield* post(api.url)
      const message: Message = JSON.parse(text)

      assert.strictEqual(status, 200)
      assert.deepStrictEqual(message, {
        id: "msg_fake00000000000000000001",
        type: "message",
        role: "assistant",
        model: "claude-sonnet-5-5",
        content: [{ type: "text", text: "This answer comes from a fake Claude API.", citations: null }],
        stop_reason: "end_turn",
        stop_sequence: null,
        stop_details: null,
        container: null,
        diagnostics: null,
        usage: {
          input_tokens: 9,
          output_tokens: 11,
          cache_creation_input_tokens: 0,
          cache_read_input_tokens: 0,
          cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
          inference_geo: null,
          output_tokens_details: null,
          server_tool_use: null,
          service_tier: "standard",
          speed: "standard"
        }
      })
      assert.strictEqual(headers.get("content-type"), "application/json")
      assert.strictEqual(headers.get("anthropic-organization-id"), "00000000-0000-4000-8000-00000000fa4e")
      assert.strictEqual(headers.get("anthropic-ratelimit-requests-limit"), "1000000")
      assert.match(headers.get("anthropic-ratelimit-requests-remaining") ?? "", /^(999\d{3}|1000000)$/)
      assert.match(headers.get("anthropic-ratelimit-tokens-reset") ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
      assert.notInclude(text, "Hello")
    }))

  it.live("a request id of its own for every request", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make()
      const answers = yield* Effect.all(Array.from({ length: 20 }, () => post(api.url)), { concurrency: 5 })
      const ids = answers.map(({ headers }) => headers.get("request-id"))

      assert.strictEqual(new Set(ids).size, 20)
      assert.sameMembers(ids, (yield* api.requests).map(({ requestId }) => requestId))
    }))

  it.live("a stream in the API's order of events", () =>
    Effect.gen(function*() {
      const plan = FaultPlan.make({ after: FaultStep.message({ text: "Hi there" }) })
      const api = yield* FakeClaudeApi.make({ plan })
      const { headers, text } = yield* post(api.url, { body: { ...request, stream: true } })

      assert.strictEqual(headers.get("content-type"), "text/event-stream; charset=utf-8")
      assert.deepStrictEqual(eventNames(text), [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop"
      ])
      const events = sseEvents(text).map(({ data }) => JSON.parse(data))
      assert.deepStrictEqual(events.map(({ type }): string => type), [...eventNames(text)])
      assert.deepInclude(events[0].message, { content: [], stop_reason: null, model: "claude-sonnet-5-5" })
      assert.deepInclude(events[6], {
        delta: { stop_reason: "end_turn", stop_sequence: null, stop_details: null, container: null }
      })
      assert.deepInclude(events[6].usage, { input_tokens: 9, output_tokens: 2 })
    }))

  it.live("the same message streamed as in JSON, whatever its blocks", () =>
    Effect.gen(function*() {
      const after = FaultStep.message({
        content: [
          { type: "thinking", thinking: "Let me\n think." },
          { type: "text", text: "  Ünïcode 🎉 text, and more " },
          { type: "tool_use", id: "toolu_1", name: "get_weather", input: { city: "Tromsø", days: [1, 2, 3] } },
          { type: "brand_new", payload: { a: 1 } }
        ],
        usage: { output_tokens: 7, cache_read_input_tokens: 90 }
      })
      const api = yield* FakeClaudeApi.make({ plan: FaultPlan.make({ after }) })
      const whole = JSON.parse((yield* post(api.url)).text)
      const streamed = yield* post(api.url, { body: { ...request, stream: true } })

      assert.strictEqual(whole.stop_reason, "tool_use")
      assert.deepInclude(whole.usage, { output_tokens: 7, cache_read_input_tokens: 90, input_tokens: 9 })
      assert.deepStrictEqual(contentOf(streamed.text), whole.content)
    }))

  it.live("an id of its own for every tool call", () =>
    Effect.gen(function*() {
      const call = { type: "tool_use", name: "look", input: {} } as const
      const api = yield* FakeClaudeApi.make({
        plan: FaultPlan.make({ after: FaultStep.message({ content: [call, call] }) })
      })
      const answers = yield* Effect.all([post(api.url), post(api.url)])
      const ids = answers.flatMap(({ text }) => JSON.parse(text).content.map(({ id }: { readonly id: string }) => id))
      assert.strictEqual(new Set(ids).size, 4)
      for (const id of ids) assert.match(id, /^toolu_fake\d{20}$/)
    }))

  it.live("count_tokens agrees with the usage of the message", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make()
      const body = { ...request, system: "Be brief", tools: [{ name: "look", input_schema: { type: "object" } }] }
      const message = JSON.parse((yield* post(api.url, { body })).text)
      const { max_tokens: _, ...counted } = body
      const count = yield* post(api.url, { path: "/v1/messages/count_tokens", body: counted })

      assert.deepStrictEqual(JSON.parse(count.text), { input_tokens: message.usage.input_tokens })
      assert.isAbove(message.usage.input_tokens, 20)
    }))
})

describe("refused requests", () => {
  const refusals = [
    ["no credentials", { headers: {} }, 401, "authentication_error"],
    ["a body that is no JSON", { body: "{\"model\":" }, 400, "invalid_request_error"],
    ["an empty body", { body: "" }, 400, "invalid_request_error"],
    ["a body that is no object", { body: [] }, 400, "invalid_request_error"],
    ["no model", { body: { ...request, model: undefined } }, 400, "invalid_request_error"],
    ["no messages", { body: { ...request, messages: undefined } }, 400, "invalid_request_error"],
    ["empty messages", { body: { ...request, messages: [] } }, 400, "invalid_request_error"],
    ["no max_tokens", { body: { ...request, max_tokens: undefined } }, 400, "invalid_request_error"],
    ["max_tokens of 0", { body: { ...request, max_tokens: 0 } }, 400, "invalid_request_error"],
    // The limit is that of the edge, which does not know who asks.
    [
      "a body over 32 MB without a key",
      { headers: {}, body: "x".repeat(32 * 1024 * 1024 + 1) },
      413,
      "request_too_large"
    ],
    ["a body over 32 MB", { body: "x".repeat(32 * 1024 * 1024 + 1) }, 413, "request_too_large"],
    ["an unknown path", { path: "/v1/complete" }, 404, "not_found_error"],
    ["another method", { method: "GET" }, 405, "invalid_request_error"]
  ] as const

  for (const [name, options, status, type] of refusals) {
    it.live(name, () =>
      Effect.gen(function*() {
        const api = yield* FakeClaudeApi.make()
        const answer = yield* post(api.url, options)
        const body = JSON.parse(answer.text)

        assert.strictEqual(answer.status, status)
        assert.deepStrictEqual(Object.keys(body), ["type", "error", "request_id"])
        assert.strictEqual(body.type, "error")
        assert.strictEqual(body.error.type, type)
        assert.isNotEmpty(body.error.message)
        assert.notProperty(body.error, "details")
        assert.strictEqual(body.request_id, answer.headers.get("request-id"))
      }))
  }

  it.live("a bearer token is as good as a key", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make()
      assert.strictEqual((yield* post(api.url, { headers: { authorization: "Bearer t" } })).status, 200)
    }))

  it.live("a wrong path takes no step, an invalid request does", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({ plan: FaultPlan.make({ steps: [FaultStep.overloaded({ times: 2 })] }) })
      const statuses = yield* Effect.forEach(
        [{ path: "/" }, { body: "no JSON" }, { path: "/v1/messages/count_tokens?beta=true" }, {}],
        (options) => Effect.map(post(api.url, options), ({ status }) => status)
      )
      assert.deepStrictEqual(statuses, [404, 529, 529, 200])
    }))
})

describe("plans", () => {
  it.live("each model goes through its own steps", () =>
    Effect.gen(function*() {
      const plan = FaultPlan.make({
        steps: [FaultStep.internalServer()],
        models: { down: { after: FaultStep.overloaded() }, flaky: { steps: [FaultStep.rateLimit()] } }
      })
      const api = yield* FakeClaudeApi.make({ plan })
      const statuses = yield* Effect.forEach(
        ["down", "flaky", "other", "flaky", "other", "down", "constructor"],
        (model) => Effect.map(post(api.url, { body: { ...request, model } }), ({ status }) => status)
      )
      assert.deepStrictEqual(statuses, [529, 429, 500, 200, 200, 529, 200])
    }))

  it.live("setPlan starts anew and keeps the records", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({ plan: FaultPlan.make({ after: FaultStep.overloaded() }) })
      yield* post(api.url)
      yield* api.setPlan(FaultPlan.make({ steps: [FaultStep.internalServer()] }))
      yield* post(api.url)
      yield* post(api.url)

      assert.deepStrictEqual((yield* api.awaitEnded(3)).map(({ status }) => status), [529, 500, 200])
      yield* api.clearRequests
      assert.deepStrictEqual(yield* api.requests, [])
    }))
})

describe("wrong plans", () => {
  it("are refused before the server starts", () => {
    assert.throws(
      () => FakeClaudeApi.make({ plan: { steps: [{ kind: "message", times: 0 }] } }),
      RangeError,
      /steps\[0\]\.times/
    )
  })

  it.live("leave the running plan as it is", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({ plan: { after: FaultStep.overloaded() } })
      const exit = yield* Effect.exit(api.setPlan({ after: { kind: "message", delay: -1 } }))
      assert.isTrue(Exit.hasDies(exit))
      assert.strictEqual((yield* post(api.url)).status, 529)
    }))
})

describe("records", () => {
  it.live("what arrived, with secrets left out", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make()
      const before = Date.now()
      yield* post(api.url, { headers: { "x-api-key": "sk-canary", authorization: "Bearer canary", "x-other": "seen" } })
      const [recorded] = yield* api.awaitEnded(1)

      assert.isDefined(recorded)
      assert.deepInclude(recorded, {
        number: 1,
        method: "POST",
        path: "/v1/messages",
        body: request,
        status: 200,
        outcome: "answered"
      })
      assert.deepInclude(recorded.headers, {
        "x-api-key": "<redacted>",
        authorization: "<redacted>",
        "x-other": "seen"
      })
      assert.notInclude(JSON.stringify(recorded), "canary")
      assert.isAtLeast(recorded.receivedAt, before)
      assert.isAtLeast(recorded.endedAt ?? 0, recorded.receivedAt)
    }))

  it.live("a client that leaves while it waits", () =>
    Effect.gen(function*() {
      const plan = FaultPlan.make({ steps: [FaultStep.slowFirstByte(hour), FaultStep.stallStream()] })
      const api = yield* FakeClaudeApi.make({ plan })
      for (const count of [1, 2]) {
        const client = yield* Effect.forkChild(exchangeOverTcp(api.url, { ...request, stream: true }))
        const requests = yield* api.awaitRequests(count)
        assert.strictEqual(requests.at(-1)?.outcome, "pending")
        assert.strictEqual(yield* api.openConnections, 1)
        const leftAt = Date.now()
        yield* Fiber.interrupt(client)
        const ended = yield* api.awaitEnded(count)
        assert.strictEqual(ended.at(-1)?.outcome, "clientClosed")
        assert.isBelow((ended.at(-1)?.endedAt ?? Infinity) - leftAt, 100)
        yield* api.awaitClosed
        assert.strictEqual(yield* api.openConnections, 0)
      }
    }))

  it.live("a client that leaves before its body is whole", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make()
      const socket = connect(Number(new URL(api.url).port), "127.0.0.1")
      yield* Effect.callback<void>((resume) => {
        socket.write("POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{", () =>
          resume(Effect.void))
      })
      yield* Effect.sleep("20 millis")
      assert.deepStrictEqual(yield* api.requests, [])
      socket.destroy()

      assert.deepInclude((yield* api.awaitEnded(1))[0], { outcome: "clientClosed", status: undefined, body: undefined })
    }))

  it.live("those that are over can be taken, those in progress stay", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({ plan: { steps: [FaultStep.stallStream()] } })
      yield* Effect.forkChild(exchangeOverTcp(api.url, { ...request, stream: true }))
      yield* api.awaitRequests(1)
      const taken = yield* Effect.forkChild(api.takeEnded, { startImmediately: true })
      yield* post(api.url)
      assert.deepStrictEqual((yield* Fiber.join(taken)).map(({ number }) => number), [2])
      assert.deepStrictEqual((yield* api.requests).map(({ number }) => number), [1])
    }))

  it.live("waiting can be given up", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make()
      const waiting = yield* Effect.forkChild(api.awaitRequests(1), { startImmediately: true })
      yield* Fiber.interrupt(waiting)
      yield* post(api.url)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(waiting)))
    }))
})

describe("protocol", () => {
  it.live("a client that waits for 100 Continue gets it", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make()
      const body = JSON.stringify(request)
      const text = yield* Effect.callback<string>((resume) => {
        const socket = connect(Number(new URL(api.url).port), "127.0.0.1")
        let received = ""
        socket.setEncoding("utf8")
        socket.on("data", (data: string) => {
          received += data
          if (received === "HTTP/1.1 100 Continue\r\n\r\n") socket.write(body)
          if (received.includes("\"message\"")) resume(Effect.succeed(received))
        })
        socket.write(
          "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-api-key: k\r\nexpect: 100-continue\r\n"
            + `content-length: ${body.length}\r\n\r\n`
        )
      })
      assert.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
    }))
})

describe("lifetime", () => {
  it.live("leaving the scope breaks stalled connections at once", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const api = yield* Scope.provide(
        FakeClaudeApi.make({ plan: FaultPlan.make({ after: FaultStep.stallStream({ delay: "1 millis" }) }) }),
        scope
      )
      const clients = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 10 }, () => exchangeOverTcp(api.url)), { concurrency: "unbounded" })
      )
      yield* api.awaitRequests(10)
      const startedAt = performance.now()
      yield* Scope.close(scope, Exit.void)

      assert.isBelow(performance.now() - startedAt, 500)
      assert.strictEqual((yield* Fiber.join(clients)).length, 10)
      assert.strictEqual(yield* api.openConnections, 0)
      assert.deepStrictEqual([...new Set((yield* api.requests).map(({ outcome }) => outcome))], ["cut"])
    }))

  it.live("clients that left leave no timer and no connection behind", () =>
    Effect.gen(function*() {
      const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length
      const api = yield* FakeClaudeApi.make({
        plan: FaultPlan.make({
          after: FaultStep.message({ insert: [{ kind: "ping", afterEvents: 1, count: "forever", interval: hour }] })
        })
      })
      const body = { ...request, stream: true }
      const before = timers()
      const clients = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 100 }, () => exchangeOverTcp(api.url, body)), { concurrency: "unbounded" })
      )
      yield* api.awaitRequests(100)
      while (timers() < before + 100) yield* Effect.sleep("1 millis")
      yield* Fiber.interrupt(clients)
      const requests = yield* api.awaitEnded(100)
      yield* api.awaitClosed

      assert.isTrue(requests.every(({ outcome }) => outcome === "clientClosed"))
      assert.isAtMost(timers(), before + 5)
    }))

  it.live("a port that is taken is an error that names it", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make()
      const port = Number(new URL(api.url).port)
      const error = yield* Effect.flip(FakeClaudeApi.make({ port }))

      assert.deepInclude(error, { _tag: "ListenError", port })
      assert.include(error.message, String(port))
    }))

  it("a port that cannot be is refused at once", () => {
    assert.throws(() => FakeClaudeApi.make({ port: 70_000 }), RangeError, /port.*70000/)
  })

  it.effect("delays pass in real time under a test clock", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({ plan: FaultPlan.make({ after: FaultStep.slowFirstByte("30 millis") }) })
      assert.isAtLeast((yield* post(api.url)).headersAfter, 29)
    }))
})

const contentOf = (text: string): ReadonlyArray<unknown> => {
  const blocks: Array<Record<string, unknown>> = []
  const json: Array<string> = []
  for (const { data } of sseEvents(text)) {
    const event = JSON.parse(data)
    if (event.type === "content_block_start") blocks[event.index] = event.content_block
    const block = blocks[event.index]
    if (event.type !== "content_block_delta" || block === undefined) continue
    const { partial_json, type, ...fields } = event.delta
    if (type === "input_json_delta") {
      json[event.index] = (json[event.index] ?? "") + partial_json
      block["input"] = {}
    }
    for (const [name, value] of Object.entries(fields)) block[name] = `${String(block[name])}${String(value)}`
  }
  return blocks.map((block, index) => json[index] === undefined ? block : { ...block, input: JSON.parse(json[index]) })
}
