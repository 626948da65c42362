/**
 * An agent with two tools. Its run is stopped by a key that is no longer valid; started again it goes on where it was, and the
 * table is booked once.
 */
import { AnthropicClient, ClaudeLayer, ClaudeTool, PersistedToolLedger, ToolLoop } from "@effect-claude/client"
import { FakeClaudeApi, FaultPlan, FaultStep } from "@effect-claude/testing"
import { Console, Data, Effect, Layer, Redacted, Schema } from "effect"
import { KeyValueStore } from "effect/persistence"

class FullyBooked extends Data.TaggedError("FullyBooked")<{ readonly message: string }> {}

const findTables = ClaudeTool.make("find_tables", {
  description: "Lists the hours at which a table is free on a day",
  input: Schema.Struct({ day: Schema.Literals(["friday", "saturday"]) }),
  output: Schema.Struct({ hours: Schema.Array(Schema.Int) }),
  run: ({ day }) => Effect.succeed({ hours: day === "friday" ? [18] : [] }),
  idempotent: true
})

const bookTable = ClaudeTool.make("book_table", {
  description: "Books a table",
  input: Schema.Struct({ day: Schema.String, hour: Schema.Int, guests: Schema.Int }),
  run: ({ day, guests, hour }, { idempotencyKey }) =>
    guests > 6
      ? Effect.fail(new FullyBooked({ message: "Our largest table seats 6" }))
      : Effect.as(
        Console.log(`booked for ${guests} on ${day} at ${hour}, key ${idempotencyKey.slice(0, 8)}`),
        "The table is booked"
      )
})

const call = (name: string, input: { readonly [field: string]: Schema.Json }) =>
  FaultStep.message({ content: [{ type: "tool_use", name, input }] })

const Client = Layer.unwrap(Effect.gen(function*() {
  const api = yield* FakeClaudeApi.FakeClaudeApi
  return AnthropicClient.layer({ apiKey: Redacted.make("sk-ant-example"), baseUrl: api.url })
})).pipe(
  Layer.provide(FakeClaudeApi.layer({
    plan: FaultPlan.make({
      steps: [
        // The first input is not what the tool takes; the model is told so, and corrects itself.
        call("find_tables", { day: "Friday" }),
        call("find_tables", { day: "friday" }),
        call("book_table", { day: "friday", hour: 18, guests: 4 }),
        FaultStep.authentication(),
        FaultStep.message({ text: "Your table for four is booked, Friday at six." })
      ]
    })
  }))
)

const Claude = Client.pipe(ClaudeLayer.standard({ deadline: "30 seconds" }))

const agent = Effect.gen(function*() {
  // In production: KeyValueStore.layerFileSystem or layerSql, which outlive the process.
  const ledger = yield* PersistedToolLedger.fromKeyValueStore({ prefix: "agents/" })
  const { message, steps } = yield* ToolLoop.run({
    request: {
      model: "claude-sonnet-5-5",
      max_tokens: 1024,
      messages: [{ role: "user", content: "A table for four on Friday, please" }]
    },
    tools: [findTables, bookTable],
    limits: { steps: 10, tokens: 50_000, time: "2 minutes" },
    runId: "guest-17",
    ledger,
    onEvent: (event) => event._tag === "ToolFinished" ? Console.log(`${event.tool}: ${event.outcome}`) : Effect.void
  })
  const text = message.content.map((block) => block.type === "text" ? block.text : "").join("")
  yield* Console.log(`${steps} steps: ${text}`)
}).pipe(
  Effect.catchTag(
    "ToolLoopError",
    (error) => Console.log(`stopped after ${error.steps} steps: ${error.error?._tag ?? error.reason}`)
  )
)

// The key was wrong, and was changed; the same run, again.
await Effect.runPromise(Effect.andThen(agent, agent).pipe(Effect.provide([Claude, KeyValueStore.layerMemory])))
