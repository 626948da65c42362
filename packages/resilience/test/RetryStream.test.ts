import * as Attempt from "@effect-claude/resilience/Attempt"
import * as Retry from "@effect-claude/resilience/Retry"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"

type Element = "start" | "ping" | `text ${string}` | "stop"

const commits = {
  isContent: (element: Element) => element.startsWith("text"),
  isTransparent: (element: Element) => element === "ping"
}

const emit = (...elements: ReadonlyArray<Element>) => Stream.fromIterable(elements)
const cut = (elements: ReadonlyArray<Element>, error = "cut") => Stream.concat(emit(...elements), Stream.fail(error))

/** A stream that runs each of the given streams in turn, the last one for ever, and counts its runs. */
const attempts = (...streams: ReadonlyArray<Stream.Stream<Element, string>>) => {
  const runs: Array<number> = []
  const stream = Stream.unwrap(Effect.map(Attempt.CurrentAttempt, (attempt) => {
    runs.push(attempt)
    return streams[Math.min(runs.length, streams.length) - 1] ?? Stream.empty
  }))
  return { runs, stream }
}

/** What the consumer sees, in order: elements, then how it ended. */
const observe = <E>(stream: Stream.Stream<Element, E>) =>
  Effect.gen(function*() {
    const seen: Array<Element> = []
    const exit = yield* Effect.exit(Stream.runForEach(stream, (element) => Effect.sync(() => seen.push(element))))
    return { seen, exit }
  })

const schedule = Schedule.recurs(2)

