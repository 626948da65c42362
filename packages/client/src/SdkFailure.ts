/**
 * From anything that the SDK throws, or resolves to without throwing, to a `ClaudeError`.
 *
 * **Details**
 *
 * Known to it: the SDK's error classes (by their shape, so that errors of another copy of the SDK count too), `error` events
 * inside a stream, connection and TLS failures with the code of their cause, timeouts, aborts, the raw `TypeError` of a lost
 * body, the raw `SyntaxError` of a broken one, answers that are HTML or empty, failures of credential providers, and the
 * error that the SDK throws before a request that would take too long. What none of these describes is an
 * `InvalidRequestError` that stops: it happened before anything was sent, so a retry would repeat it.
 *
 * **Example** (Mapping what the SDK threw)
 *
 * ```ts
 * import * as SdkFailure from "@effect-claude/client/SdkFailure"
 * import { APIConnectionError } from "@anthropic-ai/sdk"
 * import { assert } from "@effect/vitest"
 *
 * const cause = new TypeError("fetch failed", { cause: Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }) })
 * const error = SdkFailure.fromThrown(new APIConnectionError({ cause }))
 *
 * assert.strictEqual(error._tag, "ConnectionError")
 * assert.deepStrictEqual(error.verdict, { _tag: "Retry", kind: "connection", after: undefined })
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import { classify, errorCodes, errorTypes } from "./Classification.ts"
import * as Errors from "./ClaudeError.ts"
import { causeChain, codeOf, isErrorLike, messageOf, nameOf, property, textOf } from "./internal/foreignError.ts"
import { redact, redactCause, redactJson } from "./internal/redact.ts"
import * as RateLimits from "./RateLimits.ts"

/**
 * What is known of the call that failed. Everything is optional.
 *
 * **Details**
 *
 * `secrets` and `request` are what must not appear in the error: texts found in them are cut out of every message. `now`
 * is the time that an HTTP date in `retry-after` is compared with when the response has no `date` of its own; without both
 * such a date says nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Context {
  readonly model?: string | undefined
  readonly attempt?: number | undefined
  /** The id of the response, when one had come before the failure. */
  readonly requestId?: string | undefined
  readonly secrets?: ReadonlyArray<string> | undefined
  readonly request?: unknown
  readonly now?: number | undefined
  /** Whether an answer had begun to stream, and what of it had arrived. */
  readonly streaming?: boolean | undefined
  readonly partial?: Errors.PartialAnswer | undefined
  /** Whether the client gets its credentials from a provider, which can fail on its own. */
  readonly credentials?: boolean | undefined
  /** The limit behind a timeout of the SDK. */
  readonly headersTimeout?: Duration.Duration | undefined
}

/**
 * An answer of the API that is an error, taken apart.
 *
 * @category models
 * @since 0.1.0
 */
export interface ErrorAnswer {
  readonly status?: number | undefined
  readonly headers?: RateLimits.HeaderReader | undefined
  /** The body: JSON if it was, else its text. */
  readonly body?: unknown
}

type Optional<A> = { readonly [K in keyof A]?: Exclude<A[K], undefined> }

const present = <A extends object>(fields: A): Optional<A> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Optional<A>

const shared = (context: Context) =>
  present({ attempt: context.attempt, model: context.model, requestId: context.requestId })

const broken = (context: Context) => present({ ...shared(context), partial: context.partial })

const isRecord = (value: Schema.Json): value is { readonly [key: string]: Schema.Json } => Predicate.isObject(value)

const title = /<title[^>]*>([^<]*)<\/title>/i
const html = /^\s*(<!doctype|<html|<\?xml|<head|<body)/i

const describeBody = (body: unknown, status: number | undefined): string => {
  const what = status === undefined ? "The answer" : `HTTP ${status}`
  if (body === undefined || body === null) return `${what} with an empty body`
  if (typeof body !== "string") return `${what} with a body that does not say why`
  if (body.trim() === "") return `${what} with an empty body`
  if (!html.test(body)) return `${what}: ${body}`
  const heading = title.exec(body)?.[1]?.trim()
  return heading === undefined || heading === "" ? `${what} with an HTML page` : `${what} with an HTML page: ${heading}`
}

