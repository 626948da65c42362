import * as ErrorClasses from "@anthropic-ai/sdk/core/error-classes"
import * as SdkErrors from "@anthropic-ai/sdk/error"
import { classify, errorCodes, sdkErrorClasses } from "@effect-claude/client/Classification"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as SdkFailure from "@effect-claude/client/SdkFailure"
import type { RetryKind } from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"

// Marked as internal in the SDK, so that its types leave it out.
const { ERROR_CODE_CLASSES } = ErrorClasses as unknown as {
  readonly ERROR_CODE_CLASSES: ReadonlyMap<string, typeof SdkErrors.APIError<number, Headers>>
}

type Expected = readonly [tag: string, next: RetryKind | "stop"]

const answerOf = (status: number, type: string | undefined, code: string | undefined) =>
  SdkFailure.fromAnswer({
    status,
    body: type === undefined ? "<html></html>" : {
      type: "error",
      error: {
        type,
        message: "words that mean nothing",
        ...(code === undefined ? {} : { details: { error_code: code } })
      }
    }
  })

const outcome = (error: ClaudeError): Expected => [
  error._tag,
  error.verdict._tag === "Retry" ? error.verdict.kind : "stop"
]

const codes = (text: string): ReadonlyArray<string> => text.split(" ")

// Section A of the specification: status, type, codes, and what must become of them.
const rows: ReadonlyArray<readonly [number, string | undefined, ReadonlyArray<string | undefined>, Expected]> = [
  [400, "invalid_request_error", [undefined, "a_code_of_next_year"], ["InvalidRequestError", "stop"]],
  [400, "invalid_request_error", ["thread_continue_in_flight"], ["ConflictError", "conflict"]],
  [400, "invalid_request_error", ["thread_already_continued"], ["ConflictError", "stop"]],
  [
    400,
    "invalid_request_error",
    codes("thread_fingerprint_mismatch thread_unsupported_request"),
    ["InvalidRequestError", "stop"]
  ],
  [
    400,
    "invalid_request_error",
    codes(
      "compaction_block_ambiguous compaction_block_misplaced compaction_content_mismatch compaction_nothing_to_summarize "
        + "compaction_signature_invalid compaction_tool_changes_mismatch compaction_incomplete_turn "
        + "compaction_too_many_tool_references"
    ),
    ["InvalidRequestError", "stop"]
  ],
  [
    400,
    "invalid_request_error",
    codes(
      "available_tools_limit_exceeded tool_name_conflict tool_reference_unresolved request_body_encoding_invalid "
        + "request_body_encoding_unsupported"
    ),
    ["InvalidRequestError", "stop"]
  ],
  [
    400,
    "invalid_request_error",
    codes("organization_on_hold claude_code_key_creator_not_member"),
    ["PermissionDeniedError", "stop"]
  ],
  [
    400,
    "invalid_request_error",
    codes("claude_code_version_too_old user_profile_required"),
    ["InvalidRequestError", "stop"]
  ],
  [
    400,
    "invalid_request_error",
    codes("cmek_key_disabled cmek_key_network_blocked"),
    ["PermissionDeniedError", "stop"]
  ],
  [
    400,
    "invalid_request_error",
    codes("file_not_downloadable storage_quota_exceeded"),
    ["InvalidRequestError", "stop"]
  ],
  [401, "authentication_error", [undefined], ["AuthenticationError", "stop"]],
  [402, "billing_error", [undefined], ["BillingError", "stop"]],
  [
    402,
    "billing_error",
    codes("linked_organization_billing_unavailable linked_organization_spend_limit_reached"),
    ["BillingError", "stop"]
  ],
  [403, "permission_error", [undefined], ["PermissionDeniedError", "stop"]],
  [
    403,
    "permission_error",
    codes("user_profile_billing_not_authorized user_profile_not_billable"),
    ["PermissionDeniedError", "stop"]
  ],
  [404, "not_found_error", [undefined, "thread_not_found", "file_expired"], ["NotFoundError", "stop"]],
  [408, "timeout_error", [undefined], ["RequestTimeoutError", "timeout"]],
  [408, "invalid_request_error", [undefined], ["RequestTimeoutError", "timeout"]],
  [408, undefined, [undefined], ["RequestTimeoutError", "timeout"]],
  [409, "conflict_error", ["skill_read_blocked_undecryptable"], ["ConflictError", "stop"]],
  [409, "conflict_error", [undefined], ["ConflictError", "conflict"]],
  ...[410, 412, 418, 422, 431].flatMap((status) =>
    ["invalid_request_error", "api_error", undefined].map((type) =>
      [status, type, [undefined], ["InvalidRequestError", "stop"]] as const
    )
  ),
  [413, "request_too_large", [undefined, "request_body_too_large_after_decoding"], ["RequestTooLargeError", "stop"]],
  [413, undefined, [undefined], ["RequestTooLargeError", "stop"]],
  [429, "rate_limit_error", [undefined, "ramp_limit_exceeded"], ["RateLimitError", "rateLimited"]],
  [
    429,
    "rate_limit_error",
    codes("enforced_spend_limit_reached contract_spend_limit_reached"),
    ["SpendLimitError", "stop"]
  ],
  [499, "api_error", [undefined], ["ConnectionError", "connection"]],
  [499, undefined, [undefined], ["ConnectionError", "connection"]],
  ...[500, 502, 520, 521, 522, 523, 524].flatMap((status) =>
    ["api_error", undefined].map((type) => [status, type, [undefined], ["InternalServerError", "serverError"]] as const)
  ),
  [501, "api_error", [undefined], ["InternalServerError", "stop"]],
  [501, undefined, [undefined], ["InternalServerError", "stop"]],
  [503, "api_error", [undefined, "cmek_key_unreachable"], ["InternalServerError", "serverError"]],
  [503, "api_error", ["cmek_context_unavailable"], ["InternalServerError", "overloaded"]],
  [503, undefined, [undefined], ["InternalServerError", "serverError"]],
  [504, "timeout_error", [undefined], ["GatewayTimeoutError", "timeout"]],
  [504, undefined, [undefined], ["GatewayTimeoutError", "timeout"]],
  [529, "overloaded_error", [undefined], ["OverloadedError", "overloaded"]],
  [529, "overloaded_error", ["compaction_unavailable"], ["OverloadedError", "serverError"]],
  [529, undefined, [undefined], ["OverloadedError", "overloaded"]]
]

