import * as RateLimiter from "@effect-claude/resilience/RateLimiter"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import { TestClock } from "effect/testing"
import { type Dimension, Server, type Use } from "./RateLimiterServer.ts"

export interface Load {
  readonly limits: Use
  /** Mean cost of a call; each is uniform between half and one and a half of it. */
  readonly input: number
  readonly output: number
  /** Calls a minute that come in. */
  readonly demand: number
  readonly minutes: number
  /** Milliseconds of network each way, at most, and of the server's work at most. */
  readonly network: number
  readonly work: number
  /** When the headers are made: when the request is let in, or with the answer. */
  readonly headersAt: "admission" | "answer"
  /** Requests a minute of another program. */
  readonly foreign?: number
  readonly seed: string
  readonly configured?: boolean
  /** How many programs, each with a limiter and the demand of its own; 1. */
  readonly programs?: number
}

export const run = (load: Load) =>
  Effect.gen(function*() {
    const server = new Server(load.limits)
    const start = yield* Clock.currentTimeMillis
    const now = Effect.map(Clock.currentTimeMillis, (time) => time - start)
    const sized = (mean: number) => Effect.map(Random.nextBetween(0.5, 1.5), (factor) => Math.round(mean * factor))
    const upTo = (most: number) => Effect.flatMap(Random.nextBetween(0, most), (time) => Effect.sleep(time))
    let firstResponse = Number.POSITIVE_INFINITY
    let sent = 0
    const rejected: Record<string, number> = {}

    const makeLimiter = RateLimiter.make<Dimension>({
      limits: {
        requests: { burst: "10 seconds", ...(load.configured === true ? { limit: load.limits.requests } : undefined) },
        inputTokens: { rounding: 500 },
        outputTokens: { rounding: 500 }
      }
    })

    const startedBy: Array<number> = []
    const callOf = (limiter: RateLimiter.RateLimiter<Dimension>, program: number) =>
      Effect.gen(function*() {
        const input = yield* sized(load.input)
        const output = yield* sized(load.output)
        const estimate = Math.round(input * (yield* Random.nextBetween(1, 1.3)))
        yield* limiter.withReservation(
          { costs: { requests: 1, inputTokens: estimate, outputTokens: load.output } },
          (reservation) =>
            Effect.gen(function*() {
              sent += 1
              startedBy[program] = (startedBy[program] ?? 0) + 1
              yield* upTo(load.network)
              if (!server.admit(input, yield* now)) {
                const headers = server.headers(yield* now)
                const retryAfter = server.retryAfter(input)
                yield* upTo(load.network)
                yield* reservation.refund
                yield* reservation.observe(headers)
                yield* limiter.pause("default", Duration.seconds(retryAfter))
                return
              }
              let headers = server.headers(yield* now)
              yield* upTo(load.work)
              server.write(output, yield* now)
              if (load.headersAt === "answer") headers = server.headers(yield* now)
              yield* upTo(load.network)
              firstResponse = Math.min(firstResponse, yield* now)
              yield* reservation.settle({ requests: 1, inputTokens: input, outputTokens: output })
              yield* reservation.observe(headers)
            })
        )
      }).pipe(
        Effect.catchTag("RateLimitedLocallyError", (error) =>
          Effect.sync(() => {
            rejected[error.reason] = (rejected[error.reason] ?? 0) + 1
          }))
      )

    const arrivals = (perMinute: number, one: Effect.Effect<void>) =>
      Effect.gen(function*() {
        while (true) {
          yield* Effect.sleep(-Math.log(1 - (yield* Random.next)) * 60_000 / perMinute)
          yield* Effect.forkChild(one)
        }
      })
    const foreigner = Effect.gen(function*() {
      const input = yield* sized(load.input)
      if (!server.admit(input, yield* now, true)) return
      server.write(yield* sized(load.output), yield* now, true)
    })

    const limiters = yield* Effect.replicateEffect(makeLimiter, load.programs ?? 1)
    const fibers = yield* Effect.forEach(limiters, (limiter, program) =>
      Effect.forkChild(arrivals(load.demand, callOf(limiter, program))))
    if (load.foreign !== undefined) {
      fibers.push(yield* Effect.forkChild(arrivals(load.foreign, foreigner)))
    }
    yield* TestClock.adjust(Duration.minutes(load.minutes))
    const levels = yield* Effect.forEach(limiters, (limiter) =>
      limiter.levels())
    yield* Fiber.interruptAll(fibers)
    const used = server.answered
    const share = Math.max(
      used.requests / load.limits.requests,
      used.inputTokens / load.limits.inputTokens,
      used.outputTokens / load.limits.outputTokens
    ) / load.minutes
    return {
      sent,
      startedBy,
      rejected,
      levels,
      firstResponse,
      refused: server.refusedAt.length,
      refusedAfterFirst: server.refusedAt.filter((at) => at > firstResponse).length,
      /** The throughput as a share of the limit that binds. */
      share,
      foreignShare: server.foreign / load.limits.requests / load.minutes,
      foreignRefused: server.foreignRefused
    }
  }).pipe(Random.withSeed(load.seed))
