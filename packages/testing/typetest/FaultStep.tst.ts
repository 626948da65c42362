import type * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { describe, expect, it } from "tstyche"

describe("FaultStep", () => {
  it("presets of answers are message steps", () => {
    expect(FaultStep.refusal()).type.toBe<FaultStep.StepOf<"message">>()
    expect(FaultStep.pauseTurn()).type.toBe<FaultStep.StepOf<"message">>()
    expect(FaultStep.truncatedToolInput({ name: "run", input: {}, afterCharacters: 1 })).type.toBe<
      FaultStep.StepOf<"message">
    >()
    expect(FaultStep.refusal()).type.toBeAssignableTo<NonNullable<FaultPlan.FaultPlanInput["after"]>>()
  })

  it("resume is a switch, or the number of words said again", () => {
    expect(FaultStep.message).type.toBeCallableWith({ resume: true })
    expect(FaultStep.message).type.toBeCallableWith({ resume: { overlap: 3 } })
    expect(FaultStep.message).type.not.toBeCallableWith({ resume: 3 })
    expect(FaultStep.message).type.not.toBeCallableWith({ resume: {} })
  })

  it("a refusal takes the categories of the API", () => {
    expect(FaultStep.refusal).type.toBeCallableWith({ category: "bio" })
    expect(FaultStep.refusal).type.toBeCallableWith({ category: null })
    expect(FaultStep.refusal).type.not.toBeCallableWith({ category: "weather" })
  })

  it("a truncated input needs its three parts", () => {
    expect(FaultStep.truncatedToolInput).type.not.toBeCallableWith({ name: "run", input: {} })
    expect(FaultStep.truncatedToolInput).type.not.toBeCallableWith({ name: "run", afterCharacters: 1 })
  })
})

describe("errors of the API", () => {
  it("have the types and the codes of the SDK", () => {
    expect(FaultStep.ofType("overloaded_error")).type.toBe<FaultStep.StepOf<"error">>()
    expect(FaultStep.ofType).type.toBeCallableWith("request_too_large", { status: 413, errorCode: "any_code" })
    expect(FaultStep.ofType).type.not.toBeCallableWith("overload")
    expect(FaultStep.ofCode("ramp_limit_exceeded")).type.toBe<FaultStep.StepOf<"error">>()
    expect(FaultStep.ofCode).type.not.toBeCallableWith("ramp_limit")
  })

  it("say when to come back in one of three forms", () => {
    expect(FaultStep.rateLimit).type.toBeCallableWith({ retryAfter: "2 seconds", retryAfterAs: "date" })
    expect(FaultStep.rateLimit).type.not.toBeCallableWith({ retryAfter: "2 seconds", retryAfterAs: "minutes" })
    expect(FaultStep.spendLimit).type.toBeCallableWith({ limit: "contract" })
    expect(FaultStep.spendLimit).type.not.toBeCallableWith({ limit: "monthly" })
  })

  it("a preset whose message is what tells it takes none", () => {
    expect(FaultStep.lowCredit).type.not.toBeCallableWith({ message: "other" })
    expect(FaultStep.usageLimit).type.toBeCallableWith({ of: "workspace" })
  })
})
