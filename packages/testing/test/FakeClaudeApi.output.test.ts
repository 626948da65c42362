import { createAnthropic } from "@ai-sdk/anthropic"
import Anthropic from "@anthropic-ai/sdk"
import { transformJSONSchema } from "@anthropic-ai/sdk/lib/transform-json-schema"
import type { Message } from "@anthropic-ai/sdk/resources/messages"
import { assert, describe, it } from "@effect/vitest"
import { generateText, jsonSchema, Output, tool } from "ai"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as FakeClaudeApi from "../src/FakeClaudeApi.ts"
import * as FaultStep from "../src/FaultStep.ts"
import { eventNames, post, request, sseEvents } from "./FakeClaudeApi.rawClient.ts"

const serve = (...steps: ReadonlyArray<FaultStep.FaultStep>) => FakeClaudeApi.make({ plan: { steps } })

const ask = Effect.fnUntraced(function*(fields: object, step: FaultStep.FaultStep = FaultStep.message()) {
  const api = yield* serve(step, step)
  const whole = yield* post(api.url, { body: { ...request, ...fields } })
  const message: Message = JSON.parse(whole.text)
  if (whole.status === 200) {
    const client = new Anthropic({ apiKey: "k", baseURL: api.url, maxRetries: 0 })
    const streamed = yield* Effect.promise(() =>
      client.messages.stream({ ...request, ...fields } as Anthropic.MessageStreamParams).finalMessage()
    )
    const comparable = ({ content }: Message): unknown => JSON.parse(JSON.stringify(content).replace(/_fake\d+/g, ""))
    assert.deepStrictEqual(comparable(streamed), comparable(message))
    assert.strictEqual(streamed.stop_reason, message.stop_reason)
  }
  return { status: whole.status, message, text: whole.text }
})

const withFormat = (schema: unknown) => ({ output_config: { format: { type: "json_schema", schema } } })

const instance = (schema: unknown) =>
  Effect.map(ask(withFormat(schema)), ({ message, text }): unknown => {
    const [block] = message.content
    assert.isTrue(block?.type === "text", text)
    return block?.type === "text" ? JSON.parse(block.text) : undefined
  })

const refusal = (fields: object) =>
  Effect.map(ask(fields), ({ status, text }): string => {
    const { error } = JSON.parse(text)
    assert.deepStrictEqual([status, error?.type], [400, "invalid_request_error"], text)
    return error.message
  })

const object = (properties: object, required: ReadonlyArray<string> = Object.keys(properties)) => ({
  type: "object",
  properties,
  required,
  additionalProperties: false
})

