import Anthropic, { APIError } from "@anthropic-ai/sdk"
import type { BatchCreateParams } from "@anthropic-ai/sdk/resources/messages/batches"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

const requestOf = (customId: string): BatchCreateParams.Request => ({
  custom_id: customId,
  params: { model: "claude-sonnet-5-5", max_tokens: 100, messages: [{ role: "user", content: "Hello" }] }
})

const requestsOf = (count: number) => Array.from({ length: count }, (_, index) => requestOf(`doc-${index}`))

const withSdk = (
  plan: FaultPlan.FaultPlanInput,
  use: (client: Anthropic, api: FakeClaudeApi.FakeClaudeApi["Service"]) => Promise<void>
) =>
  Effect.scoped(Effect.gen(function*() {
    const api = yield* FakeClaudeApi.make({ plan })
    yield* Effect.promise(() => use(new Anthropic({ apiKey: "key", baseURL: api.url, maxRetries: 0 }), api))
  }))

const outcomesOf = async (client: Anthropic, id: string): Promise<Record<string, string>> => {
  const outcomes: Record<string, string> = {}
  for await (const { custom_id: customId, result } of await client.messages.batches.results(id)) {
    outcomes[customId] = result.type === "errored" ? result.error.error.type : result.type
  }
  return outcomes
}

const refused = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "accepted",
    (error: unknown) => error instanceof APIError ? `${error.status} ${error.type}` : String(error)
  )

describe("batches of the fake API", () => {
  it.live("are in progress, then end, with counts that agree with the results", () =>
    withSdk({
      batches: {
        processingTime: "100 millis",
        outcomes: [{ customId: "doc-1", outcome: "expired" }, { customId: "doc-2", outcome: "errored" }]
      }
    }, async (client) => {
      const batch = await client.messages.batches.create({ requests: requestsOf(4) })
      assert.strictEqual(batch.processing_status, "in_progress")
      assert.strictEqual(batch.request_counts.processing, 4)
      assert.isNull(batch.results_url)
      let ended = batch
      while (ended.processing_status !== "ended") ended = await client.messages.batches.retrieve(batch.id)
      assert.deepStrictEqual(ended.request_counts, { processing: 0, succeeded: 2, errored: 1, canceled: 0, expired: 1 })
      assert.strictEqual(Date.parse(ended.expires_at) - Date.parse(ended.created_at), 24 * 3_600_000)
      assert.deepStrictEqual(await outcomesOf(client, batch.id), {
        "doc-0": "succeeded",
        "doc-1": "expired",
        "doc-2": "api_error",
        "doc-3": "succeeded"
      })
    }))

  it.live("give each request an outcome of its own, by a share, the same each time", () =>
    withSdk({
      batches: { outcomes: [{ outcome: "expired", share: 0.25 }, { outcome: "canceled", share: 0.25 }], seed: "one" }
    }, async (client, api) => {
      const first = await client.messages.batches.create({ requests: requestsOf(2_000) })
      const outcomes = await outcomesOf(client, first.id)
      assert.deepStrictEqual(await outcomesOf(client, first.id), outcomes)
      const count = (type: string) => Object.values(outcomes).filter((outcome) => outcome === type).length
      for (const type of ["expired", "canceled"]) assert.isTrue(count(type) > 430 && count(type) < 570, type)
      // Another submission of the same ids has other luck.
      const second = await client.messages.batches.create({ requests: requestsOf(2_000) })
      assert.notDeepEqual(await outcomesOf(client, second.id), outcomes)
      assert.strictEqual((await Effect.runPromise(api.requests)).length, 2 + 2 * 3)
    }))

  it.live("fail a request that the API would refuse, and only that one", () =>
    withSdk({}, async (client) => {
      const wrong = { ...requestOf("wrong"), params: { ...requestOf("wrong").params, max_tokens: 0 } }
      const { id } = await client.messages.batches.create({ requests: [requestOf("right"), wrong] })
      assert.deepStrictEqual(await outcomesOf(client, id), { right: "succeeded", wrong: "invalid_request_error" })
    }))

  it.live("that are canceled end with what was due, and the rest canceled", () =>
    withSdk({ batches: { processingTime: "2 seconds" } }, async (client) => {
      const { id } = await client.messages.batches.create({ requests: requestsOf(100) })
      await new Promise((resolve) => setTimeout(resolve, 400))
      assert.strictEqual((await client.messages.batches.cancel(id)).processing_status, "canceling")
      let batch = await client.messages.batches.retrieve(id)
      while (batch.processing_status !== "ended") batch = await client.messages.batches.retrieve(id)
      assert.isNotNull(batch.cancel_initiated_at)
      assert.isAbove(batch.request_counts.succeeded, 0)
      assert.isAbove(batch.request_counts.canceled, 0)
      assert.strictEqual(batch.request_counts.succeeded + batch.request_counts.canceled, 100)
    }))

  it.live("are refused as the API refuses them", () =>
    withSdk({ batches: { processingTime: "1 hour" } }, async (client) => {
      const create = (requests: Array<unknown>) =>
        refused(client.messages.batches.create({ requests: requests as Array<BatchCreateParams.Request> }))
      assert.strictEqual(await create([]), "400 invalid_request_error")
      assert.strictEqual(await create([requestOf("a"), requestOf("a")]), "400 invalid_request_error")
      assert.strictEqual(await create([requestOf("no id")]), "400 invalid_request_error")
      assert.strictEqual(await create([{ custom_id: "a" }]), "400 invalid_request_error")
      assert.strictEqual(await create(requestsOf(100_001)), "400 invalid_request_error")
      const { id } = await client.messages.batches.create({ requests: [requestOf("a")] })
      assert.strictEqual(await refused(client.messages.batches.delete(id)), "400 invalid_request_error")
      assert.strictEqual(await refused(client.messages.batches.retrieve("msgbatch_nope")), "404 not_found_error")
      assert.strictEqual(
        await refused(client.messages.batches.results(id).then(() => "")),
        "AnthropicError: No batch `results_url`; Has it finished processing? in_progress - " + id
      )
      const nobody = new Anthropic({
        apiKey: null,
        authToken: "",
        baseURL: client.baseURL,
        maxRetries: 0,
        defaultHeaders: { authorization: null, "x-api-key": null }
      })
      assert.strictEqual(await refused(nobody.messages.batches.retrieve(id)), "401 authentication_error")
    }))

  it.live("above 256 MB are too large", () =>
    withSdk({}, async (client) => {
      const piece = new Uint8Array(1024 * 1024).fill(32)
      let left = 257
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          if (left-- > 0) controller.enqueue(piece)
          else controller.close()
        }
      })
      const response = await fetch(`${client.baseURL}/v1/messages/batches`, {
        method: "POST",
        headers: { "x-api-key": "key" },
        body,
        duplex: "half"
      } as RequestInit)
      assert.strictEqual(response.status, 413)
    }))

  it.live("are listed in pages, both ways", () =>
    withSdk({}, async (client) => {
      const ids: Array<string> = []
      for (let made = 0; made < 5; made++) {
        ids.unshift((await client.messages.batches.create({ requests: [requestOf("a")] })).id)
      }
      const listed: Array<string> = []
      for await (const { id } of client.messages.batches.list({ limit: 2 })) listed.push(id)
      assert.deepStrictEqual(listed, ids)
      const before = await client.messages.batches.list({ limit: 2, before_id: ids[3] ?? "" })
      assert.deepStrictEqual(before.data.map(({ id }) => id), ids.slice(1, 3))
      assert.strictEqual(await refused(client.messages.batches.list({ limit: 0 })), "400 invalid_request_error")
    }))

  it.live("can be made while the client does not hear of it", () =>
    withSdk(
      { batches: { steps: { create: [FaultStep.message({ interrupt: { how: "reset", afterBytes: 0 } })] } } },
      async (client) => {
        assert.notStrictEqual(await refused(client.messages.batches.create({ requests: [requestOf("a")] })), "accepted")
        assert.strictEqual((await client.messages.batches.list()).data.length, 1)
      }
    ))

  it.live("outlive the plan they were made under", () =>
    withSdk({ batches: { outcomes: [{ outcome: "expired" }] } }, async (client, api) => {
      const { id } = await client.messages.batches.create({ requests: [requestOf("a")] })
      await Effect.runPromise(api.setPlan({ batches: { results: [{ how: "end", afterLines: 0 }] } }))
      assert.deepStrictEqual(await outcomesOf(client, id), {})
      assert.deepStrictEqual(await outcomesOf(client, id), { a: "expired" })
    }))

  it.live("leave the steps for messages alone", () =>
    withSdk({ steps: [FaultStep.overloaded()] }, async (client) => {
      await client.messages.batches.create({ requests: [requestOf("a")] })
      assert.strictEqual(
        await refused(client.messages.create(requestOf("a").params)),
        "529 overloaded_error"
      )
    }))
})

