import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { Alarm } from "../src/internal/limiter/Alarm.ts"
import { countSleeps } from "./SleepCounter.ts"

const setFor = (alarm: Alarm, at: number) =>
  Effect.withFiber((fiber) => Effect.map(Clock.currentTimeMillis, (now) => alarm.set(at, now, fiber)))

describe("Alarm", () => {
  it.effect("rings once for the earliest time it was set to, with one sleep at most", () =>
    countSleeps((sleeps) =>
      Effect.gen(function*() {
        const rung: Array<number> = []
        const alarm = new Alarm((fiber) => {
          rung.push(fiber.getRef(Clock.Clock).currentTimeMillisUnsafe())
        })
        yield* setFor(alarm, 100)
        // Neither a later time nor the same one is a reason to sleep anew.
        yield* setFor(alarm, 100)
        yield* setFor(alarm, 200)
        yield* Effect.yieldNow
        assert.deepStrictEqual([sleeps.started(), sleeps.active()], [1, 1])
        yield* setFor(alarm, 50)
        yield* Effect.yieldNow
        assert.deepStrictEqual([sleeps.started(), sleeps.active()], [2, 1])
        yield* TestClock.adjust(49)
        assert.deepStrictEqual(rung, [])
        yield* TestClock.adjust(1000)
        assert.deepStrictEqual(rung, [50])

        yield* setFor(alarm, 1200.5)
        yield* TestClock.adjust(151)
        assert.deepStrictEqual(rung, [50])
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(rung, [50, 1201])
      })
    ))

  it.effect("does not ring when it was stopped, and can be set again", () =>
    countSleeps((sleeps) =>
      Effect.gen(function*() {
        let rung = 0
        const alarm = new Alarm(() => {
          rung += 1
        })
        yield* setFor(alarm, 100)
        yield* Effect.yieldNow
        alarm.stop()
        yield* TestClock.adjust(100)
        assert.deepStrictEqual([rung, sleeps.active()], [0, 0])
        yield* setFor(alarm, 300)
        yield* TestClock.adjust(200)
        assert.strictEqual(rung, 1)
        // In the past: as soon as a timer can.
        yield* setFor(alarm, 0)
        yield* TestClock.adjust(1)
        assert.strictEqual(rung, 2)
      })
    ))
})
