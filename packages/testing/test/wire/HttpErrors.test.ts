import type { ClaudeErrorTag } from "@effect-claude/client/ClaudeError"
import type { RetryKind } from "@effect-claude/resilience/Verdict"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type Operation, quickPipeline, request, run, verdictOf, withWire } from "./support.ts"

interface Row {
  readonly status: number
  readonly type?: string
  readonly code?: string
  readonly message?: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly tag: ClaudeErrorTag
  readonly verdict: RetryKind | "stop"
}

const badRequest = (code: string, tag: ClaudeErrorTag = "InvalidRequestError"): Row => ({
  status: 400,
  type: "invalid_request_error",
  code,
  tag,
  verdict: "stop"
})

const html = "<html><head><title>Gateway</title></head><body>nginx</body></html>"

// Section A of the measured facts, row by row: what the API sends, and what becomes of it.
const rows: ReadonlyArray<Row> = [
  { status: 400, type: "invalid_request_error", tag: "InvalidRequestError", verdict: "stop" },
  {
    status: 400,
    type: "invalid_request_error",
    message: "You have reached your specified API usage limits. You will regain access on 2026-12-01.",
    tag: "SpendLimitError",
    verdict: "stop"
  },
  {
    status: 400,
    type: "invalid_request_error",
    message: "You have reached your specified workspace API usage limits.",
    tag: "SpendLimitError",
    verdict: "stop"
  },
  {
    status: 400,
    type: "invalid_request_error",
    message: "Your credit balance is too low to access the Anthropic API.",
    tag: "BillingError",
    verdict: "stop"
  },
  {
    status: 400,
    type: "invalid_request_error",
    message: "prompt is too long: 210000 tokens > 200000 maximum",
    tag: "ContextWindowExceededError",
    verdict: "stop"
  },
  {
    status: 400,
    type: "invalid_request_error",
    code: "thread_continue_in_flight",
    tag: "ConflictError",
    verdict: "conflict"
  },
  badRequest("thread_already_continued", "ConflictError"),
  badRequest("thread_fingerprint_mismatch"),
  badRequest("thread_unsupported_request"),
  badRequest("compaction_block_ambiguous"),
  badRequest("compaction_block_misplaced"),
  badRequest("compaction_content_mismatch"),
  badRequest("compaction_nothing_to_summarize"),
  badRequest("compaction_signature_invalid"),
  badRequest("compaction_tool_changes_mismatch"),
  badRequest("compaction_incomplete_turn"),
  badRequest("compaction_too_many_tool_references"),
  badRequest("available_tools_limit_exceeded"),
  badRequest("tool_name_conflict"),
  badRequest("tool_reference_unresolved"),
  badRequest("request_body_encoding_invalid"),
  badRequest("request_body_encoding_unsupported"),
  badRequest("organization_on_hold", "PermissionDeniedError"),
  badRequest("claude_code_key_creator_not_member", "PermissionDeniedError"),
  badRequest("claude_code_version_too_old"),
  badRequest("user_profile_required"),
  badRequest("cmek_key_disabled", "PermissionDeniedError"),
  badRequest("cmek_key_network_blocked", "PermissionDeniedError"),
  badRequest("file_not_downloadable"),
  badRequest("storage_quota_exceeded"),
  badRequest("a_code_of_tomorrow"),
  { status: 401, type: "authentication_error", tag: "AuthenticationError", verdict: "stop" },
  { status: 402, type: "billing_error", tag: "BillingError", verdict: "stop" },
  {
    status: 402,
    type: "billing_error",
    code: "linked_organization_billing_unavailable",
    tag: "BillingError",
    verdict: "stop"
  },
  {
    status: 402,
    type: "billing_error",
    code: "linked_organization_spend_limit_reached",
    tag: "BillingError",
    verdict: "stop"
  },
  { status: 403, type: "permission_error", tag: "PermissionDeniedError", verdict: "stop" },
  {
    status: 403,
    type: "permission_error",
    code: "user_profile_billing_not_authorized",
    tag: "PermissionDeniedError",
    verdict: "stop"
  },
  {
    status: 403,
    type: "permission_error",
    code: "user_profile_not_billable",
    tag: "PermissionDeniedError",
    verdict: "stop"
  },
  { status: 404, type: "not_found_error", tag: "NotFoundError", verdict: "stop" },
  { status: 404, type: "not_found_error", code: "thread_not_found", tag: "NotFoundError", verdict: "stop" },
  { status: 404, type: "not_found_error", code: "file_expired", tag: "NotFoundError", verdict: "stop" },
  { status: 408, type: "timeout_error", tag: "RequestTimeoutError", verdict: "timeout" },
  { status: 408, type: "invalid_request_error", tag: "RequestTimeoutError", verdict: "timeout" },
  { status: 409, type: "conflict_error", tag: "ConflictError", verdict: "conflict" },
  {
    status: 409,
    type: "conflict_error",
    code: "skill_read_blocked_undecryptable",
    tag: "ConflictError",
    verdict: "stop"
  },
  { status: 410, type: "api_error", tag: "InvalidRequestError", verdict: "stop" },
  { status: 412, type: "api_error", tag: "InvalidRequestError", verdict: "stop" },
  { status: 418, type: "api_error", tag: "InvalidRequestError", verdict: "stop" },
  { status: 422, type: "invalid_request_error", tag: "InvalidRequestError", verdict: "stop" },
  { status: 431, type: "invalid_request_error", tag: "InvalidRequestError", verdict: "stop" },
  { status: 413, type: "request_too_large", tag: "RequestTooLargeError", verdict: "stop" },
  {
    status: 413,
    type: "request_too_large",
    code: "request_body_too_large_after_decoding",
    tag: "RequestTooLargeError",
    verdict: "stop"
  },
  { status: 413, body: html, tag: "RequestTooLargeError", verdict: "stop" },
  { status: 429, type: "rate_limit_error", tag: "RateLimitError", verdict: "rateLimited" },
  {
    status: 429,
    type: "rate_limit_error",
    code: "ramp_limit_exceeded",
    tag: "RateLimitError",
    verdict: "rateLimited"
  },
  {
    status: 429,
    type: "rate_limit_error",
    code: "enforced_spend_limit_reached",
    tag: "SpendLimitError",
    verdict: "stop"
  },
  {
    status: 429,
    type: "rate_limit_error",
    code: "contract_spend_limit_reached",
    tag: "SpendLimitError",
    verdict: "stop"
  },
  { status: 429, body: html, tag: "RateLimitError", verdict: "rateLimited" },
  { status: 499, body: html, tag: "ConnectionError", verdict: "connection" },
  { status: 500, type: "api_error", tag: "InternalServerError", verdict: "serverError" },
  { status: 500, body: "", tag: "InternalServerError", verdict: "serverError" },
  { status: 502, body: html, tag: "InternalServerError", verdict: "serverError" },
  { status: 520, body: html, tag: "InternalServerError", verdict: "serverError" },
  { status: 521, body: html, tag: "InternalServerError", verdict: "serverError" },
  { status: 522, body: html, tag: "InternalServerError", verdict: "serverError" },
  { status: 523, body: html, tag: "InternalServerError", verdict: "serverError" },
  { status: 524, body: html, tag: "InternalServerError", verdict: "serverError" },
  { status: 501, type: "api_error", tag: "InternalServerError", verdict: "stop" },
  { status: 503, type: "api_error", tag: "InternalServerError", verdict: "serverError" },
  { status: 503, type: "api_error", code: "cmek_key_unreachable", tag: "InternalServerError", verdict: "serverError" },
  {
    status: 503,
    type: "api_error",
    code: "cmek_context_unavailable",
    tag: "InternalServerError",
    verdict: "overloaded"
  },
  { status: 504, type: "timeout_error", tag: "GatewayTimeoutError", verdict: "timeout" },
  { status: 504, body: html, tag: "GatewayTimeoutError", verdict: "timeout" },
  { status: 529, type: "overloaded_error", tag: "OverloadedError", verdict: "overloaded" },
  { status: 529, body: html, tag: "OverloadedError", verdict: "overloaded" },
  {
    status: 529,
    type: "overloaded_error",
    code: "compaction_unavailable",
    tag: "OverloadedError",
    verdict: "serverError"
  },
  // The server's own word
  {
    status: 529,
    type: "overloaded_error",
    headers: { "x-should-retry": "false" },
    tag: "OverloadedError",
    verdict: "stop"
  },
  {
    status: 400,
    type: "invalid_request_error",
    headers: { "x-should-retry": "true" },
    tag: "InvalidRequestError",
    verdict: "stop"
  },
  { status: 444, body: html, headers: { "x-should-retry": "true" }, tag: "InvalidRequestError", verdict: "serverError" }
]

