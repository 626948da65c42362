import type { ContentBlock } from "@anthropic-ai/sdk/resources/messages/messages"
import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import {
  type ClaudeError,
  ClaudeErrorJson,
  InvalidRequestError,
  OverloadedError,
  type PartialAnswer,
  StreamInterruptedError
} from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeMetrics from "@effect-claude/client/ClaudeMetrics"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import { ClaudeService, type MessageRequest } from "@effect-claude/client/ClaudeService"
import * as ClaudeStream from "@effect-claude/client/ClaudeStream"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as ModelService from "./ModelService.ts"
import { checkWellFormed } from "./WellFormed.ts"

const prefills = "claude-haiku-4-5"
const asks = "claude-sonnet-5-5"

const requestTo = (model: string, more: Partial<MessageRequest> = {}): MessageRequest => ({
  model,
  max_tokens: 1000,
  messages: [{ role: "user", content: "Hello" }],
  ...more
})

const atOnce = RetrySchedule.standard({ base: 0, cap: 0, jitter: "none" })
const recovery = (options: ClaudeLayer.StreamRecoveryOptions = {}) =>
  ClaudeLayer.withStreamRecovery({ schedule: atOnce, ...options })

/** Runs one stream to its end, an hour of virtual time at most. */
const run = (
  script: ModelService.Script,
  pipeline: ClaudeLayer.Combinator,
  request: MessageRequest = requestTo(asks)
) => {
  const { layer, requests } = ModelService.make(script)
  const heard: Array<ResilienceEvent.ResilienceEvent> = []
  const events: Array<MessageEvents.MessageEvent> = []
  const program = Effect.gen(function*() {
    const claude = yield* ClaudeService
    const fiber = yield* claude.streamMessage(request).pipe(
      Stream.runForEach((event) => Effect.sync(() => events.push(event))),
      ResilienceEvent.listen((event) => {
        heard.push(event)
      }),
      Effect.result,
      Effect.forkChild
    )
    yield* TestClock.adjust("1 hour")
    const result = yield* Fiber.join(fiber)
    const accumulator = MessageEvents.makeAccumulator()
    for (const event of events) accumulator.add(event)
    const error = Result.isFailure(result) ? result.failure : undefined
    return { error, events, heard, message: accumulator.message(), partial: accumulator.partial(), requests }
  })
  return Effect.provide(program, pipeline(layer), { local: true })
}

const story = "The tortoise set out early, and won in the end."
const told = [ModelService.text(story)]

const typesOf = (turn: MessageRequest["messages"][number] | undefined): ReadonlyArray<string> =>
  turn === undefined || typeof turn.content === "string" ? [] : turn.content.map(({ type }) => type)

const lastTurn = (request: MessageRequest | undefined) => request?.messages.slice(1)

