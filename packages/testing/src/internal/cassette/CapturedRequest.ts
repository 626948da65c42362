import * as Predicate from "effect/Predicate"
import { canonicalJson } from "./Digest.ts"

/** What a `fetch` was asked for. */
export interface CapturedRequest {
  readonly url: URL
  readonly method: string
  readonly headers: Headers
  readonly body: RequestBody
  readonly signal: AbortSignal | undefined
}

export type RequestBody =
  | { readonly kind: "none" }
  | { readonly kind: "json"; readonly json: unknown }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }

/** A request, and what to hand to the `fetch` below in place of a body that can be read only once. */
export interface Capture {
  readonly request: CapturedRequest
  readonly init: RequestInit | undefined
}

const bodyOf = (bytes: Uint8Array): RequestBody => {
  try {
    return { kind: "json", json: JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) }
  } catch {
    return { kind: "bytes", bytes }
  }
}

// The boundary between its parts is another one each time.
const formBody = (form: FormData): Promise<RequestBody> =>
  Promise.all([...form].map(async ([name, value]) =>
    typeof value === "string"
      ? [name, value]
      : [name, value.name, value.type, Buffer.from(await value.arrayBuffer()).toString("base64")]
  )).then((parts) => ({ kind: "bytes", bytes: Buffer.from(canonicalJson(parts)) }))

type Read = { readonly body: RequestBody; readonly bytes?: Uint8Array }

const readBody = (body: unknown): Read | Promise<Read> => {
  if (body === undefined || body === null) return { body: { kind: "none" } }
  if (typeof body === "string") return { body: bodyOf(Buffer.from(body)) }
  if (body instanceof FormData) return formBody(body).then((read) => ({ body: read }))
  return new Response(body as BodyInit).arrayBuffer().then((buffer) => {
    const bytes = new Uint8Array(buffer)
    // Any other body says itself of which type it is.
    return Predicate.hasProperty(body, Symbol.asyncIterator)
      ? { body: bodyOf(bytes), bytes }
      : { body: bodyOf(bytes) }
  })
}

/**
 * Reads what a `fetch` was called with. Not a promise where nothing has to be waited for, so that calls at the same time
 * keep their order.
 */
export const captureRequest = (input: RequestInfo | URL, init: RequestInit | undefined): Capture | Promise<Capture> => {
  const given = input instanceof Request ? input : undefined
  const read = readBody(init?.body ?? given?.clone().body)
  const captureOf = ({ body, bytes }: Read): Capture => {
    const { duplex: _, ...rest } = { ...init } as RequestInit & { duplex?: unknown }
    return {
      request: {
        url: new URL(input instanceof Request ? input.url : input),
        method: (init?.method ?? given?.method ?? "GET").toUpperCase(),
        headers: new Headers(init?.headers ?? given?.headers),
        body,
        signal: init?.signal ?? given?.signal ?? undefined
      },
      init: bytes === undefined || init?.body === undefined ? init : { ...rest, body: bytes as Uint8Array<ArrayBuffer> }
    }
  }
  return read instanceof Promise ? read.then(captureOf) : captureOf(read)
}
