import type { ContentBlock, Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import * as ClaudeAnswer from "@effect-claude/client/ClaudeAnswer"
import { RefusalError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { MessageRequest } from "@effect-claude/client/ClaudeService"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { calls, createMessage, request, runFor, streamEvents, using } from "./support.ts"

const serverBeta = "server-side-fallback-2026-07-01"
const creditBeta = "fallback-credit-2026-07-01"
const bestEffort = (token: string) => ({ token, mode: "best_effort" })

/** A request with fields that the SDK types for the beta only. */
const having = (request: MessageRequest, fields: object): MessageRequest => ({ ...request, ...fields })

const text = (text: string): ContentBlock => ({ type: "text", text, citations: null })
const tool = (id: string): ContentBlock => ({
  type: "tool_use",
  id,
  name: "run",
  input: {},
  caller: { type: "direct" }
})
const search = (id: string): ContentBlock => ({
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

const refused = (token: string | null, content: Array<ContentBlock> = [], claim: boolean | null = false): Message => {
  const credit = { fallback_credit_token: token, fallback_has_prefill_claim: claim, recommended_model: null }
  return Reply.message("", {
    content,
    stop_reason: "refusal",
    stop_details: { type: "refusal", category: "cyber", explanation: null, ...credit }
  })
}

const refusalOf = (message: Message): RefusalError => {
  const error = ClaudeAnswer.check(message)
  assert.instanceOf(error, RefusalError)
  return error
}

describe("ClaudeAnswer.withServerFallbacks", () => {
  it("adds the chain and its beta, beside the betas there are", () => {
    assert.deepStrictEqual(
      ClaudeAnswer.withServerFallbacks({ request }, ["claude-opus-4-8", { model: "b", max_tokens: 9 }]),
      {
        request: having(request, { fallbacks: [{ model: "claude-opus-4-8" }, { model: "b", max_tokens: 9 }] }),
        options: { headers: { "anthropic-beta": serverBeta } }
      }
    )
    const options = { headers: { "Anthropic-Beta": "one, two", "x-trace": "1" } }
    assert.deepStrictEqual(ClaudeAnswer.withServerFallbacks({ request, options }, "default").options, {
      headers: { "Anthropic-Beta": `one,two,${serverBeta}`, "x-trace": "1" }
    })
    const twice = ClaudeAnswer.withServerFallbacks("default")(ClaudeAnswer.withServerFallbacks({ request }, "default"))
    assert.deepStrictEqual(twice.options?.headers, { "anthropic-beta": serverBeta })
  })

  it("a chain that the API would refuse throws", () => {
    for (const fallbacks of [[], ["a", "a"], [""], ["a", { model: "a" }]]) {
      assert.throws(() => ClaudeAnswer.withServerFallbacks({ request }, fallbacks), RangeError, `option "fallbacks"`)
      assert.throws(() => ClaudeLayer.withServerFallbacks(fallbacks), RangeError, `option "fallbacks"`)
    }
  })
})

describe("ClaudeAnswer.redeem", () => {
  const asked = ClaudeAnswer.withFallbackCredit({ request })
  const model = "claude-opus-4-8"

  it("is the same body with the token", () => {
    assert.deepStrictEqual(ClaudeAnswer.redeem(asked, refusalOf(refused("c1")), { model }), {
      request: having(request, { model, fallback_credit_token: bestEffort("c1") }),
      options: { headers: { "anthropic-beta": creditBeta } }
    })
  })

  it("leaves out the chain of the API, which it takes no token beside, and a thinking that few models take", () => {
    const thinking = { type: "between_tools" as const }
    const call = ClaudeAnswer.withServerFallbacks({ request: { ...request, thinking } }, "default")
    const redeemed = ClaudeAnswer.redeem(call, refusalOf(refused("c1")), { model })
    assert.notProperty(redeemed.request, "fallbacks")
    assert.deepStrictEqual(redeemed.request.thinking, { type: "disabled" })
    assert.deepStrictEqual(redeemed.options?.headers, { "anthropic-beta": `${serverBeta},${creditBeta}` })
    assert.strictEqual(ClaudeAnswer.withServerFallbacks(redeemed, "default").request, redeemed.request)
  })

  it("adds what was written if the refusal allows it, without what has no result and white space at the end", () => {
    const written = [text("a "), search("1"), found("1"), search("2"), tool("3"), text("b \n")]
    const redeemed = (message: Message, prefill?: boolean) =>
      ClaudeAnswer.redeem(asked, refusalOf(message), { model, prefill }).request.messages.slice(request.messages.length)
    assert.deepStrictEqual(redeemed(refused("c1", written, true)), [
      { role: "assistant", content: [text("a "), search("1"), found("1"), text("b")] }
    ])
    assert.deepStrictEqual(redeemed(refused("c1", [text("a "), text(" "), tool("1")], true)), [
      { role: "assistant", content: [text("a")] }
    ])
    assert.deepStrictEqual(redeemed(refused("c1", [text(" ")], true)), [])
    assert.deepStrictEqual(redeemed(refused("c1", written, true), false), [])
    assert.deepStrictEqual(redeemed(refused("c1", written, false)), [])
    assert.deepStrictEqual(redeemed(refused("c1", written, null)), [])
    assert.strictEqual(redeemed(refused("c1", written, null), true).length, 1)
  })

  it("without a token it is the plain request for the other model", () => {
    assert.deepStrictEqual(
      ClaudeAnswer.redeem({ request }, refusalOf(refused(null, [text("a")])), { model, prefill: true }),
      {
        request: { ...request, model },
        options: undefined
      }
    )
  })
})

describe("ClaudeLayer.withServerFallbacks and withFallbackCredit", () => {
  const sent = Effect.map(calls, (all) => all.map(({ options, request }) => ({ request, headers: options?.headers })))

  it.effect("change messages and streams, and no counts", () =>
    Effect.gen(function*() {
      yield* createMessage
      yield* streamEvents
      yield* (yield* ClaudeService).countTokens({ model: "claude-sonnet-5-5", messages: request.messages })
      const changed = {
        request: having(request, { fallbacks: "default" }),
        headers: { "anthropic-beta": `${creditBeta},${serverBeta}` }
      }
      assert.deepStrictEqual(yield* sent, [changed, changed, {
        request: { model: "claude-sonnet-5-5", messages: request.messages } as MessageRequest,
        headers: undefined
      }])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], { after: Reply.text("Hello") }).pipe(
          ClaudeLayer.withServerFallbacks("default"),
          ClaudeLayer.withFallbackCredit()
        )
      )
    ))

  it.effect("a request that says for itself whom to ask keeps that", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const none = { fallbacks: null }
      yield* claude.createMessage({ ...request, ...none })
      const own = { fallbacks: [{ model: "claude-opus-5" }] }
      yield* claude.createMessage({ ...request, ...own })
      assert.deepStrictEqual(yield* sent, [
        { request, headers: undefined },
        { request: { ...request, ...own }, headers: undefined }
      ])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], { after: Reply.text("Hello") }).pipe(ClaudeLayer.withServerFallbacks(["claude-opus-4-8"]))
      )
    ))

  it.effect("are parts of the attempt: a deadline around the retry still tells what failed", () =>
    Effect.gen(function*() {
      const { result } = yield* runFor(createMessage, "1 minute")
      const error = Result.isFailure(result) ? result.failure : undefined
      assert.strictEqual(error?._tag, "DeadlineExceededError")
      assert.deepInclude(error?.cause, { _tag: "OverloadedError" })
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.overloaded()], { after: Fault.hang() }).pipe(
          ClaudeLayer.withFallbackCredit(),
          ClaudeLayer.withRetry(),
          ClaudeLayer.withDeadline("1 minute")
        )
      )
    ))
})