describe("an answer in the form that is asked for", () => {
  const rows: ReadonlyArray<readonly [name: string, schema: unknown, instance: unknown]> = [
    [
      "the basic types",
      object({
        text: { type: "string" },
        count: { type: "integer" },
        share: { type: "number" },
        done: { type: "boolean" },
        nothing: { type: "null" }
      }),
      { text: "text", count: 1, share: 0.5, done: true, nothing: null }
    ],
    ["the first of an enum", { type: "string", enum: ["red", "green"] }, "red"],
    ["a constant", { const: 42 }, 42],
    ["the first of anyOf", { anyOf: [{ type: "null" }, { type: "string" }] }, null],
    ["the first of the types", { type: ["integer", "null"] }, 1],
    ["optional properties too", object({ a: { type: "null" }, b: { type: "null" } }, ["b"]), { a: null, b: null }],
    ["definitions", {
      ...object({ home: { $ref: "#/$defs/a~1b" }, work: { $ref: "#/definitions/Place" } }),
      $defs: { "a/b": object({ city: { type: "string" } }) },
      definitions: { Place: { $ref: "#/$defs/a~1b" } }
    }, { home: { city: "text" }, work: { city: "text" } }],
    ["all parts of allOf", {
      allOf: [object({ a: { type: "integer" } }), object({ b: { type: "boolean" } })]
    }, { a: 1, b: true }],
    ["one item", { type: "array", items: { type: "string" }, minItems: 1 }, ["text"]],
    [
      "formats",
      object(Object.fromEntries(
        ["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"].map((format) => [
          format,
          { type: "string", format }
        ])
      )),
      {
        date: "2026-01-31",
        "date-time": "2026-01-31T12:00:00Z",
        duration: "PT1H",
        email: "someone@example.com",
        hostname: "example.com",
        ipv4: "192.0.2.1",
        ipv6: "2001:db8::1",
        time: "12:00:00Z",
        uri: "https://example.com/",
        uuid: "00000000-0000-4000-8000-000000000000"
      }
    ],
    ["a pattern", { type: "string", pattern: "^[A-Z]{2}-\\d+$" }, "AB-123"],
    [
      "a field called __proto__",
      JSON.parse(
        `{"type":"object","properties":{"__proto__":{"type":"null"}},"required":["__proto__"],"additionalProperties":false}`
      ),
      JSON.parse(`{"__proto__":null}`)
    ]
  ]
  for (const [name, schema, expected] of rows) {
    it.live(name, () => Effect.map(instance(schema), (value) => assert.deepStrictEqual(value, expected)))
  }

  class Address extends Schema.Class<Address>("Address")({ street: Schema.NonEmptyString, zip: Schema.String }) {}

  const schemas = {
    class: Schema.Struct({ name: Schema.String, home: Address, others: Schema.Array(Address) }),
    union: Schema.Struct({
      shape: Schema.Union([
        Schema.Struct({ kind: Schema.Literal("circle"), radius: Schema.Number }),
        Schema.Struct({ kind: Schema.Literal("square"), side: Schema.Int })
      ])
    }),
    optional: Schema.Struct({
      maybe: Schema.optionalKey(Schema.Finite),
      either: Schema.NullOr(Schema.String),
      labels: Schema.Array(Schema.Literals(["a", "b"]))
    }),
    tuple: Schema.Struct({ many: Schema.NonEmptyArray(Schema.String) })
  }
  for (const [name, schema] of Object.entries(schemas)) {
    it.live(`decodes with an Effect Schema: ${name}`, () =>
      Effect.gen(function*() {
        const document = Schema.toJsonSchemaDocument(schema)
        const value = yield* instance(transformJSONSchema({ ...document.schema, $defs: document.definitions }))
        assert.isTrue(Schema.is(Schema.toEncoded(schema))(value), JSON.stringify(value))
      }))
  }

  it.live("what the plan says comes first", () =>
    Effect.gen(function*() {
      const { message } = yield* ask(withFormat(object({})), FaultStep.message({ text: "no JSON" }))
      assert.deepInclude(message.content[0], { text: "no JSON" })
    }))

  it.live("the AI SDK reads it", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const model = createAnthropic({ apiKey: "k", baseURL: `${api.url}/v1` })("claude-sonnet-4-5")
      const schema = jsonSchema<{ city: string; days: ReadonlyArray<number> }>({
        type: "object",
        properties: { city: { type: "string" }, days: { type: "array", items: { type: "integer" } } },
        required: ["city", "days"],
        additionalProperties: false
      })
      const { output } = yield* Effect.promise(() =>
        generateText({ model, prompt: "Where?", maxRetries: 0, output: Output.object({ schema }) })
      )
      assert.deepStrictEqual(output, { city: "text", days: [1] })
    }))
})

