/**
 * The answers of a test script, and messages as tests need them.
 *
 * **Details**
 *
 * {@link message} makes a `Message`, a plain value of the SDK's type. The others make steps for `ClaudeTest.script`. A step
 * answers whatever it is asked: `createMessage` gets the message, `streamMessage` its events, `countTokens` its
 * `usage.input_tokens`.
 *
 * **Example** (Answering from a script)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const message = yield* claude.createMessage({
 *     model: "claude-opus-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   return [message.model, message.content[0]]
 * })
 *
 * assert.deepStrictEqual(
 *   await Effect.runPromise(program.pipe(Effect.provide(ClaudeTest.script([Reply.text("Hi!")])))),
 *   ["claude-opus-5-5", { type: "text", text: "Hi!", citations: null }]
 * )
 * ```
 *
 * @since 0.1.0
 */
import type { ContentBlock, Message } from "@anthropic-ai/sdk/resources/messages/messages"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import type { MessageEvent } from "@effect-claude/client/MessageEvents"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as OptionCheck from "./internal/script/OptionCheck.ts"
import * as ScriptedMessage from "./internal/script/ScriptedMessage.ts"
import type * as Step from "./internal/script/Step.ts"
import { excerpt, makeStep } from "./internal/script/Step.ts"

/**
 * A step of a script that answers. What it answers is known before the call, so a stream fault can break it off.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reply extends Step.Step<Step.Answer> {}

/**
 * A step of a script whose answer is made when the call comes.
 *
 * @category models
 * @since 0.1.0
 */
export interface ComputedReply extends Step.Step<Step.Computed> {}

/**
 * The call that a step answers: its `number` (1 for the first that reached the script), `method`, `attempt`, `model`,
 * `requestId`, `request` and `options`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call extends Step.StepCall {}

/**
 * A time in which a stream sends nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Pause extends Step.Pause {}

/**
 * Fields of a message that replace the usual ones. Of `usage`, only those that are given.
 *
 * @category models
 * @since 0.1.0
 */
export type Overrides = ScriptedMessage.MessageOverrides

/**
 * Makes a whole `Message`, from its text or from another message.
 *
 * **When to use**
 *
 * Use where a message itself is needed: a static fallback, `Reply.of`, the input of a function under test. A script takes
 * steps: `Reply.text`.
 *
 * **Details**
 *
 * Always the same for the same arguments: id `msg_test`, model `claude-sonnet-5-5`, stop reason `end_turn`, 10 input tokens,
 * an output token for every 4 characters, and null for what the API leaves null.
 *
 * **Example** (Making a truncated answer)
 *
 * ```ts
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 *
 * const truncated = Reply.message("Once upon a", { stop_reason: "max_tokens", usage: { output_tokens: 3 } })
 *
 * assert.strictEqual(truncated.stop_reason, "max_tokens")
 * assert.strictEqual(truncated.usage.input_tokens, 10)
 * assert.deepStrictEqual(Reply.message("Hello!"), Reply.message("Hello!"))
 * ```
 *
 * @category messages
 * @since 0.1.0
 */
export const message = (textOrMessage: string | Message, overrides: Overrides = {}): Message =>
  ScriptedMessage.override(
    typeof textOrMessage === "string"
      ? ScriptedMessage.textMessage(textOrMessage, ScriptedMessage.standalone)
      : textOrMessage,
    overrides
  )

const stated = (label: string, make: (call: Step.StepCall) => Message): Reply =>
  makeStep(label, { _tag: "Answer", content: { _tag: "Message", message: make } })

/**
 * Answers with a text.
 *
 * **Details**
 *
 * As {@link message}, with the model of the request and the id `msg_test_N` for call number N. The stream of it has a ping
 * after `message_start` and a delta for every 8 characters.
 *
 * **Example** (Streaming an answer)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as MessageEvents from "@effect-claude/client/MessageEvents"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const events = claude.streamMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   return yield* Stream.runCollect(MessageEvents.text(events))
 * })
 *
 * const Claude = ClaudeTest.script([Reply.text("Hello, world!")])
 * assert.deepStrictEqual(await Effect.runPromise(Effect.provide(program, Claude)), ["Hello, w", "orld!"])
 * ```
 *
 * @category replies
 * @since 0.1.0
 */
