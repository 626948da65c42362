import type { ContentBlock, Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import * as ClaudeTool from "@effect-claude/client/ClaudeTool"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as ToolLedger from "@effect-claude/client/ToolLedger"
import * as ToolLoop from "@effect-claude/client/ToolLoop"
import { ToolLoopError, ToolLoopErrorJson } from "@effect-claude/client/ToolLoopError"
import type { ToolLoopEvent } from "@effect-claude/client/ToolLoopEvent"
import * as Deadline from "@effect-claude/resilience/Deadline"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"
import { request } from "./support.ts"
import { asks, done, recorder, requests, runLoop, toldLast, toolUse } from "./toolSupport.ts"

class Declined extends Data.TaggedError("Declined")<{ readonly message: string }> {}
class Down extends Data.TaggedError("Down")<{ readonly message: string }> {}

const noInput = Schema.Struct({})

/** A tool that ends as this effect does, the number of times it ran included. */
const tool = <E>(run: (attempt: number) => Effect.Effect<string, E>) => {
  let runs = 0
  return ClaudeTool.make("try", { description: "Tries", input: noInput, run: () => Effect.suspend(() => run(++runs)) })
}

const tries = asks([["try", {}]])

describe("a tool that fails", () => {
  const told = <E>(run: () => Effect.Effect<string, E>) =>
    Effect.andThen(runLoop([tool(run)]), toldLast).pipe(
      Effect.provide(ClaudeTest.script([tries, done]), { local: true })
    )

  it.effect("tells the model the message of its failure, bounded and without secrets", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* told(() => Effect.fail(new Declined({ message: "Over the limit" }))), [
        ["Over the limit", true]
      ])
      const [[long]] = (yield* told(() => Effect.fail(new Declined({ message: "x".repeat(5000) })))) as [[string, true]]
      assert.strictEqual(long.length, 1003)
      const [[secret]] = (yield* told(() =>
        Effect.fail(new Declined({ message: "GET /x, Authorization: Bearer abcdef123456: 403" }))
      )) as [[string, true]]
      assert.notInclude(secret, "abcdef123456")
      assert.deepStrictEqual(
        yield* told(() =>
          Effect.fail({ code: 404 })
        ),
        [["The tool failed.", true]]
      )
    }))

  it.effect("tells what its describeFailure says", () =>
    Effect.gen(function*() {
      const charge = ClaudeTool.make("try", {
        description: "",
        input: noInput,
        run: () => Effect.fail(new Declined({ message: "internal: table cards" })),
        describeFailure: ({ _tag }) => `The card was ${_tag.toLowerCase()}`
      })
      yield* runLoop([charge])
      assert.deepStrictEqual(yield* toldLast, [["The card was declined", true]])
    }).pipe(Effect.provide(ClaudeTest.script([tries, done]))))

  it.effect("by a defect tells only that it did, and the log what with, without what the model wrote", () => {
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => void logged.push(String(message)))
    const broken = ClaudeTool.make("try", {
      description: "",
      input: Schema.Struct({ note: Schema.String }),
      run: ({ note }) => Effect.die(new TypeError(`cannot read "${note}" with key sk-ant-secret-1`))
    })
    return Effect.gen(function*() {
      yield* runLoop([broken])
      assert.deepStrictEqual(yield* toldLast, [
        ["The tool failed unexpectedly. It is not known whether it had an effect.", true]
      ])
      assert.strictEqual(logged.length, 1)
      assert.include(logged[0], "Tool try died: TypeError: cannot read")
      assert.notInclude(logged[0], "the owner of the house")
      assert.notInclude(logged[0], "sk-ant-secret-1")
    }).pipe(
      Effect.provide([
        ClaudeTest.script([asks([["try", { note: "the owner of the house" }]]), done]),
        Logger.layer([logger])
      ])
    )
  })

  it.effect("by an output that is not of its Schema, or a describeFailure that throws, has failed all the same", () =>
    Effect.gen(function*() {
      const wrong = ClaudeTool.make("wrong", {
        description: "",
        input: noInput,
        output: Schema.Int,
        run: () => Effect.succeed(1.5)
      })
      const thrower = ClaudeTool.make("thrower", {
        description: "",
        input: noInput,
        run: () => Effect.fail(new Declined({ message: "no" })),
        describeFailure: () => {
          throw new Error("bug")
        }
      })
      yield* runLoop([wrong, thrower])
      assert.deepStrictEqual((yield* toldLast).map(([, isError]) => isError), [true, true])
    }).pipe(
      Effect.provide([ClaudeTest.script([asks([["wrong", {}], ["thrower", {}]]), done]), Logger.layer([])])
    ))

  it.effect("with what it says stops the loop, and is run again with the same key when the run goes on", () => {
    const { ran, tool: other } = recorder("other")
    const keys: Array<string> = []
    const attempts: Array<number> = []
    const pay = ClaudeTool.make("pay", {
      description: "",
      input: noInput,
      run: (_, { attempt, idempotencyKey }) =>
        Effect.suspend((): Effect.Effect<string, Declined | Down> => {
          keys.push(idempotencyKey)
          attempts.push(attempt)
          return keys.length === 1 ? Effect.fail(new Down({ message: "out" })) : Effect.succeed("paid")
        }),
      haltOn: (error) => error._tag === "Down"
    })
    return Effect.gen(function*() {
      const ledger = yield* ToolLedger.makeMemory
      const run = runLoop([pay, other], { runId: "r", ledger })
      const error = yield* Effect.flip(run)
      assert.strictEqual(error.reason, "tool")
      assert.strictEqual(error.tool, "pay")
      assert.instanceOf(error.toolError, Down)
      assert.strictEqual(error.message, "Tool pay failed with Down")
      assert.strictEqual(error.verdict._tag, "Stop")
      assert.strictEqual(ran.length, 0)
      assert.deepStrictEqual(error.transcript.map(({ role }) => role), ["user", "assistant"])

      yield* run
      assert.deepStrictEqual(attempts, [1, 2])
      assert.strictEqual(keys[0], keys[1])
      assert.strictEqual(keys[0], error.idempotencyKey)
      assert.deepStrictEqual(yield* toldLast, [["paid", false], ["did it", false]])
    }).pipe(Effect.provide(ClaudeTest.script([asks([["pay", {}], ["other", { what: "it" }]]), done])))
  })

  it.effect("and stops the loop lets those that run beside it end, and no other one begin", () => {
    const { ran, tool: late } = recorder("late")
    let ended = false
    const slow = ClaudeTool.make("slow", {
      description: "",
      input: noInput,
      run: () =>
        Effect.yieldNow.pipe(Effect.repeat({ times: 5 }), Effect.andThen(Effect.sync(() => void (ended = true))))
    })
    const stops = ClaudeTool.make("stops", {
      description: "",
      input: noInput,
      run: () => Effect.fail(new Down({ message: "" })),
      haltOn: () => true
    })
    return Effect.gen(function*() {
      const error = yield* Effect.flip(runLoop([slow, stops, late], { concurrency: 2 }))
      assert.strictEqual(error.reason, "tool")
      assert.isTrue(ended)
      assert.deepStrictEqual(ran, [])
    }).pipe(Effect.provide(ClaudeTest.script([asks([["slow", {}], ["stops", {}], ["late", { what: "x" }]])])))
  })

  it.effect("is a span that knows the kind of its failure, and not its text", () => {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    return Effect.gen(function*() {
      yield* runLoop([tool(() => Effect.fail(new Declined({ message: "the card of Ann" })))])
      const [span] = spans
      assert.strictEqual(span?.name, "execute_tool try")
      assert.strictEqual(span?.attributes.get("error.type"), "Declined")
      assert.match(String(span?.attributes.get("gen_ai.tool.call.id")), /^toolu_/)
      assert.notInclude(inspect(span, { depth: 8 }), "Ann")
    }).pipe(
      Effect.provideService(Tracer.Tracer, tracer),
      Effect.provide(ClaudeTest.script([asks([["try", {}]]), done]))
    )
  })

  it.effect("by interrupting itself interrupts the run", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(runLoop([tool(() => Effect.interrupt)]))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    }).pipe(Effect.provide(ClaudeTest.script([tries]))))
})

