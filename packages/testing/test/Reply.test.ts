import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import { OverloadedError } from "@effect-claude/client/ClaudeError"
import type { MessageRequest } from "@effect-claude/client/ClaudeService"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import type { MessageEvent } from "@effect-claude/client/MessageEvents"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import { CurrentAttempt } from "@effect-claude/resilience/Attempt"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as ClaudeTest from "../src/ClaudeTest.ts"
import * as Fault from "../src/Fault.ts"
import * as Reply from "../src/Reply.ts"
import * as VirtualTime from "../src/VirtualTime.ts"

const request: MessageRequest = {
  model: "claude-opus-5-5",
  max_tokens: 100,
  messages: [{ role: "user", content: "Hello" }]
}

const create = ClaudeService.use((claude) => claude.createMessage(request))
const events = ClaudeService.use((claude) => Stream.runCollect(claude.streamMessage(request)))
const assembled = ClaudeService.use((claude) => MessageEvents.message(claude.streamMessage(request)))
const count = ClaudeService.use((claude) => claude.countTokens({ model: request.model, messages: request.messages }))

/** What of a message goes over the wire: its `AnswerInfo` does not. */
const json = (message: unknown): unknown => JSON.parse(JSON.stringify(message))

const from = (...steps: ReadonlyArray<ClaudeTest.Step>) => Effect.provide(ClaudeTest.script(steps))

