import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import { keyedLoad, moodyApi } from "./KeyedLoad.ts"

const quick = { base: "1 millis", cap: "2 millis" } as const

const rememberedCircuits = 2_000
/** What the limits and the hedge remember by default. */
const rememberedKeys = 1_000

const everything = ClaudeLayer.standard({
  deadline: "200 millis",
  attemptTimeout: { attempt: "20 millis", firstEvent: "20 millis", idle: "20 millis", stream: "40 millis" },
  retry: ClaudeSchedule.make({ ...quick, kinds: { rateLimited: quick, overloaded: quick } }),
  circuitBreaker: { openFor: "10 millis", maxKeys: rememberedCircuits },
  hedge: { delay: "3 millis" },
  cache: { capacity: 500 },
  fallback: { models: ["fallback-model"] }
})

const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length

const settled = (read: () => number, expected: number) =>
  Effect.gen(function*() {
    for (let round = 0; round < 100 && read() > expected; round++) yield* Effect.sleep("10 millis")
    return read()
  })

describe("nothing leaks", () => {
  it.live(
    "100,000 calls over 10,000 models, with failures and interrupts, leave no fiber, timer or growing map",
    () =>
      Effect.scoped(Effect.gen(function*() {
        const api = moodyApi()
        const claude = Context.get(yield* Layer.build(everything(api.layer)), ClaudeService)
        const fibers = { started: 0, ended: 0 }
        const counting: Metric.FiberRuntimeMetricsService = {
          recordFiberStart: () => fibers.started++,
          recordFiberEnd: () => fibers.ended++
        }
        const before = timers()
        const counts = yield* keyedLoad(claude, { calls: 100_000, keys: 10_000, concurrency: 500, prefix: "model" })
          .pipe(
            Effect.provideService(Metric.FiberRuntimeMetrics, counting)
          )
        assert.strictEqual(counts.succeeded + counts.failed + counts.interrupted, 100_000)
        assert.isAbove(counts.succeeded, 50_000)
        assert.isAbove(counts.failed, 1_000)
        assert.isAbove(counts.interrupted, 100)

        assert.isAtLeast(fibers.started, 100_000)
        assert.strictEqual(yield* settled(() => fibers.started - fibers.ended, 0), 0)
        // Vitest has a timer of its own for the test.
        assert.isAtMost(yield* settled(() => timers() - before, 1), 1)

        const { cache, circuitBreaker, concurrency, hedge } = ClaudeLayer.controls(claude)
        if (cache === undefined || circuitBreaker === undefined || concurrency === undefined || hedge === undefined) {
          return assert.fail("a control is missing")
        }
        assert.strictEqual(yield* cache.inFlight, 0)
        assert.isAtMost((yield* circuitBreaker.states).length, rememberedCircuits)
        const permits = [...(yield* concurrency.states).values()]
        assert.isAtMost(permits.length, rememberedKeys)
        assert.deepStrictEqual(permits.filter(({ inFlight, queued }) => inFlight + queued > 0), [])
        assert.isAtMost(yield* hedge.keys, rememberedKeys)
      })).pipe(Effect.provide(Logger.layer([Logger.make(() => undefined)]))),
    120_000
  )
})