const attempts = { stop: 1, timeout: 2 } as const
const requestsFor = (verdict: Row["verdict"]): number =>
  verdict === "stop" || verdict === "timeout" ? attempts[verdict] : 3

const stepOf = ({ body, code, headers, message, status, type }: Row): FaultStep.FaultStep =>
  type === undefined
    ? FaultStep.response({ status, contentType: "text/html", body: body ?? "", ...(headers && { headers }) })
    : FaultStep.error({
      status,
      error: { type, ...(message && { message }), ...(code && { details: { error_code: code } }) },
      ...(headers && { headers })
    })

const nameOf = ({ body, code, headers, message, status, type }: Row): string =>
  [
    status,
    type,
    code,
    message?.slice(0, 30),
    body === "" ? "empty body" : body && "HTML",
    headers && JSON.stringify(headers)
  ]
    .filter((part) => part !== undefined)
    .join(" ")

describe("errors of the API, through the SDK and a socket", () => {
  const operations: ReadonlyArray<Operation> = ["createMessage", "streamMessage"]
  for (const row of rows) {
    it.live(
      nameOf(row),
      () =>
        Effect.forEach(
          operations,
          (operation) =>
            withWire({ after: stepOf(row) }, ({ api, claude }) =>
              Effect.gen(function*() {
                const error = yield* Effect.flip(run(claude, operation))
                const requests = yield* api.requests

                assert.strictEqual(error._tag, row.tag)
                assert.strictEqual(verdictOf(error), row.verdict)
                assert.strictEqual(error.status, row.status)
                assert.strictEqual(error.errorCode, row.code)
                assert.strictEqual(error.errorType, row.type)
                assert.strictEqual(error.model, "claude-sonnet-5-5")
                assert.strictEqual(requests.length, requestsFor(row.verdict))
                assert.strictEqual(error.attempt, requests.length)
                // A proxy's page has no request id.
                assert.strictEqual(error.requestId, row.type === undefined ? undefined : requests.at(-1)?.requestId)
                assert.deepStrictEqual(
                  requests.map(({ headers }) => headers["x-stainless-retry-count"]),
                  requests.map((_, index) => String(index))
                )
              }), quickPipeline())
        )
    )
  }

  it.live("count_tokens maps them too", () =>
    withWire({ after: FaultStep.overloaded() }, ({ api, claude }) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(run(claude, "countTokens"))
        assert.strictEqual(error._tag, "OverloadedError")
        assert.strictEqual((yield* api.requests).length, 3)
      }), quickPipeline()))
})

