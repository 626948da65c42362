import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { apiKey, connect, request, withWire } from "./support.ts"

const idle = ClaudeLayer.withAttemptTimeout({ idle: "600 millis" })

const text = (step: FaultStep.FaultStepInput, pipeline = idle) =>
  withWire({ after: step }, ({ claude }) => Stream.runDrain(claude.streamMessage(request)), pipeline)

describe("what counts as life while no event comes", () => {
  it.live("comments", () =>
    text(FaultStep.message({ insert: [{ kind: "comment", afterEvents: 3, count: 6, interval: "150 millis" }] })))

  it.live("pings", () =>
    text(FaultStep.message({ insert: [{ kind: "ping", afterEvents: 3, count: 6, interval: "150 millis" }] })))

  it.live("an event that drips in, which no ping interrupts", () =>
    Effect.scoped(Effect.gen(function*() {
      const events = MessageEvents.fromMessage(Reply.message("A long event"))
      const whole = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("")
      const pieces = Array.from({ length: 9 }, (_, at) => whole.slice(at * 20, at === 8 ? whole.length : (at + 1) * 20))
      const dripping = () => {
        const left = [...pieces]
        return new ReadableStream({
          pull: async (controller) => {
            await new Promise((resolve) => setTimeout(resolve, 150))
            const piece = left.shift()
            if (piece === undefined) controller.close()
            else controller.enqueue(new TextEncoder().encode(piece))
          }
        })
      }
      const claude = yield* connect({
        apiKey: Redacted.make(apiKey),
        sdk: {
          fetch: () => Promise.resolve(new Response(dripping(), { headers: { "content-type": "text/event-stream" } }))
        }
      }, idle)
      assert.strictEqual(yield* Stream.mkString(MessageEvents.text(claude.streamMessage(request))), "A long event")
    })))

  it.live("nothing does not", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(text(FaultStep.stallStream({ afterEvents: 3 })))
      assert.deepInclude(error, { _tag: "AttemptTimeoutError", phase: "idle" })
    }))

  it.live("comments alone end at the total limit", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(text(
        FaultStep.message({ insert: [{ kind: "comment", afterEvents: 3, count: "forever", interval: "50 millis" }] }),
        ClaudeLayer.withAttemptTimeout({ idle: "600 millis", stream: "900 millis" })
      ))
      assert.deepInclude(error, { _tag: "AttemptTimeoutError", phase: "attempt" })
    }))
})
