import * as TokenEstimate from "@effect-claude/client/TokenEstimate"
import { assert, describe, it } from "@effect/vitest"

const user = (content: unknown) => ({ messages: [{ role: "user", content }] })

describe("TokenEstimate", () => {
  it("lies a little above four characters a token for English, and at a token a character for Chinese", () => {
    const english = "The quick brown fox jumps over the lazy dog. ".repeat(500)
    const chinese = "太陽系有幾顆行星，它們叫什麼名字。".repeat(500)
    assert.approximately(TokenEstimate.ofText(english) / (english.length / 4), 1.2, 0.05)
    assert.approximately(TokenEstimate.ofText(chinese) / chinese.length, 1.1, 0.05)
    const mixed = english + chinese
    const parts = TokenEstimate.ofText(english) + TokenEstimate.ofText(chinese)
    assert.approximately(TokenEstimate.ofText(mixed) / parts, 1, 0.02)
  })

  it("looks at a bounded number of characters", () => {
    const start = performance.now()
    assert.isAbove(TokenEstimate.ofText("x".repeat(20_000_000)), 5_000_000)
    assert.isBelow(performance.now() - start, 200)
  })

  it("adds up system, messages and tools", () => {
    const bare = TokenEstimate.ofRequest(user("Hello"))
    const system = TokenEstimate.ofRequest({ ...user("Hello"), system: "You are a pirate. ".repeat(100) })
    const tools = TokenEstimate.ofRequest({
      ...user("Hello"),
      tools: [{ name: "weather", input_schema: { type: "object", properties: { city: { type: "string" } } } }]
    })
    assert.approximately(system - bare, 545, 10)
    assert.isAbove(tools - bare, 350)
    assert.isBelow(tools - bare, 420)
    assert.strictEqual(TokenEstimate.ofRequest({ ...user("Hello"), tools: [] }), bare)
  })

  it("knows images and documents by what they are, not by their base64", () => {
    const data = "A".repeat(1_000_000)
    const image = TokenEstimate.ofRequest(
      user([{ type: "image", source: { type: "base64", media_type: "image/png", data } }])
    )
    assert.approximately(image, 1600, 20)
    const icon = TokenEstimate.ofRequest(
      user([{ type: "image", source: { type: "base64", media_type: "image/png", data: "A".repeat(400) } }])
    )
    assert.isBelow(icon, 100)
    const linked = TokenEstimate.ofRequest(user([{ type: "image", source: { type: "url", url: "https://x" } }]))
    assert.approximately(linked, 1600, 20)
    const pdf = TokenEstimate.ofRequest(
      user([{ type: "document", source: { type: "base64", media_type: "application/pdf", data } }])
    )
    assert.approximately(pdf, 30_000, 100)
    const text = TokenEstimate.ofRequest(
      user([{ type: "document", source: { type: "text", media_type: "text/plain", data: "word ".repeat(1000) } }])
    )
    assert.approximately(text, 1520, 20)
  })

  it("counts the inputs and results of tools, and not what marks the cache or signs a thought", () => {
    const call = TokenEstimate.ofRequest({
      messages: [
        { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "f", input: { rows: "x".repeat(3300) } }] },
        {
          role: "user",
          content: [{ type: "tool_result", tool_use_id: "t1", content: [{ type: "text", text: "y".repeat(3300) }] }]
        }
      ]
    })
    assert.approximately(call, 2030, 30)
    const marked = TokenEstimate.ofRequest(
      user([{ type: "text", text: "Hello", cache_control: { type: "ephemeral" } }])
    )
    assert.strictEqual(marked, TokenEstimate.ofRequest(user([{ type: "text", text: "Hello" }])))
    const signed = TokenEstimate.ofRequest(user([{ type: "thinking", thinking: "Hm", signature: "s".repeat(5000) }]))
    assert.isBelow(signed, 20)
  })

  it("passes over what is missing or strange", () => {
    assert.strictEqual(TokenEstimate.ofRequest({ messages: [] }), 0)
    assert.strictEqual(TokenEstimate.ofRequest({ messages: [null, 3, "text"], system: null, tools: "none" }), 12)
  })
})
