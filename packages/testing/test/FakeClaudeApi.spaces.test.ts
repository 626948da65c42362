import Anthropic, { APIError } from "@anthropic-ai/sdk"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as FakeClaudeApi from "../src/FakeClaudeApi.ts"
import type * as FaultPlan from "../src/FaultPlan.ts"
import * as FaultStep from "../src/FaultStep.ts"

type Api = FakeClaudeApi.FakeClaudeApiShape

interface Server {
  readonly api: Api
  readonly fetch: typeof globalThis.fetch
}

const socket = (plan: FaultPlan.FaultPlanInput = {}): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.map(Effect.orDie(FakeClaudeApi.make({ plan })), (api) => ({ api, fetch: globalThis.fetch }))

const memory = (plan: FaultPlan.FaultPlanInput = {}): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.map(FakeClaudeApi.makeInMemory({ plan }), (api) => ({ api, fetch: api.fetch }))

const transports = { "on the socket": socket, "in memory": memory }

const params = { model: "claude-sonnet-5-5", max_tokens: 100, messages: [{ role: "user" as const, content: "Hello" }] }

const clientOf = ({ fetch }: Server, { url }: Api) =>
  new Anthropic({ apiKey: "sk-test", baseURL: url, fetch, maxRetries: 0, logLevel: "off" })

/** The text of the answer, or what the SDK says of the failure. */
const ask = (server: Server, api: Api): Effect.Effect<string | number> =>
  Effect.promise(async (signal) => {
    try {
      const { content } = await clientOf(server, api).messages.create(params, { signal })
      return content.flatMap((block) => block.type === "text" ? [block.text] : []).join("")
    } catch (error) {
      return error instanceof APIError && error.status !== undefined ? error.status : "broken"
    }
  })

const saying = (text: string): FaultPlan.FaultPlanInput => ({ after: { kind: "message", text } })

