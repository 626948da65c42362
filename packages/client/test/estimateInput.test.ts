import * as TokenEstimate from "@effect-claude/client/TokenEstimate"
import { assert, describe, it } from "@effect/vitest"
import { estimateInput } from "../src/internal/estimateInput.ts"

describe("estimateInput", () => {
  it("is the public estimate of a request that can be read", () => {
    const request = { messages: [{ role: "user", content: "Hello there" }], system: "Be brief" }
    assert.strictEqual(estimateInput(request), TokenEstimate.ofRequest(request))
    assert.isAbove(estimateInput(request), 0)
  })

  it("fails over nothing: circles and messages that are no list count nothing", () => {
    const circle: Array<unknown> = []
    circle.push(circle)
    assert.strictEqual(estimateInput({ messages: [{ role: "user", content: circle }] }), 0)
    assert.strictEqual(estimateInput({ messages: 5 as never }), 0)
  })
})
