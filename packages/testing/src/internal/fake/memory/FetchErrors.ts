import type { ConnectFailure } from "../Connection.ts"

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

const portOf = ({ port, protocol }: URL): string => port === "" ? protocol === "https:" ? "443" : "80" : port

const system = (syscall: string, code: string, errno: number, where: string): Error =>
  Object.assign(new Error(`${syscall} ${code} ${where}`), { errno, code, syscall })

const coded = (code: ConnectFailure, message: string): Error => Object.assign(new Error(message), { code })

/** Why a connection to this address could not be made. */
export const connectFailed = (code: ConnectFailure, url: URL): Error => {
  const address = `${url.hostname}:${portOf(url)}`
  switch (code) {
    case "ECONNREFUSED":
      return system("connect", code, -111, address)
    case "ETIMEDOUT":
      return system("connect", code, -110, address)
    case "EHOSTUNREACH":
      return system("connect", code, -113, address)
    case "ENETUNREACH":
      return system("connect", code, -101, address)
    case "ENOTFOUND":
      return Object.assign(system("getaddrinfo", code, -3008, url.hostname), { hostname: url.hostname })
    case "EAI_AGAIN":
      return Object.assign(system("getaddrinfo", code, -3001, url.hostname), { hostname: url.hostname })
    case "ECONNRESET":
      return connectionReset()
    case "UND_ERR_CONNECT_TIMEOUT":
      return named("ConnectTimeoutError", `Connect Timeout Error (attempted address: ${address}, timeout: 10000ms)`, {
        code
      })
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
      return coded(
        code,
        "self-signed certificate; if the root CA is installed locally, try running Node.js with --use-system-ca"
      )
    case "CERT_HAS_EXPIRED":
      return coded(code, "certificate has expired")
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return coded(
        code,
        `Hostname/IP does not match certificate's altnames: Host: ${url.hostname}. is not in the cert's`
      )
    case "ERR_SSL_WRONG_VERSION_NUMBER":
      return Object.assign(coded(code, "SSL routines:tls_validate_record_header:wrong version number"), {
        library: "SSL routines",
        reason: "wrong version number"
      })
  }
}
