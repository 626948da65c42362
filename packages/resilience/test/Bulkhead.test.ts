import * as Admission from "@effect-claude/resilience/Admission"
import * as Bulkhead from "@effect-claude/resilience/Bulkhead"
import * as Deadline from "@effect-claude/resilience/Deadline"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as Retry from "@effect-claude/resilience/Retry"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const sleeping = (millis: number) => Effect.sleep(millis)

/** Calls that note the order in which they begin. */
const makeRecorder = () => {
  const begun: Array<string> = []
  return {
    begun,
    call: (name: string, millis = 10) =>
      Effect.suspend(() => {
        begun.push(name)
        return Effect.as(Effect.sleep(millis), name)
      })
  }
}

describe("Bulkhead.withPermit", () => {
  it.effect("runs as many calls at once as there are permits, and the others in the order of their coming", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 2 })
      const { begun, call } = makeRecorder()
      const fibers = yield* Effect.forEach(["a", "b", "c", "d", "e"], (name) => start(bulkhead.withPermit(call(name))))
      assert.deepStrictEqual(begun, ["a", "b"])
      assert.deepStrictEqual(yield* bulkhead.state(), { permits: 2, inFlight: 2, queued: 3 })
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(begun, ["a", "b", "c", "d"])
      yield* TestClock.adjust(20)
      assert.deepStrictEqual(yield* Effect.forEach(fibers, Fiber.join), ["a", "b", "c", "d", "e"])
      assert.deepStrictEqual(yield* bulkhead.state(), { permits: 2, inFlight: 0, queued: 0 })
    }))

  it.effect("gives the permit back after success, failure, defect and interruption", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1, queue: 0 })
      assert.strictEqual(yield* bulkhead.withPermit(Effect.succeed(1)), 1)
      assert.strictEqual(yield* Effect.flip(bulkhead.withPermit(Effect.fail("no"))), "no")
      assert.isTrue(Exit.hasDies(yield* Effect.exit(bulkhead.withPermit(Effect.die("bug")))))
      const running = yield* start(bulkhead.withPermit(Effect.never))
      assert.strictEqual((yield* bulkhead.state()).inFlight, 1)
      yield* Fiber.interrupt(running)
      assert.deepStrictEqual(yield* bulkhead.state(), { permits: 1, inFlight: 0, queued: 0 })
    }))

  it.effect("holds the permit until the finalizers are through", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1 })
      const closed = yield* Deferred.make<void>()
      const slowToClose = Effect.acquireUseRelease(Effect.void, () => Effect.never, () => Deferred.await(closed))
      const running = yield* start(bulkhead.withPermit(slowToClose))
      running.interruptUnsafe()
      yield* TestClock.adjust(50)
      assert.strictEqual((yield* bulkhead.state()).inFlight, 1)
      yield* Deferred.succeed(closed, undefined)
      yield* Fiber.await(running)
      assert.strictEqual((yield* bulkhead.state()).inFlight, 0)
    }))

  it.effect("turns calls away when the queue is full, and says how full", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1, queue: 1 })
      yield* start(bulkhead.withPermit(sleeping(10)))
      yield* start(bulkhead.withPermit(sleeping(10)))
      const error = yield* Effect.flip(bulkhead.withPermit(Effect.void))
      assert.instanceOf(error, Bulkhead.BulkheadFullError)
      assert.include(error, { key: "default", reason: "queueFull", permits: 1, inFlight: 1, queued: 1 })
      assert.deepStrictEqual(error.verdict, Verdict.retry("rejected"))
      assert.strictEqual(error.message, `No permit for "default": 1 of 1 in use, and the queue is full (1 waiting)`)
    }))

  it.effect("turns a call away that waited for the queue timeout", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1, queueTimeout: "30 millis" })
      yield* start(bulkhead.withPermit(Effect.never))
      const waiting = yield* start(Effect.flip(bulkhead.withPermit(Effect.void)))
      yield* TestClock.adjust(29)
      assert.strictEqual((yield* bulkhead.state()).queued, 1)
      yield* TestClock.adjust(1)
      const error = yield* Fiber.join(waiting)
      assert.strictEqual(error.reason, "queueTimeout")
      assert.strictEqual(
        error.message,
        `No permit for "default": 1 of 1 in use, and none became free in time (0 waiting)`
      )
      assert.strictEqual((yield* bulkhead.state()).queued, 0)
    }))

  it.effect("keeps a permit that came at the very moment of the timeout", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1, queueTimeout: 10 })
      yield* start(bulkhead.withPermit(sleeping(10)))
      const waiting = yield* start(bulkhead.withPermit(Effect.succeed("ran")))
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(waiting), "ran")
      assert.deepStrictEqual(yield* bulkhead.state(), { permits: 1, inFlight: 0, queued: 0 })
    }))

  it.effect("keeps keys apart and forgets none that is busy", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1, queue: 0, maxKeys: 2 })
      const busy = yield* start(bulkhead.withPermit(Effect.never, { key: "busy" }))
      yield* Effect.forEach(["a", "b", "c", "d", "e"], (key) => bulkhead.withPermit(Effect.void, { key }))
      const states = yield* bulkhead.states
      assert.isAtMost(states.size, 2)
      assert.deepStrictEqual(states.get("busy"), { permits: 1, inFlight: 1, queued: 0 })
      assert.strictEqual((yield* Effect.flip(bulkhead.withPermit(Effect.void, { key: "busy" }))).key, "busy")
      yield* Fiber.interrupt(busy)
      assert.deepStrictEqual(yield* bulkhead.state("never seen"), { permits: 1, inFlight: 0, queued: 0 })
    }))

  it.effect("works data-last", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1 })
      assert.strictEqual(yield* Effect.succeed("a").pipe(bulkhead.withPermit()), "a")
      assert.strictEqual((yield* bulkhead.state("k").pipe(bulkhead.withPermit({ key: "k" }))).inFlight, 1)
    }))

  it.effect("lets the caller's own error through instead", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({
        permits: 1,
        queue: 0,
        onRejected: ({ key, reason }) => ({ _tag: "Busy" as const, key, reason })
      })
      const error = yield* Effect.flip(bulkhead.withPermit(bulkhead.withPermit(Effect.void)))
      assert.deepStrictEqual(error, { _tag: "Busy", key: "default", reason: "queueFull" })
    }))
})

