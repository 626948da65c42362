import * as CacheStore from "@effect-claude/resilience/CacheStore"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as StaleCache from "@effect-claude/resilience/StaleCache"
import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { countSleeps } from "./SleepCounter.ts"

type Failure = "busy" | "bad request"

const shouldServeStale = (error: Failure) => error === "busy"
const busy = Effect.fail("busy" as const)

/** What a store is asked, and what it answers: nothing at all, by default for ever. */
const brokenStore = (answer: Effect.Effect<never, CacheStore.CacheStoreError> = Effect.never) => {
  const seen = { asked: 0, interrupted: 0 }
  const operation = Effect.suspend(() => {
    seen.asked += 1
    return Effect.onInterrupt(answer, () => Effect.sync(() => seen.interrupted += 1))
  })
  const store: CacheStore.CacheStore<number> = {
    get: () => operation,
    set: () => operation,
    remove: () => operation,
    clear: operation
  }
  return { seen, store }
}

const listening = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const heard: Array<ResilienceEvent.ResilienceEvent> = []
  return Effect.map(
    Effect.exit(ResilienceEvent.listen(effect, (event) => heard.push(event))),
    (exit) => ({ exit, heard })
  )
}

const capturing = () => {
  const lines: Array<unknown> = []
  return { lines, layer: Logger.layer([Logger.make(({ logLevel, message }) => lines.push([logLevel, message]))]) }
}