describe("withFallback: a refusal with a credit token", () => {
  const refusal = { models: ["claude-opus-4-8", "claude-opus-4-7"] }
  const ways = [
    ["a message", createMessage],
    ["a stream", Effect.flatMap(ClaudeService, (claude) => Stream.runDrain(claude.streamMessage(request)))]
  ] as const

  for (const [way, call] of ways) {
    it.effect(`redeems it, and the newest one: ${way}`, () =>
      Effect.gen(function*() {
        yield* call
        assert.deepStrictEqual((yield* calls).map((call) => call.request), [
          request,
          having(request, { model: "claude-opus-4-8", fallback_credit_token: bestEffort("c1") }),
          having(request, { model: "claude-opus-4-7", fallback_credit_token: bestEffort("c2") })
        ])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Reply.of(refused("c1")), Reply.of(refused("c2")), Reply.text("fine")]).pipe(
            ClaudeLayer.withFallback({ refusal })
          )
        )
      ))

    it.effect(`the same when the refusal comes as a failure: ${way}`, () =>
      Effect.gen(function*() {
        yield* call
        const sent: object = (yield* calls)[1]?.request ?? {}
        assert.deepInclude(sent, { fallback_credit_token: bestEffort("c1") })
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Reply.of(refused("c1")), Reply.text("fine")]).pipe(
            ClaudeLayer.withCompleteAnswers(),
            ClaudeLayer.withFallback({ refusal })
          )
        )
      ))

    it.effect(`a target that failed has not redeemed it, so the next one does: ${way}`, () =>
      Effect.gen(function*() {
        yield* call
        const sent: object = (yield* calls)[2]?.request ?? {}
        assert.deepInclude(sent, { fallback_credit_token: bestEffort("c1") })
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Reply.of(refused("c1")), Fault.overloaded(), Reply.text("fine")]).pipe(
            ClaudeLayer.withFallback({ refusal })
          )
        )
      ))
  }

  it.effect("says so on the answer", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(AnswerInfo.of(yield* createMessage).adapted, ["fallback credit of the refusal"])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Reply.of(refused("c1")), Reply.text("fine")]).pipe(ClaudeLayer.withFallback({ refusal }))
      )
    ))

  it.effect("without a token, and for other failures, the request is as before", () =>
    Effect.gen(function*() {
      yield* createMessage
      yield* createMessage
      for (const call of yield* calls) assert.notProperty(call.request, "fallback_credit_token")
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([
          Reply.of(refused(null)),
          Reply.text("fine"),
          Fault.overloaded(),
          Reply.text("fine")
        ]).pipe(ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"], refusal }))
      )
    ))

  it.effect("has the betas of the call and that of the token, which may come with another", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      yield* createMessage
      const asked = ClaudeAnswer.withServerFallbacks({ request }, "default")
      yield* claude.createMessage(asked.request, asked.options)
      const both = { headers: { "anthropic-beta": `${serverBeta},${creditBeta}` } }
      const sent = yield* calls
      assert.deepStrictEqual([sent[1]?.options, sent[3]?.options], [both, both])
      const redeemed = having(request, { model: "claude-opus-4-8", fallback_credit_token: bestEffort("c1") })
      assert.deepStrictEqual([sent[1]?.request, sent[3]?.request], [redeemed, redeemed])
    }).pipe((test) => {
      const steps = [Reply.of(refused("c1")), Reply.text("fine")]
      return using(
        test,
        ClaudeTest.script([...steps, ...steps]).pipe(
          ClaudeLayer.withServerFallbacks(["claude-opus-5"]),
          ClaudeLayer.withFallback({ refusal })
        )
      )
    }))

  it.effect("another service does not get it: it is valid for one workspace", () => {
    const seen: Array<MessageRequest> = []
    const other = ClaudeTest.script([], {
      after: Reply.effect((call) => {
        seen.push(call.request as MessageRequest)
        return Effect.succeed(Reply.message("fine"))
      })
    })
    return Effect.gen(function*() {
      yield* createMessage
      assert.strictEqual(seen.length, 1)
      assert.notProperty(seen[0], "fallback_credit_token")
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Reply.of(refused("c1"))]).pipe(
          ClaudeLayer.withFallback({ refusal: { targets: [{ name: "other", layer: other }] } })
        )
      )
    )
  })

  it.effect("thinking of earlier answers stays where the target keeps it, as the token needs the same body", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const thinking: ContentBlock = { type: "thinking", thinking: "hm", signature: "c2ln" }
      const messages: MessageRequest["messages"] = [
        { role: "user", content: "a" },
        { role: "assistant", content: [thinking, text("b")] },
        { role: "user", content: "c" }
      ]
      yield* claude.createMessage({ ...request, messages })
      assert.deepStrictEqual((yield* calls)[1]?.request.messages, messages)
      assert.notDeepEqual((yield* calls)[2]?.request.messages, messages)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Reply.of(refused("c1")), Reply.of(refused("c2")), Reply.text("fine")]).pipe(
          ClaudeLayer.withFallback({
            refusal: { models: [{ model: "claude-opus-4-8", thinkingBlocks: "keep" }, "claude-opus-4-7"] }
          })
        )
      )
    ))
})

