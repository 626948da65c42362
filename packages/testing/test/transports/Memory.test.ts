import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import * as VirtualTime from "@effect-claude/testing/VirtualTime"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import { described, postWith, readAll, request, seenByClient, seenByFetch, seenBySdk, transports } from "./support.ts"

const streamed = { ...request, stream: true }
const plan = (after: FaultStep.FaultStepInput) => ({ plan: { after } })
const hour = 3_600_000

describe("a connection that cannot be made", () => {
  const codes = [
    ["ECONNREFUSED", "ConnectionError", "connection"],
    ["ECONNRESET", "ConnectionError", "connection"],
    ["ENOTFOUND", "ConnectionError", "stop"],
    ["EAI_AGAIN", "ConnectionError", "connection"],
    ["ETIMEDOUT", "AttemptTimeoutError", "timeout"],
    ["EHOSTUNREACH", "ConnectionError", "connection"],
    ["ENETUNREACH", "ConnectionError", "connection"],
    ["UND_ERR_CONNECT_TIMEOUT", "AttemptTimeoutError", "timeout"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "ConnectionError", "stop"],
    ["CERT_HAS_EXPIRED", "ConnectionError", "stop"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "ConnectionError", "stop"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "ConnectionError", "stop"]
  ] as const
  for (const [code, tag, verdict] of codes) {
    it.effect(`${code}: fetch, the SDK and our client tell it, and nothing arrives`, () =>
      Effect.gen(function*() {
        const api = yield* FakeClaudeApi.makeInMemory(plan(FaultStep.unreachable({ code })))
        const seen = yield* seenByFetch(api, request)
        assert.deepInclude(seen.failure, { message: "fetch failed", name: "TypeError" })
        assert.strictEqual((seen.failure as { readonly cause: { readonly code: string } }).cause.code, code)
        const { error } = yield* seenBySdk(api, false)
        const isTimeout = tag === "AttemptTimeoutError"
        assert.deepInclude(error, { class: isTimeout ? "APIConnectionTimeoutError" : "APIConnectionError" })
        const failed = yield* seenByClient(api, true)
        assert.deepInclude(failed, { tag, verdict, ...(isTimeout ? {} : { code }) })
        assert.deepStrictEqual(yield* api.requests, [])
        assert.strictEqual(yield* api.openConnections, 0)
        assert.strictEqual(yield* Clock.currentTimeMillis, code === "UND_ERR_CONNECT_TIMEOUT" ? 30_000 : 0)
      }).pipe(Effect.scoped, VirtualTime.run))
  }

  it.effect("an outage of the name server for an hour", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.makeInMemory({
        plan: { outages: [{ from: 0, to: "1 hour", step: FaultStep.unreachable({ code: "EAI_AGAIN" }) }] }
      })
      assert.property(yield* seenByFetch(api, request), "failure")
      yield* Effect.sleep("1 hour")
      assert.strictEqual((yield* seenByFetch(api, request)).status, 200)
      assert.deepInclude((yield* api.requests)[0], { number: 1, receivedAt: hour })
    }).pipe(Effect.scoped, VirtualTime.run))

  it.effect("once the scope has ended, the connection is refused", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const api = yield* Scope.provide(FakeClaudeApi.makeInMemory(plan(FaultStep.slowFirstByte("1 hour"))), scope)
      const pending = postWith(api).catch(described)
      yield* api.awaitRequests(1)
      yield* Scope.close(scope, Exit.void)
      assert.deepInclude(yield* Effect.promise(() => pending), { cause: { ...closed } })
      assert.strictEqual((yield* api.requests)[0]?.outcome, "cut")
      assert.deepInclude((yield* seenByFetch(api, request)).failure, { message: "fetch failed" })
    }))
})

const closed = {
  class: "SocketError",
  name: "SocketError",
  message: "other side closed",
  code: "UND_ERR_SOCKET"
}

