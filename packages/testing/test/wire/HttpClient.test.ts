import type { ClaudeErrorTag } from "@effect-claude/client/ClaudeError"
import type { RetryKind } from "@effect-claude/resilience/Verdict"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { Agent, fetch as pooledFetch, type RequestInit as PooledInit } from "@effect/platform-node/Undici"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { createServer, type Server } from "node:tls"
import { generate as generateCertificate } from "selfsigned"
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

describe("connections that cannot be made, through the SDK and its HTTP client", () => {
  it.live("a connection that takes too long is a timeout", () =>
    Effect.gen(function*() {
      let asked = 0
      const claude = yield* connectThrough({
        connect: {
          timeout: 100,
          // Never answers.
          lookup: () => {
            asked++
          }
        }
      }, "http://api.invalid")
      const error = yield* Effect.flip(run(claude, "createMessage"))
      assert.strictEqual(error._tag === "AttemptTimeoutError" ? error.phase : error._tag, "headers")
      assert.strictEqual(verdictOf(error), "timeout")
      assert.strictEqual(asked, 2)
    }).pipe(Effect.scoped))

  const now = Date.now()
  const day = 86_400_000
  const certificates: ReadonlyArray<
    readonly [string, { readonly from: number; readonly to: number }, boolean, RegExp]
  > = [
    ["nobody vouches for", { from: now - day, to: now + day }, false, /^(DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_)/],
    ["has expired", { from: now - 3 * day, to: now - day }, true, /^CERT_HAS_EXPIRED$/]
  ]
  for (const [name, { from, to }, isTrusted, code] of certificates) {
    it.live(`a certificate that ${name} stops at once`, () =>
      Effect.gen(function*() {
        const { cert, private: key } = yield* Effect.promise(() =>
          generateCertificate([{ name: "commonName", value: "localhost" }], {
            notBeforeDate: new Date(from),
            notAfterDate: new Date(to)
          })
        )
        let handshakes = 0
        const port = yield* secureServer({ cert, key }, () => handshakes++)
        const claude = yield* connectThrough(
          { connect: isTrusted ? { ca: cert } : {} },
          `https://localhost:${port}`
        )
        const error = yield* Effect.flip(run(claude, "createMessage"))
        assert.strictEqual(error._tag, "ConnectionError")
        assert.match(error._tag === "ConnectionError" ? error.code ?? "" : "", code)
        assert.strictEqual(verdictOf(error), "stop")
        assert.strictEqual(error.attempt, 1)
        assert.strictEqual(handshakes, 1)
      }).pipe(Effect.scoped))
  }
})

/** A TLS server on loopback, closed with the scope, that counts the connections it gets. */
const secureServer = (options: { readonly cert: string; readonly key: string }, onConnection: () => void) =>
  Effect.acquireRelease(
    Effect.promise(() =>
      new Promise<Server>((resolve, reject) => {
        const server = createServer(options).on("connection", onConnection).on("tlsClientError", () => {})
        server.once("error", reject)
        server.listen(0, "127.0.0.1", () => resolve(server))
      })
    ),
    (server) => Effect.promise(() => new Promise((resolve) => server.close(resolve)))
  ).pipe(Effect.map((server) => {
    const address = server.address()
    return typeof address === "object" && address !== null ? address.port : 0
  }))