describe("The order of the queue", () => {
  it.effect("is by the start of the call, so that a retried call keeps its place", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1 })
      const { begun, call } = makeRecorder()
      yield* TestClock.adjust(1000)
      const first = yield* start(bulkhead.withPermit(call("first")))
      const began = (name: string, at: number) =>
        start(Effect.provideService(bulkhead.withPermit(call(name)), Admission.CurrentCallStart, at))
      const waiting = [first, yield* began("new", 1000), yield* began("old", 200), yield* began("older", 100)]
      yield* TestClock.adjust(100)
      yield* Effect.forEach(waiting, Fiber.join)
      assert.deepStrictEqual(begun, ["first", "older", "old", "new"])
    }))

  it.effect("lets interactive calls go before batch calls, and batch calls go once they are old enough", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1, batchHandicap: "1 second" })
      const { begun, call } = makeRecorder()
      const fibers = [yield* start(bulkhead.withPermit(call("first", 2000)))]
      fibers.push(yield* start(Admission.withPriority(bulkhead.withPermit(call("batch")), "batch")))
      yield* TestClock.adjust(500)
      fibers.push(yield* start(bulkhead.withPermit(call("soon"))))
      yield* TestClock.adjust(1000)
      fibers.push(yield* start(bulkhead.withPermit(call("late"))))
      yield* TestClock.adjust(2000)
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(begun, ["first", "soon", "batch", "late"])
    }))

  it.effect("displaces the last of a full queue for a call that goes before it", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1, queue: 2 })
      yield* start(bulkhead.withPermit(Effect.never))
      const batch = (name: string) =>
        start(Effect.flip(Admission.withPriority(bulkhead.withPermit(Effect.succeed(name)), "batch")))
      yield* batch("stays")
      const displaced = yield* batch("goes")
      yield* start(bulkhead.withPermit(Effect.never))
      assert.strictEqual((yield* Fiber.join(displaced)).reason, "queueFull")
      assert.strictEqual((yield* bulkhead.state()).queued, 2)
      assert.strictEqual((yield* Fiber.join(yield* batch("too late"))).reason, "queueFull")
    }))
})

