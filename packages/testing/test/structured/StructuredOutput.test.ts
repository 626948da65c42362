import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeService, MessageRequest } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as StructuredOutput from "@effect-claude/client/StructuredOutput"
import * as TokenUsage from "@effect-claude/client/TokenUsage"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

const request: MessageRequest = {
  model: "claude-sonnet-5-5",
  max_tokens: 1024,
  messages: [{ role: "user", content: "Who is it? canary-of-the-prompt" }]
}
const forceable: MessageRequest = { ...request, model: "claude-haiku-4-5" }

const Person = Schema.Struct({ name: Schema.String, age: Schema.Int })
const ada = { name: "Ada", age: 36 }
const adaText = JSON.stringify(ada)

const using = <A, E>(
  effect: Effect.Effect<A, E, ClaudeService | ClaudeTest.ClaudeTest>,
  layer: Layer.Layer<ClaudeService | ClaudeTest.ClaudeTest>
) => Effect.provide(effect, layer, { local: true })

const sent = Effect.flatMap(
  ClaudeTest.ClaudeTest,
  ({ calls }) => Effect.map(calls, (calls) => calls.map((call) => call.request as MessageRequest))
)

/** Runs a call on a script, and gives its outcome with the requests that it sent. */
const run = <A, E>(
  call: Effect.Effect<A, E, ClaudeService>,
  steps: ReadonlyArray<ClaudeTest.Step>
) => using(Effect.all({ result: Effect.result(call), requests: sent }), ClaudeTest.script(steps))

const failure = <E>({ result }: { readonly result: Result.Result<unknown, E> }): E => {
  if (result._tag === "Failure") return result.failure
  throw new Error("no failure")
}

describe("the request", () => {
  it("native: the schema is the format, and nothing else changes", () => {
    assert.deepStrictEqual(
      StructuredOutput.make(Person).request({ ...request, system: "Be short", output_config: { effort: "low" } }),
      {
        ...request,
        system: "Be short",
        output_config: {
          effort: "low",
          format: {
            type: "json_schema",
            schema: {
              type: "object",
              properties: { name: { type: "string" }, age: { type: "integer", description: "an integer" } },
              required: ["name", "age"],
              additionalProperties: false
            }
          }
        }
      }
    )
  })

  it("tool: forced where the model is known to take that", () => {
    const output = StructuredOutput.make(Person, { strategy: "tool", tool: "person" })
    const { system, tool_choice, tools } = output.request(forceable)
    assert.deepStrictEqual(tool_choice, { type: "tool", name: "person", disable_parallel_tool_use: true })
    assert.deepStrictEqual(tools?.map((tool) => "name" in tool && tool.name), ["person"])
    assert.isUndefined(system)
  })

  it("tool: asked for where forcing it is refused or may be", () => {
    const output = StructuredOutput.make(Person, { strategy: "tool" })
    const asked: ReadonlyArray<MessageRequest> = [
      request,
      { ...request, model: "claude-fable-5-1" },
      { ...request, model: "a-model-of-another-cloud" },
      { ...forceable, thinking: { type: "enabled", budget_tokens: 1024 } },
      { ...forceable, model: "claude-opus-5", thinking: { type: "adaptive" } },
      { ...forceable, tools: [{ type: "web_search_20250305", name: "web_search" }] }
    ]
    for (const one of asked) {
      const { system, tool_choice } = output.request(one)
      assert.deepStrictEqual(tool_choice, { type: "auto", disable_parallel_tool_use: true })
      assert.include(system as string, `calling the tool "answer"`)
    }
  })

  it("json: an instruction with the schema after what is in `system`", () => {
    const output = StructuredOutput.make(Person, { strategy: "json" })
    assert.match(
      output.request(request).system as string,
      /^Answer with one JSON object[\s\S]+"additionalProperties":false}$/
    )
    assert.match(output.request({ ...request, system: "Be short" }).system as string, /^Be short\n\nAnswer with/)
    const block = { type: "text" as const, text: "Be short", cache_control: { type: "ephemeral" as const } }
    const { system } = output.request({ ...request, system: [block] })
    assert.isTrue(Array.isArray(system) && system.length === 2 && system[0] === block)
  })

  it("auto: what the model and the schema allow", () => {
    const kind = (output: StructuredOutput.StructuredOutput<unknown>, model: string) => {
      const { output_config, tools } = output.request({ ...request, model })
      return output_config?.format !== undefined ? "native" : tools !== undefined ? "tool" : "json"
    }
    const plain = StructuredOutput.make(Person)
    assert.strictEqual(kind(plain, "claude-opus-4-6"), "native")
    assert.strictEqual(kind(plain, "unknown"), "tool")
    assert.strictEqual(kind(StructuredOutput.make(Schema.Record(Schema.String, Schema.Int)), "claude-opus-4-6"), "tool")
    const capabilities = (model: string) =>
      model === "mine" ? { structuredOutputs: true } : { tools: false, structuredOutputs: false }
    assert.strictEqual(kind(StructuredOutput.make(Person, { capabilities }), "mine"), "native")
    assert.strictEqual(kind(StructuredOutput.make(Person, { capabilities }), "claude-opus-4-6"), "json")
  })
})

