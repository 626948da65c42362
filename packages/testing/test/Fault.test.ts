import { Anthropic } from "@anthropic-ai/sdk"
import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import type { ClaudeErrorTag } from "@effect-claude/client/ClaudeError"
import {
  ClaudeError,
  ClaudeErrorJson,
  ConnectionError,
  isApiError,
  isPolicyError,
  OverloadedError
} from "@effect-claude/client/ClaudeError"
import type { MessageRequest } from "@effect-claude/client/ClaudeService"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import type { MessageEvent } from "@effect-claude/client/MessageEvents"
import * as SdkFailure from "@effect-claude/client/SdkFailure"
import { CurrentAttempt } from "@effect-claude/resilience/Attempt"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as ClaudeTest from "../src/ClaudeTest.ts"
import * as Fault from "../src/Fault.ts"
import * as Reply from "../src/Reply.ts"

const request: MessageRequest = {
  model: "claude-opus-5-5",
  max_tokens: 100,
  messages: [{ role: "user", content: "Hello" }]
}

type Claude = ClaudeService["Service"]
const methods = {
  createMessage: (claude: Claude) => Effect.asVoid(claude.createMessage(request)),
  streamMessage: (claude: Claude) => Stream.runDrain(claude.streamMessage(request)),
  countTokens: (claude: Claude) =>
    Effect.asVoid(claude.countTokens({ model: request.model, messages: request.messages }))
}
type Method = keyof typeof methods
const methodNames = Object.keys(methods) as ReadonlyArray<Method>

const run = (step: ClaudeTest.Step, method: Method) =>
  Effect.provide(ClaudeService.use(methods[method]), ClaudeTest.script([step]))

const failure = (step: ClaudeTest.Step, method: Method) => Effect.flip(run(step, method))

const tags = Object.keys(Fault.byTag) as ReadonlyArray<ClaudeErrorTag>

const partialOf = (error: ClaudeError) => "partial" in error ? error.partial : undefined

/** The events that a consumer saw, and the error that came after them. */
const observe = (claude: Claude) => {
  const seen: Array<MessageEvent> = []
  return claude.streamMessage(request).pipe(
    Stream.runForEach((event) => Effect.sync(() => seen.push(event))),
    Effect.result,
    Effect.map((result) => ({ seen, result }))
  )
}

