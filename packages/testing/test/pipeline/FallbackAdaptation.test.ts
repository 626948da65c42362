import type { MessageParam } from "@anthropic-ai/sdk/resources/messages/messages"
import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService, type MessageRequest } from "@effect-claude/client/ClaudeService"
import type { ModelCapabilities } from "@effect-claude/client/ModelCapabilities"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { calls, request, using } from "./support.ts"

const other = "a-model-of-another-cloud"

interface Outcome {
  readonly sent: MessageRequest | undefined
  readonly skipped: string | undefined
  readonly adapted: ReadonlyArray<string> | undefined
}

/** What becomes of a request that falls back to this target: the request as it was sent, or why it was not. */
const fallingBack = (
  target: Partial<ClaudeLayer.ModelTarget>,
  given: Partial<MessageRequest>,
  streamed = false
): Effect.Effect<Outcome> =>
  using(
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const asked = { ...request, ...given }
      const answers: Array<object> = []
      if (streamed) {
        yield* Stream.runForEach(claude.streamMessage(asked), (event) =>
          Effect.sync(() => {
            if (event.type === "message_start") answers.push(event.message)
          }))
      } else {
        answers.push(yield* claude.createMessage(asked))
      }
      const info = AnswerInfo.of(answers[0] ?? {})
      const [, second] = yield* calls
      const sent = second !== undefined && "max_tokens" in second.request ? second.request : undefined
      return { sent, skipped: info.passedOver[1]?.reason, adapted: info.adapted }
    }),
    ClaudeTest.script([Fault.overloaded()], { after: Reply.text("hi") }).pipe(
      ClaudeLayer.withFallback({ models: [{ model: other, ...target }], answer: () => "busy" })
    )
  ).pipe(Effect.orDie)

const capable = (capabilities: ModelCapabilities) => ({ capabilities })

const signed = { type: "thinking", thinking: "hm", signature: "signed" } as const
const redacted = { type: "redacted_thinking", data: "opaque" } as const
const text = { type: "text", text: "It is 3" } as const
const toolUse = { type: "tool_use", id: "toolu_1", name: "add", input: { a: 1, b: 2 } } as const
const toolResult = { type: "tool_result", tool_use_id: "toolu_1", content: "3" } as const
const tools = [{ name: "add", input_schema: { type: "object" as const } }]

const history = (...turns: ReadonlyArray<MessageParam["content"]>): Array<MessageParam> =>
  turns.map((content, index) => ({ role: index % 2 === 0 ? "user" : "assistant", content }))

describe("withFallback: what a target gets", () => {
  it.effect("a model of which nothing is known gets the request as it is", () =>
    Effect.gen(function*() {
      const given = { max_tokens: 1_000_000, tools, messages: history("1 + 2?", "It is ") }
      const { adapted, sent } = yield* fallingBack({}, given, true)
      assert.deepStrictEqual(sent, { ...request, ...given, model: other })
      assert.isUndefined(adapted)
    }))

  it.effect("the program adapts first, and what it makes is what is checked", () =>
    Effect.gen(function*() {
      const adapt = (before: MessageRequest) => ({ ...before, max_tokens: 10, messages: history("short") })
      const { adapted, sent, skipped } = yield* fallingBack(
        { adapt, ...capable({ maxOutputTokens: 50, contextWindow: 20 }) },
        { max_tokens: 100, messages: history("long".repeat(100)) }
      )
      assert.deepInclude(sent, { model: other, max_tokens: 10 })
      assert.isUndefined(skipped)
      assert.isUndefined(adapted)
    }))
})