describe("the table of HTTP errors", () => {
  for (const [status, type, rowCodes, expected] of rows) {
    for (const code of rowCodes) {
      it(`${status} ${type ?? "without a type"} ${code ?? "without a code"}: ${expected.join(", ")}`, () => {
        assert.deepStrictEqual(outcome(answerOf(status, type, code)), expected)
      })
    }
  }

  it("reads the same meaning inside a stream, where there is no status", () => {
    for (const [status, type, rowCodes, expected] of rows) {
      if (type === undefined || status === 408 || status === 499 || status === 501 || status === 410) continue
      if (type === "api_error" && status < 500) continue
      for (const code of rowCodes) {
        const error = SdkFailure.fromAnswer({ body: { type: "error", error: { type, details: { error_code: code } } } })
        assert.deepStrictEqual(outcome(error), expected, `${type} ${code}`)
      }
    }
  })

  const wordings: ReadonlyArray<readonly [string, string]> = [
    ["You have reached your specified API usage limits. You will regain access on 2026-12-01.", "SpendLimitError"],
    ["You have reached your specified workspace API usage limits. You will regain access later.", "SpendLimitError"],
    ["Your credit balance is too low to access the API.", "BillingError"],
    ["prompt is too long: 210000 tokens > 200000 maximum", "ContextWindowExceededError"],
    ["input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000", "ContextWindowExceededError"],
    ["messages: at least one message is required", "InvalidRequestError"],
    ["I was told: Your credit balance is too low", "InvalidRequestError"]
  ]
  for (const [message, tag] of wordings) {
    it(`400 "${message}": ${tag}`, () => {
      const error = SdkFailure.fromAnswer({ status: 400, body: { error: { type: "invalid_request_error", message } } })
      assert.deepStrictEqual(outcome(error), [tag, "stop"])
    })
  }

  it("does not read the wording of a 400 that has a code", () => {
    const details = { error_code: "storage_quota_exceeded" }
    const message = "Your credit balance is too low"
    const error = SdkFailure.fromAnswer({
      status: 400,
      body: { error: { type: "invalid_request_error", message, details } }
    })
    assert.strictEqual(error._tag, "InvalidRequestError")
  })

  it("never retries against the word of the server, and never stops for a `true` where the table says retry", () => {
    for (const [status, type, rowCodes, expected] of rows) {
      for (const code of rowCodes) {
        const body = { error: { type, details: { error_code: code } } }
        const verdict = (word: string) =>
          SdkFailure.fromAnswer({ status, body, headers: new Headers({ "x-should-retry": word }) }).verdict._tag
        assert.strictEqual(verdict("false"), "Stop")
        assert.strictEqual(verdict("true"), expected[1] === "stop" ? "Stop" : "Retry", `${status} ${type} ${code}`)
      }
    }
  })

  it("believes `x-should-retry: true` only where no table knows better", () => {
    const headers = new Headers({ "x-should-retry": "true" })
    const verdict = (status: number) => SdkFailure.fromAnswer({ status, headers }).verdict
    assert.deepStrictEqual(verdict(425), { _tag: "Retry", kind: "serverError", after: undefined })
    assert.strictEqual(verdict(400)._tag, "Stop")
  })

  it("treats an unknown code as its type, and an unknown type as its status", () => {
    assert.strictEqual(classify({ status: 529, errorType: "tired_error", errorCode: "nap" }).tag, "OverloadedError")
    assert.strictEqual(classify({ status: 200, errorType: "rate_limit_error", errorCode: "x" }).tag, "RateLimitError")
    assert.strictEqual(classify({ errorType: "constructor", errorCode: "toString" }).tag, "InternalServerError")
    assert.strictEqual(classify({ status: 451 }).retry, "stop")
    assert.strictEqual(classify({ status: 599 }).retry, "serverError")
  })
})