describe("an input that is none", () => {
  const book = () => {
    const ran: Array<unknown> = []
    const tool = ClaudeTool.make("book", {
      description: "",
      input: Schema.Struct({
        guests: Schema.Int,
        day: Schema.Literals(["fri", "sat"]),
        note: Schema.optionalKey(Schema.String)
      }),
      run: (input) => Effect.sync(() => void ran.push(input))
    })
    return { ran, tool }
  }

  it.effect("goes back to the model with all of its issues, and so does the name of a tool that is not there", () => {
    const { ran, tool } = book()
    return Effect.gen(function*() {
      yield* runLoop([tool])
      assert.deepStrictEqual(yield* toldLast, [
        [
          "The input is not what book takes, and it was not run.\n"
          + "Expected no excess property\n  at [\"force\"]\nExpected an integer\n  at [\"guests\"]\n"
          + "Expected \"fri\" | \"sat\"\n  at [\"day\"]",
          true
        ],
        ["The input is not what book takes, and it was not run.\nIt is not valid JSON, or nests too deeply.", true],
        ["The input is not what book takes, and it was not run.\nExpected object", true],
        ["There is no tool of this name. Tools: book", true]
      ])
      assert.deepStrictEqual(ran, [])
      // The API takes no input back that is not an object.
      const [, second] = yield* requests
      const turn = second?.messages[1]?.content
      assert.deepStrictEqual(
        typeof turn === "string" ? [] : turn?.map((block) => block.type === "tool_use" ? block.input : undefined),
        [{ guests: 2.5, day: "Fri", force: true }, {}, {}, {}]
      )
    }).pipe(Effect.provide(ClaudeTest.script([
      asks([
        ["book", { guests: 2.5, day: "Fri", force: true }],
        ["book", `{"guests": 2, "day": "fr`],
        ["book", [1, 2]],
        ["cancel", {}]
      ]),
      done
    ])))
  })

  it.effect("nested beyond reason is one that cannot be read, and no defect", () => {
    const { ran, tool } = recorder()
    let deep: unknown = "x"
    for (let depth = 0; depth < 1000; depth++) deep = [deep]
    return Effect.gen(function*() {
      const ledger = yield* ToolLedger.makeMemory
      yield* runLoop([tool], { runId: "r", ledger })
      assert.deepStrictEqual((yield* toldLast).map(([, isError]) => isError), [true])
      assert.deepStrictEqual(ran, [])
    }).pipe(Effect.provide(ClaudeTest.script([
      Reply.of({ ...Reply.message("", { stop_reason: "tool_use" }), content: [toolUse("act", { what: deep })] }),
      done
    ])))
  })
})

