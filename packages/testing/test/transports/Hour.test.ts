import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import * as VirtualTime from "@effect-claude/testing/VirtualTime"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import { request } from "./support.ts"

const hour = 3_600_000

// Long ones, so that a caller makes two requests or three: what a request costs is the subject of a benchmark.
const waits = { base: "90 minutes", cap: "2 hours", attempts: 12 } as const

/** Callers who ask in an outage of an hour, through the SDK, and all get their answer after it. */
const storm = (callers: number) =>
  Effect.gen(function*() {
    const api = yield* FakeClaudeApi.makeInMemory({
      plan: { outages: [{ from: 0, to: "1 hour", step: FaultStep.overloaded() }] }
    })
    const Claude = AnthropicClient.layer({ apiKey: Redacted.make("key"), sdk: { fetch: api.fetch } }).pipe(
      ClaudeLayer.withRetry(
        ClaudeSchedule.make({ ...waits, jitter: "equal", kinds: { overloaded: waits } })
      )
    )
    yield* Effect.provide(
      Effect.flatMap(Effect.service(ClaudeService), (claude) =>
        Effect.forEach(
          Array.from({ length: callers }, (_, index) => ({ ...request, max_tokens: index + 1 })),
          (request) => claude.createMessage(request),
          { concurrency: "unbounded", discard: true }
        )),
      Claude
    )
    return yield* api.journal
  }).pipe(Effect.scoped, Random.withSeed("an hour"), VirtualTime.run)

describe("an hour of outage in memory", () => {
  it.effect("a thousand callers through the SDK", () =>
    Effect.gen(function*() {
      const callers = 1_000
      const journal = yield* storm(callers)
      const answered = journal.filter(({ status }) => status === 200)
      assert.strictEqual(answered.length, callers)
      assert.isTrue(answered.every(({ receivedAt = 0 }) => receivedAt >= hour))
      assert.isAbove(journal.length, 2 * callers)
    }), 60_000)

  it("is the same to the millisecond each time", async () => {
    const one = await Effect.runPromise(storm(50))
    assert.deepStrictEqual(await Effect.runPromise(storm(50)), one)
  })
})
