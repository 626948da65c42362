import * as FaultStep from "@effect-claude/testing/FaultStep"
import { type Entry, healthyJson, healthyStream } from "./Entry.ts"

const streamed = (entry: Omit<Entry, "stream">): Entry => ({ ...entry, stream: true })

const errorEvent = (type: FaultStep.ErrorType, own: string): Entry =>
  streamed({
    name: `error event ${type}`,
    row: "C error event",
    preset: "midStreamError",
    step: FaultStep.midStreamError({ afterEvents: 4, error: { type } }),
    sdk: `4 events, APIError - ${type} -`,
    helper: `APIError - ${type} -`,
    ai: `"This answer " StreamProviderError ${type}`,
    curl: "0 200 5 events",
    own
  })

const text = "Grüße aus 東京, 7 °C 🎉"

/** What becomes of streams. */
export const streams: ReadonlyArray<Entry> = [
  errorEvent("invalid_request_error", "InvalidRequestError stop"),
  errorEvent("authentication_error", "AuthenticationError stop"),
  errorEvent("billing_error", "BillingError stop"),
  errorEvent("permission_error", "PermissionDeniedError stop"),
  errorEvent("not_found_error", "NotFoundError stop"),
  errorEvent("conflict_error", "ConflictError conflict"),
  errorEvent("memory_path_conflict_error", "ConflictError stop"),
  errorEvent("memory_precondition_failed_error", "ConflictError stop"),
  errorEvent("request_too_large", "RequestTooLargeError stop"),
  errorEvent("rate_limit_error", "RateLimitError rateLimited"),
  errorEvent("api_error", "InternalServerError serverError"),
  errorEvent("timeout_error", "GatewayTimeoutError timeout"),
  errorEvent("overloaded_error", "OverloadedError overloaded"),
  streamed({
    name: "error event with a code",
    row: "C error event",
    preset: "midStreamError",
    step: FaultStep.midStreamError({
      afterEvents: 0,
      error: { type: "rate_limit_error", details: { error_code: "enforced_spend_limit_reached" } }
    }),
    sdk: "APIError - rate_limit_error enforced_spend_limit_reached",
    helper: "APIError - rate_limit_error enforced_spend_limit_reached",
    ai: "APICallError 429 -",
    curl: "0 200 1 events",
    own: "SpendLimitError stop"
  }),
  streamed({
    name: "error event that is no JSON",
    row: "C error event that is no JSON",
    preset: "midStreamError",
    step: FaultStep.midStreamError({ afterEvents: 4, data: "upstream went away" }),
    sdk: "4 events, APIError - - -",
    helper: "APIError - - -",
    ai: `"This answer " JSONParseError`,
    curl: "0 200 5 events",
    own: "InternalServerError serverError"
  }),
  streamed({
    name: "end without message_stop",
    row: "C end without message_stop",
    preset: "endWithoutStop",
    step: FaultStep.endWithoutStop({ afterEvents: 4 }),
    sdk: "4 events, end",
    helper: "AnthropicError",
    ai: "interrupted",
    curl: "0 200 4 events",
    own: "StreamInterruptedError connection"
  }),
  streamed({
    name: "end after message_delta",
    row: "C end after message_delta",
    preset: "endAfterMessageDelta",
    step: FaultStep.endAfterMessageDelta(),
    sdk: "12 events, end",
    helper: "AnthropicError",
    ai: "interrupted",
    curl: "0 200 12 events",
    // All of the answer is there, so our client adds the event that is missing.
    own: "13 events"
  }),
  streamed({
    name: "reset of a stream",
    row: "C reset",
    preset: "cutStream",
    step: FaultStep.cutStream({ afterEvents: 4 }),
    sdk: "4 events, TypeError < ECONNRESET",
    helper: "AnthropicError < TypeError < ECONNRESET",
    ai: `"This answer " APICallError 200 -`,
    curl: "56 200 4 events",
    own: "StreamInterruptedError connection"
  }),
  streamed({
    name: "reset inside of an event",
    row: "C reset",
    preset: "cutStream",
    step: FaultStep.cutStream({ afterBytes: 100 }),
    sdk: "TypeError < ECONNRESET",
    helper: "AnthropicError < TypeError < ECONNRESET",
    ai: "APICallError 200 -",
    curl: "56 200 0 events",
    own: "StreamInterruptedError connection"
  }),
  streamed({
    name: "close of a stream",
    row: "C reset",
    preset: "message",
    step: FaultStep.message({ interrupt: { how: "close", afterEvents: 4 } }),
    sdk: "4 events, TypeError < UND_ERR_SOCKET",
    helper: "AnthropicError < TypeError < UND_ERR_SOCKET",
    ai: `"This answer " APICallError 200 -`,
    curl: "18 200 4 events",
    own: "StreamInterruptedError connection"
  }),
  streamed({
    name: "malformed event",
    row: "C malformed event",
    preset: "malformedEvent",
    step: FaultStep.malformedEvent({ afterEvents: 4 }),
    sdk: "4 events, SyntaxError",
    helper: "AnthropicError < SyntaxError",
    ai: `"This answer " JSONParseError`,
    curl: "0 200 14 events",
    own: "InvalidResponseError serverError"
  }),
  streamed({
    name: "stall of a stream",
    row: "C stall",
    preset: "stallStream",
    step: FaultStep.stallStream({ afterEvents: 4 }),
    leaves: "in the body",
    sdk: "4 events, end",
    ai: `"This answer " abort`,
    curl: "28 200 4 events",
    own: "AttemptTimeoutError timeout"
  }),
  streamed({
    name: "abort of a stream before its first event",
    row: "B abort during a stream",
    preset: "stallStream",
    step: FaultStep.stallStream({ afterEvents: 0 }),
    leaves: "in the body",
    sdk: "0 events, end",
    ai: `"" abort`,
    curl: "28 200 0 events",
    own: "AttemptTimeoutError timeout"
  }),
  streamed({
    name: "pings only",
    row: "C pings only",
    preset: "onlyPings",
    step: FaultStep.onlyPings({ interval: "20 millis" }),
    leaves: "in the body",
    sdk: "0 events, end",
    ai: `"" abort`,
    curl: "28 200 0 events",
    own: "AttemptTimeoutError timeout"
  }),
  streamed({
    name: "unknown event",
    row: "C unknown event",
    preset: "unknownEvent",
    step: FaultStep.unknownEvent(),
    sdk: "14 events, end",
    ai: `"This " TypeValidationError`,
    curl: "0 200 14 events",
    own: "14 events"
  }),
  {
    name: "split characters of a JSON body",
    row: "C split characters",
    preset: "splitCharacters",
    step: FaultStep.splitCharacters({ text }),
    ...healthyJson
  },
  streamed({
    name: "split characters of a stream",
    row: "C split characters",
    preset: "splitCharacters",
    step: FaultStep.splitCharacters({ text }),
    ...healthyStream,
    sdk: "11 events, end",
    curl: "0 200 11 events",
    own: "11 events"
  }),
  ...(["crlf", "cr"] as const).map((lineEnd) =>
    streamed({
      name: `lines that end with ${lineEnd.toUpperCase()}`,
      row: "C line ends and marks",
      preset: "message",
      step: FaultStep.message({ lineEnd }),
      ...healthyStream,
      // Its parser waits for what may follow the last CR, so that it misses the last event.
      ...(lineEnd === "cr" ? { ai: "interrupted" } : {})
    })
  ),
  streamed({
    name: "byte order mark",
    row: "C line ends and marks",
    preset: "message",
    step: FaultStep.message({ byteOrderMark: true }),
    ...healthyStream
  }),
  streamed({
    name: "comments and pings",
    row: "C line ends and marks",
    preset: "message",
    step: FaultStep.message({
      insert: [{ kind: "comment", afterEvents: 0 }, { kind: "comment", text: "still\nhere" }, {
        kind: "ping",
        count: 3
      }]
    }),
    ...healthyStream
  })
]
