import { OverloadedError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { MessageRequest } from "@effect-claude/client/ClaudeService"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import { CurrentAttempt } from "@effect-claude/resilience/Attempt"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as ClaudeTest from "../src/ClaudeTest.ts"
import * as Fault from "../src/Fault.ts"
import * as Reply from "../src/Reply.ts"
import * as VirtualTime from "../src/VirtualTime.ts"

const request = (text: string, more: Partial<MessageRequest> = {}): MessageRequest => ({
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  messages: [{ role: "user", content: text }],
  ...more
})

/** The text of the answer, or the tag of the failure. */
const ask = (text: string, more: Partial<MessageRequest> = {}) =>
  ClaudeService.use((claude) => claude.createMessage(request(text, more))).pipe(
    Effect.result,
    Effect.map((result) => {
      if (Result.isFailure(result)) return result.failure._tag
      const [block] = result.success.content
      return block?.type === "text" ? block.text : block?.type
    })
  )

const { script, when } = ClaudeTest

const rest = Reply.text("rest")

const search = { name: "search", input_schema: { type: "object" as const } }
const conversation = (name: string): MessageRequest["messages"] => [
  { role: "user", content: "Look it up" },
  { role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name, input: {} }] },
  {
    role: "user",
    content: [{ type: "tool_result", tool_use_id: "toolu_1", content: [{ type: "text", text: "42 degrees" }] }]
  }
]

describe("a rule answers the calls that are like its", () => {
  const cases: ReadonlyArray<
    readonly [name: string, match: ClaudeTest.Match, yes: MessageRequest, no: MessageRequest]
  > = [
    [
      "model",
      { model: "claude-opus-5-5" },
      request("", { model: "claude-opus-5-5" }),
      request("", { model: "claude-opus" })
    ],
    ["model, by a pattern", { model: /opus/g }, request("", { model: "claude-opus-5-5" }), request("opus")],
    ["text", { text: "weather" }, request("How is the weather?"), request("How are you?", { system: "weather" })],
    ["text, by a pattern", { text: /^how/i }, request("How are you?"), request("And how are you?")],
    ["text of a result", { text: "42" }, request("", { messages: conversation("search") }), request("41")],
    ["system", { system: "brief" }, request("", { system: "Be brief" }), request("Be brief")],
    [
      "system, in blocks",
      { system: "brief" },
      request("", { system: [{ type: "text", text: "Be brief" }] }),
      request("", { system: [] })
    ],
    ["tool", { tool: "search" }, request("", { tools: [search] }), request("search", { tools: [] })],
    ["tool result", { toolResult: "search" }, request("", { messages: conversation("search") }), request("search")],
    [
      "tool result of another tool",
      { toolResult: "search" },
      request("", { messages: conversation("search") }),
      request("", { messages: conversation("find") })
    ],
    [
      "tool result of an earlier turn",
      { toolResult: "search" },
      request("", { messages: conversation("search") }),
      request("", { messages: [...conversation("search"), { role: "assistant", content: "42" }] })
    ],
    [
      "several fields",
      { model: /opus/, text: "hi" },
      request("hi", { model: "claude-opus-5-5" }),
      request("ho", { model: "claude-opus-5-5" })
    ],
    [
      "anything else",
      { where: ({ request }) => request.messages.length > 1 },
      request("", { messages: conversation("a") }),
      request("")
    ]
  ]
  for (const [name, match, yes, no] of cases) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const claude = yield* ClaudeService
        for (const [asked, expected] of [[yes, "rule"], [no, "rest"], [yes, "rule"]] as const) {
          const { content } = yield* claude.createMessage(asked)
          assert.deepStrictEqual(content.map((block) => "text" in block && block.text), [expected])
        }
      }).pipe(Effect.provide(script([when(match, Reply.text("rule"))], { after: rest }))))
  }

  it.effect("method", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const failed = yield* Effect.flip(Stream.runDrain(claude.streamMessage(request("hi"))))
      assert.strictEqual(failed._tag, "OverloadedError")
      assert.deepStrictEqual(yield* claude.countTokens(request("hi")), { input_tokens: 7 })
      assert.strictEqual(yield* ask("hi"), "rest")
    }).pipe(Effect.provide(script([
      when({ method: "streamMessage" }, Fault.overloaded()),
      when({ method: "countTokens" }, Reply.text("", { usage: { input_tokens: 7 } })),
      rest
    ]))))

  it.effect("attempt", () =>
    Effect.gen(function*() {
      const answers = yield* Effect.forEach(
        [1, 2, 3],
        (attempt) => Effect.provideService(ask("hi"), CurrentAttempt, attempt)
      )
      assert.deepStrictEqual(answers, ["ConnectionError", "OverloadedError", "rest"])
    }).pipe(
      Effect.provide(script([when({ attempt: 1 }, Fault.connection()), when({ attempt: 2 }, Fault.overloaded()), rest]))
    ))

  it.effect("the nth of all calls, and the nth that is like it, whoever answered", () =>
    Effect.gen(function*() {
      const answers = yield* Effect.forEach(["a", "b", "a", "a", "b", "a"], (text) => ask(text))
      assert.deepStrictEqual(answers, ["in order", "second call", "second a", "third a", "rest", "rest"])
    }).pipe(Effect.provide(script([
      when({ call: 2 }, Reply.text("second call")),
      when({ text: "a", nth: 2 }, Reply.text("second a")),
      when({ text: "a", nth: 3 }, Reply.text("third a")),
      Reply.text("in order")
    ], { after: rest }))))
})

