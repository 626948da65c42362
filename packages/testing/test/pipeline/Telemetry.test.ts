import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import { type ClaudeError, OverloadedError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import { ClaudeService, type ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import { fromMessage } from "@effect-claude/client/MessageEvents"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { createMessage, request, runFor, streamEvents, using } from "./support.ts"

interface Line {
  readonly level: string
  readonly spanId: string | undefined
  readonly fields: Readonly<Record<string, unknown>>
}

/** Runs a call with a logger and a tracer that keep everything, and returns what they kept. */
const observe = (
  call: Effect.Effect<unknown, ClaudeError, ClaudeService>,
  layer: Layer.Layer<ClaudeService>
) => {
  const lines: Array<Line> = []
  const spans: Array<Tracer.NativeSpan> = []
  const logger = Logger.make(({ fiber, logLevel, message }) => {
    const [, fields] = message as [string, Record<string, unknown>]
    lines.push({ level: logLevel, spanId: fiber.cache.span?.spanId, fields })
  })
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return runFor(call, "10 minutes").pipe(
    (test) => using(test, layer),
    Effect.provideService(Tracer.Tracer, tracer),
    Effect.provide(Logger.layer([logger])),
    Effect.map(({ result }) => ({ lines, result, spans }))
  )
}

const errorOf = (result: Result.Result<unknown, ClaudeError>): ClaudeError => {
  if (Result.isSuccess(result)) throw new Error("the call succeeded")
  return result.failure
}

const parentOf = (span: Tracer.NativeSpan | undefined) =>
  span === undefined ? undefined : Option.getOrUndefined(span.parent)

const pipeline = (steps: ReadonlyArray<Parameters<typeof ClaudeTest.script>[0][number]>) =>
  ClaudeTest.script(steps).pipe(
    ClaudeLayer.withAttemptTimeout({ attempt: "60 seconds", idle: "10 seconds" }),
    ClaudeLayer.withRetry(Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 2 }))),
    ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] }),
    ClaudeLayer.withDeadline("5 minutes"),
    ClaudeLayer.withTelemetry()
  )

