import type { ClaudeErrorTag } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import type * as Duration from "effect/Duration"
import type * as Layer from "effect/Layer"
import { describe, expect, test } from "tstyche"

describe("ClaudeTest.script", () => {
  test("provides the service and the record, with and without layers around it", () => {
    const base = ClaudeTest.script([Fault.overloaded(), Fault.hang(), Fault.cutStream(), Reply.text("hi")])
    expect(base).type.toBe<Layer.Layer<ClaudeService | ClaudeTest.ClaudeTest>>()
    expect(base.pipe(ClaudeLayer.withRetry())).type.toBe<Layer.Layer<ClaudeService | ClaudeTest.ClaudeTest>>()
  })

  test("takes steps, not messages or errors", () => {
    expect(ClaudeTest.script).type.not.toBeCallableWith([Reply.message("hi")])
    expect(ClaudeTest.script).type.not.toBeCallableWith(["hi"])
  })
})

describe("ClaudeTest.delayed", () => {
  test("keeps what kind of step it is", () => {
    expect(Reply.text("hi").pipe(ClaudeTest.delayed("1 second"))).type.toBeAssignableTo<Reply.Reply>()
    expect(ClaudeTest.delayed(Fault.overloaded(), "1 second")).type.toBeAssignableTo<Fault.Fault>()
    expect(ClaudeTest.delayed(Fault.overloaded(), "1 second")).type.not.toBeAssignableTo<Reply.Reply>()
  })

  test("takes steps of several kinds", () => {
    const steps = [Reply.text("hi"), Fault.overloaded()].map((step) => ClaudeTest.delayed(step, "1 second"))
    expect(ClaudeTest.script).type.toBeCallableWith(steps)
  })
})

describe("Fault", () => {
  test("has a constructor for every tag", () => {
    expect<keyof typeof Fault.byTag>().type.toBe<ClaudeErrorTag>()
  })

  test("takes the fields of its error, durations in any form", () => {
    expect(Fault.rateLimit).type.toBeCallableWith({ retryAfter: "12 seconds", status: 429 })
    expect(Fault.rateLimit).type.not.toBeCallableWith({ retryAfter: "soon" })
    expect(Fault.rateLimit).type.not.toBeCallableWith({ phase: "idle" })
    expect(Fault.attemptTimeout).type.not.toBeCallableWith({ phase: "lunch" })
    expect<Fault.Fields<"DeadlineExceededError">["limit"]>().type.toBe<Duration.Input | undefined>()
    expect<Fault.Fields<"RequestTooLargeError">["limit"]>().type.toBe<number | undefined>()
  })

  test("in mid-stream is one that fails, in an answer that is known", () => {
    expect(Fault.midStream).type.toBeCallableWith(Fault.overloaded(), { reply: Reply.text("hi") })
    expect(Fault.midStream).type.not.toBeCallableWith(Fault.hang())
    expect(Fault.midStream).type.not.toBeCallableWith(Reply.text("hi"))
    expect(Fault.cutStream).type.not.toBeCallableWith({ reply: Fault.overloaded() })
  })
})

describe("RecordedCall", () => {
  test("tells the requests apart by method", () => {
    type Request<Method> = Extract<ClaudeTest.RecordedCall, { readonly method: Method }>["request"]
    expect<Request<"countTokens">>().type.not.toBeAssignableTo<{ readonly max_tokens: number }>()
    expect<Extract<ClaudeTest.RecordedCall, { readonly request: { readonly max_tokens: number } }>["method"]>().type
      .toBe<
        "createMessage" | "streamMessage"
      >()
  })
})
