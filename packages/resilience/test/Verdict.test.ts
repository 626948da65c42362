import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

describe("Verdict", () => {
  it("leaves out a wait that says nothing, and keeps any other", () => {
    assert.isUndefined(Verdict.retry("timeout").after)
    assert.isUndefined(Verdict.retry("timeout", Number.NaN).after)
    assert.isUndefined(Verdict.retry("timeout", -1).after)
    assert.isUndefined(Verdict.retry("timeout", "-Infinity").after)
    assert.deepStrictEqual(Verdict.retry("timeout", 0).after, Duration.zero)
    assert.deepStrictEqual(Verdict.retry("timeout", "1.5 seconds").after, Duration.millis(1500))
    assert.deepStrictEqual(Verdict.retry("timeout", "Infinity").after, Duration.infinity)
  })

  it("folds both cases, data first and data last", () => {
    const cases = { onRetry: (verdict: Verdict.Retry) => verdict.kind, onStop: () => "final" }
    assert.strictEqual(Verdict.match(Verdict.retry("conflict"), cases), "conflict")
    assert.strictEqual(Verdict.match(cases)(Verdict.stop), "final")
  })

  it("is a stop or is not", () => {
    assert.isTrue(Verdict.isStop(Verdict.stop))
    assert.isFalse(Verdict.isStop(Verdict.retry("timeout")))
  })

  it("goes to JSON and back", () => {
    const codec = Schema.toCodecJson(Verdict.VerdictSchema)
    const verdicts: ReadonlyArray<Verdict.Verdict> = [
      Verdict.stop,
      ...Verdict.retryKinds.map((kind) => Verdict.retry(kind)),
      Verdict.retry("rateLimited", "1500 millis")
    ]
    for (const verdict of verdicts) {
      const text = JSON.stringify(Schema.encodeSync(codec)(verdict))
      assert.deepStrictEqual(Schema.decodeUnknownSync(codec)(JSON.parse(text)), verdict)
    }
    assert.throws(() => Schema.decodeUnknownSync(codec)({ _tag: "Retry", kind: "boredom", after: null }))
  })
})
