/**
 * Streams that were recovered, and what is left of one that was not: text that can be taken back, the whole message, and what
 * of a broken answer may be shown or sent back.
 *
 * **Details**
 *
 * `ClaudeLayer.withStreamRecovery` recovers streams. Its events are those of any stream, and in two cases a `restart` among
 * them, which takes back some or all of what came before: the accumulator of `MessageEvents` and everything here understand it.
 *
 * **Example** (Showing an answer that may be made anew)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeStream from "@effect-claude/client/ClaudeStream"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const Claude = ClaudeTest.script([
 *   Fault.cutStream({ reply: Reply.text("The hare overslept."), afterEvents: 3 }),
 *   Reply.text("The tortoise won.")
 * ]).pipe(ClaudeLayer.withStreamRecovery({ mode: "restart" }))
 *
 * let shown = ""
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const events = claude.streamMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Who won?" }]
 *   })
 *   yield* Stream.runForEach(ClaudeStream.textUpdates(events), ({ replaces, text }) =>
 *     Effect.sync(() => {
 *       shown = replaces ? text : shown + text
 *     }))
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.strictEqual(shown, "The tortoise won.")
 * ```
 *
 * @since 0.1.0
 */
import type { ContentBlock, Message } from "@anthropic-ai/sdk/resources/messages/messages"
import { isReadonlyArrayNonEmpty } from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import { InvalidResponseError, type PartialAnswer } from "./ClaudeError.ts"
import { resumableBlocks, shownText } from "./internal/stream/resumable.ts"
import { makeTextTrack } from "./internal/stream/TextTrack.ts"
import * as MessageEvents from "./MessageEvents.ts"

/**
 * A piece of text to show: behind what is shown or, if it `replaces` that, in the place of all of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface TextUpdate {
  readonly text: string
  readonly replaces: boolean
}

/**
 * The text of an answer as it comes, for consumers who can replace what they have shown.
 *
 * **Details**
 *
 * A restart that takes back text becomes an update that `replaces` everything with the text that stays: none, if the answer is
 * made anew. Where nothing is taken back it is as `MessageEvents.text`, which fails at such a restart.
 *
 * **Example** (Taking back a beginning)
 *
 * ```ts
 * import { StreamInterruptedError } from "@effect-claude/client/ClaudeError"
 * import * as ClaudeStream from "@effect-claude/client/ClaudeStream"
 * import * as MessageEvents from "@effect-claude/client/MessageEvents"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const error = new StreamInterruptedError({ message: "The connection was lost during the stream" })
 * const events = Stream.fromIterable<MessageEvents.MessageEvent>([
 *   ...MessageEvents.fromMessage(Reply.message("No")).slice(0, 3),
 *   { type: "restart", from: 0, error },
 *   ...MessageEvents.fromMessage(Reply.message("Yes"))
 * ])
 *
 * assert.deepStrictEqual(await Effect.runPromise(Stream.runCollect(ClaudeStream.textUpdates(events))), [
 *   { text: "No", replaces: false },
 *   { text: "", replaces: true },
 *   { text: "Yes", replaces: false }
 * ])
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const textUpdates = <E, R>(
  events: Stream.Stream<MessageEvents.MessageEvent, E, R>
): Stream.Stream<TextUpdate, E, R> =>
  Stream.transformPull(events, (pull) =>
    Effect.sync(() => {
      const track = makeTextTrack()
      const updates = (chunk: ReadonlyArray<MessageEvents.MessageEvent>): ReadonlyArray<TextUpdate> => {
        const out: Array<TextUpdate> = []
        for (const event of chunk) {
          if (event.type === "content_block_delta" && event.delta.type === "text_delta") {
            track.add(event.index, event.delta.text)
            out.push({ text: event.delta.text, replaces: false })
          } else if (event.type === "restart" && track.cut(event.from)) {
            out.push({ text: track.text(), replaces: true })
          }
        }
        return out
      }
      const next: Pull.Pull<readonly [TextUpdate, ...Array<TextUpdate>], E> = Effect.flatMap(pull, (chunk) => {
        const out = updates(chunk)
        return isReadonlyArrayNonEmpty(out) ? Effect.succeed(out) : next
      })
      return next
    }))

/**
 * Runs a stream and gives its whole message, what a restart took back left out. Adds `InvalidResponseError`, for a stream without
 * any message.
 *
 * **When to use**
 *
 * Use to stream for the sake of its timeouts and of its recovery, when only the whole answer is of interest.
 *
 * **Example** (Waiting for a long answer)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeStream from "@effect-claude/client/ClaudeStream"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* ClaudeStream.message(claude.streamMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 64_000,
 *     messages: [{ role: "user", content: "Write a novel" }]
 *   }))
 * })
 *
 * const message = await Effect.runPromise(program.pipe(Effect.provide(ClaudeTest.script([Reply.text("It was dark.")]))))
 * assert.strictEqual(message.stop_reason, "end_turn")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const message = <E, R>(
  events: Stream.Stream<MessageEvents.MessageEvent, E, R>
): Effect.Effect<Message, E | InvalidResponseError, R> =>
  Effect.flatMap(MessageEvents.message(events), (message) =>
    message === undefined
      ? Effect.fail(new InvalidResponseError({ message: "The stream ended without a message" }))
      : Effect.succeed(message))

/**
 * What of an answer that broke off may be sent back, as the model's turn or the beginning of it.
 *
 * **Details**
 *
 * Finished blocks, and the text of an unfinished text block. Left out are blank text, unfinished thinking and tool calls, thinking
 * without a signature, tools of the API without their result, and results without their call: the API answers each of them with
 * a 400. Of a refusal nothing is left.
 *
 * **Gotchas**
 *
 * A finished `tool_use` is kept, and has to be followed by its `tool_result`. A turn that shall be a prefill must not end in
 * white space.
 *
 * **Example** (Going on by hand)
 *
 * ```ts
 * import * as ClaudeStream from "@effect-claude/client/ClaudeStream"
 * import * as MessageEvents from "@effect-claude/client/MessageEvents"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 *
 * const accumulator = MessageEvents.makeAccumulator()
 * for (const event of MessageEvents.fromMessage(Reply.message("Once upon a")).slice(0, 3)) accumulator.add(event)
 *
 * const blocks = ClaudeStream.resumable(accumulator.partial())
 * assert.deepStrictEqual(blocks.map(({ type }) => type), ["text"])
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const resumable = (partial: PartialAnswer): ReadonlyArray<ContentBlock> => resumableBlocks(partial)

/**
 * The text of an answer that broke off, as far as it is safe to show: no thinking, no tool input, no half of a character, and
 * nothing of a refusal.
 *
 * **Example** (Showing what had arrived)
 *
 * ```ts
 * import * as ClaudeStream from "@effect-claude/client/ClaudeStream"
 * import { assert } from "@effect/vitest"
 *
 * assert.strictEqual(ClaudeStream.shown({ text: "Once upon a", events: 3 }), "Once upon a")
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const shown = (partial: PartialAnswer): string => shownText(partial)
