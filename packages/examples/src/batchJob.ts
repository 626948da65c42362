/**
 * A batch job that is done in the end: one request expires, one meets an overload, the file of results breaks off, and a
 * second start of the program pays for nothing twice.
 */
import { BatchJob, BatchLedger, BatchOutcome, ClaudeBatches } from "@effect-claude/client"
import { FakeClaudeApi, FaultPlan } from "@effect-claude/testing"
import { Console, Effect, Layer, Redacted, Schedule, Stream } from "effect"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import { strictEqual } from "node:assert/strict"

const reviews = ["kettle", "lamp", "chair", "desk", "shelf"].map((product): ClaudeBatches.BatchItem => ({
  custom_id: product,
  params: {
    model: "claude-sonnet-5-5",
    max_tokens: 256,
    messages: [{ role: "user", content: `Summarise the reviews of the ${product}` }]
  }
}))

// In production: ClaudeBatches.layerConfig, and a KeyValueStore that outlives the process.
const Batches = Layer.unwrap(Effect.gen(function*() {
  const api = yield* FakeClaudeApi.FakeClaudeApi
  return ClaudeBatches.layer({ apiKey: Redacted.make("sk-ant-example"), baseUrl: api.url })
})).pipe(
  ClaudeBatches.withLedger(BatchLedger.fromKeyValueStore({ prefix: "reviews/" })),
  Layer.provide(KeyValueStore.layerMemory),
  Layer.provide(FakeClaudeApi.layer({
    plan: FaultPlan.make({
      batches: {
        processingTime: "200 millis",
        outcomes: [
          { customId: "lamp", outcome: "expired", times: 1 },
          { customId: "chair", outcome: "errored", error: { type: "overloaded_error" }, times: 1 },
          { customId: "desk", outcome: "errored", error: { type: "invalid_request_error", message: "prompt is empty" } }
        ],
        results: [{ how: "end", afterLines: 2 }]
      }
    })
  }))
)

const job = BatchJob.run(reviews, {
  onDuplicate: "adopt",
  schedule: Schedule.spaced("100 millis"),
  onEvent: (event) => {
    if (event._tag === "Submitted") console.log(`${event.adopted ? "found" : "made"} ${event.batchId} (${event.count})`)
    if (event._tag === "ResultsInterrupted") console.log(`results broke off, ${event.received} of ${event.expected}`)
  }
})

const program = Effect.gen(function*() {
  const outcomes = yield* Stream.runCollect(job)
  for (const outcome of outcomes) {
    yield* Console.log(`${outcome.customId}: ${outcome._tag}, ${BatchOutcome.advice(outcome)}`)
  }
  strictEqual(outcomes.length, reviews.length)
  strictEqual(outcomes.filter(({ _tag }) => _tag === "Succeeded").length, 4)

  yield* Console.log("the program starts again")
  const again = yield* Stream.runCollect(job)
  strictEqual(again.length, reviews.length)
})

await Effect.runPromise(program.pipe(Effect.provide(Batches)))
