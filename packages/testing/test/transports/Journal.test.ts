import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import type * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import * as VirtualTime from "@effect-claude/testing/VirtualTime"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { type Reached, request, seenByFetch, type Transport, transports } from "./support.ts"

const plan: FaultPlan.FaultPlanInput = {
  seed: "a night",
  steps: [FaultStep.reset(), FaultStep.spendLimit(), FaultStep.cutStream({ afterEvents: 4 })],
  outages: [
    { from: 0, share: 0.3, step: FaultStep.overloaded() },
    { from: 0, share: 0.3, step: FaultStep.message({ interrupt: { how: "close", afterBytes: 100 } }) }
  ],
  models: { other: { after: FaultStep.htmlBadGateway() } },
  rateLimits: { requests: 25, window: "1 hour" }
}

/** The same calls, one after the other or all at once. */
const calls = (api: Pick<Reached, "fetch" | "url">, concurrency: number | "unbounded") =>
  Effect.forEach(
    Array.from({ length: 40 }, (_, index) => index),
    (index) =>
      seenByFetch(api, {
        ...request,
        model: index % 10 === 9 ? "other" : request.model,
        stream: index % 2 === 0,
        messages: index % 6 === 5 ? [] : [{ role: "user", content: `Secret ${index % 13}` }]
      }),
    { concurrency, discard: true }
  )

const journal = (transport: Transport, plan: FaultPlan.FaultPlanInput, concurrency: number | "unbounded") =>
  Effect.scoped(Effect.gen(function*() {
    const api: Reached = yield* transports[transport](plan)
    yield* calls(api, concurrency)
    yield* api.awaitEnded(40)
    return yield* api.journal
  }))

describe("the journal", () => {
  it.live("is the same twice, and on both transports", () =>
    Effect.gen(function*() {
      const one = yield* journal("memory", plan, 1)
      assert.deepStrictEqual(yield* journal("memory", plan, 1), one)
      assert.deepStrictEqual(yield* journal("socket", plan, 1), one)
      assert.sameMembers([...new Set(one.map(({ did }) => did))], [
        "disconnect reset",
        "error 429 rate_limit_error enforced_spend_limit_reached",
        "message, reset after 4 events",
        "error 529 overloaded_error",
        "message, close after 100 bytes",
        "response 502",
        "rate limit of requests",
        "refused 400 invalid_request_error",
        "message"
      ])
      assert.notInclude(JSON.stringify(one), "Secret")
      assert.deepStrictEqual(Object.keys(one[0] ?? {}), [
        "number",
        "method",
        "path",
        "model",
        "body",
        "did",
        "status",
        "bytesSent",
        "outcome"
      ])
    }))

  it.live("is the same for concurrent callers but for their order", () =>
    Effect.gen(function*() {
      const { outages = [], seed } = plan
      const unordered = { seed, outages }
      const one = FakeClaudeApi.comparable(yield* journal("memory", unordered, 1))
      assert.deepStrictEqual(FakeClaudeApi.comparable(yield* journal("memory", unordered, "unbounded")), one)
      assert.deepStrictEqual(FakeClaudeApi.comparable(yield* journal("socket", unordered, "unbounded")), one)
      const other = yield* journal("memory", { ...unordered, seed: "another night" }, 1)
      assert.notDeepEqual(FakeClaudeApi.comparable(other), one)
    }))

  it.live("is the same for concurrent callers with shares, rate limits and a ramp", () =>
    Effect.gen(function*() {
      // What a limit lets through is a matter of order, so these callers all say the same.
      const limited: FaultPlan.FaultPlanInput = {
        seed: "a night",
        outages: plan.outages,
        rateLimits: { requests: 25, window: "1 hour", ramp: { requests: 20 } }
      }
      const same = (transport: Transport, concurrency: number | "unbounded") =>
        Effect.scoped(Effect.gen(function*() {
          const api: Reached = yield* transports[transport](limited)
          yield* Effect.forEach(Array.from({ length: 40 }), () => seenByFetch(api, request), {
            concurrency,
            discard: true
          })
          yield* api.awaitEnded(40)
          return FakeClaudeApi.comparable(yield* api.journal)
        }))
      const one = yield* same("memory", 1)
      assert.deepStrictEqual(yield* same("memory", "unbounded"), one)
      assert.deepStrictEqual(yield* same("socket", "unbounded"), one)
      const did = one.map((entry) => entry.did)
      assert.strictEqual(did.filter((words) => words === "rate limit of ramp").length, 20)
      assert.sameMembers([...new Set(did)], [
        "rate limit of ramp",
        "error 529 overloaded_error",
        "message, close after 100 bytes",
        "message"
      ])
    }))

  it.effect("has times where they are virtual", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.makeInMemory({ plan: { after: FaultStep.slowFirstByte("2 minutes") } })
      yield* Effect.sleep("1 hour")
      yield* seenByFetch(api, request)
      const entries = yield* api.journal
      assert.deepInclude(entries[0], { receivedAt: 3_600_000, endedAt: 3_720_000, did: "message" })
    }).pipe(Effect.scoped, VirtualTime.run))

  it.effect("a server on a socket can run on the clock of a test", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({ clock: "caller", plan: { after: FaultStep.slowFirstByte("2 minutes") } })
      const answer = yield* Effect.forkChild(seenByFetch({ ...api, fetch: globalThis.fetch }, request), {
        startImmediately: true
      })
      yield* api.awaitRequests(1)
      yield* Effect.sleep("2 minutes")
      yield* api.awaitEnded(1)
      assert.strictEqual((yield* Fiber.join(answer)).status, 200)
      const [entry] = yield* api.journal
      assert.deepInclude(entry, { receivedAt: 0, endedAt: 120_000 })
    }).pipe(Effect.scoped, VirtualTime.run))
})
