import * as Coalesce from "@effect-claude/resilience/Coalesce"
import * as Deadline from "@effect-claude/resilience/Deadline"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"

/** Work that takes a second, and how often it was started, interrupted and cleaned up. */
const makeWork = <A, E = never>(result: Effect.Effect<A, E>) => {
  const seen = { started: 0, interrupted: 0, released: 0 }
  const effect = Effect.suspend(() => {
    seen.started += 1
    return Effect.delay(result, "1 second")
  }).pipe(
    Effect.onInterrupt(() => Effect.sync(() => seen.interrupted += 1)),
    Effect.ensuring(Effect.sync(() => seen.released += 1))
  )
  return { seen, effect }
}

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

class Tenant extends Context.Service<Tenant, string>()("Tenant") {}

describe("Coalesce.make", () => {
  it.effect("does the work once for a thousand callers", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.make<object>()
      const { effect, seen } = makeWork(Effect.sync(() => ({})))
      const fibers = yield* Effect.forEach(Array.from({ length: 1000 }), () => fork(coalesce.execute("k", effect)))
      assert.strictEqual(yield* coalesce.inFlight, 1)
      yield* TestClock.adjust("1 second")
      const values = yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(new Set(values).size, 1)
      assert.deepStrictEqual(seen, { started: 1, interrupted: 0, released: 1 })
      assert.strictEqual(yield* coalesce.inFlight, 0)
    }))

  it.effect("keeps keys apart, and starts anew once the work has ended", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.make<number>()
      let runs = 0
      const effect = Effect.sync(() => ++runs)
      assert.deepStrictEqual(
        [
          yield* coalesce.execute("a", effect),
          yield* coalesce.execute("b", effect),
          yield* coalesce.execute("a", effect)
        ],
        [1, 2, 3]
      )
      assert.strictEqual(yield* coalesce.inFlight, 0)
    }))

  it.effect("gives everybody the same failure, or defect", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.make<number, string>()
      for (const exit of [Exit.fail("busy"), Exit.die("bug")]) {
        const { effect, seen } = makeWork<number, string>(exit)
        const fibers = yield* Effect.forEach([1, 2, 3], () => fork(Effect.exit(coalesce.execute("k", effect))))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Effect.forEach(fibers, Fiber.join), [exit, exit, exit])
        assert.strictEqual(seen.started, 1)
      }
      assert.strictEqual(yield* coalesce.inFlight, 0)
    }))

  it.effect("lets the first caller leave without failing the others", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.make<string>()
      const { effect, seen } = makeWork(Effect.succeed("answer"))
      const first = yield* fork(coalesce.execute("k", effect))
      const second = yield* fork(coalesce.execute("k", effect))
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(yield* Fiber.join(second), "answer")
      assert.deepStrictEqual(seen, { started: 1, interrupted: 0, released: 1 })
    }))

  it.effect("lost cancellation: the work is interrupted when nobody waits, and the last caller sees it cleaned up", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.make<string>()
      const { effect, seen } = makeWork(Effect.succeed("answer"))
      const fibers = yield* Effect.forEach([1, 2, 3], () => fork(coalesce.execute("k", effect)))
      for (const fiber of fibers) {
        assert.strictEqual(seen.released, 0)
        yield* Fiber.interrupt(fiber)
      }
      assert.deepStrictEqual(seen, { started: 1, interrupted: 1, released: 1 })
      assert.strictEqual(yield* coalesce.inFlight, 0)
    }))

  it.effect("shares what two callers ask for from within work that they do not share", () =>
    Effect.gen(function*() {
      const [outer, inner] = [yield* Coalesce.make<string>(), yield* Coalesce.make<string>()]
      const { effect, seen } = makeWork(Effect.succeed("answer"))
      const fibers = yield* Effect.forEach(
        ["a", "b"],
        (key) => fork(outer.execute(key, inner.execute("k", effect)))
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Effect.forEach(fibers, Fiber.join), ["answer", "answer"])
      assert.strictEqual(seen.started, 1)
    }))

  it.effect("does not let a caller join work that is being given up", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.make<string>()
      const release = yield* Deferred.make<void>()
      const stubborn = Effect.onInterrupt(Effect.never, () => Deferred.await(release))
      const first = yield* fork(coalesce.execute("k", stubborn))
      const leaving = yield* fork(Fiber.interrupt(first))
      const { effect, seen } = makeWork(Effect.succeed("fresh"))
      const second = yield* fork(coalesce.execute("k", effect))
      assert.isUndefined(leaving.pollUnsafe())
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(leaving)
      // What has been given up at last does not take the newer work with it.
      const third = yield* fork(coalesce.execute("k", effect))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([yield* Fiber.join(second), yield* Fiber.join(third)], ["fresh", "fresh"])
      assert.strictEqual(seen.started, 1)
    }))

  it.effect("ends only the waiting of a caller whose deadline passes, and hides it from the work", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.make<boolean>()
      const { effect, seen } = makeWork(Effect.map(Deadline.remaining, Option.isNone))
      const hasty = yield* fork(
        coalesce.execute("k", effect).pipe(Deadline.withDeadline("100 millis"), Effect.flip)
      )
      const patient = yield* fork(coalesce.execute("k", effect))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(hasty))._tag, "DeadlineExceededError")
      assert.isTrue(yield* Fiber.join(patient))
      assert.strictEqual(seen.started, 1)
    }))

  it.effect("runs in the context of the caller that started it", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.make<string>()
      const ask = coalesce.execute("k", Effect.delay(Tenant, "1 second"))
      const first = yield* fork(Effect.provideService(ask, Tenant, "first"))
      const second = yield* fork(Effect.provideService(ask, Tenant, "second"))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(second)], ["first", "first"])
    }))

  it.effect("does not wait for itself", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.make<string>()
      const nested = coalesce.execute("k", Effect.andThen(Effect.yieldNow, coalesce.execute("k", Effect.succeed("in"))))
      assert.strictEqual(yield* nested, "in")
    }))

  it.effect("takes aboard a caller that the work itself wakes while it starts", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.make<number>()
      const started = yield* Deferred.make<void>()
      let runs = 0
      const effect = Effect.andThen(Deferred.succeed(started, undefined), Effect.delay(Effect.sync(() => ++runs), 10))
      const woken = yield* fork(Effect.andThen(Deferred.await(started), coalesce.execute("k", effect)))
      const first = yield* fork(coalesce.execute("k", effect))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(woken)], [1, 1])
    }))

  it.effect("tells who joined", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.make<void>()
      const heard: Array<string> = []
      const ask = (name: string) =>
        ResilienceEvent.listen(coalesce.execute("k", Effect.sleep("1 second")), ({ _tag }) =>
          heard.push(`${name}: ${_tag}`))
      const fibers = yield* Effect.forEach(["a", "b", "c"], (name) =>
        fork(ask(name)))
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(heard, ["b: Coalesced", "c: Coalesced"])
    }))

  // Each caller has its own key, start, patience; whoever stays to the end gets an answer to its own key.
  for (const seed of Array.from({ length: 100 }, (_, i) => `coalesce ${i}`)) {
    it.effect(`memory per key, random callers: nobody is failed by others and nothing is left (${seed})`, () =>
      Effect.gen(function*() {
        const coalesce = yield* Coalesce.make<string>()
        const running = new Map<string, number>()
        let most = 0
        const work = (key: string, millis: number) =>
          Effect.acquireUseRelease(
            Effect.sync(() => {
              running.set(key, (running.get(key) ?? 0) + 1)
              most = Math.max(most, running.get(key) ?? 0)
            }),
            () => Effect.as(Effect.sleep(millis), key),
            () => Effect.sync(() => running.set(key, (running.get(key) ?? 0) - 1))
          )
        const caller = Effect.gen(function*() {
          const key = `key ${yield* Random.nextIntBetween(0, 3)}`
          const takes = yield* Random.nextIntBetween(0, 50)
          const patience = yield* Random.nextIntBetween(1, 80)
          yield* Effect.sleep(yield* Random.nextIntBetween(0, 100))
          const answer = yield* Effect.timeoutOption(coalesce.execute(key, work(key, takes)), patience)
          return Option.getOrElse(answer, () => patience > 50 ? "failed" : key) === key
        })
        const fibers = yield* Effect.forEach(Array.from({ length: 8 }), () => fork(caller))
        yield* TestClock.adjust("1 second")
        assert.isTrue((yield* Effect.forEach(fibers, Fiber.join)).every((ok) => ok), seed)
        assert.isAtMost(most, 1, seed)
        assert.isTrue([...running.values()].every((count) => count === 0), seed)
        assert.strictEqual(yield* coalesce.inFlight, 0, seed)
      }).pipe(Random.withSeed(seed)))
  }
})

