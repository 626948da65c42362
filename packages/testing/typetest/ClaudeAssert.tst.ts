import type { ClaudeError, SpendLimitError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as ClaudeVitest from "@effect-claude/testing/ClaudeVitest"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, expect, test } from "tstyche"

declare const call: Effect.Effect<string, ClaudeError, ClaudeService>
declare const script: Layer.Layer<ClaudeService | ClaudeTest.ClaudeTest>

describe("ClaudeAssert", () => {
  test("asks for the service or for the script, and never fails", () => {
    expect(ClaudeAssert.policies(["retry", "mine"])).type.toBe<Effect.Effect<void, never, ClaudeService>>()
    expect(ClaudeAssert.attempts([2, 1])).type.toBe<Effect.Effect<void, never, ClaudeTest.ClaudeTest>>()
  })

  test("narrows the error that was expected", () => {
    expect(ClaudeAssert.failsWith(call, "SpendLimitError")).type.toBe<
      Effect.Effect<SpendLimitError, never, ClaudeService>
    >()
    expect(ClaudeAssert.failsWith).type.not.toBeCallableWith(call, "NoSuchError")
  })

  test("takes waits as durations and as bounds", () => {
    expect(ClaudeAssert.waits).type.toBeCallableWith([
      "2 seconds",
      1000,
      { atMost: "1 second" },
      { base: "1 second", jitter: "full" },
      { server: "12 seconds" }
    ])
    expect(ClaudeAssert.waits).type.not.toBeCallableWith([{ base: "1 second", jitter: "some" }])
    expect(ClaudeAssert.outcomes).type.not.toBeCallableWith(["NoSuchError"])
  })

  test("compares pipelines as they are", () => {
    expect(ClaudeAssert.sameBehavior(script, ClaudeLayer.withRetry(), ClaudeLayer.standard(), call)).type.toBe<
      Effect.Effect<void>
    >()
    expect(ClaudeAssert.requestsSaved(call, 1)).type.toBe<
      Effect.Effect<string, ClaudeError, ClaudeService | ClaudeTest.ClaudeTest>
    >()
  })
})

describe("ClaudeVitest", () => {
  test("provides what the layer has and nothing else", () => {
    expect(ClaudeVitest.effect).type.toBeCallableWith("name", script, () => ClaudeAssert.attempts(1))
    expect(ClaudeVitest.effect).type.not.toBeCallableWith(
      "name",
      Layer.succeed(ClaudeTest.ClaudeTest, {} as ClaudeTest.ClaudeTestShape),
      (claude: number) => claude
    )
    expect(ClaudeVitest.run(call, script)).type.toBe<Effect.Effect<string>>()
  })
})