describe("Retry.retryStream", () => {
  it.effect("retries before content; the consumer sees one preamble", () =>
    Effect.gen(function*() {
      const { runs, stream } = attempts(cut(["start"]), cut([]), emit("start", "text a", "stop"))
      const { exit, seen } = yield* observe(Retry.retryStream(stream, { schedule, ...commits }))
      assert.deepStrictEqual(seen, ["start", "text a", "stop"])
      assert.deepStrictEqual(exit, Exit.void)
      assert.deepStrictEqual(runs, [1, 2, 3])
    }))

  it.effect("passes a failure after content through, without asking the schedule", () =>
    Effect.gen(function*() {
      let asked = 0
      const counting = schedule.pipe(Schedule.tap(() => Effect.sync(() => asked++)))
      const { runs, stream } = attempts(cut(["start", "text a"], "late"))
      const { exit, seen } = yield* observe(Retry.retryStream(stream, { schedule: counting, ...commits }))
      assert.deepStrictEqual([seen, exit, runs, asked], [["start", "text a"], Exit.fail("late"), [1], 0])
    }))

  it.effect("lets pings through at once, and they commit nothing", () =>
    Effect.gen(function*() {
      const { stream } = attempts(cut(["start", "ping", "ping"]), emit("start", "ping", "text a"))
      const { seen } = yield* observe(Retry.retryStream(stream, { schedule, ...commits }))
      assert.deepStrictEqual(seen, ["ping", "ping", "ping", "start", "text a"])
    }))

  it.effect("works whatever the chunks", () =>
    Effect.gen(function*() {
      for (const size of [1, 2, 3, 10]) {
        const { stream } = attempts(cut(["start", "ping"]), emit("start", "ping", "text a", "start", "text b", "stop"))
        const { seen } = yield* observe(Retry.retryStream(Stream.rechunk(stream, size), { schedule, ...commits }))
        assert.deepStrictEqual(seen.filter((element) => element !== "ping"), [
          "start",
          "text a",
          "start",
          "text b",
          "stop"
        ])
      }
    }))

  it.effect("takes chunks of any size, and holds back any number of elements", () =>
    Effect.gen(function*() {
      const size = 300_000
      const rows = Array.from({ length: size }, (_, index) => index)
      for (const firstContent of [0, size - 1]) {
        const stream = Retry.retryStream(Stream.fromArray(rows), {
          schedule: Schedule.recurs(1),
          isContent: (row: number) => row >= firstContent
        })
        assert.deepStrictEqual(yield* Stream.runCollect(stream), rows)
      }
    }))

  it.effect("releases what it held when a stream ends without content", () =>
    Effect.gen(function*() {
      const held = yield* observe(Retry.retryStream(emit("start", "stop"), { schedule, ...commits }))
      assert.deepStrictEqual([held.seen, held.exit], [["start", "stop"], Exit.void])
      const empty = yield* observe(Retry.retryStream(emit(), { schedule, ...commits }))
      assert.deepStrictEqual([empty.seen, empty.exit], [[], Exit.void])
      const followed = yield* observe(Stream.concat(
        Retry.retryStream(emit("start"), { schedule, ...commits }),
        emit("stop")
      ))
      assert.deepStrictEqual(followed.seen, ["start", "stop"])
    }))

  it.effect("does not pull a stream again after its end", () =>
    Effect.gen(function*() {
      let pulls = 0
      const once = Stream.fromPull(Effect.succeed(Effect.suspend(() => {
        pulls += 1
        return pulls === 1 ? Effect.succeed(Arr.of<Element>("start")) : Cause.done()
      })))
      const { seen } = yield* observe(Retry.retryStream(once, { schedule, ...commits }))
      assert.deepStrictEqual([seen, pulls], [["start"], 2])
    }))

  it.effect("gives up with the last failure and drops what it held", () =>
    Effect.gen(function*() {
      const { runs, stream } = attempts(cut(["start"], "one"), cut(["start"], "two"), cut(["start"], "three"))
      const { exit, seen } = yield* observe(Retry.retryStream(stream, { schedule, ...commits }))
      assert.deepStrictEqual([seen, exit, runs], [[], Exit.fail("three"), [1, 2, 3]])
    }))

  it.effect("keeps the schedule's state over elements, and starts it afresh with each run", () =>
    Effect.gen(function*() {
      const { runs, stream } = attempts(cut(["ping"]))
      const retried = Retry.retryStream(stream, { schedule, ...commits })
      yield* observe(retried)
      assert.deepStrictEqual(runs, [1, 2, 3])
      yield* observe(retried)
      assert.deepStrictEqual(runs, [1, 2, 3, 1, 2, 3])
    }))

  it.effect("does not retry a defect", () =>
    Effect.gen(function*() {
      const { runs, stream } = attempts(Stream.die("bug"))
      const { exit } = yield* observe(Retry.retryStream(stream, { schedule, ...commits }))
      assert.deepStrictEqual([exit, runs], [Exit.die("bug"), [1]])
    }))

  it.effect("closes a failed attempt before it waits, and opens the next after", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const note = (what: string) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          log.push(`${now} ${what}`)
        })
      const resource = Stream.scoped(Stream.fromEffect(
        Effect.acquireRelease(note("open"), () => note("close"))
      ))
      const failing = Stream.flatMap(resource, () => Stream.fail("cut"))
      const both = attempts(failing, Stream.flatMap(resource, () => emit("text a")))
      const standard = RetrySchedule.standard({
        jitter: "none",
        classify: (error: string) => error === "cut" ? Verdict.retry("connection") : Verdict.stop
      })
      const fiber = yield* Effect.forkChild(observe(Retry.retryStream(both.stream, { schedule: standard, ...commits })))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(log, ["0 open", "0 close", "500 open", "500 close"])
    }))

  it.effect("closes the attempt when the consumer is interrupted or has enough", () =>
    Effect.gen(function*() {
      let open = 0
      const resource = Stream.scoped(Stream.fromEffect(Effect.acquireRelease(
        Effect.sync(() => open++),
        () => Effect.sync(() => open--)
      )))
      const stream = Stream.flatMap(resource, () => Stream.concat(emit("start", "text a"), Stream.never))
      const retried = Retry.retryStream(stream, { schedule, ...commits })

      yield* Stream.runDrain(Stream.take(retried, 1))
      assert.strictEqual(open, 0)

      const fiber = yield* Effect.forkChild(Stream.runDrain(retried))
      yield* TestClock.adjust(1)
      assert.strictEqual(open, 1)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(open, 0)

      const silent = Retry.retryStream(Stream.flatMap(resource, () => Stream.never), { schedule, ...commits })
      const waiting = yield* Effect.forkChild(Stream.runDrain(silent))
      yield* TestClock.adjust(1)
      assert.strictEqual(open, 1)
      yield* Fiber.interrupt(waiting)
      assert.strictEqual(open, 0)
    }))

  it.effect("pulls nothing ahead of the consumer once content flows", () =>
    Effect.gen(function*() {
      const pulled: Array<number> = []
      const numbers = Stream.range(1, 100).pipe(
        Stream.rechunk(1),
        Stream.tap((n) => Effect.sync(() => pulled.push(n)))
      )
      const retried = Retry.retryStream(numbers, { schedule, isContent: (n) => n >= 3 })
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(retried, 5)), [1, 2, 3, 4, 5])
      assert.deepStrictEqual(pulled, [1, 2, 3, 4, 5])
    }))

  it.effect("works data last", () =>
    Effect.gen(function*() {
      const { stream } = attempts(cut(["start"]), emit("text a"))
      const { seen } = yield* observe(stream.pipe(Retry.retryStream({ schedule, ...commits })))
      assert.deepStrictEqual(seen, ["text a"])
    }))
})