export const text = (text: string, overrides: Overrides = {}): Reply =>
  stated(
    `text ${excerpt(text)}`,
    (call) => ScriptedMessage.override(ScriptedMessage.textMessage(text, ScriptedMessage.identityOf(call)), overrides)
  )

/**
 * Answers with a call of a tool; the stop reason is `tool_use`. The id of the call is `toolu_test_N` for call number N.
 *
 * **Example** (Asking for the weather)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const message = yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "How is the weather in Oslo?" }]
 *   })
 *   return message.content.flatMap((block) => block.type === "tool_use" ? [block.input] : [])
 * })
 *
 * const Claude = ClaudeTest.script([Reply.tool("get_weather", { city: "Oslo" })])
 * assert.deepStrictEqual(await Effect.runPromise(Effect.provide(program, Claude)), [{ city: "Oslo" }])
 * ```
 *
 * @category replies
 * @since 0.1.0
 */
export const tool = (name: string, input: unknown, overrides: Overrides = {}): Reply =>
  stated(
    `tool ${name}`,
    (call) =>
      ScriptedMessage.override(ScriptedMessage.toolMessage(name, input, ScriptedMessage.identityOf(call)), overrides)
  )

/**
 * Answers with these blocks: thinking, texts and calls of tools in one answer. The stop reason is `tool_use` if there is a
 * call among them.
 *
 * **Example** (Thinking before two calls of tools)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const call = (id: string, city: string) => ({
 *   type: "tool_use" as const,
 *   id,
 *   name: "get_weather",
 *   input: { city },
 *   caller: { type: "direct" as const }
 * })
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const message = yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Is it warmer in Oslo or in Bergen?" }]
 *   })
 *   return [message.stop_reason, message.content.length]
 * })
 *
 * const Claude = ClaudeTest.script([
 *   Reply.blocks([
 *     { type: "thinking", thinking: "I need both.", signature: "c2lnbmF0dXJl" },
 *     call("toolu_1", "Oslo"),
 *     call("toolu_2", "Bergen")
 *   ])
 * ])
 * assert.deepStrictEqual(await Effect.runPromise(Effect.provide(program, Claude)), ["tool_use", 3])
 * ```
 *
 * @category replies
 * @since 0.1.0
 */
export const blocks = (content: ReadonlyArray<ContentBlock>, overrides: Overrides = {}): Reply =>
  stated(
    `blocks ${content.map(({ type }) => type).join(", ")}`,
    (call) =>
      ScriptedMessage.override(ScriptedMessage.fromContent([...content], ScriptedMessage.identityOf(call)), overrides)
  )

/**
 * Answers with a text in exactly these pieces, and with pauses where they stand.
 *
 * **Details**
 *
 * One delta for each piece. Otherwise as {@link text}. `createMessage` gets the whole text after the sum of the pauses.
 *
 * **Example** (Stopping to think in a sentence)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as MessageEvents from "@effect-claude/client/MessageEvents"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import * as VirtualTime from "@effect-claude/testing/VirtualTime"
 * import { assert } from "@effect/vitest"
 * import * as Clock from "effect/Clock"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const Claude = ClaudeTest.script([Reply.stream(["The answer", " is ", Reply.pause("20 seconds"), "42"])])
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const events = claude.streamMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "What is the answer?" }]
 *   })
 *   const timed = Stream.mapEffect(MessageEvents.text(events), (text) =>
 *     Effect.map(Clock.currentTimeMillis, (at) => [at, text]))
 *   return yield* Stream.runCollect(timed)
 * })
 *
 * assert.deepStrictEqual(
 *   await Effect.runPromise(program.pipe(Effect.provide(Claude), VirtualTime.run)),
 *   [[0, "The answer"], [0, " is "], [20_000, "42"]]
 * )
 * ```
 *
 * @category replies
 * @since 0.1.0
 */
