import { Anthropic } from "@anthropic-ai/sdk"
import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import type { ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

const request = {
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  messages: [{ role: "user" as const, content: "Hello" }]
}

const sse = (type: string, fields: object): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`

const message = { id: "msg_1", type: "message", content: [], model: request.model, stop_reason: null, usage: {} }
const start = sse("message_start", { message })
const end = sse("message_delta", { delta: { stop_reason: "end_turn" } }) + sse("message_stop", {})

/** A client that remembers its responses for as long as somebody else does. */
const remembering = (body: string, isEnded: boolean) => {
  const responses: Array<WeakRef<Response>> = []
  const fetch = (_: unknown, init?: RequestInit) => {
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(body))
        if (isEnded) controller.close()
        else init?.signal?.addEventListener("abort", () => controller.error(new Error("aborted")), { once: true })
      }
    })
    const response = new Response(stream, { headers: { "content-type": "text/event-stream" } })
    responses.push(new WeakRef(response))
    return Promise.resolve(response)
  }
  return { claude: AnthropicClient.make(new Anthropic({ apiKey: "sk-ant-example", fetch })), responses }
}

const collected = (responses: ReadonlyArray<WeakRef<Response>>) =>
  Effect.gen(function*() {
    for (let round = 0; round < 10; round++) {
      // A WeakRef keeps what it refers to until the job in which it was read is over.
      yield* Effect.sleep("5 millis")
      collectGarbage()
    }
    return responses.filter((response) => response.deref() === undefined).length
  })

describe("a stream that is over is forgotten", () => {
  const ways: ReadonlyArray<
    readonly [string, string, boolean, (claude: ClaudeServiceShape) => Effect.Effect<unknown, unknown>]
  > = [
    ["read to its end", start + end, true, (claude) => Stream.runDrain(claude.streamMessage(request))],
    ["left half way", start, false, (claude) => Stream.runDrain(Stream.take(claude.streamMessage(request), 1))],
    ["cut", start, true, (claude) => Stream.runDrain(claude.streamMessage(request))],
    [
      "interrupted",
      start,
      false,
      (claude) => Effect.timeoutOption(Stream.runDrain(claude.streamMessage(request)), "5 millis")
    ]
  ]
  for (const [name, body, isEnded, use] of ways) {
    it.live(name, () =>
      Effect.gen(function*() {
        const { claude, responses } = remembering(body, isEnded)
        yield* Effect.forEach(Array.from({ length: 50 }), () => Effect.exit(use(claude)), { discard: true })
        assert.strictEqual(responses.length, 50)
        // The last one may still be on some stack.
        assert.isAtLeast(yield* collected(responses), 45)
      }))
  }
})
