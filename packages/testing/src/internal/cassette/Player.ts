import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { bytesOf } from "./BodyContent.ts"
import type { CapturedRequest } from "./CapturedRequest.ts"
import type { Exchange, Outcome, StoredBody } from "./RecordingSchema.ts"
import { thrownError } from "./StoredError.ts"
import { shiftedHeaders } from "./StoredHeaders.ts"

export interface PlayerOptions {
  readonly clock: Clock.Clock
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  /** How much faster than it was recorded; infinite for no waits. */
  readonly speed: number
  readonly shiftTimes: boolean
  /** What a caller gets who waits on where the recorded one gave up. */
  readonly overrun: (request: CapturedRequest, what: string) => Error
}

/** Where the recorded caller gave up, this one has a little longer before it is told that nothing more is known. */
const grace = (millis: number): number => millis * 1.1 + 1000

/** Answers from recorded exchanges, as a `fetch` would that gets them from the network. */
export class Player {
  readonly #options: PlayerOptions

  constructor(options: PlayerOptions) {
    this.#options = options
  }

  async play({ at, outcome }: Exchange, request: CapturedRequest): Promise<Response> {
    const start = this.#now
    switch (outcome.kind) {
      case "failed":
        await this.#pauseUntil(start + outcome.after / this.#options.speed, request.signal)
        throw thrownError(outcome.error)
      case "abandoned":
        await this.#pauseUntil(start + grace(outcome.after), request.signal)
        throw this.#options.overrun(request, `headers within ${outcome.after} ms`)
      case "response": {
        await this.#pauseUntil(start + outcome.after / this.#options.speed, request.signal)
        return this.#response(outcome, Date.parse(at) + outcome.after, request)
      }
    }
  }

  get #now(): number {
    return this.#options.clock.currentTimeMillisUnsafe()
  }

  #response(
    { body, headers, status, statusText }: Extract<Outcome, { readonly kind: "response" }>,
    arrived: number,
    request: CapturedRequest
  ): Response {
    const response = new Response(body === null ? null : this.#stream(body, request), {
      status,
      statusText: statusText ?? "",
      headers: this.#options.shiftTimes ? shiftedHeaders(headers, this.#now - arrived) : headers
    })
    return Object.defineProperty(response, "url", { value: request.url.href })
  }

  #stream({ chunks, content, end }: StoredBody, request: CapturedRequest): ReadableStream<Uint8Array> {
    const { speed } = this.#options
    const bytes = bytesOf(content)
    const from = this.#now
    const stop = new AbortController()
    const abort = (): void => stop.abort(request.signal?.reason)
    let next = 0
    let sent = 0
    const pullEnd = async (controller: ReadableByteStreamController): Promise<void> => {
      await this.#pauseUntil(from + (end.kind === "abandoned" ? grace(end.at) : end.at / speed), stop.signal)
      request.signal?.removeEventListener("abort", abort)
      if (end.kind === "failed") return controller.error(thrownError(end.error))
      if (end.kind === "abandoned") {
        return controller.error(this.#options.overrun(request, `the next piece of the body within ${end.at} ms`))
      }
      controller.close()
      controller.byobRequest?.respond(0)
    }
    const pullChunk = async (
      controller: ReadableByteStreamController,
      [at, size]: StoredBody["chunks"][number]
    ): Promise<void> => {
      await this.#pauseUntil(from + at / speed, stop.signal)
      next++
      controller.enqueue(new Uint8Array(bytes.subarray(sent, sent += size)))
    }
    return new ReadableStream({
      type: "bytes",
      start: (controller) => {
        stop.signal.addEventListener("abort", () => {
          // A stream that was cancelled has nobody left to be told.
          if (request.signal?.aborted === true) controller.error(request.signal.reason)
        }, { once: true })
        request.signal?.addEventListener("abort", abort, { once: true })
        if (request.signal?.aborted === true) abort()
      },
      pull: async (controller) => {
        const chunk = chunks[next]
        try {
          await (chunk === undefined ? pullEnd(controller) : pullChunk(controller, chunk))
        } catch (thrown) {
          if (!stop.signal.aborted) throw thrown
        }
      },
      cancel: () => {
        request.signal?.removeEventListener("abort", abort)
        stop.abort()
      }
    }, { highWaterMark: 0 })
  }

  /** Waits on the `Clock`; an abort ends the wait as it ends a `fetch`. */
  #pauseUntil(time: number, signal: AbortSignal | undefined): Promise<void> {
    const left = time - this.#now
    if (!(left > 0)) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const fiber = this.#options.fork(Effect.sleep(left))
      const abort = (): void => {
        reject(signal?.reason)
        fiber.interruptUnsafe()
      }
      signal?.addEventListener("abort", abort, { once: true })
      fiber.addObserver((exit) => {
        signal?.removeEventListener("abort", abort)
        if (Exit.isSuccess(exit)) resolve()
        else reject(new Error("The cassette was closed while somebody waited for an answer of it"))
      })
    })
  }
}
