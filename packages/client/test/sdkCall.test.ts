import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import { AuthenticationError } from "@effect-claude/client/ClaudeError"
import { ClaudeService, HeadersTimeout } from "@effect-claude/client/ClaudeService"
import { CurrentAttempt } from "@effect-claude/resilience/Attempt"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { withoutCredentials } from "../src/internal/confidentialHeaders.ts"
import { describeAnswer } from "../src/internal/describeAnswer.ts"
import { prepareCall, withFreshToken } from "../src/internal/sdkCall.ts"
import { makeSdkClient } from "../src/internal/sdkClient.ts"

const subject = { model: "claude-sonnet-5-5", request: { model: "claude-sonnet-5-5" } }

describe("what one attempt sends along", () => {
  it.effect("is its number, the caller's headers, and no retries of the SDK's own", () =>
    Effect.gen(function*() {
      const call = { headers: { "anthropic-beta": "b" } }
      assert.deepStrictEqual((yield* prepareCall({}, undefined, subject)).sdkOptions, {
        maxRetries: 0,
        headers: { "x-stainless-retry-count": "0" }
      })
      const third = yield* prepareCall({}, call, subject).pipe(Effect.provideService(CurrentAttempt, 3))
      assert.deepStrictEqual(third.sdkOptions.headers, { "x-stainless-retry-count": "2", "anthropic-beta": "b" })
      assert.strictEqual(third.context.attempt, 3)
    }))

  it.effect("is a timeout in whole milliseconds that a timer can count", () =>
    Effect.gen(function*() {
      for (const [limit, millis] of [["1500.5 millis", 1501], ["2 seconds", 2000], ["30 days", 2 ** 31 - 1]] as const) {
        const headersTimeout = Duration.fromInputUnsafe(limit)
        const { context, sdkOptions } = yield* prepareCall({}, undefined, subject).pipe(
          Effect.provideService(HeadersTimeout, headersTimeout)
        )
        assert.strictEqual(sdkOptions.timeout, millis)
        assert.strictEqual(context.headersTimeout, headersTimeout)
      }
    }))
})

describe("what the errors of an attempt are to know", () => {
  it.effect("are its request, its time, and each credential that went with it", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust("5 seconds")
      const call = { headers: { "x-api-key": "sk-ant-2", cookie: "c=1", "anthropic-beta": "b" } }
      const { context } = yield* prepareCall({ apiKey: "sk-ant-1", authToken: null }, call, subject)
      assert.deepStrictEqual(context, {
        ...subject,
        attempt: 1,
        now: 5000,
        secrets: ["sk-ant-1", "sk-ant-2", "c=1"],
        credentials: false,
        headersTimeout: undefined
      })
    }))

  it.effect("is whether a provider has the credentials", () =>
    Effect.gen(function*() {
      for (const [credentials, has] of [[undefined, false], [null, false], [{}, true]] as const) {
        assert.strictEqual((yield* prepareCall({ credentials }, undefined, subject)).context.credentials, has)
      }
    }))

  it("are no credentials in the call of somebody else", () => {
    const call = { headers: { "anthropic-beta": "b" } }
    assert.strictEqual(withoutCredentials(call), call)
    assert.isUndefined(withoutCredentials(undefined))
    assert.deepStrictEqual(withoutCredentials({ headers: { ...call.headers, Authorization: "Bearer 1" } }), call)
  })
})

describe("a 401", () => {
  const failing = (error: { readonly _tag: string }, client: object) => {
    let attempts = 0
    const attempt = Effect.suspend(() => {
      attempts++
      return Effect.fail(error)
    })
    return Effect.map(Effect.flip(withFreshToken(client)(attempt)), () => attempts)
  }
  const unauthorized = new AuthenticationError({ message: "m", status: 401 })

  it.effect("is tried again once when a provider makes the tokens, and nothing else is", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* failing(unauthorized, { credentials: {} }), 2)
      assert.strictEqual(yield* failing(unauthorized, { credentials: null }), 1)
      assert.strictEqual(yield* failing(unauthorized, {}), 1)
      assert.strictEqual(yield* failing(new AuthenticationError({ message: "m" }), { credentials: {} }), 1)
      assert.strictEqual(yield* failing(new AuthenticationError({ message: "m", status: 403 }), { credentials: {} }), 1)
      assert.strictEqual(
        yield* failing(Object.assign(new Error("m"), { _tag: "X", status: 401 }), { credentials: {} }),
        1
      )
    }))
})

describe("the SDK's client", () => {
  it("has the one credential that it was given, and the URL", () => {
    const withKey = makeSdkClient({ apiKey: Redacted.make("sk-ant-1"), baseUrl: "http://localhost:1" })
    assert.deepStrictEqual([withKey.apiKey, withKey.authToken, withKey.baseURL], [
      "sk-ant-1",
      null,
      "http://localhost:1"
    ])
    const withToken = makeSdkClient({ authToken: Redacted.make("token-1"), sdk: { timeout: 7 } })
    assert.deepStrictEqual([withToken.apiKey, withToken.authToken, withToken.timeout], [null, "token-1", 7])
  })

  it("is not made from two credentials", () => {
    const secret = Redacted.make("secret-1")
    assert.throws(
      () => AnthropicClient.layer({ apiKey: secret, authToken: secret }),
      RangeError,
      /AnthropicClient.layer: pass "apiKey" or "authToken", not both/
    )
  })
})

describe("what an answer carries", () => {
  const headers = { "request-id": "req_1", "anthropic-ratelimit-requests-limit": "50" }

  it("is its request, its attempt, and the limits when somebody asks for them", () => {
    const answer = {}
    describeAnswer(answer, new Response(null, { headers }), 3)
    const info = AnswerInfo.of(answer)
    assert.deepStrictEqual([info.source, info.passedOver, info.attempt, info.requestId], [
      { _tag: "Requested" },
      [],
      3,
      "req_1"
    ])
    assert.strictEqual(info.rateLimits?.requests?.limit, 50)
    assert.strictEqual(info.rateLimits, info.rateLimits)
  })

  it("is nothing that the headers do not say", () => {
    const answer = {}
    describeAnswer(answer, new Response(null))
    const { attempt, rateLimits, requestId } = AnswerInfo.of(answer)
    assert.deepStrictEqual([attempt, rateLimits, requestId], [1, undefined, undefined])
  })

  it.effect("comes with the answers of the client", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const answer = yield* claude.createMessage({
        model: subject.model,
        max_tokens: 1,
        messages: [{ role: "user", content: "Hi" }]
      })
      assert.strictEqual(AnswerInfo.of(answer).requestId, "req_1")
      assert.strictEqual(AnswerInfo.of(answer).attempt, 4)
    }).pipe(
      Effect.provideService(CurrentAttempt, 4),
      Effect.provide(AnthropicClient.layer({
        apiKey: Redacted.make("sk-ant-1"),
        sdk: { fetch: () => Promise.resolve(Response.json({ type: "message", content: [] }, { headers })) }
      }))
    ))
})
