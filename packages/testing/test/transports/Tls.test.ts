import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import type * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { Agent, fetch as trustingFetch } from "@effect/platform-node/Undici"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { X509Certificate } from "node:crypto"
import { type Reached, request, seenByClient, seenByFetch, seenBySdk } from "./support.ts"

/** A fake API with TLS, reached by a client that trusts it. */
const serve = (plan: FaultPlan.FaultPlanInput = {}) =>
  Effect.gen(function*() {
    const api = yield* FakeClaudeApi.make({ tls: true, plan })
    const agent = yield* Effect.acquireRelease(
      Effect.sync(() => new Agent({ connect: { ca: api.certificate ?? "" } })),
      (agent) => Effect.promise(() => agent.destroy())
    )
    // The `fetch` of undici itself, as that of Node takes no agent but its own.
    const fetch = ((input: string, init: object) => trustingFetch(input, { ...init, dispatcher: agent })) as never
    return { ...api, fetch }
  })

const untrusted = { class: "Error", code: "DEPTH_ZERO_SELF_SIGNED_CERT" }

describe("TLS", () => {
  it.live("a client that does not trust the certificate stops at once", () =>
    Effect.gen(function*() {
      const api: Reached = { ...(yield* FakeClaudeApi.make({ tls: true })), fetch: globalThis.fetch }
      assert.match(api.url, /^https:/)
      const { failure } = yield* seenByFetch(api, request)
      assert.deepInclude((failure as { readonly cause: object }).cause, { code: untrusted.code })
      assert.deepInclude((yield* seenBySdk(api, false)).error, { class: "APIConnectionError" })
      assert.deepInclude(yield* seenByClient(api, true), {
        tag: "ConnectionError",
        verdict: "stop",
        code: untrusted.code
      })
      assert.deepStrictEqual(yield* api.requests, [])
    }))

  it.live("one that does gets its answers, and sees connections break as without TLS", () =>
    Effect.gen(function*() {
      const api = yield* serve({
        steps: [
          FaultStep.message({ text: "Grüße" }),
          FaultStep.reset(),
          FaultStep.closed(),
          FaultStep.cutStream({ afterEvents: 3 }),
          FaultStep.message({ interrupt: { how: "close", afterEvents: 3 } })
        ]
      })
      const codes: Array<unknown> = []
      for (let call = 0; call < 5; call++) {
        const { failure } = yield* seenByFetch(api, { ...request, stream: call > 2 })
        codes.push((failure as { readonly cause: { readonly code: string } } | undefined)?.cause.code)
      }
      assert.deepStrictEqual(codes, [undefined, "ECONNRESET", "UND_ERR_SOCKET", "ECONNRESET", "UND_ERR_SOCKET"])
      assert.deepStrictEqual((yield* api.awaitEnded(5)).map(({ outcome }) => outcome), [
        "answered",
        "cut",
        "cut",
        "cut",
        "cut"
      ])
      yield* api.awaitClosed
    }))

  it.live("a handshake that fails is what it is in memory", () =>
    Effect.gen(function*() {
      const steps = [
        FaultStep.unreachable({ code: "ERR_SSL_WRONG_VERSION_NUMBER", times: 3 }),
        FaultStep.unreachable({ code: "ECONNRESET", times: 3 })
      ]
      const onSocket = yield* serve({ steps })
      const inMemory = yield* FakeClaudeApi.makeInMemory({ plan: { steps } })
      for (const code of ["ERR_SSL_WRONG_VERSION_NUMBER", "ECONNRESET"]) {
        for (const api of [onSocket, inMemory]) {
          const { failure } = yield* seenByFetch(api, request)
          assert.deepInclude((failure as { readonly cause: object }).cause, { code })
          assert.deepInclude((yield* seenBySdk(api, false)).error, { class: "APIConnectionError" })
          assert.deepInclude(yield* seenByClient(api, true), {
            tag: "ConnectionError",
            verdict: code === "ECONNRESET" ? "connection" : "stop",
            code
          })
          assert.deepStrictEqual(yield* api.requests, [])
        }
      }
      for (const api of [onSocket, inMemory]) assert.strictEqual((yield* seenByFetch(api, request)).status, 200)
    }))

  it.live("the certificate is one for loopback", () =>
    Effect.gen(function*() {
      const { certificate = "" } = yield* FakeClaudeApi.make({ tls: true })
      const parsed = new X509Certificate(certificate)
      assert.isTrue(parsed.verify(parsed.publicKey))
      assert.strictEqual(parsed.checkIP("127.0.0.1"), "127.0.0.1")
      assert.strictEqual(parsed.checkHost("localhost"), "localhost")
      assert.isUndefined(parsed.checkHost("api.anthropic.com"))
      assert.isBelow(new Date(parsed.validFrom).getTime(), Date.now())
      assert.isAbove(new Date(parsed.validTo).getTime(), Date.now())
      assert.notInclude(certificate, "PRIVATE")
    }))
})

