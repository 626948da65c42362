import {
  Anthropic,
  AnthropicError,
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  APIUserAbortError
} from "@anthropic-ai/sdk"
import { WorkloadIdentityError } from "@anthropic-ai/sdk/lib/credentials/types"
import { isClaudeError } from "@effect-claude/client/ClaudeError"
import * as SdkFailure from "@effect-claude/client/SdkFailure"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import { createRequire } from "node:module"
import { runInNewContext } from "node:vm"

const summary = (thrown: unknown, context?: SdkFailure.Context) => {
  const error = SdkFailure.fromThrown(thrown, context)
  return [error._tag, error.verdict._tag === "Retry" ? error.verdict.kind : "stop"].join(" ")
}

const withCode = (code: string, message = `something ${code}`) => Object.assign(new Error(message), { code })

const fetchFailed = (cause: Error) => new APIConnectionError({ cause: new TypeError("fetch failed", { cause }) })

describe("connections", () => {
  const retried = [
    "ECONNREFUSED",
    "ECONNRESET",
    "UND_ERR_SOCKET",
    "EAI_AGAIN",
    "EPIPE",
    "HPE_INVALID_CONSTANT",
    "EHOSTUNREACH"
  ]
  for (const code of retried) {
    it(`${code} is worth a retry`, () => {
      const error = SdkFailure.fromThrown(fetchFailed(withCode(code)))
      assert.include(error, { _tag: "ConnectionError", code })
      assert.deepStrictEqual(error.verdict, { _tag: "Retry", kind: "connection", after: undefined })
      assert.strictEqual(summary(withCode(code)), "ConnectionError connection")
    })
  }

  const futile = [
    "ENOTFOUND",
    "ERR_SSL_WRONG_VERSION_NUMBER",
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "EPROTO",
    "CERT_HAS_EXPIRED",
    "CRL_HAS_EXPIRED",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "HOSTNAME_MISMATCH",
    "ERR_INVALID_URL",
    "UND_ERR_INVALID_ARG"
  ]
  for (const code of futile) {
    it(`${code} is not`, () => assert.strictEqual(summary(fetchFailed(withCode(code))), "ConnectionError stop"))
  }

  it("finds the code of several addresses that were tried in turn", () => {
    const cause = Object.assign(new AggregateError([withCode("ECONNREFUSED")], ""), { code: "ECONNREFUSED" })
    assert.include(SdkFailure.fromThrown(fetchFailed(cause)), { code: "ECONNREFUSED" })
  })

  it("keeps the causes, each with its name, message and code and nothing else", () => {
    const socket = Object.assign(withCode("UND_ERR_SOCKET", "other side closed"), {
      socket: { remoteAddress: "10.0.0.1" }
    })
    const { cause } = SdkFailure.fromThrown(fetchFailed(socket))
    const innermost = cause instanceof Error && cause.cause instanceof Error ? cause.cause.cause : undefined
    assert.instanceOf(innermost, Error)
    assert.deepStrictEqual(Object.entries(innermost), [["code", "UND_ERR_SOCKET"]])
    assert.include(innermost, { message: "other side closed" })
  })

  const timeouts = ["UND_ERR_CONNECT_TIMEOUT", "UND_ERR_HEADERS_TIMEOUT", "ETIMEDOUT"]
  for (const code of timeouts) {
    it(`${code} is a timeout, in a stream a broken one`, () => {
      assert.include(SdkFailure.fromThrown(fetchFailed(withCode(code))), {
        _tag: "AttemptTimeoutError",
        phase: "headers"
      })
      assert.strictEqual(summary(withCode(code), { streaming: true }), "StreamInterruptedError connection")
    })
  }

  it("UND_ERR_BODY_TIMEOUT is an idle stream", () => {
    const thrown = new TypeError("terminated", { cause: withCode("UND_ERR_BODY_TIMEOUT") })
    assert.include(SdkFailure.fromThrown(thrown, { streaming: true }), { _tag: "AttemptTimeoutError", phase: "idle" })
  })

  it("a timeout of the SDK names the limit that was set", () => {
    const error = SdkFailure.fromThrown(new APIConnectionTimeoutError(), { headersTimeout: Duration.seconds(20) })
    assert.include(error, { _tag: "AttemptTimeoutError", phase: "headers" })
    assert.deepStrictEqual("limit" in error && error.limit, Duration.seconds(20))
  })

  it("a body that was cut is a lost connection, in a stream an interrupted one with what had arrived", () => {
    for (const code of ["UND_ERR_SOCKET", "ECONNRESET"]) {
      const thrown = new TypeError("terminated", { cause: withCode(code) })
      const partial = { text: "Once upon", events: 3 }
      assert.include(SdkFailure.fromThrown(thrown), { _tag: "ConnectionError", code })
      const streamed = SdkFailure.fromThrown(thrown, { streaming: true, partial })
      assert.deepInclude(streamed, { _tag: "StreamInterruptedError", partial })
      assert.strictEqual(
        summary(new AnthropicError("terminated", { cause: thrown }), { streaming: true }),
        summary(thrown, { streaming: true })
      )
    }
  })

  it("aborts stop, whichever way they show", () => {
    const aborts = [new APIUserAbortError(), new DOMException("This operation was aborted", "AbortError")]
    for (const thrown of [...aborts, new AnthropicError("Request was aborted.", { cause: aborts[0] })]) {
      assert.strictEqual(summary(thrown), "ConnectionError stop")
    }
    assert.strictEqual(summary(new DOMException("timed out", "TimeoutError")), "AttemptTimeoutError timeout")
  })
})