describe("schemas that the API refuses", () => {
  const place = "output_config.format.schema"
  const rows: ReadonlyArray<readonly [name: string, schema: unknown, message: string]> = [
    [
      "an open object",
      { type: "object", properties: {} },
      "For 'object' type, 'additionalProperties' must be explicitly set to false"
    ],
    [
      "an open object deep inside",
      object({
        a: { type: "array", items: { anyOf: [{ type: "null" }, { ...object({}), additionalProperties: true }] } }
      }),
      "For 'object' type, 'additionalProperties' must be explicitly set to false"
    ],
    ["a limit", { type: "integer", minimum: 0 }, "For 'integer' type, property 'minimum' is not supported"],
    [
      "limits",
      object({ n: { type: "number", minimum: 0, maximum: 1 } }),
      "For 'number' type, properties maximum, minimum are not supported"
    ],
    ["a length", { type: "string", maxLength: 5 }, "For 'string' type, property 'maxLength' is not supported"],
    [
      "more items than one",
      { type: "array", items: { type: "null" }, minItems: 2 },
      "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    ],
    ["most items", { type: "array", maxItems: 2 }, "For 'array' type, property 'maxItems' is not supported"],
    ["another format", { type: "string", format: "iban" }, "For 'string' type, format \"iban\" is not supported"],
    ["oneOf", { oneOf: [{ type: "null" }] }, "A schema needs a 'type', an 'enum', a 'const', 'anyOf' or 'allOf'"],
    ["no type", object({ any: {} }), "A schema needs a 'type', an 'enum', a 'const', 'anyOf' or 'allOf'"],
    ["a type that every object inherits", { type: "constructor" }, "Type 'constructor' is not supported"],
    ["a reference that is no URI", { $ref: "#/$defs/100%" }, "'$ref' not found: '#/$defs/100%'"],
    ["an unknown type", { type: "date" }, "Type 'date' is not supported"],
    ["no schema", undefined, "Expected a schema object"],
    [
      "an enum of objects",
      { enum: [{ a: 1 }] },
      "Enum values other than strings, numbers, booleans and null are not supported"
    ],
    [
      "a schema that refers to itself",
      {
        $ref: "#/$defs/Node",
        $defs: { Node: object({ next: { anyOf: [{ $ref: "#/$defs/Node" }, { type: "null" }] } }) }
      },
      "Recursive schemas are not supported: '#/$defs/Node' refers to itself"
    ],
    [
      "a reference to the root",
      object({ self: { $ref: "#" } }),
      "Recursive schemas are not supported: '#' refers to itself"
    ],
    ["a reference to elsewhere", { $ref: "https://example.com/a.json" }, "External '$ref' is not supported"],
    ["a reference to nothing", { $ref: "#/$defs/toString" }, "'$ref' not found: '#/$defs/toString'"],
    [
      "allOf with references",
      { allOf: [{ $ref: "#/$defs/A" }], $defs: { A: object({}) } },
      "'allOf' with '$ref' is not supported"
    ]
  ]
  for (const [name, schema, message] of rows) {
    it.live(name, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* refusal(withFormat(schema)), `${place}: ${message}`)
        if (schema === undefined) return
        const strict = [{ name: "look", input_schema: schema, strict: true }]
        assert.strictEqual(yield* refusal({ tools: strict }), `tools.0.custom: ${message}`)
        assert.strictEqual((yield* ask({ tools: [{ name: "look", input_schema: schema }] })).status, 200)
      }))
  }

  it.live("another kind of format", () =>
    Effect.gen(function*() {
      const message = yield* refusal({ output_config: { format: { type: "grammar" } } })
      assert.strictEqual(message, "output_config.format.type: Input should be 'json_schema'")
    }))

  it.live("a prefill of a structured answer", () =>
    Effect.gen(function*() {
      const messages = [{ role: "user", content: "Hello" }, { role: "assistant", content: "{" }]
      const message = yield* refusal({ model: "claude-haiku-4-5", messages, ...withFormat(object({})) })
      assert.include(message, "cannot be pre-filled with `output_config.format`")
    }))
})

/** A model that takes every kind of thinking but one, and forced tools. */
const versatile = "claude-opus-4-6"

