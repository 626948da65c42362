import { OverloadedError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeService, CountTokensRequest, MessageRequest } from "@effect-claude/client/ClaudeService"
import * as Chaos from "@effect-claude/testing/Chaos"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"

class Cache extends Context.Service<Cache, { readonly flush: Effect.Effect<void> }>()("test/Cache") {}

declare const base: Layer.Layer<ClaudeService, "noKey", "environment">

const flush = Chaos.behavior(Effect.flatMap(Cache, ({ flush }) => flush), { rate: 0.1 })

describe("Chaos.withChaos", () => {
  test("keeps what the layer provides, fails with and needs", () => {
    expect(base.pipe(Chaos.withChaos(Chaos.brownout()))).type
      .toBe<Layer.Layer<ClaudeService, "noKey", "environment">>()
    expect(ClaudeTest.script([]).pipe(Chaos.withChaos([]), ClaudeLayer.standard())).type
      .toBe<Layer.Layer<ClaudeService | ClaudeTest.ClaudeTest>>()
  })

  test("needs what its behaviours need, and no switch", () => {
    expect(base.pipe(Chaos.withChaos([flush, ...Chaos.spendCap()]))).type
      .toBe<Layer.Layer<ClaudeService, "noKey", "environment" | Cache>>()
  })

  test("fails with what it is told by", () => {
    expect(base.pipe(Chaos.withChaos([], { enabled: Config.Boolean("CHAOS") }))).type
      .toBe<Layer.Layer<ClaudeService, "noKey" | Config.ConfigError, "environment">>()
  })
})

describe("injections", () => {
  test("have a rate", () => {
    expect(Chaos.fault).type.not.toBeCallableWith(Fault.overloaded())
    expect(Chaos.fault).type.not.toBeCallableWith(Fault.overloaded(), { from: "1 minute" })
    expect(Chaos.fault).type.toBeCallableWith(Fault.overloaded(), { rate: 1 })
    expect(Chaos.fault).type.toBeCallableWith(Fault.hang(), { rate: 1 })
    expect(Chaos.fault).type.toBeCallableWith(new OverloadedError({ message: "Overloaded" }), { rate: 1 })
    expect(Chaos.brownout).type.toBeCallableWith()
  })

  test("a fault is one that fails before an answer", () => {
    expect(Chaos.fault).type.not.toBeCallableWith(Fault.cutStream(), { rate: 1 })
    expect(Chaos.fault).type.not.toBeCallableWith(new Error("no ClaudeError"), { rate: 1 })
  })

  test("a behaviour handles its failures", () => {
    expect(Chaos.behavior).type.not.toBeCallableWith(Effect.fail("no"), { rate: 1 })
    expect(flush).type.toBe<Chaos.Injection<Cache>>()
  })

  test("the method of a call tells the type of its request", () => {
    expect<Extract<Chaos.Call, { readonly method: "countTokens" }>["request"]>().type.toBe<CountTokensRequest>()
    expect<Exclude<Chaos.Call, { readonly method: "countTokens" }>["request"]>().type.toBe<MessageRequest>()
  })

  test("times in any form, alone or as a range", () => {
    expect(Chaos.latency).type.toBeCallableWith("2 seconds", { rate: 1, at: "events" })
    expect(Chaos.latency).type.toBeCallableWith({ min: "2 seconds", max: 3_000 }, {
      rate: 1,
      every: "10 minutes",
      for: "1 minute"
    })
    expect(Chaos.latency).type.not.toBeCallableWith("soon", { rate: 1 })
  })
})

describe("switches", () => {
  test("a switch needs nothing unless what it is told by does", () => {
    expect(Chaos.layerSwitch()).type.toBe<Layer.Layer<Chaos.Switch>>()
    expect(Chaos.layerSwitch({ on: Config.Boolean("CHAOS") })).type
      .toBe<Layer.Layer<Chaos.Switch, Config.ConfigError>>()
  })

  test("withEnabled changes no type", () => {
    const effect = Effect.flatMap(Cache, () => Effect.fail("no"))
    expect(Chaos.withEnabled(effect, false)).type.toBe<Effect.Effect<never, string, Cache>>()
    expect(effect.pipe(Chaos.withEnabled(true))).type.toBe<Effect.Effect<never, string, Cache>>()
  })

  test("a call is not a stream", () => {
    expect<Stream.Stream<number>>().type.not.toBeAssignableTo<Parameters<typeof Chaos.withEnabled>[0]>()
  })
})