describe("Fault", () => {
  describe("by tag", () => {
    it("has a constructor for every tag of ClaudeError", () => {
      assert.sameMembers([...tags], Object.keys(ClaudeError.cases))
      assert.lengthOf(tags, 27)
    })

    for (const tag of tags) {
      for (const method of methodNames) {
        it.effect(`${tag} for ${method}`, () =>
          Effect.gen(function*() {
            const error = yield* Effect.provideService(failure(Fault.byTag[tag](), method), CurrentAttempt, 3)
            assert.strictEqual(error._tag, tag)
            assert.strictEqual(error.attempt, 3)
            assert.strictEqual(error.model, "claude-opus-5-5")
            assert.strictEqual(error.requestId, isApiError(error) ? "req_test_1" : undefined)
            assert.isAbove(error.message.length, 0)
          }))
      }
    }

    it.effect("looks as the client would read it from the wire", () =>
      Effect.gen(function*() {
        for (const tag of tags) {
          const error = yield* failure(Fault.byTag[tag](), "createMessage")
          if (!isApiError(error)) continue
          const { details, errorType, message, status } = error
          const read = SdkFailure.fromAnswer({
            status,
            headers: new Headers({ "request-id": "req_test_1" }),
            body: { error: { type: errorType, message, details } }
          }, { attempt: 1, model: request.model })
          assert.deepStrictEqual(encode(read), encode(error), tag)
        }
      }))
  })

  describe("fields", () => {
    it.effect("take durations in any form", () =>
      Effect.gen(function*() {
        const rateLimit = yield* failure(Fault.rateLimit({ retryAfter: "12 seconds" }), "createMessage")
        assert.deepStrictEqual(rateLimit.retryAfter, Duration.seconds(12))
        const deadline = yield* failure(Fault.deadlineExceeded({ limit: 1500 }), "createMessage")
        assert(deadline._tag === "DeadlineExceededError")
        assert.deepStrictEqual(deadline.limit, Duration.millis(1500))
        const tooLarge = yield* failure(Fault.requestTooLarge({ limit: 1500 }), "createMessage")
        assert(tooLarge._tag === "RequestTooLargeError")
        assert.strictEqual(tooLarge.limit, 1500)
      }))

    it.effect("win over what the call would fill in", () =>
      Effect.gen(function*() {
        const error = yield* failure(
          Fault.overloaded({ attempt: 7, model: "other", requestId: "req_mine", message: "mine" }),
          "streamMessage"
        )
        const { attempt, message, model, requestId } = error
        assert.deepStrictEqual([attempt, model, requestId, message], [7, "other", "req_mine", "mine"])
      }))

    it.effect("that are undefined are not set", () =>
      Effect.gen(function*() {
        const error = yield* failure(Fault.overloaded({ status: undefined, retryAfter: undefined }), "createMessage")
        assert.strictEqual(error.status, 529)
        assert.notProperty(error, "retryAfter")
      }))

    it.effect("put a code into the details, as the API does", () =>
      Effect.gen(function*() {
        const error = yield* failure(Fault.conflict({ errorCode: "thread_already_continued" }), "createMessage")
        assert(error._tag === "ConflictError")
        assert.deepStrictEqual(error.details, { error_code: "thread_already_continued" })
      }))

    it("that are wrong are refused when the fault is made", () => {
      assert.throws(
        () => Fault.rateLimit({ retryAfter: -1 }),
        RangeError,
        `Fault.rateLimit: option "retryAfter" must be a duration of zero or more, got -1`
      )
      assert.throws(() => Fault.rateLimit({ retryAfter: Number.NaN }), RangeError, "got NaN")
      assert.throws(
        () => Fault.attemptTimeout({ limit: "-2 seconds" }),
        RangeError,
        `Fault.attemptTimeout: option "limit"`
      )
      assert.throws(() => Fault.overloaded({ status: 5.5 }), RangeError, "Fault.overloaded: ")
    })

    it.effect("of() hands out the very same error", () =>
      Effect.gen(function*() {
        const error = new OverloadedError({ message: "mine" })
        for (const method of methodNames) assert.strictEqual(yield* failure(Fault.of(error), method), error)
        assert.strictEqual(yield* failure(Fault.midStream(Fault.of(error)), "streamMessage"), error)
      }))
  })

  describe("of streams", () => {
    const total = 11 // start, block start, 6 deltas of the default text, block stop, message delta, stop

    it.effect("break off after exactly so many events", () =>
      Effect.gen(function*() {
        const whole = "This answer breaks off before it is complete."
        for (let afterEvents = 0; afterEvents < total; afterEvents++) {
          for (
            const fault of [Fault.cutStream({ afterEvents }), Fault.midStream(Fault.overloaded(), { afterEvents })]
          ) {
            const { result, seen } = yield* Effect.provide(ClaudeService.use(observe), ClaudeTest.script([fault]))
            assert.strictEqual(seen.filter(({ type }) => type !== "ping").length, afterEvents)
            assert(result._tag === "Failure")
            const partial = partialOf(result.failure)
            assert.strictEqual(partial?.events, afterEvents)
            assert.isTrue(whole.startsWith(partial?.text ?? "?"))
            assert.strictEqual(partial?.message === undefined, afterEvents === 0)
          }
        }
      }))

    it("refuse a number of events that the answer does not have", () => {
      for (const afterEvents of [-1, 1.5, total, Number.NaN, Number.POSITIVE_INFINITY]) {
        assert.throws(
          () => Fault.cutStream({ afterEvents }),
          RangeError,
          `Fault.cutStream: option "afterEvents" must be a whole number from 0 to 10 (the answer has 11 events), got ${afterEvents}`
        )
      }
      assert.throws(
        () => Fault.stallStream({ afterEvents: 6, reply: Reply.text("hi") }),
        RangeError,
        "Fault.stallStream"
      )
    })

    it.effect("do to a JSON answer what the wire would", () =>
      Effect.gen(function*() {
        for (const method of ["createMessage", "countTokens"] as const) {
          const cut = yield* failure(Fault.cutStream({ afterEvents: 3 }), method)
          assert(cut._tag === "ConnectionError")
          assert.strictEqual(cut.code, "UND_ERR_SOCKET")
          assert.isUndefined(cut.partial)
          assert.strictEqual((yield* failure(Fault.endWithoutStop(), method))._tag, "InvalidResponseError")
          const overloaded = yield* failure(Fault.midStream(Fault.overloaded({ retryAfter: "3 seconds" })), method)
          assert.strictEqual(overloaded._tag, "OverloadedError")
          assert.strictEqual(overloaded.status, 529)
          assert.deepStrictEqual(overloaded.retryAfter, Duration.seconds(3))
        }
      }))

    for (const fault of ["stallStream", "hang"] as const) {
      for (const method of methodNames) {
        it.effect(`${fault} is silent for ever for ${method}`, () =>
          Effect.gen(function*() {
            const fiber = yield* Effect.forkChild(run(Fault[fault](), method))
            yield* TestClock.adjust("365 days")
            assert.isUndefined(fiber.pollUnsafe())
            yield* Fiber.interrupt(fiber)
          }))
      }
    }

    it.effect("end well when nothing but message_stop is missing", () =>
      Effect.gen(function*() {
        const claude = ClaudeService.use(observe)
        const whole = yield* Effect.provide(claude, ClaudeTest.script([Reply.text("hi")]))
        const { result, seen } = yield* Effect.provide(
          claude,
          ClaudeTest.script([Fault.endWithoutStop({ afterEvents: 5, reply: Reply.text("hi") })])
        )
        assert.strictEqual(result._tag, "Success")
        assert.deepStrictEqual(seen, whole.seen)
      }))

    it.effect("fail in the middle with any fault", () =>
      Effect.gen(function*() {
        const changed: { readonly [tag: string]: string } = {
          RequestTimeoutError: "GatewayTimeoutError",
          ConnectionError: "StreamInterruptedError"
        }
        for (const tag of tags) {
          const error = yield* failure(Fault.midStream(Fault.byTag[tag](), { afterEvents: 4 }), "streamMessage")
          assert.strictEqual(error._tag, changed[tag] ?? tag)
          if (isPolicyError(error)) continue
          assert.strictEqual(partialOf(error)?.events, 4, tag)
          assert.isUndefined(error.status, tag)
          assert.strictEqual(error.requestId, "req_test_1", tag)
        }
      }))

    it.effect("wait for the delay of the fault in the middle", () =>
      Effect.gen(function*() {
        const late = Fault.midStream(ClaudeTest.delayed(Fault.overloaded(), "5 seconds"), {
          reply: Reply.text("Hello").pipe(ClaudeTest.delayed("2 seconds"))
        })
        for (const method of methodNames) {
          const fiber = yield* Effect.forkChild(failure(late, method))
          yield* TestClock.adjust("6999 millis")
          assert.isUndefined(fiber.pollUnsafe())
          yield* TestClock.adjust("1 millis")
          assert.strictEqual((yield* Fiber.join(fiber))._tag, "OverloadedError")
        }
      }))
  })

  describe("beside the real client", () => {
    const scripted = (step: ClaudeTest.Step) =>
      Effect.provide(ClaudeService, ClaudeTest.script([step], { strict: false }))
    const real = (fetch: () => Response) =>
      AnthropicClient.make(
        new Anthropic({ apiKey: "sk-ant-canary", fetch: () => Promise.resolve(fetch()), openTelemetry: false })
      )
    const headers = { "request-id": "req_test_1" }
    const lost = () =>
      new TypeError("terminated", { cause: Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET" }) })

    it.effect("errors of the API are the same", () =>
      Effect.gen(function*() {
        for (const tag of tags) {
          const fault = Fault.byTag[tag]()
          const expected = yield* failure(fault, "createMessage")
          if (!isApiError(expected)) continue
          const { details, errorType: type, message, status = 500 } = expected
          const body = JSON.stringify({ type: "error", error: { type, message, details } })
          const claude = real(() => new Response(body, { status, headers }))
          for (const method of methodNames) {
            assert.deepStrictEqual(encode(yield* Effect.flip(methods[method](claude))), encode(expected), tag)
          }
        }
      }))

    const endings = {
      cutStream: (afterEvents: number) => [Fault.cutStream({ afterEvents }), lost()] as const,
      endWithoutStop: (afterEvents: number) => [Fault.endWithoutStop({ afterEvents }), undefined] as const,
      midStream: (afterEvents: number) =>
        [Fault.midStream(Fault.overloaded(), { afterEvents }), {
          event: "error",
          data: { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }
        }] as const,
      spendLimit: (afterEvents: number) =>
        [Fault.midStream(Fault.spendLimit(), { afterEvents }), {
          event: "error",
          data: {
            type: "error",
            error: {
              type: "rate_limit_error",
              message: "You have reached your organization's spend limit",
              details: { error_code: "enforced_spend_limit_reached" }
            }
          }
        }] as const
    }

    for (const [name, ending] of Object.entries(endings)) {
      it.effect(`${name} looks the same after any number of events`, () =>
        Effect.gen(function*() {
          for (let afterEvents = 0; afterEvents < 11; afterEvents++) {
            const [fault, end] = ending(afterEvents)
            const expected = yield* Effect.flatMap(scripted(fault), observe)
            // The last event of the script may be one that the client adds.
            const sent = expected.seen.filter((event) => event.type !== "message_stop")
            const answered = yield* observe(real(() =>
              new Response(serverSentEvents(sent, end), {
                headers: { ...headers, "content-type": "text/event-stream" }
              })
            ))
            assert.deepStrictEqual(answered.seen, expected.seen)
            assert.strictEqual(answered.result._tag, expected.result._tag)
            if (answered.result._tag === "Failure" && expected.result._tag === "Failure") {
              assert.deepStrictEqual(encode(answered.result.failure), encode(expected.result.failure))
            }
          }
        }))
    }

    const answers: ReadonlyArray<Fault.HttpAnswer> = [
      ...[400, 401, 402, 403, 404, 408, 409, 413, 418, 429, 499, 500, 501, 502, 503, 504, 520, 529].map((status) => ({
        status
      })),
      { status: 429, errorCode: "enforced_spend_limit_reached" },
      { status: 429, headers: { "retry-after": "12", "anthropic-ratelimit-requests-remaining": "0" } },
      { status: 429, headers: { "retry-after": "Thu, 01 Jan 1970 00:00:30 GMT" } },
      { status: 400, message: "prompt is too long: 208310 tokens > 200000 maximum" },
      { status: 400, type: "billing_error", message: "Your credit balance is too low" },
      { status: 529, headers: { "x-should-retry": "false", "request-id": "req_other" } },
      { status: 502, body: "<html><title>502 Bad Gateway</title></html>", headers: { "content-type": "text/html" } },
      { status: 500, body: "" },
      { status: 500, body: `{"type":"error","error":{"type":"overloaded_error","message":"Overl` },
      { status: 500, body: "[]" },
      { status: 403, body: { message: "no" } }
    ]
    for (const [index, answer] of answers.entries()) {
      it.effect(`HTTP answer ${index + 1}, ${JSON.stringify(answer)}, is the same`, () =>
        Effect.gen(function*() {
          const { body, errorCode, status } = answer
          const usual = (yield* failure(Fault.http({ status }), "createMessage")) as { readonly errorType?: string }
          const type = answer.type ?? usual.errorType
          const details = errorCode === undefined ? {} : { details: { error_code: errorCode } }
          const sent = body ?? {
            type: "error",
            error: { type, message: answer.message ?? type, ...details },
            request_id: "req_test_1"
          }
          const claude = real(() =>
            new Response(typeof sent === "string" ? sent : JSON.stringify(sent), {
              status,
              headers: { ...headers, ...answer.headers }
            })
          )
          for (const method of methodNames) {
            const expected = yield* Effect.flip(methods[method](claude))
            assert.deepStrictEqual(encode(yield* failure(Fault.http(answer), method)), encode(expected), method)
          }
        }))
    }

    it.effect("an HTTP answer says nothing of the request", () =>
      Effect.gen(function*() {
        const canary = "the canary that sings in the prompt"
        const body = { type: "error", error: { type: "invalid_request_error", message: `messages: ${canary}` } }
        const error = yield* Effect.flip(Effect.provide(
          ClaudeService.use((claude) =>
            claude.createMessage({ ...request, messages: [{ role: "user", content: canary }] })
          ),
          ClaudeTest.script([Fault.http({ status: 400, body })])
        ))
        assert.notInclude(JSON.stringify(encode(error)), "canary")
      }))

    it("an HTTP answer is that of an error, and says one thing", () => {
      for (const status of [200, 399, 600, 400.5, Number.NaN]) {
        assert.throws(() => Fault.http({ status }), RangeError, /Fault.http: option "status"/)
      }
      assert.throws(() => Fault.http({ status: 500, body: "", type: "api_error" }), RangeError, /option "body"/)
    })

    it.effect("a JSON answer that is cut or ends early looks the same", () =>
      Effect.gen(function*() {
        const half = new TextEncoder().encode(`{"type":"message","con`)
        const bodies = [
          [Fault.cutStream(), lost()],
          [Fault.endWithoutStop(), undefined]
        ] as const
        for (const [fault, error] of bodies) {
          const claude = real(() => {
            const body = new ReadableStream({
              pull: (controller) => error === undefined ? controller.close() : controller.error(error),
              start: (controller) => controller.enqueue(half)
            })
            return new Response(body, { headers: { ...headers, "content-type": "application/json" } })
          })
          for (const method of ["createMessage", "countTokens"] as const) {
            const answered = yield* Effect.flip(methods[method](claude))
            assert.deepStrictEqual(encode(answered), encode(yield* failure(fault, method)))
          }
        }
      }))

    it.effect("a lost connection is worded the same", () =>
      Effect.gen(function*() {
        const error = yield* failure(Fault.connection(), "createMessage")
        const cause = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" })
        const read = SdkFailure.fromThrown(new TypeError("fetch failed", { cause }), {
          attempt: 1,
          model: request.model
        })
        assert(read instanceof ConnectionError)
        assert.deepStrictEqual(encode(read), encode(error))
      }))
  })
})

/** All of an error that can be compared; the `cause` is an `Error` with a stack. */
const encode = (error: ClaudeError) => {
  const { cause: _, ...fields } = Schema.encodeSync(ClaudeErrorJson)(error) as { readonly [field: string]: Schema.Json }
  return fields
}

type End = Error | { readonly event: string; readonly data: object } | undefined

const serverSentEvents = (events: ReadonlyArray<MessageEvent>, end: End): ReadableStream =>
  Stream.toReadableStream(
    Stream.concat(
      Stream.fromIterable([
        ...events.map((event) => ({ event: event.type as string, data: event as object })),
        ...(end === undefined || end instanceof Error ? [] : [end])
      ]).pipe(
        Stream.map(({ data, event }) => new TextEncoder().encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`))
      ),
      end instanceof Error ? Stream.fail(end) : Stream.empty
    )
  )