describe("a tool that has to be called", () => {
  const tools = [
    { name: "look", input_schema: { type: "object", properties: { at: { type: "string" } } } },
    { name: "go", input_schema: { type: "object", properties: { steps: { type: "integer", minimum: 3 } } } }
  ]
  const called = (fields: object) =>
    Effect.map(ask({ model: versatile, ...fields }), ({ message, text }) => {
      assert.strictEqual(message.stop_reason, "tool_use", text)
      return message.content.map((block) => block.type === "tool_use" ? [block.name, block.input] : block.type)
    })

  it.live("the one that is named, or the first", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* called({ tools, tool_choice: { type: "tool", name: "go" } }), [["go", {
        steps: 3
      }]])
      assert.deepStrictEqual(yield* called({ tools, tool_choice: { type: "any" } }), [["look", { at: "text" }]])
      assert.strictEqual((yield* ask({ tools, tool_choice: { type: "auto" } })).message.stop_reason, "end_turn")
    }))

  const inputs: ReadonlyArray<readonly [schema: unknown, instance: unknown]> = [
    [{ type: "integer", exclusiveMinimum: 3, maximum: 10, multipleOf: 4 }, 4],
    [{ type: "number", maximum: -2.5 }, -2.5],
    [{ type: "number", exclusiveMaximum: 0.5 }, 0],
    [{ type: "number", exclusiveMinimum: 0, exclusiveMaximum: 0.5 }, 0.25],
    [{ type: "number", multipleOf: 0.25, minimum: 10.1 }, 10.25],
    [{ type: "integer", minimum: 100, maximum: 101 }, 100],
    [{ type: "integer", maximum: -3 }, -3],
    [{ type: "string", minLength: 6 }, "texttt"],
    [{ type: "string", maxLength: 2 }, "te"],
    [{ type: "string", minLength: 1e10 }, "text".padEnd(10_000, "t")],
    [{ type: "array", items: { type: "null" }, minItems: 1e9 }, Array.from({ length: 10_000 }, () => null)],
    [{ type: "array", items: { type: "null" }, minItems: 3 }, [null, null, null]],
    [{ type: "array", items: { type: "null" }, maxItems: 0 }, []],
    [{ type: "array", prefixItems: [{ type: "null" }, { type: "boolean" }], items: false }, [null, true]],
    [{ type: "string", format: "toString" }, "text"],
    [{ oneOf: [{ type: "boolean" }] }, true],
    [{ properties: { a: { const: null } } }, { a: null }],
    [{}, "text"],
    [true, "text"],
    [{ required: ["a"], type: "object" }, { a: "text" }]
  ]
  it.live("a schema of whatever JSON Schema has, since no answer is held to it", () =>
    Effect.gen(function*() {
      for (const [schema, expected] of inputs) {
        const wrapped = { type: "object", properties: { value: schema } }
        const [[, input] = []] = yield* called({
          tools: [{ name: "look", input_schema: wrapped }],
          tool_choice: { type: "any" }
        })
        assert.deepStrictEqual(input, { value: expected }, JSON.stringify(schema))
      }
    }))

  it.live("a recursive schema has a finite instance, or null", () =>
    Effect.gen(function*() {
      const node = (next: unknown, required: ReadonlyArray<string>) => ({
        $ref: "#/$defs/Node",
        $defs: { Node: { type: "object", properties: { v: { const: 1 }, next }, required } }
      })
      const self = { $ref: "#/$defs/Node" }
      const input = (schema: unknown) =>
        Effect.map(
          called({ tools: [{ name: "look", input_schema: schema }], tool_choice: { type: "any" } }),
          ([first]) => Array.isArray(first) ? first[1] : undefined
        )
      assert.deepStrictEqual(yield* input(node(self, ["v"])), { v: 1 })
      assert.deepStrictEqual(yield* input(node({ anyOf: [self, { type: "null" }] }, ["v", "next"])), {
        v: 1,
        next: null
      })
      assert.deepStrictEqual(yield* input(node({ type: "array", items: self }, ["next"])), { v: 1, next: [] })
      assert.isNull(yield* input(node(self, ["next"])))
    }))

  it.live("what cannot be forced is refused", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* refusal({ model: versatile, tools, tool_choice: { type: "tool", name: "fly" } }),
        "tool_choice: Tool 'fly' not found in provided tools"
      )
      assert.strictEqual(
        yield* refusal({ model: versatile, tool_choice: { type: "any" } }),
        "tool_choice: may only be specified while providing tools"
      )
      for (const thinking of [{ type: "adaptive" }, { type: "enabled", budget_tokens: 1024 }]) {
        assert.strictEqual(
          yield* refusal({ model: versatile, tools, thinking, tool_choice: { type: "any" } }),
          "Thinking may not be enabled when tool_choice forces tool use."
        )
      }
    }))

  it.live("the AI SDK calls it", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const model = createAnthropic({ apiKey: "k", baseURL: `${api.url}/v1` })("claude-sonnet-4-5")
      const inputSchema = jsonSchema<{ at: string }>({ type: "object", properties: { at: { type: "string" } } })
      const { toolCalls } = yield* Effect.promise(() =>
        generateText({
          model,
          prompt: "Where?",
          maxRetries: 0,
          tools: { look: tool({ inputSchema }) },
          toolChoice: "required"
        })
      )
      assert.deepStrictEqual(toolCalls[0]?.input, { at: "text" })
    }))
})