describe("steps that a transport cannot take are refused", () => {
  const unreachable = FaultStep.unreachable({ code: "ENOTFOUND" })
  const plans: ReadonlyArray<FaultPlan.FaultPlanInput> = [
    { steps: [unreachable] },
    { after: unreachable },
    { outages: [{ from: 0, step: unreachable }] },
    { models: { "claude-opus-5-5": { after: unreachable } } }
  ]
  for (const plan of plans) {
    it(`on a socket, ${Object.keys(plan).join()}`, () => {
      assert.throws(() => FakeClaudeApi.make({ plan }), RangeError, /unreachable ENOTFOUND.*In memory/)
      assert.throws(() => FakeClaudeApi.make({ plan, tls: true }), RangeError, /unreachable ENOTFOUND/)
    })
  }

  it("with TLS, where the request is not known yet", () => {
    const step = FaultStep.unreachable({ code: "ECONNRESET" })
    const outages = [{ from: 0, share: 0.5, step }]
    assert.throws(() => FakeClaudeApi.make({ tls: true, plan: { outages } }), RangeError, /share/)
    assert.throws(
      () => FakeClaudeApi.make({ tls: true, plan: { models: { m: { after: step } } } }),
      RangeError,
      /model/
    )
  })

  it.live("later, too, and the plan stays as it is", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({ plan: { after: FaultStep.overloaded() } })
      assert.include(String(yield* Effect.exit(api.setPlan({ after: unreachable }))), "unreachable ENOTFOUND")
      assert.include(String(yield* Effect.exit(api.isolated({ plan: { after: unreachable } }))), "unreachable")
      assert.strictEqual((yield* seenByFetch({ ...api, fetch: globalThis.fetch }, request)).status, 529)
    }))

  it.live("by the control endpoint with a 400", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({ control: true })
      const statuses = yield* Effect.promise(async () => {
        const body = JSON.stringify({ after: unreachable })
        const plan = await fetch(`${api.url}/_control/plan`, { method: "PUT", body })
        const space = await fetch(`${api.url}/_control/spaces`, {
          method: "POST",
          body: JSON.stringify({ plan: { after: unreachable } })
        })
        return [plan.status, (await plan.text()).includes("unreachable"), space.status]
      })
      assert.deepStrictEqual(statuses, [400, true, 400])
    }))
})

describe("a pipeline", () => {
  it.live("gets its answer over TLS", () =>
    Effect.gen(function*() {
      const { fetch, url } = yield* serve()
      const services = yield* Layer.build(
        AnthropicClient.layer({ apiKey: Redacted.make("key"), baseUrl: url, sdk: { fetch } })
      )
      const message = yield* Context.get(services, ClaudeService).createMessage(request)
      assert.strictEqual(message.stop_reason, "end_turn")
    }))
})
