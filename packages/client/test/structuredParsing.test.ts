import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { findJson } from "../src/internal/structured/findJson.ts"
import { isJsonObject, isSameJson, isTooDeep } from "../src/internal/structured/jsonValue.ts"
import { parseJson } from "../src/internal/structured/parseJson.ts"
import { PartialJson } from "../src/internal/structured/PartialJson.ts"

const valueOf = (text: string): unknown => {
  const parsed = parseJson(text, 0, true)
  return "value" in parsed ? parsed.value : undefined
}

const Json = Arbitrary.schema(Schema.Json)

describe("parseJson", () => {
  it.effect.prop(
    "reads what JSON.parse reads, however it is written",
    [Schema.Json, Schema.Literals([0, 1, 2])],
    ([json, indent]) =>
      Effect.sync(() => {
        const text = JSON.stringify(json, null, indent)
        assert.deepStrictEqual(valueOf(text), JSON.parse(text))
      }),
    { arbitrary: { runs: 300, seed: 1 } }
  )

  it.effect.prop(
    "reads nothing of a text that is cut, and says that it is",
    [Schema.Array(Schema.Json)],
    ([json]) =>
      Effect.sync(() => {
        const text = JSON.stringify(json)
        for (let end = 0; end < text.length; end++) {
          const parsed = parseJson(text.slice(0, end), 0, true)
          assert.isTrue("isCut" in parsed && parsed.isCut, text.slice(0, end))
        }
      }),
    { arbitrary: { runs: 60, seed: 2 } }
  )

  it("takes `__proto__` for a key like any other", () => {
    const value = valueOf(`{"__proto__":{"x":1}}`)
    assert.deepStrictEqual(Object.keys(value as object), ["__proto__"])
    assert.isUndefined(Object.getPrototypeOf(value).x)
  })

  it("keeps numbers as they are, or refuses them", () => {
    for (
      const text of [
        "0",
        "-0",
        "1e2",
        "9007199254740992",
        "12345678901234567000",
        "0.1",
        "1E-7",
        "123456789012345678e3"
      ]
    ) {
      assert.strictEqual(valueOf(text), JSON.parse(text), text)
    }
    for (
      const text of [
        "9007199254740993",
        "12345678901234567890",
        "1e309",
        "01",
        "1.",
        ".5",
        "+1",
        "1_0",
        "0x1",
        "1px",
        "-"
      ]
    ) {
      assert.isUndefined(valueOf(text), text)
    }
  })

  it("ends at 200 levels", () => {
    const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels)
    assert.isDefined(valueOf(nested(200)))
    assert.isUndefined(valueOf(nested(201)))
    assert.isUndefined(valueOf(nested(1_000_000)))
    assert.isFalse(isTooDeep(JSON.parse(nested(200))))
    assert.isTrue(isTooDeep(JSON.parse(nested(202))))
    assert.isTrue(isTooDeep(JSON.parse(nested(5_000))))
  })
})

describe("findJson", () => {
  // With a text of this size anything but a linear search takes hours.
  const million = 1_000_000
  const hard: ReadonlyArray<readonly [string, string]> = [
    ["braces", "{".repeat(million)],
    ["brackets", "[".repeat(million)],
    ["closed braces", "}".repeat(million)],
    ["pairs", "{}".repeat(million / 2)],
    ["broken pairs", "{x}".repeat(million / 3)],
    ["quotes", "\"".repeat(million)],
    ["braces and quotes", "{\"".repeat(million / 2)],
    ["open objects", "{\"a\":".repeat(million / 5)],
    ["broken objects", "{\"a\":1 1} ".repeat(million / 10)],
    ["backslashes", `{"${"\\".repeat(million)}`],
    ["digits", `{"a":${"9".repeat(million)}}`],
    ["comments", `{${"/*".repeat(million / 2)}`],
    ["comments that leave their brackets", "[/* ]".repeat(million / 5)],
    ["brackets in a comment", `${"[/*]".repeat(million / 5)}*/${"1,".repeat(million / 10)}`],
    [
      "values that differ behind a comment",
      `${"{\"a\":1,\"a\":/*}".repeat(million / 20)}*/[${"1,".repeat(million / 10)}]`
    ],
    ["line comments that leave their brackets", "[// ]".repeat(million / 5)],
    ["line comments", `{${"//\n".repeat(million / 3)}`],
    ["fences", "```\n".repeat(million / 4)],
    ["backquotes", "`".repeat(million)],
    ["spaces", " ".repeat(million)],
    ["spaces before fences", `${" ".repeat(1000)}\n`.repeat(1000)],
    ["words after fences", `\`\`\`${"w".repeat(million)}`],
    ["one string", `{"a":"${"x".repeat(million)}"`],
    ["many keys", `{${Array.from({ length: million / 10 }, (_, index) => `"k${index}":0`).join(",")}`]
  ]
  for (const [name, text] of hard) {
    it(`searches a megabyte of ${name} once`, () => {
      const { candidates } = findJson(text)
      assert.isTrue(candidates.every(({ json }) => isJsonObject(json)))
    })
  }
})

