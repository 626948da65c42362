import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { perfect, pipeline, plainSdk, runWireStorm, type Scenario, table, timeline } from "./WireStorm.ts"

const storm: Scenario = {
  perSecond: 300,
  seconds: 20,
  capacity: 50,
  serviceTime: 100,
  outage: { from: 6_000, to: 12_000 },
  deadline: 60_000
}

describe("a storm on the wire", () => {
  it.live("the processes of the test can carry it: a perfect client loses nothing", () =>
    Effect.gen(function*() {
      const result = yield* runWireStorm(perfect, { ...storm, seconds: 6, outage: { from: 1_500, to: 3_000 } })
      assert.strictEqual(result.succeeded, 1_800, timeline(result))
      assert.isAtMost(result.requestsPerCall, 1.02, timeline(result))
      // The first call of the outage waits for its end, and those behind it for less.
      assert.isAtMost(result.p99, 2_000, timeline(result))
    }), 60_000)

  it.live(
    "standard() answers every call with hardly a request too many, where the SDK fails or floods",
    () =>
      Effect.gen(function*() {
        const results = []
        for (
          const contestant of [
            plainSdk(2),
            plainSdk(5),
            pipeline("standard()", ClaudeLayer.standard({ deadline: "60 seconds" }))
          ]
        ) {
          results.push(yield* runWireStorm(contestant, storm))
        }
        const report = `\n${table(results)}\n\n${results.map(timeline).join("\n")}\n`
        console.log(report)
        const [few, many, ours] = results
        if (few === undefined || many === undefined || ours === undefined) return assert.fail("a contestant is missing")
        assert.isBelow(few.succeeded / few.calls, 0.9, report)
        assert.isAbove(many.requestsPerCall, 2, report)
        assert.isAbove(many.p99, 8_000, report)
        assert.strictEqual(ours.succeeded, ours.calls, report)
        assert.isAtMost(ours.requestsPerCall, 1.15, report)
        assert.isAtMost(ours.p99, 8_000, report)
      }),
    240_000
  )
})
