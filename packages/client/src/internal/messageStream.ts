import { isReadonlyArrayNonEmpty, type NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type { ClaudeError } from "../ClaudeError.ts"
import { InvalidResponseError, StreamInterruptedError } from "../ClaudeError.ts"
import { makeAccumulator, type MessageEvent } from "../MessageEvents.ts"
import * as SdkFailure from "../SdkFailure.ts"
import { describeAnswer } from "./describeAnswer.ts"
import { isWellFormed } from "./eventShape.ts"
import { type ServerSentEvent, SseDecoder } from "./stream/SseDecoder.ts"

const parse = (data: string): unknown => {
  try {
    return JSON.parse(data)
  } catch {
    return data
  }
}

const isEventStream = (response: Response): boolean => {
  const contentType = response.headers.get("content-type")
  return contentType === null || contentType.toLowerCase().includes("event-stream")
}

/** Whatever gives the bytes of a body piece by piece. */
interface Source {
  readonly read: () => Promise<{ readonly done: boolean; readonly value?: Uint8Array | string | undefined }>
  /** Gives up what is left, without waiting for it. */
  readonly cancel: () => void
}

const ignored = () => undefined

// A `fetch` of the program's own may answer with a stream that is none of the web's.
const sourceOf = (body: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>): Source => {
  if ("getReader" in body) {
    const reader = body.getReader()
    return {
      read: () => reader.read(),
      cancel: () => {
        reader.cancel().catch(ignored)
      }
    }
  }
  const iterator = body[Symbol.asyncIterator]()
  return {
    read: async () => {
      const result: IteratorResult<Uint8Array, unknown> = await iterator.next()
      return result.done === true ? { done: true } : { done: false, value: result.value }
    },
    cancel: () => {
      iterator.return?.().catch(ignored)
    }
  }
}

type Events = NonEmptyReadonlyArray<MessageEvent>

/**
 * Reads the events of a streamed answer, all that one piece of the body holds at a time: one read of the connection, one step
 * of the stream. Nothing is read that nobody has asked for.
 */
class EventReader {
  private readonly response: Response
  private readonly context: SdkFailure.Context
  private readonly noteBytes: () => void
  private readonly accumulator = makeAccumulator()
  private readonly decoder = new SseDecoder()
  private source: Source | undefined
  private stopReason: string | null | undefined
  private openBlocks = 0
  private hasStopped = false
  private hasEnded = false
  private isReading = false
  /** The pull that is to get what comes next. */
  private waiting: ((step: Pull.Pull<Events, ClaudeError>) => void) | undefined
  /** What came when no pull waited for it any more. */
  private missed: Pull.Pull<Events, ClaudeError> | undefined
  /** What is wrong with the stream, to be told behind the events before it. */
  private failure: ClaudeError | undefined

  constructor(response: Response, context: SdkFailure.Context, noteBytes: () => void) {
    this.response = response
    this.context = context
    this.noteBytes = noteBytes
  }

  /** The next events, in one step for each piece of the body that completes one. */
  readonly next: Pull.Pull<Events, ClaudeError> = Effect.callback((resume) => {
    const { missed } = this
    if (missed !== undefined) {
      this.missed = undefined
      return resume(missed)
    }
    this.waiting = resume
    if (!this.isReading) this.proceed()
    return this.leave
  })

  // A pull that is interrupted gives up its turn, and what then arrives is for the next one.
  private readonly leave = Effect.sync(() => {
    this.waiting = undefined
  })

  private give(step: Pull.Pull<Events, ClaudeError>): void {
    const { waiting } = this
    this.waiting = undefined
    if (waiting === undefined) this.missed = step
    else waiting(step)
  }

  private proceed(): void {
    const { source } = this
    if (this.failure !== undefined) this.give(Effect.fail(this.failure))
    else if (this.hasEnded) this.give(Cause.done())
    else if (source === undefined) this.open()
    else if (this.hasStopped) this.give(this.drained(source))
    else this.read(source)
  }

  private read(source: Source): void {
    this.isReading = true
    source.read().then(
      ({ done, value }) => this.settle(done ? this.ended() : this.taken(value)),
      (thrown: unknown) => this.settle(this.lost(thrown))
    )
  }

  private settle(out: ReadonlyArray<MessageEvent>): void {
    this.isReading = false
    if (isReadonlyArrayNonEmpty(out)) this.give(Effect.succeed(out))
    else if (this.waiting !== undefined) this.proceed()
  }

  cancel(): void {
    if (!this.hasEnded) this.source?.cancel()
  }

  private open(): void {
    this.isReading = true
    bodyOf(this.response, this.context).then(
      (body) => this.opened(body),
      (thrown: unknown) => this.refused(thrown)
    )
  }

  private opened(body: ReadableStream<Uint8Array>): void {
    this.source = sourceOf(body)
    this.settle([])
  }

  private refused(thrown: unknown): void {
    this.failure = SdkFailure.fromThrown(thrown, this.context)
    this.settle([])
  }

  private drained(source: Source): Pull.Pull<never> {
    return Effect.andThen(
      Effect.promise(() => drain(source)),
      Effect.suspend(() => {
        this.hasEnded = true
        return Cause.done()
      })
    )
  }

  private taken(bytes: Uint8Array | string | undefined): ReadonlyArray<MessageEvent> {
    const out: Array<MessageEvent> = []
    try {
      this.noteBytes()
      if (bytes !== undefined) this.take(this.decoder.push(bytes), out)
    } catch (thrown) {
      this.lost(thrown)
    }
    return out
  }

  private lost(thrown: unknown): ReadonlyArray<MessageEvent> {
    this.failure = SdkFailure.fromThrown(thrown, this.failed())
    return []
  }

  private ended(): ReadonlyArray<MessageEvent> {
    const out: Array<MessageEvent> = []
    this.hasEnded = true
    try {
      this.take(this.decoder.end(), out)
    } catch (thrown) {
      this.lost(thrown)
      return out
    }
    if (this.hasStopped) return out
    if (this.stopReason !== undefined && this.stopReason !== null && this.openBlocks === 0) {
      out.push({ type: "message_stop" })
    } else {
      this.failure = endedEarly(this.accumulator.partial().events, this.failed())
    }
    return out
  }

  private take(events: ReadonlyArray<ServerSentEvent>, out: Array<MessageEvent>): void {
    for (const { data, event: name } of events) {
      if (this.hasStopped) return
      if (name === "ping") {
        out.push({ type: "ping" })
        continue
      }
      if (name === "error") throw this.stated(parse(data))
      if (name === null || data === "") continue
      const event: unknown = JSON.parse(data)
      if (Predicate.hasProperty(event, "type") && event.type === "error") throw this.stated(event)
      if (!isWellFormed(event)) throw malformed(this.failed())
      // What takes back an answer is made by this toolkit; whatever a server may come to mean by it is something else.
      if (event.type === "restart") continue
      this.note(event)
      out.push(event)
    }
  }

  private note(event: MessageEvent): void {
    this.accumulator.add(event)
    switch (event.type) {
      case "message_start":
        return describeAnswer(event.message, this.response, this.context.attempt)
      case "content_block_start":
        this.openBlocks++
        return
      case "content_block_stop":
        this.openBlocks--
        return
      case "message_delta":
        this.stopReason = event.delta.stop_reason
        return
      case "message_stop":
        this.hasStopped = true
        return
      default:
    }
  }

  private failed(): SdkFailure.Context {
    return { ...this.context, streaming: true, partial: this.accumulator.partial() }
  }

  private stated(body: unknown): ClaudeError {
    return SdkFailure.fromAnswer({ headers: this.response.headers, body }, this.failed())
  }
}

/**
 * The events of a streamed answer. Ends only after `message_stop`, or where a gateway leaves it out although the message
 * is complete; fails with what had arrived in any other case. `noteBytes` hears of whatever arrives, comments and halves of
 * events included.
 *
 * The SDK's own reader is not used: it drops pings, writes malformed events to the console, ends quietly when the connection
 * does, and gives events one at a time.
 */
export const readEvents = (
  response: Response,
  call: SdkFailure.Context,
  noteBytes: () => void = () => {}
): Stream.Stream<MessageEvent, ClaudeError> =>
  Stream.unwrap(Effect.gen(function*() {
    const context = { ...call, requestId: response.headers.get("request-id") ?? undefined }
    const reader = new EventReader(response, context, noteBytes)
    yield* Effect.addFinalizer(() => Effect.sync(() => reader.cancel()))
    return Stream.fromPull(Effect.succeed(reader.next))
  }))

// The end of the body comes right behind the last event; a gateway that holds it back must not hold up the caller.
const drainLimit = Duration.millis(100)

/**
 * Reads a body to its end, so that its connection can serve the next call: closing it would cost that call a handshake.
 * What is left open after the limit is closed with the call's own signal.
 */
const drain = (source: Source): Promise<unknown> => {
  const end = async () => {
    try {
      while (!(await source.read()).done);
    } catch {
      // The message is complete: what becomes of its connection now is no failure of the call.
    }
  }
  return Effect.runPromise(Effect.timeoutOption(Effect.promise(end), drainLimit))
}

const bodyOf = async (response: Response, context: SdkFailure.Context): Promise<ReadableStream<Uint8Array>> => {
  const { body } = response
  if (body === null) throw endedEarly(0, context)
  if (!isEventStream(response)) throw await noEventStream(response, context)
  return body
}

const noEventStream = async (response: Response, context: SdkFailure.Context): Promise<ClaudeError | undefined> => {
  try {
    return SdkFailure.fromResolved(parse(await response.text()), () => false, context)
  } catch (thrown) {
    return SdkFailure.fromThrown(thrown, context)
  }
}

const fieldsOf = ({ attempt, model, partial, requestId }: SdkFailure.Context) => ({
  ...(attempt === undefined ? undefined : { attempt }),
  ...(model === undefined ? undefined : { model }),
  ...(requestId === undefined ? undefined : { requestId }),
  ...(partial === undefined ? undefined : { partial })
})

const malformed = (context: SdkFailure.Context): ClaudeError =>
  new InvalidResponseError({ message: "An event of the stream is not what its type promises", ...fieldsOf(context) })

const endedEarly = (events: number, context: SdkFailure.Context): ClaudeError =>
  events === 0
    ? new InvalidResponseError({ message: "The stream ended without a single event", ...fieldsOf(context) })
    : new StreamInterruptedError({ message: "The stream ended without message_stop", ...fieldsOf(context) })
