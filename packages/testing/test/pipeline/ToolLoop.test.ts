import type { MessageRequest } from "@effect-claude/client/ClaudeService"
import * as ClaudeTool from "@effect-claude/client/ClaudeTool"
import * as TokenUsage from "@effect-claude/client/TokenUsage"
import * as ToolLedger from "@effect-claude/client/ToolLedger"
import * as ToolLoop from "@effect-claude/client/ToolLoop"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { request } from "./support.ts"
import { asks, done, recorder, requests, resultsOf, runLoop, toldLast, toolUse } from "./toolSupport.ts"

describe("a tool loop", () => {
  it.effect("tells the model the results of all calls in their order, as one turn, and goes on until it is done", () => {
    const { ran, tool } = recorder()
    return Effect.gen(function*() {
      const result = yield* runLoop([tool])
      assert.deepStrictEqual(ran.map(({ what }) => what), ["one", "two", "three"])
      assert.strictEqual(result.message.stop_reason, "end_turn")
      assert.strictEqual(result.steps, 3)
      assert.deepStrictEqual(result.transcript.map(({ role }) => role), [
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
        "assistant"
      ])
      const sent = yield* requests
      assert.deepStrictEqual(sent.map(({ messages }) => messages.length), [1, 3, 5])
      const asked = result.transcript[1]?.content
      assert.deepStrictEqual(
        resultsOf(sent[1]?.messages[2]),
        (typeof asked === "string" || asked === undefined ? [] : asked).map((block, index) => ({
          type: "tool_result",
          tool_use_id: "id" in block ? block.id ?? "" : "",
          content: ["did one", "did two"][index] ?? ""
        }))
      )
    }).pipe(Effect.provide(ClaudeTest.script([
      asks([["act", { what: "one" }], ["act", { what: "two" }]]),
      asks([["act", { what: "three" }]]),
      done
    ])))
  })

  it.effect("describes its tools to the API by their Schemas, beside those of the request", () => {
    class Place
      extends Schema.Class<Place>("Place")({ city: Schema.String, since: Schema.optionalKey(Schema.Boolean) })
    {}
    const tools = [
      ClaudeTool.make("look", {
        description: "Looks",
        input: Place,
        run: ({ city }) => Effect.succeed(city),
        api: { strict: true }
      }),
      ClaudeTool.make("wait", { description: "Waits", input: Schema.Struct({}), run: () => Effect.void })
    ]
    return Effect.gen(function*() {
      yield* runLoop(tools, {
        request: { ...request, tools: [{ type: "web_search_20250305", name: "web_search" }] },
        call: { headers: { "anthropic-beta": "x" } }
      })
      const [sent] = yield* requests
      assert.deepStrictEqual(sent?.tools, [
        { type: "web_search_20250305", name: "web_search" },
        {
          strict: true,
          name: "look",
          description: "Looks",
          input_schema: {
            type: "object",
            properties: { city: { type: "string" }, since: { type: "boolean" } },
            required: ["city"],
            additionalProperties: false
          }
        },
        {
          name: "wait",
          description: "Waits",
          input_schema: { type: "object", properties: {}, required: [], additionalProperties: false }
        }
      ])
      const [call] = yield* Effect.flatMap(ClaudeTest.ClaudeTest, ({ calls }) => calls)
      assert.deepStrictEqual(call?.options, { headers: { "anthropic-beta": "x" } })
    }).pipe(Effect.provide(ClaudeTest.script([done])))
  })

  it.effect("gives a tool what its Schema decodes to, and the model what it encodes to", () => {
    const seen: Array<Date> = []
    const tomorrow = ClaudeTool.make("next_day", {
      description: "Tells the day after",
      input: Schema.Struct({ day: Schema.Date }),
      output: Schema.Struct({ day: Schema.Date }),
      run: ({ day }) =>
        Effect.sync(() => {
          seen.push(day)
          return { day: new Date(day.getTime() + 86_400_000) }
        })
    })
    const quiet = ClaudeTool.make("quiet", {
      description: "Says nothing",
      input: Schema.Struct({}),
      run: () => Effect.void
    })
    const image = ClaudeTool.make("image", {
      description: "Shows",
      input: Schema.Struct({}),
      run: () => Effect.succeed([{ type: "text" as const, text: "a picture" }])
    })
    return Effect.gen(function*() {
      yield* runLoop([tomorrow, quiet, image])
      assert.deepStrictEqual(seen, [new Date("2026-01-31")])
      assert.deepStrictEqual(yield* toldLast, [
        [`{"day":"2026-02-01T00:00:00.000Z"}`, false],
        ["", false],
        [[{ type: "text", text: "a picture" }], false]
      ])
    }).pipe(Effect.provide(ClaudeTest.script([
      asks([["next_day", { day: "2026-01-31" }], ["quiet", {}], ["image", {}]]),
      done
    ])))
  })

  it.effect("runs tools with what is in the context of the run", () => {
    class Shelf extends Context.Service<Shelf, { readonly count: number }>()("Shelf") {}
    const stock = ClaudeTool.make("stock", {
      description: "Counts",
      input: Schema.Struct({}),
      run: () => Effect.map(Shelf, ({ count }) => String(count))
    })
    return Effect.gen(function*() {
      yield* runLoop([stock])
      assert.deepStrictEqual(yield* toldLast, [["7", false]])
    }).pipe(
      Effect.provideService(Shelf, { count: 7 }),
      Effect.provide(ClaudeTest.script([asks([["stock", {}]]), done]))
    )
  })

  it.effect("adds up what all steps took", () =>
    Effect.gen(function*() {
      const { usage } = yield* runLoop([recorder().tool])
      assert.deepStrictEqual(usage, { inputTokens: 120, outputTokens: 12, cacheReadTokens: 5, cacheWriteTokens: 0 })
    }).pipe(Effect.provide(ClaudeTest.script([
      asks([["act", { what: "one" }]], { usage: { input_tokens: 100, output_tokens: 7, cache_read_input_tokens: 5 } }),
      Reply.text("Done.", { usage: { input_tokens: 20, output_tokens: 5 } })
    ]))))

  it.effect("runs one tool after the other, or as many at a time as it may", () => {
    let running = 0
    const most = { sequential: 0, parallel: 0 }
    const slow = (mode: keyof typeof most) =>
      ClaudeTool.make("slow", {
        description: "Takes a while",
        input: Schema.Struct({ n: Schema.Int }),
        run: ({ n }) =>
          Effect.gen(function*() {
            most[mode] = Math.max(most[mode], ++running)
            for (let turn = 0; turn < 5 - n; turn++) yield* Effect.yieldNow
            running--
            return String(n)
          })
      })
    const script = () => ClaudeTest.script([asks([["slow", { n: 1 }], ["slow", { n: 2 }], ["slow", { n: 3 }]]), done])
    return Effect.gen(function*() {
      yield* Effect.provide(runLoop([slow("sequential")]), script(), { local: true })
      yield* Effect.gen(function*() {
        yield* runLoop([slow("parallel")], { concurrency: 2 })
        assert.deepStrictEqual((yield* toldLast).map(([content]) => content), ["1", "2", "3"])
      }).pipe(Effect.provide(script(), { local: true }))
      assert.deepStrictEqual(most, { sequential: 1, parallel: 2 })
    })
  })

  it.effect("forces a tool in the first step only, and keeps the container of the API's own tools", () => {
    const { tool } = recorder()
    const asked: MessageRequest = {
      ...request,
      tool_choice: { type: "any", disable_parallel_tool_use: true }
    }
    return Effect.gen(function*() {
      yield* runLoop([tool], { request: asked })
      const sent = yield* requests
      assert.deepStrictEqual(sent.map(({ tool_choice }) => tool_choice), [
        { type: "any", disable_parallel_tool_use: true },
        { type: "auto", disable_parallel_tool_use: true }
      ])
      assert.deepStrictEqual(sent.map(({ container }) => container), [undefined, "container_1"])
    }).pipe(Effect.provide(ClaudeTest.script([
      asks([["act", { what: "one" }]], { container: { id: "container_1", expires_at: "", skills: null } }),
      done
    ])))
  })

  it.effect("sends a turn that pauses on as it is, as part of the same step", () => {
    const search = {
      type: "server_tool_use" as const,
      id: "srvtoolu_1",
      name: "web_search" as const,
      input: {},
      caller: { type: "direct" as const }
    }
    return Effect.gen(function*() {
      const { steps, transcript, usage } = yield* runLoop([recorder().tool])
      assert.strictEqual(steps, 1)
      assert.strictEqual(usage.outputTokens, 11)
      const sent = yield* requests
      assert.deepStrictEqual(sent[1]?.messages.at(-1), { role: "assistant", content: [search] })
      assert.deepStrictEqual(transcript.map(({ role }) => role), ["user", "assistant"])
      assert.deepStrictEqual(transcript[1]?.content, [search, { type: "text", text: "Found it.", citations: null }])
    }).pipe(Effect.provide(ClaudeTest.script([
      Reply.of(Reply.message("", { content: [search], stop_reason: "pause_turn", usage: { output_tokens: 4 } })),
      Reply.text("Found it.", { usage: { output_tokens: 7 } })
    ])))
  })

  it.effect("goes on with a transcript that was handed in, from the calls at its end", () => {
    const { ran, tool } = recorder()
    return Effect.gen(function*() {
      const error = yield* Effect.flip(runLoop([tool], { limits: { steps: 1 }, runId: "by hand" }))
      assert.strictEqual(error.reason, "steps")
      assert.strictEqual(ran.length, 0)
      const { steps } = yield* runLoop([tool], {
        request: { ...request, messages: [...error.transcript] },
        runId: "by hand"
      })
      assert.strictEqual(steps, 1)
      assert.deepStrictEqual(ran.map(({ what }) => what), ["one"])
    }).pipe(Effect.provide(ClaudeTest.script([asks([["act", { what: "one" }]]), done])))
  })

  it.effect("refuses options that are wrong, by their names", () =>
    Effect.gen(function*() {
      const { tool } = recorder()
      const ledger = yield* ToolLedger.makeMemory
      const wrong: ReadonlyArray<readonly [Partial<ToolLoop.RunOptions<ReadonlyArray<ToolLoop.AnyTool>>>, string]> = [
        [{ tools: [tool, tool] }, `option "tools" must be of different names, got "act"`],
        [{ request: { ...request, tools: [tool.definition] } }, `option "tools" must be of different names, got "act"`],
        [{ concurrency: 0 }, `option "concurrency"`],
        [{ limits: { steps: 0 } }, `option "limits.steps"`],
        [{ limits: { tokens: 0 } }, `option "limits.tokens"`],
        [{ limits: { time: 0 } }, `option "limits.time"`],
        [{ limits: { pauses: -1 } }, `option "limits.pauses"`],
        [{ ledger }, `option "ledger" needs a "runId"`],
        [{ runId: "" }, `option "runId"`],
        [{ runId: "\ud800" }, `option "runId"`],
        [{ runId: "ä".repeat(20) }, `option "runId"`]
      ]
      for (const [options, message] of wrong) {
        assert.throws(() => ToolLoop.run({ request, tools: [tool], ...options }), RangeError, message)
      }
      assert.throws(() => recorder("no blanks"), RangeError, `option "name"`)
      assert.throws(
        () =>
          ClaudeTool.make("either", {
            description: "",
            input: Schema.Union([Schema.Struct({ a: Schema.String }), Schema.Struct({ b: Schema.String })]),
            run: () => Effect.void
          }),
        RangeError,
        `option "input" of either`
      )
    }))
})