describe("what is asked for", () => {
  it.effect("the rest by a prefill, without the white space at its end", () =>
    Effect.gen(function*() {
      const { partial, requests } = yield* run(
        { content: told, cuts: [3], pieceOf: () => 13 },
        recovery(),
        requestTo(prefills)
      )
      assert.strictEqual(partial.text, story)
      assert.deepStrictEqual(lastTurn(requests[1]), [
        { role: "assistant", content: [{ type: "text", text: "The tortoise", citations: null }] }
      ])
    }))

  it.effect("the rest by a message, with the words to begin with", () =>
    Effect.gen(function*() {
      const { partial, requests } = yield* run({ content: told, cuts: [3], pieceOf: () => 13 }, recovery())
      assert.strictEqual(partial.text, story)
      const [turn, message] = lastTurn(requests[1]) ?? []
      assert.strictEqual(turn?.role, "assistant")
      assert.strictEqual(message?.role, "user")
      assert.include(JSON.stringify(message?.content), "<last_words>The tortoise</last_words>")
    }))

  it.effect("a message too where thinking is on or a tool is forced", () =>
    Effect.gen(function*() {
      const configs: ReadonlyArray<Partial<MessageRequest>> = [
        { thinking: { type: "enabled", budget_tokens: 500 } },
        { tool_choice: { type: "any" } }
      ]
      for (const more of configs) {
        const { partial, requests } = yield* run({ content: told, cuts: [3] }, recovery(), requestTo(prefills, more))
        assert.strictEqual(partial.text, story)
        assert.strictEqual(requests[1]?.messages.at(-1)?.role, "user")
      }
    }))

  it.effect("what is left of max_tokens, and no thinking that does not fit into it", () =>
    Effect.gen(function*() {
      const long = "word ".repeat(400)
      const { requests } = yield* run(
        { content: [ModelService.text(long)], cuts: [4], pieceOf: () => 900 },
        recovery(),
        requestTo(asks, { max_tokens: 700, thinking: { type: "enabled", budget_tokens: 600 } })
      )
      assert.isBelow(requests[1]?.max_tokens ?? 0, 400)
      assert.isAtLeast(requests[1]?.max_tokens ?? 0, 1)
      assert.isUndefined(requests[1]?.thinking)
      const spent = yield* run({ content: told, cuts: [5] }, recovery(), requestTo(asks, { max_tokens: 1 }))
      assert.strictEqual(spent.requests[1]?.max_tokens, 1)
    }))

  it.effect("the rest of an answer that the program began", () =>
    Effect.gen(function*() {
      const begun: MessageRequest = requestTo(prefills, {
        messages: [{ role: "user", content: "Hello" }, {
          role: "assistant",
          content: [{ type: "text", text: "Once:" }]
        }]
      })
      const { requests } = yield* run(
        { content: [ModelService.text("Once: upon a time")], cuts: [3], pieceOf: () => 6 },
        recovery(),
        begun
      )
      assert.deepStrictEqual(requests[1]?.messages.slice(1), [
        { role: "assistant", content: [{ type: "text", text: "Once: upon", citations: null }] }
      ])
    }))

  it.effect("with the room that thoughts took which were taken back", () =>
    Effect.gen(function*() {
      const content = [ModelService.thinking("hm ".repeat(1000)), ...told]
      // Within the thought, which is begun anew, and then within the text behind it.
      const { error, message, requests } = yield* run(
        { content, cuts: [200, 438], pieceOf: () => 7 },
        recovery(),
        requestTo(asks, { max_tokens: 1300 })
      )
      assert.isUndefined(error)
      assert.deepStrictEqual(message?.content, content)
      assert.deepStrictEqual(requests.map(({ messages }) => messages.length), [1, 1, 3])
      assert.strictEqual(requests[1]?.max_tokens, 1300)
      // One thought, of about 900 tokens.
      assert.isAbove(requests[2]?.max_tokens ?? 0, 300)
      assert.isBelow(requests[2]?.max_tokens ?? 0, 500)
    }))

  it.effect("with room for the words that are to be repeated", () =>
    Effect.gen(function*() {
      const long = [ModelService.text(`${"word ".repeat(400)}and an end.`)]
      const room = (model: string) =>
        Effect.map(
          run({ content: long, cuts: [4], pieceOf: () => 990 }, recovery(), requestTo(model, { max_tokens: 100 })),
          ({ requests }) => requests[1]?.max_tokens ?? 0
        )
      assert.strictEqual(yield* room(prefills), 1)
      assert.isAtLeast(yield* room(asks), 8)
    }))

  it.effect("finished blocks with it, and neither half a thought nor half a tool call", () =>
    Effect.gen(function*() {
      const content = [
        ModelService.thinking("Hm, let me see"),
        ModelService.text("Let me look."),
        ModelService.toolUse({ a: 1 })
      ]
      // In the middle of the tool's input.
      const { events, message, requests } = yield* run({ content, cuts: [11] }, recovery())
      checkWellFormed(events)
      assert.deepStrictEqual(message?.content, content)
      const [turn] = lastTurn(requests[1]) ?? []
      assert.deepStrictEqual(typesOf(turn), ["thinking", "text"])
      assert.deepStrictEqual(events.filter(MessageEvents.isRestart).map(({ from }) => from), [2])
    }))

  it.effect("all of it again where nothing but white space was shown, which then does not come twice", () =>
    Effect.gen(function*() {
      const written = "\n\n  It was late."
      for (const more of [{}, { output_config: { format: { type: "json_schema", schema: {} } as const } }]) {
        for (const cut of [2, 3, 4, 5]) {
          const { error, events, requests } = yield* run(
            { content: [ModelService.text(written)], cuts: [cut], pieceOf: () => 1 },
            recovery(),
            requestTo(asks, more)
          )
          assert.isUndefined(error)
          checkWellFormed(events)
          assert.deepStrictEqual(requests[1], requests[0])
          assert.lengthOf(events.filter(MessageEvents.isRestart), 0)
          assert.strictEqual(yield* Stream.mkString(MessageEvents.text(Stream.fromIterable(events))), written)
        }
      }
    }))

  it.effect("all of it again where nothing but a thought was shown", () =>
    Effect.gen(function*() {
      const content = [ModelService.thinking("Hm, let me see what there is"), ...told]
      for (const cut of [3, 6, 7]) {
        const { error, events, message, requests } = yield* run({ content, cuts: [cut] }, recovery())
        assert.isUndefined(error)
        checkWellFormed(events)
        assert.deepStrictEqual(requests[1], requests[0])
        assert.deepStrictEqual(message?.content, content)
        // Nothing of the text was taken back, so those who only show text go on.
        const text = yield* Stream.mkString(MessageEvents.text(Stream.fromIterable(events)))
        assert.strictEqual(text, story)
      }
    }))
})

