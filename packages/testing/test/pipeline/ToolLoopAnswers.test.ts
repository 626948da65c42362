import type { ContentBlock, Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as ToolLedger from "@effect-claude/client/ToolLedger"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { request } from "./support.ts"
import { asks, done, recorder, requests, resultsOf, runLoop, toolUse } from "./toolSupport.ts"

/** An answer that asks for tools, with what a gateway may make of it. */
const odd = (fields: object): Message =>
  Object.assign(Reply.message("", { content: [toolUse("act", { what: "one" })], stop_reason: "tool_use" }), fields)

const withId = (id: unknown): ContentBlock => Object.assign(toolUse("act", { what: "one" }), { id })

describe("an answer that no next request could hold", () => {
  const wrongs: ReadonlyArray<readonly [string, object]> = [
    ["two calls under one id", { content: [withId("toolu_same"), withId("toolu_same")] }],
    ["a call without an id", { content: [withId(undefined)] }],
    ["a call with a number for its id", { content: [withId(7)] }],
    ["a call without a name", { content: [Object.assign(toolUse("act", { what: "one" }), { name: null })] }],
    ["a call in an answer that says it is done", { stop_reason: "end_turn" }],
    ["a call in an answer that a stop sequence ended", { stop_reason: "stop_sequence", stop_sequence: "}" }],
    ["no model, and no call", { model: undefined, content: Reply.message("Let me see").content }],
    ["no model, and a stop reason of tomorrow", { model: null, stop_reason: "tomorrow" }]
  ]
  for (const [name, fields] of wrongs) {
    it.effect(`stops the run before its tools: ${name}`, () => {
      const { ran, tool } = recorder()
      return Effect.gen(function*() {
        const ledger = yield* ToolLedger.makeMemory
        const run = runLoop([tool], { runId: "r", ledger })
        const error = yield* Effect.flip(run)
        assert.strictEqual(error.reason, "claude", error.message)
        assert.strictEqual(error.error?._tag, "OutputInvalidError")
        assert.deepStrictEqual(error.transcript, request.messages)
        assert.deepStrictEqual(ran, [])
        // The run is not spoilt by it.
        assert.strictEqual((yield* run).message.stop_reason, "end_turn")
      }).pipe(Effect.provide(ClaudeTest.script([Reply.of(odd(fields)), done])))
    })
  }

  it.effect("is one that pauses for ever, whoever gave it", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(runLoop([], { limits: { pauses: 1 } }))
      assert.strictEqual(error.error?._tag, "OutputTruncatedError")
      assert.strictEqual(error.error?.partial?.text, "Searching.")
    }).pipe(Effect.provide(ClaudeTest.script([], {
      after: Reply.of(odd({ model: null, content: Reply.message("Searching.").content, stop_reason: "pause_turn" }))
    }))))
})

describe("an answer that is odd and whole", () => {
  it.effect("goes on if a gateway has left out its role, its usage or its container", () => {
    const { ran, tool } = recorder()
    return Effect.gen(function*() {
      yield* runLoop([tool])
      assert.strictEqual(ran.length, 1)
      assert.strictEqual((yield* requests)[1]?.messages[1]?.role, "assistant")
    }).pipe(Effect.provide(ClaudeTest.script([
      Reply.of(odd({ role: undefined, usage: null, container: "container_1" })),
      done
    ])))
  })

  it.effect("goes back without blank text, which the API gives and does not take", () => {
    const { tool } = recorder()
    const blank = (text: string): ContentBlock => ({ type: "text", text, citations: null })
    return Effect.gen(function*() {
      yield* runLoop([tool])
      const content = (yield* requests)[1]?.messages[1]?.content
      assert.deepStrictEqual(Array.isArray(content) ? content.map(({ type }) => type) : [], ["tool_use"])
    }).pipe(Effect.provide(ClaudeTest.script([
      Reply.of(odd({ content: [blank(""), blank(" \n"), toolUse("act", { what: "one" })] })),
      done
    ])))
  })

  it.effect("runs none of the calls that a model left behind when it handed over to another one", () => {
    const { ran, tool } = recorder()
    const handover = { type: "fallback", from: { model: "a" }, to: { model: "b" } } as unknown as ContentBlock
    return Effect.gen(function*() {
      yield* runLoop([tool])
      assert.deepStrictEqual(ran.map(({ what }) => what), ["mine"])
      const [, second] = yield* requests
      assert.strictEqual(resultsOf(second?.messages.at(-1)).length, 1)
    }).pipe(Effect.provide(ClaudeTest.script([
      Reply.of(odd({ content: [toolUse("act", { what: "left" }), handover, toolUse("act", { what: "mine" })] })),
      done
    ])))
  })

  it.effect("has no end of numbers for its usage", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(runLoop([recorder().tool], { limits: { steps: 2 } }))
      assert.strictEqual(error.reason, "steps")
      assert.isTrue(Number.isFinite(error.usage.outputTokens))
    }).pipe(Effect.provide(ClaudeTest.script([], {
      after: asks([["act", { what: "x" }]], { usage: { ...Reply.message("").usage, output_tokens: 1e308 } })
    }))))
})