describe("afterWait", () => {
  it.effect("runs only for a call that had to wait, with the permit in hand", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1 })
      const seen: Array<number> = []
      const afterWait = Effect.map(bulkhead.state(), ({ inFlight }) => {
        seen.push(inFlight)
      })
      const first = yield* start(bulkhead.withPermit(sleeping(10), { afterWait }))
      const second = yield* start(bulkhead.withPermit(sleeping(10), { afterWait }))
      assert.deepStrictEqual(seen, [])
      yield* TestClock.adjust(20)
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      assert.deepStrictEqual(seen, [1])
    }))

  it.effect("frees the permit at once when it fails, and the call is not run", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1 })
      const { begun, call } = makeRecorder()
      yield* start(bulkhead.withPermit(call("first")))
      const turnedBack = yield* start(
        Effect.flip(bulkhead.withPermit(call("never"), { afterWait: Effect.fail("closed") }))
      )
      const next = yield* start(bulkhead.withPermit(call("next")))
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(turnedBack), "closed")
      assert.deepStrictEqual(begun, ["first", "next"])
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(next), "next")
      assert.strictEqual((yield* bulkhead.state()).inFlight, 0)
    }))
})

describe("Bulkhead.withPermitStream", () => {
  it.effect("holds the permit until the stream has ended", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1, queue: 0 })
      const slow = Stream.fromEffectRepeat(Effect.sleep(10)).pipe(Stream.take(3))
      const running = yield* start(Stream.runDrain(bulkhead.withPermitStream(slow)))
      yield* TestClock.adjust(29)
      assert.strictEqual((yield* bulkhead.state()).inFlight, 1)
      assert.strictEqual((yield* Effect.flip(Stream.runDrain(bulkhead.withPermitStream(slow)))).reason, "queueFull")
      yield* TestClock.adjust(1)
      yield* Fiber.join(running)
      assert.strictEqual((yield* bulkhead.state()).inFlight, 0)
    }))

  it.effect("gives it back before a fallback behind the stream begins", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1, queue: 0 })
      const failing = Stream.concat(Stream.make(1), Stream.fail("broken"))
      const whole = failing.pipe(
        bulkhead.withPermitStream(),
        Stream.catch(() => bulkhead.withPermitStream(Stream.make(2)))
      )
      assert.deepStrictEqual(yield* Stream.runCollect(whole), [1, 2])
      const twice = bulkhead.withPermitStream(Stream.make(1)).pipe(
        Stream.concat(bulkhead.withPermitStream(Stream.make(2)))
      )
      assert.deepStrictEqual(yield* Stream.runCollect(twice), [1, 2])
    }))

  it.effect("gives it back when the consumer stops early, is interrupted, or the stream dies", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1, queue: 0 })
      const held = (stream: Stream.Stream<number>) => bulkhead.withPermitStream(stream)
      yield* held(Stream.range(1, 1000).pipe(Stream.rechunk(1))).pipe(Stream.take(2), Stream.runDrain)
      yield* Effect.exit(Stream.runDrain(held(Stream.die("bug"))))
      const running = yield* start(Stream.runDrain(held(Stream.never)))
      assert.strictEqual((yield* bulkhead.state()).inFlight, 1)
      yield* Fiber.interrupt(running)
      assert.deepStrictEqual(yield* bulkhead.state(), { permits: 1, inFlight: 0, queued: 0 })
    }))

  it.effect("gives it back after the stream's own finalizers", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1 })
      const during: Array<number> = []
      const stream = Stream.ensuring(
        Stream.make(1),
        Effect.map(bulkhead.state(), ({ inFlight }) => {
          during.push(inFlight)
        })
      )
      yield* Stream.runDrain(bulkhead.withPermitStream(stream))
      assert.deepStrictEqual(during, [1])
      assert.strictEqual((yield* bulkhead.state()).inFlight, 0)
    }))

  it.effect("waits in the queue, and is let go by an interruption", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1 })
      const gate = yield* Deferred.make<void>()
      const first = yield* start(bulkhead.withPermit(Deferred.await(gate)))
      const gone = yield* start(Stream.runDrain(bulkhead.withPermitStream(Stream.make(1))))
      const second = yield* start(Stream.runCollect(bulkhead.withPermitStream(Stream.make(2))))
      assert.strictEqual((yield* bulkhead.state()).queued, 2)
      yield* Fiber.interrupt(gone)
      assert.strictEqual((yield* bulkhead.state()).queued, 1)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(first)
      assert.deepStrictEqual(yield* Fiber.join(second), [2])
    }))
})

