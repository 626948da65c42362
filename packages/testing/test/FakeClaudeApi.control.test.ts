import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { request as httpRequest } from "node:http"
import { promisify } from "node:util"
import * as FakeClaudeApi from "../src/FakeClaudeApi.ts"
import * as FaultPlan from "../src/FaultPlan.ts"
import { post } from "./FakeClaudeApi.rawClient.ts"

interface Recorded {
  readonly number: number
  readonly path: string
  readonly headers: { readonly [name: string]: string }
  readonly body: unknown
  readonly receivedAt: number
  readonly status: number | null
  readonly endedAt: number | null
}

/** What an answer may hold, as far as these tests look at it. */
interface Json {
  readonly error: { readonly type: string; readonly message: string }
  readonly requests: ReadonlyArray<Recorded>
  readonly journal: ReadonlyArray<{ readonly did: string; readonly status: number | null }>
  readonly spaces: ReadonlyArray<{ readonly id: string; readonly arrived: number }>
  readonly id: string
  readonly url: string
}

interface Answer {
  readonly status: number
  readonly json: Json
  readonly allow: string | null
}

/** A request as a program in any language makes it. */
const call = (method: string, url: string, body?: unknown): Effect.Effect<Answer> =>
  Effect.promise(async (signal) => {
    const response = await fetch(url, {
      method,
      signal,
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
    })
    const text = await response.text()
    return {
      status: response.status,
      json: JSON.parse(text === "" ? "null" : text) as Json,
      allow: response.headers.get("allow")
    }
  })

const statusesOf = ({ requests }: Json): ReadonlyArray<number | null> => requests.map(({ status }) => status)

const includes = (actual: object | undefined, expected: object): void => assert.deepInclude(actual, expected)

const overloaded = { kind: "error", status: 529, error: { type: "overloaded_error" } } as const

const serve = Effect.map(FakeClaudeApi.make({ control: true }), (api) => ({ api, control: `${api.url}/_control` }))