describe("thinking", () => {
  const types = ({ content }: Message) => content.map(({ type }) => type)

  it.live("comes before a default answer, signed", () =>
    Effect.gen(function*() {
      for (const thinking of [{ type: "adaptive" }, { type: "enabled", budget_tokens: 1024, display: "summarized" }]) {
        const { message } = yield* ask({ model: versatile, thinking })
        assert.deepStrictEqual(types(message), ["thinking", "text"])
        const [block] = message.content
        assert.isTrue(block?.type === "thinking" && block.thinking.length > 0 && block.signature.length > 0)
      }
      const { message } = yield* ask({ thinking: { type: "adaptive" }, ...withFormat(object({})) })
      assert.deepStrictEqual(types(message), ["thinking", "text"])
      assert.deepInclude(message.content[1], { text: "{}" })
    }))

  it.live("without its text where that is omitted", () =>
    Effect.gen(function*() {
      const thinking = { type: "adaptive", display: "omitted" }
      const { message } = yield* ask({ thinking })
      assert.deepInclude(message.content[0], { type: "thinking", thinking: "" })
      const api = yield* serve()
      const { text } = yield* post(api.url, { body: { ...request, thinking, stream: true } })
      const deltas = sseEvents(text).map(({ data }) => JSON.parse(data)).filter(({ index }) => index === 0)
      assert.deepStrictEqual(deltas.map(({ delta, type }) => delta?.type ?? type), [
        "content_block_start",
        "signature_delta",
        "content_block_stop"
      ])
    }))

  it.live("not when it is off, and not before what the plan says", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(types((yield* ask({ model: versatile, thinking: { type: "disabled" } })).message), [
        "text"
      ])
      assert.deepStrictEqual(types((yield* ask({ thinking: { type: "between_tools" } })).message), ["text"])
      const planned = yield* ask({ thinking: { type: "adaptive" } }, FaultStep.message({ text: "Hi" }))
      assert.deepStrictEqual(types(planned.message), ["text"])
    }))

  it.live("its block is taken back in the next request", () =>
    Effect.gen(function*() {
      const { message } = yield* ask({ thinking: { type: "adaptive" } })
      const messages = [...request.messages, { role: "assistant", content: message.content }, ...request.messages]
      assert.strictEqual((yield* ask({ messages, thinking: { type: "adaptive" } })).status, 200)
    }))
})

describe("truncatedToolInput", () => {
  const input = { path: "/etc", lines: [1, 25, { "a\"}": "b" }], cmd: "rm -rf /tmp/cache" }
  const json = JSON.stringify(input)
  const step = (afterCharacters: number) => FaultStep.truncatedToolInput({ name: "shell", input, afterCharacters })

  it.live("the SDK puts together what a JSON answer has, wherever it is cut", () =>
    Effect.gen(function*() {
      for (let characters = 0; characters < json.length; characters++) {
        const { message } = yield* ask({}, step(characters))
        assert.strictEqual(message.stop_reason, "max_tokens")
      }
      const { message } = yield* ask({}, step(json.indexOf("tmp")))
      assert.deepInclude(message.content[0], { name: "shell", input: { path: "/etc", lines: input.lines } })
    }))

  it.live("a stream has the JSON as far as it came, and a block that ends in good order", () =>
    Effect.gen(function*() {
      const api = yield* serve({ ...step(40), times: 1 })
      const { text } = yield* post(api.url, { body: { ...request, stream: true } })
      const events = sseEvents(text).map(({ data }) => JSON.parse(data))
      const partial = events.map(({ delta }) => delta?.partial_json ?? "").join("")
      assert.strictEqual(partial, json.slice(0, 40))
      assert.deepStrictEqual(eventNames(text).slice(-3), ["content_block_stop", "message_delta", "message_stop"])
      assert.strictEqual(events.at(-2).delta.stop_reason, "max_tokens")
    }))

  it.live("text before the call, and another stop reason", () =>
    Effect.gen(function*() {
      const options = { name: "shell", input, afterCharacters: 3, text: "Let me see." }
      const { message } = yield* ask({}, FaultStep.truncatedToolInput(options))
      assert.deepStrictEqual(message.content.map(({ type }) => type), ["text", "tool_use"])
      const content = [{ type: "tool_use", name: "shell", input }] as const
      const planned = FaultStep.message({ content, truncateToolInput: 3, stopReason: "model_context_window_exceeded" })
      assert.strictEqual((yield* ask({}, planned)).message.stop_reason, "model_context_window_exceeded")
    }))

  it("an input that is not cut is refused", () => {
    assert.throws(() => step(json.length), RangeError, `Expected less than ${json.length}`)
    assert.throws(() => FaultStep.message({ text: "Hi", truncateToolInput: 1 }), RangeError, "tool_use")
  })
})
