import * as StructuredOutput from "@effect-claude/client/StructuredOutput"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

interface Tree {
  readonly label: string
  readonly children: ReadonlyArray<Tree>
}
const Tree: Schema.Codec<Tree> = Schema.Struct({
  label: Schema.String,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

class Money
  extends Schema.Class<Money>("Money")({ amount: Schema.Finite, currency: Schema.Literals(["EUR", "USD"]) })
{}

const schemas: Readonly<Record<string, Schema.Codec<unknown, unknown>>> = {
  person: Schema.Struct({
    name: Schema.String,
    age: Schema.Int,
    email: Schema.optionalKey(Schema.NullOr(Schema.String)),
    tags: Schema.Array(Schema.String)
  }),
  shapes: Schema.Union([
    Schema.Struct({ _tag: Schema.tag("Circle"), radius: Schema.Finite }),
    Schema.Struct({ _tag: Schema.tag("Square"), side: Schema.Finite }),
    Schema.Struct({ _tag: Schema.tag("Group"), names: Schema.Array(Schema.Literals(["left", "Right"])) })
  ]),
  tree: Tree,
  class: Schema.Struct({ price: Money, paid: Schema.Array(Money) }),
  record: Schema.Record(Schema.String, Schema.Int),
  tuple: Schema.Tuple([Schema.String, Schema.Finite, Schema.Boolean]),
  transformed: Schema.Struct({ count: Schema.FiniteFromString, id: Schema.String.pipe(Schema.brand("Id")) }),
  text: Schema.String,
  numbers: Schema.Array(Schema.Finite),
  literal: Schema.Literals(["red", "Green", "dark blue"]),
  nested: Schema.Struct({
    a: Schema.Struct({ b: Schema.Struct({ c: Schema.Array(Schema.Struct({ d: Schema.String })) }) })
  }),
  anything: Schema.Struct({ json: Schema.Json })
}

/** Leaves out a sign where it is no part of a string. */
const without = (json: string, sign: string): string =>
  json.replace(/"(?:[^"\\]|\\.)*"|[:,]/g, (token) => token === sign ? " " : token)

/** Ways to write the same answer. Whoever reads it may give up, and must not read another value. */
const dresses: ReadonlyArray<readonly [name: string, dress: (json: string) => string, isAlwaysRead: boolean]> = [
  ["as it is", (json) => json, true],
  ["in a fence", (json) => `\`\`\`json\n${json}\n\`\`\``, true],
  ["behind a sentence", (json) => `Here it is, as you asked:\n\n${json}`, true],
  ["before a sentence", (json) => `${json}\n\nThat's all, isn't it?`, true],
  ["with a comma more", (json) => json.replace(/([}\]])(\s*)$/, ",$1$2").replace(/([{[]),/, "$1"), true],
  ["with comments", (json) => `// it\n${json} /* was */`, true],
  ["twice", (json) => `${json}\n${json}`, true],
  ["escaped", (json) => JSON.stringify(json), true],
  ["with an unknown key", (json) => json.replace(/^\{/, `{"zzzz":{"value":1},`).replace(/,\}$/, "}"), false],
  ["in small letters", (json) => json.toLowerCase(), false],
  ["in an array", (json) => `[${json}]`, false],
  ["in an object", (json) => `{"answer":${json}}`, false],
  ["before the beginning of another", (json) => `${json} ${json.slice(0, -1)}`, false],
  ["with single quotes", (json) => json.replaceAll("\"", "'"), false],
  ["without colons", (json) => without(json, ":"), false],
  ["without commas", (json) => without(json, ","), false]
]

/** The answer as a model writes it: an object, with the value under a key if it is none by itself. */
const written = (json: unknown, isObject: boolean, indent: number): string =>
  JSON.stringify(isObject ? json : { value: json }, null, indent)

const isObject = (name: string): boolean => !["shapes", "tuple", "text", "numbers", "literal"].includes(name)

// In small letters a value may be another one, as in a text; a key of a record that was unknown is known.
const isMeant = (schema: string, dress: string): boolean =>
  (dress !== "in small letters" || schema === "literal")
  && !(schema === "record" && (dress === "with an unknown key" || dress === "in an object"))

describe("answers of random schemas and values", () => {
  for (const [name, schema] of Object.entries(schemas)) {
    const output = StructuredOutput.make(schema, { strategy: "json" })
    const codec = Schema.toCodecJson(schema)
    const read = (text: string) => Effect.result(output.decode(Reply.message(text)))

    it.effect(`${name}: the value that was written, or none, in whatever dress`, () =>
      Effect.gen(function*() {
        const values = yield* Arbitrary.sampleEffect(Arbitrary.schema(schema), {
          count: 40,
          seed: 11,
          size: 6
        })
        for (const [index, value] of values.entries()) {
          const json = yield* Schema.encodeEffect(codec)(value)
          const text = written(json, isObject(name), index % 3)
          // Through JSON, which has no -0.
          const expected = yield* Schema.decodeUnknownEffect(codec)(JSON.parse(JSON.stringify(json)))
          for (const [dress, change, isAlwaysRead] of dresses) {
            if (!isMeant(name, dress)) continue
            const result = yield* read(change(text))
            const said = `${dress}: ${change(text)}`
            if (result._tag === "Success") assert.deepStrictEqual(result.success, expected, said)
            else {
              assert.strictEqual(result.failure._tag, "OutputInvalidError", said)
              assert.isFalse(isAlwaysRead, said)
            }
          }
        }
      }))

    it.effect(`${name}: no value of an answer that is cut`, () =>
      Effect.gen(function*() {
        const values = yield* Arbitrary.sampleEffect(Arbitrary.schema(schema), {
          count: 8,
          seed: 12,
          size: 5
        })
        for (const value of values) {
          const text = written(yield* Schema.encodeEffect(codec)(value), isObject(name), 0)
          for (const before of ["", "Here: ", "```json\n"]) {
            for (let end = 0; end < text.length; end++) {
              const result = yield* read(before + text.slice(0, end))
              assert.strictEqual(result._tag, "Failure", before + text.slice(0, end))
            }
          }
        }
      }))
  }
})
