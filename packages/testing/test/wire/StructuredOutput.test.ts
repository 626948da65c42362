import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as StructuredOutput from "@effect-claude/client/StructuredOutput"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { quickPipeline, request, withWire } from "./support.ts"

const Person = Schema.Struct({ name: Schema.String, age: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)) })
const ada = { name: "Ada", age: 36 }
const adaText = JSON.stringify(ada)

interface Body {
  readonly messages: ReadonlyArray<{ readonly role: string; readonly content: unknown }>
  readonly output_config?: { readonly format?: { readonly type: string; readonly schema: object } }
  readonly tools?: ReadonlyArray<{ readonly name: string; readonly input_schema: object }>
}

describe("over the wire", () => {
  it.live("native: the format is sent, what does not fit is repaired, and a failure between is retried", () =>
    withWire({
      steps: [
        FaultStep.message({ text: `{"name":"Ada","age":-36}` }),
        FaultStep.overloaded(),
        FaultStep.message({ text: adaText })
      ]
    }, ({ api, claude }) =>
      Effect.gen(function*() {
        const answer = yield* StructuredOutput.make(Person).answer(request)
        assert.deepStrictEqual([answer.value, answer.turns], [ada, 2])
        const requests = yield* api.requests
        assert.deepStrictEqual(requests.map(({ status }) => status), [200, 529, 200])
        const bodies = requests.map(({ body }) => body as Body)
        assert.strictEqual(bodies[0]?.output_config?.format?.type, "json_schema")
        assert.deepStrictEqual(bodies.map(({ messages }) => messages.length), [1, 3, 3])
        assert.deepStrictEqual(bodies[1]?.messages, bodies[2]?.messages)
      }).pipe(Effect.provideService(ClaudeService, claude)), quickPipeline()))

  it.live("tool: its input is the answer, and a repair is the result of its call", () =>
    withWire({
      steps: [
        FaultStep.message({ content: [{ type: "tool_use", name: "answer", input: { name: "Ada" } }] }),
        FaultStep.message({ content: [{ type: "tool_use", name: "answer", input: ada }] })
      ]
    }, ({ api, claude }) =>
      Effect.gen(function*() {
        const output = StructuredOutput.make(Person, { strategy: "tool" })
        assert.deepStrictEqual(yield* output.ask({ ...request, model: "claude-haiku-4-5" }), ada)
        const bodies = (yield* api.requests).map(({ body }) => body as Body)
        assert.deepStrictEqual(bodies[0]?.tools?.map(({ name }) => name), ["answer"])
        const repair = bodies[1]?.messages.at(-1)
        assert.strictEqual(repair?.role, "user")
        const results = repair?.content as ReadonlyArray<object> | undefined
        assert.deepInclude(results?.[0], { type: "tool_result", is_error: true })
      }).pipe(Effect.provideService(ClaudeService, claude))))

  for (const strategy of ["native", "tool"] as const) {
    it.live(`${strategy}: a stream shows the value while it comes`, () =>
      withWire({
        steps: [
          strategy === "native"
            ? FaultStep.message({ text: adaText })
            : FaultStep.message({ content: [{ type: "tool_use", name: "answer", input: ada }] })
        ]
      }, ({ claude }) =>
        Effect.gen(function*() {
          const output = StructuredOutput.make(Person, { strategy })
          const shown = yield* Stream.runCollect(output.stream(request))
          const last = shown.at(-1)
          assert.deepStrictEqual(last?._tag === "Value" && last.value, ada)
          const partials = shown.slice(0, -1)
          assert.isTrue(partials.length > 0 && partials.every(({ _tag }) => _tag === "Partial"))
        }).pipe(Effect.provideService(ClaudeService, claude))))
  }

  const Address = Schema.Struct({ street: Schema.String, zip: Schema.optionalKey(Schema.String) }).annotate({
    identifier: "Address"
  })
  const schemas: ReadonlyArray<Schema.Codec<unknown, unknown>> = [
    Schema.String,
    Schema.Int,
    Schema.Array(Schema.Number),
    Schema.NonEmptyArray(Schema.String),
    Schema.Literals(["a", "b"]),
    Schema.Struct({ from: Address, to: Schema.NullOr(Address), tags: Schema.Array(Schema.Literals(["x", "y"])) }),
    Schema.Struct({ id: Schema.String.pipe(Schema.brand("Id")), flag: Schema.Boolean, nothing: Schema.Null }),
    Schema.Union([
      Schema.Struct({ _tag: Schema.tag("A"), a: Schema.String }),
      Schema.Struct({ _tag: Schema.tag("B"), b: Schema.Array(Schema.String).check(Schema.isMaxLength(3)) })
    ])
  ]
  for (const strategy of ["native", "tool"] as const) {
    it.live(`${strategy}: the API takes what is sent of each schema, and its own answer is read`, () =>
      withWire({}, ({ api, claude }) =>
        Effect.gen(function*() {
          for (const schema of schemas) {
            const output = StructuredOutput.make(schema, { strategy, repairs: 0 })
            assert.isTrue(Schema.is(schema)(yield* output.ask({ ...request, model: "claude-haiku-4-5" })))
          }
          assert.isTrue((yield* api.requests).every(({ status }) => status === 200))
        }).pipe(Effect.provideService(ClaudeService, claude))))
  }

  it.live("an answer that is cut by max_tokens is not read", () =>
    withWire(
      { steps: [FaultStep.message({ text: adaText, stopReason: "max_tokens" })] },
      ({ claude }) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(StructuredOutput.make(Person).ask(request))
          assert.strictEqual(error._tag, "OutputTruncatedError")
          assert.strictEqual(error.partial?.message?.stop_reason, "max_tokens")
        }).pipe(Effect.provideService(ClaudeService, claude))
    ))
})
