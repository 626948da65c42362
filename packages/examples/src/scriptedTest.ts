/**
 * A test of a program's own behaviour in an outage: no server, no waiting, exactly the failures it is about. The program passes ten
 * minutes and more in milliseconds, and what happened is printed as a timeline.
 */
import { ClaudeLayer, ClaudeService } from "@effect-claude/client"
import { ClaudeAssert, ClaudeTest, Fault, Reply, Timeline, VirtualTime } from "@effect-claude/testing"
import { Console, Effect } from "effect"
import { strictEqual } from "node:assert/strict"

const program = ClaudeService.use((claude) =>
  claude.createMessage({
    model: "claude-sonnet-5-5",
    max_tokens: 1024,
    messages: [{ role: "user", content: "Say hello" }]
  })
)

// First an overload, then a server that asks for patience, then a hang, then an answer.
const Claude = ClaudeTest.script([
  Fault.overloaded(),
  Fault.rateLimit({ retryAfter: "45 seconds" }),
  Fault.hang(),
  Reply.text("Hello!")
]).pipe(ClaudeLayer.standard({ telemetry: false, fallback: { models: ["claude-haiku-5-5"] } }))

const test = Effect.gen(function*() {
  const message = yield* program
  strictEqual(message.model, "claude-haiku-5-5")
  yield* ClaudeAssert.outcomes(["OverloadedError", "RateLimitError", "Interrupted", "Succeeded"])
  yield* ClaudeAssert.models(["claude-sonnet-5-5", "claude-haiku-5-5"])
  yield* Console.log(yield* Timeline.current)
})

await Effect.runPromise(test.pipe(Timeline.watch, Effect.provide(Claude), VirtualTime.run))
