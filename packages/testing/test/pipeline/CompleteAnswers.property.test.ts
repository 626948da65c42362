import type { ContentBlock, Message, StopReason } from "@anthropic-ai/sdk/resources/messages/messages"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService, type ClaudeServiceShape, type MessageRequest } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { request } from "./support.ts"

const continuations = 3

const blockOf = Effect.map(
  Effect.all([Random.nextIntBetween(0, 4), Random.nextIntBetween(0, 1000)]),
  ([kind, number]): ContentBlock => {
    switch (kind) {
      case 0:
        return { type: "text", text: number % 3 === 0 ? " " : `text ${number}`, citations: null }
      case 1:
        return { type: "thinking", thinking: `thought ${number}`, signature: "c2ln" }
      case 2:
        return { type: "tool_use", id: `toolu_${number}`, name: "run", input: { number }, caller: { type: "direct" } }
      default:
        return {
          type: "server_tool_use",
          id: `srvtoolu_${number}`,
          name: "web_search",
          input: { number },
          caller: { type: "direct" }
        }
    }
  }
)

const reasons: ReadonlyArray<StopReason> = [
  "pause_turn",
  "pause_turn",
  "pause_turn",
  "end_turn",
  "tool_use",
  "max_tokens",
  "refusal",
  "model_context_window_exceeded"
]

const turnOf = Effect.gen(function*() {
  const content = yield* Effect.replicateEffect(blockOf, yield* Random.nextIntBetween(0, 4))
  const reason = reasons[yield* Random.nextIntBetween(0, reasons.length)]
  return Reply.message("", {
    content,
    stop_reason: reason ?? "end_turn",
    usage: { input_tokens: yield* Random.nextIntBetween(1, 100), output_tokens: yield* Random.nextIntBetween(1, 100) }
  })
})

/** What the answer has to be, said without any of the machinery. */
const expected = (turns: ReadonlyArray<Message>) => {
  const last = turns.findIndex((turn, index) => turn.stop_reason !== "pause_turn" || index === continuations)
  const taken = turns.slice(0, last + 1)
  const content = taken.flatMap((turn) => turn.content)
  const reason = taken.at(-1)?.stop_reason
  const isSaid = content.some((block) => block.type === "text" ? block.text.trim() !== "" : block.type !== "thinking")
  return {
    requests: taken.length,
    content,
    outcome: reason === "refusal"
      ? "RefusalError"
      : reason === "end_turn" || reason === "tool_use"
      ? isSaid ? "message" : "OutputInvalidError"
      : "OutputTruncatedError",
    input: taken.reduce((sum, { usage }) => sum + usage.input_tokens, 0),
    output: taken.reduce((sum, { usage }) => sum + usage.output_tokens, 0)
  }
}

/** A service that gives these turns in order, its streams in chunks of this size. */
const serving = (turns: ReadonlyArray<Message>, chunk: number) => {
  const requests: Array<MessageRequest> = []
  const next = (asked: MessageRequest): Message => {
    requests.push(asked)
    return turns[requests.length - 1] ?? assert.fail("more requests than turns")
  }
  const service: ClaudeServiceShape = {
    createMessage: (asked) => Effect.sync(() => next(asked)),
    streamMessage: (asked) =>
      Stream.suspend(() => Stream.rechunk(Stream.fromIterable(MessageEvents.fromMessage(next(asked))), chunk)),
    countTokens: () => Effect.succeed({ input_tokens: 0 })
  }
  return { requests, layer: Layer.succeed(ClaudeService, service) }
}

interface Given {
  readonly outcome: string
  readonly message: Message | undefined
}

const given = (result: Result.Result<Message, ClaudeError>): Given =>
  Result.isSuccess(result)
    ? { outcome: "message", message: result.success }
    : { outcome: result.failure._tag, message: result.failure.partial?.message }

describe("withCompleteAnswers: any turns, in any chunks", () => {
  it.effect("a message and a stream are what the turns are together", () =>
    Effect.gen(function*() {
      const seen = new Set<string>()
      for (let run = 0; run < 400; run++) {
        const turns = yield* Effect.replicateEffect(turnOf, continuations + 1)
        const chunk = yield* Random.nextIntBetween(1, 12)
        const want = expected(turns)
        seen.add(`${want.outcome} ${want.requests}`)
        for (const way of ["message", "stream"] as const) {
          const { layer, requests } = serving(turns, chunk)
          const context = yield* Layer.build(layer.pipe(ClaudeLayer.withCompleteAnswers({ continuations })))
          const claude = Context.get(context, ClaudeService)
          const answer = way === "message"
            ? claude.createMessage(request)
            : Effect.map(MessageEvents.message(claude.streamMessage(request)), (message) => message as Message)
          const { message, outcome } = given(yield* Effect.result(answer))
          const label = `run ${run}, ${way}, chunks of ${chunk}`
          assert.strictEqual(outcome, want.outcome, label)
          assert.strictEqual(requests.length, want.requests, label)
          assert.deepStrictEqual(message?.content, want.content, label)
          assert.strictEqual(message?.usage.input_tokens, want.input, label)
          assert.strictEqual(message?.usage.output_tokens, want.output, label)
          for (const [index, asked] of requests.entries()) {
            // The API gives blank text and does not take it.
            const before = turns.slice(0, index).flatMap((turn) => turn.content)
              .filter((block) => block.type !== "text" || block.text.trim() !== "")
            assert.deepStrictEqual(
              asked.messages.slice(request.messages.length),
              before.length === 0 ? [] : [{ role: "assistant", content: before }],
              label
            )
          }
        }
      }
      // Each outcome, after each number of requests that it can come after.
      assert.isAbove(seen.size, 12)
    }).pipe(Effect.scoped, Random.withSeed("turns")))
})