const truncatedCall = (overrides: Partial<Message> = {}): Message =>
  Reply.message("", {
    content: [
      { type: "text", text: "I am going to clean up.", citations: null },
      // What the SDK makes of `{"path":"/etc","cmd":"rm -rf /tm`.
      toolUse("run", { path: "/etc" })
    ],
    stop_reason: "max_tokens",
    ...overrides
  })

describe("an answer that is no whole one", () => {
  const runner = () => {
    const ran: Array<string> = []
    const tool = ClaudeTool.make("run", {
      description: "Runs a command",
      input: Schema.Struct({ path: Schema.String, cmd: Schema.optionalKey(Schema.String) }),
      run: ({ path }) => Effect.sync(() => void ran.push(path))
    })
    return { ran, tool }
  }

  const wrongs: ReadonlyArray<readonly [string, Message, tag: string]> = [
    ["max_tokens, with an input that looks whole", truncatedCall(), "OutputTruncatedError"],
    ["the end of the context", truncatedCall({ stop_reason: "model_context_window_exceeded" }), "OutputTruncatedError"],
    ["a refusal", truncatedCall({ stop_reason: "refusal" }), "RefusalError"],
    ["no stop reason", truncatedCall({ stop_reason: null }), "OutputTruncatedError"],
    ["a stop reason of tomorrow", truncatedCall({ stop_reason: "tomorrow" as "end_turn" }), "OutputInvalidError"],
    ["no content", Reply.message("", { content: [] }), "OutputInvalidError"],
    ["tool_use without a call", Reply.message("Let me see", { stop_reason: "tool_use" }), "OutputInvalidError"]
  ]
  for (const [name, message, tag] of wrongs) {
    for (const streaming of [false, true]) {
      it.effect(`stops the loop and runs no tool: ${name}${streaming ? ", streamed" : ""}`, () => {
        const { ran, tool } = runner()
        return Effect.gen(function*() {
          const error = yield* Effect.flip(runLoop([tool], { streaming }))
          assert.strictEqual(error.reason, "claude")
          assert.strictEqual(error.error?._tag, tag)
          assert.deepStrictEqual(ran, [])
          // It is in the error, and paid for, but no part of the conversation.
          assert.deepStrictEqual(error.error?.partial?.message?.content, message.content)
          assert.deepStrictEqual(error.transcript, request.messages)
          assert.strictEqual(error.usage.outputTokens, message.usage.output_tokens)
        }).pipe(Effect.provide(ClaudeTest.script([Reply.of(message)])))
      })
    }
  }

  it.effect("may be asked for again with more room, on the same run, whose usage counts both", () => {
    const { ran, tool } = runner()
    return Effect.gen(function*() {
      const ledger = yield* ToolLedger.makeMemory
      const error = yield* Effect.flip(runLoop([tool], { runId: "r", ledger }))
      const { usage } = yield* runLoop([tool], { runId: "r", ledger, request: { ...request, max_tokens: 1000 } })
      assert.deepStrictEqual(ran, ["/tmp"])
      assert.isAbove(usage.outputTokens, error.usage.outputTokens)
      assert.strictEqual(usage.inputTokens, 30)
    }).pipe(
      Effect.provide(ClaudeTest.script([Reply.of(truncatedCall()), asks([["run", { path: "/tmp" }]]), done]))
    )
  })

  it.effect("and pauses again and again stops the loop", () => {
    const paused: ContentBlock = { type: "text", text: "Searching.", citations: null }
    return Effect.gen(function*() {
      const error = yield* Effect.flip(runLoop([], { limits: { pauses: 2 } }))
      assert.strictEqual(error.error?._tag, "OutputTruncatedError")
      assert.strictEqual((yield* requests).length, 3)
    }).pipe(
      Effect.provide(ClaudeTest.script([], {
        after: Reply.of(Reply.message("", { content: [paused], stop_reason: "pause_turn" }))
      }))
    )
  })
})

