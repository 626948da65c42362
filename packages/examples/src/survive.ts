/**
 * A call that survives: a rate limit, an overload and a slow answer on the way, and the answer arrives all the same.
 */
import { AnswerInfo, AnthropicClient, ClaudeLayer, ClaudeService } from "@effect-claude/client"
import { FakeClaudeApi, FaultPlan, FaultStep } from "@effect-claude/testing"
import { Console, Effect, Layer, Redacted } from "effect"

// In production: AnthropicClient.layerConfig, which reads ANTHROPIC_API_KEY.
const Client = Layer.unwrap(Effect.gen(function*() {
  const api = yield* FakeClaudeApi.FakeClaudeApi
  return AnthropicClient.layer({ apiKey: Redacted.make("sk-ant-example"), baseUrl: api.url })
})).pipe(
  Layer.provide(FakeClaudeApi.layer({
    plan: FaultPlan.make({ steps: [FaultStep.rateLimit({ retryAfter: "100 millis" }), FaultStep.overloaded()] })
  }))
)

const Claude = Client.pipe(
  ClaudeLayer.standard({ deadline: "30 seconds", fallback: { models: ["claude-haiku-5-5"] } })
)

const program = Effect.gen(function*() {
  const claude = yield* ClaudeService
  const message = yield* claude.createMessage({
    model: "claude-sonnet-5-5",
    max_tokens: 1024,
    messages: [{ role: "user", content: "Say hello" }]
  })
  const { attempt, source } = AnswerInfo.of(message)
  yield* Console.log(`answered by ${source._tag === "Model" ? source.model : message.model}, attempt ${attempt}`)
}).pipe(
  // Handled tags leave the type; the others are still in it.
  Effect.catchTag(["AuthenticationError", "BillingError"], (error) => Console.error(`Page on-call: ${error.message}`)),
  Effect.catchTag("OverloadedError", () => Console.error("Still overloaded: queue it for later"))
)

await Effect.runPromise(program.pipe(Effect.provide(Claude)))
