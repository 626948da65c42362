import type { ContentBlock, Message } from "@anthropic-ai/sdk/resources/messages/messages"
import { StreamInterruptedError } from "@effect-claude/client/ClaudeError"
import * as ClaudeStream from "@effect-claude/client/ClaudeStream"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"

const messageOf = (content: ReadonlyArray<unknown>, changes: Partial<Message> = {}): Message =>
  ({
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-opus-5-5",
    container: null,
    diagnostics: null,
    content: content as Array<ContentBlock>,
    stop_details: null,
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { input_tokens: 12, output_tokens: 34, cache_read_input_tokens: 5, cache_creation_input_tokens: null },
    ...changes
  }) as Message

const text = (written: string, citations: unknown = null) => ({ type: "text", text: written, citations })
const citation = {
  type: "char_location",
  cited_text: "word",
  document_index: 0,
  start_char_index: 0,
  end_char_index: 4
}
const thinking = { type: "thinking", thinking: "Let me see", signature: "c2ln" }
const toolUse = (input: unknown) => ({ type: "tool_use", id: "toolu_1", name: "run", input })

const accumulated = (events: Iterable<MessageEvents.MessageEvent>) => {
  const accumulator = MessageEvents.makeAccumulator()
  for (const event of events) accumulator.add(event)
  return accumulator
}

describe("from a message to its events and back", () => {
  const messages: ReadonlyArray<readonly [string, Message]> = [
    ["no content", messageOf([])],
    ["text", messageOf([text("Hello, wörld 👋🏽")])],
    ["empty text", messageOf([text("")])],
    ["citations", messageOf([text("word", [citation, citation]), text("no citations", [])])],
    ["thinking", messageOf([thinking, text("So")])],
    ["redacted thinking", messageOf([{ type: "redacted_thinking", data: "abc" }])],
    [
      "tool input",
      messageOf([toolUse({ path: "/tmp", deep: [{ "a\n": null }], n: 1.5 })], { stop_reason: "tool_use" })
    ],
    ["empty tool input", messageOf([toolUse({})])],
    [
      "a tool of the server",
      messageOf([{ type: "server_tool_use", id: "srv_1", name: "web_search", input: { query: "x" } }])
    ],
    ["a block of a later version", messageOf([{ type: "hologram", beams: [1, 2] }])],
    [
      "a refusal",
      messageOf([], {
        stop_reason: "refusal",
        stop_details: { type: "refusal", category: "cyber", explanation: null }
      })
    ],
    ["a field of a later version", messageOf([text("x")], { mood: "fine" } as Partial<Message>)]
  ]
  for (const [name, message] of messages) {
    it(name, () => {
      const events = MessageEvents.fromMessage(message)
      const frozen = JSON.stringify(events)
      assert.deepStrictEqual(accumulated(events).message(), message)
      assert.strictEqual(JSON.stringify(events), frozen, "the events were changed")
    })
  }

  it("leaves out what a gateway has put in the place of blocks, citations and content", () => {
    const block = { ...text("Hello"), citations: {} }
    assert.deepStrictEqual(
      accumulated(MessageEvents.fromMessage(messageOf([null, block, 7, "text", { text: "untyped" }]))).message(),
      messageOf([block])
    )
    for (const content of [null, undefined, "Hello", {}]) {
      const message = { ...messageOf([]), content: content as Message["content"] }
      assert.deepStrictEqual(accumulated(MessageEvents.fromMessage(message)).message(), messageOf([]))
    }
  })

  const anyText = Effect.gen(function*() {
    const length = yield* Random.nextIntBetween(0, 12)
    let written = ""
    for (let i = 0; i < length; i++) written += String.fromCharCode(yield* Random.nextIntBetween(0, 0x10000))
    return written
  })
  const anyBlock = Effect.gen(function*() {
    const written = yield* anyText
    const blocks = [
      text(written),
      text(written, [citation]),
      { ...thinking, thinking: written },
      toolUse({ [written]: [written, 1, null] }),
      { type: "hologram", data: written }
    ]
    return yield* Effect.orDie(Random.choice(blocks))
  })

  it.effect("any message comes back, also with pings between its events, and each prefix is a part of it", () =>
    Effect.gen(function*() {
      for (let run = 0; run < 300; run++) {
        const blocks: Array<unknown> = []
        const count = yield* Random.nextIntBetween(0, 6)
        for (let i = 0; i < count; i++) blocks.push(yield* anyBlock)
        const message = messageOf(blocks)
        const events = MessageEvents.fromMessage(message).flatMap((event) => [event, { type: "ping" as const }])
        assert.deepStrictEqual(accumulated(events).message(), message)

        const whole = accumulated(events).partial().text
        for (let end = 0; end <= events.length; end++) {
          const partial = accumulated(events.slice(0, end)).partial()
          assert.isTrue(whole.startsWith(partial.text))
          assert.strictEqual(partial.events, events.slice(0, end).filter(({ type }) => type !== "ping").length)
          assert.isAtMost(partial.message?.content.length ?? 0, blocks.length)
        }
      }
    }).pipe(Random.withSeed("messages")))
})

