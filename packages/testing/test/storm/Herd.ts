import { RateLimitError } from "@effect-claude/client/ClaudeError"
import { ClaudeService, type ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import * as Reply from "@effect-claude/testing/Reply"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { request } from "./ClockStorm.ts"

/** An API in memory that refuses everything until a time, with the same wait for all, and notes when requests start. */
export const refusingApi = (
  options: { readonly until: number; readonly retryAfter: number; readonly latency: number },
  starts: Array<number>
): Layer.Layer<ClaudeService> => {
  const createMessage = Effect.gen(function*() {
    const at = yield* Clock.currentTimeMillis
    starts.push(at)
    yield* Effect.sleep(options.latency)
    if (at >= options.until) return Reply.message("Hello!")
    return yield* new RateLimitError({
      message: "This request would exceed the rate limit",
      status: 429,
      retryAfter: Duration.millis(options.retryAfter),
      model: request.model
    })
  })
  const service: ClaudeServiceShape = {
    createMessage: () => createMessage,
    streamMessage: () => Stream.die(new Error("The herd does not stream")),
    countTokens: () => Effect.die(new Error("The herd does not count tokens"))
  }
  return Layer.succeed(ClaudeService, service)
}

/** How many of these times lie in the fullest interval of this width. */
export const fullestBucket = (times: ReadonlyArray<number>, width: number): number => {
  const counts = new Map<number, number>()
  for (const time of times) {
    const bucket = Math.floor(time / width)
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1)
  }
  return Math.max(0, ...counts.values())
}

const poissonTail = (mean: number, atLeast: number): number => {
  let term = Math.exp(-mean)
  let below = 0
  for (let count = 0; count < atLeast; count++) {
    below += term
    term *= mean / (count + 1)
  }
  return Math.max(0, 1 - below)
}

/**
 * What the fullest bucket holds when starts are uniform over `window`: the number that is exceeded once in ten thousand
 * times.
 */
export const uniformBound = (starts: number, window: number, width: number): number => {
  const buckets = window / width
  let bound = 1
  while (buckets * poissonTail(starts / buckets, bound + 1) > 1e-4) bound++
  return bound
}

/** Calls that all start at once, and how many of them succeed. */
export const herd = (size: number) =>
  Effect.gen(function*() {
    const claude = yield* ClaudeService
    const exits = yield* Effect.all(
      Array.from({ length: size }, () => Effect.exit(claude.createMessage(request))),
      { concurrency: "unbounded" }
    )
    return exits.filter((exit) => exit._tag === "Success").length
  })