/** Whether one value is another that is not written to its end. */
const isBeginning = (early: Schema.Json | undefined, late: Schema.Json | undefined): boolean => {
  if (early === undefined) return true
  if (late === undefined) return false
  if (typeof early === "string" && typeof late === "string") return late.startsWith(early)
  if (Array.isArray(early)) {
    return Array.isArray(late) && early.length <= late.length
      && early.every((item, index) =>
        index < early.length - 1 ? isSameJson(item, late[index]) : isBeginning(item, late[index])
      )
  }
  if (!isJsonObject(early) || !isJsonObject(late)) return early === late
  const keys = Object.keys(early)
  return keys.every((key, index) =>
    Object.keys(late)[index] === key
    && (index < keys.length - 1
      ? isSameJson(early[key] ?? null, late[key] ?? null)
      : isBeginning(early[key], late[key]))
  )
}

const readPieces = (text: string, size: number): ReadonlyArray<Schema.Json | undefined> => {
  const partial = new PartialJson()
  const snapshots: Array<Schema.Json | undefined> = []
  for (let at = 0; at < text.length; at += size) {
    partial.add(text.slice(at, at + size))
    snapshots.push(partial.snapshot)
  }
  return snapshots
}

describe("PartialJson", () => {
  it.effect("shows values that only grow, and at last the whole", () =>
    Effect.gen(function*() {
      const values = yield* Arbitrary.sampleEffect(Arbitrary.array(Json), { count: 300, seed: 3, size: 12 })
      values.forEach((value, index) => {
        // `JSON.parse`, so that numbers are as a text can say them: -0 becomes 0.
        const text = JSON.stringify(value, null, index % 3)
        const snapshots = readPieces(text, 1 + index % 5)
        assert.deepStrictEqual(snapshots.at(-1), JSON.parse(text))
        snapshots.forEach((snapshot, at) => {
          assert.isTrue(isBeginning(snapshot, snapshots[at + 1] ?? snapshot), text)
        })
      })
    }))

  it("leaves what was shown as it was", () => {
    const partial = new PartialJson()
    partial.add(`{"a":[1,{"b":"x`)
    const early = partial.snapshot
    const copy = structuredClone(early)
    partial.add(`yz"},2],"c":3}`)
    assert.deepStrictEqual(early, copy)
    assert.deepStrictEqual(partial.snapshot, { a: [1, { b: "xyz" }, 2], c: 3 })
  })

  it("shows a number, a literal and a pair of surrogates once they are whole", () => {
    assert.deepStrictEqual(readPieces(`[12,true,"😀"]`, 1).map((snapshot) => JSON.stringify(snapshot)), [
      "[]",
      "[]",
      "[]",
      "[12]",
      "[12]",
      "[12]",
      "[12]",
      "[12]",
      "[12,true]",
      `[12,true,""]`,
      `[12,true,""]`,
      `[12,true,"😀"]`,
      `[12,true,"😀"]`,
      `[12,true,"😀"]`
    ])
    assert.deepStrictEqual(
      readPieces(`["\\ud83d\\ude00"]`, 1).filter((snapshot) => JSON.stringify(snapshot)?.includes("d83d")),
      []
    )
  })

  it("waits for JSON behind a fence, and not behind a sentence", () => {
    assert.deepStrictEqual(readPieces("```json\n{\"a\":1}", 1).at(-1), { a: 1 })
    assert.isUndefined(readPieces("Here {\"a\":1}", 1).at(-1))
  })

  it("stops at what is no JSON, or has a second reading", () => {
    for (
      const text of [
        `{"a":1,"a":2}`,
        `{"a":1,b:2}`,
        `{"a":1,'b':2}`,
        `{"a":1,"b":NaN}`,
        `{"a":1,"b":01}`,
        `{"a":1 2}`,
        `{"a":1]`
      ]
    ) {
      const last = readPieces(text, 1).at(-1)
      assert.isTrue(isBeginning(last, { a: 1 }), text)
    }
  })

  it("reads a megabyte of anything in small pieces", () => {
    const size = 1_000_000
    const texts = [
      `["${"x".repeat(size)}"]`,
      `[${"1,".repeat(size / 2)}1]`,
      `{${Array.from({ length: size / 10 }, (_, index) => `"k${index}":0`).join(",")}}`,
      `[${`{"a":[1,2,{"b":"c"}]},`.repeat(size / 22)}0]`,
      "[".repeat(size)
    ]
    for (const text of texts) {
      const partial = new PartialJson()
      for (let at = 0; at < text.length; at += 8) partial.add(text.slice(at, at + 8))
      if (text.endsWith("[")) continue
      assert.isTrue(isSameJson(partial.snapshot ?? null, JSON.parse(text)))
    }
  })
})
