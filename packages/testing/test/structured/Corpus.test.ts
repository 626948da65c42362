import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import type { ClaudeService, MessageRequest } from "@effect-claude/client/ClaudeService"
import * as StructuredOutput from "@effect-claude/client/StructuredOutput"
import * as TokenUsage from "@effect-claude/client/TokenUsage"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { corpus, good, handMade, Person } from "./corpus.ts"

const request: MessageRequest = {
  model: "claude-sonnet-5-5",
  max_tokens: 1024,
  messages: [{ role: "user", content: "Who is it?" }]
}

const goodText = JSON.stringify(good)

const using = <A, E>(
  effect: Effect.Effect<A, E, ClaudeService | ClaudeTest.ClaudeTest>,
  layer: Layer.Layer<ClaudeService | ClaudeTest.ClaudeTest>
) => Effect.provide(effect, layer, { local: true })

const strategies = ["native", "tool", "json"] as const

describe("the corpus", () => {
  it("has at least 200 answers made by hand or by cutting, none twice", () => {
    assert.isAtLeast(handMade, 180)
    assert.isAtLeast(corpus.length, 400)
    assert.strictEqual(new Set(corpus.map(({ name }) => name)).size, corpus.length)
  })

  for (const strategy of strategies) {
    it.effect(`as a text, ${strategy}: each is decoded to what is meant, or an OutputInvalidError`, () =>
      Effect.gen(function*() {
        const output = StructuredOutput.make(Person, { strategy, repairs: 0 })
        for (const { name, text, value } of corpus) {
          const result = yield* using(Effect.result(output.ask(request)), ClaudeTest.script([Reply.text(text)]))
          if (value !== undefined) {
            assert.deepStrictEqual(result._tag === "Success" ? result.success : result.failure, value, name)
          } else {
            assert.strictEqual(
              result._tag === "Failure" ? result.failure._tag : result.success,
              "OutputInvalidError",
              name
            )
            if (result._tag !== "Failure" || result.failure._tag !== "OutputInvalidError") continue
            assert.strictEqual(result.failure.text, text, name)
            assert.isNotEmpty(result.failure.issues, name)
            assert.notInclude(result.failure.message, "Ada", name)
          }
        }
      }))
  }

  it.effect("as the input of a tool that came as a text", () =>
    Effect.gen(function*() {
      const output = StructuredOutput.make(Person, { strategy: "tool", repairs: 0 })
      for (const { name, text, value } of corpus) {
        const layer = ClaudeTest.script([Reply.tool("answer", text)])
        const result = yield* using(Effect.result(output.ask(request)), layer)
        const decoded = result._tag === "Success" ? result.success : result.failure._tag
        assert.deepStrictEqual(decoded, value ?? "OutputInvalidError", name)
      }
    }))

  it.effect("in a stream: the same, and what was shown before is a beginning of it", () =>
    Effect.gen(function*() {
      for (const strategy of ["native", "tool"] as const) {
        const output = StructuredOutput.make(Person, { strategy, repairs: 0 })
        for (const { name, text, value } of corpus) {
          const reply = strategy === "native" ? Reply.text(text) : Reply.events(toolEvents(text))
          const shown: Array<StructuredOutput.Progress<Person>> = []
          const collect = Stream.runForEach(output.stream(request), (one) => Effect.sync(() => shown.push(one)))
          const result = yield* using(Effect.result(collect), ClaudeTest.script([reply]))
          if (value === undefined) {
            assert.strictEqual(result._tag === "Failure" && result.failure._tag, "OutputInvalidError", name)
            continue
          }
          const last = shown.at(-1)
          assert.deepStrictEqual(last?._tag === "Value" && last.value, value, name)
          assert.strictEqual(shown.filter(({ _tag }) => _tag === "Value").length, 1, name)
        }
      }
    }))

  it.effect("what does not fit is repaired in the second turn", () =>
    Effect.gen(function*() {
      for (const strategy of strategies) {
        const output = StructuredOutput.make(Person, { strategy })
        for (const { name, text, value } of corpus) {
          if (value !== undefined) continue
          const layer = ClaudeTest.script([Reply.text(text), Reply.text(goodText)])
          const answer = yield* using(output.answer(request), layer)
          assert.deepStrictEqual([answer.value, answer.turns], [good, 2], name)
        }
      }
    }))

  it.effect("what never fits ends after the third turn, with the usage of all", () =>
    Effect.gen(function*() {
      const output = StructuredOutput.make(Person)
      for (const { name, text, value } of corpus) {
        if (value !== undefined) continue
        const reply = Reply.text(text, { usage: { input_tokens: 10, output_tokens: 7 } })
        const error = yield* using(Effect.flip(output.ask(request)), ClaudeTest.script([reply, reply, reply]))
        assert.strictEqual(error._tag, "OutputInvalidError", name)
        if (error._tag !== "OutputInvalidError") continue
        assert.deepStrictEqual(error.usage, { ...TokenUsage.zero, inputTokens: 30, outputTokens: 21 }, name)
        assert.strictEqual(error.turns, 3, name)
      }
    }))
})

/** The events of a message that calls the tool with this text as its input, a few characters at a time. */
const toolEvents = (input: string) => {
  const message: Message = Reply.message("", { stop_reason: "tool_use", usage: { output_tokens: 5 } })
  const pieces = input.match(/[\s\S]{1,7}/g) ?? []
  return [
    { type: "message_start" as const, message: { ...message, content: [], stop_reason: null } },
    {
      type: "content_block_start" as const,
      index: 0,
      content_block: {
        type: "tool_use" as const,
        id: "toolu_1",
        name: "answer",
        input: {},
        caller: { type: "direct" as const }
      }
    },
    ...pieces.map((partial_json) => ({
      type: "content_block_delta" as const,
      index: 0,
      delta: { type: "input_json_delta" as const, partial_json }
    })),
    { type: "content_block_stop" as const, index: 0 },
    {
      type: "message_delta" as const,
      delta: { container: null, stop_details: null, stop_reason: "tool_use" as const, stop_sequence: null },
      usage: message.usage
    },
    { type: "message_stop" as const }
  ]
}
