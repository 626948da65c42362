import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { AnswerMessage } from "./AnswerMessage.ts"
import { errorBody } from "./ApiErrors.ts"
import { interruptAnswer } from "./BodyAnswer.ts"
import { BodyWriter } from "./BodyWriter.ts"
import type { ResponseHeaders } from "./Connection.ts"
import { EventFrames } from "./EventFrames.ts"
import type { Exchange } from "./Exchange.ts"
import type { MessageStep } from "./StepSchema.ts"
import { type AnswerEvent, streamEvents } from "./StreamEvents.ts"

type Step = typeof MessageStep.Type
type Insert = NonNullable<Step["insert"]>[number]

/** Where a fault strikes when the plan does not say: after the first piece of content of a default answer. */
const defaultAfterEvents = 3

/** Sends a message as server-sent events, with what the step inserts, splits, delays and breaks. */
export const sendStream = (exchange: Exchange, step: Step, answer: {
  readonly headers: ResponseHeaders
  readonly message: AnswerMessage
  readonly requestedModel: string
  readonly onOutput: (tokens: number) => void
}): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { interrupt } = step
    const events = streamEvents(answer.message, answer.requestedModel)
    const frames = new EventFrames(step)
    const writer = new BodyWriter(exchange, step, cutAfterBytes(interrupt))
    yield* exchange.head(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      ...answer.headers
    })
    yield* exchange.flushHead
    if (step.bodyDelay !== undefined) yield* Effect.sleep(step.bodyDelay)

    yield* writer.write(frames.mark)

    const insertsAt = (count: number) =>
      Effect.forEach(
        (step.insert ?? []).filter(({ afterEvents = defaultAfterEvents }) => afterEvents === count),
        (insert) => sendInsert(writer, insertFrame(frames, insert), insert),
        { discard: true }
      )
    const interruptAt = cutAfterEvents(interrupt, events.length)

    const producing = producingType(events)
    const produced = answer.message.usage.output_tokens / events.filter(({ type }) => type === producing).length
    for (const [count, event] of events.entries()) {
      yield* insertsAt(count)
      if (interruptAt === count || writer.isFull) break
      if (count > 0) yield* pause(writer, step.eventDelay)
      if (event.type === producing) answer.onOutput(produced)
      yield* writer.write(frames.event(event.type, event))
      if (event.type === "content_block_start" && event.index === 0) yield* writer.write(frames.ping)
    }
    if (interruptAt === undefined || interruptAt === events.length) yield* insertsAt(events.length)
    if (interrupt?.how === "error") {
      yield* writer.write(errorFrame(frames, interrupt, exchange.entry.requestId))
    }
    yield* writer.flush
    yield* interrupt === undefined || interrupt.how === "error"
      ? exchange.end()
      : interruptAnswer(exchange, interrupt)
  })

/** The number of bytes that reach the client; events that begin before are sent in part. */
const cutAfterBytes = (interrupt: Step["interrupt"]): number | undefined =>
  interrupt === undefined || interrupt.how === "error" || interrupt.afterEvents !== undefined
    ? undefined
    : interrupt.afterBytes

/** The number of events before the interruption, which strikes at the end of an answer that has less of them. */
const cutAfterEvents = (interrupt: Step["interrupt"], count: number): number | undefined =>
  interrupt === undefined || cutAfterBytes(interrupt) !== undefined
    ? undefined
    : Math.min(interrupt.afterEvents ?? defaultAfterEvents, count)

// Output is produced piece by piece as it is sent; an answer without pieces is produced at its end.
const producingType = (events: ReadonlyArray<AnswerEvent>): AnswerEvent["type"] =>
  events.some(({ type }) => type === "content_block_delta") ? "content_block_delta" : "message_delta"

const pause = (writer: BodyWriter, duration: Duration.Duration | undefined): Effect.Effect<void> =>
  duration === undefined ? Effect.void : Effect.andThen(writer.flush, Effect.sleep(duration))

const sendInsert = (writer: BodyWriter, bytes: Uint8Array, insert: Insert): Effect.Effect<void> =>
  Effect.gen(function*() {
    const count = insert.count === "forever" ? Infinity : insert.count ?? 1
    for (let sent = 0; sent < count && !writer.isFull; sent++) {
      if (sent > 0) yield* pause(writer, insert.interval)
      yield* writer.write(bytes)
    }
  })

const insertFrame = (frames: EventFrames, insert: Insert): Uint8Array => {
  switch (insert.kind) {
    case "ping":
      return frames.ping
    case "comment":
      return frames.comment(insert.text ?? "keep-alive")
    case "event":
      return frames.event(insert.event, insert.data)
  }
}

const errorFrame = (
  frames: EventFrames,
  interrupt: Extract<Step["interrupt"], { readonly how: "error" }>,
  requestId: string
): Uint8Array =>
  frames.event("error", interrupt.data ?? errorBody(interrupt.error ?? { type: "overloaded_error" }, requestId))