describe("withFallback: a list of the API's own fallbacks", () => {
  const steps = [Fault.overloaded(), Reply.text("fine")]
  const pipe = (fallbacks: ClaudeAnswer.ServerFallbacks) =>
    ClaudeTest.script(steps).pipe(
      ClaudeLayer.withServerFallbacks(fallbacks),
      ClaudeLayer.withFallback({ models: ["claude-opus-4-8"] })
    )

  it.effect("stays with the model that it was made for: others may answer to it with a 400", () =>
    Effect.gen(function*() {
      yield* createMessage
      assert.deepStrictEqual((yield* calls).map((call) => call.request), [
        having(request, { fallbacks: [{ model: "claude-opus-4-8" }] }),
        { ...request, model: "claude-opus-4-8" }
      ])
    }).pipe((test) => using(test, pipe(["claude-opus-4-8"]))))

  it.effect("the same for the list of a request, with and without the policy", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      yield* claude.createMessage(having(request, { fallbacks: [{ model: "claude-opus-4-8" }] }))
      assert.notProperty((yield* calls)[1]?.request, "fallbacks")
    }).pipe((test) =>
      Effect.andThen(
        using(test, pipe(["claude-opus-5"])),
        using(test, ClaudeTest.script(steps).pipe(ClaudeLayer.withFallback({ models: ["claude-opus-4-8"] })))
      )
    ))

  it.effect("the API's own choice goes along, which every model takes", () =>
    Effect.gen(function*() {
      yield* createMessage
      assert.propertyVal((yield* calls)[1]?.request, "fallbacks", "default")
    }).pipe((test) => using(test, pipe("default"))))

  it("is left out of a redeemed call without a token", () => {
    const call = ClaudeAnswer.withServerFallbacks({ request }, ["claude-opus-4-8"])
    const redeemed = ClaudeAnswer.redeem(call, refusalOf(refused(null)), { model: "claude-opus-4-8" })
    assert.deepStrictEqual(redeemed.request, { ...request, model: "claude-opus-4-8" })
  })
})