describe("the accumulator", () => {
  const start = MessageEvents.fromMessage(messageOf([]))[0] as MessageEvents.MessageEvent
  const event = (value: object) => value as MessageEvents.MessageEvent
  const opened = (block: object, index = 0) => event({ type: "content_block_start", index, content_block: block })
  const delta = (value: object, index = 0) => event({ type: "content_block_delta", index, delta: value })
  const json = (partial_json: string, index = 0) => delta({ type: "input_json_delta", partial_json }, index)
  const stopped = (index = 0) => event({ type: "content_block_stop", index })
  const contentOf = (...events: ReadonlyArray<MessageEvents.MessageEvent>) =>
    accumulated([start, ...events]).message()?.content

  it("has no message before the first event", () => {
    assert.deepStrictEqual(accumulated([]).partial(), { text: "", events: 0 })
    assert.isUndefined(accumulated([opened(text(""))]).message())
  })

  it("puts pieces together", () => {
    const pieces = [json(`{"a`), json(`":1`), json("}")]
    assert.deepStrictEqual(contentOf(opened(toolUse({})), ...pieces, stopped()), [toolUse({ a: 1 })] as unknown)
    assert.deepStrictEqual(contentOf(opened(toolUse({})), json(""), stopped()), [toolUse({})] as unknown)
  })

  it("never makes an object of tool input that was cut", () => {
    const cut = `{"path":"/etc","cmd":"rm -rf /tm`
    assert.deepStrictEqual(contentOf(opened(toolUse({})), json(cut)), [toolUse(cut)] as unknown)
    assert.deepStrictEqual(contentOf(opened(toolUse({})), json(cut), stopped()), [toolUse(cut)] as unknown)
  })

  it("takes the last word on usage, field by field", () => {
    const usage = (counts: object) => event({ type: "message_delta", delta: { stop_reason: null }, usage: counts })
    const message = accumulated([
      start,
      usage({ output_tokens: 5, input_tokens: null }),
      usage({ cache_read_input_tokens: 9 })
    ]).message()
    assert.include(message?.usage, { input_tokens: 12, output_tokens: 5, cache_read_input_tokens: 9 })
  })

  it("keeps blocks in the order of their indexes", () => {
    assert.deepStrictEqual(contentOf(opened(text("b"), 1), opened(text("a"), 0)), [text("a"), text("b")] as unknown)
  })

  it("leaves out what makes no sense where it comes", () => {
    const say = (written: string) => delta({ type: "text_delta", text: written })
    assert.deepStrictEqual(
      contentOf(say("early"), opened(text("")), say("ok"), stopped(), say("late")),
      [text("ok")] as unknown
    )
    assert.deepStrictEqual(
      contentOf(opened(text("x")), event({ ...start, message: messageOf([]) })),
      [text("x")] as unknown
    )
    assert.deepStrictEqual(
      contentOf(opened(text("x")), delta({ type: "text_delta" }), delta({ type: "unheard_of" })),
      [text("x")] as unknown
    )
  })

  it.effect("never throws or hangs, whatever comes and in whatever order", () =>
    Effect.gen(function*() {
      const odd: ReadonlyArray<unknown> = [null, undefined, 0, -1, 1.5, 1e9, "0", "__proto__", "length", {}, [], "text"]
      const types = [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
        "error",
        "x",
        5,
        null
      ]
      const deltaTypes = [
        "text_delta",
        "thinking_delta",
        "signature_delta",
        "citations_delta",
        "input_json_delta",
        "x",
        null
      ]
      const any = <A>(values: ReadonlyArray<A>) => Effect.orDie(Random.choice(values))
      for (let run = 0; run < 2000; run++) {
        const accumulator = MessageEvents.makeAccumulator()
        for (let i = 0; i < 8; i++) {
          const value = {
            type: yield* any(types),
            index: yield* any([0, 0, 1, ...odd]),
            message: yield* any([messageOf([]), ...odd]),
            content_block: yield* any([text(""), toolUse({}), ...odd]),
            delta: yield* any([
              { type: yield* any(deltaTypes), text: yield* any(odd), partial_json: yield* any(odd) },
              ...odd
            ]),
            usage: yield* any([{ output_tokens: 1 }, ...odd])
          }
          accumulator.add((yield* any<unknown>([value, value, value, ...odd])) as MessageEvents.MessageEvent)
        }
        assert.isString(accumulator.partial().text)
        assert.isArray(accumulator.message()?.content ?? [])
      }
    }).pipe(Random.withSeed("events")))
})

