import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import type { MessageEvent } from "@effect-claude/client/MessageEvents"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { quickPipeline, request, verdictOf, withWire } from "./support.ts"

/** Runs a stream and keeps what came of it, and how it ended. */
const watch = (claude: ClaudeServiceShape) =>
  Effect.gen(function*() {
    const events: Array<MessageEvent> = []
    const error = yield* claude.streamMessage(request).pipe(
      Stream.runForEach((event) => Effect.sync(() => events.push(event))),
      Effect.matchEffect({ onFailure: Effect.succeed, onSuccess: () => Effect.succeed(undefined) })
    )
    const seen = events.filter((event) => event.type !== "ping")
    return { events, seen, error }
  })

const text = "Once upon a time there was a tortoise who never gave up."
// message_start, content_block_start, then a delta: three events are the first with text.
const healthy = { text }

describe("streams, through the SDK and a socket", () => {
  it.live("a healthy stream arrives whole, pings included", () =>
    withWire({ after: FaultStep.message(healthy) }, ({ claude }) =>
      Effect.gen(function*() {
        const { error, events, seen } = yield* watch(claude)
        assert.isUndefined(error)
        assert.isTrue(events.some(MessageEvents.isPing))
        assert.strictEqual(seen[0]?.type, "message_start")
        assert.strictEqual(seen.at(-1)?.type, "message_stop")
        const message = yield* MessageEvents.message(Stream.fromIterable(events))
        assert.strictEqual(message?.content[0]?.type === "text" ? message.content[0].text : "", text)
      })))

  it.live("events split at any byte, in the middle of a character too, arrive intact", () =>
    withWire(
      { after: FaultStep.message({ text: "Grüße aus Zürich 🐢", chunkBytes: 1 }) },
      ({ claude }) =>
        Effect.gen(function*() {
          const pieces = yield* Stream.runCollect(MessageEvents.text(claude.streamMessage(request)))
          assert.strictEqual(pieces.join(""), "Grüße aus Zürich 🐢")
        })
    ))

  const errors = [
    ["overloaded_error", "OverloadedError", "overloaded"],
    ["api_error", "InternalServerError", "serverError"],
    ["rate_limit_error", "RateLimitError", "rateLimited"],
    ["timeout_error", "GatewayTimeoutError", "timeout"],
    ["invalid_request_error", "InvalidRequestError", "stop"],
    ["authentication_error", "AuthenticationError", "stop"],
    ["billing_error", "BillingError", "stop"],
    ["permission_error", "PermissionDeniedError", "stop"],
    ["not_found_error", "NotFoundError", "stop"],
    ["request_too_large", "RequestTooLargeError", "stop"],
    ["conflict_error", "ConflictError", "conflict"],
    ["error_of_tomorrow", "InternalServerError", "serverError"]
  ] as const
  for (const [type, tag, verdict] of errors) {
    it.live(`error event of ${type} after content: its own tag, with what had arrived`, () =>
      withWire(
        { after: FaultStep.midStreamError({ afterEvents: 4, error: { type } }) },
        ({ api, claude }) =>
          Effect.gen(function*() {
            const { error, seen } = yield* watch(claude)
            assert.strictEqual(error?._tag, tag)
            assert.strictEqual(error === undefined ? "" : verdictOf(error), verdict)
            assert.isUndefined(error?.status)
            assert.strictEqual(seen.length, 4)
            const partial = error !== undefined && "partial" in error ? error.partial : undefined
            assert.strictEqual(partial?.events, 4)
            assert.isAbove(partial?.text.length ?? 0, 0)
            assert.strictEqual((yield* api.requests).length, 1)
          }),
        quickPipeline()
      ))
  }

  it.live("error event before content: retried, and the consumer sees one message_start", () =>
    withWire(
      { steps: [FaultStep.midStreamError({ afterEvents: 1, times: 2 })] },
      ({ api, claude }) =>
        Effect.gen(function*() {
          const { error, seen } = yield* watch(claude)
          assert.isUndefined(error)
          assert.strictEqual(seen.filter(({ type }) => type === "message_start").length, 1)
          assert.strictEqual((yield* api.requests).length, 3)
        }),
      quickPipeline()
    ))

  it.live("error event before content that never ends: as many requests as the schedule allows, nothing shown", () =>
    withWire({ after: FaultStep.midStreamError({ afterEvents: 1 }) }, ({ api, claude }) =>
      Effect.gen(function*() {
        const { error, seen } = yield* watch(claude)
        assert.strictEqual(error?._tag, "OverloadedError")
        assert.strictEqual(error?.attempt, 3)
        assert.deepStrictEqual(seen, [])
        assert.strictEqual((yield* api.requests).length, 3)
      }), quickPipeline()))

  it.live("error event with the code of a spend limit: final, although its type is that of a rate limit", () =>
    withWire(
      {
        after: FaultStep.midStreamError({
          afterEvents: 1,
          error: { type: "rate_limit_error", details: { error_code: "enforced_spend_limit_reached" } }
        })
      },
      ({ api, claude }) =>
        Effect.gen(function*() {
          const { error } = yield* watch(claude)
          assert.strictEqual(error?._tag, "SpendLimitError")
          assert.strictEqual((yield* api.requests).length, 1)
        }),
      quickPipeline()
    ))

  for (const [where, afterEvents, requests] of [["before", 1, 3], ["after", 4, 1]] as const) {
    it.live(`error event with data that is no JSON, ${where} content`, () =>
      withWire(
        { after: FaultStep.message({ interrupt: { how: "error", afterEvents, data: "upstream gone" } }) },
        ({ api, claude }) =>
          Effect.gen(function*() {
            const { error } = yield* watch(claude)
            assert.strictEqual(error?._tag, "InternalServerError")
            assert.strictEqual(error === undefined ? "" : verdictOf(error), "serverError")
            assert.strictEqual((yield* api.requests).length, requests)
          }),
        quickPipeline()
      ))

    it.live(`a malformed event ${where} content`, () =>
      withWire({ after: FaultStep.malformedEvent({ afterEvents }) }, ({ api, claude }) =>
        Effect.gen(function*() {
          const { error } = yield* watch(claude)
          assert.strictEqual(error?._tag, "InvalidResponseError")
          assert.strictEqual(error === undefined ? "" : verdictOf(error), "serverError")
          assert.strictEqual((yield* api.requests).length, requests)
        }), quickPipeline()))

    it.live(`a reset ${where} content`, () =>
      withWire({ after: FaultStep.cutStream({ afterEvents }) }, ({ api, claude }) =>
        Effect.gen(function*() {
          const { error } = yield* watch(claude)
          assert.strictEqual(error?._tag, "StreamInterruptedError")
          assert.strictEqual(error === undefined ? "" : verdictOf(error), "connection")
          assert.strictEqual((yield* api.requests).length, requests)
        }), quickPipeline()))
  }

  it.live("an end after message_delta is the end of a whole message, as some gateways send it", () =>
    withWire(
      { after: FaultStep.message({ text: "Hi", interrupt: { how: "end", afterEvents: 5 } }) },
      ({ api, claude }) =>
        Effect.gen(function*() {
          const { error, seen } = yield* watch(claude)
          assert.isUndefined(error)
          assert.deepStrictEqual(seen.slice(-2).map(({ type }) => type), ["message_delta", "message_stop"])
          assert.strictEqual((yield* api.requests).length, 1)
        }),
      quickPipeline()
    ))

  it.live("an end without message_stop is no success", () =>
    withWire({ after: FaultStep.endWithoutStop({ afterEvents: 4 }) }, ({ api, claude }) =>
      Effect.gen(function*() {
        const { error, seen } = yield* watch(claude)
        assert.strictEqual(error?._tag, "StreamInterruptedError")
        assert.strictEqual(error === undefined ? "" : verdictOf(error), "connection")
        assert.strictEqual(seen.length, 4)
        assert.strictEqual((yield* api.requests).length, 1)
      }), quickPipeline()))

  it.live("an end before any content is retried", () =>
    withWire({ steps: [FaultStep.endWithoutStop({ afterEvents: 1 })] }, ({ api, claude }) =>
      Effect.gen(function*() {
        const { error } = yield* watch(claude)
        assert.isUndefined(error)
        assert.strictEqual((yield* api.requests).length, 2)
      }), quickPipeline()))

  it.live("a reset after content: interrupted, with what had arrived, and not repeated", () =>
    withWire({ after: FaultStep.cutStream({ afterEvents: 4 }) }, ({ api, claude }) =>
      Effect.gen(function*() {
        const { error, seen } = yield* watch(claude)
        assert.strictEqual(error?._tag, "StreamInterruptedError")
        const shown = seen.map((event) =>
          event.type === "content_block_delta" && event.delta.type === "text_delta" ? event.delta.text : ""
        ).join("")
        assert.strictEqual(error?._tag === "StreamInterruptedError" ? error.partial?.text : undefined, shown)
        assert.strictEqual((yield* api.requests).length, 1)
      }), quickPipeline()))

  it.live("a malformed event is an InvalidResponseError, and nothing is written to the console", () =>
    withWire({ after: FaultStep.malformedEvent({ afterEvents: 4 }) }, ({ claude }) =>
      Effect.gen(function*() {
        const written: Array<unknown> = []
        const original = console.error
        console.error = (...args: Array<unknown>) => void written.push(args)
        const { error } = yield* watch(claude).pipe(Effect.ensuring(Effect.sync(() => {
          console.error = original
        })))
        assert.strictEqual(error?._tag, "InvalidResponseError")
        assert.strictEqual(error?._tag === "InvalidResponseError" ? error.partial?.events : undefined, 4)
        assert.deepStrictEqual(written, [])
      })))

  it.live("an event of an unknown type passes", () =>
    withWire(
      {
        after: FaultStep.message({
          insert: [{ kind: "event", event: "event_of_tomorrow", data: { type: "event_of_tomorrow" }, afterEvents: 3 }]
        })
      },
      ({ claude }) =>
        Effect.gen(function*() {
          const { error, seen } = yield* watch(claude)
          assert.isUndefined(error)
          assert.include(seen.map((event): string => event.type), "event_of_tomorrow")
        })
    ))

  it.live("a stall before the first event is a timeout of the first event, though headers came", () =>
    withWire(
      { after: FaultStep.stallStream({ afterEvents: 0 }) },
      ({ api, claude }) =>
        Effect.gen(function*() {
          const { error } = yield* watch(claude)
          assert.strictEqual(error?._tag === "AttemptTimeoutError" ? error.phase : error?._tag, "firstEvent")
          assert.strictEqual((yield* api.requests).length, 2)
        }),
      quickPipeline({ attemptTimeout: { firstEvent: "80 millis" } })
    ))

  it.live("a stall after content is a timeout of the silence, with what had arrived", () =>
    withWire(
      { after: FaultStep.stallStream({ afterEvents: 4 }) },
      ({ api, claude }) =>
        Effect.gen(function*() {
          const { error } = yield* watch(claude)
          assert.strictEqual(error?._tag, "AttemptTimeoutError")
          if (error?._tag !== "AttemptTimeoutError") return
          assert.strictEqual(error.phase, "idle")
          assert.strictEqual(error.partial?.events, 4)
          assert.strictEqual((yield* api.requests).length, 1)
        }),
      quickPipeline({ attemptTimeout: { idle: "80 millis" } })
    ))

  const pingsForever = (afterEvents: number): FaultStep.FaultStep =>
    FaultStep.message({ text, insert: [{ kind: "ping", afterEvents, count: "forever", interval: "20 millis" }] })

  it.live("pings are no first event", () =>
    withWire({ after: pingsForever(0) }, ({ api, claude }) =>
      Effect.gen(function*() {
        const { error } = yield* watch(claude)
        assert.strictEqual(error?._tag === "AttemptTimeoutError" ? error.phase : error?._tag, "firstEvent")
        assert.strictEqual((yield* api.requests).length, 2)
      }), quickPipeline({ attemptTimeout: { firstEvent: "200 millis" } })))

  it.live("pings keep a dead stream open no longer than its whole time", () =>
    withWire({ after: pingsForever(4) }, ({ api, claude }) =>
      Effect.gen(function*() {
        const { error, events } = yield* watch(claude)
        assert.isAbove(events.filter(MessageEvents.isPing).length, 2)
        assert.strictEqual(error?._tag === "AttemptTimeoutError" ? error.phase : error?._tag, "attempt")
        assert.strictEqual((yield* api.requests).length, 1)
      }), quickPipeline({ attemptTimeout: { idle: "250 millis", stream: "300 millis" } })))

  it.live("pings are no silence", () =>
    withWire(
      {
        after: FaultStep.message({
          text,
          insert: [{ kind: "ping", afterEvents: 2, count: 8, interval: "40 millis" }]
        })
      },
      ({ claude }) =>
        Effect.gen(function*() {
          const { error } = yield* watch(claude)
          assert.isUndefined(error)
        }),
      (base) => base.pipe(ClaudeLayer.withAttemptTimeout({ idle: "150 millis" }))
    ))
})
