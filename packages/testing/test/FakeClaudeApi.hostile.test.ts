import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as FakeClaudeApi from "../src/FakeClaudeApi.ts"
import type * as FaultPlan from "../src/FaultPlan.ts"
import { request } from "./FakeClaudeApi.rawClient.ts"
import { RawClient } from "./RawClient.ts"

type Api = FakeClaudeApi.FakeClaudeApi["Service"]

const json = JSON.stringify(request)

const head = (lines: ReadonlyArray<string> = [], target = "/v1/messages", version = "1.1", method = "POST"): string =>
  [
    `${method} ${target} HTTP/${version}`,
    "host: localhost",
    "x-api-key: key",
    "content-type: application/json",
    ...lines,
    "",
    ""
  ].join("\r\n")

const whole = (body: string, lines: ReadonlyArray<string> = []): string =>
  head([`content-length: ${Buffer.byteLength(body)}`, ...lines]) + body

const statusOf = (answer: string): string => /^HTTP\/1\.1 (\d+) /.exec(answer)?.[1] ?? "none"

/** As many complete JSON answers as the text has. */
const answers = (text: string): number => text.split("\"type\":\"message\"").length - 1

/**
 * Runs a hostile client against a server of its own, and then makes sure of the server: it answers the next request, no
 * connection is left, and no request is taken for one that goes on.
 */
const survives = (
  name: string,
  attack: (api: Api, client: RawClient) => Effect.Effect<void, never, Scope.Scope>,
  plan: FaultPlan.FaultPlanInput = {}
) =>
  it.live(name, () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({ plan })
      yield* Effect.scoped(Effect.flatMap(RawClient.open(api.url), (client) => attack(api, client)))
      yield* api.awaitClosed
      yield* api.setPlan({})
      const next = yield* RawClient.open(api.url)
      yield* next.send(whole(json, ["connection: close"]))
      assert.strictEqual(statusOf(yield* next.closed), "200")
      yield* api.awaitClosed
      assert.strictEqual(yield* api.openConnections, 0)
      assert.notInclude((yield* api.requests).map(({ outcome }) => outcome), "pending")
    }))

const slow: FaultPlan.FaultPlanInput = { after: { kind: "message", delay: "1 minute" } }
const slowStream: FaultPlan.FaultPlanInput = { after: { kind: "message", eventDelay: "1 minute" } }
const stream = JSON.stringify({ ...request, stream: true })

describe("a client that goes away", () => {
  const stages: Readonly<Record<string, readonly [sent: string, plan: FaultPlan.FaultPlanInput, waits?: string]>> = {
    "before it says anything": ["", {}],
    "in the request line": ["POST /v1/mess", {}],
    "in the headers": [head().slice(0, -9), {}],
    "between headers and body": [head(["content-length: 1000"]), {}],
    "in the body": [head(["content-length: 1000"]) + "{\"model\":", {}],
    "in a chunk of the body": [head(["transfer-encoding: chunked"]) + "ff\r\n{\"mod", {}],
    "before the answer": [whole(json), slow],
    "in the middle of a stream": [whole(stream), slowStream, "event: message_start"]
  }
  const ways: Readonly<Record<string, (client: RawClient) => void>> = {
    "closes": ({ socket }) => socket.destroy(),
    "resets": ({ socket }) => socket.resetAndDestroy(),
    "ends its side": ({ socket }) => socket.end()
  }
  for (const [stage, [sent, plan, waits]] of Object.entries(stages)) {
    for (const [how, leave] of Object.entries(ways)) {
      survives(`${how} ${stage}`, (api, client) =>
        Effect.gen(function*() {
          if (sent !== "") yield* client.send(sent)
          if (sent === whole(json)) yield* api.awaitRequests(1)
          if (waits !== undefined) yield* client.until((text) => text.includes(waits))
          leave(client)
          yield* client.closed
        }), plan)
    }
  }

  it.live("is told from a request that was answered", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({ plan: slow })
      const client = yield* RawClient.open(api.url)
      yield* client.send(whole(json))
      yield* api.awaitRequests(1)
      client.socket.resetAndDestroy()
      const [recorded] = yield* api.awaitEnded(1)
      assert.deepInclude(recorded, { status: undefined, outcome: "clientClosed" })
    }))
})