describe("the limits of Node's fetch, in virtual time", () => {
  it.effect("headers within 300 seconds", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.makeInMemory(plan(FaultStep.slowFirstByte("299 seconds")))
      assert.strictEqual((yield* seenByFetch(api, request)).status, 200)
      yield* api.setPlan({ after: FaultStep.slowFirstByte("301 seconds") })
      const { failure } = yield* seenByFetch(api, request)
      assert.deepInclude((failure as { readonly cause: object }).cause, { code: "UND_ERR_HEADERS_TIMEOUT" })
      assert.strictEqual(yield* Clock.currentTimeMillis, 599_000)
      assert.deepStrictEqual((yield* api.requests).map(({ outcome }) => outcome), ["answered", "clientClosed"])
    }).pipe(Effect.scoped, VirtualTime.run))

  it.effect("the next bytes of a body within 300 seconds, however long it takes in all", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.makeInMemory(plan(FaultStep.message({ eventDelay: "299 seconds" })))
      assert.isUndefined((yield* seenByFetch(api, streamed)).failure)
      yield* api.setPlan({ after: FaultStep.stallStream({ afterEvents: 3 }) })
      const { failure } = yield* seenByFetch(api, streamed)
      assert.deepInclude(failure, { message: "terminated" })
      assert.deepInclude((failure as { readonly cause: object }).cause, { code: "UND_ERR_BODY_TIMEOUT" })
      assert.strictEqual((yield* api.requests)[1]?.outcome, "clientClosed")
    }).pipe(Effect.scoped, VirtualTime.run))

  it.effect("less than was announced ends as the idle connection closes", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.makeInMemory(
        plan(FaultStep.response({ status: 200, body: "abc", headers: { "content-length": "10" } }))
      )
      const { bytes, failure } = yield* seenByFetch(api, request)
      assert.strictEqual(bytes, "abc")
      assert.deepInclude((failure as { readonly cause: object }).cause, closed)
      assert.strictEqual(yield* Clock.currentTimeMillis, 60_000)
    }).pipe(Effect.scoped, VirtualTime.run))

  it.effect("leaves no timer behind when the client gives up before that", () =>
    Effect.gen(function*() {
      let asleep = 0
      const clock = yield* Clock.Clock
      const sleep: Clock.Clock["sleep"] = (duration) =>
        Effect.suspend(() => {
          asleep++
          return Effect.ensuring(clock.sleep(duration), Effect.sync(() => asleep--))
        })
      // The rest is inherited, so that it stays a test clock.
      const counting: Clock.Clock = Object.assign(Object.create(clock), { sleep })
      const api = yield* Effect.provideService(
        FakeClaudeApi.makeInMemory(
          plan(FaultStep.response({
            status: 200,
            body: "abc",
            headers: { "content-length": "10" },
            bodyDelay: "1 second"
          }))
        ),
        Clock.Clock,
        counting
      )
      const controller = new AbortController()
      const response = yield* Effect.promise(() => postWith(api, request, { signal: controller.signal }))
      const reading = readAll(response)
      yield* Effect.sleep("10 seconds")
      controller.abort()
      assert.property(yield* Effect.promise(() => reading), "failure")
      assert.strictEqual(asleep, 0)
    }).pipe(Effect.scoped, VirtualTime.run))
})

describe("bodies that nobody reads", () => {
  it.effect("hold a server up, and go on when they are read", () =>
    Effect.gen(function*() {
      const text = "word ".repeat(6_000)
      const api = yield* FakeClaudeApi.makeInMemory(plan(FaultStep.message({ text })))
      const response = yield* Effect.promise(() => postWith(api, streamed))
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 20)))
      const [held] = yield* api.requests
      assert.strictEqual(held?.outcome, "pending")
      assert.isBelow(held?.bytesSent ?? Infinity, 300_000)
      const { bytes, failure } = yield* Effect.promise(() => readAll(response))
      assert.isUndefined(failure)
      const [ended] = yield* api.awaitEnded(1)
      assert.deepInclude(ended, { outcome: "answered", bytesSent: bytes.length })
      assert.isAbove(bytes.length, 600_000)
    }).pipe(Effect.scoped))

  it.effect("end with the scope", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const api = yield* Scope.provide(
        FakeClaudeApi.makeInMemory(plan(FaultStep.message({ text: "word ".repeat(6_000) }))),
        scope
      )
      const response = yield* Effect.promise(() => postWith(api, streamed))
      yield* Scope.close(scope, Exit.void)
      const [cut] = yield* api.requests
      assert.strictEqual(cut?.outcome, "cut")
      const { bytes, failure } = yield* Effect.promise(() => readAll(response))
      assert.isAbove(bytes.length, 0)
      assert.isAtMost(bytes.length, cut?.bytesSent ?? 0)
      assert.deepInclude(described(failure), { message: "terminated" })
    }))
})