describe("tools", () => {
  const call = [ModelService.text("Let me look."), ModelService.toolUse({ path: "/etc" }), ModelService.text("Done.")]
  // The last event of the tool's block.
  const afterTool = 10

  for (const mode of ["continue", "restart"] as const) {
    it.effect(`${mode}: nothing follows once a tool of the answer may have run`, () =>
      Effect.gen(function*() {
        const { error, heard, partial, requests } = yield* run({ content: call, cuts: [afterTool] }, recovery({ mode }))
        assert.strictEqual(error?._tag, "StreamInterruptedError")
        assert.deepStrictEqual(error?.partial, partial)
        assert.lengthOf(requests, 1)
        assert.deepInclude(heard.at(-1), { _tag: "StreamSurfaced", reason: "tools" })
      }))

    it.effect(`${mode}: unless tools run after the answer`, () =>
      Effect.gen(function*() {
        const { error, events, message } = yield* run(
          { content: call, cuts: [afterTool] },
          recovery({ mode, tools: "afterAnswer" })
        )
        assert.isUndefined(error)
        checkWellFormed(events)
        assert.deepStrictEqual(message?.content, call)
      }))
  }

  it.effect("tools of the API are kept with their results, and never run again by a restart", () =>
    Effect.gen(function*() {
      const content = [
        ModelService.text("I search. "),
        ...ModelService.search(),
        ModelService.text("It is so, I found.")
      ]
      const kept = yield* run({ content, cuts: [12] }, recovery())
      assert.isUndefined(kept.error)
      assert.deepStrictEqual(kept.message?.content, content)
      const restarted = yield* run({ content, cuts: [12] }, recovery({ mode: "restart" }))
      assert.strictEqual(restarted.error?._tag, "StreamInterruptedError")
      assert.lengthOf(restarted.requests, 1)
    }))

  it.effect("a call without its result is taken back, with the thought before it", () =>
    Effect.gen(function*() {
      const [use] = ModelService.search()
      const content = [ModelService.text("I search."), ModelService.thinking("Where?"), use as ContentBlock]
      const { events, requests } = yield* run({ content, cuts: [12] }, recovery())
      const [turn] = lastTurn(requests[1]) ?? []
      assert.deepStrictEqual(typesOf(turn), ["text"])
      assert.deepStrictEqual(events.filter(MessageEvents.isRestart).map(({ from }) => from), [1])
    }))
})

describe("what the answer says of itself", () => {
  it.effect("the usage of all parts, and the parts", () =>
    Effect.gen(function*() {
      const { message, heard } = yield* run({ content: told, cuts: [4, 5] }, recovery())
      const parts = message === undefined ? [] : AnswerInfo.of(message).parts ?? []
      assert.deepStrictEqual(
        parts.map(({ error, kept, model, requestId }) => [model, requestId, error?._tag, kept]),
        [
          [asks, "req_1", "StreamInterruptedError", true],
          [asks, "req_2", "StreamInterruptedError", true],
          [asks, "req_3", undefined, true]
        ]
      )
      assert.strictEqual(message?.usage.input_tokens, 30)
      // Two parts of a few words by estimate, the last by the API's own count.
      assert.isAtLeast(message?.usage.output_tokens ?? 0, 5 + 2 + 2)
      assert.deepStrictEqual(
        heard.filter(({ _tag }) => _tag === "StreamRecovered"),
        [{ _tag: "StreamRecovered", mode: "continue", part: 2 }, { _tag: "StreamRecovered", mode: "continue", part: 3 }]
      )
    }))

  it.effect("a part that was taken back is counted and not kept", () =>
    Effect.gen(function*() {
      const { message } = yield* run({ content: told, cuts: [4] }, recovery({ mode: "restart" }))
      const info = AnswerInfo.of(message ?? {})
      assert.deepStrictEqual(info.parts?.map(({ kept }) => kept), [false, true])
      assert.strictEqual(info.requestId, "req_2")
      assert.strictEqual(message?.usage.input_tokens, 20)
    }))

  it.effect("text cannot be taken back: the stream of it fails with the error of the cut, and no character comes twice", () =>
    Effect.gen(function*() {
      const { events } = yield* run({ content: told, cuts: [4] }, recovery({ mode: "restart" }))
      const seen: Array<string> = []
      const error = yield* Stream.fromIterable(events).pipe(
        MessageEvents.text,
        Stream.runForEach((piece) => Effect.sync(() => seen.push(piece))),
        Effect.flip
      )
      assert.strictEqual(error._tag, "StreamInterruptedError")
      assert.strictEqual(seen.join(""), story.slice(0, 14))
    }))
})

