import { WorkloadIdentityError } from "@anthropic-ai/sdk/lib/credentials/types"
import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import type { ClaudeErrorTag } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { MessageRequest } from "@effect-claude/client/ClaudeService"
import type { RetryKind } from "@effect-claude/resilience/Verdict"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { createServer } from "node:net"
import { apiKey, connect, type Operation, quickPipeline, request, run, verdictOf, withWire } from "./support.ts"

interface Row {
  readonly name: string
  readonly step: FaultStep.FaultStep
  readonly message: readonly [ClaudeErrorTag, RetryKind | "stop", number]
  readonly stream: readonly [ClaudeErrorTag, RetryKind | "stop", number]
}

const html = "<html><title>Log in to the hotel</title></html>"

// Sections B and D of the measured facts: the error, its verdict, and how many requests reached the server.
const rows: ReadonlyArray<Row> = [
  {
    name: "reset before headers",
    step: FaultStep.reset(),
    message: ["ConnectionError", "connection", 3],
    stream: ["ConnectionError", "connection", 3]
  },
  {
    name: "closed without an answer",
    step: FaultStep.closed(),
    message: ["ConnectionError", "connection", 3],
    stream: ["ConnectionError", "connection", 3]
  },
  {
    name: "an answer that is no HTTP",
    step: FaultStep.disconnect({ how: "garbage" }),
    message: ["ConnectionError", "connection", 3],
    stream: ["ConnectionError", "connection", 3]
  },
  {
    name: "reset during a body",
    step: FaultStep.message({ interrupt: { how: "reset", afterEvents: 1 } }),
    message: ["ConnectionError", "connection", 3],
    stream: ["StreamInterruptedError", "connection", 3]
  },
  {
    name: "a 200 with HTML",
    step: FaultStep.response({ status: 200, contentType: "text/html", body: html }),
    message: ["InvalidResponseError", "serverError", 3],
    stream: ["InvalidResponseError", "serverError", 3]
  },
  {
    name: "a 200 with HTML that says it is JSON",
    step: FaultStep.response({ status: 200, contentType: "application/json", body: html }),
    message: ["InvalidResponseError", "serverError", 3],
    stream: ["InvalidResponseError", "serverError", 3]
  },
  {
    name: "a 200 with an empty body",
    step: FaultStep.emptyBody(),
    message: ["InvalidResponseError", "serverError", 3],
    stream: ["InvalidResponseError", "serverError", 3]
  },
  {
    name: "a 200 with broken JSON",
    step: FaultStep.invalidJson(),
    message: ["InvalidResponseError", "serverError", 3],
    stream: ["InvalidResponseError", "serverError", 3]
  },
  {
    name: "a 200 with JSON that is no message",
    step: FaultStep.response({ status: 200, contentType: "application/json", body: { ok: true } }),
    message: ["InvalidResponseError", "serverError", 3],
    stream: ["InvalidResponseError", "serverError", 3]
  }
]

