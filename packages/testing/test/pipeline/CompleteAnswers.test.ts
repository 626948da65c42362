import type { ContentBlock, Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import * as ClaudeAnswer from "@effect-claude/client/ClaudeAnswer"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService, type MessageRequest } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { asked } from "./fallbackSupport.ts"
import { calls, request, using } from "./support.ts"

const text = (text: string): ContentBlock => ({ type: "text", text, citations: null })
const search = (id: string): ContentBlock => ({
  type: "server_tool_use",
  id,
  name: "web_search",
  input: { query: id },
  caller: { type: "direct" }
})

const paused = (content: Array<ContentBlock>, overrides: Reply.Overrides = {}): Message =>
  Reply.message("", {
    content,
    stop_reason: "pause_turn",
    usage: { input_tokens: 100, output_tokens: 10, cache_read_input_tokens: 50 },
    ...overrides
  })

const done = (content: Array<ContentBlock>, overrides: Reply.Overrides = {}): Message =>
  paused(content, { stop_reason: "end_turn", ...overrides })

/** A stream that is well formed: one start, blocks that open and close in order, and an end if it has one. */
const assemble = (events: ReadonlyArray<MessageEvents.MessageEvent>): Message => {
  const accumulator = MessageEvents.makeAccumulator()
  let next = 0
  let open: number | undefined
  const seen = events.filter((event) => !MessageEvents.isPing(event))
  for (const [position, event] of seen.entries()) {
    accumulator.add(event)
    assert.strictEqual(event.type === "message_start", position === 0)
    switch (event.type) {
      case "restart":
        next = event.from
        open = undefined
        break
      case "message_start":
        break
      case "content_block_start":
        assert.isUndefined(open)
        assert.strictEqual(event.index, next)
        open = next
        next += 1
        break
      case "content_block_delta":
        assert.strictEqual(event.index, open)
        break
      case "content_block_stop":
        assert.strictEqual(event.index, open)
        open = undefined
        break
      case "message_delta":
        assert.strictEqual(position, seen.length - 2)
        break
      case "message_stop":
        assert.strictEqual(position, seen.length - 1)
        break
    }
  }
  return accumulator.message() as Message
}

interface Run {
  readonly message: Message | undefined
  readonly error: ClaudeError | undefined
  /** What a consumer of the stream saw, whichever way it ended. */
  readonly seen: Message | undefined
}

const whole = (asked: MessageRequest = request) =>
  Effect.gen(function*() {
    const claude = yield* ClaudeService
    return yield* claude.createMessage(asked).pipe(Effect.match({
      onFailure: (error): Run => ({ message: undefined, error, seen: undefined }),
      onSuccess: (message): Run => ({ message, error: undefined, seen: message })
    }))
  })

const streamed = (asked: MessageRequest = request) =>
  Effect.gen(function*() {
    const claude = yield* ClaudeService
    const events: Array<MessageEvents.MessageEvent> = []
    const error = yield* claude.streamMessage(asked).pipe(
      Stream.runForEach((event) => Effect.sync(() => events.push(event))),
      Effect.match({ onFailure: (error) => error, onSuccess: () => undefined })
    )
    const seen = events.length === 0 ? undefined : assemble(events)
    if (error !== undefined) assert.isUndefined(events.find(({ type }) => type === "message_delta"))
    return { message: error === undefined ? seen : undefined, error, seen } satisfies Run
  })

const ways = [["a message", whole], ["a stream", streamed]] as const

const { withCompleteAnswers } = ClaudeLayer