describe("when and how often", () => {
  const always = { content: told, cuts: [4, 4, 4, 4, 4, 4, 4, 4], pieceOf: () => 2 }

  it.effect("three times a stream, then it fails with all that had arrived", () =>
    Effect.gen(function*() {
      const { error, heard, partial, requests } = yield* run(always, recovery(), requestTo(prefills))
      assert.lengthOf(requests, 4)
      assert.strictEqual(error?._tag, "StreamInterruptedError")
      assert.strictEqual(error?.partial?.text, partial.text)
      assert.isAbove(partial.text.length, 4)
      assert.lengthOf(AnswerInfo.of(error?.partial?.message ?? {}).parts ?? [], 4)
      assert.deepInclude(heard.at(-1), { _tag: "StreamSurfaced", reason: "limit", part: 4 })
    }))

  it.effect("waits by the schedule, from its beginning each time, and as long as the server asks", () =>
    Effect.gen(function*() {
      const { heard } = yield* run(
        { ...always, error: (request) => new OverloadedError({ message: "m", retryAfter: Duration.seconds(request) }) },
        recovery({
          schedule: ClaudeSchedule.make({
            serverWaitJitter: 0,
            base: 0,
            jitter: "none",
            kinds: { overloaded: { base: 0 } }
          })
        })
      )
      assert.deepStrictEqual(
        heard.flatMap((event) => event._tag === "StreamRecoveryScheduled" ? [Duration.toMillis(event.wait)] : []),
        [1000, 2000, 3000]
      )
    }))

  it.effect("not beyond the deadline", () =>
    Effect.gen(function*() {
      const { error, requests } = yield* run(
        { ...always, error: () => new OverloadedError({ message: "m", retryAfter: Duration.seconds(30) }) },
        (base) => base.pipe(recovery({ schedule: ClaudeSchedule.standard }), ClaudeLayer.withDeadline("20 seconds"))
      )
      assert.strictEqual(error?._tag, "OverloadedError")
      assert.lengthOf(requests, 1)
    }))

  it.effect("not for a failure that a retry cannot mend", () =>
    Effect.gen(function*() {
      const { error, heard, requests } = yield* run(
        { ...always, error: () => new InvalidRequestError({ message: "Output blocked by content filtering policy" }) },
        recovery()
      )
      assert.strictEqual(error?._tag, "InvalidRequestError")
      assert.lengthOf(requests, 1)
      assert.deepInclude(heard.at(-1), { _tag: "StreamSurfaced", reason: "verdict" })
    }))

  it.effect("not for half of an object, nor for a thread; a function may choose", () =>
    Effect.gen(function*() {
      const format = { type: "json_schema", schema: {} } as const
      const json = { content: [ModelService.text(`{"a":[1,2,3]}`)], cuts: [3], pieceOf: () => 3 }
      for (const more of [{ output_config: { format } }, { thread: { type: "create" } }]) {
        const { error, heard, requests } = yield* run(
          json,
          recovery(),
          requestTo(prefills, more)
        )
        assert.strictEqual(error?._tag, "StreamInterruptedError")
        assert.lengthOf(requests, 1)
        assert.deepInclude(heard.at(-1), { _tag: "StreamSurfaced", reason: "request" })
      }
      const { events, partial } = yield* run(
        json,
        recovery({ mode: ({ request }) => request.output_config?.format === undefined ? "continue" : "restart" }),
        requestTo(prefills, { output_config: { format } })
      )
      checkWellFormed(events)
      assert.strictEqual(partial.text, `{"a":[1,2,3]}`)
    }))

  it.effect("before anything was shown it is an ordinary retry, without a restart and without end of recoveries", () =>
    Effect.gen(function*() {
      const { error, events, heard, requests } = yield* run(
        { content: told, cuts: [1, 0], pieceOf: () => 5 },
        recovery({ maxRecoveries: 1 })
      )
      assert.isUndefined(error)
      checkWellFormed(events)
      assert.lengthOf(events.filter(MessageEvents.isRestart), 0)
      assert.lengthOf(requests, 3)
      assert.deepStrictEqual(heard.map(({ _tag }) => _tag), ["RetryScheduled", "RetryScheduled"])
    }))

  it.effect("a retry inside keeps to its own schedule", () =>
    Effect.gen(function*() {
      const refuses = (_: MessageRequest, number: number) =>
        number > 1 ? new OverloadedError({ message: "m" }) : undefined
      const { error, partial, requests } = yield* run({ content: told, cuts: [4], refuses }, (base) =>
        base.pipe(ClaudeLayer.withRetry(RetrySchedule.standard({ attempts: 2 })), recovery()))
      assert.lengthOf(requests, 3)
      assert.strictEqual(error?._tag, "OverloadedError")
      assert.strictEqual(error?.partial?.text, partial.text)
    }))
})