const during = <A, E, R>(effect: Effect.Effect<A, E, R>, time: Duration.Input) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Effect.result(effect))
    yield* TestClock.adjust(time)
    return yield* Fiber.join(fiber)
  })

describe("a step that fails", () => {
  it.effect("is made three times if its error may pass, and waits as long as the server says", () => {
    const events: Array<ToolLoopEvent> = []
    return Effect.gen(function*() {
      const result = yield* during(
        runLoop([], { onEvent: (event) => Effect.sync(() => void events.push(event)) }),
        "1 minute"
      )
      if (result._tag === "Success") return assert.fail("it did not fail")
      assert.strictEqual(result.failure.error?._tag, "OverloadedError")
      assert.strictEqual(result.failure.message, `Step 1 failed: ${result.failure.error?.message}`)
      const calls = yield* Effect.flatMap(ClaudeTest.ClaudeTest, ({ calls }) => calls)
      assert.deepStrictEqual(calls.map(({ attempt }) => attempt), [1, 2, 3])
      assert.isAtLeast((calls[1]?.at ?? 0) - (calls[0]?.at ?? 0), 7000)
      assert.deepStrictEqual(
        events.map((event) =>
          event._tag === "StepRetried" ? [event.step, event.attempt, event.error._tag] : event._tag
        ),
        ["StepStarted", [1, 1, "RateLimitError"], [1, 2, "OverloadedError"]]
      )
    }).pipe(
      Effect.provide(ClaudeTest.script([Fault.rateLimit({ retryAfter: "7 seconds" })], { after: Fault.overloaded() }))
    )
  })

  it.effect("stops the loop at once if the verdict is Stop, whatever the schedule", () =>
    Effect.gen(function*() {
      const result = yield* during(runLoop([], { retry: Schedule.recurs(5) }), "1 minute")
      assert.strictEqual(result._tag === "Failure" ? result.failure.error?._tag : "", "AuthenticationError")
      assert.strictEqual((yield* requests).length, 1)
    }).pipe(Effect.provide(ClaudeTest.script([], { after: Fault.authentication() }))))

  it.effect("goes on where it was, without running tools again", () => {
    const { ran, tool } = recorder()
    return Effect.gen(function*() {
      const result = yield* during(runLoop([tool]), "1 minute")
      assert.strictEqual(result._tag, "Success")
      assert.strictEqual(ran.length, 1)
      assert.deepStrictEqual((yield* requests).map(({ messages }) => messages.length), [1, 3, 3])
    }).pipe(Effect.provide(ClaudeTest.script([asks([["act", { what: "one" }]]), Fault.overloaded(), done])))
  })

  it.effect("is not repeated beyond what a withRetry inside has done", () =>
    Effect.gen(function*() {
      yield* during(runLoop([]), "10 minutes")
      assert.strictEqual((yield* requests).length, 3)
    }).pipe(Effect.provide(ClaudeTest.script([], { after: Fault.overloaded() }).pipe(ClaudeLayer.withRetry()))))

  it.effect("unless it is asked for", () =>
    Effect.gen(function*() {
      yield* during(runLoop([], { retry: ClaudeSchedule.make({ attempts: 2 }) }), "10 minutes")
      assert.strictEqual((yield* requests).length, 6)
    }).pipe(Effect.provide(ClaudeTest.script([], { after: Fault.overloaded() }).pipe(ClaudeLayer.withRetry()))))

  it.effect("after words that were shown is repeated, which a withRetry inside leaves alone, and says so", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(
        Stream.runCollect(ToolLoop.stream({ request, tools: [] }))
      )
      yield* TestClock.adjust("1 minute")
      const events = yield* Fiber.join(fiber)
      assert.strictEqual((yield* requests).length, 2)
      const shown: Array<string> = []
      for (const event of events) {
        if (event._tag === "StepRetried") shown.length = 0
        if (event._tag === "ModelEvent") {
          shown.push(...yield* Stream.runCollect(MessageEvents.text(Stream.make(event.event))))
        }
      }
      assert.strictEqual(shown.join(""), "All of it is done.")
      const last = events.at(-1)
      // The first attempt was paid for as far as it is known.
      assert.isTrue(last?._tag === "Finished" && last.result.usage.inputTokens === 20)
    }).pipe(
      Effect.provide(
        ClaudeTest.script([
          Fault.cutStream({ afterEvents: 5, reply: Reply.text("All of it is done.") }),
          Reply.text("All of it is done.")
        ]).pipe(ClaudeLayer.withRetry())
      )
    ))
})

