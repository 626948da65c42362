import { Anthropic } from "@anthropic-ai/sdk"
import * as ClaudeBatches from "@effect-claude/client/ClaudeBatches"
import type { ClaudeBatchesShape } from "@effect-claude/client/ClaudeBatches"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { apiKey, itemOf, itemsOf, withBatches } from "./support.ts"

const operations = ["create", "retrieve", "list", "cancel", "delete", "results"] as const

const run = (
  batches: ClaudeBatchesShape,
  operation: typeof operations[number],
  id = "msgbatch_1"
): Effect.Effect<unknown, { readonly _tag: string; readonly message: string }> => {
  switch (operation) {
    case "create":
      return batches.create([itemOf("a")])
    case "list":
      return Stream.runDrain(batches.list())
    case "results":
      return Stream.runDrain(batches.results(id))
    default:
      return batches[operation](id)
  }
}

describe("each operation", () => {
  for (const operation of operations) {
    it.live(`${operation} is sent once, and fails with a ClaudeError`, () =>
      withBatches(
        { batches: { steps: { [operation]: [FaultStep.overloaded(), FaultStep.reset()] } } },
        ({ api, batches }) =>
          Effect.gen(function*() {
            const { id } = operation === "results" ? yield* batches.create([itemOf("a")]) : { id: "msgbatch_1" }
            const before = (yield* api.requests).length
            assert.strictEqual((yield* Effect.flip(run(batches, operation, id)))._tag, "OverloadedError")
            // Results look at their batch first.
            assert.strictEqual((yield* api.requests).length - before, operation === "results" ? 2 : 1)
            assert.strictEqual((yield* Effect.flip(run(batches, operation, id)))._tag, "ConnectionError")
          })
      ))

    it.live(`${operation} takes a page of a captive portal for no answer`, () => {
      const page = FaultStep.response({ status: 200, contentType: "text/html", body: "<html>Log in</html>" })
      return withBatches({ batches: { steps: { [operation]: [page] } } }, ({ batches }) =>
        Effect.gen(function*() {
          const { id } = operation === "results" ? yield* batches.create([itemOf("a")]) : { id: "msgbatch_1" }
          assert.strictEqual((yield* Effect.flip(run(batches, operation, id)))._tag, "InvalidResponseError")
        }))
    })

    it.live(`${operation} closes its connection when it is interrupted`, () =>
      withBatches(
        { batches: { steps: { [operation]: [FaultStep.message({ delay: "1 hour" })] } } },
        ({ api, batches }) =>
          Effect.gen(function*() {
            const { id } = operation === "create" || operation === "list"
              ? { id: "" }
              : yield* batches.create([itemOf("a")])
            const before = (yield* api.requests).length
            yield* Effect.timeoutOption(run(batches, operation, id), "200 millis")
            const requests = yield* api.awaitEnded(before + (operation === "results" ? 2 : 1))
            assert.strictEqual(requests.at(-1)?.outcome, "clientClosed")
          })
      ))
  }

  it.live("keeps the key and the prompt out of its errors", () => {
    const echo = FaultStep.error({
      status: 400,
      error: {
        type: "invalid_request_error",
        message: `key ${apiKey} sent "Summarise document confidential-merger-plan" which is wrong`
      }
    })
    return withBatches(
      { batches: { steps: { create: [echo], retrieve: [echo] } } },
      ({ batches }) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(batches.create([itemOf("confidential-merger-plan")]))
          assert.notInclude(JSON.stringify([error, error.message]), "merger-plan")
          assert.notInclude(JSON.stringify([error, error.message]), apiKey)
          assert.notInclude((yield* Effect.flip(batches.retrieve("x"))).message, apiKey)
        })
    )
  })
})

describe("create", () => {
  it.live("refuses what the API would refuse, before it sends it", () =>
    withBatches({}, ({ api, batches }) =>
      Effect.gen(function*() {
        assert.include((yield* Effect.flip(batches.create([]))).message, "at least one")
        const many = Array.from({ length: 100_001 }, () => itemOf("a"))
        assert.include((yield* Effect.flip(batches.create(many))).message, "100001 are more than the 100000")
        assert.include((yield* Effect.flip(batches.create([itemOf("a"), itemOf("a")]))).message, "twice")
        assert.deepStrictEqual(yield* api.requests, [])
      })))

  it.live("refuses a body that is too large, and takes one that is not", () =>
    withBatches({}, ({ api, batches }) =>
      Effect.gen(function*() {
        const text = "x".repeat(64 * 1024 * 1024)
        const large = (count: number) =>
          Array.from({ length: count }, (_, index): ClaudeBatches.BatchItem => ({
            custom_id: `doc-${index}`,
            params: { ...itemOf("x").params, messages: [{ role: "user", content: text }] }
          }))
        const error = yield* Effect.flip(batches.create(large(4)))
        assert.strictEqual(error._tag, "RequestTooLargeError")
        assert.deepStrictEqual(yield* api.requests, [])
      })))

  it.live("warns of a model that nobody knows, once", () =>
    withBatches({}, ({ batches, logged }) =>
      Effect.gen(function*() {
        const item = { ...itemOf("a"), params: { ...itemOf("a").params, model: "claude-sonet-5-5" } }
        yield* batches.create([item, { ...item, custom_id: "b" }])
        yield* batches.create([item])
        assert.strictEqual(logged.filter((line) => line.includes("claude-sonet-5-5")).length, 1)
      })))
})