describe("a stream of a tool loop", () => {
  it.effect("emits what happens, the words of the model as they come, and the result at last", () => {
    const { tool } = recorder()
    return Effect.gen(function*() {
      const events = yield* Stream.runCollect(ToolLoop.stream({ request, tools: [tool], runId: "r" }))
      assert.deepStrictEqual(
        events.map((event) => event._tag).filter((tag, index, tags) => tag !== tags[index - 1]),
        [
          "StepStarted",
          "ModelEvent",
          "StepAnswered",
          "ToolStarted",
          "ToolFinished",
          "StepStarted",
          "ModelEvent",
          "StepAnswered",
          "Finished"
        ]
      )
      const text = events.flatMap((event) =>
        event._tag === "ModelEvent" && event.event.type === "content_block_delta"
          && event.event.delta.type === "text_delta"
          ? [event.event.delta.text]
          : []
      )
      assert.strictEqual(text.join(""), "Done.")
      const last = events.at(-1)
      assert.isTrue(last?._tag === "Finished" && TokenUsage.total(last.result.usage) > 0)
      const finished = events.find((event) => event._tag === "ToolFinished")
      assert.deepInclude(finished, {
        tool: "act",
        outcome: "succeeded",
        result: { content: "did one", isError: false }
      })
    }).pipe(Effect.provide(ClaudeTest.script([asks([["act", { what: "one" }]]), done])))
  })

  it.effect("interrupts the tool that runs when it is left", () =>
    Effect.gen(function*() {
      const began = yield* Deferred.make<void>()
      let interrupted = false
      const endless = ClaudeTool.make("endless", {
        description: "",
        input: Schema.Struct({}),
        run: () =>
          Deferred.succeed(began, undefined).pipe(
            Effect.andThen(Effect.never),
            Effect.onInterrupt(() =>
              Effect.sync(() => {
                interrupted = true
              })
            )
          )
      })
      const fiber = yield* Effect.forkChild(Stream.runDrain(ToolLoop.stream({ request, tools: [endless] })))
      yield* Deferred.await(began)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(interrupted)
    }).pipe(Effect.provide(ClaudeTest.script([asks([["endless", {}]])]))))

  it.effect("waits for a slow consumer", () => {
    const { ran, tool } = recorder()
    return Effect.gen(function*() {
      // Twenty events fill the buffer of sixteen before the tools begin.
      const content = [
        { type: "text" as const, text: "word ".repeat(60), citations: null },
        toolUse("act", { what: "x" })
      ]
      const Claude = ClaudeTest.script([
        Reply.of(Reply.message("", { content, stop_reason: "tool_use" }))
      ])
      const first = yield* ToolLoop.stream({ request, tools: [tool] }).pipe(
        Stream.mapEffect((event) =>
          Effect.gen(function*() {
            for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
            return [event._tag, ran.length] as const
          })
        ),
        Stream.take(5),
        Stream.runCollect,
        Effect.provide(Claude)
      )
      assert.deepStrictEqual(first.map(([, ran]) => ran), [0, 0, 0, 0, 0])
    })
  })
})
