import * as StructuredOutput from "@effect-claude/client/StructuredOutput"
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { matchCase } from "../src/internal/structured/matchCase.ts"
import { wireSchema } from "../src/internal/structured/wireSchema.ts"

interface Tree {
  readonly kids: ReadonlyArray<Tree>
}
const Tree: Schema.Codec<Tree> = Schema.Struct({ kids: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree)) })

class Address extends Schema.Class<Address>("Address")({ street: Schema.String }) {}

describe("wireSchema", () => {
  it("says what the API cannot check in descriptions", () => {
    const { native } = wireSchema(Schema.Struct({
      age: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 150 })),
      name: Schema.NonEmptyString,
      tags: Schema.Array(Schema.String).check(Schema.isMinLength(2)),
      email: Schema.String.annotate({ description: "Where to write to", format: "email" }),
      code: Schema.TemplateLiteral(["id:", Schema.BigInt]),
      word: Schema.TemplateLiteral(["id:", Schema.String])
    }))
    assert.deepStrictEqual(native, {
      type: "object",
      properties: {
        age: {
          type: "integer",
          description: "an integer; a value between 0 and 150; {minimum: 0, maximum: 150}"
        },
        name: { type: "string", description: "a value with a length of at least 1; {minLength: 1}" },
        tags: {
          type: "array",
          items: { type: "string" },
          description: "a value with a length of at least 2; {minItems: 2}"
        },
        email: { type: "string", format: "email", description: "Where to write to" },
        code: { type: "string", pattern: "^id:-?\\d+$" },
        word: { type: "string", description: `{pattern: "^id:[\\\\s\\\\S]*?$"}` }
      },
      required: ["age", "name", "tags", "email", "code", "word"],
      additionalProperties: false
    })
  })

  it("keeps definitions, and puts one at the root into its place", () => {
    const shared = wireSchema(Schema.Struct({ from: Address, to: Address }))
    assert.deepStrictEqual(shared.native?.["properties"], {
      from: { $ref: "#/$defs/AddressEncoded" },
      to: { $ref: "#/$defs/AddressEncoded" }
    })
    assert.deepStrictEqual(shared.native?.["$defs"], {
      AddressEncoded: {
        type: "object",
        properties: { street: { type: "string" } },
        required: ["street"],
        additionalProperties: false
      }
    })
    const root = wireSchema(Address)
    assert.strictEqual(root.native?.["type"], "object")
    assert.strictEqual(root.wrapper, undefined)
    // What was put into its place is not sent a second time.
    assert.isFalse("$defs" in root.full)
    assert.isFalse("$defs" in (root.native ?? {}))
  })

  it("keeps the definition at the root if something refers to it, and those that only definitions refer to", () => {
    interface Node {
      readonly next: Node | null
    }
    const Node: Schema.Codec<Node> = Schema.Struct({
      next: Schema.NullOr(Schema.suspend((): Schema.Codec<Node> => Node))
    }).annotate({ identifier: "Node" })
    class Street extends Schema.Class<Street>("Street")({ name: Schema.String }) {}
    class Home extends Schema.Class<Home>("Home")({ street: Street }) {}
    class Person extends Schema.Class<Person>("Person")({ home: Home }) {}

    assert.deepStrictEqual(Object.keys(Object(wireSchema(Node).full["$defs"])), ["Node"])
    assert.sameMembers(Object.keys(Object(wireSchema(Person).full["$defs"])), ["HomeEncoded", "StreetEncoded"])
  })

  it("knows an array that is not empty", () => {
    const { native } = wireSchema(Schema.NonEmptyArray(Schema.Struct({ a: Schema.String })))
    const item = { type: "object", properties: { a: { type: "string" } }, required: ["a"], additionalProperties: false }
    assert.deepStrictEqual(native?.["properties"], { value: { type: "array", items: item, minItems: 1 } })
  })

  it("offers no strings for numbers", () => {
    const { native } = wireSchema(Schema.Struct({ a: Schema.Number, b: Schema.NullOr(Schema.Number) }))
    assert.notInclude(JSON.stringify(native), "Infinity")
    assert.include(JSON.stringify(native), `"type":"number"`)
  })

  it("puts what is no object into one", () => {
    for (
      const schema of [
        Schema.String,
        Schema.Array(Schema.Int),
        Schema.Literals(["a", "b"]),
        Schema.Union([Address, Schema.Null])
      ]
    ) {
      const { full, native, wrapper } = wireSchema(schema)
      assert.strictEqual(wrapper, "value")
      assert.strictEqual(full.type, "object")
      assert.deepStrictEqual(native?.["required"], ["value"])
    }
  })

  const many = (count: number, property: (index: number) => Schema.Codec<unknown, unknown>) =>
    Schema.Struct(Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, property(index)])))
  const nowhere: ReadonlyArray<readonly [Schema.Constraint, string]> = [
    [Tree, "a recursive schema, at"],
    [Schema.Record(Schema.String, Schema.Int), "an object with arbitrary keys, at the root"],
    [
      Schema.Struct({ a: Schema.Struct({ b: Schema.Array(Schema.Record(Schema.String, Schema.Int)) }) }),
      "arbitrary keys, at a.b[]"
    ],
    [Schema.Struct({ pair: Schema.Tuple([Schema.Int, Schema.Int]) }), "a tuple, at pair"],
    [Schema.Struct({ any: Schema.Unknown }), "any value, at any"],
    [Schema.Struct({ list: Schema.Array(Schema.Unknown) }), "any value, at list[]"],
    [Schema.Never, "excludes values, at value"],
    [
      many(25, () => Schema.String).mapFields((fields) =>
        Object.fromEntries(
          Object.entries(fields).map(([name, field]) => [name, Schema.optionalKey(field)])
        )
      ),
      "more than 24 optional properties, at p24"
    ],
    [many(17, () => Schema.NullOr(Schema.String)), "more than 16 properties of several types, at p16"]
  ]
  for (const [schema, message] of nowhere) {
    it(`structured outputs have no form for ${message}`, () => {
      const typed = schema as Schema.Codec<unknown, unknown>
      assert.throws(() => StructuredOutput.make(typed, { strategy: "native" }), RangeError, message)
      assert.strictEqual(
        StructuredOutput.make(typed).request({ model: "claude-opus-5", max_tokens: 1, messages: [] }).tool_choice?.type,
        "tool"
      )
    })
  }

  it("refuses options that are out of range, and schemas that have no JSON form", () => {
    const make = (options: StructuredOutput.Options) => () => StructuredOutput.make(Schema.String, options)
    assert.throws(make({ repairs: -1 }), RangeError, `option "repairs"`)
    assert.throws(make({ repairs: 1.5 }), RangeError, `option "repairs"`)
    assert.throws(make({ repairs: Number.POSITIVE_INFINITY }), RangeError, `option "repairs"`)
    assert.throws(make({ tool: "" }), RangeError, `option "tool"`)
    assert.throws(make({ tool: "a b" }), RangeError, `option "tool"`)
    assert.throws(make({ strategy: "prefill" as never }), RangeError, `option "strategy"`)
    const symbols = Schema.Struct({ [Symbol.for("x")]: Schema.String })
    assert.throws(() => StructuredOutput.make(symbols), RangeError, "cannot be written as JSON Schema")
  })
})

