/**
 * A chat that survives a cut stream: the answer goes on where it broke off, on the same screen, and with a model that has
 * gone down it is another model that goes on.
 */
import {
  AnswerInfo,
  AnthropicClient,
  ClaudeLayer,
  ClaudeService,
  ClaudeStream,
  MessageEvents
} from "@effect-claude/client"
import { FakeClaudeApi, FaultPlan, FaultStep } from "@effect-claude/testing"
import { Console, Effect, Layer, Redacted, Stream } from "effect"

const story = "The tortoise set out early. The hare slept late, and dreamt of winning."

// In production: AnthropicClient.layerConfig. Here two streams break off, and then the model is overloaded.
const Client = Layer.unwrap(Effect.gen(function*() {
  const api = yield* FakeClaudeApi.FakeClaudeApi
  return AnthropicClient.layer({ apiKey: Redacted.make("sk-ant-example"), baseUrl: api.url })
})).pipe(
  Layer.provide(FakeClaudeApi.layer({
    plan: FaultPlan.make({
      steps: [
        FaultStep.message({ text: story, interrupt: { how: "reset", afterEvents: 6 } }),
        FaultStep.message({ text: story, resume: { overlap: 3 }, interrupt: { how: "end", afterEvents: 9 } })
      ],
      after: FaultStep.overloaded(),
      models: { "claude-haiku-5-5": { after: FaultStep.message({ text: story, resume: { overlap: 2 } }) } }
    })
  }))
)

const Claude = Client.pipe(
  ClaudeLayer.standard({
    deadline: "30 seconds",
    fallback: { models: ["claude-haiku-5-5"] },
    streamRecovery: {
      mode: ({ request }) => request.output_config?.format === undefined ? "continue" : "restart"
    }
  })
)

const chat = Effect.gen(function*() {
  const claude = yield* ClaudeService
  const answer = MessageEvents.makeAccumulator()
  const events = claude.streamMessage({
    model: "claude-sonnet-5-5",
    max_tokens: 1024,
    messages: [{ role: "user", content: "Tell me a story" }]
  }).pipe(
    Stream.tap((event) => Effect.sync(() => answer.add(event)))
  )

  // What a screen would show: pieces are added, unless one replaces what is there.
  let screen = ""
  yield* Stream.runForEach(ClaudeStream.textUpdates(events), ({ replaces, text }) =>
    Effect.sync(() => {
      screen = replaces ? text : screen + text
    }))

  yield* Console.log(screen)
  const message = answer.message()
  for (const { error, model } of AnswerInfo.of(message ?? {}).parts ?? []) {
    yield* Console.log(`  ${model}: ${error === undefined ? "to the end" : error._tag}`)
  }
  yield* Console.log(`  input of all parts: ${message?.usage.input_tokens} tokens`)
}).pipe(
  // What cannot be gone on with comes out with all that had arrived.
  Effect.catchTag("StreamInterruptedError", (error) => Console.log(`broke off after: ${error.shown}`))
)

await Effect.runPromise(chat.pipe(Effect.provide(Claude)))