describe("the SDK's own tables", () => {
  it("has a row for every error code that the SDK knows at run time", () => {
    assert.isAbove(ERROR_CODE_CLASSES.size, 90)
    for (const entry of ERROR_CODE_CLASSES.keys()) {
      const [, code = ""] = entry.split(" ")
      assert.isTrue(Object.hasOwn(errorCodes, code), entry)
    }
  })

  for (const [entry, ErrorClass] of ERROR_CODE_CLASSES) {
    it(`maps the class of ${entry} by its code`, () => {
      const [status = "", code = ""] = entry.split(" ")
      const body = {
        type: "error",
        error: { type: "invalid_request_error", message: "m", details: { error_code: code } }
      }
      const error = SdkFailure.fromThrown(new ErrorClass(Number(status), body, undefined, new Headers()))
      const row = Object.entries(errorCodes).find(([known]) => known === code)?.[1]
      assert.isDefined(row)
      assert.deepStrictEqual([...outcome(error)], [row?.tag, row?.retry])
      assert.include(error, { status: Number(status), errorCode: code })
    })
  }

  const sdkStatuses = [400, 401, 402, 403, 404, 408, 409, 412, 413, 422, 429, 431, 499, 500, 501, 503, 504, 529]
  it("names every error class that the SDK exports", () => {
    const exported = Object.entries(SdkErrors).filter(([, value]) => value.prototype instanceof Error)
    assert.sameMembers(exported.map(([name]) => name), Object.keys(sdkErrorClasses))
  })

  for (const status of sdkStatuses) {
    const thrown = SdkErrors.APIError.generate(status, undefined, "nothing", new Headers())
    it(`maps what the SDK makes of a bare ${status} (${thrown.constructor.name}) as its table says`, () => {
      const stated = Object.entries(sdkErrorClasses).find(([name]) => name === thrown.constructor.name)?.[1]
      assert.strictEqual(SdkFailure.fromThrown(thrown)._tag, stated)
    })
  }

  it("maps the classes without a status as the table says", () => {
    const headers = new Headers()
    const tag = (thrown: unknown) => SdkFailure.fromThrown(thrown)._tag
    assert.strictEqual(tag(new SdkErrors.APIUserAbortError()), sdkErrorClasses.APIUserAbortError)
    assert.strictEqual(tag(new SdkErrors.APIConnectionError({})), sdkErrorClasses.APIConnectionError)
    assert.strictEqual(tag(new SdkErrors.APIConnectionTimeoutError()), sdkErrorClasses.APIConnectionTimeoutError)
    const inStream = new SdkErrors.APIError(undefined, { error: { type: "overloaded_error" } }, undefined, headers)
    assert.strictEqual(tag(inStream), "OverloadedError")
    assert.strictEqual(tag(new SdkErrors.RetryableError("again", { cause: inStream })), "OverloadedError")
    assert.strictEqual(tag(new SdkErrors.RetryableError("again")), "ConnectionError")
    assert.strictEqual(tag(new SdkErrors.AnthropicError("odd", { cause: inStream })), "OverloadedError")
  })
})