describe("streams of events", () => {
  const events = Stream.fromIterable(
    MessageEvents.fromMessage(messageOf([thinking, text("Hello, "), toolUse({ a: 1 }), text("world")]))
  )

  it.effect("text is the text and nothing else", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Stream.mkString(MessageEvents.text(events)), "Hello, world")
    }))

  it.effect("message is run anew each time", () =>
    Effect.gen(function*() {
      const message = MessageEvents.message(events)
      assert.deepStrictEqual(yield* message, yield* message)
      assert.isUndefined(yield* MessageEvents.message(Stream.empty))
    }))

  it("content begins after the start of the message, pings are none", () => {
    const shown = [{ type: "ping" as const }, ...MessageEvents.fromMessage(messageOf([text("x")]))].map(
      MessageEvents.isContent
    )
    assert.deepStrictEqual(shown.slice(0, 3), [false, false, true])
  })
})

describe("a restart", () => {
  const error = new StreamInterruptedError({ message: "cut" })
  const restart = (from: number): MessageEvents.MessageEvent => ({ type: "restart", from, error })
  const two = MessageEvents.fromMessage(messageOf([text("one"), text("two")]))
  // The first block whole, the second one open.
  const begun = two.slice(0, 6)
  const whole = MessageEvents.fromMessage(messageOf([text("other")]))

  it("takes back all of an answer, or what comes from a block on", () => {
    const accumulator = accumulated([...begun, restart(0)])
    assert.deepStrictEqual(accumulator.partial(), { text: "", events: 0 })
    assert.deepStrictEqual(accumulated([...begun, restart(0), ...whole]).message(), messageOf([text("other")]))

    const kept = accumulated([...begun, restart(1)]).partial()
    assert.strictEqual(kept.text, "one")
    assert.isUndefined(kept.unfinished)
    assert.deepStrictEqual(accumulated(begun).partial().unfinished, [1])
    assert.deepStrictEqual(
      accumulated([...begun, restart(1), ...two.slice(4)]).message(),
      messageOf([text("one"), text("two")])
    )
  })

  const run = <A, E>(stream: Stream.Stream<A, E>) =>
    Effect.gen(function*() {
      const seen: Array<A> = []
      const exit = yield* Effect.result(Stream.runForEach(stream, (value) => Effect.sync(() => seen.push(value))))
      return { seen, failed: exit._tag === "Failure" ? exit.failure : undefined }
    })

  it.effect("ends a text that it takes back something of, behind what came before it", () =>
    Effect.gen(function*() {
      for (const chunkSize of [1, 100]) {
        const events = (...all: ReadonlyArray<MessageEvents.MessageEvent>) => Stream.fromIterable(all, { chunkSize })
        assert.deepStrictEqual(yield* run(MessageEvents.text(events(...begun, restart(1), ...two.slice(4)))), {
          seen: ["one", "two"],
          failed: error
        })
        // A thought is taken back, and nobody has read it here.
        const thought = MessageEvents.fromMessage(messageOf([text("one"), thinking])).slice(0, 6)
        assert.deepStrictEqual(yield* run(MessageEvents.text(events(...thought, restart(1), ...two.slice(4)))), {
          seen: ["one", "two"],
          failed: undefined
        })
      }
    }))

  it.effect("becomes an update with the text that stays", () =>
    Effect.gen(function*() {
      const events = Stream.fromIterable<MessageEvents.MessageEvent>([
        ...begun,
        restart(1),
        ...two.slice(4),
        restart(0),
        ...whole
      ])
      assert.deepStrictEqual((yield* run(ClaudeStream.textUpdates(events))).seen, [
        { text: "one", replaces: false },
        { text: "two", replaces: false },
        { text: "one", replaces: true },
        { text: "two", replaces: false },
        { text: "", replaces: true },
        { text: "other", replaces: false }
      ])
    }))

  it.effect("a stream without a message has none to give", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Effect.flip(ClaudeStream.message(Stream.empty)))._tag, "InvalidResponseError")
      const message = yield* ClaudeStream.message(
        Stream.fromIterable<MessageEvents.MessageEvent>([...begun, restart(0), ...whole])
      )
      assert.deepStrictEqual(message, messageOf([text("other")]))
    }))
})
