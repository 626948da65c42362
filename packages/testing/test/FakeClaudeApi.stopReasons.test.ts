import Anthropic, { type ClientOptions } from "@anthropic-ai/sdk"
import { BetaFallbackState, betaRefusalFallbackMiddleware } from "@anthropic-ai/sdk/lib/middleware"
import type { BetaMessageStreamParams } from "@anthropic-ai/sdk/resources/beta/messages"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FakeClaudeApi from "../src/FakeClaudeApi.ts"
import * as FaultPlan from "../src/FaultPlan.ts"
import * as FaultStep from "../src/FaultStep.ts"
import { eventNames, post, request, sseEvents } from "./FakeClaudeApi.rawClient.ts"

const headers = (...betas: ReadonlyArray<string>) => ({
  "x-api-key": "k",
  "content-type": "application/json",
  ...(betas.length === 0 ? {} : { "anthropic-beta": betas.join(",") })
})
const credit = "fallback-credit-2026-07-01"
const serverFallback = "server-side-fallback-2026-07-01"

const serve = (...steps: ReadonlyArray<FaultStep.FaultStep>) =>
  FakeClaudeApi.make({ plan: FaultPlan.make({ steps, after: FaultStep.message({ text: "after" }) }) })

const client = (api: FakeClaudeApi.FakeClaudeApi["Service"], options: ClientOptions = {}) =>
  new Anthropic({ apiKey: "k", baseURL: api.url, maxRetries: 0, logLevel: "off", ...options })

const params = {
  model: "claude-fable-5-2",
  max_tokens: 100,
  messages: [{ role: "user" as const, content: "Hello" }]
}

// The blocks that the fake sends are compared as JSON, not as the SDK's types.
const same = (actual: unknown, expected: unknown): void => assert.deepStrictEqual(actual, expected)

/** What the same step gives as JSON and as a stream, through the SDK. */
const both = Effect.fnUntraced(
  function*(
    step: FaultStep.FaultStep,
    extra: Pick<BetaMessageStreamParams, "betas" | "fallbacks" | "fallback_credit_token"> = {}
  ) {
    const api = yield* serve({ ...step, times: 2 })
    const whole = yield* Effect.promise(() => client(api).beta.messages.create({ ...params, ...extra, stream: false }))
    const streamed = yield* Effect.promise(() =>
      client(api).beta.messages.stream({ ...params, ...extra }).finalMessage()
    )
    assert.deepStrictEqual(streamed.content, whole.content)
    assert.deepStrictEqual([streamed.model, streamed.stop_reason], [whole.model, whole.stop_reason])
    assert.deepStrictEqual(streamed.stop_details, whole.stop_details)
    assert.deepStrictEqual(streamed.usage, whole.usage)
    return whole
  }
)

