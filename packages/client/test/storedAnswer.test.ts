import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import { partialOf } from "../src/internal/answer/partialOf.ts"
import { alternativeOf, carryAlternative } from "../src/internal/prefillAlternative.ts"
import { staticMessage } from "../src/internal/staticMessage.ts"
import { isGoodAnswer, storedAnswer } from "../src/internal/storedAnswer.ts"

const message = staticMessage("hi", "claude-sonnet-5-5")

describe("a message of the program's own", () => {
  it("has the shape of an answer, and used nothing", () => {
    const { content, model, role, stop_reason: stopReason, type, usage } = staticMessage("hi", "claude-sonnet-5-5")
    assert.deepStrictEqual([type, role, model, stopReason], ["message", "assistant", "claude-sonnet-5-5", "end_turn"])
    assert.deepStrictEqual(content, [{ type: "text", text: "hi", citations: null }])
    assert.deepStrictEqual([usage.input_tokens, usage.output_tokens], [0, 0])
  })

  it("is kept in an error with its text, and without content as one that has none", () => {
    assert.deepStrictEqual(partialOf(message), { message, text: "hi", events: 0 })
    const broken = { ...message, content: undefined as never }
    assert.deepStrictEqual(partialOf(broken, 3), { message: { ...message, content: [] }, text: "", events: 3 })
  })
})

describe("a stored answer", () => {
  it("reads as it was written", () => {
    assert.deepStrictEqual(storedAnswer.decode(storedAnswer.encode(message)), message)
  })

  it("is none if it lacks what an answer has", () => {
    const broken = [
      { type: "error" },
      { role: "user" },
      { model: 5 },
      { stop_reason: "max_tokens" },
      { usage: null },
      { content: "hi" },
      { content: [{ text: "hi" }] },
      { content: ["hi"] }
    ]
    for (const fields of broken) {
      assert.isUndefined(storedAnswer.decode(JSON.stringify({ ...message, ...fields })), JSON.stringify(fields))
    }
    for (const text of ["", "{", "null", "5", "[]"]) assert.isUndefined(storedAnswer.decode(text))
  })

  it("is worth giving again if the model that was asked for gave it whole", () => {
    const from = (source: AnswerInfo.Source) => AnswerInfo.annotate(message, { source })
    assert.deepStrictEqual(
      [
        message,
        from({ _tag: "Service", name: "s" }),
        from({ _tag: "Service", name: "s", model: "m" }),
        from({ _tag: "Model", model: "m" }),
        from({ _tag: "Static" }),
        from({ _tag: "Cached", age: Duration.zero, stale: false }),
        { ...message, stop_reason: "max_tokens" as const },
        { ...message, content: [] }
      ].map(isGoodAnswer),
      [true, true, false, false, false, false, false, false]
    )
  })
})

describe("the message behind a prefill that is not taken", () => {
  const request = { model: "m", max_tokens: 5, messages: [{ role: "user" as const, content: "a" }] }
  const more = { role: "user" as const, content: "go on" }

  it("stands behind the messages as they are then, and is not sent", () => {
    const carried = { ...carryAlternative(request, more), messages: [{ role: "user" as const, content: "b" }] }
    assert.deepStrictEqual(alternativeOf(carried), [{ role: "user", content: "b" }, more])
    assert.notInclude(JSON.stringify(carried), "go on")
    assert.isUndefined(alternativeOf(request))
  })
})
