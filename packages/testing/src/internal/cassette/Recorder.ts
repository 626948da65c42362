import type * as Clock from "effect/Clock"
import type { CapturedRequest } from "./CapturedRequest.ts"
import type { RecordedBody, RecordedExchange } from "./RecordedExchange.ts"

export type Fetch = typeof globalThis.fetch

/** Sends requests on, and writes down what comes of them. Who asked notices nothing of it. */
export class Recorder {
  readonly exchanges: Array<RecordedExchange> = []
  readonly #fetch: Fetch
  readonly #clock: Clock.Clock

  constructor(fetch: Fetch, clock: Clock.Clock) {
    this.#fetch = fetch
    this.#clock = clock
  }

  get now(): number {
    return this.#clock.currentTimeMillisUnsafe()
  }

  async send(request: CapturedRequest, input: RequestInfo | URL, init: RequestInit | undefined): Promise<Response> {
    // Nothing is sent for a call that was given up before.
    if (isGivenUp(request)) return this.#fetch(input, init)
    const at = this.now
    const exchange: RecordedExchange = { at, request, outcome: { kind: "pending" } }
    this.exchanges.push(exchange)
    try {
      const response = await this.#fetch(input, init)
      const { body, headers, status, statusText } = response
      const after = this.#since(at)
      const recorded: RecordedBody | null = body === null ? null : { chunks: [], end: { kind: "open" } }
      exchange.outcome = { kind: "response", after, status, statusText, headers, body: recorded }
      return body === null || recorded === null ? response : this.#passing(response, body, recorded, request.signal)
    } catch (thrown) {
      const after = this.#since(at)
      exchange.outcome = isGivenUp(request)
        ? { kind: "abandoned", after }
        : { kind: "failed", after, thrown }
      throw thrown
    }
  }

  // A clock that is set back while it records must not make a file that nobody can read.
  #since(time: number): number {
    return Math.max(0, Math.round(this.now - time))
  }

  /** The response with a body that is read, as far as it is, through the recorder. */
  #passing(
    response: Response,
    body: ReadableStream<Uint8Array>,
    recorded: RecordedBody,
    signal: AbortSignal | undefined
  ): Response {
    const reader = body.getReader()
    const from = this.now
    let latest = 0
    const elapsed = (): number => latest = Math.max(latest, this.#since(from))
    const stream = new ReadableStream({
      type: "bytes",
      pull: async (controller) => {
        try {
          const { done, value } = await nextOf(reader)
          if (done) {
            recorded.end = { kind: "complete", at: elapsed() }
            controller.close()
            controller.byobRequest?.respond(0)
            return
          }
          // Copies: what a stream is given belongs to whoever reads it, and the memory below may be that of others.
          recorded.chunks.push([elapsed(), new Uint8Array(value)])
          controller.enqueue(new Uint8Array(value))
        } catch (thrown) {
          const at = elapsed()
          recorded.end = signal?.aborted === true ? { kind: "abandoned", at } : { kind: "failed", at, thrown }
          controller.error(thrown)
        }
      },
      cancel: (reason) => {
        recorded.end = { kind: "abandoned", at: elapsed() }
        return reader.cancel(reason)
      }
    }, { highWaterMark: 0 })
    return asIf(response, new Response(stream, response))
  }
}

const isGivenUp = ({ signal }: CapturedRequest): boolean => signal?.aborted === true

/** The next piece that is not empty: a stream that is asked for bytes and gets none is not asked again. */
const nextOf = async (
  reader: ReadableStreamDefaultReader<Uint8Array>
): Promise<ReadableStreamReadResult<Uint8Array>> => {
  const result = await reader.read()
  return !result.done && result.value.byteLength === 0 ? nextOf(reader) : result
}

/** What the constructor of a response does not take. */
const asIf = (original: Response, copy: Response): Response =>
  Object.defineProperties(copy, {
    url: { value: original.url },
    redirected: { value: original.redirected }
  })