describe("refusal", () => {
  const details = { type: "refusal", category: "cyber", explanation: "It could enable harm." } as const
  const options = { category: "cyber", explanation: "It could enable harm." } as const

  it.live("before any output", () =>
    Effect.gen(function*() {
      const message = yield* both(FaultStep.refusal(options))
      assert.deepInclude(message, { content: [], stop_reason: "refusal" })
      same(message.stop_details, details)
      assert.strictEqual(message.usage.output_tokens, 0)
      const api = yield* serve(FaultStep.refusal())
      const { text } = yield* post(api.url, { body: { ...request, stream: true } })
      assert.deepStrictEqual(eventNames(text), ["message_start", "message_delta", "message_stop"])
    }))

  it.live("in the middle of an answer", () =>
    Effect.gen(function*() {
      const api = yield* serve(FaultStep.refusal({ text: "one two three", afterEvents: 4 }))
      const { text } = yield* post(api.url, { body: { ...request, stream: true } })
      assert.deepStrictEqual(eventNames(text).filter((name) => name !== "ping"), [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop"
      ])
      for (
        const [step, said] of [
          [FaultStep.refusal({ text: "one two three", afterEvents: 4 }), "one two"],
          [FaultStep.refusal({ text: "one two three" }), "one two three"],
          [FaultStep.refusal({ afterEvents: 3 }), "This"]
        ] as const
      ) {
        const message = yield* both(step)
        same(message.content, [{ type: "text", text: said, citations: null }])
        assert.strictEqual(message.stop_reason, "refusal")
      }
      for (const afterEvents of [0, 1, 2]) {
        assert.deepStrictEqual((yield* both(FaultStep.refusal({ afterEvents }))).content, [])
      }
    }))

  it.live("the fields of the fallback credit come with a beta header, and only then", () =>
    Effect.gen(function*() {
      const step = FaultStep.refusal({ ...options, text: "Well", creditToken: "t", recommendedModel: "claude-opus-5" })
      const known = { fallback_credit_token: "t", fallback_has_prefill_claim: true, recommended_model: "claude-opus-5" }
      same((yield* both(step)).stop_details, details)
      for (const beta of [credit, "fallback-credit-2026-06-01", serverFallback] as const) {
        assert.deepStrictEqual((yield* both(step, { betas: [beta] })).stop_details, { ...details, ...known })
      }
      const plain = yield* both(FaultStep.refusal(options), { betas: [credit] })
      assert.deepStrictEqual(plain.stop_details, {
        ...details,
        fallback_credit_token: null,
        fallback_has_prefill_claim: null,
        recommended_model: null
      })
      const before = yield* both(FaultStep.refusal({ creditToken: "t" }), { betas: [credit] })
      assert.isFalse(before.stop_details?.type === "refusal" && before.stop_details.fallback_has_prefill_claim)
    }))

  it("wrong options are refused at once", () => {
    assert.throws(() => FaultStep.refusal({ hasPrefillClaim: true }), RangeError, "creditToken")
    assert.throws(() => FaultStep.refusal({ text: "one two", afterEvents: 5 }), RangeError, "0 to 4, got 5")
    assert.throws(() => FaultStep.refusal({ afterEvents: -1 }), RangeError, "afterEvents")
    assert.throws(() => FaultStep.message({ fallbackText: "x" }), RangeError, "fallbackText")
  })

  it.live("a token is redeemed", () =>
    Effect.gen(function*() {
      const redeemed = yield* both(FaultStep.message(), { betas: [credit], fallback_credit_token: "t" })
      assert.deepStrictEqual(redeemed.usage.fallback_credit, { status: { type: "redeemed" } })
      assert.notProperty((yield* both(FaultStep.message())).usage, "fallback_credit")
    }))

  for (const stream of [false, true]) {
    it.live(`the SDK's middleware goes on from a refusal, ${stream ? "streamed" : "JSON"}`, () =>
      Effect.gen(function*() {
        const text = "one two three four"
        const api = yield* serve(
          FaultStep.refusal({ category: "bio", text, afterEvents: 4, creditToken: "t" }),
          FaultStep.message({ text, resume: true })
        )
        const sdk = client(api, { middleware: [betaRefusalFallbackMiddleware([{ model: "claude-opus-5" }])] })
        const options = { fallbackState: new BetaFallbackState() }
        const message = yield* Effect.promise(() =>
          stream
            ? sdk.beta.messages.stream(params, options).finalMessage()
            : sdk.beta.messages.create({ ...params, stream: false }, options)
        )
        const seam = {
          type: "fallback",
          from: { model: "claude-fable-5-2" },
          to: { model: "claude-opus-5" },
          trigger: { type: "refusal", category: "bio" }
        }
        const said: ReadonlyArray<unknown> = message.content.map((block) => block.type === "text" ? block.text : block)
        assert.deepStrictEqual(said, stream ? ["one two", seam, " three four"] : [seam, text])
        assert.strictEqual(message.stop_reason, "end_turn")
        const [, retry] = yield* api.awaitEnded(2)
        assert.deepInclude(retry?.body, {
          model: "claude-opus-5",
          fallback_credit_token: { token: "t", mode: "best_effort" }
        })
      }))
  }
})