describe("Bulkhead and what is around it", () => {
  it.effect("tells of waits and rejections", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1, queue: 1, queueTimeout: "1 second" })
      const seen: Array<ResilienceEvent.ResilienceEvent> = []
      const heard = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
        ResilienceEvent.listen(effect, (event) => {
          seen.push(event)
        })
      yield* start(heard(bulkhead.withPermit(sleeping(70))))
      yield* start(heard(bulkhead.withPermit(Effect.never)))
      yield* Effect.exit(heard(bulkhead.withPermit(Effect.void)))
      yield* TestClock.adjust(70)
      yield* start(Effect.exit(heard(bulkhead.withPermit(Effect.void))))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seen, [
        { _tag: "ConcurrencyRejected", key: "default", reason: "queueFull" },
        { _tag: "ConcurrencyQueued", key: "default", wait: Duration.millis(70) },
        { _tag: "ConcurrencyRejected", key: "default", reason: "queueTimeout" }
      ])
    }))

  it.effect("a retry within a deadline comes back until there is room, at no cost of attempts", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1, queue: 0 })
      yield* start(bulkhead.withPermit(sleeping(60_000)))
      const patient = yield* start(
        bulkhead.withPermit(Effect.succeed("answer")).pipe(
          Retry.retry(RetrySchedule.standard({ attempts: 1 })),
          Deadline.withDeadline("5 minutes")
        )
      )
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* Fiber.join(patient), "answer")
    }))

  it.effect("a waiter leaves when its deadline passes", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ permits: 1 })
      yield* start(bulkhead.withPermit(Effect.never))
      const late = yield* start(Effect.flip(Deadline.withDeadline(bulkhead.withPermit(Effect.void), "3 seconds")))
      yield* TestClock.adjust("3 seconds")
      assert.instanceOf(yield* Fiber.join(late), Deadline.DeadlineExceededError)
      assert.strictEqual((yield* bulkhead.state()).queued, 0)
    }))
})

describe("Bulkhead.make", () => {
  it("refuses wrong options by name", () => {
    const refused = (options: Partial<Bulkhead.Options>, message: string) =>
      assert.throws(() => Bulkhead.make({ permits: 1, ...options, onRejected: undefined }), RangeError, message)
    refused({ permits: 0 }, `Bulkhead.make: option "permits" must be a whole number of at least 1, or Infinity, got 0`)
    refused({ permits: 1.5 }, `"permits"`)
    refused({ permits: Number.NaN }, `"permits"`)
    refused({ queue: -1 }, `option "queue" must be a whole number of at least 0, or Infinity, got -1`)
    refused({ queueTimeout: 0 }, `"queueTimeout"`)
    refused({ batchHandicap: Number.NaN }, `"batchHandicap"`)
    refused({ maxKeys: 0 }, `"maxKeys"`)
  })

  it("its error goes to JSON and back", () => {
    const codec = Schema.toCodecJson(Bulkhead.BulkheadFullError)
    const error = new Bulkhead.BulkheadFullError({
      key: "k",
      reason: "queueTimeout",
      permits: 3,
      inFlight: 3,
      queued: 9
    })
    const decoded = Schema.decodeSync(codec)(Schema.encodeSync(codec)(error))
    assert.instanceOf(decoded, Bulkhead.BulkheadFullError)
    assert.strictEqual(decoded.message, error.message)
  })
})