// The API gives these no code, so their wording is all there is to go by. A prefix that changes makes the error an
// `InvalidRequestError`, which stops as well.
const byMessage: ReadonlyArray<readonly [RegExp, "SpendLimitError" | "BillingError" | "ContextWindowExceededError"]> = [
  [/^You have reached your specified (workspace )?API usage limits/i, "SpendLimitError"],
  [/^Your credit balance is too low/i, "BillingError"],
  [/^prompt is too long/i, "ContextWindowExceededError"],
  [/^input length and `max_tokens` exceed context limit/i, "ContextWindowExceededError"]
]

const serverTime = (headers: RateLimits.HeaderReader, context: Context): number => {
  const date = Date.parse(headers.get("date") ?? "")
  return Number.isNaN(date) ? context.now ?? Number.NaN : date
}

/** Headers as an error has them: a `Headers`, or in other versions of the SDK a record. */
const readerOf = (headers: unknown): RateLimits.HeaderReader => {
  const read = property(headers, "get")
  return {
    get: (name) => {
      try {
        const value: unknown = typeof read === "function" ? read.call(headers, name) : property(headers, name)
        return typeof value === "string" ? value : null
      } catch {
        return null
      }
    }
  }
}

// Names that cannot be an echo, so that the usual error costs no search through the prompt.
const isListed = (table: object, name: string | undefined): boolean => name !== undefined && Object.hasOwn(table, name)
const isRequestId = (id: string | undefined): boolean => id !== undefined && /^req_\w{1,64}$/.test(id)

/**
 * The error that an answer of the API stands for: one with an error status, or the data of an `error` event.
 *
 * **Example** (Reading a spend limit that looks like a rate limit)
 *
 * ```ts
 * import * as SdkFailure from "@effect-claude/client/SdkFailure"
 * import { assert } from "@effect/vitest"
 *
 * const error = SdkFailure.fromAnswer({
 *   status: 429,
 *   body: { error: { type: "rate_limit_error", message: "...", details: { error_code: "contract_spend_limit_reached" } } }
 * })
 * assert.strictEqual(error._tag, "SpendLimitError")
 * assert.strictEqual(error.verdict._tag, "Stop")
 * ```
 *
 * @category mapping
 * @since 0.1.0
 */
export const fromAnswer = (answer: ErrorAnswer, context: Context = {}): Errors.ClaudeError => {
  const { body } = answer
  const headers = readerOf(answer.headers)
  const status = Number.isInteger(answer.status) ? answer.status : undefined
  const stated = property(body, "error")
  const errorType = textOf(property(stated, "type"))
  const details = property(stated, "details")
  const errorCode = textOf(property(details, "error_code"))
  const said = textOf(property(stated, "message")) ?? textOf(stated) ?? textOf(property(body, "message"))
  const requestId = headers.get("request-id") ?? textOf(property(body, "request_id"))
  const { tag } = classify({ status, errorType, errorCode })
  const shown = (name: string | undefined, isOfApi: boolean): string | undefined =>
    name === undefined || isOfApi ? name : textOf(redact(name, context))
  const fields = {
    message: redact(said ?? describeBody(body, status), context),
    ...broken(context),
    ...present({
      requestId: shown(requestId, isRequestId(requestId)),
      status,
      errorType: shown(errorType, isListed(errorTypes, errorType)),
      errorCode: shown(errorCode, isListed(errorCodes, errorCode)),
      retryAfter: RateLimits.retryAfter(headers, serverTime(headers, context)),
      shouldRetry: RateLimits.shouldRetry(headers)
    })
  }
  if (tag === "ConnectionError") return new Errors.ConnectionError(fields)
  const known = tag === "InvalidRequestError" && errorCode === undefined && said !== undefined
    ? byMessage.find(([pattern]) => pattern.test(said))
    : undefined
  const shownDetails = details === undefined || details === null ? null : redactJson(details, context)
  return new Errors.ApiError.cases[known?.[1] ?? tag]({
    ...fields,
    ...present({
      details: isRecord(shownDetails) ? shownDetails : undefined,
      rateLimits: RateLimits.fromHeaders(headers)
    })
  })
}

const firstCode = (error: unknown): string | undefined => {
  for (const link of causeChain(error)) {
    const code = codeOf(link)
    if (code !== undefined) return code
  }
  return undefined
}

const hasKey = (error: object, key: string): boolean => property(error, key) !== undefined || key in error