describe("no fiber outlives its exchange", () => {
  const steps: Readonly<Record<string, FaultStep.FaultStepInput>> = {
    "an answer": FaultStep.message(),
    "a reset": FaultStep.reset(),
    "a connection that cannot be made": FaultStep.unreachable({ code: "ECONNREFUSED" }),
    "a stream that is cut": FaultStep.cutStream({ afterEvents: 2 })
  }
  for (const [name, step] of Object.entries(steps)) {
    it.effect(name, () => {
      let running = 0
      return Effect.gen(function*() {
        const api = yield* FakeClaudeApi.makeInMemory(plan(step))
        const before = running
        for (let call = 0; call < 3; call++) yield* seenByFetch(api, streamed)
        yield* Effect.yieldNow
        assert.strictEqual(running - before, 0)
      }).pipe(
        Effect.scoped,
        Effect.provideService(Metric.FiberRuntimeMetrics, {
          recordFiberStart: () => running++,
          recordFiberEnd: () => running--
        })
      )
    })
  }
})

describe("what a client may ask of fetch", () => {
  it.effect("a Request, a URL, bytes, streams, and reading into a buffer of its own", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.makeInMemory()
      const text = JSON.stringify(request)
      const init = { method: "POST", headers: { "x-api-key": "key" } }
      const url = `${api.url}/v1/messages`
      const inputs: ReadonlyArray<Parameters<typeof globalThis.fetch>> = [
        [new Request(url, { ...init, body: text })],
        [new URL(url), { ...init, method: "post", body: Buffer.from(text) }],
        ["https://api.anthropic.com/v1/messages?beta=true#part", { ...init, body: new Blob([text]) }],
        [url, { ...init, body: new Response(text).body, duplex: "half" } as RequestInit]
      ]
      for (const input of inputs) {
        const response = yield* Effect.promise(() => api.fetch(...input))
        assert.strictEqual(response.status, 200)
        assert.notInclude(response.url, "#")
        const reader = response.body?.getReader({ mode: "byob" })
        let size = 0
        for (let done = false; !done;) {
          const next = yield* Effect.promise(async () => reader?.read(new Uint8Array(100)))
          done = next?.done ?? true
          size += next?.value?.length ?? 0
        }
        assert.strictEqual(String(size), response.headers.get("content-length"))
      }
      const requests = yield* api.requests
      assert.deepStrictEqual(requests.map(({ body }) => body), Array.from(inputs, () => request))
      assert.isTrue(requests.every(({ outcome }) => outcome === "answered"))
    }).pipe(Effect.scoped))

  it.effect("what fetch refuses is refused", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.makeInMemory()
      const wrong: ReadonlyArray<Parameters<typeof globalThis.fetch>> = [
        ["no url"],
        [api.url, { method: "GET", body: "x" }],
        [api.url, { method: "TRACE" }],
        [api.url, { headers: { "x y": "z" } }],
        [api.url, { signal: AbortSignal.abort(new TypeError("before")) }]
      ]
      for (const input of wrong) {
        const error = yield* Effect.promise(() => api.fetch(...input).then(() => undefined, (error: unknown) => error))
        assert.instanceOf(error, TypeError, JSON.stringify(input))
      }
      assert.deepStrictEqual(yield* api.requests, [])
    }).pipe(Effect.scoped))

  it.live("HEAD has no body, as on a socket", () =>
    Effect.gen(function*() {
      for (const serve of [transports.socket, transports.memory]) {
        const api = yield* serve({})
        const response = yield* Effect.promise(() => api.fetch(`${api.url}/v1/messages`, { method: "HEAD" }))
        assert.strictEqual(response.status, 405)
        assert.isNull(response.body)
        assert.isAbove(Number(response.headers.get("content-length")), 0)
      }
    }))

  it.effect("spaces are reached by it too", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.makeInMemory()
      const space = yield* api.isolated({ plan: { after: FaultStep.overloaded() } })
      assert.strictEqual((yield* seenByFetch({ ...api, url: space.url }, request)).status, 529)
      assert.strictEqual((yield* seenByFetch(api, request)).status, 200)
      assert.strictEqual((yield* space.requests).length, 1)
    }).pipe(Effect.scoped))
})