describe("a limit", () => {
  it.effect("of steps stops before the tools whose results nobody would be told of", () => {
    const { ran, tool } = recorder()
    return Effect.gen(function*() {
      const error = yield* Effect.flip(runLoop([tool], { limits: { steps: 2 } }))
      assert.strictEqual(error.reason, "steps")
      assert.strictEqual(error.limit, 2)
      assert.strictEqual(error.steps, 2)
      assert.strictEqual(error.verdict._tag, "Stop")
      assert.strictEqual(ran.length, 1)
      assert.strictEqual(error.transcript.at(-1)?.role, "assistant")
    }).pipe(Effect.provide(ClaudeTest.script([], { after: asks([["act", { what: "again" }]]) })))
  })

  it.effect("of twenty steps holds if none is given", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(runLoop([recorder().tool]))
      assert.strictEqual(error.limit, 20)
      assert.strictEqual((yield* requests).length, 20)
    }).pipe(Effect.provide(ClaudeTest.script([], { after: asks([["act", { what: "again" }]]) }))))

  it.effect("of tokens counts all steps, those before a restart too", () =>
    Effect.gen(function*() {
      const ledger = yield* ToolLedger.makeMemory
      const run = (tokens: number) => runLoop([recorder().tool], { limits: { tokens }, runId: "r", ledger })
      const first = yield* Effect.flip(run(250))
      assert.strictEqual(first.reason, "tokens")
      assert.strictEqual(first.usage.outputTokens, 300)
      const again = yield* Effect.flip(run(250))
      assert.strictEqual(again.reason, "tokens")
      assert.strictEqual((yield* requests).length, 3)
      const more = yield* Effect.flip(run(450))
      assert.strictEqual(more.usage.outputTokens, 500)
    }).pipe(
      Effect.provide(ClaudeTest.script([], {
        after: asks([["act", { what: "again" }]], { usage: { input_tokens: 0, output_tokens: 100 } })
      }))
    ))

  it.effect("of time holds for a ledger that does not answer", () =>
    Effect.gen(function*() {
      const ledger: ToolLedger.ToolLedger = { ...yield* ToolLedger.makeMemory, open: () => Effect.never }
      const result = yield* during(
        runLoop([], { limits: { time: "5 minutes" }, runId: "r", ledger }),
        "6 minutes"
      )
      assert.strictEqual(result._tag === "Failure" ? result.failure.reason : "", "time")
    }).pipe(Effect.provide(ClaudeTest.script([]))))

  it.effect("of time interrupts what runs, can be seen inside, and keeps what was done", () => {
    let left = Option.none<Duration.Duration>()
    let interrupted = false
    const slow = ClaudeTool.make("try", {
      description: "",
      input: noInput,
      run: () =>
        Effect.gen(function*() {
          left = yield* Deadline.remaining
          return yield* Effect.never
        }).pipe(Effect.onInterrupt(() => Effect.sync(() => void (interrupted = true))))
    })
    return Effect.gen(function*() {
      const result = yield* during(runLoop([slow], { limits: { time: "5 minutes" } }), "6 minutes")
      if (result._tag === "Success") return assert.fail("it did not fail")
      assert.strictEqual(result.failure.reason, "time")
      assert.strictEqual(result.failure.limit, 300_000)
      assert.strictEqual(result.failure.steps, 1)
      assert.deepStrictEqual(left, Option.some(Duration.minutes(5)))
      assert.isTrue(interrupted)
    }).pipe(Effect.provide(ClaudeTest.script([tries])))
  })
})

