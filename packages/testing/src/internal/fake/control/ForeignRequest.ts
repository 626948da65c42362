import type { RequestHeaders } from "../Connection.ts"

const loopback = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/i

/**
 * Whether a request may come from a web page that somebody on this machine looks at. A browser says which page asks, and a page
 * whose name leads to this machine (DNS rebinding) cannot hide that name.
 */
export const isForeign = (headers: RequestHeaders): boolean =>
  headers["origin"] !== undefined
  || (headers["sec-fetch-site"] !== undefined && headers["sec-fetch-site"] !== "none")
  || !loopback.test(String(headers["host"] ?? ""))
