import type * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeService } from "@effect-claude/client/ClaudeService"
import type { CacheStore } from "@effect-claude/resilience/CacheStore"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { KeyValueStore } from "effect/persistence/KeyValueStore"
import { describe, expect, test } from "tstyche"

declare const base: typeof AnthropicClient.layerConfig
declare const store: Effect.Effect<CacheStore<string>, RangeError, KeyValueStore>
declare const other: Layer.Layer<ClaudeService, TypeError, Pager>

class Pager extends Context.Service<Pager, { readonly page: Effect.Effect<void> }>()("Pager") {}

describe("the type of a pipeline", () => {
  test("standard() adds nothing by itself", () => {
    expect(base.pipe(ClaudeLayer.standard())).type.toBe<Layer.Layer<ClaudeService, Config.ConfigError>>()
    expect(
      base.pipe(ClaudeLayer.standard({ cache: {}, hedge: {}, alerts: { onAlert: () => Effect.void } }))
    ).type.toBe<Layer.Layer<ClaudeService, Config.ConfigError>>()
  })

  test("what a target, a handler or a store needs and fails with is in it", () => {
    expect(base.pipe(ClaudeLayer.standard({ fallback: { targets: [{ name: "other cloud", layer: other }] } })))
      .type.toBe<Layer.Layer<ClaudeService, Config.ConfigError | TypeError, Pager>>()
    expect(base.pipe(ClaudeLayer.standard({ alerts: { onAlert: () => Effect.flatMap(Pager, ({ page }) => page) } })))
      .type.toBe<Layer.Layer<ClaudeService, Config.ConfigError, Pager>>()
    expect(base.pipe(ClaudeLayer.standard({ cache: { store } })))
      .type.toBe<Layer.Layer<ClaudeService, Config.ConfigError | RangeError, KeyValueStore>>()
  })

  test("standardConfig adds ConfigError", () => {
    const closed = null as unknown as Layer.Layer<ClaudeService>
    expect(closed.pipe(ClaudeLayer.standardConfig())).type.toBe<Layer.Layer<ClaudeService, Config.ConfigError>>()
  })

  test("parts that are none are refused", () => {
    expect(ClaudeLayer.standard).type.not.toBeCallableWith({ circuitBreaker: true })
    expect(ClaudeLayer.standard).type.not.toBeCallableWith({ retry: 3 })
  })
})
