import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as ClaudeVitest from "@effect-claude/testing/ClaudeVitest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

ClaudeVitest.setup()

const request = {
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  messages: [{ role: "user" as const, content: "the prompt that nobody should see" }]
}

const Claude = ClaudeTest.script([Fault.overloaded(), Reply.text("hi")]).pipe(
  ClaudeLayer.withRetry(Schedule.spaced("1240 millis"))
)

ClaudeVitest.effect("A an assertion of the runner", Claude, (claude) =>
  Effect.gen(function*() {
    const message = yield* claude.createMessage(request)
    assert.strictEqual(message.stop_reason, "tool_use")
  }))

ClaudeVitest.effect(
  "B an assertion of ours",
  Claude,
  (claude) => Effect.andThen(claude.createMessage(request), ClaudeAssert.attempts(3))
)

ClaudeVitest.effect("C a matcher", Claude, (claude) =>
  Effect.gen(function*() {
    yield* claude.createMessage(request)
    const { calls } = yield* ClaudeTest.ClaudeTest
    expect(yield* calls).toHaveAttempts(1)
  }))

ClaudeVitest.effect(
  "D a failure of the program",
  ClaudeTest.script([Fault.spendLimit()]),
  (claude) => claude.createMessage(request)
)

ClaudeVitest.effect(
  "E a call that never ends",
  ClaudeTest.script([Fault.hang()]),
  (claude) => claude.createMessage(request)
)

ClaudeVitest.layer(Claude)("shared", (test) => {
  test("F a test over a shared layer", (claude) =>
    Effect.andThen(claude.createMessage(request), ClaudeAssert.requests(7)))
})

it.effect("G a test of its own", () =>
  Effect.gen(function*() {
    const claude = yield* ClaudeService
    yield* claude.createMessage(request)
    return yield* Effect.fail("no error at all")
  }).pipe(ClaudeVitest.run(Claude)))

ClaudeVitest.effect("H passes", Claude, (claude) => claude.createMessage(request))