describe("fallbacks of the server", () => {
  const asked = {
    betas: [serverFallback] as const,
    fallbacks: [{ model: "claude-opus-5" }, { model: "claude-opus-4-8" }]
  }
  const extra = { ...asked, betas: [...asked.betas] }
  const seam = (from: string, to: string) => ({
    type: "fallback",
    from: { model: from },
    to: { model: to },
    trigger: { type: "refusal", category: "cyber" }
  })
  const tokens = { cache_creation: { ephemeral_1h_input_tokens: 0, ephemeral_5m_input_tokens: 0 } }
  const counted = (type: string, model: string, output_tokens: number) => ({
    type,
    model,
    input_tokens: 9,
    output_tokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    ...tokens
  })
  const textBlock = (text: string) => ({ type: "text", text, citations: null })

  it.live("the next model answers behind a seam", () =>
    Effect.gen(function*() {
      const message = yield* both(FaultStep.refusal({ category: "cyber", fallbackText: "Of course." }), extra)
      same(message.content, [
        seam("claude-fable-5-2", "claude-opus-5"),
        textBlock("Of course.")
      ])
      assert.deepInclude(message, { model: "claude-opus-5", stop_reason: "end_turn", stop_details: null })
      assert.deepInclude(message.usage, { input_tokens: 9, output_tokens: 3 })
      same(message.usage.iterations, [
        counted("message", "claude-fable-5-2", 0),
        counted("fallback_message", "claude-opus-5", 3)
      ])
    }))

  it.live("what was said before stays before the seam; the stream begins with the model that was asked", () =>
    Effect.gen(function*() {
      const step = FaultStep.refusal({ category: "cyber", text: "Well, ", fallbackText: "of course." })
      const message = yield* both(step, extra)
      same(message.content, [
        textBlock("Well, "),
        seam("claude-fable-5-2", "claude-opus-5"),
        textBlock("of course.")
      ])
      const api = yield* serve(step)
      const body = { ...request, fallbacks: "default", stream: true }
      const { text } = yield* post(api.url, { headers: headers(serverFallback), body })
      const events = sseEvents(text).map(({ data }) => JSON.parse(data)).filter(({ type }) => type !== "ping")
      assert.deepInclude(events[0].message, { model: "claude-sonnet-5-5" })
      assert.notProperty(events[0].message.usage, "iterations")
      assert.deepStrictEqual(events.slice(4, 6), [
        { type: "content_block_start", index: 1, content_block: seam("claude-sonnet-5-5", "claude-opus-4-8") },
        { type: "content_block_stop", index: 1 }
      ])
      assert.strictEqual(events.at(-2).usage.iterations.length, 2)
    }))

  it.live("when all refuse, the answer is a refusal that names them", () =>
    Effect.gen(function*() {
      const message = yield* both(FaultStep.refusal({ category: "cyber", text: "Well" }), extra)
      same(message.content, [
        textBlock("Well"),
        seam("claude-fable-5-2", "claude-opus-5"),
        seam("claude-opus-5", "claude-opus-4-8")
      ])
      assert.deepInclude(message, { model: "claude-opus-4-8", stop_reason: "refusal" })
      same(message.usage.iterations, [
        counted("message", "claude-fable-5-2", 1),
        counted("message", "claude-opus-5", 0),
        counted("fallback_message", "claude-opus-4-8", 0)
      ])
    }))

  it.live("a request without fallbacks is refused, and an answer that is no refusal stays as it is", () =>
    Effect.gen(function*() {
      const refused = yield* both(FaultStep.refusal({ fallbackText: "Of course." }))
      assert.deepInclude(refused, { model: "claude-fable-5-2", stop_reason: "refusal", content: [] })
      assert.notProperty(refused.usage, "iterations")
      const answered = yield* both(FaultStep.message({ text: "Sure" }), extra)
      assert.deepInclude(answered, { model: "claude-fable-5-2", stop_reason: "end_turn" })
    }))

  for (const fallbacks of [[], [{}], ["claude-opus-5"], "other"]) {
    it.live(`${JSON.stringify(fallbacks)} are no fallbacks`, () =>
      Effect.gen(function*() {
        const api = yield* serve()
        const answer = yield* post(api.url, { headers: headers(serverFallback), body: { ...request, fallbacks } })
        assert.strictEqual(answer.status, 400)
        assert.include(answer.text, "fallbacks")
      }))
  }
})

describe("pause_turn", () => {
  it.live("goes on when the content comes back as it is", () =>
    Effect.gen(function*() {
      const api = yield* serve(FaultStep.pauseTurn({ times: 2 }), FaultStep.message({ text: "It rains." }))
      const messages: Array<Anthropic.MessageParam> = [{ role: "user", content: "Weather?" }]
      const stops: Array<string | null> = []
      for (let turn = 0; turn < 3; turn++) {
        const message = yield* Effect.promise(() =>
          client(api).messages.stream({ model: "claude-sonnet-5-5", max_tokens: 100, messages: [...messages] })
            .finalMessage()
        )
        stops.push(message.stop_reason)
        messages.push({ role: "assistant", content: message.content })
        if (turn > 0) continue
        same(message.content, [
          { type: "text", text: "Let me look that up.", citations: null },
          {
            type: "server_tool_use",
            id: "srvtoolu_fake00000000000001000002",
            name: "web_search",
            input: { query: "weather in Oslo" },
            caller: { type: "direct" }
          }
        ])
      }
      assert.deepStrictEqual(stops, ["pause_turn", "pause_turn", "end_turn"])
    }))

  it("content of one's own must not end with text", () => {
    const content = [{ type: "server_tool_use", name: "web_fetch", input: {}, id: "srvtoolu_1" }] as const
    assert.deepInclude(FaultStep.pauseTurn({ content, delay: 5 }), { content, stopReason: "pause_turn" })
    assert.throws(
      () => FaultStep.pauseTurn({ content: [...content, { type: "text", text: "x" }] }),
      RangeError,
      "content"
    )
    assert.throws(() => FaultStep.pauseTurn({ content: [] }), RangeError, "content")
  })
})
