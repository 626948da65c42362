import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import { ClaudeService, type MessageRequest } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

const request: MessageRequest = {
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  messages: [{ role: "user", content: "Hello" }]
}

const expected = [...MessageEvents.fromMessage(Reply.message("Slow but sure, word by word."))]
const slow = Reply.events(expected.flatMap((event) => [Reply.pause("1 second"), event]))

const combinators: Record<string, ClaudeLayer.Combinator | undefined> = {
  nothing: undefined,
  withAttemptTimeout: ClaudeLayer.withAttemptTimeout({ idle: "1 minute" }),
  withCircuitBreaker: ClaudeLayer.withCircuitBreaker(),
  withRateLimiter: ClaudeLayer.withRateLimiter(),
  withConcurrency: ClaudeLayer.withConcurrency({ permits: 5 }),
  "withConcurrency (adaptive)": ClaudeLayer.withConcurrency(),
  withRetryBudget: ClaudeLayer.withRetryBudget(),
  withRetry: ClaudeLayer.withRetry(ClaudeSchedule.standard),
  withHedge: ClaudeLayer.withHedge({ delay: "1 minute" }),
  withFallback: ClaudeLayer.withFallback({ models: ["claude-haiku-4-5"] }),
  withDeadline: ClaudeLayer.withDeadline("10 minutes"),
  withCache: ClaudeLayer.withCache(),
  withStreamRecovery: ClaudeLayer.withStreamRecovery(),
  withCompleteAnswers: ClaudeLayer.withCompleteAnswers(),
  withTelemetry: ClaudeLayer.withTelemetry(),
  withUsageLedger: ClaudeLayer.withUsageLedger(),
  standard: ClaudeLayer.standard()
}

const Claude = () => ClaudeTest.script([slow])

/** Pulls with so little patience that most pulls are interrupted and made again. */
const impatient = (stream: Stream.Stream<MessageEvents.MessageEvent, unknown>) =>
  Effect.scoped(Effect.gen(function*() {
    const pull = yield* Stream.toPull(stream)
    const events: Array<MessageEvents.MessageEvent> = []
    let pulls = 0
    while (pulls++ < 1000) {
      const exit = yield* Effect.exit(Effect.timeoutOption(pull, "300 millis"))
      if (exit._tag === "Failure") return { events, ended: Cause.squash(exit.cause), pulls }
      if (Option.isSome(exit.value)) events.push(...exit.value.value)
    }
    return { events, ended: "never", pulls }
  }))

describe("a pull that is interrupted, and made again", () => {
  for (const [name, combinator] of Object.entries(combinators)) {
    it.effect(`goes on where it was: ${name}`, () =>
      Effect.gen(function*() {
        const claude = yield* ClaudeService
        const fiber = yield* Effect.forkChild(impatient(claude.streamMessage(request)))
        yield* TestClock.adjust("20 minutes")
        const { ended, events, pulls } = yield* Fiber.join(fiber)
        assert.isTrue(Cause.isDone(ended), `ended by ${String(ended)}`)
        assert.deepStrictEqual(events.map(({ type }) => type), expected.map(({ type }) => type))
        assert.isAbove(pulls, expected.length)
      }).pipe(Effect.provide(combinator === undefined ? Claude() : Claude().pipe(combinator))))
  }

  it.effect("leaves the permit with the stream", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const first = yield* Effect.forkChild(impatient(claude.streamMessage(request)))
      yield* TestClock.adjust("500 millis")
      const second = yield* Effect.forkChild(claude.createMessage(request))
      yield* TestClock.adjust("500 millis")
      const { calls } = yield* ClaudeTest.ClaudeTest
      assert.lengthOf(yield* calls, 1)

      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      assert.lengthOf(yield* calls, 2)
    }).pipe(Effect.provide(
      ClaudeTest.script([slow, Reply.text("next")]).pipe(ClaudeLayer.withConcurrency({ permits: 1 }))
    )))
})