describe("a client that does not speak HTTP", () => {
  const refused: Readonly<Record<string, readonly [sent: string, status: string]>> = {
    "sends garbage": ["\x16\x03\x01\x02garbage\r\n\r\n", "400"],
    "sends zeros": ["\0".repeat(1000), "400"],
    "begins with HTTP/2": ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"],
    "names a version that there is not": [head([], "/v1/messages", "7.3"), "400"],
    "sends headers of 100 KB": [head([`x-large: ${"a".repeat(100_000)}`]), "431"],
    "sends 5000 headers": [head(Array.from({ length: 5000 }, (_, n) => `x-${n}: a`)), "431"],
    "sends a header without a name": [head([": nothing"]), "400"],
    "sends a content-length that is no number": [head(["content-length: many"]), "400"],
    "sends a content-length below zero": [head(["content-length: -5"]), "400"],
    "sends two lengths": [head(["content-length: 5", "content-length: 6"]), "400"],
    "sends a length and chunks": [head(["content-length: 5", "transfer-encoding: chunked"]), "400"],
    "sends a chunk of no size": [head(["transfer-encoding: chunked"]) + "zz\r\nabc\r\n", "400"],
    "sends a chunk longer than it says": [head(["transfer-encoding: chunked"]) + "2\r\nabcdef\r\n", "400"]
  }
  for (const [name, [sent, status]] of Object.entries(refused)) {
    survives(name, (_, client) =>
      Effect.gen(function*() {
        yield* client.send(sent)
        assert.strictEqual(statusOf(yield* client.closed), status)
      }))
  }

  survives("announces less than it sends: what is left over is no request", (_, client) =>
    Effect.gen(function*() {
      yield* client.send(head(["content-length: 10"]) + json)
      assert.strictEqual(statusOf(yield* client.closed), "400")
    }))

  survives("announces more than it sends: that is no request until it leaves", (api, client) =>
    Effect.gen(function*() {
      yield* client.send(head(["content-length: 1000"]) + json)
      yield* Effect.sleep("20 millis")
      assert.strictEqual((yield* api.requests).length, 0)
      client.socket.destroy()
      const [recorded] = yield* api.awaitEnded(1)
      assert.deepInclude(recorded, { outcome: "clientClosed", body: undefined })
    }))
})

describe("a client that sends too much", () => {
  const size = 64 * 1024 * 1024
  const piece = Buffer.alloc(1024 * 1024, 0x20)
  const pieces = Effect.fnUntraced(function*(client: RawClient, frame: (piece: Buffer) => Buffer) {
    const framed = frame(piece)
    for (let sent = 0; sent < size; sent += piece.length) yield* client.send(framed)
  })
  const framings = {
    "with its length": { lines: [`content-length: ${size}`], frame: (piece: Buffer) => piece, end: "" },
    "in chunks": {
      lines: ["transfer-encoding: chunked"],
      frame: (piece: Buffer) =>
        Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]),
      end: "0\r\n\r\n"
    }
  }
  for (const [how, { end, frame, lines }] of Object.entries(framings)) {
    survives(`64 MB ${how}: 413, and the connection goes on`, (api, client) =>
      Effect.gen(function*() {
        yield* client.send(head(lines))
        yield* pieces(client, frame)
        yield* client.send(end)
        const refused = yield* client.until((text) => text.includes("request_too_large"))
        assert.strictEqual(statusOf(refused), "413")
        yield* client.send(whole(json))
        yield* client.until((text) => answers(text) === 1)
        assert.deepStrictEqual((yield* api.requests).map(({ body }) => body === undefined), [true, false])
      }))
  }
})

describe("a client that says nothing", () => {
  for (const [where, sent] of Object.entries({ "at all": "", "after half a request": head().slice(0, 30) })) {
    it.live(`${where} does not keep the server`, () =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const api = yield* Scope.provide(FakeClaudeApi.make(), scope)
        const client = yield* RawClient.open(api.url)
        if (sent !== "") yield* client.send(sent)
        yield* Scope.close(scope, Exit.void)
        yield* client.closed
      }))
  }

  survives("on a thousand connections", (api) =>
    Effect.gen(function*() {
      const clients = yield* Effect.forEach(
        Array.from({ length: 1000 }),
        () => RawClient.open(api.url),
        { concurrency: 100 }
      )
      const [first] = clients
      yield* first?.send(whole(json)) ?? Effect.void
      yield* first?.until((text) => answers(text) === 1) ?? Effect.void
      // The last ones may be waiting to be accepted.
      while ((yield* api.openConnections) < 1000) yield* Effect.sleep("5 millis")
      assert.strictEqual(clients.length, 1000)
    }))
})

