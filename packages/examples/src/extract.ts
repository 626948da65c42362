/**
 * An extractor: a Schema goes in, values of it come out. The first answer of the fake API does not fit, so the model is told
 * what is wrong; the second document is read while its answer is written; the third is sorted under a label.
 */
import { AnthropicClient, ClaudeLayer, StructuredOutput } from "@effect-claude/client"
import { FakeClaudeApi, FaultPlan, FaultStep } from "@effect-claude/testing"
import { Console, Effect, Layer, Redacted, Schema, Stream } from "effect"

const Invoice = Schema.Struct({
  number: Schema.NonEmptyString.annotate({ description: "As printed, with all signs" }),
  issued: Schema.Date,
  currency: Schema.Literals(["EUR", "USD"]),
  lines: Schema.NonEmptyArray(Schema.Struct({
    text: Schema.String,
    amount: Schema.Finite.check(Schema.isGreaterThan(0))
  }))
})

const extractor = StructuredOutput.make(Invoice)
const sorter = StructuredOutput.oneOf(["invoice", "reminder", "advertisement"])

const about = (document: string) => ({
  model: "claude-sonnet-5-5",
  max_tokens: 2048,
  messages: [{ role: "user" as const, content: `Here is a document:\n\n${document}` }]
})

const written = JSON.stringify({
  number: "R-17",
  issued: "2026-11-26T00:00:00.000Z",
  currency: "EUR",
  lines: [{ text: "Apples and pears", amount: 3.5 }, { text: "A bag to carry them in", amount: 4 }]
})

// In production: AnthropicClient.layerConfig, which reads ANTHROPIC_API_KEY.
const Claude = Layer.unwrap(Effect.gen(function*() {
  const api = yield* FakeClaudeApi.FakeClaudeApi
  return AnthropicClient.layer({ apiKey: Redacted.make("sk-ant-example"), baseUrl: api.url })
})).pipe(
  Layer.provide(FakeClaudeApi.layer({
    plan: FaultPlan.make({
      steps: [
        FaultStep.message({ text: written.replace("2026-11-26T00:00:00.000Z", "yesterday") }),
        FaultStep.message({ text: written }),
        FaultStep.message({ text: written }),
        FaultStep.message({ text: "The label is \"Reminder\"." })
      ]
    })
  })),
  ClaudeLayer.standard()
)

const program = Effect.gen(function*() {
  const { turns, usage, value } = yield* extractor.answer(about("Invoice R-17, of yesterday: ..."))
  const total = value.lines.reduce((sum, { amount }) => sum + amount, 0)
  yield* Console.log(
    `${value.number}: ${total} ${value.currency}, after ${turns} turns and ${usage.outputTokens} tokens`
  )

  yield* extractor.stream(about("Invoice R-17: ...")).pipe(
    Stream.runForEach((progress) =>
      progress._tag === "Value"
        ? Console.log(`whole: issued on ${progress.value.issued.toISOString().slice(0, 10)}`)
        : progress._tag === "Restart"
        ? Console.log("once more")
        : Console.log(`so far: ${JSON.stringify(progress.value)}`)
    )
  )

  yield* Console.log(`sorted under ${yield* sorter.ask(about("We have not yet received your payment."))}`)
}).pipe(
  Effect.catchTag("OutputInvalidError", ({ issues, turns }) => Console.error(`No fit in ${turns} turns`, issues)),
  Effect.catchTag(["RefusalError", "OutputTruncatedError"], (error) => Console.error(error.message))
)

await Effect.runPromise(program.pipe(Effect.provide(Claude)))