describe("bodies", () => {
  it("broken JSON is an invalid response", () => {
    const thrown = new SyntaxError("Unexpected token 'c', \"canary\" is not valid JSON")
    assert.strictEqual(summary(thrown), "InvalidResponseError serverError")
    assert.strictEqual(
      summary(new AnthropicError(thrown.message, { cause: thrown }), { streaming: true }),
      "InvalidResponseError serverError"
    )
    assert.notInclude(JSON.stringify(SdkFailure.fromThrown(thrown)), "canary")
  })

  const bodies: ReadonlyArray<readonly [unknown, string]> = [
    [undefined, "HTTP 502 with an empty body"],
    [null, "HTTP 502 with an empty body"],
    ["", "HTTP 502 with an empty body"],
    [
      "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head></html>",
      "HTTP 502 with an HTML page: 502 Bad Gateway"
    ],
    ["<html><body>no title</body></html>", "HTTP 502 with an HTML page"],
    ["upstream connect error", "HTTP 502: upstream connect error"],
    [{ error: "bad gateway" }, "bad gateway"],
    [{ message: "Internal server error" }, "Internal server error"],
    [{ detail: "no word of ours" }, "HTTP 502 with a body that does not say why"],
    [[1, 2], "HTTP 502 with a body that does not say why"],
    [42, "HTTP 502 with a body that does not say why"],
    [{ error: { type: 5, message: { a: 1 }, details: "none" } }, "HTTP 502 with a body that does not say why"]
  ]
  for (const [body, message] of bodies) {
    it(`a 502 with ${JSON.stringify(body)} says "${message}"`, () => {
      const error = SdkFailure.fromAnswer({ status: 502, body })
      assert.include(error, { _tag: "InternalServerError", message, status: 502 })
      assert.notProperty(error, "errorType")
    })
  }

  it("reads what the SDK makes of a body that is not JSON, and of none", () => {
    const made = (status: number, text: string | undefined) =>
      SdkFailure.fromThrown(APIError.generate(status, undefined, text, new Headers({ "request-id": "req_1" })))
    assert.include(made(502, "<html><title>Bad Gateway</title></html>"), {
      _tag: "InternalServerError",
      message: "HTTP 502 with an HTML page: Bad Gateway",
      requestId: "req_1"
    })
    assert.include(made(413, "<html>"), { _tag: "RequestTooLargeError", message: "HTTP 413 with an HTML page" })
    assert.include(made(529, undefined), { _tag: "OverloadedError", message: "HTTP 529 with an empty body" })
  })

  it("keeps the fields of the answer", () => {
    const headers = new Headers({
      "request-id": "req_7",
      "retry-after": "12",
      "x-should-retry": "true",
      "anthropic-ratelimit-requests-remaining": "0"
    })
    const details = { error_code: "ramp_limit_exceeded", limits: [1, null, { nested: true }] }
    const error = SdkFailure.fromAnswer(
      { status: 429, headers, body: { error: { type: "rate_limit_error", message: "Slow down", details } } },
      { attempt: 2, model: "claude-opus-5-5" }
    )
    assert.deepInclude(error, {
      _tag: "RateLimitError",
      message: "Slow down",
      requestId: "req_7",
      status: 429,
      errorType: "rate_limit_error",
      errorCode: "ramp_limit_exceeded",
      retryAfter: Duration.seconds(12),
      shouldRetry: true,
      attempt: 2,
      model: "claude-opus-5-5",
      details,
      rateLimits: { requests: { remaining: 0 } }
    })
  })

  it("takes the id of the request from the body or the call when the headers have none", () => {
    assert.strictEqual(SdkFailure.fromAnswer({ status: 500, body: { request_id: "req_b" } }).requestId, "req_b")
    assert.strictEqual(SdkFailure.fromThrown(new TypeError("terminated"), { requestId: "req_c" }).requestId, "req_c")
  })

  it("takes details of any shape, and leaves out what is no JSON or has no end", () => {
    const deep = JSON.parse("[".repeat(5000) + "]".repeat(5000)) as unknown
    const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`key${index}`, index]))
    const shapes: ReadonlyArray<unknown> = [
      deep,
      { deep },
      wide,
      [1],
      "text",
      5,
      JSON.parse(`{"huge":1e999,"__proto__":{"a":1}}`),
      { f: () => 1, u: undefined, b: 1n }
    ]
    for (const details of shapes) {
      const error = SdkFailure.fromThrown(
        Object.assign(new Error("m"), { status: 500, headers: {}, error: { error: { type: "api_error", details } } })
      )
      assert.strictEqual(error._tag, "InternalServerError")
      assert.isBelow(JSON.stringify(error).length, 5000)
    }
  })

  const pages: ReadonlyArray<readonly [unknown, string]> = [
    ["<html>Log in</html>", "an HTML page"],
    ["hello", "text that is not JSON"],
    [undefined, "an empty body"],
    [null, "an empty body"],
    ["", "an empty body"],
    [{ completion: "" }, "JSON that is no answer of the API"],
    [[], "JSON that is no answer of the API"]
  ]
  for (const [value, what] of pages) {
    it(`a 200 with ${JSON.stringify(value)} is ${what}`, () => {
      assert.include(SdkFailure.fromResolved(value, () => false), {
        _tag: "InvalidResponseError",
        message: `A successful status with ${what}`
      })
    })
  }

  it("reads the error that a gateway sends with a 200", () => {
    const value = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }
    assert.strictEqual(SdkFailure.fromResolved(value, () => false)?._tag, "OverloadedError")
  })
})

