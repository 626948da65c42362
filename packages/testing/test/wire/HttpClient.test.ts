import type { ClaudeErrorTag } from "@effect-claude/client/ClaudeError"
import type { RetryKind } from "@effect-claude/resilience/Verdict"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { Agent, fetch as pooledFetch, type RequestInit as PooledInit } from "@effect/platform-node/Undici"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { apiKey, connect, quickPipeline, run, verdictOf } from "./support.ts"

/** A client over a connection pool with these options, closed with the scope. */
const connectThrough = (options: Agent.Options, baseUrl: string) =>
  Effect.gen(function*() {
    const agent = yield* Effect.acquireRelease(
      Effect.sync(() => new Agent(options)),
      (pool) => Effect.promise(() => pool.destroy())
    )
    return yield* connect({
      apiKey: Redacted.make(apiKey),
      baseUrl,
      sdk: { fetch: (url, init) => pooledFetch(url as string, { ...init, dispatcher: agent } as PooledInit) as never }
    }, quickPipeline())
  })

describe("names that cannot be looked up, through the SDK and its HTTP client", () => {
  const rows: ReadonlyArray<readonly [code: string, ClaudeErrorTag, RetryKind | "stop", lookups: number]> = [
    ["ENOTFOUND", "ConnectionError", "stop", 1],
    ["EAI_AGAIN", "ConnectionError", "connection", 3],
    ["ECONNREFUSED", "ConnectionError", "connection", 3],
    ["ETIMEDOUT", "AttemptTimeoutError", "timeout", 2]
  ]
  for (const [code, tag, verdict, lookups] of rows) {
    it.live(code, () =>
      Effect.gen(function*() {
        let asked = 0
        const claude = yield* connectThrough({
          connect: {
            lookup: (hostname, _options, callback) => {
              asked++
              callback(Object.assign(new Error(`getaddrinfo ${code} ${hostname}`), { code }), "", 4)
            }
          }
        }, "http://api.invalid")
        const error = yield* Effect.flip(run(claude, "createMessage"))
        assert.strictEqual(error._tag, tag)
        assert.strictEqual(verdictOf(error), verdict)
        assert.strictEqual(asked, lookups)
        assert.strictEqual(error.attempt, lookups)
        if (error._tag === "ConnectionError") assert.strictEqual(error.code, code)
      }).pipe(Effect.scoped))
  }
})

describe("limits of the HTTP client itself, which in Node are 300 seconds", () => {
  it.live("headers that come too late are a timeout of the headers", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({ plan: FaultPlan.make({ after: FaultStep.slowFirstByte("1 minute") }) })
      const claude = yield* connectThrough({ headersTimeout: 100 }, api.url)
      const error = yield* Effect.flip(run(claude, "createMessage"))
      assert.strictEqual(error._tag === "AttemptTimeoutError" ? error.phase : error._tag, "headers")
      assert.strictEqual(verdictOf(error), "timeout")
      assert.strictEqual((yield* api.requests).length, 2)
    }).pipe(Effect.scoped))

  it.live("silence in the middle of a stream is an idle timeout, and not repeated after content", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({
        plan: FaultPlan.make({ after: FaultStep.stallStream({ afterEvents: 4 }) })
      })
      const claude = yield* connectThrough({ bodyTimeout: 100 }, api.url)
      const error = yield* Effect.flip(run(claude, "streamMessage"))
      assert.strictEqual(error._tag === "AttemptTimeoutError" ? error.phase : error._tag, "idle")
      assert.strictEqual(error._tag === "AttemptTimeoutError" ? error.partial?.events : undefined, 4)
      assert.strictEqual((yield* api.requests).length, 1)
    }).pipe(Effect.scoped))
})