const isErrorAnswer = (error: unknown): error is object =>
  isErrorLike(error) && ["status", "headers", "error"].every((key) => hasKey(error, key))

// What the SDK writes where there was no body to quote.
const noBody = /^(\(no status code or body\)|status code \(no body\))$/

const answerOf = (error: object): ErrorAnswer => {
  const status = property(error, "status")
  const written = messageOf(error).replace(/^\d{3} /, "")
  return {
    status: typeof status === "number" ? status : undefined,
    headers: readerOf(property(error, "headers")),
    body: property(error, "error") ?? (noBody.test(written) ? undefined : written)
  }
}

const isTimeoutCode = (code: string | undefined): boolean =>
  code === "ETIMEDOUT" || code === "UND_ERR_CONNECT_TIMEOUT" || code === "UND_ERR_HEADERS_TIMEOUT"

const networkCode =
  /^(E(CONN|PIPE$|TIMEDOUT$|HOST|NET|ADDR|AI_|NOTFOUND$|PROTO$)|UND_ERR_|HPE_|ERR_SSL_|ERR_TLS_|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH$)/

const isNetworkCode = (code: string | undefined): boolean => code !== undefined && networkCode.test(code)

const connectionLost = (error: unknown, context: Context): Errors.ClaudeError => {
  const code = firstCode(error)
  const cause = redactCause(error, context)
  if (code === "UND_ERR_BODY_TIMEOUT") {
    return timedOut("idle", "No data arrived for longer than the HTTP client waits", context, cause)
  }
  if (context.streaming === true) {
    const reason = code === undefined ? "" : ` (${code})`
    const message = `The connection was lost during the stream${reason}`
    return new Errors.StreamInterruptedError({ message, ...broken(context), ...present({ cause }) })
  }
  if (isTimeoutCode(code)) {
    return timedOut("headers", "The service did not answer in time", context, cause)
  }
  const message = code === undefined ? "The connection failed" : `The connection failed (${code})`
  return new Errors.ConnectionError({ message, ...broken(context), ...present({ code, cause }) })
}

const timedOut = (
  phase: Errors.AttemptTimeoutError["phase"],
  message: string,
  context: Context,
  cause?: Error
): Errors.AttemptTimeoutError =>
  new Errors.AttemptTimeoutError({
    message,
    phase,
    ...broken(context),
    ...present({ cause, limit: phase === "headers" ? context.headersTimeout : undefined })
  })

const aborted = (context: Context): Errors.ConnectionError =>
  new Errors.ConnectionError({ message: "The request was aborted", code: "ABORT_ERR", ...broken(context) })

const unauthenticated = (error: object, context: Context): Errors.AuthenticationError =>
  new Errors.AuthenticationError({
    message: redact(`No credentials could be had: ${messageOf(error)}`, context),
    ...shared(context),
    ...present({ cause: redactCause(error, context) })
  })

const malformed = (context: Context): Errors.InvalidResponseError =>
  new Errors.InvalidResponseError({
    message: context.streaming === true ? "An event of the stream is not valid JSON" : "The answer is not valid JSON",
    ...broken(context)
  })

// Not every one is an `AnthropicError`: without any key at all the SDK throws a plain `Error`.
const noCredentials = /authentication method|credential|identity token|profile|config file|`apiKey` function/i

const notMade = (message: string, error: object, context: Context): Errors.InvalidRequestError =>
  new Errors.InvalidRequestError({
    message: redact(message, context),
    ...shared(context),
    ...present({ cause: redactCause(error, context) })
  })

// The SDK makes bare `AnthropicError`s for conditions of its own; only the wording tells them apart.
const fromSdkCondition = (error: object, context: Context): Errors.ClaudeError => {
  const message = messageOf(error)
  if (message.startsWith("Streaming is required")) {
    return new Errors.InvalidRequestError({
      message: "The request may take longer than 10 minutes: stream it, lower max_tokens, or use a batch",
      field: "max_tokens",
      ...shared(context)
    })
  }
  if (/parse (structured output|tool parameter)/i.test(message)) {
    return new Errors.OutputInvalidError({ message: "The SDK could not parse the output", ...broken(context) })
  }
  const fields = { message: redact(message, context), ...broken(context) }
  if (/no body|(stream|request) (has )?ended/i.test(message)) return new Errors.StreamInterruptedError(fields)
  if (/unexpected event order/i.test(message)) return new Errors.InvalidResponseError(fields)
  return noCredentials.test(message) ? unauthenticated(error, context) : notMade(message, error, context)
}