describe("conditions of the SDK", () => {
  it("recognises the request that it refuses to send without streaming", () => {
    const client = new Anthropic({ apiKey: "sk-ant-x" })
    let thrown: unknown
    try {
      void client.messages.create({
        model: "claude-opus-5-5",
        max_tokens: 64_000,
        messages: [{ role: "user", content: "Hi" }]
      })
    } catch (error) {
      thrown = error
    }
    assert.instanceOf(thrown, AnthropicError)
    assert.include(SdkFailure.fromThrown(thrown), { _tag: "InvalidRequestError", field: "max_tokens" })
  })

  it("recognises missing and broken credentials", async () => {
    const without = new Anthropic({ apiKey: null, authToken: null, baseURL: "http://127.0.0.1:1", maxRetries: 0 })
    const failing = new Anthropic({
      apiKey: () => Promise.reject(new Error("vault is sealed")),
      maxRetries: 0,
      baseURL: "http://127.0.0.1:1"
    })
    for (const client of [without, failing]) {
      const thrown: unknown = await client.models.list().then(() => undefined, (error: unknown) => error)
      assert.strictEqual(summary(thrown), "AuthenticationError stop")
    }
    assert.strictEqual(summary(new WorkloadIdentityError("token exchange failed", 401)), "AuthenticationError stop")
    assert.strictEqual(summary(new RangeError("vault is sealed"), { credentials: true }), "AuthenticationError stop")
    assert.strictEqual(summary(new RangeError("vault is sealed")), "InvalidRequestError stop")
  })

  it("a credential provider that cannot reach its server is a connection failure", () => {
    const thrown = new Error("token endpoint", { cause: withCode("ECONNREFUSED") })
    assert.strictEqual(summary(thrown, { credentials: true }), "ConnectionError connection")
  })

  it("does not take a parse error for a failure of credentials", () => {
    const message = `Unable to parse tool parameter JSON from model. Error: Unexpected token. JSON: {"profile":"x`
    assert.include(SdkFailure.fromThrown(new AnthropicError(message)), {
      _tag: "OutputInvalidError",
      message: "The SDK could not parse the output"
    })
  })

  it("recognises streams that ended", () => {
    for (
      const message of [
        "stream ended without producing a Message with role=assistant",
        "request ended without sending any chunks"
      ]
    ) {
      assert.strictEqual(summary(new AnthropicError(message)), "StreamInterruptedError connection")
    }
    assert.strictEqual(summary(new AnthropicError("Unexpected event order, got x")), "InvalidResponseError serverError")
  })
})