for (const [where, serve] of Object.entries(transports)) {
  describe(`spaces ${where}`, () => {
    it.live("each has a plan, numbers and records of its own", () =>
      Effect.gen(function*() {
        const server = yield* serve(saying("shared"))
        const one = yield* server.api.isolated({ plan: { steps: [FaultStep.overloaded()], ...saying("one") } })
        const two = yield* server.api.isolated({ plan: saying("two") })
        const answers = yield* Effect.all(
          [ask(server, one), ask(server, two), ask(server, server.api)],
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(answers, [529, "two", "shared"])
        assert.strictEqual(yield* ask(server, one), "one")
        yield* two.setPlan(saying("another"))
        assert.strictEqual(yield* ask(server, two), "another")
        yield* two.clearRequests
        const seen = (api: Api) =>
          Effect.map(api.requests, (requests) =>
            requests.map(({ number, path, requestId, status }) => [number, path, requestId, status]))
        const id = (number: number) =>
          `req_fake0000000000000000000${number}`
        assert.deepStrictEqual(yield* seen(one), [[1, "/v1/messages", id(1), 529], [2, "/v1/messages", id(2), 200]])
        assert.deepStrictEqual(yield* seen(two), [])
        assert.deepStrictEqual(yield* seen(server.api), [[1, "/v1/messages", id(1), 200]])
      }))

    it.live("each has rate limits and a capacity of its own", () =>
      Effect.gen(function*() {
        const server = yield* serve()
        const plan: FaultPlan.FaultPlanInput = { rateLimits: { requests: 1 } }
        const one = yield* server.api.isolated({ plan })
        const two = yield* server.api.isolated({ plan })
        const asked = [yield* ask(server, one), yield* ask(server, one), yield* ask(server, two)]
        assert.deepStrictEqual(asked.map((answer) => typeof answer === "number" ? answer : 200), [200, 429, 200])
      }))

    it.live("each has batches of its own, with results where the space is", () =>
      Effect.gen(function*() {
        const server = yield* serve()
        const one = yield* server.api.isolated()
        const two = yield* server.api.isolated()
        yield* Effect.promise(async () => {
          const { batches } = clientOf(server, one).messages
          const { id } = await batches.create({ requests: [{ custom_id: "a", params }] })
          const { results_url } = await batches.retrieve(id)
          assert.strictEqual(results_url, `${one.url}/v1/messages/batches/${id}/results`)
          const results: Array<string> = []
          for await (const { custom_id, result } of await batches.results(id)) results.push(custom_id, result.type)
          assert.deepStrictEqual(results, ["a", "succeeded"])
          const others = await clientOf(server, two).messages.batches.list()
          assert.deepStrictEqual(others.data, [])
        })
      }))

    it.live("the end of one breaks what is in progress there, and nothing else", () =>
      Effect.gen(function*() {
        const slow: FaultPlan.FaultPlanInput = { after: { kind: "message", text: "late", delay: "60 millis" } }
        const stuck: FaultPlan.FaultPlanInput = { after: { kind: "message", delay: "1 hour" } }
        const server = yield* serve(slow)
        const scope = yield* Scope.make()
        const ending = yield* Scope.provide(server.api.isolated({ plan: stuck }), scope)
        const staying = yield* server.api.isolated({ plan: slow })
        const broken = yield* Effect.forkChild(ask(server, ending))
        yield* ending.awaitRequests(1)
        assert.strictEqual(yield* ending.openConnections, 1)
        const others = yield* Effect.forkChild(
          Effect.all([ask(server, staying), ask(server, server.api)], { concurrency: 2 })
        )
        yield* staying.awaitRequests(1)
        yield* server.api.awaitRequests(1)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(yield* Fiber.join(broken), "broken")
        yield* ending.awaitClosed
        assert.deepStrictEqual((yield* ending.requests).map(({ outcome }) => outcome), ["cut"])
        assert.deepStrictEqual(yield* Fiber.join(others), ["late", "late"])
        assert.strictEqual(yield* ask(server, ending), 404)
      }))

    it.live("there is none by any other name: a 404 that says so, and no record", () =>
      Effect.gen(function*() {
        const server = yield* serve()
        const one = yield* server.api.isolated({ id: "mine" })
        assert.strictEqual(one.url, `${server.api.url}/spaces/mine`)
        const unknown = { "/spaces/yours/v1/messages": "no space \"yours\"", "/spaces/": "no space \"\"" }
        for (const [path, message] of Object.entries(unknown)) {
          const answer = yield* Effect.promise(async () => {
            const response = await server.fetch(server.api.url + path, { method: "POST", body: "{}" })
            return { status: response.status, text: await response.text() }
          })
          assert.strictEqual(answer.status, 404)
          const { error } = JSON.parse(answer.text) as { readonly error: { readonly message: string } }
          assert.include(error.message, message)
        }
        const inside = yield* Effect.promise(() => server.fetch(`${one.url}/elsewhere`))
        assert.strictEqual(inside.status, 404)
        assert.deepStrictEqual((yield* one.requests).map(({ path }) => path), ["/elsewhere"])
        assert.deepStrictEqual(yield* server.api.requests, [])
      }))

    it.live("an id is one at a time, and free again afterwards", () =>
      Effect.gen(function*() {
        const { api } = yield* serve()
        const failure = (id: string) =>
          Effect.map(Effect.exit(Effect.scoped(api.isolated({ id }))), (exit) =>
            Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "none")
        assert.strictEqual(yield* failure("a"), "none")
        assert.strictEqual(yield* failure("a"), "none")
        yield* api.isolated({ id: "a" })
        assert.match(yield* failure("a"), /^RangeError: FakeClaudeApi\.isolated: id: .* no other space has, got "a"$/)
        for (const id of ["", "..", "a/b", "ä", "a".repeat(101)]) {
          assert.match(yield* failure(id), /^RangeError: FakeClaudeApi\.isolated: id: Expected up to 100 letters/)
        }
        yield* api.isolated({ id: "1" })
        assert.match((yield* api.isolated()).url, /\/spaces\/[2-9]$/)
      }))
  })
}

describe("onEnded", () => {
  it.live("tells of every request that is over, and of its space", () =>
    Effect.gen(function*() {
      const seen: Array<readonly [status: number | undefined, space: string | undefined]> = []
      const api = yield* FakeClaudeApi.make({
        plan: { after: FaultStep.overloaded() },
        onEnded: ({ status }, space) => {
          seen.push([status, space])
        }
      })
      const server = { api, fetch: globalThis.fetch }
      const space = yield* api.isolated({ id: "a" })
      yield* ask(server, api)
      yield* ask(server, space)
      yield* api.awaitEnded(1)
      yield* space.awaitEnded(1)
      assert.deepStrictEqual(seen, [[529, undefined], [200, "a"]])
    }))
})
