import { ClaudeError, OverloadedError, StreamInterruptedError } from "@effect-claude/client/ClaudeError"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { originOf, withPartial } from "../src/internal/errorCopy.ts"

const partial = { text: "Once", events: 3 }

describe("an error with more in partial", () => {
  it("keeps its class and all of its fields", () => {
    const cause = new Error("upstream")
    const error = new OverloadedError({
      message: "Overloaded",
      status: 529,
      requestId: "req_1",
      retryAfter: Duration.seconds(3),
      attempt: 2,
      model: "claude-sonnet-5-5",
      details: { error_code: "x" },
      cause
    })
    const copy = withPartial(error, partial)
    assert.instanceOf(copy, OverloadedError)
    assert.strictEqual(copy.message, "Overloaded")
    assert.strictEqual(copy.cause, cause)
    assert.deepStrictEqual(copy.partial, partial)
    assert.deepStrictEqual(copy.verdict, error.verdict)
    const fields = ["status", "requestId", "retryAfter", "attempt", "model", "details"] as const
    for (const field of fields) assert.deepStrictEqual(copy[field], error[field])
    assert.isUndefined(error.partial)
  })

  it("replaces what was there, and is known by the first of its copies", () => {
    const error = new StreamInterruptedError({ message: "cut", partial: { text: "", events: 0 } })
    const copy = withPartial(withPartial(error, { text: "O", events: 1 }), partial)
    assert.deepStrictEqual(copy.partial, partial)
    assert.strictEqual(originOf(copy), error)
    assert.strictEqual(originOf(error), error)
  })

  it("works for every class", () => {
    for (const Member of ClaudeError.members) {
      const fields = { message: "x", ...(Member.name === "AttemptTimeoutError" ? { phase: "idle" as const } : {}) }
      const error = new (Member as new(fields: object) => ClaudeError)(fields)
      assert.strictEqual(withPartial(error, partial)._tag, error._tag)
      assert.isTrue(Schema.is(ClaudeError)(withPartial(error, partial)))
    }
  })
})
