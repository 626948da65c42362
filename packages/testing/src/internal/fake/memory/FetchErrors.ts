/**
 * What `fetch` throws, as measured with that of Node 24: a `TypeError` whose cause says what happened to the connection.
 */

/** No answer came: the connection could not be made, or broke before the headers. */
export const fetchFailed = (cause: Error): TypeError => new TypeError("fetch failed", { cause })

/** The headers came, and the body does not come to its end. */
export const terminated = (cause: Error): TypeError => new TypeError("terminated", { cause })

const named = (name: string, message: string, fields: { readonly [field: string]: unknown }): Error =>
  Object.assign(new Error(message), { name, ...fields })

export const connectionReset = (): Error =>
  Object.assign(new Error("read ECONNRESET"), { errno: -104, code: "ECONNRESET", syscall: "read" })

export const otherSideClosed = (): Error => named("SocketError", "other side closed", { code: "UND_ERR_SOCKET" })

/** The parser's words for bytes that are no HTTP; in Node 24 it leaves `code` undefined. */
export const noHttp = (what: string, data: string): Error =>
  named("HTTPParserError", `Response does not match the HTTP/1.1 protocol (${what})`, { code: undefined, data })

export const headersTimeout = (): Error =>
  named("HeadersTimeoutError", "Headers Timeout Error", { code: "UND_ERR_HEADERS_TIMEOUT" })

export const bodyTimeout = (): Error =>
  named("BodyTimeoutError", "Body Timeout Error", { code: "UND_ERR_BODY_TIMEOUT" })

export const connectionRefused = (): Error =>
  Object.assign(new Error("connect ECONNREFUSED"), { errno: -111, code: "ECONNREFUSED", syscall: "connect" })
