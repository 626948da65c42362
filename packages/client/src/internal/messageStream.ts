import { Stream as SdkStream } from "@anthropic-ai/sdk/streaming"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type { ClaudeError } from "../ClaudeError.ts"
import { InvalidResponseError, StreamInterruptedError } from "../ClaudeError.ts"
import { makeAccumulator, type MessageEvent } from "../MessageEvents.ts"
import * as SdkFailure from "../SdkFailure.ts"
import { describeAnswer } from "./describeAnswer.ts"
import { isWellFormed } from "./eventShape.ts"

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

/**
 * The events of a streamed answer. Ends only after `message_stop`, or where a gateway leaves it out although the message
 * is complete; throws a `ClaudeError` with what had arrived in any other case.
 *
 * The SDK's own reader is not used beyond the splitting of events: it drops pings, writes malformed events to the console,
 * and ends quietly when the connection does.
 */
export async function* readEvents(
  response: Response,
  call: SdkFailure.Context
): AsyncGenerator<MessageEvent, void, unknown> {
  const context = { ...call, requestId: response.headers.get("request-id") ?? undefined }
  if (response.body === null) throw endedEarly(0, context)
  if (!isEventStream(response)) throw await noEventStream(response, context)
  const accumulator = makeAccumulator()
  let stopReason: string | null | undefined
  let openBlocks = 0
  const failure = (): SdkFailure.Context => ({ ...context, streaming: true, partial: accumulator.partial() })
  const stated = (body: unknown): ClaudeError => SdkFailure.fromAnswer({ headers: response.headers, body }, failure())
  const source = SdkStream.rawEvents(response)
  let isOpen = true
  try {
    for await (const sse of keptOpen(source)) {
      if (sse.event === "ping") {
        yield { type: "ping" }
        continue
      }
      if (sse.event === "error") throw stated(parse(sse.data))
      if (sse.event === null || sse.data === "") continue
      const event: unknown = JSON.parse(sse.data)
      if (Predicate.hasProperty(event, "type") && event.type === "error") throw stated(event)
      if (!isWellFormed(event)) throw malformed(failure())
      accumulator.add(event)
      if (event.type === "message_start") describeAnswer(event.message, response, context.attempt)
      else if (event.type === "content_block_start") openBlocks++
      else if (event.type === "content_block_stop") openBlocks--
      else if (event.type === "message_delta") stopReason = event.delta.stop_reason
      yield event
      if (event.type === "message_stop") {
        isOpen = false
        await drain(source)
        return
      }
    }
  } catch (thrown) {
    throw SdkFailure.fromThrown(thrown, failure())
  } finally {
    if (isOpen) await source.return().catch(() => undefined)
  }
  if (stopReason !== undefined && stopReason !== null && openBlocks === 0) {
    yield { type: "message_stop" }
    return
  }
  throw endedEarly(accumulator.partial().events, failure())
}

/** The same events for a loop that can be left without closing their source. */
const keptOpen = <A>(source: AsyncIterator<A>): AsyncIterable<A> => ({
  [Symbol.asyncIterator]: () => ({ next: () => source.next() })
})

// The end of the body comes right behind the last event; a gateway that holds it back must not hold up the caller.
const drainLimit = Duration.millis(100)

/**
 * Reads a body to its end, so that its connection can serve the next call: closing it would cost that call a handshake.
 * What is left open after the limit is closed with the call's own signal.
 */
const drain = (source: AsyncIterator<unknown>): Promise<unknown> => {
  const end = async () => {
    try {
      for await (const event of keptOpen(source)) void event
    } catch {
      // The message is complete: what becomes of its connection now is no failure of the call.
    }
  }
  return Effect.runPromise(Effect.timeoutOption(Effect.promise(end), drainLimit))
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
