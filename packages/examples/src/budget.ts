/**
 * What calls cost, and a budget for each tenant that stops before it is exceeded.
 */
import { AnthropicClient, ClaudeLayer, ClaudeService, UsageLedger } from "@effect-claude/client"
import { FakeClaudeApi, FaultPlan, FaultStep } from "@effect-claude/testing"
import { Console, Effect, Layer, Redacted, Stream } from "effect"
import { ok, strictEqual } from "node:assert/strict"

// In production: AnthropicClient.layerConfig, which reads ANTHROPIC_API_KEY.
const Client = Layer.unwrap(Effect.gen(function*() {
  const api = yield* FakeClaudeApi.FakeClaudeApi
  return AnthropicClient.layer({ apiKey: Redacted.make("sk-ant-example"), baseUrl: api.url })
})).pipe(
  Layer.provide(FakeClaudeApi.layer({
    plan: FaultPlan.make({
      steps: [FaultStep.overloaded()],
      after: FaultStep.message({ usage: { input_tokens: 2000, output_tokens: 500, cache_read_input_tokens: 8000 } })
    })
  }))
)

const Claude = Client.pipe(
  ClaudeLayer.standard({
    telemetry: false,
    usage: { budget: { key: { limit: { usd: 0.05 }, window: "1 day" } } }
  }),
  Layer.provideMerge(UsageLedger.layer())
)

/** A tenant that asks until its money is spent, and tells how often it was answered. */
const tenant = (name: string) =>
  Effect.gen(function*() {
    const claude = yield* ClaudeService
    const answers = yield* Stream.fromEffectRepeat(claude.createMessage({
      model: "claude-opus-5-5",
      max_tokens: 1000,
      messages: [{ role: "user", content: "Summarise what happened today" }]
    })).pipe(
      Stream.catchTag("UsageBudgetExceededError", (error) =>
        Stream.fromEffectDrain(Console.log(`${name} is told: ${error.message}`))),
      Stream.runCount
    )
    yield* Console.log(`${name} was answered ${answers} times`)
    return answers
  }).pipe(UsageLedger.withKey(name))

const program = Effect.gen(function*() {
  const answers = yield* Effect.all([tenant("Ada"), tenant("Grace")], { concurrency: "unbounded" })
  const { byKey, totals } = yield* (yield* UsageLedger.UsageLedger).snapshot
  for (const [key, { attempts, calls, cost }] of byKey) {
    yield* Console.log(`${key}: ${calls} calls, ${attempts} requests, $${cost}`)
  }
  yield* Console.log(`all together $${totals.cost}, ${totals.wastedShare * 100} % of it wasted`)
  // 2000 tokens of input, 8000 read from the cache and 500 of output: two cents, less a little.
  for (const { cost = 0 } of byKey.values()) ok(cost <= 0.05)
  strictEqual(totals.calls, answers[0] + answers[1])
  strictEqual(totals.attempts, totals.calls + 1)
})

await Effect.runPromise(program.pipe(Effect.provide(Claude)))