describe("a client that does not read", () => {
  const megabytes = 40
  const flood: FaultPlan.FaultPlanInput = {
    after: {
      kind: "message",
      insert: [{ kind: "comment", text: "x".repeat(1024 * 1024), count: megabytes, afterEvents: 2 }]
    }
  }

  survives("a large stream holds it up, and gets all of it when it reads", (api, client) =>
    Effect.gen(function*() {
      client.socket.pause()
      yield* client.send(whole(stream, ["connection: close"]))
      yield* Effect.sleep("100 millis")
      assert.strictEqual((yield* api.requests)[0]?.outcome, "pending")
      client.socket.resume()
      const received = yield* client.closed
      assert.isAbove(received.length, megabytes * 1024 * 1024)
      assert.include(received, "event: message_stop")
      assert.strictEqual((yield* api.awaitEnded(1))[0]?.outcome, "answered")
    }), flood)

  survives("a large stream, and goes away", (api, client) =>
    Effect.gen(function*() {
      client.socket.pause()
      yield* client.send(whole(stream))
      yield* api.awaitRequests(1)
      client.socket.resetAndDestroy()
      assert.strictEqual((yield* api.awaitEnded(1))[0]?.outcome, "clientClosed")
    }), flood)
})

describe("a client of another kind", () => {
  survives("HTTP/1.0: a message, then the connection closes", (_, client) =>
    Effect.gen(function*() {
      yield* client.send(head([`content-length: ${json.length}`], "/v1/messages", "1.0") + json)
      const received = yield* client.closed
      assert.strictEqual(statusOf(received), "200")
      assert.strictEqual(answers(received), 1)
    }))

  survives("HTTP/1.0: a stream without chunks", (_, client) =>
    Effect.gen(function*() {
      yield* client.send(head([`content-length: ${stream.length}`], "/v1/messages", "1.0") + stream)
      const received = yield* client.closed
      assert.notInclude(received.toLowerCase(), "transfer-encoding")
      assert.match(received, /\r\n\r\nevent: message_start\n/)
      assert.include(received, "event: message_stop")
    }))

  survives("pipelined requests are answered in order, each with its step", (api, client) =>
    Effect.gen(function*() {
      yield* client.send(whole(json) + whole(stream) + whole(json, ["connection: close"]))
      const received = yield* client.closed
      assert.deepStrictEqual([...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status), [
        "200",
        "200",
        "529"
      ])
      assert.isBelow(received.indexOf("Slow"), received.indexOf("event: message_start"))
      assert.strictEqual((yield* api.requests).length, 3)
    }), {
    steps: [
      { kind: "message", text: "Slow", delay: "30 millis" },
      { kind: "message" },
      { kind: "error", status: 529, error: { type: "overloaded_error" } }
    ]
  })

  survives("Expect: 100-continue is told to go on", (_, client) =>
    Effect.gen(function*() {
      yield* client.send(head([`content-length: ${json.length}`, "expect: 100-continue"]))
      yield* client.until((text) => text === "HTTP/1.1 100 Continue\r\n\r\n")
      yield* client.send(json)
      yield* client.until((text) => text.includes("HTTP/1.1 200 OK") && answers(text) === 1)
    }))

  survives("Expect: anything else is a 417", (_, client) =>
    Effect.gen(function*() {
      yield* client.send(whole(json, ["expect: miracles", "connection: close"]))
      assert.strictEqual(statusOf(yield* client.closed), "417")
    }))

  survives("Upgrade: websocket is not heard", (_, client) =>
    Effect.gen(function*() {
      yield* client.send(whole(json, ["connection: upgrade, close", "upgrade: websocket"]))
      assert.strictEqual(statusOf(yield* client.closed), "200")
    }))

  for (const method of ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "PROPFIND"]) {
    survives(`${method} is not allowed`, (_, client) =>
      Effect.gen(function*() {
        yield* client.send(head(["connection: close", "content-length: 0"], "/v1/messages", "1.1", method))
        const received = yield* client.closed
        assert.strictEqual(statusOf(received), "405")
        assert.match(received, /\r\nallow: POST\r\n/i)
      }))
  }

  survives("CONNECT is no business of an API", (_, client) =>
    Effect.gen(function*() {
      yield* client.send(head([], "example.com:443", "1.1", "CONNECT"))
      assert.notStrictEqual(statusOf(yield* client.closed), "200")
    }))

  const paths: Readonly<Record<string, string>> = {
    "http://localhost/v1/messages": "200",
    "http://localhost:1234/v1/messages?beta=true": "200",
    "/v1/messages?beta=true": "200",
    "/v1/%6Dessages": "404",
    "/v1%2Fmessages": "404",
    "/v1/messages/": "404",
    "//v1/messages": "404",
    "/v1/messages/batches/%E0%A4%A": "401",
    "/v1/messages/batches/%00/results?%": "401",
    "/%": "404",
    "http://localhost": "404",
    "http://%/v1/messages": "200",
    "*": "404"
  }
  for (const [target, status] of Object.entries(paths)) {
    survives(`the path ${target}`, (_, client) =>
      Effect.gen(function*() {
        const batches = target.includes("batches")
        yield* client.send(
          batches
            ? `GET ${target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`
            : head([`content-length: ${json.length}`, "connection: close"], target) + json
        )
        assert.strictEqual(statusOf(yield* client.closed), status)
      }))
  }
})