describe("Reply", () => {
  describe("message", () => {
    it("is a whole message, the same each time", () => {
      const message = Reply.message("Hello, world!")
      assert.deepStrictEqual(message, Reply.message("Hello, world!"))
      assert.deepStrictEqual(message, {
        id: "msg_test",
        type: "message",
        role: "assistant",
        model: "claude-sonnet-5-5",
        content: [{ type: "text", text: "Hello, world!", citations: null }],
        stop_reason: "end_turn",
        stop_sequence: null,
        stop_details: null,
        usage: {
          input_tokens: 10,
          output_tokens: 4,
          cache_creation: null,
          cache_creation_input_tokens: 0,
          cache_read_input_tokens: 0,
          inference_geo: null,
          output_tokens_details: null,
          server_tool_use: null,
          service_tier: "standard",
          speed: "standard"
        },
        container: null,
        diagnostics: null
      })
    })

    it("takes overrides, of usage one by one", () => {
      const message = Reply.message("Hi", { stop_reason: "max_tokens", usage: { input_tokens: 500 } })
      assert.strictEqual(message.stop_reason, "max_tokens")
      assert.strictEqual(message.usage.input_tokens, 500)
      assert.strictEqual(message.usage.output_tokens, 1)
    })

    it("changes a message and leaves the original alone", () => {
      const original = Reply.message("Hi", { usage: { input_tokens: 500 } })
      const changed = Reply.message(original, { id: "msg_other" })
      assert.strictEqual(changed.id, "msg_other")
      assert.strictEqual(changed.usage.input_tokens, 500)
      assert.strictEqual(original.id, "msg_test")
    })
  })

  describe("text", () => {
    it.effect("has the model of the request and an id of its own", () =>
      Effect.gen(function*() {
        const first = yield* create
        const second = yield* create
        assert.deepStrictEqual([first.id, second.id], ["msg_test_1", "msg_test_2"])
        assert.strictEqual(first.model, "claude-opus-5-5")
        const info = AnswerInfo.of(first)
        assert.deepInclude(info, { attempt: 4, requestId: "req_test_1", source: { _tag: "Requested" } })
      }).pipe(Effect.provideService(CurrentAttempt, 4), from(Reply.text("One"), Reply.text("Two"))))

    it.effect("streams small deltas and a ping after the start", () =>
      Effect.gen(function*() {
        const types = (yield* events).map((event) => event.type)
        assert.deepStrictEqual(types, [
          "message_start",
          "ping",
          "content_block_start",
          "content_block_delta",
          "content_block_delta",
          "content_block_stop",
          "message_delta",
          "message_stop"
        ])
      }).pipe(from(Reply.text("Hello, world!"))))

    it.effect.prop("streams what it answers", [Schema.String], ([text]) =>
      Effect.gen(function*() {
        const created = yield* create
        assert.deepStrictEqual(json(yield* assembled), json({ ...created, id: "msg_test_2" }))
        assert.strictEqual(created.content[0]?.type === "text" && created.content[0].text, text)
        const deltas = (yield* events).flatMap((event) =>
          event.type === "content_block_delta" && event.delta.type === "text_delta" ? [event.delta.text] : []
        )
        assert.strictEqual(deltas.join(""), text)
        for (const delta of deltas) assert.isAtMost(Array.from(delta).length, 8)
      }).pipe(from(Reply.text(text), Reply.text(text), Reply.text(text))))

    it.effect("never splits a character", () =>
      Effect.gen(function*() {
        const claude = yield* ClaudeService
        const pieces = yield* Stream.runCollect(MessageEvents.text(claude.streamMessage(request)))
        assert.deepStrictEqual(pieces, ["😀".repeat(8), "😀".repeat(2)])
      }).pipe(from(Reply.text("😀".repeat(10)))))

    it.effect("counts the input tokens of its usage", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* count, { input_tokens: 10 })
        assert.deepStrictEqual(yield* count, { input_tokens: 2095 })
      }).pipe(from(Reply.text("Hi"), Reply.text("Hi", { usage: { input_tokens: 2095 } }))))
  })

  it.effect("tool asks for a tool, streamed in pieces of JSON", () =>
    Effect.gen(function*() {
      const created = yield* create
      assert.strictEqual(created.stop_reason, "tool_use")
      assert.deepStrictEqual(created.content, [{
        type: "tool_use",
        id: "toolu_test_1",
        name: "get_weather",
        input: { city: "Oslo" },
        caller: { type: "direct" }
      }])
      const streamed = yield* assembled
      assert.deepStrictEqual(json(streamed?.content), [{ ...created.content[0], id: "toolu_test_2" }])
    }).pipe(from(Reply.tool("get_weather", { city: "Oslo" }), Reply.tool("get_weather", { city: "Oslo" }))))

  it.effect("of answers with the very message", () => {
    const rateLimits = { requests: { limit: 50, remaining: 49 } }
    const message = AnswerInfo.annotate(Reply.message("Hi"), { rateLimits, requestId: "req_mine" })
    return Effect.gen(function*() {
      const answers = [yield* create, yield* assembled]
      for (const answer of answers) {
        assert.deepStrictEqual(json(answer), json(message))
        assert.deepInclude(AnswerInfo.of(answer ?? {}), { rateLimits, requestId: "req_mine", attempt: 1 })
      }
    }).pipe(from(Reply.of(message), Reply.of(message)))
  })

  describe("events", () => {
    const whole = MessageEvents.fromMessage(Reply.message("Hello, world!"))
    const ping: MessageEvent = { type: "ping" }

    it.effect("come as they are, one at a time", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(
          (yield* events).map((event) => event.type),
          ["ping", ...whole.map((event) => event.type)]
        )
        const claude = yield* ClaudeService
        const chunks = yield* Stream.runCollect(Stream.chunks(claude.streamMessage(request)))
        assert.isTrue(chunks.every((chunk) => chunk.length === 1))
      }).pipe(from(Reply.events([ping, ...whole]), Reply.events(whole))))

    it.effect("pass their pauses on the clock", () => {
      const slow = [...whole.slice(0, 1), Reply.pause("20 seconds"), ping, Reply.pause("20 seconds"), ...whole.slice(1)]
      return Effect.gen(function*() {
        const claude = yield* ClaudeService
        const times: Array<readonly [string, number]> = []
        const streaming = yield* Effect.forkChild(Stream.runForEach(
          claude.streamMessage(request),
          (event) => Effect.map(Clock.currentTimeMillis, (now) => times.push([event.type, now]))
        ))
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(streaming)
        assert.deepStrictEqual(times.slice(0, 3), [["message_start", 0], ["ping", 20_000], [
          "content_block_start",
          40_000
        ]])

        const creating = yield* Effect.forkChild(create)
        yield* TestClock.adjust("39999 millis")
        assert.isUndefined(creating.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual((yield* Fiber.join(creating)).content, Reply.message("Hello, world!").content)
      }).pipe(from(Reply.events(slow), Reply.events(slow)))
    })

    it.effect("that stop too early are an error, that lack message_stop alone are not", () =>
      Effect.gen(function*() {
        const early = yield* Effect.flip(events)
        assert.strictEqual(early._tag, "StreamInterruptedError")
        assert.strictEqual((yield* Effect.flip(create))._tag, "InvalidResponseError")
        assert.strictEqual((yield* Effect.flip(events))._tag, "InvalidResponseError")
        assert.strictEqual((yield* create).stop_reason, "end_turn")
        assert.strictEqual((yield* events).at(-1)?.type, "message_stop")
      }).pipe(from(
        Reply.events(whole.slice(0, 3)),
        Reply.events(whole.slice(0, 3)),
        Reply.events([]),
        Reply.events(whole.slice(0, -1)),
        Reply.events(whole.slice(0, -1))
      )))

    it.effect("after message_stop are not read", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* events).length, whole.length)
      }).pipe(from(Reply.events([...whole, ping, Reply.pause("1 hour"), ...whole]))))

    it.effect("stall with an infinite pause", () =>
      Effect.gen(function*() {
        for (const call of [Effect.asVoid(create), Effect.asVoid(events)]) {
          const fiber = yield* Effect.forkChild(call)
          yield* TestClock.adjust("365 days")
          assert.isUndefined(fiber.pollUnsafe())
          yield* Fiber.interrupt(fiber)
        }
      }).pipe(Effect.provide(ClaudeTest.script([], {
        after: Reply.events([...whole.slice(0, 2), Reply.pause(Number.POSITIVE_INFINITY), ...whole.slice(2)])
      }))))

    it("refuse a wrong pause", () => {
      assert.throws(
        () => Reply.pause(-1),
        RangeError,
        `Reply.pause: option "duration" must be a duration of zero or more, got -1`
      )
    })
  })

  it.effect("stream has the pieces and the pauses where they stand", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const timed = yield* VirtualTime.run(Stream.runCollect(
        Stream.mapEffect(claude.streamMessage(request), (event) =>
          Effect.map(Clock.currentTimeMillis, (at) =>
            event.type === "content_block_delta" && event.delta.type === "text_delta"
              ? [at, event.delta.text]
              : [at, event.type]))
      ))
      assert.deepStrictEqual(timed, [
        [0, "message_start"],
        [0, "ping"],
        [0, "content_block_start"],
        [2_000, "One "],
        [2_000, ""],
        [2_000, "two"],
        [5_000, "content_block_stop"],
        [5_000, "message_delta"],
        [5_000, "message_stop"]
      ])
      const message = yield* VirtualTime.run(create)
      assert.deepStrictEqual(message.content, Reply.message("One two").content)
      assert.deepInclude(message, { id: "msg_test_2", model: "claude-opus-5-5", stop_reason: "max_tokens" })
      assert.strictEqual(yield* Clock.currentTimeMillis, 10_000)
    }).pipe(Effect.provide(ClaudeTest.always(
      Reply.stream([Reply.pause("2 seconds"), "One ", "", "two", Reply.pause("3 seconds")], {
        stop_reason: "max_tokens"
      })
    ))))

  it.effect("stream of nothing but time is an empty text", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* VirtualTime.run(assembled))?.content.length, 1)
      assert.strictEqual(yield* Clock.currentTimeMillis, 1_000)
    }).pipe(from(Reply.stream([Reply.pause("1 second")]))))

  it.effect("stream can be broken off like any other reply", () =>
    Effect.gen(function*() {
      const error = yield* VirtualTime.run(Effect.flip(events))
      assert.strictEqual("partial" in error && error.partial?.text, "One ")
      assert.strictEqual(yield* Clock.currentTimeMillis, 2_000)
    }).pipe(from(Fault.cutStream({
      afterEvents: 3,
      reply: Reply.stream(["One ", Reply.pause("2 seconds"), "two"]).pipe(ClaudeTest.delayed("2 seconds"))
    }))))

  it.effect("blocks has them all, and says that there is a tool to run", () =>
    Effect.gen(function*() {
      const content = [
        { type: "thinking" as const, thinking: "Hm", signature: "c2ln" },
        { type: "tool_use" as const, id: "toolu_1", name: "a", input: {}, caller: { type: "direct" as const } }
      ]
      const message = yield* create
      assert.deepStrictEqual(message.content, content)
      assert.deepInclude(message, { id: "msg_test_1", stop_reason: "tool_use" })
      assert.deepStrictEqual((yield* assembled)?.content, content)
    }).pipe(Effect.provide(ClaudeTest.always(Reply.blocks([
      { type: "thinking", thinking: "Hm", signature: "c2ln" },
      { type: "tool_use", id: "toolu_1", name: "a", input: {}, caller: { type: "direct" } }
    ])))))

  it.effect("effect sees the call and makes its answer or its failure", () => {
    const error = new OverloadedError({ message: "mine" })
    const reply = Reply.effect(({ attempt, model, number, request: asked }) =>
      number === 2
        ? Effect.fail(error)
        : Effect.succeed(Reply.message(`${number} ${attempt} ${model} ${asked.messages.length}`))
    )
    return Effect.gen(function*() {
      assert.deepStrictEqual((yield* create).content, Reply.message("1 1 claude-opus-5-5 1").content)
      assert.strictEqual(yield* Effect.flip(events), error)
      assert.deepStrictEqual((yield* assembled)?.content, Reply.message("3 1 claude-opus-5-5 1").content)
      assert.deepStrictEqual(yield* count, { input_tokens: 10 })
    }).pipe(Effect.provide(ClaudeTest.script([], { after: reply })))
  })
})
