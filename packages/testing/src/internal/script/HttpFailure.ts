import { APIError } from "@anthropic-ai/sdk/error"
import type { ClaudeError, PartialAnswer } from "@effect-claude/client/ClaudeError"
import { isApiError } from "@effect-claude/client/ClaudeError"
import * as SdkFailure from "@effect-claude/client/SdkFailure"
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import type { Failure, Step, StepCall } from "./Step.ts"
import { errorFieldsOf, makeStep } from "./Step.ts"
import * as WireFailure from "./WireFailure.ts"

/** An answer of the API, or of something before it, that is an error. */
export interface HttpAnswer {
  readonly status: number
  readonly type?: string | undefined
  readonly message?: string | undefined
  readonly errorCode?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: unknown
}

/** The type that the API sends with a status. */
const usualTypes: { readonly [status: number]: string } = {
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  408: "timeout_error",
  409: "conflict_error",
  413: "request_too_large",
  429: "rate_limit_error",
  504: "timeout_error",
  529: "overloaded_error"
}

const usualType = (status: number): string =>
  usualTypes[status] ?? (status >= 500 ? "api_error" : "invalid_request_error")

const bodyOf = (answer: HttpAnswer, call: StepCall): unknown => {
  if (answer.body !== undefined) return answer.body
  const type = answer.type ?? usualType(answer.status)
  return {
    type: "error",
    error: {
      type,
      message: answer.message ?? type,
      ...(answer.errorCode === undefined ? {} : { details: { error_code: answer.errorCode } })
    },
    request_id: call.requestId
  }
}

const parse = (text: string): object | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

/** What the SDK makes of such an answer, and the client of that. */
const errorOf = (answer: HttpAnswer, call: StepCall, now: number): ClaudeError => {
  const body = bodyOf(answer, call)
  const text = typeof body === "string" ? body : JSON.stringify(body)
  const json = parse(text)
  const headers = new Headers({ "request-id": call.requestId, ...answer.headers })
  const thrown = APIError.generate(answer.status, json, json === undefined ? text : undefined, headers)
  return SdkFailure.fromThrown(thrown, { ...errorFieldsOf(call), request: call.request, now })
}

export const httpFailure = (owner: string, answer: HttpAnswer): Step<Failure> => {
  const { body, errorCode, message, status, type } = answer
  if (!Number.isInteger(status) || status < 400 || status > 599) {
    throw OptionCheck.refuse(owner, "status", "the status of an error, from 400 to 599", status)
  }
  if (body !== undefined && [errorCode, message, type].some((field) => field !== undefined)) {
    throw new RangeError(
      `${owner}: option "body" is the whole body: it leaves no place for type, message and errorCode`
    )
  }
  const what = errorCode ?? (body === undefined ? type ?? usualType(status) : undefined)
  return makeStep(what === undefined ? `HTTP ${status}` : `HTTP ${status} ${what}`, {
    _tag: "Failure",
    error: (call, now) => errorOf(answer, call, now),
    midStream: (call: StepCall, partial: PartialAnswer, now) => {
      const error = errorOf(answer, call, now)
      return isApiError(error) ? WireFailure.errorEvent(call, partial, error) : error
    }
  })
}
