import {
  AnswerError,
  ApiError,
  ClaudeError,
  ClaudeErrorJson,
  isAnswerError,
  isApiError,
  isClaudeError,
  isPolicyError,
  isTransportError,
  PolicyError,
  TransportError
} from "@effect-claude/client/ClaudeError"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

const shared = {
  message: "What went wrong",
  requestId: "req_1",
  status: 429,
  errorType: "some_error",
  errorCode: "some_code",
  retryAfter: Duration.millis(1500.5),
  shouldRetry: true,
  attempt: 3,
  model: "claude-opus-5-5"
}
const message = { type: "message", content: [{ type: "text", text: "Once" }], usage: { output_tokens: 1 } }
const partial = { text: "Once", events: 3, message }
const answered = {
  details: { a: [1, null, { b: "c" }] },
  rateLimits: { requests: { limit: 50, remaining: 0, resetAt: 5 } },
  partial
}
const checked = { field: "max_tokens", limit: 1, actual: 0 }

// The fields of each tag, beside the shared ones.
const fieldsOf: Readonly<Record<ClaudeError["_tag"], object>> = {
  InvalidRequestError: { ...answered, ...checked },
  AuthenticationError: answered,
  BillingError: answered,
  PermissionDeniedError: answered,
  NotFoundError: answered,
  RequestTimeoutError: answered,
  ConflictError: answered,
  RequestTooLargeError: { ...answered, ...checked },
  ContextWindowExceededError: answered,
  RateLimitError: answered,
  SpendLimitError: answered,
  InternalServerError: answered,
  GatewayTimeoutError: answered,
  OverloadedError: answered,
  ConnectionError: { partial, code: "ECONNRESET" },
  AttemptTimeoutError: { partial, phase: "idle", limit: Duration.seconds(30) },
  StreamInterruptedError: { partial },
  InvalidResponseError: { partial },
  RefusalError: {
    partial,
    category: "cyber",
    explanation: "No",
    recommendedModel: "claude-opus-5-5",
    fallbackCreditToken: "token",
    hasPrefillClaim: true
  },
  OutputTruncatedError: { partial, stopReason: "max_tokens" },
  OutputInvalidError: {
    partial,
    issues: ["at .a"],
    text: "{}",
    usage: { inputTokens: 10, outputTokens: 2, cacheReadTokens: 0, cacheWriteTokens: 0 },
    turns: 3
  },
  CircuitOpenError: {},
  RateLimitedLocallyError: {},
  ConcurrencyLimitError: {},
  RetryBudgetExhaustedError: {},
  DeadlineExceededError: { limit: Duration.minutes(2) },
  UsageBudgetExceededError: { budget: "team", unit: "usd", limit: 10, spent: 9.5, required: 0.75 }
}
const tags = Object.keys(fieldsOf) as ReadonlyArray<ClaudeError["_tag"]>

const make = (tag: ClaudeError["_tag"], fields: object): ClaudeError => {
  const ErrorClass = ClaudeError.cases[tag] as unknown as new(fields: object) => ClaudeError
  return new ErrorClass(fields)
}

/** What an error needs at the least. */
const bare = (tag: ClaudeError["_tag"]) =>
  make(tag, { message: "m", ...(tag === "AttemptTimeoutError" ? { phase: "idle" } : {}) })

const ownFields = (error: ClaudeError): object =>
  Object.fromEntries(Object.entries(error).filter(([key]) => key !== "cause"))

const throughJson = (error: ClaudeError): ClaudeError =>
  Schema.decodeUnknownSync(ClaudeErrorJson)(JSON.parse(JSON.stringify(Schema.encodeSync(ClaudeErrorJson)(error))))

