import * as FaultStep from "@effect-claude/testing/FaultStep"
import { type Entry, healthyJson, healthyStream } from "./Entry.ts"

const page = (
  status: number,
  preset: "html" | "htmlBadGateway",
  own: string,
  row: Entry["row"],
  sdkClass: string
): Entry => ({
  name: `${status} with HTML`,
  row,
  preset,
  step: preset === "html" ? FaultStep.html({ status }) : FaultStep.htmlBadGateway(),
  sdk: `${sdkClass} ${status} - -`,
  ai: `APICallError ${status} -`,
  curl: `0 ${status}`,
  own
})

const inHead = (how: "reset" | "close", afterBytes: number, where: string, curl: string): Entry => ({
  name: `${how} inside of ${where}`,
  row: "B reset inside of the headers",
  preset: "disconnect",
  step: FaultStep.disconnect({ how, afterBytes }),
  sdk: `APIConnectionError < TypeError < ${how === "reset" ? "ECONNRESET" : "UND_ERR_SOCKET"}`,
  ai: "APICallError",
  curl,
  own: "ConnectionError connection"
})

/** What proxies answer, and what becomes of connections. */
export const connections: ReadonlyArray<Entry> = [
  page(413, "html", "RequestTooLargeError stop", "A 413 from a proxy", "ContentTooLargeError"),
  page(502, "htmlBadGateway", "InternalServerError serverError", "A 502, 520 to 524", "InternalServerError"),
  ...[520, 521, 522, 523, 524].map((status) =>
    page(status, "html", "InternalServerError serverError", "A 502, 520 to 524", "InternalServerError")
  ),
  {
    name: "529 by capacity",
    row: "A 529 by capacity",
    preset: "capacity",
    step: FaultStep.capacity({ limit: 0, serviceTime: "1 second", retryAfter: "3 seconds" }),
    headers: { "retry-after": "3" },
    sdk: "OverloadedError 529 overloaded_error -",
    ai: "APICallError 529 overloaded_error",
    curl: "0 529",
    own: "OverloadedError overloaded 3000"
  },
  {
    name: "status without a body",
    row: "A 412, 422, 431, 410, 418",
    preset: "response",
    step: FaultStep.response({ status: 410 }),
    sdk: "APIError 410 - -",
    ai: "APICallError 410 -",
    curl: "0 410",
    own: "InvalidRequestError stop"
  },
  {
    name: "reset before the headers",
    row: "B reset before the headers",
    preset: "reset",
    step: FaultStep.reset(),
    sdk: "APIConnectionError < TypeError < ECONNRESET",
    ai: "APICallError",
    curl: "56",
    own: "ConnectionError connection"
  },
  {
    name: "closed before the headers",
    row: "B closed before the headers",
    preset: "closed",
    step: FaultStep.closed(),
    sdk: "APIConnectionError < TypeError < UND_ERR_SOCKET",
    ai: "APICallError",
    curl: "52",
    own: "ConnectionError connection"
  },
  inHead("reset", 9, "the status line", "56"),
  inHead("reset", 40, "the headers", "56 200"),
  inHead("close", 9, "the status line", "52"),
  // The headers that came are an answer to curl.
  inHead("close", 40, "the headers", "0 200"),
  {
    name: "bytes that are no HTTP",
    row: "B no HTTP",
    preset: "disconnect",
    step: FaultStep.disconnect({ how: "garbage" }),
    sdk: "APIConnectionError < TypeError < HTTPParserError",
    ai: "APICallError",
    curl: "1",
    own: "ConnectionError connection"
  },
  {
    name: "headers that do not come",
    row: "B headers too late",
    preset: "slowFirstByte",
    step: FaultStep.slowFirstByte("1 hour"),
    leaves: "without headers",
    sdk: "APIConnectionTimeoutError",
    ai: "AbortError",
    curl: "28",
    own: "AttemptTimeoutError timeout"
  },
  {
    name: "stall in a JSON body",
    row: "B abort during a JSON body",
    preset: "stallStream",
    step: FaultStep.stallStream(),
    leaves: "in the body",
    sdk: "AbortError",
    ai: "AbortError",
    curl: "28 200",
    own: "AttemptTimeoutError timeout"
  },
  {
    name: "reset during a JSON body",
    row: "B reset during a JSON body",
    preset: "cutStream",
    step: FaultStep.cutStream(),
    sdk: "TypeError < ECONNRESET",
    ai: "APICallError 200 -",
    curl: "56 200",
    own: "ConnectionError connection"
  },
  {
    name: "reset after the headers",
    row: "B reset during a JSON body",
    preset: "cutStream",
    step: FaultStep.cutStream({ afterBytes: 0 }),
    sdk: "TypeError < ECONNRESET",
    ai: "APICallError 200 -",
    curl: "56 200",
    own: "ConnectionError connection"
  },
  {
    name: "close during a JSON body",
    row: "B reset during a JSON body",
    preset: "message",
    step: FaultStep.message({ interrupt: { how: "close" } }),
    sdk: "TypeError < UND_ERR_SOCKET",
    ai: "APICallError 200 -",
    curl: "18 200",
    own: "ConnectionError connection"
  },
  {
    name: "200 with half a JSON value",
    row: "B 200 with invalid JSON",
    preset: "invalidJson",
    step: FaultStep.invalidJson(),
    sdk: "SyntaxError",
    ai: "APICallError 200 -",
    curl: "0 200",
    own: "InvalidResponseError serverError"
  },
  {
    name: "200 with half of a JSON answer",
    row: "B 200 with invalid JSON",
    preset: "endWithoutStop",
    step: FaultStep.endWithoutStop(),
    sdk: "SyntaxError",
    ai: "APICallError 200 -",
    curl: "0 200",
    own: "InvalidResponseError serverError"
  },
  {
    name: "200 with HTML",
    row: "B 200 with HTML",
    preset: "html",
    step: FaultStep.html({ status: 200, title: "Sign in" }),
    sdk: "string",
    ai: "APICallError 200 -",
    curl: "0 200",
    own: "InvalidResponseError serverError"
  },
  {
    name: "200 with HTML to a stream",
    row: "B 200 with HTML",
    preset: "html",
    step: FaultStep.html({ status: 200, title: "Sign in" }),
    stream: true,
    sdk: "0 events, end",
    helper: "AnthropicError",
    ai: "NoOutputGeneratedError",
    curl: "0 200 0 events",
    own: "InvalidResponseError serverError"
  },
  {
    name: "200 without content",
    row: "B 200 without content",
    preset: "emptyBody",
    step: FaultStep.emptyBody(),
    sdk: "undefined",
    ai: "APICallError 200 -",
    curl: "0 200",
    own: "InvalidResponseError serverError"
  },
  {
    name: "slow JSON body",
    row: "B slow body",
    preset: "slowBody",
    step: FaultStep.slowBody("50 millis"),
    ...healthyJson
  },
  {
    name: "slow drip of a JSON body",
    row: "B slow body",
    preset: "slowDrip",
    step: FaultStep.slowDrip({ bytes: 100, interval: "5 millis" }),
    ...healthyJson
  },
  {
    name: "slow drip of a stream",
    row: "B slow body",
    preset: "slowDrip",
    step: FaultStep.slowDrip({ bytes: 150, interval: "5 millis" }),
    stream: true,
    ...healthyStream
  }
]