describe("StaleCache.serve", () => {
  it.effect("stands in for a failure with the last good value, and says how old it is", () =>
    Effect.gen(function*() {
      const cache = yield* StaleCache.make<number, Failure>({ shouldServeStale })
      assert.deepStrictEqual(yield* cache.serve("k", Effect.succeed(1)), { _tag: "Live", value: 1 })
      assert.deepStrictEqual(yield* cache.serve("k", Effect.succeed(2)), { _tag: "Live", value: 2 })
      yield* TestClock.adjust("90 seconds")
      const age = Duration.seconds(90)
      assert.deepStrictEqual(yield* cache.serve("k", busy), { _tag: "Stale", value: 2, age, error: "busy" })
      assert.strictEqual(yield* cache.execute("k", busy), 2)
      assert.deepStrictEqual(yield* Effect.exit(cache.execute("other", busy)), Exit.fail("busy" as const))
    }))

  it.effect("stands in for no other failure, no defect and no interruption", () =>
    Effect.gen(function*() {
      const cache = yield* StaleCache.make<number, Failure>({ shouldServeStale })
      yield* cache.execute("k", Effect.succeed(1))
      const bad = Effect.fail("bad request" as const)
      assert.deepStrictEqual(yield* Effect.exit(cache.execute("k", bad)), Exit.fail("bad request" as const))
      assert.deepStrictEqual(yield* Effect.exit(cache.execute("k", Effect.die("bug"))), Exit.die("bug"))
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(cache.execute("k", Effect.interrupt))))
    }))

  it.effect("never serves a value as old as staleFor, and forgets it", () =>
    Effect.gen(function*() {
      const store = CacheStore.memory<number>()
      const cache = yield* StaleCache.make<number, Failure>({ shouldServeStale, staleFor: "1 minute", store })
      yield* cache.execute("k", Effect.succeed(1))
      yield* TestClock.adjust("59999 millis")
      assert.strictEqual(yield* cache.execute("k", busy), 1)
      assert.strictEqual(Option.map(yield* cache.lookup("k"), ({ value }) => value).pipe(Option.getOrUndefined), 1)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Effect.exit(cache.execute("k", busy)), Exit.fail("busy" as const))
      assert.isUndefined(yield* store.get("k"))
    }))

  it.effect("serves a fresh value without doing the work, and does it when it is old", () =>
    Effect.gen(function*() {
      const cache = yield* StaleCache.make<number, Failure>({
        shouldServeStale,
        freshFor: "1 minute",
        staleFor: "1 hour"
      })
      let runs = 0
      const work = Effect.sync(() => ++runs)
      yield* cache.serve("k", work)
      yield* TestClock.adjust("59 seconds")
      assert.deepStrictEqual(yield* cache.serve("k", work), { _tag: "Fresh", value: 1, age: Duration.seconds(59) })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* cache.serve("k", work), { _tag: "Live", value: 2 })
      yield* TestClock.adjust("59 minutes")
      assert.strictEqual((yield* cache.serve("k", busy))._tag, "Stale")
    }))

  it.effect("stands in for nothing with staleFor at zero, though the value is fresh for later calls", () =>
    Effect.gen(function*() {
      const cache = yield* StaleCache.make<number, Failure>({ shouldServeStale, freshFor: "1 minute", staleFor: 0 })
      yield* cache.execute("k", Effect.succeed(1))
      assert.strictEqual(yield* cache.execute("k", busy), 1)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Effect.exit(cache.execute("k", busy)), Exit.fail("busy" as const))
    }))

  it.effect("never stores a failure, and keeps the older value when the newer is not worth it", () =>
    Effect.gen(function*() {
      const cache = yield* StaleCache.make<number, Failure>({
        shouldServeStale,
        freshFor: "1 minute",
        shouldStore: (value) => value > 0
      })
      yield* Effect.exit(cache.execute("k", busy))
      assert.isTrue(Option.isNone(yield* cache.lookup("k")))
      yield* cache.execute("k", Effect.succeed(7))
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* cache.execute("k", Effect.succeed(-1)), -1)
      assert.strictEqual(yield* cache.execute("k", busy), 7)
    }))

  it.effect("tells what it did", () =>
    Effect.gen(function*() {
      const cache = yield* StaleCache.make<number, Failure>({ shouldServeStale, freshFor: "1 minute" })
      const age = Duration.minutes(2)
      assert.deepStrictEqual((yield* listening(cache.execute("k", busy))).heard, [
        { _tag: "CacheMissed" },
        { _tag: "CacheMissed" }
      ])
      assert.deepStrictEqual((yield* listening(cache.execute("k", Effect.succeed(1)))).heard, [
        { _tag: "CacheMissed" },
        { _tag: "CacheStored" }
      ])
      assert.deepStrictEqual((yield* listening(cache.execute("k", busy))).heard, [
        { _tag: "CacheHit", age: Duration.zero, stale: false }
      ])
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual((yield* listening(cache.execute("k", busy))).heard, [
        { _tag: "CacheMissed" },
        { _tag: "CacheHit", age, stale: true }
      ])
    }))

  it.effect("forgets one value, or all", () =>
    Effect.gen(function*() {
      const cache = yield* StaleCache.make<number, Failure>({ shouldServeStale })
      const known = Effect.map(Effect.all(["a", "b", "c"].map(cache.lookup)), (hits) => hits.map(Option.isSome))
      for (const key of ["a", "b", "c"]) yield* cache.execute(key, Effect.succeed(1))
      yield* cache.remove("a")
      assert.deepStrictEqual(yield* known, [false, true, true])
      yield* cache.clear
      assert.deepStrictEqual(yield* known, [false, false, false])
    }))

  it.effect("clock skew: a value from the future counts as new", () =>
    Effect.gen(function*() {
      const store = CacheStore.memory<number>()
      const cache = yield* StaleCache.make<number, Failure>({ shouldServeStale, staleFor: "1 minute", store })
      yield* store.set("k", { value: 1, storedAt: 3_600_000 }, Duration.hours(1))
      assert.deepStrictEqual(yield* cache.serve("k", busy), {
        _tag: "Stale",
        value: 1,
        age: Duration.zero,
        error: "busy"
      })
    }))

  it("refuses wrong options", () => {
    const make = (options: Omit<StaleCache.Options<number, Failure>, "shouldServeStale">) => () =>
      StaleCache.make<number, Failure>({ shouldServeStale, ...options })
    assert.throws(make({ staleFor: -1 }), RangeError, `StaleCache.make: option "staleFor"`)
    assert.throws(make({ freshFor: Number.NaN }), RangeError, `StaleCache.make: option "freshFor"`)
    assert.throws(make({ storeTimeout: 0 }), RangeError, `StaleCache.make: option "storeTimeout"`)
    assert.throws(make({ staleFor: 0 }), RangeError, `"staleFor" or "freshFor"`)
  })
})

