import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { describe, expect, it } from "tstyche"

describe("FakeClaudeApi", () => {
  it("a server on a socket can fail to listen, one in memory cannot fail", () => {
    expect(FakeClaudeApi.make()).type.toBe<
      Effect.Effect<FakeClaudeApi.FakeClaudeApiShape, FakeClaudeApi.ListenError, Scope.Scope>
    >()
    expect(FakeClaudeApi.makeInMemory()).type.toBe<Effect.Effect<FakeClaudeApi.InMemory, never, Scope.Scope>>()
    expect(FakeClaudeApi.layerInMemory()).type.toBe<
      Layer.Layer<FakeClaudeApi.FakeClaudeApi | FakeClaudeApi.InMemoryApi>
    >()
  })

  it("one in memory is one like the others, with a fetch", () => {
    expect<FakeClaudeApi.InMemory>().type.toBeAssignableTo<FakeClaudeApi.FakeClaudeApiShape>()
    expect<FakeClaudeApi.InMemory["fetch"]>().type.toBe<typeof globalThis.fetch>()
    expect(FakeClaudeApi.makeInMemory).type.not.toBeCallableWith({ port: 4000 })
    expect(FakeClaudeApi.make).type.toBeCallableWith({ tls: true, clock: "caller" })
    expect(FakeClaudeApi.make).type.not.toBeCallableWith({ clock: "test" })
  })

  it("a failed connection has a code that fetch knows", () => {
    expect(FaultStep.unreachable).type.toBeCallableWith({ code: "ENOTFOUND", times: 2 })
    expect(FaultStep.unreachable).type.not.toBeCallableWith({ code: "EUNKNOWN" })
    expect(FaultStep.unreachable).type.not.toBeCallableWith({})
  })

  it("a space is the same service again, for as long as its scope", () => {
    expect<ReturnType<FakeClaudeApi.FakeClaudeApiShape["isolated"]>>().type.toBe<
      Effect.Effect<FakeClaudeApi.FakeClaudeApiShape, never, Scope.Scope>
    >()
    expect<Parameters<FakeClaudeApi.FakeClaudeApiShape["isolated"]>>().type.toBe<
      [options?: FakeClaudeApi.IsolatedOptions]
    >()
    expect<FakeClaudeApi.IsolatedOptions>().type.not.toBeAssignableFrom<{ readonly plan: { readonly step: [] } }>()
  })

  it("tells of requests that are over, and of their space", () => {
    expect<FakeClaudeApi.Options["onEnded"]>().type.toBe<
      ((request: FakeClaudeApi.RecordedRequest, space: string | undefined) => void) | undefined
    >()
    expect(FakeClaudeApi.make).type.toBeCallableWith({ control: true, onEnded: () => undefined })
    expect(FakeClaudeApi.make).type.not.toBeCallableWith({ control: "yes" })
  })
})