describe("Coalesce.makeStream", () => {
  const makeSource = (elements: ReadonlyArray<number>, end: Stream.Stream<number, string> = Stream.empty) => {
    const seen = { opened: 0, emitted: 0, released: 0 }
    const stream = Stream.unwrap(Effect.gen(function*() {
      seen.opened += 1
      yield* Effect.addFinalizer(() => Effect.sync(() => seen.released += 1))
      return Stream.concat(
        Stream.fromIterable(elements).pipe(
          Stream.rechunk(1),
          Stream.mapEffect((element) => Effect.as(Effect.sleep("1 second"), element)),
          Stream.tap(() => Effect.sync(() => seen.emitted += 1))
        ),
        end
      )
    }))
    return { seen, stream }
  }

  it.effect("gives whoever comes late what it has missed, and the rest as it comes", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.makeStream<number, string>()
      const { seen, stream } = makeSource([1, 2, 3, 4])
      const ask = coalesce.execute("k", stream)
      const first = yield* fork(Stream.runCollect(ask))
      yield* TestClock.adjust("2500 millis")
      const late: Array<number> = []
      const second = yield* fork(Stream.runForEach(ask, (element) => Effect.sync(() => late.push(element))))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(late, [1, 2])
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(second)
      assert.deepStrictEqual([late, yield* Fiber.join(first)], [[1, 2, 3, 4], [1, 2, 3, 4]])
      assert.deepStrictEqual(seen, { opened: 1, emitted: 4, released: 1 })
      assert.strictEqual(yield* coalesce.inFlight, 0)
    }))

  it.effect("gives everybody the same failure, after the same elements and after the clean-up", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.makeStream<number, string>()
      const { seen, stream } = makeSource([1, 2], Stream.fail("cut"))
      const watch = Effect.gen(function*() {
        const elements: Array<number> = []
        const error = yield* coalesce.execute("k", stream).pipe(
          Stream.runForEach((element) => Effect.sync(() => elements.push(element))),
          Effect.flip
        )
        return { elements, error, released: seen.released }
      })
      const fibers = yield* Effect.forEach([1, 2, 3], () => fork(watch))
      yield* TestClock.adjust("10 seconds")
      const expected = { elements: [1, 2], error: "cut", released: 1 }
      assert.deepStrictEqual(yield* Effect.forEach(fibers, Fiber.join), [expected, expected, expected])
      assert.strictEqual(seen.opened, 1)
    }))

  it.effect("goes on for the others when the first consumer leaves, and stops when all have", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.makeStream<number, string>()
      const { seen, stream } = makeSource([1, 2, 3])
      const ask = coalesce.execute("k", stream)
      const first = yield* fork(Stream.runDrain(ask))
      const second = yield* fork(Stream.runCollect(Stream.take(ask, 2)))
      yield* TestClock.adjust("1500 millis")
      yield* Fiber.interrupt(first)
      assert.strictEqual(seen.released, 0)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(second), [1, 2])
      assert.deepStrictEqual(seen, { opened: 1, emitted: 2, released: 1 })
      assert.strictEqual(yield* coalesce.inFlight, 0)
    }))

  it.effect("is held up by no slow consumer, which loses nothing", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.makeStream<number, string>()
      const { stream } = makeSource([1, 2, 3])
      const ask = coalesce.execute("k", stream)
      const gate = yield* Deferred.make<void>()
      const slow = yield* fork(Stream.runCollect(Stream.tap(ask, () => Deferred.await(gate))))
      const fast = yield* fork(Stream.runCollect(ask))
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(yield* Fiber.join(fast), [1, 2, 3])
      assert.isUndefined(slow.pollUnsafe())
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* Fiber.join(slow), [1, 2, 3])
    }))

  it.effect("pulls nothing ahead of what somebody asks for", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.makeStream<number>()
      let pulled = 0
      const source = Stream.fromEffectRepeat(Effect.sync(() => ++pulled))
      yield* Stream.runForEach(
        Stream.take(coalesce.execute("k", source), 5),
        (element) => Effect.sync(() => assert.strictEqual(pulled, element))
      )
      assert.strictEqual(pulled, 5)
    }))

  it.effect("pulls nothing ahead for several who ask for the same", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.makeStream<number>()
      let pulled = 0
      const source = Stream.fromEffectRepeat(Effect.suspend(() => Effect.as(Effect.sleep("1 second"), ++pulled)))
      const gate = yield* Deferred.make<void>()
      const ask = coalesce.execute("k", source)
      const fibers = yield* Effect.forEach([1, 2, 3], () =>
        fork(Stream.runDrain(Stream.tap(ask, () => Deferred.await(gate)))))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(pulled, 1)
      yield* Effect.forEach(fibers, Fiber.interrupt)
    }))

  it.effect("does not let a caller join once there is too much to replay, and keeps those who have", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.makeStream<number, string>({ replay: 1 })
      const { seen, stream } = makeSource([1, 2, 3])
      const ask = coalesce.execute("k", stream)
      const first = yield* fork(Stream.runCollect(ask))
      yield* TestClock.adjust("1 second")
      const second = yield* fork(Stream.runCollect(ask))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* coalesce.inFlight, 0)
      const third = yield* fork(Stream.runCollect(ask))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* Effect.forEach([first, second, third], Fiber.join), [[1, 2, 3], [1, 2, 3], [
        1,
        2,
        3
      ]])
      assert.deepStrictEqual([seen.opened, seen.released], [2, 2])
    }))

  it.effect("runs anew each time the stream is run, and releases before the consumer goes on", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.makeStream<number, string>()
      const { seen, stream } = makeSource([])
      const ask = coalesce.execute("k", stream)
      assert.strictEqual(seen.opened, 0)
      yield* Stream.runDrain(ask)
      assert.deepStrictEqual(seen, { opened: 1, emitted: 0, released: 1 })
      yield* Stream.runDrain(ask)
      assert.strictEqual(seen.opened, 2)
    }))

  it.effect("ends only the waiting of a consumer whose deadline passes", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.makeStream<number, string>()
      const { seen, stream } = makeSource([1, 2, 3])
      const ask = coalesce.execute("k", stream)
      const hasty = yield* fork(Effect.flip(Stream.runDrain(Deadline.streamWithDeadline(ask, "1500 millis"))))
      const patient = yield* fork(Stream.runCollect(ask))
      yield* TestClock.adjust("3 seconds")
      const error = yield* Fiber.join(hasty)
      assert.isTrue(typeof error === "object" && error._tag === "DeadlineExceededError")
      assert.deepStrictEqual(yield* Fiber.join(patient), [1, 2, 3])
      assert.strictEqual(seen.opened, 1)
    }))

  it.effect("leaves no consumer waiting, whatever comes in between: 300 random runs", () =>
    Effect.gen(function*() {
      for (let run = 0; run < 300; run++) {
        const coalesce = yield* Coalesce.makeStream<number>({ replay: yield* Random.nextIntBetween(0, 12) })
        const queue = yield* Queue.unbounded<number>()
        let opened = 0
        const source = Stream.suspend(() => {
          opened += 1
          return Stream.range(1, 8).pipe(Stream.rechunk(2), Stream.mapEffect((n) => Effect.as(Effect.yieldNow, n)))
        })
        const consumer = Effect.gen(function*() {
          const yields = yield* Random.nextIntBetween(0, 6)
          const takes = yield* Random.nextIntBetween(1, 12)
          for (let i = yield* Random.nextIntBetween(0, 20); i > 0; i--) yield* Effect.yieldNow
          const elements = yield* coalesce.execute("k", source).pipe(
            Stream.take(takes),
            Stream.tap(() => Effect.forEach(Array.from({ length: yields }), () => Effect.yieldNow, { discard: true })),
            Stream.runCollect
          )
          assert.deepStrictEqual(elements, [1, 2, 3, 4, 5, 6, 7, 8].slice(0, takes), `run ${run}`)
          yield* Queue.offer(queue, elements.length)
        })
        yield* Effect.forEach(Array.from({ length: 6 }), () => consumer, { concurrency: "unbounded", discard: true })
        assert.isAtMost(opened, 6)
        assert.strictEqual(yield* coalesce.inFlight, 0, `run ${run}`)
        assert.strictEqual(yield* Queue.size(queue), 6)
      }
    }).pipe(Random.withSeed("coalesced streams")))

  it.live(
    "a fiber that yields at any step neither waits for ever nor misses what came meanwhile",
    () =>
      Effect.gen(function*() {
        const source = Stream.rechunk(Stream.make(1, 2, 3), 1)
        for (let operations = 10; operations < 60; operations++) {
          for (const replay of [1, 100]) {
            const coalesce = yield* Coalesce.makeStream<number>({ replay })
            const listen = Effect.provideService(
              Stream.runCollect(coalesce.execute("k", source)),
              References.MaxOpsBeforeYield,
              operations
            )
            const all = yield* Effect.all([listen, listen, Effect.andThen(Effect.yieldNow, listen)], {
              concurrency: "unbounded"
            }).pipe(Effect.timeoutOption("500 millis"))
            assert.deepStrictEqual(
              Option.getOrUndefined(all),
              [[1, 2, 3], [1, 2, 3], [1, 2, 3]],
              `${operations} at a time`
            )
          }
        }
      }),
    60_000
  )

  it("refuses a replay that is no number of elements", () => {
    assert.throws(() => Coalesce.makeStream({ replay: -1 }), RangeError, `Coalesce.makeStream: option "replay"`)
  })
})
