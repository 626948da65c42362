import type { MemoryRequest } from "./MemoryConnection.ts"

type Input = Parameters<typeof globalThis.fetch>[0]
type Init = Parameters<typeof globalThis.fetch>[1]

/** What `fetch` was asked to send. */
export const readRequest = (input: Input, init: Init = {}): MemoryRequest | Promise<MemoryRequest> => {
  const { body = null, method = "GET" } = init
  // What clients send, at a tenth of what a `Request` costs.
  if (!(input instanceof Request) && (body === null || typeof body === "string")) {
    if (method === "POST" || (body === null && (method === "GET" || method === "DELETE"))) {
      // One that is there is only read: most of what `Headers` costs is to make them.
      const headers = body === null && init.headers instanceof Headers ? init.headers : new Headers(init.headers)
      if (body !== null && !headers.has("content-type")) headers.set("content-type", "text/plain;charset=UTF-8")
      return sent({ method, url: new URL(input), headers, signal: init.signal ?? undefined }, Buffer.from(body ?? ""))
    }
  }
  return readWhole(input, new Request(input, init))
}

const readWhole = async (input: Input, request: Request): Promise<MemoryRequest> => {
  const { headers, method, signal, url } = request
  signal.throwIfAborted()
  const body = new Uint8Array(await untilAborted(request.arrayBuffer(), signal))
  // The signal of a request follows the one it was made with only as long as the request is there.
  return { ...sent({ method, url: new URL(url), headers, signal }, body), sources: [input, request] }
}

/** What is being read, unless the client does not want to send it any more. */
const untilAborted = <A>(reading: Promise<A>, signal: AbortSignal): Promise<A> =>
  new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener("abort", onAbort)
    reading.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort))
  })

const methodsWithBody = new Set(["POST", "PUT", "PATCH"])

/** The request with the headers that Node's `fetch` adds. */
const sent = (
  { headers, method, signal, url }: {
    readonly method: string
    readonly url: URL
    readonly headers: Headers
    readonly signal: AbortSignal | undefined
  },
  body: Uint8Array
): MemoryRequest => ({
  method,
  url,
  signal,
  body,
  headers: {
    host: url.host,
    connection: "keep-alive",
    accept: "*/*",
    "accept-language": "*",
    "sec-fetch-mode": "cors",
    "user-agent": "node",
    "accept-encoding": url.protocol === "https:" ? "br, gzip, deflate" : "gzip, deflate",
    ...Object.fromEntries(headers),
    ...(body.length > 0 || methodsWithBody.has(method) ? { "content-length": String(body.length) } : {})
  }
})
