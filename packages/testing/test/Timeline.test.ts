import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import * as Timeline from "@effect-claude/testing/Timeline"
import * as VirtualTime from "@effect-claude/testing/VirtualTime"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"

const secret = "sk-ant-api03-secret"
const prompt = "the prompt that nobody should see"

const request = {
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  messages: [{ role: "user" as const, content: prompt }]
}

const ask = Effect.flatMap(
  ClaudeService,
  (claude) => claude.createMessage(request, { headers: { "x-api-key": secret } })
)

describe("Timeline", () => {
  it.effect("shows calls and decisions in the order in which they happened", () =>
    Effect.gen(function*() {
      yield* Effect.sleep("1 hour")
      const lines = yield* Effect.gen(function*() {
        yield* ask
        yield* Effect.exit(ask)
        return (yield* Timeline.current).split("\n")
      }).pipe(
        Timeline.watch,
        Effect.provide(
          ClaudeTest.script([
            Fault.overloaded(),
            Fault.rateLimit({ retryAfter: "3 seconds" }).pipe(ClaudeTest.delayed("500 millis")),
            Reply.text("hi"),
            Fault.spendLimit()
          ]).pipe(
            ClaudeLayer.withRetry(Schedule.spaced("2 seconds")),
            ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] })
          )
        )
      )
      assert.deepStrictEqual(lines, [
        "     0.000 s  #1 attempt 1  claude-sonnet-5-5  createMessage  OverloadedError (529)",
        "     0.000 s     retry in 2s after OverloadedError, overloaded",
        "     2.000 s  #2 attempt 2  claude-sonnet-5-5  createMessage  RateLimitError (429), retry after 3s, took 500ms",
        "     2.500 s     retry in 2s after RateLimitError, rateLimited",
        `     4.500 s  #3 attempt 3  claude-sonnet-5-5  createMessage  text "hi"`,
        "     4.500 s  #4 attempt 1  claude-sonnet-5-5  createMessage  SpendLimitError (429)",
        "     4.500 s     no more retries after SpendLimitError: schedule",
        "     4.500 s     fallback skips claude-haiku-5-5: spend limit of the same account"
      ])
    }).pipe(VirtualTime.run))

  it.effect("is the same twice, and has nothing of a prompt, a key or an error's message", () =>
    Effect.gen(function*() {
      const once = Effect.gen(function*() {
        yield* Effect.exit(ask)
        yield* Effect.exit(ask)
        return yield* Timeline.current
      }).pipe(
        Timeline.watch,
        Effect.provide(
          ClaudeTest.script([], { after: Fault.overloaded({ message: `Overloaded by ${prompt}` }) }).pipe(
            ClaudeLayer.standard({ telemetry: false })
          )
        ),
        Random.withSeed("timeline"),
        VirtualTime.run
      )
      const [one, two] = [yield* once, yield* once]
      const shift = (text: string) => text.split("\n").map((line) => line.slice(14))
      assert.deepStrictEqual(shift(one), shift(two))
      assert.include(one, "attempt 3")
      assert.notInclude(one, prompt)
      assert.notInclude(one, secret)
    }))

  it.effect("says how calls ended that have no answer", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      yield* Effect.ignore(Effect.timeout(claude.createMessage(request), "1 second"))
      yield* Effect.exit(Effect.forkScoped(claude.createMessage(request), { startImmediately: true }))
      yield* Effect.exit(claude.createMessage(request))
      assert.deepStrictEqual((yield* Timeline.current).split("\n"), [
        "     0.000 s  #1 attempt 1  claude-sonnet-5-5  createMessage  interrupted (hang), took 1s",
        "     1.000 s  #2 attempt 1  claude-sonnet-5-5  createMessage  still pending (hang)",
        "     1.000 s  #3 attempt 1  claude-sonnet-5-5  createMessage  died: the script has no step for it"
      ])
    }).pipe(
      Effect.provide(ClaudeTest.script([Fault.hang(), Fault.hang()], { strict: false })),
      VirtualTime.run,
      Effect.scoped
    ))

  it.effect("leaves out the middle of what is too long", () =>
    Effect.gen(function*() {
      for (let i = 0; i < 100; i++) yield* ask
      const { calls } = yield* ClaudeTest.ClaudeTest
      const lines = (yield* Timeline.current).split("\n")
      assert.lengthOf(lines, 41)
      assert.match(lines[20] ?? "", /^ +\.\.\. 60 more lines \.\.\.$/)
      assert.match(lines[40] ?? "", /#100 /)
      assert.lengthOf(Timeline.render(yield* calls, { maxLines: 1 }).split("\n"), 2)
      assert.strictEqual(Timeline.render([]), "no call was made")
      assert.throws(() => Timeline.render([], { maxLines: 0 }), /Timeline.render: option "maxLines"/)
    }).pipe(Effect.provide(ClaudeTest.script([], { after: Reply.text("hi") }))))

  it.effect("takes more calls than a function takes arguments", () =>
    Effect.gen(function*() {
      yield* ask
      const { calls } = yield* ClaudeTest.ClaudeTest
      const [call] = yield* calls
      assert.isDefined(call)
      const lines = Timeline.render(Array.from({ length: 200_000 }, () => call)).split("\n")
      assert.match(lines.at(-1) ?? "", /#200000 /)
    }).pipe(Effect.provide(ClaudeTest.script([Reply.text("hi")]))))

  it.effect("takes the events of a hub", () =>
    Effect.sync(() => {
      const events = [
        { at: 1000, callId: 1, event: { _tag: "CallStarted" } as const },
        { at: 2000, callId: 1, event: { _tag: "DeadlineExceeded", limit: Duration.seconds(2) } as const }
      ]
      assert.strictEqual(Timeline.render([], { events, from: 1000 }), "     1.000 s     deadline of 2s exceeded")
    }))
})
