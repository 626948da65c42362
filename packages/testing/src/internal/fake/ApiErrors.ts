export interface ApiErrorAnswer {
  readonly status: number
  readonly error: PlannedError
}

export interface PlannedError {
  readonly type: string
  readonly message?: string | undefined
  readonly details?: { readonly [field: string]: unknown } | undefined
}

const known: { readonly [type: string]: { readonly status: number; readonly message: string } } = {
  invalid_request_error: { status: 400, message: "The request is invalid" },
  authentication_error: { status: 401, message: "invalid x-api-key" },
  billing_error: { status: 402, message: "There is an issue with billing or payment information" },
  permission_error: { status: 403, message: "The API key may not use this resource" },
  not_found_error: { status: 404, message: "Not found" },
  conflict_error: { status: 409, message: "The request conflicts with another one" },
  request_too_large: { status: 413, message: "Request exceeds the maximum size" },
  rate_limit_error: { status: 429, message: "This request would exceed the rate limit" },
  api_error: { status: 500, message: "Internal server error" },
  timeout_error: { status: 504, message: "The request timed out" },
  overloaded_error: { status: 529, message: "Overloaded" }
}

/** The status the API sends with an error type; 500 for a type it does not have. */
export const statusOf = (type: string): number => known[type]?.status ?? 500

/** The body of an error answer, and the data of an `error` event. */
export const errorBody = (error: PlannedError, requestId: string) => ({
  type: "error",
  error: {
    type: error.type,
    message: error.message ?? known[error.type]?.message ?? "The request failed",
    ...(error.details === undefined ? {} : { details: error.details })
  },
  request_id: requestId
})
