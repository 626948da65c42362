import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { describe, expect, it } from "tstyche"
import * as FakeClaudeApi from "../src/FakeClaudeApi.ts"

declare const api: FakeClaudeApi.FakeClaudeApiShape

describe("isolated", () => {
  it("is the same service again, for as long as its scope", () => {
    expect(api.isolated()).type.toBe<Effect.Effect<FakeClaudeApi.FakeClaudeApiShape, never, Scope.Scope>>()
    expect(api.isolated({ id: "mine", plan: { steps: [{ kind: "disconnect", how: "reset" }] } })).type.toBe<
      Effect.Effect<FakeClaudeApi.FakeClaudeApiShape, never, Scope.Scope>
    >()
  })

  it("takes a plan and an id, and no port", () => {
    expect(api.isolated).type.not.toBeCallableWith({ port: 4000 })
    expect(api.isolated).type.not.toBeCallableWith({ plan: { step: [] } })
  })
})

describe("make", () => {
  it("is told of requests that are over, and of their space", () => {
    FakeClaudeApi.make({
      control: true,
      onEnded: (request, space) => {
        expect(request).type.toBe<FakeClaudeApi.RecordedRequest>()
        expect(space).type.toBe<string | undefined>()
      }
    })
  })
})
