/**
 * The events of a streamed message: telling them apart, putting them together, and making them from a message.
 *
 * **Example** (Turning a stream of events into a message)
 *
 * ```ts
 * import * as MessageEvents from "@effect-claude/client/MessageEvents"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const events = Stream.fromIterable(MessageEvents.fromMessage(Reply.message("Hello!")))
 *
 * const text = await Effect.runPromise(Stream.mkString(MessageEvents.text(events)))
 * assert.strictEqual(text, "Hello!")
 *
 * const message = await Effect.runPromise(MessageEvents.message(events))
 * assert.strictEqual(message?.stop_reason, "end_turn")
 * ```
 *
 * @since 0.1.0
 */
import type {
  ContentBlock,
  Message,
  RawContentBlockDelta,
  RawMessageStreamEvent
} from "@anthropic-ai/sdk/resources/messages/messages"
import type { NonEmptyReadonlyArray } from "effect/Array"
import { isReadonlyArrayNonEmpty } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import * as AnswerInfo from "./AnswerInfo.ts"
import type { ClaudeError, PartialAnswer } from "./ClaudeError.ts"
import { contentOf } from "./internal/answer/blocks.ts"
import { isWellFormed } from "./internal/eventShape.ts"
import { makeTextTrack } from "./internal/stream/TextTrack.ts"
import { updatedUsage } from "./internal/stream/usageSum.ts"

/**
 * The server's sign of life in a stream. Carries nothing; the SDK drops it.
 *
 * @category models
 * @since 0.1.0
 */
export interface PingEvent {
  readonly type: "ping"
}

/**
 * Takes back what a stream has emitted: the blocks from index `from` on are void, because the answer broke off and is made
 * anew from there. Emitted by `ClaudeLayer.withStreamRecovery` only.
 *
 * **Details**
 *
 * With a `from` of 0 the whole answer is void, and a new `message_start` follows. With a larger one the blocks before stay, and
 * the next block has the index `from`. `error` is why.
 *
 * @category models
 * @since 0.1.0
 */
export interface RestartEvent {
  readonly type: "restart"
  readonly from: number
  readonly error: ClaudeError
}

/**
 * An event of a streamed message: those of the SDK's types, pings, and, from a stream that was recovered, restarts.
 *
 * @category models
 * @since 0.1.0
 */
export type MessageEvent = RawMessageStreamEvent | PingEvent | RestartEvent

/**
 * Whether an event is a ping.
 *
 * **Example** (Dropping the pings)
 *
 * ```ts
 * import { isPing } from "@effect-claude/client/MessageEvents"
 * import { assert } from "@effect/vitest"
 *
 * assert.isTrue(isPing({ type: "ping" }))
 * assert.isFalse(isPing({ type: "message_stop" }))
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isPing = (event: MessageEvent): event is PingEvent => event.type === "ping"

/**
 * Whether an event takes back what came before it.
 *
 * **Example** (Seeing what a restart takes back)
 *
 * ```ts
 * import { StreamInterruptedError } from "@effect-claude/client/ClaudeError"
 * import { isRestart } from "@effect-claude/client/MessageEvents"
 * import { assert } from "@effect/vitest"
 *
 * const error = new StreamInterruptedError({ message: "The connection was lost during the stream" })
 * assert.isTrue(isRestart({ type: "restart", from: 0, error }))
 * assert.isFalse(isRestart({ type: "ping" }))
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isRestart = (event: MessageEvent): event is RestartEvent => event.type === "restart"

/**
 * Whether an event carries, or opens, content of the answer. From the first such event on, an attempt cannot be repeated
 * without repeating what the consumer has seen.
 *
 * **Example** (Finding the point of no return)
 *
 * ```ts
 * import { fromMessage, isContent } from "@effect-claude/client/MessageEvents"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 *
 * assert.deepStrictEqual(
 *   fromMessage(Reply.message("Hi")).map((event) => [event.type, isContent(event)]).slice(0, 2),
 *   [["message_start", false], ["content_block_start", true]]
 * )
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isContent = (event: MessageEvent): boolean => event.type !== "ping" && event.type !== "message_start"

/**
 * The text of an answer as it comes. Thinking, tool input and citations are left out.
 *
 * **Gotchas**
 *
 * What was emitted here cannot be taken back. At a restart that would take back text the stream fails with the error that the
 * restart carries, so that no character comes twice; `ClaudeStream.textUpdates` is for consumers who can replace what they
 * showed.
 *
 * **Example** (Printing an answer while it is written)
 *
 * ```ts
 * import * as MessageEvents from "@effect-claude/client/MessageEvents"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const events = Stream.fromIterable(MessageEvents.fromMessage(Reply.message("Hello!")))
 * const pieces = await Effect.runPromise(Stream.runCollect(MessageEvents.text(events)))
 * assert.strictEqual(pieces.join(""), "Hello!")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const text = <E, R>(events: Stream.Stream<MessageEvent, E, R>): Stream.Stream<string, E | ClaudeError, R> =>
  Stream.transformPull(events, (pull) =>
    Effect.sync(() => {
      const track = makeTextTrack()
      let failure: ClaudeError | undefined

      const pieces = (chunk: NonEmptyReadonlyArray<MessageEvent>): Array<string> => {
        const out: Array<string> = []
        for (const event of chunk) {
          if (event.type === "content_block_delta" && event.delta.type === "text_delta") {
            track.add(event.index, event.delta.text)
            out.push(event.delta.text)
          } else if (event.type === "restart" && track.cut(event.from)) {
            failure = event.error
            break
          }
        }
        return out
      }

      const next: Pull.Pull<NonEmptyReadonlyArray<string>, E | ClaudeError> = Effect.suspend(() =>
        failure !== undefined ? Effect.fail(failure) : Effect.flatMap(pull, (chunk) => {
          const out = pieces(chunk)
          return isReadonlyArrayNonEmpty(out) ? Effect.succeed(out) : next
        })
      )
      return next
    }))

/**
 * Runs a stream of events and puts its message together. `undefined` for a stream without any.
 *
 * **Example** (Waiting for the whole message)
 *
 * ```ts
 * import * as MessageEvents from "@effect-claude/client/MessageEvents"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const events = Stream.fromIterable(MessageEvents.fromMessage(Reply.message("Hello!")))
 * const message = await Effect.runPromise(MessageEvents.message(events))
 * assert.deepStrictEqual(message?.content, Reply.message("Hello!").content)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const message = <E, R>(events: Stream.Stream<MessageEvent, E, R>): Effect.Effect<Message | undefined, E, R> =>
  Effect.suspend(() => {
    const accumulator = makeAccumulator()
    return Effect.map(
      Stream.runForEach(events, (event) => Effect.sync(() => accumulator.add(event))),
      () => accumulator.message()
    )
  })

/**
 * Puts a message together, event by event.
 *
 * @category models
 * @since 0.1.0
 */