describe("StaleCache over a store that fails", () => {
  const cause = Object.assign(new Error("INSERT failed for value 'secret answer'"), { name: "SqlError" })
  const refusing = Effect.fail(new CacheStore.CacheStoreError({ operation: "write", cause }))
  const options = { shouldServeStale, freshFor: "1 minute" } as const

  it.effect("fails no call, tells of it without its message, and logs it once until it works again", () => {
    const { layer, lines } = capturing()
    return Effect.gen(function*() {
      const { store } = brokenStore(refusing)
      const memory = CacheStore.memory<number>()
      let isUp = false
      const flaky: CacheStore.CacheStore<number> = {
        ...store,
        get: (key) => isUp ? memory.get(key) : store.get(key),
        set: (...entry) => isUp ? memory.set(...entry) : store.set(...entry)
      }
      const cache = yield* StaleCache.make<number, Failure>({ ...options, store: flaky })
      const { exit, heard } = yield* listening(cache.execute("k", Effect.succeed(1)))
      assert.deepStrictEqual(exit, Exit.succeed(1))
      const error = "SqlError"
      assert.deepStrictEqual(heard, [
        { _tag: "CacheFailed", operation: "read", error },
        { _tag: "CacheMissed" },
        { _tag: "CacheFailed", operation: "write", error }
      ])
      assert.deepStrictEqual(yield* Effect.exit(cache.execute("k", busy)), Exit.fail("busy" as const))
      assert.deepStrictEqual(lines, [
        ["Warn", ["The cache store failed; calls go on without it", { operation: "read", error }]]
      ])
      isUp = true
      yield* cache.execute("k", Effect.succeed(2))
      assert.strictEqual(yield* cache.execute("k", busy), 2)
      isUp = false
      yield* cache.execute("k", Effect.succeed(3))
      assert.strictEqual(lines.length, 2)
      assert.notInclude(JSON.stringify([lines, heard]), "secret answer")
    }).pipe(Effect.provide(layer))
  })

  it.effect("names what went wrong, and what caused it", () =>
    Effect.gen(function*() {
      class Gone extends Data.TaggedError("Gone")<{ readonly cause?: unknown }> {
        override readonly name = "a name of another library"
      }
      const chain = [1, 2, 3, 4, 5, 6].reduce<unknown>((cause) => new Error("secret", { cause }), undefined)
      const failures: ReadonlyArray<readonly [unknown, string]> = [
        [new CacheStore.CacheStoreError({ operation: "read" }), "CacheStoreError"],
        [new CacheStore.CacheStoreError({ operation: "read", cause: new Gone({}) }), "Gone"],
        [
          new CacheStore.CacheStoreError({ operation: "read", cause: new Gone({ cause: new TypeError("x") }) }),
          "Gone < TypeError"
        ],
        [new CacheStore.CacheStoreError({ operation: "read", cause: "secret" }), "unknown"],
        [chain, "Error < Error < Error < Error"]
      ]
      for (const [failure, error] of failures) {
        const { store } = brokenStore(
          failure instanceof CacheStore.CacheStoreError ? Effect.fail(failure) : Effect.die(failure)
        )
        const cache = yield* StaleCache.make<number, Failure>({ ...options, store })
        const { heard } = yield* listening(cache.execute("k", Effect.succeed(1)))
        assert.deepInclude(heard, { _tag: "CacheFailed", operation: "read", error })
      }
    }).pipe(Effect.provide(Logger.layer([]))))

  it.effect("arms no timer for a store that answers at once, and takes the answer of one that does not", () =>
    countSleeps((sleeps) =>
      Effect.gen(function*() {
        const cache = yield* StaleCache.make<number, Failure>({ ...options, store: CacheStore.memory() })
        yield* cache.execute("k", Effect.succeed(1))
        assert.strictEqual(yield* cache.execute("k", busy), 1)
        assert.strictEqual(sleeps.started(), 0)

        const memory = CacheStore.memory<number>()
        const slow: CacheStore.CacheStore<number> = {
          ...memory,
          get: (key) => Effect.andThen(Effect.yieldNow, memory.get(key)),
          set: (...entry) => Effect.andThen(Effect.yieldNow, memory.set(...entry))
        }
        const later = yield* StaleCache.make<number, Failure>({ ...options, store: slow })
        yield* later.execute("k", Effect.succeed(2))
        assert.strictEqual(yield* later.execute("k", busy), 2)
        assert.strictEqual(sleeps.active(), 0)
      })
    ))

  it.effect("waits no longer than storeTimeout, and then leaves the store alone for 5 seconds", () =>
    Effect.gen(function*() {
      const { seen, store } = brokenStore()
      const cache = yield* StaleCache.make<number, Failure>({ ...options, store })
      const fiber = yield* Effect.forkChild(cache.execute("k", Effect.succeed(1)), { startImmediately: true })
      yield* TestClock.adjust("249 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(fiber), 1)
      assert.deepStrictEqual(seen, { asked: 1, interrupted: 1 })
      yield* cache.execute("k", Effect.succeed(1))
      assert.strictEqual(seen.asked, 1)
      yield* TestClock.adjust("5 seconds")
      const later = yield* Effect.forkChild(cache.execute("k", Effect.succeed(1)))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(later)
      assert.strictEqual(seen.asked, 2)
    }).pipe(Effect.provide(Logger.layer([]))))

  it.effect("is not held up by a store that cannot be interrupted either", () =>
    Effect.gen(function*() {
      const { store } = brokenStore(Effect.uninterruptible(Effect.never))
      const cache = yield* StaleCache.make<number, Failure>({ ...options, store })
      const fiber = yield* Effect.forkChild(cache.execute("k", Effect.succeed(1)))
      yield* TestClock.adjust("250 millis")
      assert.strictEqual(yield* Fiber.join(fiber), 1)
    }).pipe(Effect.provide(Logger.layer([]))))

  it.effect("lets go of the store when the call is interrupted", () =>
    Effect.gen(function*() {
      const { seen, store } = brokenStore()
      const cache = yield* StaleCache.make<number, Failure>({ ...options, store })
      const fiber = yield* Effect.forkChild(cache.execute("k", Effect.succeed(1)), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(seen, { asked: 1, interrupted: 1 })
    }))

  it.effect("survives a store that throws", () =>
    Effect.gen(function*() {
      const throwing = (): never => {
        throw new Error("not implemented")
      }
      const store = { get: throwing, set: throwing, remove: throwing, clear: Effect.void }
      const cache = yield* StaleCache.make<number, Failure>({ ...options, store })
      assert.strictEqual(yield* cache.execute("k", Effect.succeed(1)), 1)
    }).pipe(Effect.provide(Logger.layer([]))))

  it.effect("says so when it cannot forget", () =>
    Effect.gen(function*() {
      const cache = yield* StaleCache.make<number, Failure>({ ...options, store: brokenStore(refusing).store })
      assert.strictEqual((yield* Effect.flip(cache.remove("k")))._tag, "CacheStoreError")
      assert.strictEqual((yield* Effect.flip(cache.clear))._tag, "CacheStoreError")
    }))
})

describe("StaleCache.serveStream", () => {
  const options: StaleCache.StreamOptions<string, string, Failure> = {
    collect: () => {
      const words: Array<string> = []
      return {
        add: (word) => words.push(word),
        value: () => words.includes("stop") ? words.filter((word) => word !== "ping").join(" ") : undefined
      }
    },
    replay: ({ _tag, value }) => [_tag, ...value.split(" ")],
    isContent: (word) => word !== "start" && word !== "ping",
    isTransparent: (word) => word === "ping"
  }
  const cut = (error: Failure, ...words: ReadonlyArray<string>) =>
    Stream.concat(Stream.fromIterable(words), Stream.fail(error))
  const whole = Stream.make("start", "ping", "text", "stop")

  const makeRun = (cacheOptions: Partial<StaleCache.Options<string, Failure>> = {}) =>
    Effect.map(StaleCache.make<string, Failure>({ shouldServeStale, ...cacheOptions }), (cache) => ({
      cache,
      run: (stream: Stream.Stream<string, Failure>) =>
        Effect.gen(function*() {
          const seen: Array<string> = []
          const exit = yield* Effect.exit(
            Stream.runForEach(cache.serveStream("k", stream, options), (word) => Effect.sync(() => seen.push(word)))
          )
          return [seen.join(" "), Exit.isSuccess(exit) ? "end" : "failed"]
        })
    }))

  it.effect("replays what was stored for a stream that fails before content, and nothing of the one that failed", () =>
    Effect.gen(function*() {
      const { run } = yield* makeRun()
      assert.deepStrictEqual(yield* run(whole), ["ping start text stop", "end"])
      assert.deepStrictEqual(yield* run(cut("busy", "start", "ping")), ["ping Stale start text stop", "end"])
    }))

  it.effect("fallback duplicated mid-stream: a failure after content passes through", () =>
    Effect.gen(function*() {
      const { run } = yield* makeRun()
      yield* run(whole)
      assert.deepStrictEqual(yield* run(cut("busy", "start", "text")), ["start text", "failed"])
      assert.deepStrictEqual(yield* run(cut("bad request", "start")), ["", "failed"])
    }))

  it.effect("stores no stream that failed, that was dropped, or that makes no value", () =>
    Effect.gen(function*() {
      const { cache, run } = yield* makeRun()
      yield* run(cut("busy", "start", "text", "stop"))
      yield* Stream.runDrain(Stream.take(cache.serveStream("k", whole, options), 3))
      yield* run(Stream.make("start", "text"))
      assert.isTrue(Option.isNone(yield* cache.lookup("k")))
    }))

  it.effect("stores a stream once, whose consumer leaves at its last element or reads to the end", () =>
    Effect.gen(function*() {
      const tags: Array<string> = []
      const { cache } = yield* makeRun()
      const elements = cache.serveStream("k", whole, { ...options, isLast: (word) => word === "stop" })
      const both = Effect.andThen(
        Stream.runDrain(Stream.takeUntil(elements, (word) => word === "stop")),
        () => Stream.runDrain(elements)
      )
      yield* ResilienceEvent.listen(both, ({ _tag }) => {
        tags.push(_tag)
      })
      assert.deepStrictEqual(tags, ["CacheStored", "CacheStored"])
      assert.strictEqual(yield* cache.execute("k", busy), "start text stop")
    }))

  it.effect("replays a fresh value without opening the stream, and shares it with effects", () =>
    Effect.gen(function*() {
      const { cache, run } = yield* makeRun({ freshFor: "1 minute" })
      yield* cache.execute("k", Effect.succeed("start said stop"))
      assert.deepStrictEqual(yield* run(Stream.die("opened")), ["Fresh start said stop", "end"])
      yield* TestClock.adjust("1 minute")
      yield* run(whole)
      assert.strictEqual(yield* cache.execute("k", busy), "start text stop")
    }))

  it.effect("ends in time though the store hangs", () =>
    Effect.gen(function*() {
      const store: CacheStore.CacheStore<string> = {
        get: () => Effect.never,
        set: () => Effect.never,
        remove: () => Effect.never,
        clear: Effect.never
      }
      const { run } = yield* makeRun({ store, freshFor: "1 minute" })
      const fiber = yield* Effect.forkChild(run(whole))
      yield* TestClock.adjust("250 millis")
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["ping start text stop", "end"])
    }).pipe(Effect.provide(Logger.layer([]))))
})
