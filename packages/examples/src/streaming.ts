/**
 * A stream that stalls before its first word is retried unseen; one that breaks after some words is surfaced with them.
 */
import { AnthropicClient, ClaudeLayer, ClaudeService, MessageEvents } from "@effect-claude/client"
import { FakeClaudeApi, FaultPlan, FaultStep } from "@effect-claude/testing"
import { Console, Effect, Layer, Redacted, Stream } from "effect"

const Client = Layer.unwrap(Effect.gen(function*() {
  const api = yield* FakeClaudeApi.FakeClaudeApi
  return AnthropicClient.layer({ apiKey: Redacted.make("sk-ant-example"), baseUrl: api.url })
})).pipe(
  Layer.provide(FakeClaudeApi.layer({
    plan: FaultPlan.make({
      steps: [
        FaultStep.stallStream({ afterEvents: 1 }),
        FaultStep.message({ text: "The tortoise set out early." }),
        FaultStep.message({
          text: "The hare slept late and dreamt of winning.",
          interrupt: { how: "reset", afterEvents: 6 }
        })
      ]
    })
  }))
)

const Claude = Client.pipe(ClaudeLayer.standard({ attemptTimeout: { firstEvent: "300 millis", idle: "300 millis" } }))

const tell = Effect.gen(function*() {
  const claude = yield* ClaudeService
  const words = MessageEvents.text(claude.streamMessage({
    model: "claude-sonnet-5-5",
    max_tokens: 1024,
    messages: [{ role: "user", content: "Tell me a story" }]
  }))
  yield* Console.log(`told: ${yield* Stream.mkString(words)}`)
}).pipe(
  Effect.catchTag("StreamInterruptedError", (error) => Console.log(`broke off after: ${error.partial?.text ?? ""}`))
)

await Effect.runPromise(Effect.andThen(tell, tell).pipe(Effect.provide(Claude)))