describe("withFallback: limits", () => {
  it.effect("max_tokens becomes what the model can give, and the answer says so", () =>
    Effect.gen(function*() {
      const { adapted, sent } = yield* fallingBack(capable({ maxOutputTokens: 50 }), { max_tokens: 100 })
      assert.strictEqual(sent?.max_tokens, 50)
      assert.deepStrictEqual(adapted, ["max_tokens from 100 to 50"])
    }))

  it.effect("an answer that is not streamed has a limit of its own", () =>
    Effect.gen(function*() {
      const model = "claude-opus-4-1@20250805"
      const whole = yield* fallingBack({ model }, { max_tokens: 10_000 })
      assert.strictEqual(whole.sent?.max_tokens, 8192)
      const streamed = yield* fallingBack({ model }, { max_tokens: 10_000 }, true)
      assert.strictEqual(streamed.sent?.max_tokens, 10_000)
    }))

  it.effect("a model whose context window is too small is skipped, and says why without a word of the prompt", () =>
    Effect.gen(function*() {
      const { sent, skipped } = yield* fallingBack(capable({ contextWindow: 900 }), {
        messages: history("a".repeat(3500))
      })
      assert.isUndefined(sent)
      assert.strictEqual(skipped, "input of about 1065 tokens, context window of 900")
      const fits = yield* fallingBack(capable({ contextWindow: 1000 }), { messages: history("a".repeat(3500)) })
      assert.isDefined(fits.sent)
    }))
})

describe("withFallback: tools and prefill", () => {
  it.effect("a model without structured outputs, or that refuses a forced tool, is skipped for a request that needs it", () =>
    Effect.gen(function*() {
      const format = { output_config: { format: { type: "json_schema" as const, schema: {} } } }
      const unconstrained = capable({ structuredOutputs: false })
      assert.strictEqual((yield* fallingBack(unconstrained, format)).skipped, "has no structured outputs")
      assert.isDefined((yield* fallingBack(unconstrained, { output_config: { effort: "low", format: null } })).sent)
      const unforced = capable({ forcedTools: false })
      for (const tool_choice of [{ type: "tool" as const, name: "search" }, { type: "any" as const }]) {
        assert.strictEqual(
          (yield* fallingBack(unforced, { tools, tool_choice })).skipped,
          "takes no forced call of a tool"
        )
      }
      assert.isDefined((yield* fallingBack(unforced, { tools, tool_choice: { type: "auto" } })).sent)
    }))

  it.effect("a model without tools is skipped for a request that has some, and asked for one that has none", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* fallingBack(capable({ tools: false }), { tools })).skipped, "takes no tools")
      assert.isDefined((yield* fallingBack(capable({ tools: false }), { tools: [] })).sent)
      assert.isDefined((yield* fallingBack(capable({ tools: true }), { tools })).sent)
    }))

  it.effect("a model that takes no prefill is skipped for one", () =>
    Effect.gen(function*() {
      const prefilled = { messages: history("1 + 2?", "It is ") }
      const skip = yield* fallingBack({ model: "claude-opus-4-6" }, prefilled)
      assert.strictEqual(skip.skipped, "takes no prefill")
      const blocks = yield* fallingBack({ model: "claude-opus-4-6" }, { messages: history("1 + 2?", [text]) })
      assert.strictEqual(blocks.skipped, "takes no prefill")
      assert.isDefined((yield* fallingBack({ model: "claude-haiku-4-5" }, prefilled)).sent)
      assert.isDefined(
        (yield* fallingBack({ model: "claude-opus-4-6", capabilities: { prefill: true } }, prefilled)).sent
      )
    }))

  it.effect("a turn that was paused is sent back as it is, and is no prefill", () =>
    Effect.gen(function*() {
      const paused = { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} } as const
      const { sent } = yield* fallingBack({ model: "claude-opus-4-6" }, { messages: history("News?", [text, paused]) })
      assert.isDefined(sent)
    }))
})

