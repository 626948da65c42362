import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { MessageRequest } from "@effect-claude/client/ClaudeService"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as ClaudeTest from "../src/ClaudeTest.ts"
import * as Fault from "../src/Fault.ts"
import * as Reply from "../src/Reply.ts"
import * as VirtualTime from "../src/VirtualTime.ts"

const request: MessageRequest = {
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  messages: [{ role: "user", content: "the canary of the prompt" }],
  system: "the canary of the system"
}

const call = ClaudeService.use((claude) => Effect.exit(claude.createMessage(request)))

/** So many calls, of which each may end as it likes. */
const calls = (count: number) => Effect.repeat(call, { times: count - 1 })

const reportOf = <E, LE>(
  test: Effect.Effect<unknown, E, ClaudeService | ClaudeTest.ClaudeTest>,
  layer: Layer.Layer<ClaudeService | ClaudeTest.ClaudeTest, LE>
) =>
  Effect.map(Effect.exit(VirtualTime.run(Effect.provide(test, layer, { local: true }))), (exit) => {
    if (Exit.isSuccess(exit)) return undefined
    const defect = Cause.squash(exit.cause)
    return Cause.hasDies(exit.cause) && defect instanceof Error ? defect.message : exit
  })

describe("a script that is not used up", () => {
  it.effect("fails a test that succeeded, and shows the steps beside the calls", () =>
    Effect.gen(function*() {
      const steps = [Fault.overloaded(), Reply.text("hi"), Fault.cutStream(), Reply.text("bye")]
      assert.strictEqual(
        yield* reportOf(calls(2), ClaudeTest.script(steps)),
        [
          "ClaudeTest: 2 steps were not used up",
          "  steps in order:",
          "    1. OverloadedError     call 1: createMessage claude-sonnet-5-5, attempt 1",
          `    2. text "hi"           call 2: createMessage claude-sonnet-5-5, attempt 1`,
          "  - 3. cut after 3 events  no call",
          `  - 4. text "bye"          no call`
        ].join("\n")
      )
    }))

  it.effect("speaks of what policies around it made of a call", () =>
    Effect.gen(function*() {
      const Claude = ClaudeTest.failTimes(5, Fault.overloaded()).pipe(ClaudeLayer.withRetry())
      assert.strictEqual(
        yield* reportOf(call, Claude),
        [
          "ClaudeTest: 1 step was not used up",
          "  steps in order:",
          "  - 1. OverloadedError 5 times, not 3  call 1: createMessage claude-sonnet-5-5, attempt 1; "
          + "call 2: createMessage claude-sonnet-5-5, attempt 2; call 3: createMessage claude-sonnet-5-5, attempt 3"
        ].join("\n")
      )
    }))

  it.effect("names the rule that had no call, and forgives a step that may go on for ever", () =>
    Effect.gen(function*() {
      const Claude = ClaudeTest.script([
        ClaudeTest.when({ model: /opus/, text: "x" }, Fault.overloaded()),
        ClaudeTest.when({ method: "createMessage" }, [Reply.text("a")]),
        ClaudeTest.forever(Reply.text("b"))
      ], { after: Reply.text("never") })
      assert.strictEqual(
        yield* reportOf(call, Claude),
        [
          "ClaudeTest: 1 step was not used up",
          `  when model /opus/, text "x":`,
          "  - 1. OverloadedError for ever  no call",
          `  when method "createMessage":`,
          `    1. text "a"  call 1: createMessage claude-sonnet-5-5, attempt 1`,
          "  steps in order:",
          `    1. text "b" for ever  no call`
        ].join("\n")
      )
    }))

  it.effect("is shortened around what is wrong", () =>
    Effect.gen(function*() {
      const report = yield* reportOf(calls(50), ClaudeTest.script(Array.from({ length: 200 }, () => Reply.text("hi"))))
      assert.isString(report)
      const lines = String(report).split("\n")
      assert.lengthOf(lines, 24)
      assert.strictEqual(lines[0], "ClaudeTest: 150 steps were not used up")
      assert.include(lines[2], "... 45 more")
      assert.match(lines[7] ?? "", /^ {4}50\. text "hi" {2,}call 50/)
      assert.match(lines[8] ?? "", /^ {2}- 51\. text "hi" {2,}no call/)
      assert.include(lines[23], "... 135 more")
    }))
})

describe("a script that is run over", () => {
  it.effect("fails a test that did not notice", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* reportOf(calls(6), ClaudeTest.script([Reply.text("hi")])),
        [
          "ClaudeTest: 5 calls had no step",
          "  steps in order:",
          `    1. text "hi"  call 1: createMessage claude-sonnet-5-5, attempt 1`,
          "  + no step  call 2: createMessage claude-sonnet-5-5, attempt 1; call 3: createMessage claude-sonnet-5-5, attempt 1; "
          + "call 4: createMessage claude-sonnet-5-5, attempt 1; 2 more"
        ].join("\n")
      )
    }))

  it.effect("and a test that nothing is called says what was", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* reportOf(call, ClaudeTest.empty),
        "ClaudeTest: 1 call had no step\n  + no step  call 1: createMessage claude-sonnet-5-5, attempt 1"
      )
      assert.isUndefined(yield* reportOf(Effect.void, ClaudeTest.empty))
    }))
})

describe("what a script thinks of a test", () => {
  const unused = () => ClaudeTest.script([Reply.text("hi")])

  it.effect("is nothing of the request", () =>
    Effect.gen(function*() {
      const report = yield* reportOf(
        calls(2),
        ClaudeTest.script([Fault.overloaded(), Reply.text("a"), Reply.text("b")])
      )
      assert.isString(report)
      assert.notInclude(String(report), "canary")
    }))

  it.effect("does not hide a failure, a defect or an interrupt of its own", () =>
    Effect.gen(function*() {
      for (const exit of [Exit.fail("mine"), Exit.die("mine"), Exit.interrupt(1)]) {
        assert.deepStrictEqual(yield* Effect.exit(Effect.provide(exit, unused())), exit)
      }
    }))

  it.effect("is silent when it is told to be", () =>
    Effect.gen(function*() {
      assert.isUndefined(yield* reportOf(Effect.void, ClaudeTest.script([Reply.text("hi")], { strict: false })))
      assert.isUndefined(yield* reportOf(calls(2), ClaudeTest.script([Reply.text("hi")], { strict: false })))
    }))

  it.effect("comes when the layer closes, as `it.layer` closes it", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(unused(), scope)
      const exit = yield* Effect.exit(Scope.close(scope, Exit.void))
      assert.isTrue(Exit.hasDies(exit))
      assert.include(String(exit), "1 step was not used up")
    }))

  it.effect("is the same behind policies", () =>
    Effect.gen(function*() {
      const report = yield* reportOf(
        Effect.void,
        unused().pipe(ClaudeLayer.withRetry(), ClaudeLayer.withDeadline("1 minute"))
      )
      assert.include(String(report), "1 step was not used up")
    }))
})