describe("each error", () => {
  it("is one of 27", () => {
    assert.sameMembers([...ClaudeError.discriminants], [...tags])
    assert.strictEqual(tags.length, 27)
  })

  for (const tag of tags) {
    describe(tag, () => {
      const full = make(tag, {
        ...shared,
        ...fieldsOf[tag],
        cause: new Error("the cause", { cause: new Error("its cause") })
      })

      it("goes to JSON and back to an instance of its class, with all its fields", () => {
        const back = throughJson(full)
        assert.strictEqual(back.constructor, full.constructor)
        assert.instanceOf(back, Error)
        assert.deepStrictEqual(ownFields(back), ownFields(full))
        assert.instanceOf(back.cause, Error)
        assert.strictEqual(back.cause.message, "the cause")
        assert.deepStrictEqual(back.verdict, full.verdict)
      })

      it("goes to JSON and back without any optional field", () => {
        const back = throughJson(bare(tag))
        assert.deepStrictEqual(ownFields(back), ownFields(bare(tag)))
        assert.deepStrictEqual(back.verdict, bare(tag).verdict)
      })

      it("keeps its verdict out of its fields, and shows its tag and message as text", () => {
        assert.notProperty(JSON.parse(JSON.stringify(full)), "verdict")
        assert.strictEqual(String(full), `${tag}: What went wrong`)
      })

      it("refuses fields that make no sense", () => {
        assert.throws(() => make(tag, {}))
        for (const wrong of [{ attempt: 1.5 }, { status: "429" }, { retryAfter: 5 }, { model: 1 }]) {
          assert.throws(() => make(tag, { ...shared, ...fieldsOf[tag], ...wrong }))
        }
      })

      it("belongs to one group", () => {
        const groups = [isApiError, isTransportError, isAnswerError, isPolicyError].map((is) => is(full))
        assert.strictEqual(groups.filter(Boolean).length, 1)
        const schemas = [ApiError, TransportError, AnswerError, PolicyError].map((group) => Schema.is(group)(full))
        assert.deepStrictEqual(schemas, groups)
        assert.isTrue(isClaudeError(full))
        assert.isTrue(ClaudeError.guards[tag](full))
        assert.strictEqual(tags.filter((other) => ClaudeError.guards[other](full)).length, 1)
      })
    })
  }

  it("a value that only looks like one is none", () => {
    for (
      const value of [null, undefined, {}, { _tag: "RateLimitError", message: "m" }, new Error("m"), "RateLimitError"]
    ) {
      assert.isFalse(isClaudeError(value))
    }
  })

  it("JSON of an unknown tag, or without a message, is refused", () => {
    const decode = Schema.decodeUnknownSync(ClaudeErrorJson)
    assert.throws(() => decode({ _tag: "BoredomError", message: "m" }))
    assert.throws(() => decode({ _tag: "RateLimitError" }))
    assert.throws(() => decode({ _tag: "RateLimitError", message: "m", retryAfter: "soon" }))
  })
})

describe("match", () => {
  it("asks the case of the tag, data first and data last", () => {
    const cases = Object.fromEntries(
      tags.map((tag) => [tag, (error: ClaudeError) => `${tag} ${error._tag}`])
    ) as unknown as {
      readonly [Tag in ClaudeError["_tag"]]: (error: ClaudeError) => string
    }
    for (const tag of tags) {
      assert.strictEqual(ClaudeError.match(bare(tag), cases), `${tag} ${tag}`)
      assert.strictEqual(ClaudeError.match(cases)(bare(tag)), `${tag} ${tag}`)
    }
  })
})

describe("the verdict of an error that is made by hand", () => {
  const expected: Readonly<Record<ClaudeError["_tag"], string>> = {
    InvalidRequestError: "Stop",
    AuthenticationError: "Stop",
    BillingError: "Stop",
    PermissionDeniedError: "Stop",
    NotFoundError: "Stop",
    RequestTimeoutError: "timeout",
    ConflictError: "conflict",
    RequestTooLargeError: "Stop",
    ContextWindowExceededError: "Stop",
    RateLimitError: "rateLimited",
    SpendLimitError: "Stop",
    InternalServerError: "serverError",
    GatewayTimeoutError: "timeout",
    OverloadedError: "overloaded",
    ConnectionError: "connection",
    AttemptTimeoutError: "timeout",
    StreamInterruptedError: "connection",
    InvalidResponseError: "serverError",
    RefusalError: "Stop",
    OutputTruncatedError: "Stop",
    OutputInvalidError: "Stop",
    CircuitOpenError: "rejected",
    RateLimitedLocallyError: "rejected",
    ConcurrencyLimitError: "rejected",
    RetryBudgetExhaustedError: "Stop",
    DeadlineExceededError: "Stop",
    UsageBudgetExceededError: "Stop"
  }
  const kindOf = ({ verdict }: ClaudeError) => verdict._tag === "Retry" ? verdict.kind : verdict._tag

  for (const tag of tags) {
    it(`${tag}: ${expected[tag]}, with the wait it carries, and none if the server says so`, () => {
      assert.strictEqual(kindOf(bare(tag)), expected[tag])
      const extra = tag === "AttemptTimeoutError" ? { phase: "idle" } : {}
      const { verdict } = make(tag, { message: "m", retryAfter: Duration.seconds(9), ...extra })
      if (verdict._tag === "Retry") assert.deepStrictEqual(verdict.after, Duration.seconds(9))
      assert.strictEqual(make(tag, { message: "m", shouldRetry: false, ...extra }).verdict._tag, "Stop")
    })
  }

  it("stays with the tag where the fields speak of another error", () => {
    assert.strictEqual(
      kindOf(make("SpendLimitError", { message: "m", status: 429, errorType: "rate_limit_error" })),
      "Stop"
    )
    assert.strictEqual(kindOf(make("BillingError", { message: "m", status: 529 })), "Stop")
    assert.strictEqual(
      kindOf(make("OverloadedError", { message: "m", status: 400, errorType: "invalid_request_error" })),
      "overloaded"
    )
  })
})
