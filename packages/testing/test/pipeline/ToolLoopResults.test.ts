import * as ClaudeTool from "@effect-claude/client/ClaudeTool"
import * as ToolLedger from "@effect-claude/client/ToolLedger"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import { asks, done, recorder, runLoop, toldLast } from "./toolSupport.ts"

const tries = asks([["try", {}]])

const told = (run: Effect.Effect<ClaudeTool.Content, string>, describeFailure?: () => string) => {
  const input = Schema.Struct({})
  const tool = ClaudeTool.make("try", { description: "", input, run: () => run, describeFailure })
  return Effect.andThen(runLoop([tool]), toldLast).pipe(
    Effect.provide(ClaudeTest.script([tries, done]), { local: true })
  )
}

describe("what the model is told of a tool", () => {
  it.effect("is never an error without a text, which the API does not take", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* told(Effect.fail("x"), () => ""), [["The tool failed.", true]])
      assert.deepStrictEqual(yield* told(Effect.fail("x"), () => " "), [["The tool failed.", true]])
    }))

  it.effect("is the failure itself if that is a text", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* told(Effect.fail("No such city")), [["No such city", true]])
    }))

  it.effect("is well-formed, also if the tool has cut through the middle of a character", () =>
    Effect.gen(function*() {
      const cut = "😀".slice(0, 1)
      assert.deepStrictEqual(yield* told(Effect.succeed(`a${cut}`)), [["a\ufffd", false]])
      assert.deepStrictEqual(yield* told(Effect.succeed([{ type: "text" as const, text: `a${cut}` }])), [
        [[{ type: "text", text: "a\ufffd" }], false]
      ])
      assert.deepStrictEqual(yield* told(Effect.fail("x"), () => `a${cut}`), [["a\ufffd", true]])
    }))

  it.effect("holds no blank text among its blocks", () =>
    Effect.gen(function*() {
      const text = (text: string) => ({ type: "text" as const, text })
      assert.deepStrictEqual(yield* told(Effect.succeed([text(""), text("a"), text("\n")])), [[[text("a")], false]])
      assert.deepStrictEqual(yield* told(Effect.succeed([text("")])), [["", false]])
    }))

  it.effect("is of no concern to the log, also if it is not of its Schema", () => {
    const lines: Array<unknown> = []
    const logger = Logger.make(({ message }) => void lines.push(message))
    const tool = ClaudeTool.make("try", {
      description: "",
      input: Schema.Struct({}),
      output: Schema.Struct({ degrees: Schema.Number }),
      run: () => Effect.succeed({ degrees: "the salary of Ann" as unknown as number })
    })
    return Effect.gen(function*() {
      yield* runLoop([tool])
      assert.strictEqual(lines.length, 1)
      assert.notInclude(JSON.stringify(lines), "salary")
    }).pipe(Effect.provide([ClaudeTest.script([tries, done]), Logger.layer([logger])]))
  })

  it.effect("may stop the loop with nothing", () =>
    Effect.gen(function*() {
      for (const failure of [undefined, null, 1n, Symbol("x")]) {
        const tool = ClaudeTool.make("try", {
          description: "",
          input: Schema.Struct({}),
          run: () => Effect.fail(failure),
          haltOn: () => true
        })
        const error = yield* Effect.flip(runLoop([tool])).pipe(
          Effect.provide(ClaudeTest.script([tries]), { local: true })
        )
        assert.strictEqual(error.reason, "tool")
        assert.strictEqual(error.toolError, failure)
      }
    }))
})

describe("a run that goes on with other tools", () => {
  const first = asks([["act", { what: "one" }]])

  it.effect("answers a call that ended from the ledger, whatever has become of its tool", () =>
    Effect.gen(function*() {
      const stricter = ClaudeTool.make("act", {
        description: "",
        input: Schema.Struct({ what: Schema.Literal("two") }),
        run: () => Effect.succeed("did two")
      })
      for (const tools of [[stricter], [recorder("other").tool]]) {
        const ledger = yield* ToolLedger.makeMemory
        const { ran, tool } = recorder()
        // The second tool stops the run, so that the result of the first is only in the ledger.
        const stop = ClaudeTool.make("stop", {
          description: "",
          input: Schema.Struct({}),
          run: () => Effect.fail("stop"),
          haltOn: () => true
        })
        yield* Effect.gen(function*() {
          yield* Effect.flip(runLoop([tool, stop], { runId: "r", ledger }))
          assert.strictEqual(ran.length, 1)
          yield* runLoop(tools, { runId: "r", ledger })
          assert.deepStrictEqual((yield* toldLast)[0], ["did one", false])
        }).pipe(
          Effect.provide(ClaudeTest.script([asks([["act", { what: "one" }], ["stop", {}]]), done]), { local: true })
        )
      }
    }))

  it.effect("does not say of a call that began that it was not run", () =>
    Effect.gen(function*() {
      const stricter = ClaudeTool.make("act", {
        description: "",
        input: Schema.Struct({ what: Schema.Literal("two") }),
        run: () => Effect.succeed("did two"),
        idempotent: true
      })
      for (const tools of [[stricter], [recorder("other").tool]]) {
        const ledger = yield* ToolLedger.makeMemory
        const began = yield* Deferred.make<void>()
        const hanging = ClaudeTool.make("act", {
          description: "",
          input: Schema.Struct({ what: Schema.String }),
          run: () => Effect.andThen(Deferred.succeed(began, undefined), Effect.never)
        })
        yield* Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(runLoop([hanging], { runId: "r", ledger }))
          yield* Deferred.await(began)
          yield* Fiber.interrupt(fiber)
          const error = yield* Effect.flip(runLoop(tools, { runId: "r", ledger }))
          assert.strictEqual(error.reason, "unknownOutcome")
        }).pipe(Effect.provide(ClaudeTest.script([first]), { local: true }))
      }
    }))
})

describe("a ledger that fails when a step does", () => {
  it.effect("does not hide what the step took", () => {
    const cut = Reply.message("Once", { stop_reason: "max_tokens" })
    return Effect.gen(function*() {
      const memory = yield* ToolLedger.makeMemory
      const ledger: ToolLedger.ToolLedger = {
        ...memory,
        open: (runId) =>
          Effect.map(memory.open(runId), (run): ToolLedger.OpenRun => ({
            ...run,
            append: (entry) =>
              entry._tag === "Spent"
                ? run.append({ _tag: "Began", messages: [{ role: "user", content: 1n as unknown as string }] })
                : run.append(entry)
          }))
      }
      const error = yield* Effect.flip(runLoop([], { runId: "r", ledger }))
      assert.strictEqual(error.error?._tag, "OutputTruncatedError")
      assert.strictEqual(error.usage.outputTokens, cut.usage.output_tokens)
    }).pipe(Effect.provide(ClaudeTest.script([Reply.of(cut)])))
  })
})

describe("a process that was taken over", () => {
  it.effect("releases its own attempt and not that of the other one", () =>
    Effect.gen(function*() {
      const ledger = yield* ToolLedger.makeMemory
      const one = yield* ledger.open("r")
      yield* one.start("k", { tool: "act", attempt: 1 })
      const other = yield* ledger.open("r")
      yield* other.start("k", { tool: "act", attempt: 2 })
      yield* one.release("k")
      assert.deepStrictEqual(yield* other.find("k"), { _tag: "Open", attempt: 2 })
      // Somebody who has started nothing knows of the attempt that is open.
      yield* (yield* ledger.open("r")).release("k")
      assert.deepStrictEqual(yield* other.find("k"), { _tag: "Released", attempt: 2 })
    }))
})
