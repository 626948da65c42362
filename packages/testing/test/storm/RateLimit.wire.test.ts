import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService, type MessageRequest } from "@effect-claude/client/ClaudeService"
import type * as FaultPlan from "@effect-claude/testing/FaultPlan"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { stormServer } from "./stormServerClient.ts"

// Ten minutes of the API, its minute taking three seconds here.
const window = 3_000
const windows = 10

const limits = { requests: 300, inputTokens: 60_000, outputTokens: 15_000 }

// As many at a time as would make three times the limit if nobody stopped them: an answer takes a tenth of a second.
const demand = 3
const serviceTime = 100
const callers = demand * limits.requests * serviceTime / window

const request: MessageRequest = {
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  messages: [{ role: "user", content: "x".repeat(200) }]
}

const plan = (otherConsumers?: { readonly share: number }): FaultPlan.FaultPlanInput => ({
  after: { kind: "message", delay: serviceTime, usage: { output_tokens: 45 } },
  rateLimits: { ...limits, window, ...(otherConsumers === undefined ? {} : { otherConsumers }) }
})

const flood = (rateLimits: FaultPlan.FaultPlanInput) =>
  Effect.scoped(Effect.gen(function*() {
    const server = yield* stormServer
    const base = AnthropicClient.layer({ apiKey: Redacted.make("sk-ant-storm"), baseUrl: server.url })
    const claude = Context.get(
      yield* Layer.build(base.pipe(ClaudeLayer.withRateLimiter({ window, queueTimeout: "1 minute" }))),
      ClaudeService
    )
    yield* server.start(rateLimits)
    const caller = Effect.forever(Effect.ignore(claude.createMessage(request)))
    yield* Effect.all(Array.from({ length: callers }, () => caller), { concurrency: "unbounded", discard: true }).pipe(
      Effect.timeoutOption(windows * window)
    )
    const seconds = yield* server.report
    const count = (status: string, from = 0) =>
      seconds.slice(from).reduce((sum, second) => sum + (second[status] ?? 0), 0)
    // The first window has what the buckets held at the start as well.
    const first = window / 1000
    const steady = (windows - 1) * window
    return {
      refused: count("429"),
      answered: count("200"),
      share: count("200", first) / (limits.requests * steady / window),
      seconds: seconds.map((second) => `${second["200"] ?? 0}/${second["429"] ?? 0}`).join(" ")
    }
  }))

const report = ({ answered, refused, seconds, share }: Effect.Success<ReturnType<typeof flood>>): string =>
  `${(100 * share).toFixed(1)} % of the limit, ${answered} answered, ${refused} refused (${seconds})`

describe("rate limits on the wire", () => {
  it.live(
    "three times the limit asked for, alone and beside an unseen consumer of half: all of it used, nothing refused",
    () =>
      Effect.gen(function*() {
        const [alone, beside] = yield* Effect.all([flood(plan()), flood(plan({ share: 0.5 }))], { concurrency: 2 })
        console.log(`\nalone:  ${report(alone)}\nbeside: ${report(beside)}\n`)
        assert.strictEqual(alone.refused, 0, report(alone))
        assert.isAtLeast(alone.share, 0.97, report(alone))
        assert.isAtMost(beside.refused / (beside.refused + beside.answered), 0.01, report(beside))
        assert.isAtLeast(beside.share, 0.45, report(beside))
      }),
    90_000
  )
})