describe("an answer", () => {
  it.effect("of a value that is no object travels in one", () =>
    Effect.gen(function*() {
      const values: ReadonlyArray<readonly [Schema.ConstraintDecoder<unknown>, string, unknown]> = [
        [Schema.Array(Schema.Int), `{"value":[1,2]}`, [1, 2]],
        [Schema.Array(Schema.Int), "[1,2]", [1, 2]],
        [Schema.String, `{"value":"x"}`, "x"],
        [Schema.String, `"x"`, "x"],
        [Schema.Int, `{"value":42}`, 42],
        [Schema.Boolean, `{"value":false}`, false],
        [Schema.NullOr(Schema.Int), `{"value":null}`, null],
        [Schema.Union([Person, Schema.Struct({ none: Schema.Literal(true) })]), `{"value":${adaText}}`, ada],
        [Schema.Union([Person, Schema.Struct({ none: Schema.Literal(true) })]), adaText, ada],
        [Schema.Tuple([Schema.Int, Schema.String]), `{"value":[1,"x"]}`, [1, "x"]],
        [Schema.Unknown, `{"value":{"value":1}}`, { value: 1 }],
        [Schema.Date, `{"value":"2026-11-26T00:00:00.000Z"}`, new Date("2026-11-26T00:00:00.000Z")]
      ]
      for (const [schema, text, value] of values) {
        const { result } = yield* run(StructuredOutput.make(schema, { repairs: 0 }).ask(request), [Reply.text(text)])
        assert.deepStrictEqual(result._tag === "Success" ? result.success : result.failure, value, text)
      }
      // A number that stands alone may be the beginning of one; an array in a sentence may be a reference.
      for (const [schema, text] of [[Schema.Int, "42"], [Schema.Array(Schema.Int), "As in [1]."]] as const) {
        const { result } = yield* run(StructuredOutput.make(schema, { repairs: 0 }).ask(request), [Reply.text(text)])
        assert.strictEqual(result._tag, "Failure", text)
      }
    }))

  it.effect("that was refused or cut is not parsed, though it would fit", () =>
    Effect.gen(function*() {
      const output = StructuredOutput.make(Person)
      const replies: ReadonlyArray<readonly [ClaudeTest.Step, string, string | undefined]> = [
        [Reply.text(adaText, { stop_reason: "max_tokens" }), "OutputTruncatedError", "max_tokens"],
        [
          Reply.text(adaText, { stop_reason: "model_context_window_exceeded" }),
          "OutputTruncatedError",
          "model_context_window_exceeded"
        ],
        [Reply.tool("answer", ada, { stop_reason: "max_tokens" }), "OutputTruncatedError", "max_tokens"],
        [Reply.text(adaText, { stop_reason: "refusal" }), "RefusalError", undefined]
      ]
      for (const [reply, tag, stopReason] of replies) {
        for (const call of [output.ask(request), Stream.runDrain(output.stream(request))]) {
          const error = failure(yield* run(call, [reply]))
          assert.strictEqual(error._tag, tag)
          assert.strictEqual("stopReason" in error ? error.stopReason : undefined, stopReason)
          assert.strictEqual(error.partial?.message?.usage.input_tokens, 10)
        }
      }
    }))

  it.effect("that was paused is continued, and read as one", () =>
    Effect.gen(function*() {
      const output = StructuredOutput.make(Person)
      const steps = () => [
        Reply.text(adaText.slice(0, 10), { stop_reason: "pause_turn", usage: { output_tokens: 3 } }),
        Reply.text(adaText.slice(10), { usage: { output_tokens: 4 } })
      ]
      const { requests, result } = yield* run(output.answer(request), steps())
      assert.strictEqual(requests.length, 2)
      assert.deepStrictEqual(
        result._tag === "Success" && [result.success.value, result.success.turns, result.success.usage.outputTokens],
        [ada, 1, 7]
      )
      const shown = yield* using(Stream.runCollect(output.stream(request)), ClaudeTest.script(steps()))
      const last = shown.at(-1)
      assert.deepStrictEqual(last?._tag === "Value" && last.value, ada)
    }))

  it.effect("is decoded by what the Schema can do, its services included", () =>
    Effect.gen(function*() {
      class Currency extends Context.Service<Currency, string>()("Currency") {}
      const Price = Schema.Struct({
        amount: Schema.FiniteFromString.pipe(Schema.brand("Amount")),
        currency: Schema.String.pipe(Schema.decodeTo(Schema.String, {
          decode: SchemaGetter.transformEffect((code: string) =>
            Effect.map(Currency, (own) => code === "" ? own : code)
          ),
          encode: SchemaGetter.passthrough()
        }))
      })
      const program = StructuredOutput.make(Price).ask(request)
      const value = yield* program.pipe(
        Effect.provideService(Currency, "EUR"),
        (effect) => using(effect, ClaudeTest.script([Reply.text(`{"amount":"1.50","currency":""}`)]))
      )
      assert.deepStrictEqual(value, { amount: 1.5 as never, currency: "EUR" })
    }))

  it.effect("that calls a tool of the request fails at once, and says so", () =>
    Effect.gen(function*() {
      const output = StructuredOutput.make(Person)
      const { requests, result } = yield* run(output.ask(request), [Reply.tool("search", { q: "Ada" })])
      assert.strictEqual(requests.length, 1)
      const error = failure({ result })
      assert.strictEqual(error._tag, "OutputInvalidError")
    }))

  for (const strategy of ["native", "json"] as const) {
    it.effect(`${strategy}: the same if that tool is named like the one of the other strategy, and its input would fit`, () =>
      Effect.gen(function*() {
        const output = StructuredOutput.make(Person, { strategy })
        for (const call of [output.ask(request), Stream.runDrain(output.stream(request))]) {
          const { requests, result } = yield* run(call, [Reply.tool("answer", ada)])
          assert.strictEqual(requests.length, 1)
          assert.strictEqual(failure({ result })._tag, "OutputInvalidError")
        }
      }))
  }

  it.effect("that came some other way can be decoded", () =>
    Effect.gen(function*() {
      const output = StructuredOutput.make(Person)
      assert.deepStrictEqual(yield* output.decode(Reply.message(adaText)), ada)
      const error = yield* Effect.flip(output.decode(Reply.message("no")))
      assert.strictEqual(error._tag === "OutputInvalidError" && error.turns, 1)
      const refusal = yield* Effect.flip(output.decode(Reply.message(adaText, { stop_reason: "refusal" })))
      assert.strictEqual(refusal._tag, "RefusalError")
    }))

  it.effect("may be one of a tool and of text: the tool's counts, and two that differ do not", () =>
    Effect.gen(function*() {
      const output = StructuredOutput.make(Person, { strategy: "tool", repairs: 0 })
      const call = (id: string, input: unknown): Message["content"][number] => ({
        type: "tool_use",
        id,
        name: "answer",
        input,
        caller: { type: "direct" }
      })
      const text: Message["content"][number] = { type: "text", text: `{"name":"Bob","age":1}`, citations: null }
      const of = (content: Message["content"]) => Reply.of(Reply.message("", { content, stop_reason: "tool_use" }))
      assert.deepStrictEqual(
        (yield* run(output.ask(request), [of([text, call("1", ada)])])).result,
        yield* Effect.result(Effect.succeed(ada))
      )
      assert.deepStrictEqual(
        (yield* run(output.ask(request), [of([call("1", ada), call("2", ada)])])).result._tag,
        "Success"
      )
      assert.deepStrictEqual(
        (yield* run(output.ask(request), [of([call("1", ada), call("2", { ...ada, age: 1 })])])).result._tag,
        "Failure"
      )
    }))
})