export const stream = (pieces: Iterable<string | Pause>, overrides: Omit<Overrides, "content"> = {}): Reply => {
  const parts = Array.from(pieces)
  const whole = parts.filter((part) => typeof part === "string").join("")
  const frames = (call: Step.StepCall) =>
    ScriptedMessage.inPieces(
      ScriptedMessage.override(ScriptedMessage.textMessage(whole, ScriptedMessage.identityOf(call)), overrides),
      parts
    )
  return makeStep(`stream ${excerpt(whole)}`, { _tag: "Answer", content: { _tag: "Events", frames } })
}

/**
 * Answers with exactly this message, its id and model included.
 *
 * **Details**
 *
 * What `AnswerInfo` the message carries stays, except for the attempt.
 *
 * **Example** (Answering with thinking)
 *
 * ```ts
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 *
 * const Claude = ClaudeTest.script([
 *   Reply.of(Reply.message("42", {
 *     content: [
 *       { type: "thinking", thinking: "Six by nine...", signature: "c2lnbmF0dXJl" },
 *       { type: "text", text: "42", citations: null }
 *     ]
 *   }))
 * ])
 * ```
 *
 * @category replies
 * @since 0.1.0
 */
export const of = (message: Message): Reply => stated(`message, ${message.stop_reason}`, () => message)

/**
 * Answers with exactly these events, pings and pauses included.
 *
 * **Details**
 *
 * They are read as the client reads them: `message_stop` ends the stream, and events that stop before it are a
 * `StreamInterruptedError`, or an `InvalidResponseError` if there are none. `createMessage` and `countTokens` get the message
 * that the events make, after the sum of the pauses.
 *
 * **Example** (Thinking for a minute, with signs of life)
 *
 * ```ts
 * import * as MessageEvents from "@effect-claude/client/MessageEvents"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 *
 * const events = MessageEvents.fromMessage(Reply.message("42"))
 * const sign = [Reply.pause("20 seconds"), { type: "ping" as const }]
 *
 * const Claude = ClaudeTest.script([
 *   Reply.events([...events.slice(0, 1), ...sign, ...sign, ...sign, ...events.slice(1)])
 * ])
 * ```
 *
 * @category replies
 * @since 0.1.0
 */
export const events = (events: Iterable<MessageEvent | Pause>): Reply => {
  const frames = Array.from(events)
  return makeStep("events", { _tag: "Answer", content: { _tag: "Events", frames: () => frames } })
}

/**
 * A time in which the stream of {@link events} sends nothing. An infinite one stalls it.
 *
 * **Example** (Pausing before the end)
 *
 * ```ts
 * import * as MessageEvents from "@effect-claude/client/MessageEvents"
 * import * as Reply from "@effect-claude/testing/Reply"
 *
 * const events = MessageEvents.fromMessage(Reply.message("Done"))
 * const reply = Reply.events([...events.slice(0, -2), Reply.pause("5 seconds"), ...events.slice(-2)])
 * ```
 *
 * @category replies
 * @since 0.1.0
 */
export const pause = (duration: Duration.Input): Pause => ({
  type: "pause",
  duration: OptionCheck.duration("Reply.pause", "duration", duration)
})

/**
 * Answers with what an effect makes of the call. Its failure is the call's failure, and comes as it is.
 *
 * **Example** (Echoing the request)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([], {
 *   after: Reply.effect((call) => Effect.succeed(Reply.message(`${call.request.messages.length} messages`)))
 * })
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const message = yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   return message.content[0]
 * })
 *
 * const block = await Effect.runPromise(Effect.provide(program, Claude))
 * assert.deepStrictEqual(block, { type: "text", text: "1 messages", citations: null })
 * ```
 *
 * @category replies
 * @since 0.1.0
 */
export const effect = (answer: (call: Call) => Effect.Effect<Message, ClaudeError>): ComputedReply =>
  makeStep("effect", { _tag: "Computed", answer })
