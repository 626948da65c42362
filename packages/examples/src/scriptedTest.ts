/**
 * A test of a program's own behaviour in an outage: no server, no waiting, exactly the failures it is about.
 */
import { AnswerInfo, ClaudeLayer, ClaudeService } from "@effect-claude/client"
import { ClaudeTest, Fault, Reply } from "@effect-claude/testing"
import { Console, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { deepStrictEqual, strictEqual } from "node:assert/strict"

const program = Effect.gen(function*() {
  const claude = yield* ClaudeService
  return yield* claude.createMessage({
    model: "claude-sonnet-5-5",
    max_tokens: 1024,
    messages: [{ role: "user", content: "Say hello" }]
  })
})

// First an overload, then a hang, then an answer.
const Claude = ClaudeTest.script([Fault.overloaded(), Fault.hang(), Reply.text("Hello!")]).pipe(
  ClaudeLayer.standard({ telemetry: false })
)

const test = Effect.gen(function*() {
  const fiber = yield* Effect.forkChild(program)
  yield* TestClock.adjust("10 minutes")
  const message = yield* Fiber.join(fiber)
  strictEqual(AnswerInfo.of(message).attempt, 3)

  const { calls } = yield* ClaudeTest.ClaudeTest
  deepStrictEqual((yield* calls).map(({ method }) => method), ["createMessage", "createMessage", "createMessage"])
  yield* Console.log("ten minutes of outage, tested in milliseconds")
})

await Effect.runPromise(test.pipe(Effect.provide(Layer.mergeAll(Claude, TestClock.layer()))))