describe("list", () => {
  it.live("gives all batches, the newest first, over as many pages as it takes", () =>
    withBatches({}, ({ api, batches }) =>
      Effect.gen(function*() {
        const ids: Array<string> = []
        for (let made = 0; made < 7; made++) ids.unshift((yield* batches.create([itemOf("a")])).id)
        yield* api.clearRequests
        const listed = yield* Stream.runCollect(batches.list({ pageSize: 3 }))
        assert.deepStrictEqual(listed.map(({ id }) => id), ids)
        assert.strictEqual((yield* api.requests).length, 3)
      })))
})

describe("delete and cancel", () => {
  it.live("are for batches that have ended, and that have not", () =>
    withBatches({ batches: { processingTime: "1 hour" } }, ({ api, batches }) =>
      Effect.gen(function*() {
        const going = yield* batches.create(itemsOf(2))
        assert.strictEqual((yield* Effect.flip(batches.delete(going.id)))._tag, "InvalidRequestError")
        yield* api.setPlan({})
        const ended = yield* batches.create(itemsOf(2))
        assert.strictEqual((yield* Effect.flip(batches.cancel(ended.id)))._tag, "InvalidRequestError")
        assert.strictEqual((yield* batches.delete(ended.id)).type, "message_batch_deleted")
        assert.strictEqual((yield* Effect.flip(batches.retrieve(ended.id)))._tag, "NotFoundError")
      })))
})

describe("one client for both services", () => {
  it.live("sends its own headers along with those of the call", () =>
    withBatches({}, ({ api }) =>
      Effect.gen(function*() {
        const client = new Anthropic({ apiKey, baseURL: api.url, defaultHeaders: { "x-team": "search" } })
        const batches = yield* ClaudeBatches.make(client)
        const { id } = yield* batches.create([itemOf("a")], { headers: { "anthropic-workspace-id": "wrkspc_1" } })
        assert.strictEqual(yield* Stream.runCount(batches.results(id)), 1)
        const [create, , results] = yield* api.requests
        assert.strictEqual(create?.headers["x-team"], "search")
        assert.strictEqual(create?.headers["anthropic-workspace-id"], "wrkspc_1")
        assert.strictEqual(results?.headers["accept"], "application/binary")
      })))

  it("refuses a key and a token, and a URL that is none", () => {
    assert.throws(() => ClaudeBatches.layer({ baseUrl: "ftp://example.com" }), RangeError, "ClaudeBatches.layer")
  })
})

describe("an answer that is half a batch", () => {
  const whole = {
    type: "message_batch",
    id: "msgbatch_1",
    processing_status: "ended",
    request_counts: { processing: 0, succeeded: 1, errored: 0, canceled: 0, expired: 0 }
  }
  const over = (answer: () => unknown) =>
    ClaudeBatches.make(new Anthropic({ apiKey, fetch: () => Promise.resolve(Response.json(answer())) }))

  for (
    const [what, fields] of [
      ["has no counts", { request_counts: {} }],
      ["has no number in a count", { request_counts: { ...whole.request_counts, expired: null } }],
      ["counts in text", { request_counts: { ...whole.request_counts, succeeded: "1" } }],
      ["does not say how far it is", { processing_status: null }]
    ] as const
  ) {
    it.effect(`${what}: is none of the API's`, () =>
      Effect.gen(function*() {
        const batches = yield* over(() => ({ ...whole, ...fields }))
        for (const operation of ["retrieve", "results"] as const) {
          assert.strictEqual((yield* Effect.flip(run(batches, operation)))._tag, "InvalidResponseError")
        }
      }))
  }

  it.effect("a list that gives the same page for ever is not read for ever", () =>
    Effect.gen(function*() {
      let asked = 0
      const batches = yield* over(() => {
        if (++asked > 5) throw new Error("asked too often")
        return { data: [whole], has_more: true }
      })
      assert.strictEqual((yield* Effect.flip(run(batches, "list")))._tag, "InvalidResponseError")
      assert.strictEqual(asked, 2)
    }))
})
