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
  it("tells of requests that are over, and of their space", () => {
    expect<FakeClaudeApi.Options["onEnded"]>().type.toBe<
      ((request: FakeClaudeApi.RecordedRequest, space: string | undefined) => void) | undefined
    >()
    expect(FakeClaudeApi.make).type.toBeCallableWith({ control: true, onEnded: () => undefined })
    expect(FakeClaudeApi.make).type.not.toBeCallableWith({ control: "yes" })
  })
})