export interface Accumulator {
  readonly add: (event: MessageEvent) => void
  /** The message as far as it got, `undefined` before `message_start`. Unfinished tool input stays a string of JSON. */
  readonly message: () => Message | undefined
  readonly partial: () => PartialAnswer
}

const parsed = (json: string): unknown => {
  if (json === "") return {}
  try {
    return JSON.parse(json)
  } catch {
    return json
  }
}

/** A block as far as it got. */
interface OpenBlock {
  content: Record<string, unknown>
  /** The input of a tool, which comes as pieces of JSON; `undefined` as long as none came. */
  input: string | undefined
  isOpen: boolean
}

const appended = (text: unknown, more: unknown): string =>
  (Predicate.isString(text) ? text : "") + (Predicate.isString(more) ? more : "")

const asArray = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

const applyDelta = (block: OpenBlock, delta: RawContentBlockDelta): void => {
  const { content } = block
  switch (delta.type) {
    case "text_delta":
      content["text"] = appended(content["text"], delta.text)
      break
    case "thinking_delta":
      content["thinking"] = appended(content["thinking"], delta.thinking)
      break
    case "signature_delta":
      content["signature"] = delta.signature
      break
    case "citations_delta":
      content["citations"] = [...asArray(content["citations"]), delta.citation]
      break
    case "input_json_delta":
      block.input = appended(block.input, delta.partial_json)
      break
  }
}

