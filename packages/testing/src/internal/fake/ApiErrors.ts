import type { ErrorType } from "@anthropic-ai/sdk/resources/shared"
import type { SdkErrorCode } from "@effect-claude/client/Classification"
import { statusOfCode } from "./ErrorCodes.ts"

export interface ApiErrorAnswer {
  readonly status: number
  readonly error: PlannedError
}

export interface PlannedError {
  readonly type: string
  readonly message?: string | undefined
  readonly details?: { readonly [field: string]: unknown } | undefined
}

/** The error types of the API: those of the SDK, and one that its types lack. */
export type ApiErrorType = ErrorType | "request_too_large"

/** The status and a usual text of each type. A type that the SDK gains is a compile error here. */
const byType: Readonly<Record<ApiErrorType, { readonly status: number; readonly message: string }>> = {
  invalid_request_error: { status: 400, message: "The request is invalid" },
  authentication_error: { status: 401, message: "invalid x-api-key" },
  billing_error: { status: 402, message: "There is an issue with billing or payment information" },
  permission_error: { status: 403, message: "The API key may not use this resource" },
  not_found_error: { status: 404, message: "Not found" },
  conflict_error: { status: 409, message: "The request conflicts with another one" },
  memory_path_conflict_error: { status: 409, message: "Another memory has this path" },
  memory_precondition_failed_error: { status: 409, message: "The memory has changed" },
  request_too_large: { status: 413, message: "Request exceeds the maximum size" },
  rate_limit_error: { status: 429, message: "This request would exceed the rate limit" },
  api_error: { status: 500, message: "Internal server error" },
  timeout_error: { status: 504, message: "The request timed out" },
  overloaded_error: { status: 529, message: "Overloaded" }
}

const known = (type: string) => Object.hasOwn(byType, type) ? byType[type as ApiErrorType] : undefined

/** The status the API sends with an error type; 500 for a type it does not have. */
export const statusOf = (type: string): number => known(type)?.status ?? 500

/** Status and type of the errors that carry a code. */
export const errorOfCode = (code: SdkErrorCode): { readonly status: number; readonly type: ApiErrorType } => {
  const status = statusOfCode[code]
  return { status, type: typesOfStatus[status] ?? "api_error" }
}

// The type goes with the status, save for 412 and 503, which have no type of their own.
const typesOfStatus: Readonly<Record<number, ApiErrorType>> = {
  400: "invalid_request_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  409: "conflict_error",
  412: "invalid_request_error",
  413: "request_too_large",
  429: "rate_limit_error",
  529: "overloaded_error"
}

/** The body of an error answer, and the data of an `error` event. */
export const errorBody = (error: PlannedError, requestId: string) => ({
  type: "error",
  error: {
    type: error.type,
    message: error.message ?? known(error.type)?.message ?? "The request failed",
    ...(error.details === undefined ? {} : { details: error.details })
  },
  request_id: requestId
})