describe("a plan for batches", () => {
  for (
    const [batches, message] of [
      [{ outcomes: [{ outcome: "vanished" }] }, "outcomes[0]"],
      [{ outcomes: [{ outcome: "expired", share: 0.6 }, { outcome: "canceled", share: 0.6 }] }, "at most 1 together"],
      [{ outcomes: [{ outcome: "expired", customId: "(" }] }, "a regular expression"],
      [{ results: [{ how: "end", afterLines: 1, afterBytes: 1 }] }, "afterLines or afterBytes"],
      [{ results: [{ afterLines: 1 }] }, "Expected how"],
      [{ steps: { create: [{ kind: "capacity", limit: 1, serviceTime: 1 }] } }, "steps.create[0]"]
    ] as const
  ) {
    it(`is refused with ${JSON.stringify(batches)}`, () => {
      assert.throws(() => FaultPlan.make({ batches } as FaultPlan.FaultPlanInput), RangeError, message)
    })
  }
})

describe("results of the fake API", () => {
  it.live("say that they were had at the price of a batch", () =>
    withSdk({}, async (client) => {
      const { id } = await client.messages.batches.create({ requests: requestsOf(1) })
      for await (const { result } of await client.messages.batches.results(id)) {
        assert.strictEqual(result.type === "succeeded" ? result.message.usage.service_tier : result.type, "batch")
      }
    }))

  it.live("know no model that the plan's rules do not know", () =>
    withSdk({ requestRules: { models: ["claude-opus-5-5"] } }, async (client) => {
      const { id } = await client.messages.batches.create({ requests: requestsOf(1) })
      assert.deepStrictEqual(await outcomesOf(client, id), { "doc-0": "not_found_error" })
    }))
})