describe("withFallback: thinking", () => {
  it.effect("signed blocks of earlier answers stay behind, and a turn of nothing else with them", () =>
    Effect.gen(function*() {
      const messages = history("1 + 2?", [signed, text], "And 4?", [redacted], "Well?")
      const { adapted, sent } = yield* fallingBack({}, { messages })
      assert.deepStrictEqual(sent?.messages, [
        { role: "user", content: "1 + 2?" },
        { role: "assistant", content: [text] },
        { role: "user", content: "And 4?" },
        { role: "user", content: "Well?" }
      ])
      assert.deepStrictEqual(adapted, ["thinking blocks left out"])
    }))

  it.effect("they go along if the program says so", () =>
    Effect.gen(function*() {
      const messages = history("1 + 2?", [signed, text], "And 4?")
      const { adapted, sent } = yield* fallingBack({ thinkingBlocks: "keep" }, { messages })
      assert.strictEqual(sent?.messages, messages)
      assert.isUndefined(adapted)
      const none = yield* fallingBack({ thinkingBlocks: "keep", capabilities: { thinking: false } }, { messages })
      assert.deepStrictEqual(none.adapted, ["thinking blocks left out"])
    }))

  const adaptive = { type: "adaptive", display: "summarized" } as const
  const enabled = { type: "enabled", budget_tokens: 2000, display: "omitted" } as const
  const disabled = { type: "disabled" } as const
  const betweenTools = { type: "between_tools" } as const

  type Thinking = MessageRequest["thinking"]
  const rows: ReadonlyArray<readonly [ModelCapabilities["thinking"], Thinking, Thinking]> = [
    [undefined, adaptive, adaptive],
    [undefined, enabled, enabled],
    [undefined, disabled, disabled],
    [undefined, betweenTools, disabled],
    [true, adaptive, adaptive],
    [true, betweenTools, disabled],
    [false, adaptive, undefined],
    [false, enabled, undefined],
    [false, betweenTools, undefined],
    [false, disabled, disabled],
    [{ adaptive: false }, adaptive, undefined],
    [{ enabled: false }, enabled, undefined],
    [{ enabled: false, adaptive: true }, enabled, { type: "adaptive", display: "omitted" }],
    [{ disabled: false }, disabled, undefined],
    [{ disabled: false, between_tools: true }, disabled, betweenTools],
    [{ between_tools: true }, betweenTools, betweenTools],
    [{ between_tools: false }, betweenTools, disabled],
    [{ between_tools: false, disabled: false }, betweenTools, undefined]
  ]
  for (const [thinking, asked, sentThinking] of rows) {
    const shown = sentThinking?.type ?? "nothing"
    it.effect(`${JSON.stringify(thinking) ?? "unknown"}: ${asked?.type} becomes ${shown}`, () =>
      Effect.gen(function*() {
        const { adapted, sent } = yield* fallingBack(capable({ thinking }), {
          max_tokens: 4000,
          ...(asked === undefined ? undefined : { thinking: asked })
        })
        assert.deepStrictEqual(sent?.thinking, sentThinking)
        const change = sentThinking === undefined ? "thinking left out" : `thinking from ${asked?.type} to ${shown}`
        assert.deepStrictEqual(adapted, asked === sentThinking ? undefined : [change])
      }))
  }

  it.effect("a budget that does not fit into fewer tokens is left out with its thinking", () =>
    Effect.gen(function*() {
      const given = { max_tokens: 4000, thinking: enabled }
      assert.isUndefined((yield* fallingBack(capable({ maxOutputTokens: 2000 }), given)).sent?.thinking)
      assert.deepStrictEqual((yield* fallingBack(capable({ maxOutputTokens: 2001 }), given)).sent?.thinking, enabled)
    }))

  it.effect("the result of a tool whose thinking stays behind goes without a thinking budget", () =>
    Effect.gen(function*() {
      const messages = history("1 + 2?", [signed, toolUse], [toolResult])
      const given = { max_tokens: 4000, tools, messages, thinking: enabled }
      const { adapted, sent } = yield* fallingBack({}, given)
      assert.isUndefined(sent?.thinking)
      assert.deepStrictEqual(adapted, ["thinking blocks left out", "thinking left out"])
      const kept = yield* fallingBack({ thinkingBlocks: "keep" }, given)
      assert.deepStrictEqual(kept.sent?.thinking, enabled)
    }))
})