describe("the control endpoint", () => {
  it.live("is not there unless asked for", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make()
      const { json, status } = yield* call("GET", `${api.url}/_control`)
      assert.deepStrictEqual([status, json.error.type], [404, "not_found_error"])
      assert.strictEqual((yield* api.requests).length, 1)
    }))

  it.live("reads and replaces the plan, in no record and at no step", () =>
    Effect.gen(function*() {
      const { api, control } = yield* serve
      includes(yield* call("GET", `${control}/plan`), { status: 200, json: {} })
      const plan = { steps: [overloaded, { kind: "message", delay: "1.5 millis" }] }
      const stored = { steps: [overloaded, { kind: "message", delay: 1.5 }] }
      includes(yield* call("PUT", `${control}/plan`, plan), { status: 200, json: stored })
      includes(yield* call("GET", `${control}/plan`), { status: 200, json: stored })
      assert.strictEqual((yield* post(api.url)).status, 529)
      assert.strictEqual((yield* post(api.url)).status, 200)
      assert.deepStrictEqual((yield* api.requests).map(({ number, path }) => [number, path]), [
        [1, "/v1/messages"],
        [2, "/v1/messages"]
      ])
    }))

  it.live("refuses a wrong plan in the words of decodeJson, and keeps the old one", () =>
    Effect.gen(function*() {
      const { control } = yield* serve
      yield* call("PUT", `${control}/plan`, { after: overloaded })
      const wrong = [
        "{oops",
        "",
        "[]",
        JSON.stringify({ steps: [{ kind: "message", dely: 5 }], after: { ...overloaded, times: 2 } })
      ]
      for (const text of wrong) {
        const { message } = yield* Effect.flip(FaultPlan.decodeJson(text))
        const { json, status } = yield* call("PUT", `${control}/plan`, text)
        assert.deepStrictEqual([status, json], [400, { error: { type: "invalid_request", message } }])
      }
      const plan = { steps: [{ kind: "message", dely: 5 }] }
      const { json, status } = yield* call("POST", `${control}/spaces`, { plan })
      assert.deepStrictEqual([status, json.error.message], [400, "steps[0].dely: Unknown field"])
      includes(yield* call("GET", `${control}/plan`), { json: { after: overloaded } })
    }))

  it.live("shows the requests, with what there is none of as null, and clears them", () =>
    Effect.gen(function*() {
      const { api, control } = yield* serve
      yield* post(api.url, { headers: { "x-api-key": "sk-canary", "x-mine": "1" }, body: { model: "m" } })
      yield* post(api.url, { method: "GET", path: "/nowhere?secret=1" })
      yield* api.awaitEnded(2)
      const { json, status } = yield* call("GET", `${control}/requests`)
      assert.strictEqual(status, 200)
      const [first, second] = json.requests
      includes(first, {
        number: 1,
        requestId: "req_fake00000000000000000001",
        method: "POST",
        path: "/v1/messages",
        body: { model: "m" },
        status: 400,
        outcome: "answered"
      })
      includes(first?.headers, { "x-api-key": "<redacted>", "x-mine": "1" })
      assert.isAtLeast(first?.endedAt ?? 0, first?.receivedAt ?? Infinity)
      includes(second, { number: 2, path: "/nowhere", body: null, status: 404 })
      includes(yield* call("DELETE", `${control}/requests`), { status: 204, json: null })
      includes(yield* call("GET", `${control}/requests`), { json: { requests: [] } })
    }))

  it.live("shows the journal, the same for the same requests", () =>
    Effect.gen(function*() {
      const { api, control } = yield* serve
      const one = yield* api.isolated({ id: "one", plan: { steps: [overloaded] } })
      const two = yield* api.isolated({ id: "two", plan: { steps: [overloaded] } })
      for (const { url } of [one, two, one, two]) yield* post(url)
      yield* post(api.url, { method: "GET", path: "/nowhere" })
      yield* Effect.all([one.awaitEnded(2), two.awaitEnded(2), api.awaitEnded(1)])
      const journalOf = (path: string) => Effect.map(call("GET", `${control}${path}/journal`), ({ json }) => json)
      const journal = yield* journalOf("/spaces/one")
      assert.deepStrictEqual(journal.journal.map(({ did, status }) => [did, status]), [
        ["error 529 overloaded_error", 529],
        ["message", 200]
      ])
      assert.deepStrictEqual(yield* journalOf("/spaces/two"), journal)
      includes((yield* journalOf("")).journal[0], { model: null, body: null, status: 404 })
    }))

  it.live("waits for requests to arrive and to end, and no longer than it may", () =>
    Effect.gen(function*() {
      const { api, control } = yield* serve
      yield* api.setPlan({ after: { kind: "message", delay: "60 millis" } })
      const arrived = yield* Effect.forkChild(call("GET", `${control}/requests?arrived=1&within=5+seconds`))
      const ended = yield* Effect.forkChild(call("GET", `${control}/requests?ended=2&within=5000`))
      yield* Effect.all([post(api.url), post(api.url)], { concurrency: 2 })
      assert.include(statusesOf((yield* Fiber.join(arrived)).json), null)
      assert.deepStrictEqual(statusesOf((yield* Fiber.join(ended)).json), [200, 200])
      const late = yield* call("GET", `${control}/requests?ended=3&within=20`)
      assert.deepStrictEqual([late.status, late.json.error], [408, {
        type: "timeout",
        message: "2 of 3 requests have ended in time"
      }])
    }))

  const queries: Readonly<Record<string, string>> = {
    "arrived=1&ended=1": "Expected arrived or ended, not both",
    "within=5": "within: Expected arrived or ended beside it",
    "ended=-1": "ended: Expected a whole number from 0 up, got -1",
    "arrived=many": "arrived: Expected a whole number from 0 up, got many",
    "ended=1&within=soon": "within: Expected milliseconds, or a number and a unit, such as 2 seconds, got soon",
    "ended=1&within=-1": "within: Expected milliseconds, or a number and a unit, such as 2 seconds, got -1",
    "ended=1&within=": "within: Expected milliseconds, or a number and a unit, such as 2 seconds, got ",
    "limit=5": "limit: Unknown parameter"
  }
  for (const [query, message] of Object.entries(queries)) {
    it.live(`refuses ${query}`, () =>
      Effect.gen(function*() {
        const { control } = yield* serve
        const { json, status } = yield* call("GET", `${control}/requests?${query}`)
        assert.deepStrictEqual([status, json], [400, { error: { type: "invalid_request", message } }])
      }))
  }

  it.live("begins and ends spaces, each with the same resources", () =>
    Effect.gen(function*() {
      const { api, control } = yield* serve
      const begun = yield* call("POST", `${control}/spaces`, { id: "mine", plan: { after: overloaded } })
      const state = { id: "mine", url: `${api.url}/spaces/mine`, openConnections: 0, arrived: 0, ended: 0 }
      includes(begun, { status: 201, json: state })
      const numbered = yield* call("POST", `${control}/spaces`)
      includes(numbered.json, { id: "1", url: `${api.url}/spaces/1` })

      assert.strictEqual((yield* post(begun.json.url)).status, 529)
      assert.strictEqual((yield* post(numbered.json.url)).status, 200)
      const own = `${control}/spaces/mine`
      assert.deepStrictEqual(statusesOf((yield* call("GET", `${own}/requests?ended=1`)).json), [529])
      includes(yield* call("GET", own), { json: { ...state, arrived: 1, ended: 1 } })
      includes(yield* call("PUT", `${own}/plan`, {}), { status: 200, json: {} })
      assert.strictEqual((yield* post(begun.json.url)).status, 200)
      assert.strictEqual((yield* call("DELETE", `${own}/requests`)).status, 204)
      const all = yield* call("GET", control)
      includes(all.json, { url: api.url, arrived: 0, ended: 0 })
      assert.deepStrictEqual(all.json.spaces.map(({ arrived, id }) => [id, arrived]), [["mine", 0], ["1", 1]])

      const taken = yield* call("POST", `${control}/spaces`, { id: "mine" })
      assert.deepStrictEqual([taken.status, taken.json.error.type], [409, "conflict"])
      assert.strictEqual((yield* call("DELETE", own)).status, 204)
      for (const [method, url] of [["GET", own], ["DELETE", own], ["GET", `${own}/plan`]] as const) {
        const gone = yield* call(method, url)
        assert.deepStrictEqual([gone.status, gone.json.error.type], [404, "not_found"])
      }
      assert.strictEqual((yield* post(begun.json.url)).status, 404)
      assert.strictEqual((yield* post(numbered.json.url)).status, 200)
      assert.strictEqual((yield* api.requests).length, 0)
    }))

  it.live("the end of a space breaks what is in progress there", () =>
    Effect.gen(function*() {
      const { control } = yield* serve
      const plan = { after: { kind: "message", delay: "1 hour" } }
      const { json } = yield* call("POST", `${control}/spaces`, { plan })
      const pending = yield* Effect.forkChild(
        Effect.promise(() =>
          fetch(`${json.url}/v1/messages`, { method: "POST", body: "{}" }).then(() => "answered", () => "broken")
        )
      )
      yield* call("GET", `${control}/spaces/${json.id}/requests?arrived=1`)
      yield* call("DELETE", `${control}/spaces/${json.id}`)
      assert.strictEqual(yield* Fiber.join(pending), "broken")
    }))

  const wrong: ReadonlyArray<readonly [method: string, path: string, status: number, body?: unknown]> = [
    ["POST", "/plan", 405],
    ["PUT", "/requests", 405],
    ["PATCH", "", 405],
    ["GET", "/spaces", 405],
    ["GET", "/nowhere", 404],
    ["GET", "/plan/more", 404],
    ["GET", "/spaces/none", 404],
    ["GET", "/spaces/%E0%A4%A", 404],
    ["POST", "/spaces", 400, { name: "a" }],
    ["POST", "/spaces", 400, { id: "a b" }],
    ["POST", "/spaces", 400, { id: 5 }],
    ["POST", "/spaces", 400, "5"],
    ["POST", "/spaces", 400, "{"]
  ]
  for (const [method, path, status, body] of wrong) {
    it.live(`${method} ${path} ${JSON.stringify(body) ?? ""} is a ${status} that says why`, () =>
      Effect.gen(function*() {
        const { control } = yield* serve
        const answer = yield* call(method, control + path, body)
        assert.strictEqual(answer.status, status)
        assert.isNotEmpty(answer.json.error.message)
        assert.strictEqual(answer.allow !== null, status === 405)
      }))
  }

  for (const path of ["/..", "/../v1/messages", "/spaces/../plan", "/spaces/./a/plan", "//plan", "/%70lan"]) {
    it.live(`${path} leads nowhere else`, () =>
      Effect.gen(function*() {
        const { api } = yield* serve
        const status = yield* Effect.callback<number | undefined>((resume) => {
          const { hostname, port } = new URL(api.url)
          const asked = httpRequest({ hostname, port, path: `/_control${path}`, agent: false }, (response) => {
            response.resume().once("end", () => resume(Effect.succeed(response.statusCode)))
          })
          asked.end()
        })
        assert.strictEqual(status, 404)
      }))
  }

  describe("and web pages", () => {
    const withHeaders = (url: string, headers: Readonly<Record<string, string>>): Effect.Effect<number | undefined> =>
      Effect.callback((resume) => {
        const request = httpRequest(`${url}/_control/plan`, { headers, agent: false }, (response) => {
          response.resume().once("end", () => resume(Effect.succeed(response.statusCode)))
        })
        request.end()
        return Effect.sync(() => request.destroy())
      })

    const refused: ReadonlyArray<Readonly<Record<string, string>>> = [
      { origin: "https://example.com" },
      { origin: "null" },
      { origin: "http://127.0.0.1:3000" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-origin" },
      { host: "example.com" },
      { host: "127.0.0.1.example.com" },
      { host: "localhost:80.example.com" }
    ]
    for (const headers of refused) {
      it.live(`refuses ${JSON.stringify(headers)}`, () =>
        Effect.gen(function*() {
          const { api } = yield* serve
          assert.strictEqual(yield* withHeaders(api.url, headers), 403)
        }))
    }

    for (const host of ["localhost", "LOCALHOST:4000", "127.0.0.1:1", "[::1]:80"]) {
      it.live(`takes the host ${host}`, () =>
        Effect.gen(function*() {
          const { api } = yield* serve
          assert.strictEqual(yield* withHeaders(api.url, { host }), 200)
        }))
    }
  })

  it.live("does what docs/fake-api.md says, run by a shell", () =>
    Effect.gen(function*() {
      const { api } = yield* serve
      const page = readFileSync(new URL("../../../docs/fake-api.md", import.meta.url), "utf8")
      const script = [...page.matchAll(/^```sh\n(curl .*?)^```/gms)].map(([, commands]) => commands).join("")
      const shell = promisify(execFile)("sh", ["-ec", script.replaceAll("http://127.0.0.1:4000", api.url)])
      const { stdout } = yield* Effect.promise(() => shell)
      const promised = [...page.matchAll(/^# (\{.*\})$/gm)].map(([, line = ""]) =>
        line.replace("http://127.0.0.1:4000", api.url)
      )
      assert.strictEqual(promised.length, 2)
      for (const line of promised) assert.include(stdout, line)
      assert.include(stdout, "of 3 requests have ended in time")
    }))
})