describe("other models", () => {
  const isDown = (model: string) => (request: MessageRequest, number: number): ClaudeError | undefined =>
    request.model === model && number > 1 ? new OverloadedError({ message: "Overloaded" }) : undefined

  it.effect("another model goes on where the first cannot be had, each in its own way, without the thoughts of the other", () =>
    Effect.gen(function*() {
      const content = [ModelService.thinking("Hm"), ...told]
      const { error, message, requests } = yield* run(
        { content, cuts: [7], refuses: isDown(asks) },
        (base) => base.pipe(ClaudeLayer.withRetry(Schedule.recurs(0)), recovery({ models: [asks, "claude-haiku-4-5"] }))
      )
      assert.isUndefined(error)
      assert.deepStrictEqual(message?.content, content)
      assert.deepStrictEqual(requests.map(({ model }) => model), [asks, asks, "claude-haiku-4-5"])
      const turn = requests[2]?.messages.at(-1)
      assert.strictEqual(turn?.role, "assistant")
      assert.deepStrictEqual(typesOf(turn), ["text"])
      assert.deepStrictEqual(AnswerInfo.of(message ?? {}).parts?.map(({ model }) => model), [asks, "claude-haiku-4-5"])
    }))

  it.effect("a circuit that is open is not waited for while another model may be asked", () =>
    Effect.gen(function*() {
      const { message, requests } = yield* run({ content: told, cuts: [4] }, (base) =>
        base.pipe(
          ClaudeLayer.withCircuitBreaker({ failures: 1, openFor: "10 minutes" }),
          ClaudeLayer.withRetry(),
          recovery({ models: ["claude-opus-5-5"] }),
          ClaudeLayer.withDeadline("1 minute")
        ))
      assert.strictEqual(message?.stop_reason, "end_turn")
      assert.deepStrictEqual(requests.map(({ model }) => model), [asks, "claude-opus-5-5"])
    }))

  it.effect("a prefill that falls back to a model that takes none is asked as a message", () =>
    Effect.gen(function*() {
      const { error, partial, requests } = yield* run(
        { content: told, cuts: [4], refuses: isDown(prefills) },
        (base) => base.pipe(ClaudeLayer.withFallback({ models: [asks] }), recovery()),
        requestTo(prefills)
      )
      assert.isUndefined(error)
      assert.strictEqual(partial.text, story)
      assert.deepStrictEqual(
        requests.map(({ messages, model }) => [model, messages.at(-1)?.role]),
        [[prefills, "user"], [prefills, "assistant"], ...requests.slice(2, -1).map(() => [prefills, "assistant"]), [
          asks,
          "user"
        ]]
      )
    }))

  it.effect("whoever was asked first is not sent the thoughts of whoever answered in its place", () =>
    Effect.gen(function*() {
      const content = [ModelService.thinking("Hm, let me see"), ...told]
      let times = 0
      const { error, message, requests } = yield* run(
        {
          content,
          cuts: [99, 9],
          refuses: ({ model }) => model === asks && times++ === 0 ? new OverloadedError({ message: "down" }) : undefined
        },
        (base) => base.pipe(ClaudeLayer.withFallback({ models: ["claude-opus-4-6"] }), recovery())
      )
      assert.isUndefined(error)
      assert.deepStrictEqual(message?.content, content)
      assert.deepStrictEqual(requests.map(({ model }) => model), [asks, "claude-opus-4-6", asks])
      assert.deepStrictEqual(typesOf(lastTurn(requests[2])?.[0]), ["text"])
    }))

  it.effect("a message is put behind what the program makes of the request for that model", () =>
    Effect.gen(function*() {
      const withoutNames = (request: MessageRequest): MessageRequest => ({
        ...request,
        messages: request.messages.map((turn, at) => at === 0 ? { role: "user", content: "Hello, N." } : turn)
      })
      const { partial, requests } = yield* run(
        { content: told, cuts: [4], refuses: isDown(prefills) },
        (base) => base.pipe(ClaudeLayer.withFallback({ models: [{ model: asks, adapt: withoutNames }] }), recovery()),
        requestTo(prefills)
      )
      assert.strictEqual(partial.text, story)
      const turns = requests.at(-1)?.messages ?? []
      assert.deepStrictEqual(turns.map(({ role }) => role), ["user", "assistant", "user"])
      assert.deepStrictEqual(turns[0], { role: "user", content: "Hello, N." })
    }))

  it.effect("a prefill that is refused after all is asked as a message", () =>
    Effect.gen(function*() {
      const refuses = (request: MessageRequest) =>
        request.messages.at(-1)?.role === "assistant" ? new InvalidRequestError({ message: "no prefill" }) : undefined
      const { partial, requests } = yield* run({ content: told, cuts: [4], refuses }, recovery(), requestTo(prefills))
      assert.strictEqual(partial.text, story)
      assert.deepStrictEqual(requests.map(({ messages }) => messages.at(-1)?.role), ["user", "assistant", "user"])
    }))
})