describe("ClaudeLayer.withTelemetry", () => {
  it.effect("a span for the call, with GenAI attributes and a child for each attempt", () =>
    Effect.gen(function*() {
      const { lines, spans } = yield* observe(
        createMessage,
        pipeline([Fault.overloaded({ requestId: "req_1" }), Reply.text("hi")])
      )
      const [call, first, second] = spans
      assert.deepStrictEqual(spans.map(({ name }) => name), ["chat claude-sonnet-5-5", "attempt", "attempt"])
      assert.strictEqual(parentOf(first), call)
      assert.strictEqual(parentOf(second), call)
      assert.isTrue(spans.every((span) => span.status._tag === "Ended" && span.kind === "client"))

      const attributes = Object.fromEntries(call?.attributes ?? [])
      assert.deepInclude(attributes, {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-sonnet-5-5",
        "gen_ai.response.model": "claude-sonnet-5-5",
        "claude.attempt": 2,
        "claude.source": "requested"
      })
      assert.deepStrictEqual(attributes["gen_ai.response.finish_reasons"], ["end_turn"])
      assert.isNumber(attributes["gen_ai.usage.input_tokens"])
      assert.isNumber(attributes["gen_ai.usage.output_tokens"])
      assert.deepInclude(Object.fromEntries(first?.attributes ?? []), {
        "claude.attempt": 1,
        "error.type": "OverloadedError",
        "claude.verdict": "overloaded",
        "claude.request_id": "req_1"
      })
      assert.deepInclude(Object.fromEntries(second?.attributes ?? []), { "claude.attempt": 2 })

      assert.strictEqual(lines.length, 1)
      assert.strictEqual(lines[0]?.level, "Warn")
      assert.deepInclude(lines[0]?.fields, {
        error: "OverloadedError",
        attempt: 1,
        request_id: "req_1",
        verdict: "overloaded",
        status: 529
      })
    }))

  it.effect("a failure that passes every layer is logged once, at the level of its verdict", () =>
    Effect.gen(function*() {
      const message = "x".repeat(500)
      const { lines, spans } = yield* observe(createMessage, pipeline([Fault.authentication({ message })]))
      assert.strictEqual(lines.length, 1)
      assert.strictEqual(lines[0]?.level, "Error")
      assert.strictEqual(lines[0]?.fields["message"], "x".repeat(200))
      assert.strictEqual(spans[0]?.attributes.get("error.type"), "AuthenticationError")
    }))

  it.effect("attempts of a fallback are children too, each with its model", () =>
    Effect.gen(function*() {
      const steps = [Fault.overloaded(), Fault.overloaded(), Fault.overloaded(), Reply.text("hi")]
      const { lines, spans } = yield* observe(createMessage, pipeline(steps))
      assert.deepStrictEqual(
        spans.slice(1).map((
          { attributes }
        ) => [attributes.get("gen_ai.request.model"), attributes.get("claude.attempt")]),
        [["claude-sonnet-5-5", 1], ["claude-sonnet-5-5", 2], ["claude-sonnet-5-5", 3], ["claude-haiku-5-5", 1]]
      )
      assert.strictEqual(lines.length, 3)
      assert.strictEqual(spans[0]?.attributes.get("claude.source"), "claude-haiku-5-5")
    }))

  it.effect("a deadline that no attempt failed with is logged by the call", () =>
    Effect.gen(function*() {
      const layer = ClaudeTest.script([Fault.hang()]).pipe(
        ClaudeLayer.withDeadline("1 minute"),
        ClaudeLayer.withTelemetry()
      )
      const { lines, spans } = yield* observe(createMessage, layer)
      assert.deepStrictEqual(lines.map(({ fields }) => fields["error"]), ["DeadlineExceededError"])
      assert.deepStrictEqual(spans.map(({ status }) => status._tag), ["Ended", "Ended"])
    }))

  it.effect("an attempt timeout is the attempt's failure", () =>
    Effect.gen(function*() {
      const { lines, spans } = yield* observe(createMessage, pipeline([Fault.hang(), Reply.text("hi")]))
      assert.deepStrictEqual(lines.map(({ fields }) => fields["error"]), ["AttemptTimeoutError"])
      assert.strictEqual(spans[1]?.attributes.get("error.type"), "AttemptTimeoutError")
    }))

  it.effect("a stream has the same spans, which end with it", () =>
    Effect.gen(function*() {
      const { lines, spans } = yield* observe(
        streamEvents,
        pipeline([Fault.cutStream({ afterEvents: 1 }), Reply.text("hi")])
      )
      assert.deepStrictEqual(spans.map(({ name }) => name), ["chat claude-sonnet-5-5", "attempt", "attempt"])
      assert.strictEqual(parentOf(spans[2]), spans[0])
      assert.isTrue(spans.every(({ status }) => status._tag === "Ended"))
      assert.deepInclude(Object.fromEntries(spans[0]?.attributes ?? []), {
        "gen_ai.response.model": "claude-sonnet-5-5",
        "claude.attempt": 2
      })
      assert.deepStrictEqual(spans[0]?.attributes.get("gen_ai.response.finish_reasons"), ["end_turn"])
      assert.deepStrictEqual(lines.map(({ fields }) => fields["error"]), ["StreamInterruptedError"])
    }))

  it.effect("a stream that breaks after content is logged once, and its spans failed", () =>
    Effect.gen(function*() {
      const { lines, spans } = yield* observe(streamEvents, pipeline([Fault.stallStream({ afterEvents: 3 })]))
      assert.deepStrictEqual(lines.map(({ fields }) => fields["error"]), ["AttemptTimeoutError"])
      assert.deepStrictEqual(spans.map(({ attributes }) => attributes.get("error.type")), [
        "AttemptTimeoutError",
        "AttemptTimeoutError"
      ])
      assert.isTrue(spans.every(({ status }) => status._tag === "Ended" && status.exit._tag === "Failure"))
    }))

  it.effect("without a layer that owns attempts, the call is its own", () =>
    Effect.gen(function*() {
      const { lines, spans } = yield* observe(
        createMessage,
        ClaudeTest.script([Fault.overloaded()]).pipe(ClaudeLayer.withTelemetry())
      )
      assert.deepStrictEqual(spans.map(({ name }) => name), ["chat claude-sonnet-5-5", "attempt"])
      assert.strictEqual(lines.length, 1)
    }))

  it.effect("two telemetry layers log a failure once", () =>
    Effect.gen(function*() {
      for (const call of [createMessage, streamEvents]) {
        const { lines } = yield* observe(call, pipeline([Fault.authentication()]).pipe(ClaudeLayer.withTelemetry()))
        assert.deepStrictEqual(lines.map(({ fields }) => fields["error"]), ["AuthenticationError"])
        const quietInside = ClaudeTest.script([Fault.authentication()]).pipe(
          ClaudeLayer.withTelemetry({ logs: false }),
          ClaudeLayer.withTelemetry()
        )
        assert.strictEqual((yield* observe(call, quietInside)).lines.length, 1)
      }
    }))

  it.effect("a stream that breaks off says what had come of it, and the tokens stand in one span alone", () =>
    Effect.gen(function*() {
      const { spans } = yield* observe(streamEvents, pipeline([Fault.cutStream({ afterEvents: 3 })]))
      const [call, attempt] = spans
      assert.strictEqual(call?.attributes.get("gen_ai.response.model"), "claude-sonnet-5-5")
      assert.isNumber(call?.attributes.get("gen_ai.usage.input_tokens"))
      assert.strictEqual(call?.attributes.get("error.type"), "StreamInterruptedError")
      assert.isFalse(attempt?.attributes.has("gen_ai.usage.input_tokens"))
    }))

  it.effect("a call that is interrupted ends its spans, in an attempt and between two", () =>
    Effect.gen(function*() {
      for (const fault of [Fault.hang(), Fault.stallStream({ afterEvents: 3 }), Fault.overloaded()]) {
        for (const call of [Effect.asVoid(createMessage), Effect.asVoid(streamEvents)]) {
          const { spans } = yield* observe(Effect.timeoutOption(call, "500 millis"), pipeline([fault]))
          assert.deepStrictEqual(spans.map(({ status }) => status._tag), ["Ended", "Ended"])
        }
      }
    }))

  it.effect("an answer without the fields that its type promises is an answer still", () =>
    Effect.gen(function*() {
      const { usage: _, ...bare } = Reply.message("hi")
      const message = bare as typeof bare & { readonly usage: never }
      const events = fromMessage(Reply.message("hi")).map((event) => {
        if (event.type === "message_start") return { ...event, message }
        return event.type === "message_delta" ? { ...event, usage: undefined as never } : event
      })
      const service: ClaudeServiceShape = {
        createMessage: () => Effect.succeed(message),
        countTokens: () => Effect.succeed({ input_tokens: 1 }),
        streamMessage: () => Stream.fromIterable(events)
      }
      const layer = () => Layer.succeed(ClaudeService, service).pipe(ClaudeLayer.withTelemetry())
      for (const call of [createMessage, streamEvents]) {
        const { result, spans } = yield* observe(call, layer())
        assert.isTrue(Result.isSuccess(result))
        assert.isFalse(spans[0]?.attributes.has("gen_ai.usage.input_tokens"))
        assert.strictEqual(spans[0]?.attributes.get("gen_ai.response.id"), message.id)
      }
    }))

  it.effect("no name makes a span or a line long", () =>
    Effect.gen(function*() {
      const model = "x".repeat(10_000)
      const call = Effect.flatMap(ClaudeService, (claude) => claude.createMessage({ ...request, model }))
      const { lines, spans } = yield* observe(
        call,
        pipeline([Fault.authentication({ requestId: "r".repeat(10_000) })])
      )
      assert.isBelow(JSON.stringify(lines).length, 1000)
      for (const span of spans) assert.isBelow(JSON.stringify([span.name, ...span.attributes]).length, 1000)
    }))

  it.effect("spans and logs can be switched off", () =>
    Effect.gen(function*() {
      const layer = (options: { readonly spans?: boolean; readonly logs?: boolean }) =>
        ClaudeTest.script([Fault.overloaded()]).pipe(ClaudeLayer.withTelemetry(options))
      const quiet = yield* observe(createMessage, layer({ logs: false }))
      assert.deepStrictEqual([quiet.lines.length, quiet.spans.length], [0, 2])
      const untraced = yield* observe(createMessage, layer({ spans: false }))
      assert.deepStrictEqual([untraced.lines.length, untraced.spans.length], [1, 0])
    }))

  it.effect("what was asked and what it used: the request's limit, streaming, and the prompt cache", () =>
    Effect.gen(function*() {
      const usage = {
        ...Reply.message("hi").usage,
        input_tokens: 10,
        output_tokens: 50,
        cache_read_input_tokens: 200,
        cache_creation_input_tokens: 3000,
        output_tokens_details: { thinking_tokens: 40 }
      }
      for (const [call, isStream] of [[createMessage, undefined], [streamEvents, true]] as const) {
        const { spans } = yield* observe(call, pipeline([Reply.text("hi", { usage })]))
        const attributes = Object.fromEntries(spans[0]?.attributes ?? [])
        assert.deepInclude(attributes, {
          "gen_ai.request.max_tokens": 100,
          "gen_ai.usage.input_tokens": 3210,
          "gen_ai.usage.output_tokens": 50,
          "gen_ai.usage.cache_read.input_tokens": 200,
          "gen_ai.usage.cache_creation.input_tokens": 3000,
          "gen_ai.usage.reasoning.output_tokens": 40
        })
        assert.strictEqual(attributes["gen_ai.request.stream"], isStream)
        assert.strictEqual("gen_ai.response.time_to_first_chunk" in attributes, isStream === true)
      }
    }))

  it.effect("counted tokens are not used ones", () =>
    Effect.gen(function*() {
      const count = Effect.flatMap(ClaudeService, (claude) => claude.countTokens(request))
      const { spans } = yield* observe(count, pipeline([Reply.text("hi")]))
      assert.strictEqual(spans[0]?.name, "count_tokens claude-sonnet-5-5")
      assert.isNumber(spans[0]?.attributes.get("claude.counted_tokens"))
      assert.isFalse(spans.some(({ attributes }) => attributes.has("gen_ai.usage.input_tokens")))
    }))

  it.effect("who answered, and why the others did not", () =>
    Effect.gen(function*() {
      const steps = [Fault.overloaded(), Fault.overloaded(), Fault.overloaded(), Reply.text("hi")]
      for (const call of [createMessage, streamEvents]) {
        const { spans } = yield* observe(call, pipeline(steps))
        assert.strictEqual(spans[0]?.attributes.get("claude.source"), "claude-haiku-5-5")
        assert.deepStrictEqual(spans[0]?.attributes.get("claude.passed_over"), ["claude-sonnet-5-5: OverloadedError"])
      }
    }))

  it.effect("a target that was skipped is told with its reason", () =>
    Effect.gen(function*() {
      const message = AnswerInfo.annotate(Reply.message("hi"), {
        source: { _tag: "Service", name: "backup" },
        passedOver: [{ target: "claude-haiku-5-5", reason: "takes no prefill" }]
      })
      const { spans } = yield* observe(createMessage, pipeline([Reply.of(message)]))
      assert.strictEqual(spans[0]?.attributes.get("claude.source"), "backup")
      assert.deepStrictEqual(spans[0]?.attributes.get("claude.passed_over"), ["claude-haiku-5-5: takes no prefill"])
    }))

  it.effect("an attempt tells what was waited before it: the retry, and the queues", () =>
    Effect.gen(function*() {
      const queued = Reply.effect(() =>
        Effect.withFiber((fiber) => {
          const wait = Duration.millis(250)
          ResilienceEvent.emit(fiber, { _tag: "RateLimiterWaited", key: "k", wait })
          ResilienceEvent.emit(fiber, { _tag: "ConcurrencyQueued", key: "k", wait })
          return Effect.fail(new OverloadedError({ message: "busy" }))
        })
      )
      for (const call of [createMessage, streamEvents]) {
        const { spans } = yield* observe(call, pipeline([queued, Fault.overloaded(), Reply.text("hi")]))
        assert.deepStrictEqual(
          spans.slice(1).map(({ attributes }) => [attributes.get("claude.wait_ms"), attributes.get("claude.queue_ms")]),
          [[undefined, undefined], [1000, 500], [1000, undefined]]
        )
      }
    }))

  it.effect("each hedge is a span of its own, with its number, and the loser's ends interrupted", () =>
    Effect.gen(function*() {
      for (const call of [createMessage, streamEvents]) {
        const layer = ClaudeTest.script([Fault.hang(), Reply.text("hi")]).pipe(
          ClaudeLayer.withHedge({ delay: "1 second" }),
          ClaudeLayer.withRetry(Schedule.recurs(2)),
          ClaudeLayer.withTelemetry()
        )
        const { lines, spans } = yield* observe(call, layer)
        assert.deepStrictEqual(spans.slice(1).map(({ attributes }) => attributes.get("claude.hedge")), [undefined, 1])
        assert.isTrue(spans.slice(1).every((span) => parentOf(span) === spans[0]))
        assert.deepStrictEqual(
          spans.map(({ status }) => status._tag === "Ended" ? status.exit._tag : status._tag),
          ["Success", "Failure", "Success"]
        )
        assert.deepStrictEqual(lines, [])
      }
    }))

  it.effect("what an open circuit turns away is no attempt: it has no span", () =>
    Effect.gen(function*() {
      for (const call of [createMessage, streamEvents]) {
        const layer = ClaudeTest.script([Fault.overloaded(), Fault.overloaded(), Reply.text("hi")]).pipe(
          ClaudeLayer.withCircuitBreaker({ failures: 2, openFor: "30 seconds", closeAfter: 1 }),
          ClaudeLayer.withRetry(ClaudeSchedule.standard),
          ClaudeLayer.withDeadline("5 minutes"),
          ClaudeLayer.withTelemetry()
        )
        const { lines, result, spans } = yield* observe(call, layer)
        assert.isTrue(Result.isSuccess(result))
        assert.deepStrictEqual(
          spans.slice(1).map(({ attributes }) => attributes.get("error.type")),
          ["OverloadedError", "OverloadedError", undefined]
        )
        assert.isAbove(Number(spans[3]?.attributes.get("claude.wait_ms")), 29_000)
        assert.strictEqual(lines.length, 2)
      }
    }))

  it.effect("the spans of what succeeds end as a success, those of a stream too", () =>
    Effect.gen(function*() {
      for (const call of [createMessage, streamEvents]) {
        const { spans } = yield* observe(call, pipeline([Reply.text("hi")]))
        assert.deepStrictEqual(
          spans.map(({ status }) => status._tag === "Ended" ? status.exit._tag : status._tag),
          ["Success", "Success"]
        )
      }
    }))

  it.effect("that a policy turned an attempt away is no line, and no attempt's, if the call is answered", () =>
    Effect.gen(function*() {
      for (const call of [createMessage, streamEvents]) {
        const { lines } = yield* observe(call, pipeline([Fault.circuitOpen(), Reply.text("hi")]))
        assert.deepStrictEqual(lines, [])
      }
    }))

  it.effect("a call that ends with having been turned away is logged once", () =>
    Effect.gen(function*() {
      const layer = () => ClaudeTest.script([Fault.circuitOpen()]).pipe(ClaudeLayer.withTelemetry())
      for (const call of [createMessage, streamEvents]) {
        const { lines, spans } = yield* observe(call, layer())
        assert.deepStrictEqual(lines.map(({ fields, level }) => [level, fields["error"]]), [[
          "Warn",
          "CircuitOpenError"
        ]])
        assert.strictEqual(spans[0]?.attributes.get("claude.verdict"), "rejected")
      }
    }))

  it.effect("a thousand calls that wait for a circuit write no line", () =>
    Effect.gen(function*() {
      const steps = Array.from({ length: 1000 }, () => Fault.circuitOpen())
      const replies = Array.from({ length: 1000 }, () => Reply.text("hi"))
      const layer = ClaudeTest.script([...steps, ...replies]).pipe(
        ClaudeLayer.withRetry(Schedule.spaced("1 second")),
        ClaudeLayer.withTelemetry()
      )
      const all = Effect.all(Array.from({ length: 1000 }, () => createMessage), { concurrency: "unbounded" })
      const { lines, result } = yield* observe(all, layer)
      assert.isTrue(Result.isSuccess(result))
      assert.deepStrictEqual(lines, [])
    }))

  it.effect("a deadline tells of the failure that was sent for, not of having been turned away after it", () =>
    Effect.gen(function*() {
      const failing = (first: ReadonlyArray<ClaudeTest.Step>) =>
        ClaudeTest.script(first, { after: Fault.circuitOpen() }).pipe(
          ClaudeLayer.withRetry(Schedule.spaced("1 second")),
          ClaudeLayer.withDeadline("10 seconds"),
          ClaudeLayer.withTelemetry()
        )
      for (const call of [createMessage, streamEvents]) {
        const sent = yield* observe(call, failing([Fault.overloaded()]))
        assert.include(errorOf(sent.result).message, "OverloadedError")
        const neverSent = yield* observe(call, failing([]))
        assert.include(errorOf(neverSent.result).message, "CircuitOpenError")
      }
    }))

  it.effect("nobody's tracer makes no span", () =>
    Effect.gen(function*() {
      const seen: Array<boolean> = []
      const look = Reply.effect(() =>
        Effect.map(Effect.option(Effect.currentParentSpan), (span) => {
          seen.push(Option.isSome(span))
          return Reply.message("hi")
        })
      )
      const layer = () => ClaudeTest.script([look]).pipe(ClaudeLayer.withTelemetry())
      yield* runFor(createMessage, "0 seconds").pipe((test) => using(test, layer()))
      yield* observe(createMessage, layer())
      assert.deepStrictEqual(seen, [false, true])
    }))

  it.effect("a log line belongs to the span of the attempt that failed, and the call's own to the call", () =>
    Effect.gen(function*() {
      for (const call of [createMessage, streamEvents]) {
        const { lines, spans } = yield* observe(call, pipeline([Fault.overloaded(), Fault.authentication()]))
        assert.deepStrictEqual(lines.map(({ spanId }) => spanId), spans.slice(1).map(({ spanId }) => spanId))
      }
    }))
})