describe("matchCase", () => {
  it("takes the member that differs in case, and leaves what fits or has two", () => {
    const Level = Schema.Literals(["Low", "HIGH", "high", "very low"])
    const wire = wireSchema(Schema.Struct({ level: Level, other: Schema.optionalKey(Schema.String) }))
    const level = (text: string) => matchCase(wire, { level: text, other: "LOW" })
    assert.deepStrictEqual(level("low"), { level: "Low", other: "LOW" })
    assert.deepStrictEqual(level("Very Low"), { level: "very low", other: "LOW" })
    assert.deepStrictEqual(level("high"), { level: "high", other: "LOW" })
    assert.deepStrictEqual(level("High"), { level: "High", other: "LOW" })
    assert.deepStrictEqual(level("medium"), { level: "medium", other: "LOW" })
  })

  it("finds its way through unions, arrays, records and definitions", () => {
    const Shape = Schema.Union([
      Schema.Struct({ _tag: Schema.tag("Circle"), size: Schema.Literals(["S", "L"]) }),
      Schema.Struct({ _tag: Schema.tag("Square"), size: Schema.Literals(["s", "L"]) })
    ])
    const wire = wireSchema(Schema.Struct({
      shapes: Schema.Array(Shape),
      byName: Schema.Record(Schema.String, Schema.NullOr(Schema.Literals(["On", "Off"])))
    }))
    assert.deepStrictEqual(
      matchCase(wire, {
        shapes: [{ _tag: "circle", size: "s" }, { _tag: "SQUARE", size: "l" }],
        byName: { a: "on", b: null, __proto: "OFF" }
      }),
      {
        shapes: [{ _tag: "Circle", size: "S" }, { _tag: "Square", size: "L" }],
        byName: { a: "On", b: null, __proto: "Off" }
      }
    )
  })

  it("gives up where there are too many ways", () => {
    interface Twin {
      readonly left?: Twin
    }
    const Twin: Schema.Codec<Twin> = Schema.Union([
      Schema.Struct({ left: Schema.optionalKey(Schema.suspend((): Schema.Codec<Twin> => Twin)) }),
      Schema.Struct({
        left: Schema.optionalKey(Schema.suspend((): Schema.Codec<Twin> => Twin)),
        kind: Schema.Literal("Twin")
      })
    ])
    const deep = JSON.parse(`${`{"kind":1,"left":`.repeat(150)}"x"${"}".repeat(150)}`) as Schema.Json
    assert.deepStrictEqual(matchCase(wireSchema(Twin), deep), deep)
  })
})
