import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { request, withWire } from "./support.ts"

// A minute in three seconds, so that a run of 18 seconds spans six windows.
const window = "3 seconds"
const limits = { requests: 90, inputTokens: 60_000, outputTokens: 20_000 }
const seconds = 18

/** What the server let in and what it refused, of a service that is asked for three times the limit. */
const measure = (input: number, otherShare?: number) =>
  withWire(
    {
      rateLimits: {
        ...limits,
        window,
        ...(otherShare === undefined ? undefined : { otherConsumers: { share: otherShare } })
      },
      after: FaultStep.message({ text: "Hello", usage: { input_tokens: input, output_tokens: 40 }, delay: "40 millis" })
    },
    ({ api, claude }) =>
      Effect.gen(function*() {
        const fits = Math.min(limits.requests, limits.inputTokens / input) / 3
        const call = Effect.ignore(claude.createMessage(request))
        const arrivals = Effect.forever(Effect.andThen(Effect.forkChild(call), Effect.sleep(1000 / (3 * fits))))
        const fiber = yield* Effect.forkChild(arrivals)
        yield* Effect.sleep(`${seconds} seconds`)
        const requests = yield* api.requests
        yield* Fiber.interrupt(fiber)
        const begin = Math.min(...requests.map(({ receivedAt }) => receivedAt))
        const firstAnswer = Math.min(...requests.map(({ endedAt = Number.POSITIVE_INFINITY }) => endedAt))
        // Without the first window, in which the full buckets are used up on top of the limit.
        const since = begin + 3000
        const served = requests.filter(({ receivedAt, status }) => receivedAt > since && status !== 429)
        const refused = requests.filter(({ status }) => status === 429)
        return {
          sent: requests.length,
          refused: refused.length,
          refusedAfterFirst: refused.filter(({ receivedAt }) => receivedAt > firstAnswer).length,
          share: served.length / (fits * (seconds - 3))
        }
      }),
    // The whole of an answer's tokens is known in advance here, as it would be of one's own calls on average.
    ClaudeLayer.withRateLimiter({ window, estimate: () => input, rampUp: { doubling: "250 millis" } })
  )

describe("ClaudeLayer.withRateLimiter against enforcing buckets over a socket, at three times the limit", () => {
  // Each has a server of its own; at once, because they take their time.
  it.live(
    "no 429 after the first answer and 97 % of the limit; shared with another program, 1 % at most",
    () =>
      Effect.gen(function*() {
        const [requests, input, shared] = yield* Effect.all([measure(200), measure(2000), measure(200, 0.5)], {
          concurrency: "unbounded"
        })
        for (const result of [requests, input]) {
          assert.strictEqual(result.refusedAfterFirst, 0, JSON.stringify(result))
          assert.isAtLeast(result.share, 0.97, JSON.stringify(result))
        }
        assert.isAtMost(shared.refusedAfterFirst / shared.sent, 0.01, JSON.stringify(shared))
        assert.isAtLeast(shared.share, 0.4, JSON.stringify(shared))
      }),
    60_000
  )
})
