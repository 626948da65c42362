import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { BodyWriter, type Pieces } from "./BodyWriter.ts"
import type { ResponseHeaders } from "./Connection.ts"
import type { Exchange } from "./Exchange.ts"

export interface Interruption {
  readonly how: "stall" | "reset" | "close" | "end"
  readonly afterBytes?: number | undefined
  readonly pause?: Duration.Duration | undefined
}

/** Ends an answer short of its end. */
export const interruptAnswer = (exchange: Exchange, interruption: Interruption): Effect.Effect<void> => {
  switch (interruption.how) {
    case "end":
      return exchange.end()
    case "stall":
      return Effect.never
    case "reset":
    case "close":
      return afterPause(exchange.break(interruption.how), interruption.pause ?? exchange.connection.breakPause)
  }
}

// A sleep of no time would still be a turn of the event loop.
export const afterPause = <A>(effect: Effect.Effect<A>, pause: Duration.Duration): Effect.Effect<A> =>
  Duration.isZero(pause) ? effect : Effect.delay(effect, pause)

/** Sends a body that is known whole, or as much of it as the interruption lets through. */
export const sendBody = (
  exchange: Exchange,
  answer: Pieces & {
    readonly status: number
    readonly headers: ResponseHeaders
    readonly body: Uint8Array
    readonly bodyDelay?: Duration.Duration | undefined
    readonly interrupt?: Interruption | undefined
  }
): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { body, interrupt } = answer
    const sent = interrupt === undefined ? body : body.subarray(0, sentBytes(body.length, interrupt))
    const announced = interrupt?.how === "end" ? sent.length : body.length
    yield* exchange.head(answer.status, { "content-length": announced, ...answer.headers })
    if (answer.bodyDelay !== undefined) {
      yield* exchange.flushHead
      yield* Effect.sleep(answer.bodyDelay)
    }
    if (interrupt === undefined && answer.chunkBytes === undefined) {
      return yield* exchange.end(body)
    }
    yield* exchange.flushHead
    const writer = new BodyWriter(exchange, answer)
    yield* writer.write(sent)
    yield* writer.flush
    yield* interrupt === undefined ? exchange.end() : interruptAnswer(exchange, interrupt)
  })

// At least one byte stays behind: a body that is there whole was not interrupted.
const sentBytes = (total: number, { afterBytes = Math.floor(total / 2) }: Interruption): number =>
  Math.max(0, Math.min(afterBytes, total - 1))