describe("strangers", () => {
  it("knows the errors of another copy of the SDK", () => {
    const require = createRequire(import.meta.url)
    const other = require("@anthropic-ai/sdk") as { readonly Anthropic: typeof Anthropic }
    assert.notStrictEqual(other.Anthropic, Anthropic)
    const headers = new Headers({ "request-id": "req_2" })
    assert.include(SdkFailure.fromThrown(other.Anthropic.APIError.generate(529, undefined, "busy", headers)), {
      _tag: "OverloadedError",
      requestId: "req_2"
    })
    assert.strictEqual(summary(new other.Anthropic.APIUserAbortError()), "ConnectionError stop")
    assert.strictEqual(summary(new other.Anthropic.APIConnectionTimeoutError()), "AttemptTimeoutError timeout")
  })

  it("knows errors of another realm", () => {
    assert.strictEqual(
      summary(runInNewContext(`new SyntaxError("Unexpected token")`)),
      "InvalidResponseError serverError"
    )
    assert.strictEqual(summary(runInNewContext(`new TypeError("terminated")`)), "ConnectionError connection")
    const thrown: unknown = runInNewContext(
      `Object.assign(new Error("503"), { status: 503, headers: {}, error: undefined })`
    )
    assert.strictEqual(summary(thrown), "InternalServerError serverError")
    assert.strictEqual(
      SdkFailure.fromThrown(runInNewContext(`new RangeError("odd")`)).message,
      "The request could not be made: odd"
    )
  })

  it("reads headers that are a record", () => {
    const thrown = Object.assign(new Error("429 m"), { status: 429, headers: { "retry-after": "3" }, error: undefined })
    assert.deepStrictEqual(SdkFailure.fromThrown(thrown).retryAfter, Duration.seconds(3))
  })

  it("returns a ClaudeError as it is, and finds one that was wrapped", () => {
    const error = SdkFailure.fromAnswer({ status: 429 })
    assert.strictEqual(SdkFailure.fromThrown(error), error)
    assert.strictEqual(SdkFailure.fromThrown(new Error("middleware", { cause: error })), error)
  })

  const circular = new Error("circular")
  circular.cause = circular
  const angry = new Proxy(new Error("angry"), {
    get: () => {
      throw new Error("hands off")
    },
    has: () => {
      throw new Error("hands off")
    },
    getPrototypeOf: () => {
      throw new Error("hands off")
    }
  })
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const getters = (name: string, shape: object) =>
    Object.defineProperty(Object.assign(new Error("getters"), shape), name, {
      get: () => {
        throw new Error("hands off")
      }
    })
  const answer = { status: 500, headers: new Headers(), error: {} }
  const strangers: ReadonlyArray<readonly [string, unknown]> = [
    ["undefined", undefined],
    ["null", null],
    ["a string", "boom"],
    ["a number", 0],
    ["NaN", Number.NaN],
    ["a symbol", Symbol("s")],
    ["a bigint", 1n],
    ["a function", () => "x"],
    ["an object", { message: 5, name: [], code: {} }],
    ["an array", [new Error("x")]],
    ["a circle", circular],
    ["a frozen error", Object.freeze(new Error("frozen"))],
    ["a proxy that throws", angry],
    ["a revoked proxy", revoked.proxy],
    ["an error caused by a proxy that throws", new Error("x", { cause: angry })],
    ["an object without a prototype", Object.create(null)],
    ...["name", "message", "status", "headers", "error", "cause", "code", "stack"].map((name) =>
      [`a getter that throws: ${name}`, getters(name, answer)] as const
    ),
    ...["500", 500.5, -1, Number.NaN, {}, null].map((status) =>
      [`the status ${JSON.stringify(status)}`, Object.assign(new Error("500 m"), { ...answer, status })] as const
    ),
    ...[null, "", 5, [], { get: 5 }, { get: () => 5 }, {
      get: () => {
        throw new Error("hands off")
      }
    }].map((headers, index) =>
      [`headers ${index}`, Object.assign(new Error("500 m"), { ...answer, headers })] as const
    ),
    ...[null, "", "text", 5, [], [[]], { error: null }, { error: [] }, { error: { message: 5, type: [], details: 7 } }]
      .map((error) =>
        [`the body ${JSON.stringify(error)}`, Object.assign(new Error("500 m"), { ...answer, error })] as const
      )
  ]
  for (const [name, thrown] of strangers) {
    it(`makes a ClaudeError of ${name}`, () => {
      for (
        const context of [{}, {
          streaming: true,
          credentials: true,
          secrets: ["secret-secret"],
          request: { messages: [circular] }
        }]
      ) {
        assert.isTrue(isClaudeError(SdkFailure.fromThrown(thrown, context)))
      }
    })
  }

  it("makes a ClaudeError even when the context is wrong", () => {
    const wrong = [{ attempt: 1.5 }, { model: 5 }, { partial: "x" }, { request: angry }, {
      secrets: [5]
    }] as ReadonlyArray<object>
    for (const context of wrong) {
      assert.isTrue(isClaudeError(SdkFailure.fromThrown(fetchFailed(withCode("ECONNRESET")), context)))
    }
  })
})