describe("failures of the transport, through the SDK and a socket", () => {
  const check = (operation: Operation, row: Row) => {
    const [tag, verdict, requests] = operation === "streamMessage" ? row.stream : row.message
    return it.live(`${row.name}: ${operation}`, () =>
      withWire({ after: row.step }, ({ api, claude }) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(run(claude, operation))
          assert.strictEqual(error._tag, tag)
          assert.strictEqual(verdictOf(error), verdict)
          assert.strictEqual((yield* api.requests).length, requests)
          assert.strictEqual(error.attempt, requests)
        }), quickPipeline()))
  }
  for (const row of rows) {
    check("createMessage", row)
    check("streamMessage", row)
  }

  it.live("connection refused", () =>
    Effect.gen(function*() {
      const port = yield* Effect.promise(() => closedPort())
      const claude = yield* connect(
        { apiKey: Redacted.make(apiKey), baseUrl: `http://127.0.0.1:${port}` },
        quickPipeline()
      )
      const error = yield* Effect.flip(run(claude, "createMessage"))
      assert.strictEqual(error._tag, "ConnectionError")
      assert.strictEqual(error._tag === "ConnectionError" ? error.code : undefined, "ECONNREFUSED")
      assert.strictEqual(verdictOf(error), "connection")
      assert.strictEqual(error.attempt, 3)
    }).pipe(Effect.scoped))

  it.live("TLS with a server that has none stops at once", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make()
      const claude = yield* connect(
        { apiKey: Redacted.make(apiKey), baseUrl: api.url.replace("http:", "https:") },
        quickPipeline()
      )
      const error = yield* Effect.flip(run(claude, "createMessage"))
      assert.strictEqual(error._tag, "ConnectionError")
      assert.match(error._tag === "ConnectionError" ? error.code ?? "" : "", /^ERR_SSL_/)
      assert.strictEqual(verdictOf(error), "stop")
      assert.strictEqual(error.attempt, 1)
    }).pipe(Effect.scoped))

  it.live("headers later than their limit", () =>
    withWire(
      { after: FaultStep.slowFirstByte("5 seconds") },
      ({ api, claude }) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(run(claude, "streamMessage"))
          assert.strictEqual(error._tag, "AttemptTimeoutError")
          assert.strictEqual(error._tag === "AttemptTimeoutError" ? error.phase : undefined, "headers")
          assert.strictEqual(verdictOf(error), "timeout")
          assert.strictEqual((yield* api.requests).length, 2)
        }),
      quickPipeline({ attemptTimeout: { headers: "50 millis" } })
    ))

  it.live("a body that never ends, which the SDK does not time", () =>
    withWire(
      { after: FaultStep.slowBody("30 seconds") },
      ({ api, claude }) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(run(claude, "createMessage"))
          assert.strictEqual(error._tag, "AttemptTimeoutError")
          assert.strictEqual(error._tag === "AttemptTimeoutError" ? error.phase : undefined, "attempt")
          assert.strictEqual((yield* api.requests).length, 2)
        }),
      quickPipeline({ attemptTimeout: { attempt: "60 millis" } })
    ))

  it.live("requests that cannot be right are not sent", () =>
    withWire({}, ({ api, claude }) =>
      Effect.gen(function*() {
        const refused: ReadonlyArray<readonly [MessageRequest, string]> = [
          [{ ...request, messages: [] }, "messages"],
          [{ ...request, max_tokens: 0 }, "max_tokens"],
          [{ ...request, max_tokens: 21_334 }, "max_tokens"],
          [{ ...request, system: "x".repeat(33 * 1024 * 1024) }, "body"]
        ]
        for (const [wrong, field] of refused) {
          const error = yield* Effect.flip(claude.createMessage(wrong))
          assert.strictEqual("field" in error ? error.field : undefined, field)
          assert.strictEqual(verdictOf(error), "stop")
        }
        assert.strictEqual((yield* api.requests).length, 0)

        // 21,333 is what the SDK lets pass; a stream may ask for more.
        yield* claude.createMessage({ ...request, max_tokens: 21_333 })
        yield* Stream.runDrain(claude.streamMessage({ ...request, max_tokens: 64_000 }))
        assert.strictEqual((yield* api.requests).length, 2)
      }), quickPipeline()))

  it.live("unknown fields and headers pass", () =>
    withWire({}, ({ api, claude }) =>
      Effect.gen(function*() {
        const tomorrow = { ...request, field_of_tomorrow: { a: [1] } }
        yield* claude.createMessage(tomorrow, { headers: { "anthropic-beta": "beta-of-tomorrow" } })
        const [sent] = yield* api.requests
        assert.deepInclude(sent?.body, { field_of_tomorrow: { a: [1] } })
        assert.strictEqual(sent?.headers["anthropic-beta"], "beta-of-tomorrow")
      }), quickPipeline()))
})