/**
 * Starts putting a message together from its events.
 *
 * **Details**
 *
 * Copies what it changes, so the events can be kept. An event that makes no sense where it comes is left out: the stream
 * itself reports what is wrong with it.
 *
 * **Example** (Looking at an answer half way)
 *
 * ```ts
 * import { fromMessage, makeAccumulator } from "@effect-claude/client/MessageEvents"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 *
 * const accumulator = makeAccumulator()
 * for (const event of fromMessage(Reply.message("Hello!")).slice(0, 3)) accumulator.add(event)
 * assert.strictEqual(accumulator.partial().text, "Hello!")
 * assert.isNull(accumulator.message()?.stop_reason)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeAccumulator = (): Accumulator => {
  let start: Message | undefined
  let end: Partial<Message> = {}
  let events = 0
  // By index and not as an array: an index is whatever a server sent.
  const blocks = new Map<number, OpenBlock>()

  const takeBack = (from: number): void => {
    if (from <= 0) start = undefined
    for (const index of blocks.keys()) if (index >= from) blocks.delete(index)
    end = {}
    if (from <= 0) events = 0
  }

  const add = (event: MessageEvent): void => {
    if (!isWellFormed(event) || event.type === "ping") return
    events++
    switch (event.type) {
      case "message_start":
        start ??= event.message
        break
      case "content_block_start":
        blocks.set(event.index, { content: { ...event.content_block }, input: undefined, isOpen: true })
        break
      case "content_block_delta": {
        const block = blocks.get(event.index)
        if (block?.isOpen === true) applyDelta(block, event.delta)
        break
      }
      case "content_block_stop": {
        const block = blocks.get(event.index)
        if (block?.isOpen !== true) break
        block.isOpen = false
        if (block.input !== undefined) block.content["input"] = parsed(block.input)
        break
      }
      case "message_delta":
        end = { ...end, ...event.delta, ...mergedUsage(end.usage ?? start?.usage, event.usage) }
        break
      case "restart":
        takeBack(event.from)
        break
      case "message_stop":
        break
    }
  }

  const inOrder = (): ReadonlyArray<OpenBlock> =>
    [...blocks].sort(([one], [other]) => one - other).map(([, block]) => block)

  const message = (): Message | undefined => {
    if (start === undefined) return undefined
    const content = inOrder().map(({ content, input, isOpen }) =>
      (isOpen && input !== undefined ? { ...content, input } : { ...content }) as unknown as ContentBlock
    )
    const { parts } = AnswerInfo.of(end)
    // What the end says of the parts is added to what the start says of the answer, and does not replace it.
    return parts === undefined
      ? { ...start, ...end, content }
      : AnswerInfo.annotate({ ...start, ...end, content, [AnswerInfo.Key]: AnswerInfo.of(start) }, { parts })
  }

  const partial = (): PartialAnswer => {
    const snapshot = message()
    const ordered = inOrder()
    const text = ordered.map(({ content }) => appended("", content["text"])).join("")
    const unfinished = ordered.flatMap(({ isOpen }, position) => isOpen ? [position] : [])
    return {
      ...(snapshot === undefined ? undefined : { message: snapshot }),
      text,
      events,
      ...(unfinished.length === 0 ? undefined : { unfinished })
    }
  }

  return { add, message, partial }
}

const mergedUsage = (known: Message["usage"] | undefined, usage: unknown): { readonly usage?: Message["usage"] } =>
  Predicate.isObject(usage) ? { usage: updatedUsage({ ...known }, usage) as unknown as Message["usage"] } : {}

interface Streamed {
  readonly empty: ContentBlock
  readonly deltas: ReadonlyArray<RawContentBlockDelta>
}

const streamed = (block: ContentBlock): Streamed => {
  switch (block.type) {
    case "text":
      return {
        empty: { ...block, text: "", ...(Array.isArray(block.citations) ? { citations: [] } : undefined) },
        deltas: [
          { type: "text_delta", text: block.text },
          ...(Array.isArray(block.citations) ? block.citations : [])
            .map((citation) => ({ type: "citations_delta" as const, citation }))
        ]
      }
    case "thinking":
      return {
        empty: { ...block, thinking: "", signature: "" },
        deltas: [
          { type: "thinking_delta", thinking: block.thinking },
          { type: "signature_delta", signature: block.signature }
        ]
      }
    case "tool_use":
    case "server_tool_use":
      return {
        empty: { ...block, input: {} },
        deltas: [{ type: "input_json_delta", partial_json: JSON.stringify(block.input) ?? "" }]
      }
    default:
      return { empty: block, deltas: [] }
  }
}

/**
 * The events that a message would have been streamed as, one delta a block.
 *
 * **When to use**
 *
 * Use to answer a stream with a message that is already there: a static fallback, a cached answer, a test.
 *
 * **Details**
 *
 * What a gateway has put in the place of blocks is left out.
 *
 * **Example** (Listing the events of a message)
 *
 * ```ts
 * import { fromMessage } from "@effect-claude/client/MessageEvents"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 *
 * assert.deepStrictEqual(fromMessage(Reply.message("Hi")).map((event) => event.type), [
 *   "message_start",
 *   "content_block_start",
 *   "content_block_delta",
 *   "content_block_stop",
 *   "message_delta",
 *   "message_stop"
 * ])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromMessage = (message: Message): ReadonlyArray<RawMessageStreamEvent> => [
  {
    type: "message_start",
    message: {
      ...message,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { ...message.usage, output_tokens: 0 }
    }
  },
  ...contentOf(message).flatMap((block, index): ReadonlyArray<RawMessageStreamEvent> => {
    const parts = streamed(block)
    return [
      { type: "content_block_start", index, content_block: parts.empty },
      ...parts.deltas.map((delta) => ({ type: "content_block_delta" as const, index, delta })),
      { type: "content_block_stop", index }
    ]
  }),
  {
    type: "message_delta",
    delta: {
      container: message.container,
      stop_details: message.stop_details,
      stop_reason: message.stop_reason,
      stop_sequence: message.stop_sequence
    },
    usage: message.usage
  },
  { type: "message_stop" }
]