/** What one error says by itself, whatever it wraps or is wrapped in. */
const recognized = (error: unknown, context: Context): Errors.ClaudeError | undefined => {
  if (Errors.isClaudeError(error)) return error
  switch (nameOf(error)) {
    case "APIUserAbortError":
    case "AbortError":
      return aborted(context)
    case "TimeoutError":
      return timedOut("attempt", "The request was given up by a timeout of its own", context)
    case "APIConnectionTimeoutError":
      return timedOut("headers", "The service did not answer in time", context)
    case "APIConnectionError":
      return connectionLost(error, context)
    case "SyntaxError":
      return malformed(context)
    default:
      if (isErrorAnswer(error)) return fromAnswer(answerOf(error), context)
      return messageOf(error) === "terminated" ? connectionLost(error, context) : undefined
  }
}

const mapThrown = (thrown: unknown, context: Context): Errors.ClaudeError => {
  for (const link of causeChain(thrown)) {
    const error = recognized(link, context)
    if (error !== undefined) return error
  }
  const name = nameOf(thrown)
  if (name === "RetryableError" || isNetworkCode(firstCode(thrown))) return connectionLost(thrown, context)
  if (!isErrorLike(thrown)) return unreadable(context)
  if (name === "WorkloadIdentityError") return unauthenticated(thrown, context)
  if (name === "AnthropicError") return fromSdkCondition(thrown, context)
  const isForCredentials = name === "Error" && noCredentials.test(messageOf(thrown))
  if (isForCredentials || context.credentials === true) return unauthenticated(thrown, context)
  return notMade(`The request could not be made: ${messageOf(thrown)}`, thrown, context)
}

const unreadable = (context: Context): Errors.InvalidRequestError =>
  new Errors.InvalidRequestError({ message: "The request could not be made", ...shared(context) })

/**
 * The error for anything that a call of the SDK threw or rejected with. Never throws, and returns a `ClaudeError` as it is.
 *
 * **Example** (Keeping a key out of the message)
 *
 * ```ts
 * import * as SdkFailure from "@effect-claude/client/SdkFailure"
 * import { assert } from "@effect/vitest"
 *
 * const error = SdkFailure.fromThrown(new TypeError(`Headers.append: "sk-ant-secret\\n" is an invalid header value.`))
 * assert.strictEqual(error._tag, "InvalidRequestError")
 * assert.isFalse(error.message.includes("secret"))
 * ```
 *
 * @category mapping
 * @since 0.1.0
 */
export const fromThrown = (thrown: unknown, context: Context = {}): Errors.ClaudeError => {
  try {
    return mapThrown(thrown, context)
  } catch {
    // A proxy can make any look at it throw, and a context built by hand can hold what no error takes.
    return unreadable({})
  }
}

/**
 * The error for what a call resolved to, when that is not what the API promises: a page instead of a message, nothing, or
 * the JSON of an error that a gateway sent with a 200. `undefined` when the value has the expected shape.
 *
 * **Example** (Noticing a captive portal)
 *
 * ```ts
 * import * as SdkFailure from "@effect-claude/client/SdkFailure"
 * import { assert } from "@effect/vitest"
 *
 * const isMessage = (body: object) => "type" in body && body.type === "message"
 * assert.strictEqual(SdkFailure.fromResolved("<html>Log in</html>", isMessage)?._tag, "InvalidResponseError")
 * assert.isUndefined(SdkFailure.fromResolved({ type: "message" }, isMessage))
 * ```
 *
 * @category mapping
 * @since 0.1.0
 */
export const fromResolved = (
  value: unknown,
  isExpected: (body: object) => boolean,
  context: Context = {}
): Errors.ClaudeError | undefined => {
  if (Predicate.isObject(value) && isExpected(value)) return undefined
  if (property(value, "type") === "error" && Predicate.isObject(property(value, "error"))) {
    return fromAnswer({ body: value }, context)
  }
  const what = value === undefined || value === null || value === ""
    ? "an empty body"
    : typeof value === "string"
    ? html.test(value) ? "an HTML page" : "text that is not JSON"
    : "JSON that is no answer of the API"
  return new Errors.InvalidResponseError({ message: `A successful status with ${what}`, ...shared(context) })
}