for (const [way, run] of ways) {
  describe(`withCompleteAnswers: ${way}`, () => {
    it.effect("a whole answer passes as it is", () =>
      Effect.gen(function*() {
        const { message } = yield* run()
        assert.deepStrictEqual(message?.content, [text("Hello")])
        assert.isUndefined(AnswerInfo.of(message ?? {}).turns)
        assert.deepStrictEqual(message?.usage, done([text("Hello")]).usage)
      }).pipe((test) => using(test, ClaudeTest.script([Reply.of(done([text("Hello")]))]).pipe(withCompleteAnswers()))))

    it.effect("a paused turn goes back as it came, until it is done: one message, usage added up", () =>
      Effect.gen(function*() {
        const { message } = yield* run()
        assert.deepStrictEqual(message?.content, [text("One "), search("1"), search("2"), text("two."), text(" Done.")])
        assert.strictEqual(message?.stop_reason, "end_turn")
        assert.strictEqual(message?.id, "msg_1")
        assert.deepInclude(message?.usage, {
          input_tokens: 300,
          output_tokens: 30,
          cache_read_input_tokens: 150,
          service_tier: "standard"
        })
        assert.deepStrictEqual(
          AnswerInfo.of(message ?? {}).turns?.map(({ id, stopReason, usage }) => [id, stopReason, usage.outputTokens]),
          [["msg_1", "pause_turn", 10], ["msg_2", "pause_turn", 10], ["msg_3", "end_turn", 10]]
        )
        const [first, second, third] = (yield* calls).map((call) => call.request)
        assert.deepStrictEqual(first, request)
        assert.deepStrictEqual(second, {
          ...request,
          messages: [...request.messages, { role: "assistant", content: [text("One "), search("1")] }]
        })
        assert.deepStrictEqual(third, {
          ...request,
          messages: [...request.messages, {
            role: "assistant",
            content: [text("One "), search("1"), search("2"), text("two.")]
          }]
        })
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([
            Reply.of(paused([text("One "), search("1")], { id: "msg_1" })),
            Reply.of(paused([search("2"), text("two.")], { id: "msg_2" })),
            Reply.of(done([text(" Done.")], { id: "msg_3" }))
          ]).pipe(withCompleteAnswers())
        )
      ))

    it.effect("is bounded, and what there is of the answer is in the error", () =>
      Effect.gen(function*() {
        const { error, seen } = yield* run()
        assert.strictEqual(error?._tag, "OutputTruncatedError")
        assert.strictEqual(error?._tag === "OutputTruncatedError" ? error.stopReason : "", "pause_turn")
        assert.strictEqual(error?.partial?.text, "more ".repeat(11))
        assert.strictEqual(error?.partial?.message?.usage.output_tokens, 110)
        assert.strictEqual((yield* calls).length, 11)
        if (seen !== undefined) assert.strictEqual(seen.stop_reason, null)
      }).pipe((test) =>
        using(test, ClaudeTest.script([], { after: Reply.of(paused([text("more ")])) }).pipe(withCompleteAnswers()))
      ))

    it.effect("is not continued if that is not wanted, and may be accepted", () =>
      Effect.gen(function*() {
        const { message } = yield* run()
        assert.strictEqual(message?.stop_reason, "pause_turn")
        assert.strictEqual((yield* calls).length, 1)
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([], { after: Reply.of(paused([text("more ")])) }).pipe(
            withCompleteAnswers({ continuations: 0, accept: ["pause_turn"] })
          )
        )
      ))

    it.effect("a turn without content is asked for again as it was", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual((yield* run()).message?.content, [text("Hello")])
        assert.deepStrictEqual((yield* calls).map((call) => call.request), [request, request])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Reply.of(paused([])), Reply.of(done([text("Hello")]))]).pipe(withCompleteAnswers())
        )
      ))

    it.effect("what the API does not take back stays behind", () =>
      Effect.gen(function*() {
        yield* run()
        assert.deepStrictEqual((yield* calls)[1]?.request, {
          ...request,
          messages: [...request.messages, {
            role: "assistant",
            content: [{ type: "thinking", thinking: "", signature: "c2ln" }, text("Hm. ")]
          }]
        })
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([
            Reply.of(paused([
              { type: "thinking", thinking: "", signature: "c2ln" },
              { type: "thinking", thinking: "Hm", signature: "" },
              text(""),
              text("Hm. "),
              text(" \n")
            ])),
            Reply.of(done([text("Hello")]))
          ]).pipe(withCompleteAnswers())
        )
      ))

    it.effect("goes on behind what the request began the answer with", () =>
      Effect.gen(function*() {
        const begun: MessageRequest["messages"] = [...request.messages, { role: "assistant", content: "I say:" }]
        yield* run({ ...request, messages: begun })
        assert.deepStrictEqual((yield* calls)[1]?.request.messages, [
          ...request.messages,
          { role: "assistant", content: [{ type: "text", text: "I say:" }, search("1")] }
        ])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Reply.of(paused([search("1")])), Reply.of(done([text("Hello")]))]).pipe(
            withCompleteAnswers()
          )
        )
      ))

    it.effect("goes on in the container that the turn was in", () =>
      Effect.gen(function*() {
        const { message } = yield* run({ ...request, container: { skills: [] } })
        assert.strictEqual(message?.container?.id, "container_1")
        const second: object = (yield* calls)[1]?.request ?? {}
        assert.deepInclude(second, { container: { id: "container_1", skills: [] } })
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([
            Reply.of(paused([search("1")], { container: { id: "container_1", expires_at: "", skills: null } })),
            Reply.of(done([text("Hello")]))
          ]).pipe(withCompleteAnswers())
        )
      ))

    it.effect("a thread is not continued: the API keeps its turns", () =>
      Effect.gen(function*() {
        const thread = { thread: { type: "create" } }
        const { error } = yield* run({ ...request, ...thread })
        assert.strictEqual(error?._tag, "OutputTruncatedError")
        assert.strictEqual((yield* calls).length, 1)
      }).pipe((test) =>
        using(test, ClaudeTest.script([], { after: Reply.of(paused([text("more ")])) }).pipe(withCompleteAnswers()))
      ))

    it.effect("what the last turn ends with is what the answer ends with", () =>
      Effect.gen(function*() {
        const { error, seen } = yield* run()
        assert.strictEqual(error?._tag, "RefusalError")
        assert.strictEqual(error?._tag === "RefusalError" ? error.category : "", "cyber")
        assert.deepStrictEqual(error?.partial?.message?.content, [search("1"), text("I was about")])
        assert.strictEqual(error?.partial?.message?.usage.output_tokens, 20)
        if (way === "a stream") assert.deepStrictEqual(seen?.content, [search("1"), text("I was about")])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([
            Reply.of(paused([search("1")])),
            Reply.of(paused([text("I was about")], {
              stop_reason: "refusal",
              stop_details: { type: "refusal", category: "cyber", explanation: null }
            }))
          ]).pipe(withCompleteAnswers())
        )
      ))

    it.effect("each turn has attempts of its own", () =>
      Effect.gen(function*() {
        const { message } = yield* run()
        assert.deepStrictEqual(message?.content, [search("1"), text("Hello")])
        assert.deepStrictEqual(AnswerInfo.of(message ?? {}).turns?.map(({ attempt }) => attempt), [2, 3])
        assert.strictEqual((yield* calls).length, 5)
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([
            Fault.overloaded(),
            Reply.of(paused([search("1")])),
            Fault.overloaded(),
            Fault.connection(),
            Reply.of(done([text("Hello")]))
          ]).pipe(ClaudeLayer.withRetry(Schedule.recurs(2)), withCompleteAnswers())
        )
      ))

    it.effect("a turn that fails for good keeps what the turns before brought, and is logged once", () =>
      Effect.gen(function*() {
        const lines: Array<unknown> = []
        const capture = Logger.layer([Logger.make(({ message }) => {
          lines.push(message)
        })])
        const { error } = yield* Effect.provide(run(), capture)
        assert.strictEqual(error?._tag, "OverloadedError")
        assert.strictEqual(error?.message, "Overloaded")
        assert.strictEqual(error?.status, 529)
        assert.deepStrictEqual(error?.verdict, { _tag: "Retry", kind: "overloaded", after: undefined })
        assert.deepStrictEqual(error?.partial?.message?.content, [text("One "), search("1")])
        assert.strictEqual(error?.partial?.text, "One ")
        assert.strictEqual(lines.length, 1)
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Reply.of(paused([text("One "), search("1")])), Fault.overloaded()]).pipe(
            withCompleteAnswers(),
            ClaudeLayer.withTelemetry()
          )
        )
      ))

    it.effect("an answer that is cut leads to the fallback's chain for it", () =>
      Effect.gen(function*() {
        const { message } = yield* run()
        assert.deepStrictEqual(message?.content, [text("Hello")])
        assert.deepStrictEqual(AnswerInfo.of(message ?? {}).source, { _tag: "Model", model: "claude-opus-4-8" })
        assert.deepStrictEqual(yield* asked, ["claude-sonnet-5-5", "claude-opus-4-8"])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([
            Reply.of(paused([], {
              stop_reason: "refusal",
              stop_details: { type: "refusal", category: null, explanation: null }
            })),
            Reply.of(done([text("Hello")]))
          ]).pipe(withCompleteAnswers(), ClaudeLayer.withFallback({ refusal: { models: ["claude-opus-4-8"] } }))
        )
      ))

    it.effect("an empty answer leads to another model if the program says so", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual((yield* run()).message?.content, [text("Hello")])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Reply.of(done([])), Reply.of(done([text("Hello")]))]).pipe(
            withCompleteAnswers(),
            ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"], shouldFallback: ["OutputInvalidError"] })
          )
        )
      ))

    it.effect("a circuit that opens between two turns is waited for, though another target is left", () =>
      Effect.gen(function*() {
        const { message } = yield* run()
        assert.deepStrictEqual(message?.content, [search("1"), text("Hello")])
        assert.deepStrictEqual(yield* asked, ["claude-sonnet-5-5", "claude-sonnet-5-5", "claude-sonnet-5-5"])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([
            Reply.of(paused([search("1")])),
            Fault.rateLimitedLocally({ retryAfter: "1 millis" }),
            Reply.of(done([text("Hello")]))
          ]).pipe(
            ClaudeLayer.withRetry(Schedule.recurs(2)),
            withCompleteAnswers(),
            ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] })
          )
        )
      ))
  })
}

