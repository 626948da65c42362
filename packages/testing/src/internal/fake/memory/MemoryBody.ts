import * as Effect from "effect/Effect"

/** How much of a body may wait to be read, as the buffers of two hosts hold it. */
const capacity = 256 * 1024

interface BodyEvents {
  /** The client reads, and there is nothing to read. */
  readonly onHungry: () => void
  /** There is something again. */
  readonly onFed: () => void
  /** The client has read the body to its end, or knows that it has none. */
  readonly onRead: () => void
  /** The client does not want the rest. */
  readonly onCancel: () => void
}

type Controller = ReadableByteStreamController

/** The body of an answer on its way from a server to a client that reads it when it likes. */
export class MemoryBody {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>
  readonly #events: BodyEvents
  readonly #chunks: Array<Uint8Array<ArrayBuffer>> = []
  #waitingBytes = 0
  /** The number of bytes that the client still expects. */
  #left: number
  #end: { readonly error: Error | undefined } | undefined
  #reading: { readonly controller: Controller; readonly done: () => void } | undefined
  #controller: Controller | undefined
  #whenRoom: (() => void) | undefined

  constructor(announced: number | undefined, events: BodyEvents) {
    this.#left = announced ?? Infinity
    this.#events = events
    this.stream = new ReadableStream({
      type: "bytes",
      start: (controller) => {
        this.#controller = controller
      },
      pull: (controller) => this.#pull(controller),
      cancel: () => events.onCancel()
    })
  }

  /** Whether the client was told to expect more than was written. */
  get isShort(): boolean {
    return Number.isFinite(this.#left) && this.#left > 0
  }

  /** Completes when there is room for more. */
  write(bytes: Uint8Array): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.push(bytes)
      if (this.#waitingBytes <= capacity) return Effect.void
      return Effect.callback<void>((resume) => {
        this.#whenRoom = () => resume(Effect.void)
        return Effect.sync(() => {
          this.#whenRoom = undefined
        })
      })
    })
  }

  push(bytes: Uint8Array): void {
    if (this.#end !== undefined) return
    // A copy: the stream takes the memory of what it is given away from its owner.
    const chunk = new Uint8Array(bytes.subarray(0, this.#left))
    if (chunk.length === 0) return
    this.#left -= chunk.length
    this.#chunks.push(chunk)
    this.#waitingBytes += chunk.length
    this.#feed()
  }

  /** What was written can still be read; then comes the end, in good order or with an error. */
  end(error?: Error): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    this.#feed()
  }

  /** Fails at once, whatever has not been read. */
  abort(error: unknown): void {
    this.#end = { error: undefined }
    this.#chunks.length = 0
    this.#waitingBytes = 0
    this.#controller?.error(error)
    this.#reading?.done()
    this.#reading = undefined
  }

  // One chunk a read, so that the client sees them as they were sent.
  #pull(controller: Controller): Promise<void> | undefined {
    if (this.#deliver(controller)) return undefined
    this.#events.onHungry()
    return new Promise((resolve) => {
      this.#reading = { controller, done: resolve }
    })
  }

  #feed(): void {
    const reading = this.#reading
    if (reading === undefined || !this.#deliver(reading.controller)) return
    this.#reading = undefined
    this.#events.onFed()
    reading.done()
  }

  #deliver(controller: Controller): boolean {
    const chunk = this.#chunks.shift()
    if (chunk !== undefined) {
      this.#waitingBytes -= chunk.length
      controller.enqueue(chunk)
      if (this.#chunks.length === 0 && this.#end !== undefined && this.#end.error === undefined) this.#close(controller)
      if (this.#waitingBytes <= capacity) this.#whenRoom?.()
      return true
    }
    if (this.#end === undefined) return false
    if (this.#end.error === undefined) this.#close(controller)
    else {
      this.#events.onRead()
      controller.error(this.#end.error)
    }
    return true
  }

  #close(controller: Controller): void {
    this.#events.onRead()
    controller.close()
    // A read into a buffer of the client's own that nothing came for.
    controller.byobRequest?.respond(0)
  }
}