describe("credentials, through the SDK and a socket", () => {
  it.live("a 401 for a static key is final", () =>
    withWire({ after: FaultStep.authentication() }, ({ api, claude }) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(run(claude, "createMessage"))
        assert.strictEqual(error._tag, "AuthenticationError")
        assert.strictEqual((yield* api.requests).length, 1)
      }), quickPipeline()))

  const withProvider = (provider: () => Promise<{ token: string; expiresAt: null }>, plan: FaultPlan.FaultPlanInput) =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({ plan: FaultPlan.make(plan) })
      const claude = yield* connect({ baseUrl: api.url, sdk: { credentials: provider } }, quickPipeline())
      return { api, claude }
    })

  it.live("a 401 for a provider's token is sent once more, with a fresh one", () =>
    Effect.gen(function*() {
      let asked = 0
      const { api, claude } = yield* withProvider(
        () => Promise.resolve({ token: `token-${++asked}`, expiresAt: null }),
        { steps: [FaultStep.authentication()] }
      )
      yield* run(claude, "createMessage")
      assert.strictEqual((yield* api.requests).length, 2)
      assert.strictEqual(asked, 2)
    }).pipe(Effect.scoped))

  it.live("a second 401 for a provider's token is final", () =>
    Effect.gen(function*() {
      const { api, claude } = yield* withProvider(
        () => Promise.resolve({ token: "token", expiresAt: null }),
        { after: FaultStep.authentication() }
      )
      const error = yield* Effect.flip(run(claude, "streamMessage"))
      assert.strictEqual(error._tag, "AuthenticationError")
      assert.strictEqual((yield* api.requests).length, 2)
    }).pipe(Effect.scoped))

  it.live("a provider that fails is an AuthenticationError without a request", () =>
    Effect.gen(function*() {
      const { api, claude } = yield* withProvider(() => Promise.reject(new Error("the vault is sealed")), {})
      const error = yield* Effect.flip(run(claude, "createMessage"))
      assert.strictEqual(error._tag, "AuthenticationError")
      assert.include(error.message, "the vault is sealed")
      assert.strictEqual((yield* api.requests).length, 0)
    }).pipe(Effect.scoped))

  it.live("a workload identity that is refused is an AuthenticationError without a request", () =>
    Effect.gen(function*() {
      const { api, claude } = yield* withProvider(
        () => Promise.reject(new WorkloadIdentityError("token exchange failed", 403, { error: "invalid_grant" })),
        {}
      )
      const error = yield* Effect.flip(run(claude, "createMessage"))
      assert.strictEqual(error._tag, "AuthenticationError")
      assert.strictEqual(verdictOf(error), "stop")
      assert.strictEqual((yield* api.requests).length, 0)
    }).pipe(Effect.scoped))

  it.live("a provider that cannot reach its server is a ConnectionError, which is retried", () =>
    Effect.gen(function*() {
      let asked = 0
      const { claude } = yield* withProvider(() => {
        asked++
        return Promise.reject(
          new Error("token endpoint", { cause: Object.assign(new Error("connect"), { code: "ECONNREFUSED" }) })
        )
      }, {})
      const error = yield* Effect.flip(run(claude, "createMessage"))
      assert.strictEqual(error._tag, "ConnectionError")
      assert.strictEqual(asked, 3)
    }).pipe(Effect.scoped))
})

describe("SDK retries stay off", () => {
  it.live("without a retry layer a failure is one request", () =>
    withWire({ after: FaultStep.internalServer() }, ({ api, claude }) =>
      Effect.gen(function*() {
        yield* Effect.flip(run(claude, "createMessage"))
        yield* Effect.flip(run(claude, "streamMessage"))
        yield* Effect.flip(run(claude, "countTokens"))
        assert.strictEqual((yield* api.requests).length, 3)
      })))

  it.live("also for a client that was made with retries, and its 10-minute guard stays", () =>
    Effect.gen(function*() {
      const { Anthropic } = yield* Effect.promise(() => import("@anthropic-ai/sdk"))
      const api = yield* FakeClaudeApi.make({ plan: FaultPlan.make({ after: FaultStep.overloaded() }) })
      const claude = AnthropicClient.make(new Anthropic({ apiKey, baseURL: api.url, maxRetries: 5 }))
      yield* Effect.flip(run(claude, "createMessage"))
      assert.strictEqual((yield* api.requests).length, 1)
    }).pipe(Effect.scoped))
})

describe("composition, refused when the layer is built", () => {
  it.effect("a retry around a retry", () =>
    Effect.gen(function*() {
      const nested = connect({ apiKey: Redacted.make(apiKey) }, (base) =>
        base.pipe(ClaudeLayer.withRetry(), ClaudeLayer.withRetry()))
      const exit = yield* Effect.exit(Effect.scoped(nested))
      assert.match(String(exit), /withRetry around another withRetry/)
    }))
})

/** A port that nothing listens on: taken, and given back. */
const closedPort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() =>
        typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port"))
      )
    })
  })