describe("withCompleteAnswers: streams", () => {
  it.effect("pings of every turn pass, and events of tomorrow", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const events = yield* Stream.runCollect(claude.streamMessage(request))
      assert.deepStrictEqual(events.map((event): string => event.type).filter((type) => !type.startsWith("content_")), [
        "message_start",
        "ping",
        "event_of_tomorrow",
        "ping",
        "message_delta",
        "message_stop"
      ])
    }).pipe((test) => {
      const odd = { type: "event_of_tomorrow" } as unknown as MessageEvents.MessageEvent
      const ping = { type: "ping" } as const
      const [start, ...rest] = MessageEvents.fromMessage(paused([search("1")]))
      return using(
        test,
        ClaudeTest.script([
          Reply.events([start as MessageEvents.MessageEvent, ping, odd, ...rest]),
          Reply.events([ping, ...MessageEvents.fromMessage(done([text("Hello")]))])
        ]).pipe(withCompleteAnswers())
      )
    }))

  it.effect("a stream that is cut in a later turn keeps the text of all turns", () =>
    Effect.gen(function*() {
      const { error, seen } = yield* streamed()
      assert.strictEqual(error?._tag, "StreamInterruptedError")
      assert.strictEqual(error?.partial?.text, "One Hello, w")
      assert.deepStrictEqual(seen?.content, [text("One "), text("Hello, w")])
      // Start, a block of three events, delta and stop of the first turn; start, block and one delta of the second.
      assert.strictEqual(error?.partial?.events, 9)
      assert.deepStrictEqual(error?.partial?.unfinished, [1])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([
          Reply.of(paused([text("One ")])),
          Fault.cutStream({ afterEvents: 3, reply: Reply.of(done([text("Hello, world!")])) })
        ]).pipe(withCompleteAnswers())
      )
    ))

  const cutSecondTurn = () =>
    ClaudeTest.script([
      Reply.of(paused([text("One "), search("1")])),
      Fault.cutStream({ afterEvents: 4, reply: Reply.of(done([text("Hello, world!")])) }),
      Reply.of(done([text("Hello, world!")]))
    ])

  it.effect("a recovery outside goes on with a turn that broke off, all turns before it included", () =>
    Effect.gen(function*() {
      const { message } = yield* streamed()
      assert.deepStrictEqual(message?.content, [text("One "), search("1"), text("Hello, world!")])
      assert.strictEqual(AnswerInfo.of(message ?? {}).parts?.length, 2)
      assert.strictEqual(message?.stop_reason, "end_turn")
    }).pipe((test) =>
      using(
        test,
        cutSecondTurn().pipe(
          withCompleteAnswers(),
          ClaudeLayer.withStreamRecovery({ mode: "continue", schedule: Schedule.recurs(2) })
        )
      )
    ))

  it.effect("a recovery of the service inside takes back its own turn only", () =>
    Effect.gen(function*() {
      const events = yield* Stream.runCollect(ClaudeAnswer.stream(request))
      const restarts = events.filter(MessageEvents.isRestart)
      assert.deepStrictEqual(restarts.map(({ from }) => from), [2])
      assert.strictEqual(events.filter(({ type }) => type === "message_start").length, 1)
      const message = assemble(events)
      assert.deepStrictEqual(message.content, [text("One "), search("1"), text("Hello, world!")])
      const { parts, turns } = AnswerInfo.of(message)
      assert.deepStrictEqual(parts?.map(({ kept }) => kept), [false, true])
      assert.strictEqual(turns?.length, 2)
    }).pipe((test) =>
      using(
        test,
        cutSecondTurn().pipe(ClaudeLayer.withStreamRecovery({ mode: "restart", schedule: Schedule.recurs(2) }))
      )
    ))

  it.effect("and begins anew where the turns before it left nothing", () =>
    Effect.gen(function*() {
      const events = yield* Stream.runCollect(ClaudeAnswer.stream(request))
      assert.deepStrictEqual(
        events.map(({ type }) => type).filter((type) => type === "message_start" || type === "restart"),
        ["message_start", "restart", "message_start"]
      )
      assert.deepStrictEqual((yield* MessageEvents.message(Stream.fromIterable(events)))?.content, [text("Hello!")])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([
          Reply.of(paused([])),
          Fault.cutStream({ afterEvents: 3, reply: Reply.of(done([text("Hello!")])) }),
          Reply.of(done([text("Hello!")]))
        ]).pipe(ClaudeLayer.withStreamRecovery({ mode: "restart", schedule: Schedule.recurs(2) }))
      )
    ))

  it.effect("whoever leaves half way asks for no further turn", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      yield* Stream.runDrain(Stream.take(claude.streamMessage(request), 3))
      assert.strictEqual((yield* calls).length, 1)
    }).pipe((test) =>
      using(test, ClaudeTest.script([], { after: Reply.of(paused([text("One ")])) }).pipe(withCompleteAnswers()))
    ))
})