describe("the server's wait, through the SDK and a socket", () => {
  const waits: ReadonlyArray<readonly [string, Record<string, string>, number | undefined]> = [
    ["retry-after-ms", { "retry-after-ms": "40" }, 40],
    ["retry-after-ms over retry-after", { "retry-after-ms": "40", "retry-after": "7" }, 40],
    ["retry-after in decimals", { "retry-after": "0.06" }, 60],
    [
      "retry-after as a date, against the server's own clock",
      { "retry-after": "Fri, 20 Nov 2026 10:00:01 GMT", date: "Fri, 20 Nov 2026 10:00:00 GMT" },
      1000
    ],
    ["a negative number", { "retry-after": "-3" }, undefined],
    ["no number", { "retry-after": "soon" }, undefined],
    ["NaN", { "retry-after": "NaN" }, undefined],
    ["a number with a tail", { "retry-after": "1abc" }, undefined],
    ["an ISO date", { "retry-after": "2026-11-20T10:00:01Z" }, undefined],
    ["a date that has passed", { "retry-after": "Fri, 20 Nov 1998 10:00:01 GMT" }, undefined],
    ["more than 24.8 days", { "retry-after": "2147484" }, undefined],
    ["retry-after-ms of zero", { "retry-after-ms": "0" }, undefined]
  ]
  for (const [name, headers, millis] of waits) {
    it.live(name, () =>
      withWire(
        { steps: [FaultStep.error({ status: 429, error: { type: "rate_limit_error" }, headers })] },
        ({ api, claude }) =>
          Effect.gen(function*() {
            yield* claude.createMessage({
              model: "claude-sonnet-5-5",
              max_tokens: 10,
              messages: [{ role: "user", content: "Hi" }]
            })
            const [first, second] = yield* api.requests
            const gap = (second?.receivedAt ?? 0) - (first?.receivedAt ?? 0)
            if (millis === undefined) {
              assert.isBelow(gap, 900, "the wait was believed")
            } else {
              // The timer of the process and the clock of the server may differ by a fraction of a millisecond.
              assert.isAtLeast(gap, millis - 1)
            }
          }),
        // The limiter holds everybody up for a second after a 429 that does not say for how long.
        quickPipeline({ rateLimiter: false })
      ))
  }

  it.live("retry-after of an hour under a deadline of 30 s: one request, at once, the wait in the error", () =>
    withWire({ after: FaultStep.rateLimit({ retryAfter: "1 hour" }) }, ({ api, claude }) =>
      Effect.gen(function*() {
        yield* Effect.flip(
          claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "warm up" }] })
        )
        yield* api.clearRequests
        const start = performance.now()
        const error = yield* Effect.flip(run(claude, "createMessage"))
        const millis = performance.now() - start

        assert.strictEqual(error._tag, "RateLimitError")
        assert.deepStrictEqual(error.retryAfter, Duration.hours(1))
        assert.strictEqual((yield* api.requests).length, 1)
        assert.isBelow(millis, 100)
      }), quickPipeline({ deadline: "30 seconds" })))

  it.live("retry-after of 61 s without a deadline: one request, since the wait is over the maximum", () =>
    withWire(
      { after: FaultStep.rateLimit({ retryAfter: "61 seconds" }) },
      ({ api, claude }) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(run(claude, "createMessage"))
          assert.deepStrictEqual(error.retryAfter, Duration.seconds(61))
          assert.strictEqual((yield* api.requests).length, 1)
        }),
      quickPipeline({ deadline: false })
    ))
})

