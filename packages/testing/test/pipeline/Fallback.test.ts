import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import type { ClaudeErrorTag } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { isPing } from "@effect-claude/client/MessageEvents"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import { calls, createMessage, request, runFor, streamEvents, using } from "./support.ts"

const models = ["claude-haiku-5-5", "claude-opus-5-5"]
const asked = Effect.map(calls, (all) => all.map((call) => call.request.model))

describe("ClaudeLayer.withFallback", () => {
  it.effect("leaves an answer of the model that was asked for alone", () =>
    Effect.gen(function*() {
      const info = AnswerInfo.of(yield* createMessage)
      assert.strictEqual(info.source._tag, "Requested")
      assert.deepStrictEqual(info.passedOver, [])
    }).pipe((test) => using(test, ClaudeTest.script([Reply.text("hi")]).pipe(ClaudeLayer.withFallback({ models })))))

  it.effect("asks the models in order, each with its own attempts, and says why the others did not answer", () =>
    Effect.gen(function*() {
      const info = AnswerInfo.of(yield* createMessage)
      assert.deepStrictEqual(info.source, { _tag: "Model", model: "claude-opus-5-5" })
      assert.deepStrictEqual(
        info.passedOver.map(({ error, target }) => [target, error?._tag, error?.attempt]),
        [["claude-sonnet-5-5", "OverloadedError", 2], ["claude-haiku-5-5", "InternalServerError", 2]]
      )
      assert.strictEqual(info.attempt, 1)
      assert.deepStrictEqual(yield* asked, [
        "claude-sonnet-5-5",
        "claude-sonnet-5-5",
        "claude-haiku-5-5",
        "claude-haiku-5-5",
        "claude-opus-5-5"
      ])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([
          Fault.overloaded(),
          Fault.overloaded(),
          Fault.internalServer(),
          Fault.internalServer(),
          Reply.text("hi")
        ]).pipe(ClaudeLayer.withRetry(Schedule.recurs(1)), ClaudeLayer.withFallback({ models }))
      )
    ))

  const fallsThrough: Readonly<Record<ClaudeErrorTag, boolean>> = {
    InvalidRequestError: false,
    AuthenticationError: false,
    BillingError: false,
    PermissionDeniedError: false,
    NotFoundError: false,
    RequestTimeoutError: true,
    ConflictError: true,
    RequestTooLargeError: false,
    ContextWindowExceededError: false,
    RateLimitError: true,
    SpendLimitError: true,
    InternalServerError: true,
    GatewayTimeoutError: true,
    OverloadedError: true,
    ConnectionError: true,
    AttemptTimeoutError: true,
    StreamInterruptedError: true,
    InvalidResponseError: true,
    RefusalError: false,
    OutputTruncatedError: false,
    OutputInvalidError: false,
    CircuitOpenError: true,
    RateLimitedLocallyError: true,
    ConcurrencyLimitError: true,
    RetryBudgetExhaustedError: true,
    DeadlineExceededError: true,
    UsageBudgetExceededError: false
  }
  for (const [tag, expected] of Object.entries(fallsThrough)) {
    it.effect(`by default a ${tag} ${expected ? "falls through" : "ends the call"}`, () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* Effect.result(createMessage))._tag, expected ? "Success" : "Failure")
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Fault.byTag[tag as ClaudeErrorTag]()]).pipe(
            ClaudeLayer.withFallback({ answer: () => "busy" })
          )
        )
      ))
  }

  const notAgain = { shouldRetry: false }
  const unwanted = {
    "an overload": Fault.overloaded(notAgain),
    "a server error": Fault.internalServer(notAgain),
    "a rate limit": Fault.rateLimit(notAgain)
  }
  for (const [name, fault] of Object.entries(unwanted)) {
    it.effect(`${name} that the server does not want to see again is not sent again, and falls through`, () =>
      Effect.gen(function*() {
        yield* createMessage
        assert.deepStrictEqual(yield* asked, ["claude-sonnet-5-5", "claude-haiku-5-5"])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([fault, Reply.text("hi")]).pipe(
            ClaudeLayer.withRetry(Schedule.recurs(2)),
            ClaudeLayer.withFallback({ models })
          )
        )
      ))
  }

  const callersFault = { "a bad request": Fault.invalidRequest(), "a wrong key": Fault.authentication() }
  for (const [name, fault] of Object.entries(callersFault)) {
    it.effect(`does not ask another model about ${name}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(createMessage)
        assert.strictEqual(error.verdict._tag, "Stop")
        assert.deepStrictEqual(yield* asked, ["claude-sonnet-5-5"])
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([fault]).pipe(ClaudeLayer.withFallback({ models, answer: () => Reply.message("busy") }))
        )
      ))
  }

  it.effect("a spend limit of the account skips its other models, and goes to the static answer", () =>
    Effect.gen(function*() {
      const message = yield* createMessage
      const info = AnswerInfo.of(message)
      assert.strictEqual(info.source._tag, "Static")
      assert.deepStrictEqual(info.passedOver.map(({ error, reason, target }) => [target, error?._tag ?? reason]), [
        ["claude-sonnet-5-5", "SpendLimitError"],
        ["claude-haiku-5-5", "spend limit of the same account"],
        ["claude-opus-5-5", "spend limit of the same account"]
      ])
      assert.deepStrictEqual(yield* asked, ["claude-sonnet-5-5"])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.spendLimit()]).pipe(
          ClaudeLayer.withFallback({ models, answer: () => Reply.message("busy") })
        )
      )
    ))

  it.effect("a spend limit without a static answer is one request and the error", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(createMessage)
      assert.strictEqual(error._tag, "SpendLimitError")
      assert.strictEqual((yield* calls).length, 1)
    }).pipe((test) => using(test, ClaudeTest.script([Fault.spendLimit()]).pipe(ClaudeLayer.withFallback({ models })))))

  it.effect("the program decides what falls through, and how a request is adapted", () =>
    Effect.gen(function*() {
      yield* createMessage
      const [, second] = yield* calls
      assert.deepInclude(second?.request, { model: "claude-haiku-5-5", max_tokens: 7 })
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.contextWindowExceeded(), Reply.text("hi")]).pipe(
          ClaudeLayer.withFallback({
            models: [{ model: "claude-haiku-5-5", adapt: (before) => ({ ...before, max_tokens: 7 }) }],
            shouldFallback: (error) => error._tag === "ContextWindowExceededError"
          })
        )
      )
    ))

  it.effect("does not ask the model that was asked for again", () =>
    Effect.gen(function*() {
      yield* Effect.flip(createMessage)
      assert.deepStrictEqual(yield* asked, ["claude-sonnet-5-5"])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.overloaded()]).pipe(ClaudeLayer.withFallback({ models: [request.model] }))
      )
    ))

  it.effect("a stream falls back before content, and its message_start says who answers", () =>
    Effect.gen(function*() {
      const { result } = yield* runFor(streamEvents, "1 minute")
      const events = Result.isSuccess(result) ? result.success.filter((event) => !isPing(event)) : []
      const starts = events.flatMap((event) => event.type === "message_start" ? [AnswerInfo.of(event.message)] : [])
      assert.strictEqual(starts.length, 1)
      assert.deepStrictEqual(starts[0]?.source, { _tag: "Model", model: "claude-haiku-5-5" })
      assert.deepStrictEqual(starts[0]?.passedOver.map(({ error }) => error?._tag), ["StreamInterruptedError"])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.cutStream({ afterEvents: 1 }), Reply.text("hi")]).pipe(
          ClaudeLayer.withFallback({ models })
        )
      )
    ))

  it.effect("a stream that has shown content does not change its source", () =>
    Effect.gen(function*() {
      const { result } = yield* runFor(streamEvents, "1 minute")
      assert.strictEqual(Result.isFailure(result) ? result.failure._tag : "", "StreamInterruptedError")
      assert.strictEqual((yield* calls).length, 1)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.cutStream({ afterEvents: 3 })]).pipe(
          ClaudeLayer.withFallback({ models, answer: () => Reply.message("busy") })
        )
      )
    ))

  it.effect("a static answer is streamed too", () =>
    Effect.gen(function*() {
      const { result } = yield* runFor(streamEvents, "1 minute")
      const events = Result.isSuccess(result) ? result.success.filter((event) => !isPing(event)) : []
      assert.strictEqual(
        events[0]?.type === "message_start" ? AnswerInfo.of(events[0].message).source._tag : "",
        "Static"
      )
      assert.strictEqual(events.at(-1)?.type, "message_stop")
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.overloaded()]).pipe(ClaudeLayer.withFallback({ answer: () => Reply.message("busy") }))
      )
    ))

  it.effect("adapts a request only when its model's turn comes", () =>
    Effect.gen(function*() {
      const info = AnswerInfo.of(yield* createMessage)
      assert.strictEqual(info.source._tag, "Requested")
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Reply.text("hi")]).pipe(
          ClaudeLayer.withFallback({
            models: [{
              model: "claude-haiku-5-5",
              adapt: () => {
                throw new Error("not wanted yet")
              }
            }]
          })
        )
      )
    ))

  const nested = ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] })
  const outermost = ClaudeLayer.withFallback({ models: ["claude-opus-5-5"], answer: () => Reply.message("busy") })
  const passedOver = ({ passedOver }: AnswerInfo.AnswerInfo) =>
    passedOver.map(({ error, target }) => [target, error?._tag])

  it.effect("a fallback inside keeps its say", () =>
    Effect.gen(function*() {
      const info = AnswerInfo.of(yield* createMessage)
      assert.deepStrictEqual(info.source, { _tag: "Model", model: "claude-haiku-5-5" })
      assert.deepStrictEqual(passedOver(info), [["claude-sonnet-5-5", "OverloadedError"]])
    }).pipe((test) => using(test, ClaudeTest.script([Fault.overloaded(), Reply.text("hi")]).pipe(nested, outermost))))

  it.effect("a fallback inside that answers for a model of the outer one is named too", () =>
    Effect.gen(function*() {
      const info = AnswerInfo.of(yield* createMessage)
      assert.deepStrictEqual(info.source, { _tag: "Model", model: "claude-haiku-5-5" })
      assert.deepStrictEqual(passedOver(info), [
        ["claude-sonnet-5-5", "InternalServerError"],
        ["claude-opus-5-5", "OverloadedError"]
      ])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([
          Fault.overloaded(),
          Fault.internalServer(),
          Fault.overloaded(),
          Reply.text("hi")
        ]).pipe(nested, outermost)
      )
    ))

  it.effect("a deadline inside is one model's own, and falls through", () =>
    Effect.gen(function*() {
      const { millis, result } = yield* runFor(createMessage, "1 minute")
      const info = AnswerInfo.of(Result.isSuccess(result) ? result.success : {})
      assert.strictEqual(info.source._tag, "Model")
      assert.deepStrictEqual(passedOver(info), [["claude-sonnet-5-5", "DeadlineExceededError"]])
      assert.strictEqual(millis, 20_000)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.hang(), Reply.text("hi")]).pipe(ClaudeLayer.withDeadline("20 seconds"), nested)
      )
    ))

  const hanging = ClaudeLayer.standard({
    deadline: "5 seconds",
    fallback: { models, answer: (asked, error) => `${asked.model}: ${error._tag}` }
  })

  it.effect("standard() gives the static answer when the deadline is missed", () =>
    Effect.gen(function*() {
      const { millis, result } = yield* runFor(createMessage, "1 minute")
      const message = Result.isSuccess(result) ? result.success : undefined
      assert.deepStrictEqual(message?.content.map((block) => block.type === "text" ? block.text : ""), [
        "claude-sonnet-5-5: DeadlineExceededError"
      ])
      assert.strictEqual(AnswerInfo.of(message ?? {}).source._tag, "Static")
      assert.strictEqual(millis, 5000)
    }).pipe((test) => using(test, ClaudeTest.script([], { after: Fault.hang() }).pipe(hanging))))

  it.effect("standard() says of each model why it did not answer when the static answer does", () =>
    Effect.gen(function*() {
      const { result } = yield* runFor(createMessage, "1 minute")
      const info = AnswerInfo.of(Result.isSuccess(result) ? result.success : {})
      assert.strictEqual(info.source._tag, "Static")
      assert.deepStrictEqual(info.passedOver.map(({ error, target }) => [target, error?._tag]), [
        ["claude-sonnet-5-5", "OverloadedError"],
        ["claude-haiku-5-5", "InternalServerError"],
        ["claude-opus-5-5", "ConnectionError"]
      ])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.overloaded(), Fault.internalServer(), Fault.connection()]).pipe(
          ClaudeLayer.standard({ retry: false, fallback: { models, answer: () => "busy" } })
        )
      )
    ))

  it.effect("standard() streams the static answer when the deadline is missed before content, and not after", () =>
    Effect.gen(function*() {
      const { result } = yield* runFor(streamEvents, "1 minute")
      const events = Result.isSuccess(result) ? result.success : []
      assert.strictEqual(
        events[0]?.type === "message_start" ? AnswerInfo.of(events[0].message).source._tag : "",
        "Static"
      )
      const { result: broken } = yield* using(
        runFor(streamEvents, "1 minute"),
        ClaudeTest.script([Fault.stallStream({ afterEvents: 4 })]).pipe(hanging)
      )
      assert.isTrue(Result.isFailure(broken))
    }).pipe((test) => using(test, ClaudeTest.script([], { after: Fault.hang() }).pipe(hanging))))

  it("refuses a fallback to nothing, and one that could never be reached", () => {
    assert.throws(() => ClaudeLayer.withFallback({}), RangeError, /"models", "answer"/)
    assert.throws(() => ClaudeLayer.withFallback({ models: [] }), RangeError, /"models"/)
    assert.throws(() => ClaudeLayer.withFallback({ models: ["a", "a"] }), RangeError, /"a" twice/)
    assert.throws(() => ClaudeLayer.withFallback({ models: [""] }), RangeError, /empty/)
  })
})