describe("ClaudeAnswer.ask and ClaudeAnswer.stream", () => {
  const script = () => ClaudeTest.script([Reply.of(paused([text("One ")])), Reply.of(done([text("two")]))])
  const headers = { "anthropic-beta": "code-execution-2025-08-25" }

  it.effect("need no layer, and send headers with every turn", () =>
    Effect.gen(function*() {
      const message = yield* ClaudeAnswer.ask(request, { headers })
      assert.deepStrictEqual(message.content, [text("One "), text("two")])
      assert.deepStrictEqual((yield* calls).map(({ options }) => options?.headers), [headers, headers])
    }).pipe((test) => using(test, script())))

  it.effect("stream the same", () =>
    Effect.gen(function*() {
      const message = assemble(yield* Stream.runCollect(ClaudeAnswer.stream(request, { headers })))
      assert.deepStrictEqual(message.content, [text("One "), text("two")])
      assert.deepStrictEqual((yield* calls).map(({ options }) => options?.headers), [headers, headers])
    }).pipe((test) => using(test, script())))

  it("wrong options throw at once", () => {
    assert.throws(() => ClaudeAnswer.ask(request, { continuations: -1 }), RangeError, `option "continuations"`)
    assert.throws(() => ClaudeAnswer.stream(request, { continuations: 1.5 }), RangeError, `option "continuations"`)
    assert.throws(() => withCompleteAnswers({ continuations: Number.POSITIVE_INFINITY }), RangeError, "continuations")
    assert.throws(() => withCompleteAnswers({ accept: ["all" as never] }), RangeError, `option "accept"`)
  })
})
