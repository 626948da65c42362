import type { ClaudeErrorTag } from "@effect-claude/client/ClaudeError"
import { ClaudeError, OverloadedError } from "@effect-claude/client/ClaudeError"
import * as Duration from "effect/Duration"

type Classes = (typeof ClaudeError)["cases"]

/** The fields that the class of a tag is made from. */
export type ErrorFields<Tag extends ClaudeErrorTag> = ConstructorParameters<Classes[Tag]>[0]

type Row<Tag extends ClaudeErrorTag> = ErrorFields<Tag> | ((given: Partial<ErrorFields<Tag>>) => ErrorFields<Tag>)

const code = (error_code: string) => ({ errorCode: error_code, details: { error_code } })

/**
 * What an error of each tag usually looks like: an error of the API as the API sends it, one of the transport as the
 * client words it, one of a policy as its layer does. A tag that `ClaudeError` gains is a compile error here.
 */
const usual: { readonly [Tag in ClaudeErrorTag]: Row<Tag> } = {
  InvalidRequestError: {
    message: "messages.0.content: Field required",
    status: 400,
    errorType: "invalid_request_error"
  },
  AuthenticationError: { message: "invalid x-api-key", status: 401, errorType: "authentication_error" },
  BillingError: {
    message: "There is an issue with your billing or payment information",
    status: 402,
    errorType: "billing_error"
  },
  PermissionDeniedError: {
    message: "Your API key does not have permission to use the specified resource",
    status: 403,
    errorType: "permission_error"
  },
  NotFoundError: { message: "The requested resource could not be found", status: 404, errorType: "not_found_error" },
  RequestTimeoutError: { message: "The request was not received in time", status: 408, errorType: "timeout_error" },
  ConflictError: { message: "The request conflicts with another one", status: 409, errorType: "conflict_error" },
  RequestTooLargeError: {
    message: "Request exceeds the maximum size",
    status: 413,
    errorType: "request_too_large"
  },
  ContextWindowExceededError: {
    message: "prompt is too long: 208310 tokens > 200000 maximum",
    status: 400,
    errorType: "invalid_request_error"
  },
  RateLimitError: {
    message: "This request would exceed your organization's rate limit",
    status: 429,
    errorType: "rate_limit_error"
  },
  SpendLimitError: {
    message: "You have reached your organization's spend limit",
    status: 429,
    errorType: "rate_limit_error",
    ...code("enforced_spend_limit_reached")
  },
  InternalServerError: { message: "Internal server error", status: 500, errorType: "api_error" },
  GatewayTimeoutError: { message: "The request timed out", status: 504, errorType: "timeout_error" },
  OverloadedError: { message: "Overloaded", status: 529, errorType: "overloaded_error" },
  ConnectionError: ({ code = "ECONNRESET" }) => ({ message: `The connection failed (${code})`, code }),
  AttemptTimeoutError: ({ limit = Duration.seconds(60), phase = "attempt" }) => ({
    message: `${timedOut[phase]} within ${Duration.format(limit)}`,
    phase,
    limit
  }),
  StreamInterruptedError: ({ partial = { text: "", events: 0 } }) => ({
    message: "The connection was lost during the stream (UND_ERR_SOCKET)",
    partial
  }),
  InvalidResponseError: ({ partial }) => ({
    message: partial === undefined
      ? "A successful status with an HTML page"
      : "An event of the stream is not valid JSON"
  }),
  RefusalError: { message: "The model refused to answer", category: "general_harms" },
  OutputTruncatedError: ({ stopReason = "max_tokens" }) => ({
    message: `The answer was cut off (${stopReason})`,
    stopReason
  }),
  OutputInvalidError: {
    message: "The answer does not have the shape that was asked for",
    issues: [`Missing key at ["answer"]`]
  },
  CircuitOpenError: ({ retryAfter = Duration.seconds(60) }) => ({
    message: `The circuit is open for another ${Duration.format(retryAfter)}`,
    retryAfter
  }),
  RateLimitedLocallyError: ({ retryAfter = Duration.seconds(1) }) => ({
    message: "The local rate limit leaves no room for this request",
    retryAfter
  }),
  ConcurrencyLimitError: { message: "Too many calls are in flight" },
  RetryBudgetExhaustedError: () => ({
    message: "The retry budget is used up",
    cause: new OverloadedError({ message: "Overloaded", status: 529, errorType: "overloaded_error" })
  }),
  DeadlineExceededError: ({ limit = Duration.minutes(2) }) => ({
    message: `The call did not end within its deadline of ${Duration.format(limit)}`,
    limit
  }),
  UsageBudgetExceededError: ({ limit = 10, required = 0.5, spent = 9.75, unit = "usd" }) => ({
    message:
      `The budget of ${limit} ${unit} would be exceeded: ${spent} is spent or reserved, and the call needs ${required}`,
    budget: "call",
    unit,
    limit,
    spent,
    required
  })
}

const timedOut = {
  headers: "No headers arrived",
  firstEvent: "No event arrived",
  idle: "Nothing arrived",
  attempt: "The attempt did not end"
}

/** The usual fields of an error, given those that a test has set. */
export const usualFields = <Tag extends ClaudeErrorTag>(
  tag: Tag,
  given: Partial<ErrorFields<Tag>>
): ErrorFields<Tag> => {
  const row: Row<Tag> = usual[tag]
  return typeof row === "function" ? row(given) : row
}

/** The class of each tag, typed so that a tag that is not known yet can be looked up. */
export const classes: {
  readonly [Tag in ClaudeErrorTag]: new(fields: ErrorFields<Tag>) => Extract<ClaudeError, { readonly _tag: Tag }>
} = ClaudeError.cases
