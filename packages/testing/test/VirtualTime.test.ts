import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import * as VirtualTime from "@effect-claude/testing/VirtualTime"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { request } from "./pipeline/support.ts"

const now = Clock.currentTimeMillis

const defectOf = <A, E>(exit: Exit.Exit<A, E>): string => {
  assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
  return Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : ""
}

/** Promises that hand over to each other, some of them through a turn of the event loop. */
const manyPromises = async (turns: number) => {
  for (let i = 0; i < turns; i++) {
    await Promise.resolve()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe("VirtualTime.run", () => {
  it.effect("wakes sleeps in order, each at its time", () =>
    Effect.gen(function*() {
      const woken: Array<readonly [name: string, at: number]> = []
      const sleeper = (name: string, ...sleeps: ReadonlyArray<number>) =>
        Effect.forEach(sleeps, (millis) => Effect.delay(Effect.map(now, (at) => woken.push([name, at])), millis), {
          discard: true
        })
      yield* Effect.all([sleeper("a", 5, 3), sleeper("b", 3, 5), sleeper("c", 3, 4), sleeper("d", 0.5)], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(woken, [
        ["d", 0.5],
        ["b", 3],
        ["c", 3],
        ["a", 5],
        ["c", 7],
        ["b", 8],
        ["a", 8]
      ])
      assert.strictEqual(yield* now, 8)
    }).pipe(VirtualTime.run))

  it.effect("passes an hour of a thousand callers", () =>
    Effect.gen(function*() {
      const ends = yield* Effect.forEach(Array.from({ length: 1_000 }, (_, index) => index), (index) =>
        Effect.gen(function*() {
          for (let i = 0; i < 10; i++) {
            yield* Effect.sleep(360_000 + index)
          }
          return yield* now
        }), { concurrency: "unbounded" })
      assert.deepStrictEqual(
        ends,
        ends.map((_, index) =>
          3_600_000 + 10 * index
        )
      )
    }).pipe(VirtualTime.run))

  it.effect("lets promises come to an end before time moves", () =>
    Effect.gen(function*() {
      const patient = Effect.gen(function*() {
        yield* Effect.sleep("1 second")
        yield* Effect.promise(() => manyPromises(200))
        yield* Effect.yieldNow
        yield* Effect.promise(() => manyPromises(200))
        return yield* now
      })
      const other = Effect.delay(now, 1_001)
      assert.deepStrictEqual(yield* Effect.all([patient, other], { concurrency: 2 }), [1_000, 1_001])
    }).pipe(VirtualTime.run))

  it.effect("waits for what comes from outside when nobody sleeps", () =>
    Effect.gen(function*() {
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 30)))
      assert.strictEqual(yield* now, 0)
      yield* Effect.sleep("1 hour")
      assert.strictEqual(yield* now, 3_600_000)
    }).pipe(VirtualTime.run))

  it("works without a TestClock", async () => {
    const program = Effect.gen(function*() {
      const start = yield* now
      yield* Effect.sleep("1 hour")
      return [start, yield* now]
    })
    assert.deepStrictEqual(await Effect.runPromise(VirtualTime.run(program)), [0, 3_600_000])
  })

  it.effect("goes on from the time of the test", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust("1 minute")
      yield* VirtualTime.run(Effect.sleep("1 minute"))
      yield* VirtualTime.run(Effect.sleep("1 minute"))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* now, 240_000)
      assert.strictEqual(yield* Clock.monotonicTimeNanos, 240_000_000_000n)
    }))

  it.effect("passes the sleeps of fibers that were there before", () =>
    Effect.gen(function*() {
      const started = yield* Deferred.make<number>()
      yield* Effect.forkChild(Effect.delay(Effect.flatMap(now, (at) => Deferred.succeed(started, at)), "2 seconds"))
      yield* Effect.yieldNow
      assert.strictEqual(yield* VirtualTime.run(Deferred.await(started)), 2_000)
      assert.strictEqual(yield* now, 2_000)
    }))

  it.effect("takes a move of the clock for a sleep", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Effect.delay(now, "30 seconds"))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* now, 60_000)
      assert.strictEqual(yield* Fiber.join(fiber), 30_000)
      yield* TestClock.setTime(90_000)
      assert.strictEqual(yield* now, 90_000)
    }).pipe(VirtualTime.run))

  it.effect("runs within another run", () =>
    Effect.gen(function*() {
      const inner = VirtualTime.run(Effect.delay(now, "1 second"))
      assert.deepStrictEqual(
        yield* Effect.all([inner, inner, Effect.delay(now, "2 seconds")], { concurrency: "unbounded" }),
        [1_000, 1_000, 2_000]
      )
      const outlasts = VirtualTime.run(Effect.delay(now, "2 hours"), { limit: "1 hour" })
      assert.strictEqual(yield* outlasts, 7_202_000)
    }).pipe(VirtualTime.run))

  it.effect("keeps a failure, a defect and the services", () =>
    Effect.gen(function*() {
      class Name extends Context.Service<Name, string>()("test/Name") {}
      const failed = yield* Effect.exit(VirtualTime.run(Effect.delay(Effect.fail("no"), "1 second")))
      assert.deepStrictEqual(failed, Exit.fail("no"))
      const died = yield* Effect.exit(VirtualTime.run(Effect.delay(Effect.die("oops"), "1 second")))
      assert.strictEqual(defectOf(died), "oops")
      const named = Effect.delay(Name, "1 second").pipe(VirtualTime.run, Effect.provideService(Name, "Ada"))
      assert.strictEqual(yield* named, "Ada")
    }))

  it.effect("is interrupted with its effect, whose finalizers may sleep", () =>
    Effect.gen(function*() {
      let finished = 0
      const slow = Effect.never.pipe(Effect.onInterrupt(() =>
        Effect.delay(
          Effect.map(now, (at) => {
            finished = at
          }),
          "3 seconds"
        )
      ))
      const exit = yield* Effect.exit(VirtualTime.run(slow).pipe(Effect.timeout("1 minute")))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasFails(exit.cause))
      assert.strictEqual(finished, 63_000)

      const fiber = yield* Effect.forkChild(VirtualTime.run(slow))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(finished, 66_000)
    }))

  it.effect("ends at its limit when the background sleeps for ever", () =>
    Effect.gen(function*() {
      let ticks = 0
      const ticker = Effect.sync(() => ticks++).pipe(Effect.repeat(Schedule.spaced("1 minute")), Effect.forkScoped)
      let interrupted = false
      const waiting = Effect.onInterrupt(Effect.never, () =>
        Effect.sync(() => {
          interrupted = true
        }))
      const exit = yield* ticker.pipe(Effect.andThen(waiting), VirtualTime.run, Effect.exit)
      assert.include(defectOf(exit), "the effect has not ended after 1d of virtual time, the limit")
      assert.strictEqual(ticks, 1_442)
      assert.isTrue(interrupted)

      const brief = yield* Effect.exit(VirtualTime.run(Effect.sleep("2 minutes"), { limit: "90 seconds" }))
      assert.include(defectOf(brief), "after 1m 30s of virtual time")
      assert.isTrue(
        Exit.isSuccess(yield* Effect.exit(VirtualTime.run(Effect.sleep("90 seconds"), { limit: "90 seconds" })))
      )
    }))

  it.effect("fails when nothing is left that could end the effect", () =>
    Effect.gen(function*() {
      const waits = "waits for something that cannot happen any more"
      const exit = yield* Effect.exit(VirtualTime.run(Effect.andThen(Effect.sleep("1 second"), Effect.never)))
      assert.include(defectOf(exit), waits)
      assert.include(defectOf(exit), "after 1s of virtual time")
      assert.strictEqual(yield* now, 1_000)
      assert.strictEqual(yield* Clock.monotonicTimeNanos, 1_000_000_000n)
      assert.include(defectOf(yield* Effect.exit(VirtualTime.run(Effect.sleep(Infinity)))), waits)
      assert.strictEqual(yield* now, 1_000)
    }))

  it.effect("does not take a sleeper without an end for one that wakes", () =>
    Effect.gen(function*() {
      const endless = yield* Effect.forkChild(Effect.sleep(Infinity))
      yield* Effect.yieldNow
      const exit = yield* Effect.exit(VirtualTime.run(Fiber.join(endless)))
      assert.include(defectOf(exit), "waits for something that cannot happen any more")
      assert.strictEqual(yield* now, 0)
    }))

  it.effect("ends with its effect when a fiber of the background is never quiet", () =>
    Effect.gen(function*() {
      yield* Effect.forkScoped(Effect.forever(Effect.yieldNow))
      assert.strictEqual(yield* VirtualTime.run(Effect.as(Effect.yieldNow, "done")), "done")
    }))

  it.effect("drives the SDK over a fetch in memory", () =>
    Effect.gen(function*() {
      const body = MessageEvents.fromMessage(Reply.message("Hello, world! ".repeat(50)))
        .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("")
      const sent: Array<number> = []
      const clock = yield* Clock.Clock
      const inMemory: typeof fetch = async () => {
        sent.push(clock.currentTimeMillisUnsafe())
        await manyPromises(20)
        if (sent.length < 3) return Response.json({ type: "error", error: { type: "api_error" } }, { status: 500 })
        const pieces = new TextEncoder().encode(body)
        let position = 0
        const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
          await manyPromises(1)
          if (position >= pieces.length) return controller.close()
          controller.enqueue(pieces.subarray(position, position += 100))
        }
        return new Response(new ReadableStream({ pull }), { headers: { "content-type": "text/event-stream" } })
      }
      const Claude = AnthropicClient.layer({ apiKey: Redacted.make("sk-ant-test"), sdk: { fetch: inMemory } }).pipe(
        ClaudeLayer.withAttemptTimeout({ attempt: "100 millis", stream: "100 millis" }),
        ClaudeLayer.withRetry()
      )
      const text = ClaudeService.use((claude) => Stream.mkString(MessageEvents.text(claude.streamMessage(request))))
      assert.strictEqual((yield* Effect.provide(text, Claude)).length, 700)
      assert.deepStrictEqual(sent, [0, 500, 1_500])
      assert.strictEqual(yield* now, 1_500)
    }).pipe(
      Effect.provideService(Random.Random, { nextDoubleUnsafe: () => 1, nextIntUnsafe: () => 1 }),
      VirtualTime.run
    ))

  it.effect("drives policies around a script", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const test = yield* ClaudeTest.ClaudeTest
      yield* claude.createMessage(request)
      assert.deepStrictEqual((yield* test.calls).map(({ at }) => at), [0, 12_000])
      const events = yield* Stream.runCollect(Stream.mapEffect(claude.streamMessage(request), () => now))
      assert.strictEqual(events.at(-1), 17_000)
    }).pipe(
      Effect.provide(
        ClaudeTest.script([
          Fault.rateLimit({ retryAfter: "12 seconds" }),
          Reply.text("hi"),
          Reply.text("late").pipe(ClaudeTest.delayed("5 seconds"))
        ]).pipe(ClaudeLayer.withRetry())
      ),
      Effect.provideService(Random.Random, { nextDoubleUnsafe: () => 0, nextIntUnsafe: () => 0 }),
      VirtualTime.run
    ))

  it("refuses a wrong limit", () => {
    assert.throws(
      () => VirtualTime.run(Effect.void, { limit: Number.NaN }),
      RangeError,
      /VirtualTime.run: option "limit"/
    )
    assert.throws(() => VirtualTime.run(Effect.void, { limit: -1 }), RangeError, /VirtualTime.run: option "limit"/)
  })
})

class Ticks extends Context.Service<Ticks, { readonly count: () => number }>()("test/Ticks") {}

layer(Layer.effect(
  Ticks,
  Effect.gen(function*() {
    let count = 0
    yield* Effect.forkScoped(Effect.repeat(Effect.sync(() => count++), Schedule.spaced("10 seconds")))
    return { count: () => count }
  })
))("a layer that all tests share", (it) => {
  it.effect("hears of the time that passes", () =>
    Effect.gen(function*() {
      const ticks = yield* Ticks
      yield* VirtualTime.run(Effect.sleep("95 seconds"))
      assert.strictEqual(ticks.count(), 10)
    }))
})