describe("with the policies around it", () => {
  it.effect("a failure is logged once, however much its partial answer grew", () =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const capture = Logger.layer([Logger.make(({ message }) => {
        lines.push(message)
      })])
      const { error } = yield* run({ content: told, cuts: [4, 4], pieceOf: () => 2 }, (base) =>
        Layer.provideMerge(base.pipe(recovery({ maxRecoveries: 1 }), ClaudeLayer.withTelemetry()), capture))
      assert.strictEqual(error?._tag, "StreamInterruptedError")
      assert.lengthOf(lines, 2)
    }))

  it.effect("the tokens of all parts are counted, also of a stream that fails in the end", () =>
    Effect.gen(function*() {
      const metered = (maxRecoveries: number): ClaudeLayer.Combinator => (base) =>
        base.pipe(recovery({ maxRecoveries }), ClaudeLayer.withTelemetry({ logs: false }))
      yield* run({ content: told, cuts: [4, 5] }, metered(3))
      yield* run({ content: told, cuts: [4, 5] }, metered(1))
      const input = (yield* Metric.snapshot).find(({ attributes, id }) =>
        id === "gen_ai.client.token.usage" && attributes?.["gen_ai.token.type"] === "input"
      )
      assert.strictEqual(input?.type === "Histogram" ? input.state.sum : undefined, 30 + 20)
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))

  it.effect("recoveries are counted by what became of them", () =>
    Effect.gen(function*() {
      yield* run({ content: told, cuts: [4] }, (base) =>
        base.pipe(recovery(), ClaudeLayer.withTelemetry({ logs: false })))
      yield* run(
        { content: told, cuts: [4, 4] },
        (base) =>
          base.pipe(recovery({ maxRecoveries: 1, mode: "restart" }), ClaudeLayer.withTelemetry({ logs: false }))
      )
      const count = (outcome: string) =>
        Effect.map(Metric.value(Metric.withAttributes(ClaudeMetrics.streamRecoveries, { outcome })), (state) =>
          state.count)
      const counts = yield* Effect.all([count("continued"), count("restarted"), count("surfaced")])
      assert.deepStrictEqual(counts, [1, 1, 1])
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))

  it.effect("a kept answer is whole, and what was put together is not kept", () =>
    Effect.gen(function*() {
      const { layer, requests } = ModelService.make({ content: told, cuts: [4, 99] })
      yield* Effect.gen(function*() {
        const claude = yield* ClaudeService
        for (let times = 0; times < 3; times++) {
          const text = yield* Stream.mkString(MessageEvents.text(claude.streamMessage(requestTo(asks))))
          assert.strictEqual(text, story)
        }
      }).pipe(Effect.provide(layer.pipe(recovery(), ClaudeLayer.withCache({ freshFor: "1 hour" })), { local: true }))
      assert.lengthOf(requests, 3)
    }))

  it.effect("recoveries are paid for from the budget of standard(), and no outage is answered with a multiple of the load", () =>
    Effect.gen(function*() {
      let requests = 0
      const begun = MessageEvents.fromMessage(Reply.message(story)).slice(0, 3)
      const always = Layer.succeed(ClaudeService, {
        ...({} as ClaudeService["Service"]),
        streamMessage: () =>
          Stream.suspend(() => {
            requests++
            return Stream.concat(
              Stream.fromIterable(begun),
              Stream.fail(new StreamInterruptedError({ message: "cut" }))
            )
          })
      })
      const errors = yield* Effect.provide(
        Effect.gen(function*() {
          const claude = yield* ClaudeService
          const fiber = yield* Effect.forkChild(Effect.forEach(
            Array.from({ length: 300 }),
            () => Effect.flip(Stream.runDrain(claude.streamMessage(requestTo(asks)))),
            { concurrency: "unbounded" }
          ))
          yield* TestClock.adjust("1 hour")
          return yield* Fiber.join(fiber)
        }),
        always.pipe(ClaudeLayer.standard({
          streamRecovery: {},
          circuitBreaker: false,
          concurrency: false,
          rateLimiter: false,
          telemetry: false
        })),
        { local: true }
      )
      // 500 tokens at 14 each.
      assert.strictEqual(requests, 300 + 35)
      const unpaid = errors.filter(({ _tag }) => _tag === "RetryBudgetExhaustedError")
      assert.isAtLeast(unpaid.length, 300 - 35)
      assert.isTrue(errors.every(({ partial }) => partial?.text.startsWith(story) === true))
    }))

  it.effect("blocks without the text that their type promises are no defect", () =>
    Effect.gen(function*() {
      for (const type of ["text", "thinking"]) {
        for (const model of [prefills, asks]) {
          let requests = 0
          const layer = Layer.succeed(ClaudeService, {
            ...({} as ClaudeService["Service"]),
            streamMessage: () =>
              Stream.suspend(() => {
                const [start, ...rest] = MessageEvents.fromMessage(Reply.message(story))
                const opened = { type: "content_block_start", index: 0, content_block: { type } } as never
                return requests++ === 0
                  ? Stream.concat(
                    Stream.fromIterable([start, ...rest.slice(0, 3), opened] as Array<MessageEvents.MessageEvent>),
                    Stream.fail(new StreamInterruptedError({ message: "cut" }))
                  )
                  : Stream.fromIterable([start, opened, ...rest.slice(1)] as Array<MessageEvents.MessageEvent>)
              })
          })
          const result = yield* Effect.provide(
            Effect.flatMap(ClaudeService, (claude) =>
              Effect.result(Stream.runDrain(claude.streamMessage(requestTo(model))))),
            recovery()(layer)
          )
          assert.isTrue(Result.isSuccess(result), `${type} ${String(result)}`)
        }
      }
    }))

  it.effect("defects are surfaced as they are", () =>
    Effect.gen(function*() {
      const layer = Layer.succeed(ClaudeService, {
        ...({} as ClaudeService["Service"]),
        streamMessage: () => Stream.die(new Error("a bug"))
      })
      const exit = yield* Effect.exit(
        Effect.provide(
          Effect.flatMap(ClaudeService, (claude) => Stream.runDrain(claude.streamMessage(requestTo(asks)))),
          recovery()(layer)
        )
      )
      assert.include(String(exit), "a bug")
    }))

  it("wrong options are refused at once", () => {
    const wrong: ReadonlyArray<readonly [string, ClaudeLayer.StreamRecoveryOptions]> = [
      ["mode", { mode: "resume" as "continue" }],
      ["maxRecoveries", { maxRecoveries: 0 }],
      ["models", { models: [""] }],
      ["tools", { tools: "never" as "afterAnswer" }]
    ]
    for (const [option, options] of wrong) {
      assert.throws(
        () => ClaudeLayer.withStreamRecovery(options),
        RangeError,
        `ClaudeLayer.withStreamRecovery: option "${option}"`
      )
    }
  })
})

