import type { MessageRequest } from "@effect-claude/client/ClaudeService"
import * as StructuredOutput from "@effect-claude/client/StructuredOutput"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

const request: MessageRequest = {
  model: "claude-haiku-5-5",
  max_tokens: 100,
  messages: [{ role: "user", content: "I was charged twice" }]
}

const labels = [
  "billing",
  "Technical",
  "bug",
  "bug fix",
  "not applicable",
  "C",
  "C++",
  "a",
  "à la carte",
  "read_only"
] as const
const output = StructuredOutput.oneOf(labels, { repairs: 0 })

const rows: ReadonlyArray<readonly [string, (typeof labels)[number] | undefined]> = [
  ["billing", "billing"],
  ["BILLING", "billing"],
  ["  billing\n", "billing"],
  ["\"billing\"", "billing"],
  ["'billing'", "billing"],
  ["“billing”", "billing"],
  ["`billing`", "billing"],
  ["**billing**", "billing"],
  ["billing.", "billing"],
  ["billing!", "billing"],
  ["(billing)", "billing"],
  ["- billing", "billing"],
  ["# Billing", "billing"],
  ["technical", "Technical"],
  ["Bug", "bug"],
  ["bug fix", "bug fix"],
  ["Bug-Fix", "bug fix"],
  ["bug  fix", "bug fix"],
  ["read only", "read_only"],
  ["Read-only", "read_only"],
  ["not applicable", "not applicable"],
  ["C", "C"],
  ["c++", "C++"],
  ["a", "a"],
  ["À LA CARTE", "à la carte"],
  ["A\u0300 la carte", "à la carte"],
  ["Label: billing", "billing"],
  ["The label is billing.", "billing"],
  ["This is about billing", "billing"],
  ["I'd say it's a bug fix.", "bug fix"],
  ["The correct category is \"Technical\".", "Technical"],
  ["billing: the answer is billing", "billing"],
  ["The answer is C++.", "C++"],
  ["{\"value\":\"billing\"}", "billing"],
  ["{\"value\":\"Billing.\"}", "billing"],
  ["{\"value\":\"The label is billing\"}", "billing"],
  ["```json\n{\"value\":\"billing\"}\n```", "billing"],
  ["Sure: {\"value\":\"bug fix\"}", "bug fix"],
  ["\"The label is billing\"", "billing"],
  ["", undefined],
  ["   ", undefined],
  ["...", undefined],
  ["shipping", undefined],
  ["bill", undefined],
  ["billings", undefined],
  ["prebilling", undefined],
  ["not billing", undefined],
  ["It is not billing.", undefined],
  ["non-billing", undefined],
  ["It isn't billing", undefined],
  ["ist nicht billing", undefined],
  ["no billing", undefined],
  ["billing?", undefined],
  ["~~billing~~", undefined],
  ["!billing", undefined],
  ["billing or Technical", undefined],
  ["billing, Technical", undefined],
  ["billing/technical", undefined],
  ["The label is billing. The label is Technical.", undefined],
  ["bug, bug fix", undefined],
  ["anything but billing", undefined],
  ["It could be billing", undefined],
  ["To be billing", undefined],
  ["It will be billing", undefined],
  ["This is a category", undefined],
  ["The customer was charged twice, so billing", undefined],
  ["C#", undefined],
  [".billing", undefined],
  ["-C", undefined],
  ["+C", undefined],
  ["c+", undefined],
  ["billing billing technical", undefined],
  ["{\"value\":\"shipping\"}", undefined],
  ["{\"value\":\"not billing\"}", undefined],
  ["{\"value\":[\"billing\"]}", undefined],
  ["{\"value\":\"billing\"} {\"value\":\"bug\"}", undefined],
  ["{\"billing\":false}", undefined],
  ["{\"not\":\"billing\"}", undefined],
  ["{\"value\":null}", undefined],
  ["[\"billing\"]", undefined],
  ["{\"value\":\"bill", undefined],
  ["billing ".repeat(100), undefined]
]

describe("oneOf", () => {
  for (const [text, label] of rows) {
    it.effect(`${JSON.stringify(text.slice(0, 60))} is ${label ?? "no label"}`, () =>
      Effect.gen(function*() {
        const result = yield* Effect.result(output.ask(request)).pipe(
          Effect.provide(ClaudeTest.script([Reply.text(text)]))
        )
        const found = result._tag === "Success" ? result.success : result.failure._tag
        assert.strictEqual(found, label ?? "OutputInvalidError")
      }))
  }

  it.effect("a label that is a word of JSON by itself", () =>
    Effect.gen(function*() {
      const numbers = StructuredOutput.oneOf(["1", "10", "true", "null"], { repairs: 0 })
      const said = [
        "1",
        " 10\n",
        "```\n10\n```",
        "true",
        "null",
        "-1",
        "1.0",
        "2",
        "1 10",
        "[1]",
        "{\"value\":1}",
        "under 10",
        "about 10"
      ]
      const found = yield* Effect.forEach(said, (text) =>
        numbers.ask(request).pipe(
          Effect.catchTag("OutputInvalidError", () => Effect.undefined),
          Effect.provide(ClaudeTest.script([Reply.text(text)]), { local: true })
        ))
      assert.deepStrictEqual(found, ["1", "10", "10", "true", "null", ...Array.from({ length: 8 }, () => undefined)])
    }))

  it.effect("a label in the tool's input", () =>
    Effect.gen(function*() {
      for (const input of [{ value: "Billing" }, { value: "The label is billing" }]) {
        const layer = ClaudeTest.script([Reply.tool("answer", input)])
        const output = StructuredOutput.oneOf(labels, { strategy: "tool" })
        assert.strictEqual(yield* Effect.provide(output.ask(request), layer, { local: true }), "billing")
      }
    }))

  it.effect("asks again for what is no label", () =>
    Effect.gen(function*() {
      const answer = yield* StructuredOutput.oneOf(labels).answer(request)
      assert.deepStrictEqual([answer.value, answer.turns], ["billing", 2])
    }).pipe(Effect.provide(ClaudeTest.script([Reply.text("billing or bug"), Reply.text("billing")]))))

  it("refuses lists that nobody can choose from", () => {
    for (
      const wrong of [[], [""], [" "], ["..."], ["a", "a"], ["Billing", "billing"], ["a b", "a-b"], ["\"a\"", "a"]]
    ) {
      assert.throws(() => StructuredOutput.oneOf(wrong), RangeError, "StructuredOutput.oneOf: option \"labels\"")
    }
  })
})
