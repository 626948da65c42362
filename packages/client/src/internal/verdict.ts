import * as Verdict from "@effect-claude/resilience/Verdict"
import type * as Duration from "effect/Duration"
import { classify, isUnlisted } from "../Classification.ts"

/** What an error of this tag means when nothing else is known of it. */
const defaults = {
  InvalidRequestError: "stop",
  AuthenticationError: "stop",
  BillingError: "stop",
  PermissionDeniedError: "stop",
  NotFoundError: "stop",
  RequestTimeoutError: "timeout",
  ConflictError: "conflict",
  RequestTooLargeError: "stop",
  ContextWindowExceededError: "stop",
  RateLimitError: "rateLimited",
  SpendLimitError: "stop",
  InternalServerError: "serverError",
  GatewayTimeoutError: "timeout",
  OverloadedError: "overloaded",
  ConnectionError: "connection",
  AttemptTimeoutError: "timeout",
  StreamInterruptedError: "connection",
  InvalidResponseError: "serverError",
  RefusalError: "stop",
  OutputTruncatedError: "stop",
  OutputInvalidError: "stop",
  CircuitOpenError: "rejected",
  RateLimitedLocallyError: "rejected",
  ConcurrencyLimitError: "rejected",
  RetryBudgetExhaustedError: "stop",
  DeadlineExceededError: "stop",
  UsageBudgetExceededError: "stop"
} satisfies Record<string, Verdict.RetryKind | "stop">

// A certificate, a protocol or a host name does not mend itself between two attempts, and an abort was asked for.
const futileCode =
  /^(ERR_SSL_|ERR_TLS_|CERT_|CRL_|EPROTO$|ENOTFOUND$|ABORT_ERR$|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH$|INVALID_(CA|PURPOSE)$|ERR_INVALID_|UND_ERR_(INVALID_|NOT_SUPPORTED$|ABORTED$))/

interface Verdictable {
  readonly _tag: keyof typeof defaults
  readonly status?: number
  readonly errorType?: string
  readonly errorCode?: string
  readonly retryAfter?: Duration.Duration
  readonly shouldRetry?: boolean
  readonly code?: string
}

export const verdictOf = (error: Verdictable): Verdict.Verdict => {
  if (error.shouldRetry === false) return Verdict.stop
  if (error.code !== undefined && futileCode.test(error.code)) return Verdict.stop
  const kind = kindOf(error)
  if (kind !== "stop") return Verdict.retry(kind, error.retryAfter)
  const serverInsists = error.shouldRetry === true && error.status !== undefined && isUnlisted(error)
  return serverInsists ? Verdict.retry("serverError", error.retryAfter) : Verdict.stop
}

const kindOf = (error: Verdictable): Verdict.RetryKind | "stop" => {
  const row = classify(error)
  return row.tag === error._tag ? row.retry : defaults[error._tag]
}