describe("the error of a tool loop", () => {
  const secret = "my grandmother's recipe"
  const failing = Effect.flip(
    runLoop([recorder().tool], { request: { ...request, messages: [{ role: "user", content: secret }] } })
  ).pipe(
    Effect.provide(ClaudeTest.script([asks([["act", { what: secret }]]), Fault.invalidRequest()]), { local: true })
  )

  it.effect("shows nothing of the conversation unless it is asked for the transcript", () =>
    Effect.gen(function*() {
      const error = yield* failing
      assert.include(JSON.stringify(error.transcript), secret)
      for (
        const shown of [
          error.message,
          String(error),
          inspect(error, { depth: 10 }),
          JSON.stringify(error),
          Cause.pretty(Cause.fail(error)),
          inspect(Cause.fail(error), { depth: 10 }),
          error.stack ?? ""
        ]
      ) {
        assert.notInclude(shown, "grandmother")
      }
      assert.include(inspect(error), "3 messages")
    }))

  it.effect("goes to JSON and back with all that it holds", () =>
    Effect.gen(function*() {
      const error = yield* failing
      const json = JSON.stringify(yield* Schema.encodeEffect(ToolLoopErrorJson)(error))
      const back = yield* Schema.decodeUnknownEffect(ToolLoopErrorJson)(JSON.parse(json))
      assert.instanceOf(back, ToolLoopError)
      assert.deepStrictEqual(back.transcript, error.transcript)
      assert.deepStrictEqual(back.usage, error.usage)
      assert.strictEqual(back.error?._tag, "InvalidRequestError")
      assert.deepStrictEqual(back.verdict, error.verdict)
    }))

  it.effect("asks for another try only where that runs no tool twice", () =>
    Effect.gen(function*() {
      const ledger = yield* ToolLedger.makeMemory
      const outage = (steps: ReadonlyArray<ClaudeTest.Step>, options: object) =>
        Effect.flip(runLoop([recorder().tool], { retry: Schedule.recurs(0), ...options })).pipe(
          Effect.provide(ClaudeTest.script([...steps, Fault.overloaded()]), { local: true }),
          Effect.map(({ verdict }) => verdict._tag)
        )
      const act = asks([["act", { what: "one" }]])
      assert.strictEqual(yield* outage([], {}), "Retry")
      assert.strictEqual(yield* outage([act], {}), "Stop")
      assert.strictEqual(yield* outage([act], { runId: "r", ledger }), "Retry")
    }))
})
