import type { Message, MessageParam } from "@anthropic-ai/sdk/resources/messages/messages"
import * as ClaudeAnswer from "@effect-claude/client/ClaudeAnswer"
import type {
  AnswerError,
  ClaudeError,
  OutputInvalidError,
  OutputTruncatedError,
  RefusalError
} from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeService, MessageRequest } from "@effect-claude/client/ClaudeService"
import type { MessageEvent } from "@effect-claude/client/MessageEvents"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"

interface Db {
  readonly Db: unique symbol
}
declare const message: Message
declare const request: MessageRequest
declare const call: ClaudeAnswer.Call
declare const refusal: RefusalError
declare const truncation: OutputTruncatedError
declare const stored: Effect.Effect<Message, "missing", Db>
declare const base: Layer.Layer<ClaudeService, "no key", Db>

describe("check", () => {
  test("gives one of the three errors, or nothing", () => {
    expect(ClaudeAnswer.check(message)).type.toBe<AnswerError | undefined>()
    expect(ClaudeAnswer.check(message, {})).type.toBe<AnswerError | undefined>()
  })

  test("what is accepted by name is out of the type", () => {
    expect(ClaudeAnswer.check(message, { accept: ["refusal"] })).type.toBe<
      OutputTruncatedError | OutputInvalidError | undefined
    >()
    expect(ClaudeAnswer.check(message, { accept: ["empty", "tool_input"] })).type.toBe<
      RefusalError | OutputTruncatedError | undefined
    >()
  })

  test("an error stays as long as one of its reasons is left", () => {
    expect(ClaudeAnswer.check(message, { accept: ["max_tokens", "empty"] })).type.toBe<AnswerError | undefined>()
    expect(
      ClaudeAnswer.check(message, {
        accept: ["max_tokens", "model_context_window_exceeded", "pause_turn", "unfinished", "tool_input", "empty"]
      })
    ).type.toBe<RefusalError | undefined>()
  })

  test("a list of unknown length takes nothing out of the type", () => {
    const accept: ReadonlyArray<"refusal"> = []
    expect(ClaudeAnswer.check(message, { accept })).type.toBe<AnswerError | undefined>()
    const all: ReadonlyArray<ClaudeAnswer.Shortfall> = []
    expect(ClaudeAnswer.check(message, { accept: all })).type.toBe<AnswerError | undefined>()
  })

  test("names that are none are refused", () => {
    expect(ClaudeAnswer.check).type.not.toBeCallableWith(message, { accept: ["truncated"] })
  })
})

describe("requireComplete", () => {
  test("adds its errors to what is there, data first and last", () => {
    expect(ClaudeAnswer.requireComplete(stored)).type.toBe<Effect.Effect<Message, "missing" | AnswerError, Db>>()
    expect(stored.pipe(ClaudeAnswer.requireComplete())).type.toBe<
      Effect.Effect<Message, "missing" | AnswerError, Db>
    >()
    expect(stored.pipe(ClaudeAnswer.requireComplete({ accept: ["refusal"] }))).type.toBe<
      Effect.Effect<Message, "missing" | OutputTruncatedError | OutputInvalidError, Db>
    >()
    expect(ClaudeAnswer.requireComplete(stored, { accept: ["refusal"] })).type.toBe<
      Effect.Effect<Message, "missing" | OutputTruncatedError | OutputInvalidError, Db>
    >()
  })

  test("a handled tag leaves the type", () => {
    const handled = ClaudeAnswer.requireComplete(stored).pipe(
      Effect.catchTag("RefusalError", ({ category }) => Effect.succeed(category)),
      Effect.catchTag(["OutputTruncatedError", "OutputInvalidError"], () => Effect.succeed(message))
    )
    expect(handled).type.toBe<Effect.Effect<Message | string | undefined, "missing", Db>>()
  })
})

describe("ask and stream", () => {
  test("need the service, and fail as a call does", () => {
    expect(ClaudeAnswer.ask(request, { accept: ["empty"], continuations: 3, headers: { a: "b" } })).type.toBe<
      Effect.Effect<Message, ClaudeError, ClaudeService>
    >()
    expect(ClaudeAnswer.stream(request)).type.toBe<Stream.Stream<MessageEvent, ClaudeError, ClaudeService>>()
  })
})

describe("calls after a refusal", () => {
  test("go in and come out as calls, data first and last", () => {
    expect(ClaudeAnswer.withServerFallbacks(call, ["a", { model: "b", max_tokens: null }])).type.toBe<
      ClaudeAnswer.Call
    >()
    expect(ClaudeAnswer.withServerFallbacks("default")(call)).type.toBe<ClaudeAnswer.Call>()
    expect(ClaudeAnswer.withFallbackCredit(call)).type.toBe<ClaudeAnswer.Call>()
    expect(ClaudeAnswer.redeem(call, refusal, { model: "b" })).type.toBe<ClaudeAnswer.Call>()
    expect(ClaudeAnswer.redeem(refusal, { model: "b", prefill: false })(call)).type.toBe<ClaudeAnswer.Call>()
    expect(ClaudeAnswer.assistantTurn(message)).type.toBe<MessageParam>()
  })

  test("only a refusal can be redeemed", () => {
    expect(ClaudeAnswer.redeem).type.not.toBeCallableWith(call, truncation, { model: "b" })
  })
})

describe("layers", () => {
  test("add nothing to the type", () => {
    expect(
      base.pipe(
        ClaudeLayer.withFallbackCredit(),
        ClaudeLayer.withServerFallbacks("default"),
        ClaudeLayer.withCompleteAnswers({ accept: ["max_tokens"], continuations: 0 })
      )
    ).type.toBe<Layer.Layer<ClaudeService, "no key", Db>>()
    expect(base.pipe(ClaudeLayer.standard({ completeAnswers: {} }))).type.toBe<
      Layer.Layer<ClaudeService, "no key", Db>
    >()
    expect(ClaudeLayer.standard).type.not.toBeCallableWith({ completeAnswers: true })
  })
})
