import type * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeService, MessageRequest } from "@effect-claude/client/ClaudeService"
import type * as Config from "effect/Config"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { describe, expect, test } from "tstyche"

interface Vault extends Context.Service<Vault, string> {}
interface Queue extends Context.Service<Queue, string> {}
class NoKey {
  readonly _tag = "NoKey"
}
class NoRegion {
  readonly _tag = "NoRegion"
}

declare const base: Layer.Layer<ClaudeService, Config.ConfigError>
declare const cloud: Layer.Layer<ClaudeService, NoKey, Vault>
declare const region: Layer.Layer<ClaudeService | Queue, NoRegion>
declare const queue: (request: MessageRequest, error: ClaudeError) => Effect.Effect<string, ClaudeError, Queue>

describe("withFallback", () => {
  test("adds nothing to the type of the layer for models and answers", () => {
    const layer = base.pipe(
      ClaudeLayer.withFallback({
        models: ["a", { model: "b" }],
        targets: ["c", { cached: true }],
        answer: () => "busy"
      })
    )
    expect(layer).type.toBe<Layer.Layer<ClaudeService, Config.ConfigError>>()
  })

  test("adds how the layer of a service can fail and what it needs, from each chain", () => {
    expect(base.pipe(ClaudeLayer.withFallback({ targets: ["a", { name: "cloud", layer: cloud }] }))).type.toBe<
      Layer.Layer<ClaudeService, Config.ConfigError | NoKey, Vault>
    >()
    expect(base.pipe(ClaudeLayer.withFallback({
      targets: [{ name: "region", layer: region }],
      refusal: { targets: [{ name: "cloud", layer: cloud }] },
      contextOverflow: { targets: [{ name: "plain", layer: base }] }
    }))).type.toBe<Layer.Layer<ClaudeService, Config.ConfigError | NoKey | NoRegion, Vault>>()
  })

  test("adds what a hand-off needs", () => {
    expect(base.pipe(ClaudeLayer.withFallback({ targets: [{ handOff: queue }] }))).type.toBe<
      Layer.Layer<ClaudeService, Config.ConfigError, Queue>
    >()
  })

  test("works with options that are typed already", () => {
    const options: ClaudeLayer.FallbackOptions<NoKey, Vault> = { targets: [{ name: "cloud", layer: cloud }] }
    expect(base.pipe(ClaudeLayer.withFallback(options))).type.toBe<
      Layer.Layer<ClaudeService, Config.ConfigError | NoKey, Vault>
    >()
    const plain: ClaudeLayer.FallbackOptions = { models: ["a"] }
    expect(base.pipe(ClaudeLayer.withFallback(plain))).type.toBe<Layer.Layer<ClaudeService, Config.ConfigError>>()
    expect<ClaudeLayer.FallbackOptions>().type.not.toBeAssignableFrom<typeof options>()
  })

  test("knows the request and the error in each function, and the tags", () => {
    ClaudeLayer.withFallback({
      targets: [{
        handOff: (request, error) => {
          expect(request).type.toBe<MessageRequest>()
          expect(error).type.toBe<ClaudeError>()
          return queue(request, error)
        }
      }],
      answer: (_, error) => error._tag,
      shouldFallback: ["OverloadedError", "InternalServerError"]
    })
    expect(ClaudeLayer.withFallback).type.not.toBeCallableWith({ models: ["a"], shouldFallback: ["Overloaded"] })
    expect(ClaudeLayer.withFallback).type.not.toBeCallableWith({ targets: [{ layer: cloud }] })
  })

  test("a client's own layer fits", () => {
    const target = { name: "second key", layer: AnthropicClient.layerConfig }
    expect(ClaudeLayer.withFallback).type.toBeCallableWith({ targets: [target] })
  })
})

describe("AnswerInfo", () => {
  test("a target that was passed over has an error or a reason", () => {
    const why = (passed: AnswerInfo.PassedOver) => passed.error === undefined ? passed.reason : passed.error
    expect(why).type.toBe<(passed: AnswerInfo.PassedOver) => ClaudeError | string>()
  })

  test("a source tells what there is to tell", () => {
    const of = (source: AnswerInfo.Source) => source._tag === "Cached" ? source.age : undefined
    expect(of).type.toBe<(source: AnswerInfo.Source) => Duration.Duration | undefined>()
  })
})
