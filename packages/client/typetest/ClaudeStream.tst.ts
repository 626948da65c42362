import type { ContentBlock, Message, RawMessageStreamEvent } from "@anthropic-ai/sdk/resources/messages/messages"
import type * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import type * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import type { ClaudeError, InvalidResponseError, PartialAnswer } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as ClaudeStream from "@effect-claude/client/ClaudeStream"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import type * as Config from "effect/Config"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"

declare const base: typeof AnthropicClient.layerConfig
declare const events: Stream.Stream<MessageEvents.MessageEvent, TypeError, ClaudeService>
declare const own: Stream.Stream<MessageEvents.MessageEvent>
declare const event: MessageEvents.MessageEvent
declare const partial: PartialAnswer
declare const error: ClaudeError

describe("events of a stream", () => {
  test("are the SDK's, pings and restarts", () => {
    expect<MessageEvents.MessageEvent>().type.toBeAssignableFrom<RawMessageStreamEvent>()
    expect<MessageEvents.MessageEvent>().type.not.toBeAssignableTo<RawMessageStreamEvent>()
    if (MessageEvents.isRestart(event)) {
      expect(event).type.toBe<MessageEvents.RestartEvent>()
      expect(event.error).type.toBe<ClaudeError>()
    } else {
      expect(event).type.toBe<RawMessageStreamEvent | MessageEvents.PingEvent>()
    }
  })

  test("text may fail at a restart, updates may not", () => {
    expect(MessageEvents.text(own)).type.toBe<Stream.Stream<string, ClaudeError>>()
    expect(MessageEvents.text(events)).type.toBe<Stream.Stream<string, TypeError | ClaudeError, ClaudeService>>()
    expect(ClaudeStream.textUpdates(own)).type.toBe<Stream.Stream<ClaudeStream.TextUpdate>>()
    expect(ClaudeStream.textUpdates(events)).type.toBe<
      Stream.Stream<ClaudeStream.TextUpdate, TypeError, ClaudeService>
    >()
  })

  test("a message is never absent", () => {
    expect(ClaudeStream.message(events)).type.toBe<
      Effect.Effect<Message, TypeError | InvalidResponseError, ClaudeService>
    >()
  })
})

describe("what is left of a broken stream", () => {
  test("is there on the error that says so", () => {
    expect(ClaudeStream.resumable(partial)).type.toBe<ReadonlyArray<ContentBlock>>()
    expect(ClaudeStream.shown(partial)).type.toBe<string>()
    if (error._tag === "StreamInterruptedError") {
      expect(error.resumable).type.toBe<ReadonlyArray<ContentBlock>>()
      expect(error.shown).type.toBe<string>()
    }
    expect(error).type.not.toHaveProperty("resumable")
    expect<AnswerInfo.AnswerInfo["parts"]>().type.toBe<ReadonlyArray<AnswerInfo.AnswerPart> | undefined>()
  })
})

describe("withStreamRecovery", () => {
  test("adds nothing to the type of a layer", () => {
    expect(base.pipe(ClaudeLayer.withStreamRecovery())).type.toBe<Layer.Layer<ClaudeService, Config.ConfigError>>()
    expect(base.pipe(ClaudeLayer.standard({ streamRecovery: { mode: "restart" } }))).type.toBe<
      Layer.Layer<ClaudeService, Config.ConfigError>
    >()
  })

  test("takes a mode, or a function of what broke off", () => {
    expect(ClaudeLayer.withStreamRecovery).type.toBeCallableWith({
      mode: ({ error, partial, part, request }: ClaudeLayer.BrokenStream) =>
        error._tag === "OverloadedError" && partial.text === "" && part < 2 && request.max_tokens > 0
          ? "restart" as const
          : "continue" as const
    })
    expect(ClaudeLayer.withStreamRecovery).type.not.toBeCallableWith({ mode: "resume" })
    expect(ClaudeLayer.withStreamRecovery).type.not.toBeCallableWith({ mode: () => "again" })
    expect(ClaudeLayer.withStreamRecovery).type.not.toBeCallableWith({ schedule: "1 second" })
    expect(ClaudeLayer.standard).type.not.toBeCallableWith({ streamRecovery: true })
  })
})
