import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as ClaudeTool from "@effect-claude/client/ClaudeTool"
import * as ToolLoop from "@effect-claude/client/ToolLoop"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { quickPipeline, quickRetries, request, withWire } from "./support.ts"

const event = (data: { readonly type: string; readonly [name: string]: unknown }) =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`

/** A stream of one call whose input is this text, cut wherever it is. */
const streamedCall = (input: string, stopReason: string, id = "toolu_1") =>
  FaultStep.response({
    status: 200,
    contentType: "text/event-stream",
    headers: { "request-id": "req_raw" },
    body: [
      {
        type: "message_start",
        message: {
          id: "msg_1",
          type: "message",
          role: "assistant",
          model: request.model,
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { input_tokens: 10, output_tokens: 1 }
        }
      },
      {
        type: "content_block_start",
        index: 0,
        content_block: { type: "tool_use", id, name: "run", input: {}, caller: { type: "direct" } }
      },
      { type: "content_block_delta", index: 0, delta: { type: "input_json_delta", partial_json: input } },
      { type: "content_block_stop", index: 0 },
      { type: "message_delta", delta: { stop_reason: stopReason, stop_sequence: null }, usage: { output_tokens: 20 } },
      { type: "message_stop" }
    ].map(event).join("")
  })

const runner = () => {
  const ran: Array<unknown> = []
  const tool = ClaudeTool.make("run", {
    description: "Runs a command",
    input: Schema.Struct({ path: Schema.String, cmd: Schema.optionalKey(Schema.String) }),
    run: (input) => Effect.sync(() => void ran.push(input))
  })
  return { ran, tool }
}

const cut = `{"path":"/etc","cmd":"rm -rf /tm`

describe("a tool loop on the wire", () => {
  it.live("runs no tool whose input was cut by max_tokens, streamed or not", () => {
    const { ran, tool } = runner()
    const whole = FaultStep.message({
      // What the API makes of the input above when it is not streamed.
      content: [{ type: "tool_use", name: "run", input: { path: "/etc" } }],
      stopReason: "max_tokens"
    })
    return withWire(
      { steps: [whole, whole, streamedCall(cut, "max_tokens")] },
      ({ api, claude }) =>
        Effect.gen(function*() {
          for (const streaming of [false, true, true]) {
            const error = yield* Effect.flip(ToolLoop.run({ request, tools: [tool], streaming }))
            assert.strictEqual(error.error?._tag, "OutputTruncatedError")
          }
          assert.deepStrictEqual(ran, [])
          assert.strictEqual((yield* api.requests).length, 3)
        }).pipe(Effect.provideService(ClaudeService, claude))
    )
  })

  it.live("tells the model of an input that is no JSON, and of one that is empty", () => {
    const { ran, tool } = runner()
    return withWire(
      {
        steps: [
          streamedCall(cut, "tool_use"),
          streamedCall("", "tool_use", "toolu_2"),
          FaultStep.message({ text: "Sorry." })
        ]
      },
      ({ api, claude }) =>
        Effect.gen(function*() {
          const { transcript } = yield* ToolLoop.run({ request, tools: [tool], streaming: true })
          assert.deepStrictEqual(ran, [])
          const told = transcript.flatMap(({ content }) =>
            typeof content === "string" ? [] : content.flatMap((block) => block.type === "tool_result" ? [block] : [])
          )
          assert.deepStrictEqual(told.map(({ content, is_error }) => [content, is_error]), [
            ["The input is not what run takes, and it was not run.\nIt is not valid JSON, or nests too deeply.", true],
            ["The input is not what run takes, and it was not run.\nMissing key\n  at [\"path\"]", true]
          ])
          // The API takes all of it back.
          assert.deepStrictEqual((yield* api.requests).map(({ status }) => status), [200, 200, 200])
        }).pipe(Effect.provideService(ClaudeService, claude))
    )
  })

  it.live("reads an answer without what a gateway put in the place of blocks", () => {
    const { ran, tool } = runner()
    const body = {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: request.model,
      content: [null, { type: "tool_use", id: "toolu_1", name: "run", input: { path: "/a" } }, 7],
      stop_reason: "tool_use",
      usage: { input_tokens: 1, output_tokens: 1 }
    }
    return withWire(
      { steps: [FaultStep.response({ status: 200, body }), FaultStep.message({ text: "Done." })] },
      ({ claude }) =>
        Effect.gen(function*() {
          yield* ToolLoop.run({ request, tools: [tool] })
          assert.deepStrictEqual(ran, [{ path: "/a" }])
        }).pipe(Effect.provideService(ClaudeService, claude))
    )
  })

  it.live("survives overload, a cut stream and a pause between its tools, and runs each once", () => {
    const { ran, tool } = runner()
    const call = (path: string) => ({ type: "tool_use" as const, name: "run", input: { path } })
    return withWire(
      {
        steps: [
          FaultStep.overloaded(),
          FaultStep.message({ content: [call("/a")], interrupt: { how: "reset", afterEvents: 3 } }),
          FaultStep.message({ content: [{ type: "text", text: "Two things." }, call("/b"), call("/c")] }),
          FaultStep.pauseTurn({}),
          FaultStep.message({ content: [call("/d")] }),
          FaultStep.rateLimit({ retryAfter: "20 millis" }),
          FaultStep.message({ text: "All four." })
        ]
      },
      ({ api, claude }) =>
        Effect.gen(function*() {
          const events = yield* Stream.runCollect(ToolLoop.stream({ request, tools: [tool], retry: quickRetries }))
          const last = events.at(-1)
          if (last?._tag !== "Finished") return assert.fail("not finished")
          assert.strictEqual(last.result.steps, 3)
          assert.deepStrictEqual(ran, [{ path: "/b" }, { path: "/c" }, { path: "/d" }])
          const requests = yield* api.awaitEnded(7)
          // Nothing that the API would refuse was sent.
          assert.deepStrictEqual(requests.map(({ status }) => status), [529, 200, 200, 200, 200, 429, 200])
        }).pipe(Effect.provideService(ClaudeService, claude)),
      quickPipeline({ rateLimiter: false })
    )
  })
})