describe("the clocks of each part", () => {
  const [start, ...rest] = MessageEvents.fromMessage(Reply.message(story))
  const ping = { type: "ping" } as const
  const pings = (count: number) => Array.from({ length: count }, () => [Reply.pause("15 seconds"), ping]).flat()
  const begun = rest.slice(0, 2)
  const clocks = ClaudeLayer.withAttemptTimeout({ firstEvent: "20 seconds", idle: "30 seconds", stream: "10 minutes" })

  const watch = (steps: ReadonlyArray<ClaudeTest.Step>) =>
    Effect.provide(
      Effect.gen(function*() {
        const claude = yield* ClaudeService
        const startedAt = yield* Clock.currentTimeMillis
        const fiber = yield* Effect.forkChild(Effect.result(
          Effect.zip(ClaudeStream.message(claude.streamMessage(requestTo(asks))), Clock.currentTimeMillis)
        ))
        yield* TestClock.adjust("1 hour")
        const result = yield* Fiber.join(fiber)
        const calls = yield* Effect.flatMap(ClaudeTest.ClaudeTest, (script) => script.calls)
        return { calls, millis: Result.isSuccess(result) ? result.success[1] - startedAt : undefined, result }
      }),
      ClaudeTest.script(steps).pipe(clocks, recovery()),
      { local: true }
    )

  it.effect("five minutes of pings and no content are no stall", () =>
    Effect.gen(function*() {
      assert.isDefined(start)
      const { calls, millis } = yield* watch([Reply.events([...(start ? [start] : []), ...pings(20), ...rest])])
      assert.strictEqual(millis, 300_000)
      assert.lengthOf(calls, 1)
    }))

  it.effect("a silence is one, and the answer goes on behind it", () =>
    Effect.gen(function*() {
      const { calls, millis, result } = yield* watch([
        Fault.stallStream({ reply: Reply.text(story), afterEvents: 4 }),
        Reply.text(story)
      ])
      assert.strictEqual(millis, 30_000)
      assert.lengthOf(calls, 2)
      assert.isTrue(Result.isSuccess(result))
    }))

  it.effect("pings alone end a part at its total limit", () =>
    Effect.gen(function*() {
      const { calls, millis } = yield* watch([
        Reply.events([...(start ? [start] : []), ...begun, ...pings(1000)]),
        Reply.text(story)
      ])
      assert.strictEqual(millis, 600_000)
      assert.deepStrictEqual(calls.map(({ outcome }) => outcome._tag), ["Interrupted", "Succeeded"])
    }))
})