describe("a repair", () => {
  it.effect("sends back what was written with all that is wrong, each turn more", () =>
    Effect.gen(function*() {
      const wrong = [`{"name":1,"age":"x"}`, `{"name":"Ada"}`]
      const { requests, result } = yield* run(
        StructuredOutput.make(Person).answer(request),
        [...wrong.map((text) => Reply.text(text)), Reply.text(adaText)]
      )
      assert.strictEqual(result._tag, "Success")
      assert.deepStrictEqual(requests.map(({ messages }) => messages), [
        request.messages,
        [
          ...request.messages,
          { role: "assistant", content: [{ type: "text", text: wrong[0] ?? "" }] },
          {
            role: "user",
            content: `The answer cannot be used:\n- Expected string at ["name"]\n- Expected number at ["age"]\n`
              + "Answer again, with the whole corrected JSON and nothing else."
          }
        ],
        [
          ...request.messages,
          { role: "assistant", content: [{ type: "text", text: wrong[0] ?? "" }] },
          {
            role: "user",
            content: `The answer cannot be used:\n- Expected string at ["name"]\n- Expected number at ["age"]\n`
              + "Answer again, with the whole corrected JSON and nothing else."
          },
          { role: "assistant", content: [{ type: "text", text: wrong[1] ?? "" }] },
          {
            role: "user",
            content: `The answer cannot be used:\n- Missing key at ["age"]\n`
              + "Answer again, with the whole corrected JSON and nothing else."
          }
        ]
      ])
    }))

  it.effect("of a tool's input is the tool's result, an error", () =>
    Effect.gen(function*() {
      const output = StructuredOutput.make(Person, { strategy: "tool" })
      const { requests, result } = yield* run(output.ask(forceable), [
        Reply.tool("answer", { name: "Ada" }),
        Reply.tool("answer", ada)
      ])
      assert.strictEqual(result._tag, "Success")
      assert.deepStrictEqual(requests[1]?.messages.slice(1), [
        {
          role: "assistant",
          content: [{ type: "tool_use", id: "toolu_test_1", name: "answer", input: { name: "Ada" } }]
        },
        {
          role: "user",
          content: [{
            type: "tool_result",
            tool_use_id: "toolu_test_1",
            is_error: true,
            content:
              `The answer cannot be used:\n- Missing key at ["age"]\nCall the tool again, with the whole corrected input.`
          }]
        }
      ])
      assert.deepStrictEqual(requests[1]?.tool_choice, requests[0]?.tool_choice)
    }))

  it.effect("sends back nothing that the API refuses", () =>
    Effect.gen(function*() {
      const content: Message["content"] = [
        { type: "thinking", thinking: "Hm", signature: "c2ln" },
        { type: "thinking", thinking: "Hm", signature: "" },
        { type: "text", text: " \n", citations: null },
        { type: "tool_use", id: "1", name: "answer", input: "{\"name\":", caller: { type: "direct" } }
      ]
      const output = StructuredOutput.make(Person, { strategy: "tool" })
      const answers = [content, content.slice(0, 3), []].map((content) => Reply.of(Reply.message("", { content })))
      for (const [index, reply] of answers.entries()) {
        const { requests, result } = yield* run(output.ask(request), [reply, Reply.tool("answer", ada)])
        assert.strictEqual(result._tag, "Success")
        const turns = requests[1]?.messages.slice(1) ?? []
        if (index > 0) {
          assert.deepStrictEqual(turns.map(({ role }) => role), ["user"])
        } else {
          assert.deepStrictEqual(turns[0]?.content, [
            { type: "thinking", thinking: "Hm", signature: "c2ln" },
            { type: "tool_use", id: "1", name: "answer", input: {} }
          ])
        }
      }
    }))

  it.effect("sends back nothing of a text that a gateway left out", () =>
    Effect.gen(function*() {
      for (const text of [undefined, null]) {
        const content = [{ type: "text", text } as unknown as Message["content"][number]]
        const odd = Reply.effect(() => Effect.succeed({ ...Reply.message(""), content }))
        const { requests, result } = yield* run(StructuredOutput.make(Person).ask(request), [odd, Reply.text(adaText)])
        assert.strictEqual(result._tag, "Success")
        assert.deepStrictEqual(requests[1]?.messages.slice(1).map(({ role }) => role), ["user"])
      }
    }))

  it.effect("of a tool's input that nests beyond all measure ends in an error as well", () =>
    Effect.gen(function*() {
      interface Tree {
        readonly child?: Tree
      }
      const Tree: Schema.Codec<Tree> = Schema.Struct({
        child: Schema.optionalKey(Schema.suspend((): Schema.Codec<Tree> => Tree))
      })
      const deep = JSON.parse(`${`{"child":`.repeat(20_000)}{}${"}".repeat(20_000)}`) as Tree
      const replies = [1, 2, 3].map(() =>
        Reply.effect(() =>
          Effect.succeed({
            ...Reply.message("", { content: [] }),
            stop_reason: "tool_use" as const,
            content: [{
              type: "tool_use" as const,
              id: "1",
              name: "answer",
              input: deep,
              caller: { type: "direct" as const }
            }]
          })
        )
      )
      const error = failure(yield* run(StructuredOutput.make(Tree).ask(request), replies))
      assert.strictEqual(error._tag, "OutputInvalidError")
    }))

  it.effect("is bounded in number and in length", () =>
    Effect.gen(function*() {
      const output = StructuredOutput.make(Schema.Array(Schema.Int), { repairs: 1 })
      const reply = Reply.text(`{"value":[${Array.from({ length: 500 }, () => `"x"`).join(",")}]}`)
      const { requests, result } = yield* run(output.ask(request), [reply, reply])
      assert.strictEqual(requests.length, 2)
      const error = failure({ result })
      assert.strictEqual(error._tag === "OutputInvalidError" && error.issues?.length, 21)
      assert.isBelow(JSON.stringify(requests[1]?.messages.at(-1)).length, 8_000)
    }))

  it.effect("tells the model what it wrote, and the error nothing of it but in `text`", () =>
    Effect.gen(function*() {
      const Strict = Schema.Struct({ scores: Schema.Record(Schema.String, Schema.Int) })
      const text = `{"scores":{"canary-of-the-prompt":"canary-of-the-answer"}}`
      const output = StructuredOutput.make(Strict, { repairs: 1 })
      const { requests, result } = yield* run(output.ask(request), [Reply.text(text), Reply.text(text)])
      assert.include(JSON.stringify(requests[1]?.messages.at(-1)), "canary-of-the-prompt")
      const error = failure({ result })
      assert.strictEqual(error._tag, "OutputInvalidError")
      if (error._tag !== "OutputInvalidError") return
      assert.deepStrictEqual(error.issues, [`Expected number at ["scores"]["..."]`])
      assert.notInclude(error.message, "canary")
      assert.strictEqual(error.text, text)
    }))

  it.effect("has the policies of the service around each of its turns", () =>
    Effect.gen(function*() {
      const layer = ClaudeTest.script([
        Fault.overloaded(),
        Reply.text("no"),
        Fault.overloaded(),
        Reply.text(adaText)
      ]).pipe(ClaudeLayer.withRetry())
      const fiber = yield* Effect.forkChild(using(StructuredOutput.make(Person).answer(request), layer))
      yield* TestClock.adjust("10 minutes")
      const answer = yield* Fiber.join(fiber)
      assert.deepStrictEqual([answer.value, answer.turns, answer.usage.inputTokens], [ada, 2, 20])
    }))
})

describe("a stream", () => {
  const collect = <A>(
    output: StructuredOutput.StructuredOutput<A>,
    asked: MessageRequest,
    steps: ReadonlyArray<ClaudeTest.Step>
  ) => using(Stream.runCollect(output.stream(asked)), ClaudeTest.script(steps))

  const brief = <A>(shown: ReadonlyArray<StructuredOutput.Progress<A>>) =>
    shown.map((one) => one._tag === "Restart" ? one.issues : one.value)

  it.effect("shows the value as it is written, and at last what it took", () =>
    Effect.gen(function*() {
      const shown = yield* collect(StructuredOutput.make(Person), request, [Reply.text(adaText)])
      assert.deepStrictEqual(brief(shown), [{}, { name: "Ada" }, ada, ada])
      const last = shown.at(-1)
      assert.strictEqual(last?._tag, "Value")
      if (last?._tag !== "Value") return
      assert.strictEqual(last.turns, 1)
      assert.deepStrictEqual(last.usage, TokenUsage.of(last.message))
    }))

  it.effect("shows a value that is no object without what it travels in", () =>
    Effect.gen(function*() {
      const native = yield* collect(StructuredOutput.make(Schema.Array(Schema.Int)), request, [
        Reply.text(`{"value":[1,22,333]}`)
      ])
      assert.deepStrictEqual(brief(native), [[1, 22], [1, 22, 333], [1, 22, 333]])
      const tool = StructuredOutput.make(Schema.Array(Schema.Int), { strategy: "tool" })
      const called = yield* collect(tool, request, [Reply.tool("answer", { value: [1, 22, 333] })])
      assert.deepStrictEqual(brief(called), [[1, 22], [1, 22, 333], [1, 22, 333]])
    }))

  it.effect("begins anew with a repair", () =>
    Effect.gen(function*() {
      const shown = yield* collect(StructuredOutput.make(Person), request, [
        Reply.text(`{"name":"Bob"}`),
        Reply.text(adaText)
      ])
      assert.deepStrictEqual(brief(shown), [
        {},
        { name: "Bob" },
        [`Missing key at ["age"]`],
        {},
        { name: "Ada" },
        ada,
        ada
      ])
      const last = shown.at(-1)
      assert.strictEqual(last?._tag === "Value" && last.turns, 2)
    }))

  it.effect("takes back what it showed if the answer was elsewhere", () =>
    Effect.gen(function*() {
      const shown = yield* collect(StructuredOutput.make(Person), request, [
        Reply.text(`{"thought":"easy"} ${adaText}`)
      ])
      assert.deepStrictEqual(shown.map(({ _tag }) => _tag).slice(-2), ["Restart", "Value"])
    }))

  it.effect("takes back what a lost stream had shown, and goes on with the next", () =>
    Effect.gen(function*() {
      const layer = ClaudeTest.script([
        Fault.cutStream({ afterEvents: 4, reply: Reply.text(`{"name":"Bob","age":50}`) }),
        Reply.text(adaText)
      ]).pipe(ClaudeLayer.withStreamRecovery({ mode: "restart" }))
      const fiber = yield* Effect.forkChild(
        using(Stream.runCollect(StructuredOutput.make(Person).stream(request)), layer)
      )
      yield* TestClock.adjust("10 minutes")
      const shown = yield* Fiber.join(fiber)
      assert.deepStrictEqual(brief(shown), [{}, { name: "Bob" }, [], {}, { name: "Ada" }, ada, ada])
    }))

  it.effect("sees a key with two values in the input of a tool", () =>
    Effect.gen(function*() {
      const [start, open, delta, ...rest] = MessageEvents.fromMessage(
        Reply.message("", {
          content: [{ type: "tool_use", id: "1", name: "answer", input: ada, caller: { type: "direct" } }],
          stop_reason: "tool_use"
        })
      )
      if (start === undefined || open === undefined || delta?.type !== "content_block_delta") {
        throw new Error("no delta")
      }
      const twice = {
        ...delta,
        delta: { type: "input_json_delta" as const, partial_json: `{"name":"Ada","age":1,"age":2}` }
      }
      const output = StructuredOutput.make(Person, { strategy: "tool", repairs: 0 })
      const layer = ClaudeTest.script([Reply.events([start, open, twice, ...rest])])
      const error = yield* using(Effect.flip(Stream.runDrain(output.stream(request))), layer)
      assert.strictEqual(error._tag, "OutputInvalidError")
    }))

  it.effect("goes on over pieces that a gateway left the text out of", () =>
    Effect.gen(function*() {
      const blocks = {
        json: [{ type: "text" }, { type: "text_delta", text: null }, { type: "text_delta", text: adaText }],
        tool: [
          { type: "tool_use", id: "1", name: "answer" },
          { type: "input_json_delta" },
          { type: "input_json_delta", partial_json: adaText }
        ]
      }
      for (const strategy of ["json", "tool"] as const) {
        const [content_block, ...deltas] = blocks[strategy]
        const [start, ...rest] = MessageEvents.fromMessage(Reply.message(""))
        if (start === undefined) throw new Error("no start")
        const events = [
          start,
          { type: "content_block_start", index: 0, content_block },
          ...deltas.map((delta) => ({ type: "content_block_delta", index: 0, delta })),
          { type: "content_block_stop", index: 0 },
          ...rest.slice(-2)
        ] as ReadonlyArray<MessageEvents.MessageEvent>
        const output = StructuredOutput.make(Person, { strategy, repairs: 0 })
        const shown = yield* using(Stream.runCollect(output.stream(request)), ClaudeTest.script([Reply.events(events)]))
        assert.deepStrictEqual(shown.map((one) => one._tag === "Restart" ? one.issues : one.value), [ada, ada])
      }
    }))

  it.effect("fails as its stream does", () =>
    Effect.gen(function*() {
      const { result } = yield* run(Stream.runDrain(StructuredOutput.make(Person).stream(request)), [
        Fault.cutStream({ afterEvents: 4 })
      ])
      assert.strictEqual(failure({ result })._tag, "StreamInterruptedError")
    }))
})
