import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import { callers, fragileApi, type OutageScenario, type StormLog, type StormSummary, summarize } from "./ClockStorm.ts"
import { fullestBucket, herd, refusingApi, uniformBound } from "./Herd.ts"
import { runSdkStorm } from "./SdkClockStorm.ts"

const minute = 60_000

const tenMinutesDown: OutageScenario = {
  callers: 1_000,
  think: 10_000,
  latency: 200,
  down: { from: minute, to: 11 * minute },
  end: 16 * minute
}

const quiet = Logger.layer([Logger.make(() => undefined)])

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`

const table = (summaries: Readonly<Record<string, StormSummary>>): string =>
  [
    [
      "client",
      "calls",
      "succeeded",
      "requests over a perfect client's",
      "requests in the outage a call",
      "soon after it"
    ],
    ...Object.entries(summaries).map(([name, summary]) => [
      name,
      String(summary.calls),
      percent(summary.succeeded / summary.calls),
      summary.overPerfect.toFixed(3),
      (summary.requestsInOutage / summary.callsInOutage).toFixed(3),
      `${percent(summary.soonAfterRecovery)} (${
        percent(summary.waitingSoonAfterRecovery)
      } of ${summary.waitingAtRecovery})`
    ])
  ].map((cells) => cells.map((cell, index) => cell.padEnd(index === 3 || index === 4 ? 34 : 16)).join("").trimEnd())
    .join("\n")

describe("a storm under TestClock", () => {
  it.effect(
    "ten minutes down, a thousand callers: hardly a request too many, and back within seconds",
    () =>
      Effect.gen(function*() {
        const sdk = summarize(tenMinutesDown, yield* Effect.promise(() => runSdkStorm(tenMinutesDown)))
        const log: StormLog = { requests: [], calls: [] }
        const api = fragileApi(tenMinutesDown, log)
        const storm = yield* callers(tenMinutesDown, log).pipe(
          Effect.provide(Layer.merge(api.pipe(ClaudeLayer.standard({ deadline: "20 minutes" })), quiet)),
          Random.withSeed("storm"),
          Effect.forkChild
        )
        yield* TestClock.adjust("40 minutes")
        yield* Fiber.join(storm)
        const ours = summarize(tenMinutesDown, log)
        const report = `\n${table({ "SDK's defaults": sdk, "standard()": ours })}\n`
        console.log(report)

        assert.isAtLeast(sdk.requestsInOutage / sdk.callsInOutage, 2.9, report)
        assert.isAtLeast(ours.succeeded / ours.calls, 0.99, report)
        assert.isAtMost(ours.overPerfect, 1.1, report)
        assert.isAtMost(ours.requestsInOutage / ours.callsInOutage, 0.5, report)
        assert.isAtLeast(ours.soonAfterRecovery, 0.99, report)
      }),
    120_000
  )

  const retryAfter = 30_000
  const size = 1_000
  const bucket = 10

  const pipelines = {
    "withRetry()": ClaudeLayer.withRetry(),
    "standard()": ClaudeLayer.standard({ deadline: "20 minutes" })
  }
  for (const [name, pipeline] of Object.entries(pipelines)) {
    it.effect(`${name}: the waiters of one retry-after come back as spread out as uniform jitter spreads them`, () =>
      Effect.gen(function*() {
        const starts: Array<number> = []
        const api = refusingApi({ until: 20_000, retryAfter, latency: 50 }, starts)
        const calls = yield* herd(size).pipe(
          Effect.provide(Layer.merge(api.pipe(pipeline), quiet)),
          Random.withSeed("herd"),
          Effect.forkChild
        )
        yield* TestClock.adjust("30 minutes")
        assert.strictEqual(yield* Fiber.join(calls), size)

        const refused = starts.filter((at) => at < 20_000)
        const again = starts.filter((at) => at >= 20_000)
        assert.isAtLeast(Math.min(...again) - Math.min(...refused), retryAfter)
        // A retry waits for up to a fifth longer than it was told.
        const bound = uniformBound(again.length, retryAfter / 5, bucket)
        assert.isAtMost(fullestBucket(again, bucket), bound, `${refused.length} refused, ${again.length} came again`)
      }))
  }

  it("a herd would be seen: fixed waits fill one bucket, and uniform ones stay within the bound", () =>
    Effect.gen(function*() {
      const bound = uniformBound(size, retryAfter / 5, bucket)
      const uniform = yield* Effect.all(
        Array.from({ length: size }, () => Effect.map(Random.next, (random) => random * retryAfter / 5))
      )
      assert.isAtMost(fullestBucket(uniform, bucket), bound)
      const narrow = uniform.map((at) => at / 10)
      assert.isAbove(fullestBucket(narrow, bucket), bound)
      assert.isAbove(fullestBucket(uniform.map(() => retryAfter), bucket), bound)
    }).pipe(Random.withSeed("uniform"), Effect.runPromise))
})