describe("what an interrupted stream offers", () => {
  const broken = (content: ReadonlyArray<ContentBlock>, events: number) => {
    const accumulator = MessageEvents.makeAccumulator()
    const message = Reply.message("", { content: [...content] })
    for (const event of ModelService.eventsOf(message, () => 3).slice(0, events)) accumulator.add(event)
    return new StreamInterruptedError({ message: "cut", partial: accumulator.partial() })
  }
  const types = ({ resumable }: StreamInterruptedError) => resumable.map(({ type }) => type)

  it("half of a text, and of nothing else", () => {
    const [thought, tool] = [ModelService.thinking("Hm."), ModelService.toolUse({ a: 1 })]
    assert.deepStrictEqual(types(broken([thought, ...told], 3)), [])
    assert.deepStrictEqual(types(broken([thought, ...told], 5)), ["thinking"])
    assert.deepStrictEqual(types(broken([thought, ...told], 8)), ["thinking", "text"])
    assert.deepStrictEqual(types(broken([ModelService.text("Hi."), tool], 6)), ["text"])
    assert.deepStrictEqual(types(broken([ModelService.text("Hi."), tool], 9)), ["text", "tool_use"])
    assert.deepStrictEqual(types(broken([...ModelService.search(), ...told], 4)), [])
    assert.deepStrictEqual(types(broken([...ModelService.search(), ...told], 10)), [
      "server_tool_use",
      "web_search_tool_result"
    ])
    assert.deepStrictEqual(types(broken([ModelService.text(" \n")], 3)), [])
  })

  it("no half of a character, and nothing of a refusal", () => {
    const text = broken([ModelService.text("ab👋")], 3)
    assert.strictEqual(text.partial?.text, "ab\uD83D")
    assert.strictEqual(text.shown, "ab")
    assert.deepStrictEqual(text.resumable, [{ type: "text", text: "ab", citations: null }])
    const refused: PartialAnswer = {
      text: "I",
      events: 5,
      message: Reply.message("I", { stop_reason: "refusal" })
    }
    assert.strictEqual(ClaudeStream.shown(refused), "")
    assert.deepStrictEqual(ClaudeStream.resumable(refused), [])
  })

  it("the same after a way through JSON", () => {
    const error = broken([ModelService.thinking("Hm."), ...told], 8)
    const json: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(ClaudeErrorJson)(error)))
    const back = Schema.decodeUnknownSync(ClaudeErrorJson)(json)
    assert.instanceOf(back, StreamInterruptedError)
    assert.deepStrictEqual(back._tag === "StreamInterruptedError" && back.resumable, error.resumable)
    assert.deepStrictEqual(back.partial?.unfinished, [1])
  })
})
