import * as FaultStep from "@effect-claude/testing/FaultStep"
import { apiError, type Entry } from "./Entry.ts"

const { ofType, overloaded, rateLimit, spendLimit } = FaultStep
const seconds = { retryAfter: "2 seconds" } as const

export const httpErrors: ReadonlyArray<Entry> = [
  apiError("A 400", "invalidRequest", "400", FaultStep.invalidRequest(), "BadRequestError", "InvalidRequestError stop"),
  apiError(
    "A 400 own spend limit",
    "usageLimit",
    "400 own spend limit",
    FaultStep.usageLimit(),
    "BadRequestError",
    "SpendLimitError stop"
  ),
  apiError(
    "A 400 own spend limit",
    "usageLimit",
    "400 own spend limit of a workspace",
    FaultStep.usageLimit({ of: "workspace" }),
    "BadRequestError",
    "SpendLimitError stop"
  ),
  apiError(
    "A 400 low credit",
    "lowCredit",
    "400 low credit",
    FaultStep.lowCredit(),
    "BadRequestError",
    "BillingError stop"
  ),
  apiError(
    "A 400 context window",
    "promptTooLong",
    "400 prompt too long",
    FaultStep.promptTooLong(),
    "BadRequestError",
    "ContextWindowExceededError stop"
  ),
  apiError(
    "A 401",
    "authentication",
    "401",
    FaultStep.authentication(),
    "AuthenticationError",
    "AuthenticationError stop"
  ),
  apiError("A 402", "ofType", "402", ofType("billing_error"), "PaymentRequiredError", "BillingError stop"),
  apiError("A 403", "ofType", "403", ofType("permission_error"), "PermissionDeniedError", "PermissionDeniedError stop"),
  apiError("A 404", "ofType", "404", ofType("not_found_error"), "NotFoundError", "NotFoundError stop"),
  apiError(
    "A 408",
    "ofType",
    "408",
    ofType("timeout_error", { status: 408 }),
    "RequestTimeoutError",
    "RequestTimeoutError timeout"
  ),
  apiError("A 409", "ofType", "409", ofType("conflict_error"), "ConflictError", "ConflictError conflict"),
  apiError(
    "A 409",
    "ofType",
    "409 of a memory's path",
    ofType("memory_path_conflict_error"),
    "ConflictError",
    "ConflictError stop"
  ),
  apiError(
    "A 409",
    "ofType",
    "409 of a memory that changed",
    ofType("memory_precondition_failed_error"),
    "ConflictError",
    "ConflictError stop"
  ),
  apiError(
    "A 412, 422, 431, 410, 418",
    "ofType",
    "410",
    ofType("invalid_request_error", { status: 410 }),
    "APIError",
    "InvalidRequestError stop"
  ),
  apiError(
    "A 412, 422, 431, 410, 418",
    "ofType",
    "412",
    ofType("invalid_request_error", { status: 412 }),
    "PreconditionFailedError",
    "InvalidRequestError stop"
  ),
  apiError(
    "A 412, 422, 431, 410, 418",
    "ofType",
    "418",
    ofType("invalid_request_error", { status: 418 }),
    "APIError",
    "InvalidRequestError stop"
  ),
  apiError(
    "A 412, 422, 431, 410, 418",
    "ofType",
    "422",
    ofType("invalid_request_error", { status: 422 }),
    "UnprocessableEntityError",
    "InvalidRequestError stop"
  ),
  apiError(
    "A 412, 422, 431, 410, 418",
    "ofType",
    "431",
    ofType("invalid_request_error", { status: 431 }),
    "RequestHeaderFieldsTooLargeError",
    "InvalidRequestError stop"
  ),
  apiError(
    "A 413 from the API",
    "requestTooLarge",
    "413",
    FaultStep.requestTooLarge(),
    "ContentTooLargeError",
    "RequestTooLargeError stop"
  ),
  apiError("A 429", "rateLimit", "429", rateLimit(), "RateLimitError", "RateLimitError rateLimited", {
    "anthropic-ratelimit-requests-remaining": "0"
  }),
  apiError(
    "A 429",
    "rateLimit",
    "429 with retry-after",
    rateLimit(seconds),
    "RateLimitError",
    "RateLimitError rateLimited 2000",
    { "retry-after": "2" }
  ),
  apiError(
    "A 429",
    "rateLimit",
    "429 of input tokens",
    rateLimit({ limit: "inputTokens", retryAfter: 1500 }),
    "RateLimitError",
    "RateLimitError rateLimited 1500",
    {
      "retry-after": "1.5",
      "anthropic-ratelimit-input-tokens-remaining": "0"
    }
  ),
  apiError(
    "A 429 ramp limit",
    "rampLimit",
    "429 ramp limit",
    FaultStep.rampLimit(seconds),
    "RampLimitExceededError",
    "RateLimitError rateLimited 2000",
    { "retry-after": "2" }
  ),
  apiError(
    "A 429 spend limit",
    "spendLimit",
    "429 spend limit",
    spendLimit(),
    "EnforcedSpendLimitReachedError",
    "SpendLimitError stop"
  ),
  apiError(
    "A 429 spend limit",
    "spendLimit",
    "429 spend limit of the contract",
    spendLimit({ limit: "contract" }),
    "ContractSpendLimitReachedError",
    "SpendLimitError stop"
  ),
  apiError(
    "A 429 spend limit with retry-after",
    "spendLimit",
    "429 spend limit with retry-after",
    spendLimit(seconds),
    "EnforcedSpendLimitReachedError",
    "SpendLimitError stop 2000",
    { "retry-after": "2" }
  ),
  apiError(
    "A 429 of fast mode",
    "error",
    "429 of fast mode",
    FaultStep.error({
      status: 429,
      error: { type: "rate_limit_error" },
      headers: { "retry-after": "2", "anthropic-fast-input-tokens-remaining": "0" }
    }),
    "RateLimitError",
    "RateLimitError rateLimited 2000",
    { "anthropic-fast-input-tokens-remaining": "0" }
  ),
  apiError(
    "A 499",
    "ofType",
    "499",
    ofType("api_error", { status: 499 }),
    "ClientClosedRequestError",
    "ConnectionError connection"
  ),
  apiError(
    "A 500",
    "internalServer",
    "500",
    FaultStep.internalServer(),
    "InternalServerError",
    "InternalServerError serverError"
  ),
  apiError(
    "A 501",
    "ofType",
    "501",
    ofType("api_error", { status: 501 }),
    "NotImplementedError",
    "InternalServerError stop"
  ),
  apiError(
    "A 503",
    "ofType",
    "503",
    ofType("api_error", { status: 503 }),
    "ServiceUnavailableError",
    "InternalServerError serverError"
  ),
  apiError("A 504", "ofType", "504", ofType("timeout_error"), "GatewayTimeoutError", "GatewayTimeoutError timeout"),
  apiError("A 529", "overloaded", "529", overloaded(), "OverloadedError", "OverloadedError overloaded"),
  apiError(
    "A 529",
    "overloaded",
    "529 with retry-after",
    overloaded(seconds),
    "OverloadedError",
    "OverloadedError overloaded 2000",
    { "retry-after": "2" }
  ),
  apiError(
    "A x-should-retry",
    "overloaded",
    "529 that forbids a retry",
    overloaded({ shouldRetry: false }),
    "OverloadedError",
    "OverloadedError stop",
    { "x-should-retry": "false" }
  ),
  apiError(
    "A x-should-retry",
    "ofType",
    "400 that asks for a retry",
    ofType("invalid_request_error", { shouldRetry: true }),
    "BadRequestError",
    "InvalidRequestError stop",
    { "x-should-retry": "true" }
  ),
  apiError(
    "A retry-after-ms",
    "rateLimit",
    "429 with retry-after-ms",
    rateLimit({ retryAfter: 250, retryAfterAs: "milliseconds" }),
    "RateLimitError",
    "RateLimitError rateLimited 250",
    { "retry-after-ms": "250" }
  ),
  apiError(
    "A retry-after as a date",
    "rateLimit",
    "429 with a date",
    rateLimit({ retryAfter: "1 hour", retryAfterAs: "date" }),
    "RateLimitError",
    "RateLimitError rateLimited about an hour",
    {
      "retry-after": /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/
    }
  ),
  apiError(
    "A x-should-retry",
    "spendLimit",
    "429 spend limit that asks for a retry",
    spendLimit({ shouldRetry: true }),
    "EnforcedSpendLimitReachedError",
    "SpendLimitError stop",
    { "x-should-retry": "true" }
  ),
  apiError(
    "A retry-after-ms",
    "rateLimit",
    "429 with retry-after-ms and retry-after",
    rateLimit({ headers: { "retry-after-ms": "250", "retry-after": "2" } }),
    "RateLimitError",
    "RateLimitError rateLimited 250",
    { "retry-after-ms": "250", "retry-after": "2" }
  ),
  apiError(
    "A retry-after-ms",
    "rateLimit",
    "429 with retry-after-ms of 0 and retry-after",
    rateLimit({ headers: { "retry-after-ms": "0", "retry-after": "2" } }),
    "RateLimitError",
    "RateLimitError rateLimited 2000",
    { "retry-after-ms": "0", "retry-after": "2" }
  ),
  apiError(
    "A retry-after without a cap",
    "rateLimit",
    "429 with retry-after: 24 days",
    rateLimit({ retryAfter: "24 days" }),
    "RateLimitError",
    "RateLimitError rateLimited 2073600000",
    { "retry-after": "2073600" }
  ),
  apiError(
    "E unified limits",
    "rateLimit",
    "429 with unified limits",
    rateLimit({
      headers: {
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": "1795737600"
      }
    }),
    "RateLimitError",
    "RateLimitError rateLimited",
    { "anthropic-ratelimit-unified-reset": "1795737600" }
  ),
  apiError(
    "A details of error codes",
    "ofCode",
    "code organization_on_hold with its details",
    FaultStep.ofCode("organization_on_hold", { details: { appeal_url: "https://example.com/appeal" } }),
    "OrganizationOnHoldError",
    "PermissionDeniedError stop"
  ),
  apiError(
    "A details of error codes",
    "ofCode",
    "code thread_unsupported_request with its details",
    FaultStep.ofCode("thread_unsupported_request", { details: { unsupported: ["mcp_servers"] } }),
    "ThreadUnsupportedRequestError",
    "InvalidRequestError stop"
  ),
  // The SDK takes the numbers with which two of them begin for seconds.
  ...["-1", "NaN", "soon", "Thu, 01 Jan 1998 00:00:00 GMT", "2147484", "1abc", "2026-11-26T00:00:00Z"].map((value) =>
    apiError(
      "A retry-after without sense",
      "rateLimit",
      `429 with retry-after: ${value}`,
      rateLimit({ headers: { "retry-after": value } }),
      "RateLimitError",
      "RateLimitError rateLimited",
      { "retry-after": value }
    )
  )
]