describe("who answers", () => {
  it.effect("the first rule with a step left, then the steps in order, then `after`", () =>
    Effect.gen(function*() {
      const answers = yield* Effect.forEach(["a", "b", "a", "a", "a", "b", "a", "b"], (text) => ask(text))
      assert.deepStrictEqual(answers, [
        "first 1",
        "in order 1",
        "first 2",
        "second 1",
        "in order 2",
        "after",
        "after",
        "after"
      ])
    }).pipe(Effect.provide(script([
      Reply.text("in order 1"),
      when({ text: "a" }, [Reply.text("first 1"), Reply.text("first 2")]),
      when({ text: /a/ }, [Reply.text("second 1")]),
      Reply.text("in order 2")
    ], { after: Reply.text("after") }))))

  it.effect("a step for so many calls, or for all", () =>
    Effect.gen(function*() {
      const { remaining } = yield* ClaudeTest.ClaudeTest
      assert.strictEqual(yield* remaining, 4)
      const answers = yield* Effect.forEach(Array.from({ length: 8 }), () => ask("a"))
      assert.deepStrictEqual(answers, [
        "twice",
        "twice",
        "OverloadedError",
        "OverloadedError",
        "for ever",
        "for ever",
        "for ever",
        "for ever"
      ])
      assert.strictEqual(yield* remaining, 0)
    }).pipe(Effect.provide(script([
      when({ text: "a" }, Reply.text("twice").pipe(ClaudeTest.times(2))),
      ClaudeTest.times(Fault.overloaded(), 2),
      ClaudeTest.forever(Reply.text("for ever"))
    ]))))

  it.effect("an error is a step too", () => {
    const overloaded = new OverloadedError({ message: "Overloaded", status: 529 })
    return Effect.gen(function*() {
      const claude = yield* ClaudeService
      for (const text of ["a", "b", "c"]) {
        assert.strictEqual(yield* Effect.flip(claude.createMessage(request(text))), overloaded)
      }
    }).pipe(Effect.provide(script([when({ text: "a" }, overloaded), overloaded], { after: overloaded })))
  })

  it.effect("keeps the delay and the times of a step together", () =>
    Effect.gen(function*() {
      for (let call = 0; call < 4; call++) yield* ask("a")
      const { calls } = yield* ClaudeTest.ClaudeTest
      assert.deepStrictEqual((yield* calls).map(({ at }) => at), [0, 1000, 2000, 3000])
    }).pipe(
      Effect.provide(script([
        rest.pipe(ClaudeTest.times(2), ClaudeTest.delayed("1 second")),
        rest.pipe(ClaudeTest.delayed("1 second"), ClaudeTest.times(2))
      ])),
      VirtualTime.run
    ))
})

describe("the lines of every day", () => {
  it.effect("always", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Effect.forEach(["a", "b", "c"], (text) => ask(text)), [
        "SpendLimitError",
        "SpendLimitError",
        "SpendLimitError"
      ])
    }).pipe(Effect.provide(ClaudeTest.always(Fault.spendLimit()))))

  it.effect("failTimes", () =>
    Effect.gen(function*() {
      const answers = yield* Effect.forEach(Array.from({ length: 4 }), () => ask("a"))
      assert.deepStrictEqual(answers, ["OverloadedError", "OverloadedError", "OK", "OK"])
    }).pipe(Effect.provide(ClaudeTest.failTimes(2, Fault.overloaded()))))

  it.effect("failTimes, and then something else", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Effect.forEach(["a", "b"], (text) => ask(text)), [
        "ConnectionError",
        "BillingError"
      ])
    }).pipe(Effect.provide(ClaudeTest.failTimes(1, Fault.connection(), Fault.billing()))))

  it.effect("an outage that a retry survives takes no line for the time", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* ask("a"), "OK")
    }).pipe(
      Effect.provide(ClaudeTest.failTimes(2, Fault.overloaded()).pipe(ClaudeLayer.withRetry())),
      VirtualTime.run
    ))
})

describe("a mistake in the script throws at once", () => {
  const cases: ReadonlyArray<readonly [string, () => unknown, RegExp]> = [
    [
      "a step that is never reached",
      () => script([ClaudeTest.forever(rest), rest]),
      /ClaudeTest.script: step 2 \(text "rest"\)/
    ],
    [
      "the same in a rule",
      () => when({}, [ClaudeTest.forever(rest), Fault.hang()]),
      /ClaudeTest.when: step 2 \(hang\)/
    ],
    [
      "a rule without a step",
      () => when({ model: "a" }, []),
      /ClaudeTest.when: a rule needs a step/
    ],
    [
      "no times",
      () => ClaudeTest.times(rest, 0),
      /ClaudeTest.times: option "count" must be a whole number of at least 1, got 0/
    ],
    ["half a time", () => ClaudeTest.failTimes(1.5, Fault.overloaded()), /ClaudeTest.failTimes: option "count"/],
    ["the 0th call", () => when({ call: 0 }, rest), /ClaudeTest.when: option "call"/],
    ["the 0th match", () => when({ nth: 0 }, rest), /ClaudeTest.when: option "nth"/],
    ["the 0th attempt", () => when({ attempt: Number.NaN }, rest), /ClaudeTest.when: option "attempt"/],
    ["a negative delay", () => ClaudeTest.delayed(rest, Duration.millis(-1)), /ClaudeTest.delayed: option "duration"/]
  ]
  for (const [name, make, message] of cases) {
    it(name, () => {
      assert.throws(make, RangeError, message)
    })
  }
})
