import type { ContentBlock, Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import * as ClaudeAnswer from "@effect-claude/client/ClaudeAnswer"
import { ClaudeErrorJson, isAnswerError } from "@effect-claude/client/ClaudeError"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const text = (text: string): ContentBlock => ({ type: "text", text, citations: null })
const thinking: ContentBlock = { type: "thinking", thinking: "Let me see", signature: "c2ln" }
const call = (input: unknown): ContentBlock => ({
  type: "tool_use",
  id: "toolu_1",
  name: "run",
  input,
  caller: { type: "direct" }
})
const handover = { type: "fallback", from: { model: "a" }, to: { model: "b" } } as unknown as ContentBlock

const stopped = (reason: string | null, content: Array<ContentBlock> = [text("Hello")]): Message =>
  Reply.message("", { content, stop_reason: reason as Message["stop_reason"], usage: { output_tokens: 7 } })

describe("ClaudeAnswer.check", () => {
  const whole: ReadonlyArray<readonly [string, Message]> = [
    ["end_turn with text", stopped("end_turn")],
    ["stop_sequence", stopped("stop_sequence")],
    ["stop_sequence with nothing in front of it", stopped("stop_sequence", [])],
    ["tool_use", stopped("tool_use", [call({ city: "Oslo" })])],
    ["tool_use without parameters", stopped("tool_use", [call({})])],
    ["text behind thinking", stopped("end_turn", [thinking, text("42")])],
    ["text behind a handover", stopped("end_turn", [handover, text("42")])],
    ["a stop reason of tomorrow", stopped("reason_of_tomorrow")],
    ["one that is named as a shortfall here", stopped("empty")],
    ["a compaction that was asked for", stopped("compaction", [{ type: "compaction" } as unknown as ContentBlock])]
  ]
  for (const [name, message] of whole) {
    it(`${name} is whole`, () => assert.isUndefined(ClaudeAnswer.check(message)))
  }

  const truncated = ["max_tokens", "model_context_window_exceeded", "pause_turn"] as const
  for (const reason of truncated) {
    it(`${reason} is a truncated output, with message and usage`, () => {
      const error = ClaudeAnswer.check(stopped(reason, [text("Once "), thinking, text("upon")]))
      assert.strictEqual(error?._tag, "OutputTruncatedError")
      if (error?._tag !== "OutputTruncatedError") return
      assert.strictEqual(error.stopReason, reason)
      assert.strictEqual(error.partial?.text, "Once upon")
      assert.strictEqual(error.partial?.message?.usage.output_tokens, 7)
      assert.strictEqual(error.model, "claude-sonnet-5-5")
      assert.deepStrictEqual(error.verdict, { _tag: "Stop" })
      assert.isUndefined(ClaudeAnswer.check(stopped(reason), { accept: [reason] }))
    })
  }

  for (const reason of [null, undefined]) {
    it(`stop reason ${reason}: nobody knows whether it is whole`, () => {
      const error = ClaudeAnswer.check({ ...stopped(null), stop_reason: reason as null })
      assert.strictEqual(error?._tag, "OutputTruncatedError")
      assert.isUndefined(error?._tag === "OutputTruncatedError" ? error.stopReason : "")
      assert.isUndefined(ClaudeAnswer.check(stopped(null), { accept: ["unfinished"] }))
    })
  }

  it("a refusal says all that the API says", () => {
    const details = {
      type: "refusal" as const,
      category: "bio" as const,
      explanation: "This could enable biological harm.",
      recommended_model: "claude-opus-5",
      fallback_credit_token: "credit-1",
      fallback_has_prefill_claim: false
    }
    const error = ClaudeAnswer.check({ ...stopped("refusal", []), stop_details: details })
    assert.deepInclude(error, {
      _tag: "RefusalError",
      category: "bio",
      explanation: "This could enable biological harm.",
      recommendedModel: "claude-opus-5",
      fallbackCreditToken: "credit-1",
      hasPrefillClaim: false
    })
    assert.notInclude(error?.message, "credit-1")
  })

  for (const details of [null, undefined, {}, { category: null, explanation: null, fallback_credit_token: null }]) {
    it(`a refusal with details ${JSON.stringify(details)} has none`, () => {
      const error = ClaudeAnswer.check({ ...stopped("refusal"), stop_details: details as null })
      assert.strictEqual(error?._tag, "RefusalError")
      if (error?._tag !== "RefusalError") return
      assert.notProperty(error, "category")
      assert.notProperty(error, "fallbackCreditToken")
      assert.notProperty(error, "hasPrefillClaim")
    })
  }

  const empty: ReadonlyArray<readonly [string, Array<ContentBlock>]> = [
    ["no block", []],
    ["an empty text", [text("")]],
    ["white space", [text(" \n\t"), text("\u00a0")]],
    ["thinking alone", [thinking]],
    ["redacted thinking alone", [{ type: "redacted_thinking", data: "x" }]],
    ["a handover alone", [handover]]
  ]
  for (const [name, content] of empty) {
    it(`${name} is empty`, () => {
      const error = ClaudeAnswer.check(stopped("end_turn", content))
      assert.strictEqual(error?._tag, "OutputInvalidError")
      if (error?._tag !== "OutputInvalidError") return
      assert.strictEqual(error.message, "The answer is empty")
      assert.strictEqual(error.usage?.outputTokens, 7)
      assert.deepStrictEqual(error.partial?.message?.content, content)
      assert.isUndefined(ClaudeAnswer.check(stopped("end_turn", content), { accept: ["empty"] }))
    })
  }

  for (const input of [`{"path":"/etc","cmd":"rm -rf /tm`, "", null, [1], 3]) {
    it(`a call with the input ${JSON.stringify(input)} is none`, () => {
      const error = ClaudeAnswer.check(stopped("tool_use", [text("I run it."), call(input)]))
      assert.strictEqual(error?._tag, "OutputInvalidError")
      if (error?._tag !== "OutputInvalidError") return
      assert.deepStrictEqual(error.issues?.map((issue) => issue.startsWith("content[1].input")), [true])
      assert.notInclude(error.message + (error.issues ?? []).join(), "rm -rf")
    })
  }

  it("whoever accepts a cut text has not accepted half a call", () => {
    const cut = stopped("max_tokens", [text("I run it."), call({ path: "/etc" })])
    assert.strictEqual(ClaudeAnswer.check(cut)?._tag, "OutputTruncatedError")
    assert.strictEqual(ClaudeAnswer.check(cut, { accept: ["max_tokens"] })?._tag, "OutputInvalidError")
    assert.isUndefined(ClaudeAnswer.check(cut, { accept: ["max_tokens", "tool_input"] }))
    const whole = stopped("max_tokens", [call({ path: "/etc" }), text("and now")])
    assert.isUndefined(ClaudeAnswer.check(whole, { accept: ["max_tokens"] }))
    const refused = stopped("refusal", [call({ path: "/etc" })])
    assert.strictEqual(ClaudeAnswer.check(refused, { accept: ["refusal"] })?._tag, "OutputInvalidError")
  })

  it("a name that is no shortfall is refused", () => {
    assert.throws(
      () => ClaudeAnswer.check(stopped("end_turn"), { accept: ["truncated" as never] }),
      RangeError,
      `ClaudeAnswer.check: option "accept" must be names among refusal, max_tokens`
    )
  })

  it("attempt and request id are those of the answer", () => {
    const message = AnswerInfo.annotate(stopped("max_tokens"), { attempt: 3, requestId: "req_1" })
    assert.deepInclude(ClaudeAnswer.check(message), { attempt: 3, requestId: "req_1" })
  })

  // What a gateway may send as a 200 of type message.
  const odd: ReadonlyArray<unknown> = [
    { type: "message", stop_reason: "end_turn" },
    { type: "message", stop_reason: "max_tokens", content: "text", model: 7 },
    { type: "message", stop_reason: "refusal", content: [null, 3, {}, { type: "text" }], stop_details: "no" },
    { type: "message", stop_reason: "tool_use", content: [{ type: "tool_use" }], usage: null },
    { type: "message", content: [{ type: "text", text: 5 }] }
  ]
  for (const message of odd) {
    it(`is an error and no defect for ${JSON.stringify(message)}`, () => {
      const error = ClaudeAnswer.check(message as Message)
      assert.isTrue(error !== undefined && isAnswerError(error))
    })
  }

  it("every error goes to JSON and back, message and usage included", () => {
    const codec = ClaudeErrorJson
    for (const reason of ["max_tokens", "refusal", "end_turn"]) {
      const error = ClaudeAnswer.check(stopped(reason, []))
      assert.isDefined(error)
      if (error === undefined) continue
      const back = Schema.decodeUnknownSync(codec)(JSON.parse(JSON.stringify(Schema.encodeSync(codec)(error))))
      assert.strictEqual(back._tag, error._tag)
      assert.strictEqual(back.partial?.message?.usage.output_tokens, 7)
    }
  })
})

describe("ClaudeAnswer.requireComplete", () => {
  it.effect("lets a whole answer through as it is, data first and last", () =>
    Effect.gen(function*() {
      const message = stopped("end_turn")
      assert.strictEqual(yield* ClaudeAnswer.requireComplete(Effect.succeed(message)), message)
      assert.strictEqual(yield* Effect.succeed(message).pipe(ClaudeAnswer.requireComplete()), message)
      const cut = stopped("max_tokens")
      assert.strictEqual(
        yield* Effect.succeed(cut).pipe(ClaudeAnswer.requireComplete({ accept: ["max_tokens"] })),
        cut
      )
      const error = yield* Effect.flip(Effect.succeed(cut).pipe(ClaudeAnswer.requireComplete()))
      assert.strictEqual(error._tag, "OutputTruncatedError")
    }))
})

describe("ClaudeAnswer.assistantTurn", () => {
  const server = (id: string): ContentBlock => ({
    type: "server_tool_use",
    id,
    name: "web_search",
    input: {},
    caller: { type: "direct" }
  })
  const found = (id: string): ContentBlock => ({
    type: "web_search_tool_result",
    tool_use_id: id,
    content: [],
    caller: { type: "direct" }
  })

  it("is the content as it came", () => {
    const content = [thinking, text("a "), server("1")]
    assert.deepStrictEqual(ClaudeAnswer.assistantTurn(stopped("pause_turn", content)).content, content)
  })

  it("leaves out what a model left before it handed over", () => {
    const content = [thinking, text("a"), call({}), server("1"), found("1"), server("2"), handover, thinking, call({})]
    assert.deepStrictEqual(ClaudeAnswer.assistantTurn(stopped("end_turn", content)).content, [
      text("a"),
      server("1"),
      found("1"),
      handover,
      thinking,
      call({})
    ])
  })
})

describe("AnswerInfo of an answer that the API had another model give", () => {
  const served = (message: Message): Message => ({
    ...message,
    usage: {
      ...message.usage,
      iterations: [{ type: "message", model: "claude-fable-5" }, { type: "fallback_message", model: "claude-opus-4-8" }]
    } as Message["usage"]
  })

  it("names that model", () => {
    assert.deepStrictEqual(AnswerInfo.of(served(stopped("end_turn"))).source, {
      _tag: "Model",
      model: "claude-opus-4-8"
    })
    const service = AnswerInfo.annotate(stopped("end_turn"), { source: { _tag: "Service", name: "second key" } })
    assert.deepStrictEqual(AnswerInfo.of(served(service)).source, {
      _tag: "Service",
      name: "second key",
      model: "claude-opus-4-8"
    })
    const fixed = AnswerInfo.annotate(stopped("end_turn"), { source: { _tag: "Static" }, requestId: "req_1" })
    assert.deepInclude(AnswerInfo.of(served(fixed)), { source: { _tag: "Static" }, requestId: "req_1" })
  })

  it("says nothing of answers without iterations, or with odd ones", () => {
    for (const iterations of [undefined, null, [], "x", [null, { type: "fallback_message" }, { type: "message" }]]) {
      const message = { ...stopped("end_turn"), usage: { iterations } }
      assert.deepStrictEqual(AnswerInfo.of(message).source, { _tag: "Requested" })
    }
  })
})
