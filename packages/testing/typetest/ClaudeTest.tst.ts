import type { ClaudeBatches } from "@effect-claude/client/ClaudeBatches"
import type { ClaudeErrorTag } from "@effect-claude/client/ClaudeError"
import { OverloadedError } from "@effect-claude/client/ClaudeError"
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

  test("takes steps, rules and errors, not messages", () => {
    const overloaded = new OverloadedError({ message: "Overloaded" })
    expect(ClaudeTest.script).type.toBeCallableWith([
      overloaded,
      ClaudeTest.when({ model: /opus/ }, [Fault.hang(), overloaded])
    ])
    expect(ClaudeTest.script).type.toBeCallableWith([], { after: overloaded, strict: false })
    expect(ClaudeTest.script).type.not.toBeCallableWith([Reply.message("hi")])
    expect(ClaudeTest.script).type.not.toBeCallableWith(["hi"])
  })
})

describe("the lines of every day", () => {
  test("provide what script provides", () => {
    expect(ClaudeTest.always(Fault.spendLimit())).type.toBe<Layer.Layer<ClaudeService | ClaudeTest.ClaudeTest>>()
    expect(ClaudeTest.failTimes(2, Fault.overloaded(), Reply.text("hi"))).type
      .toBe<Layer.Layer<ClaudeService | ClaudeTest.ClaudeTest>>()
    expect(ClaudeTest.empty).type.toBe<Layer.Layer<ClaudeService | ClaudeTest.ClaudeTest>>()
  })
})

describe("ClaudeTest.when", () => {
  test("knows the fields of a match", () => {
    expect(ClaudeTest.when).type.toBeCallableWith({ text: /weather/, tool: "search", nth: 2 }, Reply.text("hi"))
    expect(ClaudeTest.when).type.not.toBeCallableWith({ prompt: "hi" }, Reply.text("hi"))
    expect(ClaudeTest.when).type.not.toBeCallableWith({ method: "create" }, Reply.text("hi"))
  })
})

describe("ClaudeTest.batches", () => {
  test("provides the service and the record", () => {
    expect(ClaudeTest.batches()).type.toBe<Layer.Layer<ClaudeBatches | ClaudeTest.ClaudeBatchTest>>()
  })

  test("cuts nothing short but results, and lets no operation answer with a message", () => {
    expect(ClaudeTest.batches).type.toBeCallableWith({
      steps: { results: [{ cutAfter: 1 }], create: [{ done: Fault.hang() }] }
    })
    expect(ClaudeTest.batches).type.not.toBeCallableWith({ steps: { create: [{ cutAfter: 1 }] } })
    expect(ClaudeTest.batches).type.not.toBeCallableWith({ steps: { create: [Reply.text("hi")] } })
    expect(ClaudeTest.batches).type.not.toBeCallableWith({ outcomes: { a: Fault.cutStream() } })
  })
})

describe("ClaudeTest.times and forever", () => {
  test("keep what kind of step it is", () => {
    expect(Fault.overloaded().pipe(ClaudeTest.times(3))).type.toBeAssignableTo<Fault.Fault>()
    expect(ClaudeTest.forever(Reply.text("hi"))).type.toBeAssignableTo<Reply.Reply>()
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
