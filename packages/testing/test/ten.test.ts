import { ClaudeLayer, ClaudeTool, MessageEvents, StructuredOutput, ToolLedger, ToolLoop } from "@effect-claude/client"
import { ClaudeTest, Fault, Reply } from "@effect-claude/testing"
import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
import * as ClaudeVitest from "@effect-claude/testing/ClaudeVitest"
import { assert } from "@effect/vitest"
import { Clock, Effect, Schema, Stream } from "effect"

const request = {
  model: "claude-haiku-4-5",
  max_tokens: 1024,
  messages: [{ role: "user" as const, content: "Hello" }]
}

// 1. Retry, then succeed
const Busy = ClaudeTest.failTimes(2, Fault.overloaded()).pipe(ClaudeLayer.standard())
ClaudeVitest.effect("retries with growing waits, then succeeds", Busy, (claude) =>
  Effect.gen(function*() {
    yield* claude.createMessage(request)
    yield* ClaudeAssert.attempts(3)
    yield* ClaudeAssert.waits([{ atMost: "1 second" }, { atMost: "2 seconds" }])
  }))

// 2. A spend cap
const Capped = ClaudeTest.always(Fault.spendLimit()).pipe(ClaudeLayer.standard())
ClaudeVitest.effect("stops at once at the spend cap", Capped, (claude) =>
  Effect.gen(function*() {
    yield* ClaudeAssert.failsWith(claude.createMessage(request), "SpendLimitError")
    yield* ClaudeAssert.requests(1)
  }))

// 3. An open circuit
const Down = ClaudeTest.failTimes(5, Fault.overloaded()).pipe(
  ClaudeLayer.withCircuitBreaker({ failures: 5, openFor: "1 hour" })
)
ClaudeVitest.effect("opens the circuit, and recovers after an hour", Down, (claude) =>
  Effect.gen(function*() {
    yield* Effect.repeat(Effect.ignore(claude.createMessage(request)), { times: 4 })
    yield* ClaudeAssert.failsWith(claude.createMessage(request), "CircuitOpenError")
    yield* Effect.delay(claude.createMessage(request), "1 hour")
    yield* ClaudeAssert.requests(6)
  }))

// 4. A fallback
const Crowded = ClaudeTest.script([Fault.overloaded(), Reply.text("Hi")]).pipe(
  ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] })
)
ClaudeVitest.effect("falls back to another model on overload", Crowded, (claude) =>
  Effect.gen(function*() {
    yield* claude.createMessage(request)
    yield* ClaudeAssert.models([request.model, "claude-haiku-5-5"])
  }))

// 5. A cut stream
const Cut = ClaudeTest.script([
  Fault.cutStream({ reply: Reply.text("Twice two is four."), afterEvents: 3 }),
  Reply.text("o is four.")
]).pipe(ClaudeLayer.withStreamRecovery({ mode: "continue" }))
ClaudeVitest.effect("continues a stream that was cut", Cut, (claude) =>
  Effect.gen(function*() {
    const words = yield* Stream.runCollect(MessageEvents.text(claude.streamMessage(request)))
    assert.strictEqual(words.join(""), "Twice two is four.")
  }))

// 6. A deadline
const Slow = ClaudeTest.always(Reply.text("Late").pipe(ClaudeTest.delayed("1 hour"))).pipe(
  ClaudeLayer.withDeadline("30 seconds")
)
ClaudeVitest.effect("gives up at the deadline", Slow, (claude) =>
  Effect.gen(function*() {
    yield* ClaudeAssert.failsWith(claude.createMessage(request), "DeadlineExceededError")
    assert.strictEqual(yield* Clock.currentTimeMillis, 30_000)
  }))

// 7. A refusal
const Refusing = ClaudeTest.script([Reply.text("", { stop_reason: "refusal" })]).pipe(
  ClaudeLayer.standard({ completeAnswers: {} })
)
ClaudeVitest.effect("a refusal is an error, and is not repeated", Refusing, (claude) =>
  Effect.gen(function*() {
    yield* ClaudeAssert.failsWith(claude.createMessage(request), "RefusalError")
    yield* ClaudeAssert.requests(1)
  }))

// 8. JSON that does not fit
const Person = StructuredOutput.make(Schema.Struct({ name: Schema.String, age: Schema.Int }))
const Sloppy = ClaudeTest.script([Reply.text(`{"name":"Ada","age":"36"}`), Reply.text(`{"name":"Ada","age":36}`)])
ClaudeVitest.effect("has bad JSON repaired", Sloppy, () =>
  Effect.gen(function*() {
    assert.deepStrictEqual(yield* Person.ask(request), { name: "Ada", age: 36 })
  }))

// 9. A tool
let mails = 0
const send = ClaudeTool.make("send_mail", {
  description: "Sends a mail",
  input: Schema.Struct({ to: Schema.String }),
  run: () => Effect.sync(() => `Sent ${++mails}`)
})
const Agent = ClaudeTest.script([
  Reply.tool("send_mail", { to: "ann@example.com" }),
  Fault.invalidRequest(),
  Reply.text("Done")
])
ClaudeVitest.effect(
  "does not run a tool twice when an agent goes on after a crash",
  Agent,
  () =>
    Effect.gen(function*() {
      const run = ToolLoop.run({ request, tools: [send], runId: "invitation", ledger: yield* ToolLedger.makeMemory })
      yield* Effect.ignore(run)
      yield* run
      assert.strictEqual(mails, 1)
    })
)

// 10. A storm
const Storm = ClaudeTest.failTimes(20, Fault.overloaded()).pipe(ClaudeLayer.standard({ telemetry: false }))
ClaudeVitest.effect(
  "answers a thousand callers after an outage, with a request for each",
  Storm,
  (claude) =>
    Effect.gen(function*() {
      const callers = Array.from({ length: 1000 }, () => claude.createMessage(request))
      yield* Effect.all(callers, { concurrency: "unbounded" })
      yield* ClaudeAssert.requests(1020)
    })
)