describe("rate-limit headers, through the SDK and a socket", () => {
  const fast: ReadonlyArray<readonly [number, string, string]> = [
    [429, "rate_limit_error", "RateLimitError"],
    [529, "overloaded_error", "OverloadedError"]
  ]
  for (const [status, type, tag] of fast) {
    it.live(`a ${status} of fast mode keeps the server's wait and says what is left of that mode`, () =>
      withWire(
        {
          after: FaultStep.error({
            status,
            error: { type },
            headers: { "retry-after-ms": "30", "anthropic-fast-input-tokens-remaining": "0" }
          })
        },
        ({ api, claude }) =>
          Effect.gen(function*() {
            const error = yield* Effect.flip(claude.createMessage(Object.assign({}, request, { speed: "fast" })))
            assert.strictEqual(error._tag, tag)
            assert.deepStrictEqual(error.retryAfter, Duration.millis(30))
            assert.strictEqual("rateLimits" in error ? error.rateLimits?.fastInputTokens?.remaining : undefined, 0)
            const requests = yield* api.requests
            assert.deepStrictEqual(requests.map(({ body }) => (body as { speed?: string }).speed), [
              "fast",
              "fast",
              "fast"
            ])
            const [first, second] = requests
            assert.isAtLeast((second?.receivedAt ?? 0) - (first?.receivedAt ?? 0), 29)
          }),
        quickPipeline()
      ))
  }

  it.live("are on the error of a 429", () =>
    withWire(
      {
        after: FaultStep.error({
          status: 429,
          error: { type: "rate_limit_error" },
          headers: {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-requests-reset": "2026-11-20T10:00:30Z",
            "anthropic-ratelimit-input-tokens-remaining": "-1",
            "anthropic-priority-input-tokens-limit": "10000",
            "anthropic-fast-output-tokens-remaining": "12"
          }
        })
      },
      ({ claude }) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(run(claude, "createMessage"))
          assert.strictEqual(error._tag, "RateLimitError")
          if (error._tag !== "RateLimitError") return
          const { fastOutputTokens, inputTokens, priorityInputTokens, requests } = error.rateLimits ?? {}
          assert.deepStrictEqual(requests, { limit: 50, remaining: 0, resetAt: Date.parse("2026-11-20T10:00:30Z") })
          assert.isUndefined(inputTokens?.remaining)
          assert.deepStrictEqual(priorityInputTokens, { limit: 10_000 })
          assert.deepStrictEqual(fastOutputTokens, { remaining: 12 })
        })
    ))
})
