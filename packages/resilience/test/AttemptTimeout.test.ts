import * as AttemptTimeout from "@effect-claude/resilience/AttemptTimeout"
import * as Retry from "@effect-claude/resilience/Retry"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { countSleeps } from "./SleepCounter.ts"

const timedOut = (phase: AttemptTimeout.Phase, limit: Duration.Input) =>
  Exit.fail(new AttemptTimeout.AttemptTimeoutError({ phase, limit: Duration.fromInputUnsafe(limit) }))

const timed = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const begin = yield* Clock.currentTimeMillis
    const fiber = yield* Effect.forkChild(
      Effect.flatMap(Effect.exit(effect), (exit) =>
        Effect.map(Clock.currentTimeMillis, (now) => ({ exit, at: now - begin })))
    )
    yield* TestClock.adjust("1 day")
    return yield* Fiber.join(fiber)
  })

/** Emits each element after its gap; `Infinity` never comes. */
const paced = (...elements: ReadonlyArray<readonly [gap: Duration.Input, element: string]>) =>
  Stream.mapEffect(
    Stream.rechunk(Stream.fromIterable(elements), 1),
    ([gap, element]) => Effect.delay(Effect.succeed(element), gap)
  )

const isEvent = (element: string) => element !== "ping"

describe("AttemptTimeout.withAttemptTimeout", () => {
  it.effect("interrupts, aborts and fails", () =>
    Effect.gen(function*() {
      let aborted = false
      const call = Effect.callback<never>((_resume, signal) => {
        signal.addEventListener("abort", () => {
          aborted = true
        })
      })
      const { at, exit } = yield* timed(AttemptTimeout.withAttemptTimeout(call, "5 seconds"))
      assert.deepStrictEqual([at, exit, aborted], [5000, timedOut("attempt", "5 seconds"), true])
    }))

  it.effect("limits each attempt of a retry, whose schedule takes the error as it is", () =>
    Effect.gen(function*() {
      const call = Effect.never.pipe(
        AttemptTimeout.withAttemptTimeout("5 seconds"),
        Retry.retry(RetrySchedule.standard({ jitter: "none" }))
      )
      const { at, exit } = yield* timed(call)
      assert.deepStrictEqual([at, exit], [5000 + 500 + 5000 + 1000 + 5000, timedOut("attempt", "5 seconds")])
    }))

  it.effect("leaves an effect that ends in time alone, and no timer behind", () =>
    countSleeps(({ active }) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* AttemptTimeout.withAttemptTimeout(Effect.succeed(1), "5 seconds"), 1)
        assert.strictEqual(yield* AttemptTimeout.withAttemptTimeout(Effect.succeed(1), "Infinity"), 1)
        const { exit } = yield* timed(AttemptTimeout.withAttemptTimeout(Effect.sleep("4 seconds"), "5 seconds"))
        assert.deepStrictEqual(exit, Exit.void)
        assert.strictEqual(active(), 0)
      })
    ))

  it.effect("hands over to another effect", () =>
    Effect.gen(function*() {
      const { exit } = yield* timed(AttemptTimeout.withAttemptTimeoutOrElse(Effect.never, {
        duration: "5 seconds",
        orElse: ({ limit }) => Effect.succeed(Duration.toMillis(limit))
      }))
      assert.deepStrictEqual(exit, Exit.succeed(5000))
    }))

  it("the error goes to JSON and back, and asks for a retry", () => {
    const error = new AttemptTimeout.AttemptTimeoutError({ phase: "idle", limit: Duration.seconds(10) })
    const codec = Schema.toCodecJson(AttemptTimeout.AttemptTimeoutError)
    const decoded = Schema.decodeUnknownSync(codec)(JSON.parse(JSON.stringify(Schema.encodeSync(codec)(error))))
    assert.deepStrictEqual([decoded.phase, decoded.message, decoded.verdict], [
      "idle",
      "Next element did not arrive within 10s",
      Verdict.retry("timeout")
    ])
  })

  it("refuses zero, a negative duration and NaN", () => {
    for (const duration of [0, -1, Number.NaN]) {
      assert.throws(
        () => AttemptTimeout.withAttemptTimeout(Effect.void, duration),
        RangeError,
        `AttemptTimeout.withAttemptTimeout: option "duration" must be a duration longer than zero, got ${duration}`
      )
    }
  })
})

describe("AttemptTimeout.streamWithTimeouts", () => {
  const observe = (
    stream: Stream.Stream<string>,
    options: AttemptTimeout.StreamTimeouts<string> & { readonly onTimeout?: undefined },
    perElement: Duration.Input = 0
  ) =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const { at, exit } = yield* timed(
        Stream.runForEach(
          AttemptTimeout.streamWithTimeouts(stream, options),
          (element) => Effect.delay(Effect.sync(() => seen.push(element)), perElement)
        )
      )
      return { at, exit, seen }
    })

  it.effect("firstEvent is not met by pings", () =>
    Effect.gen(function*() {
      const pings = paced(["5 seconds", "ping"], ["5 seconds", "ping"], ["5 seconds", "ping"], ["10 seconds", "text"])
      const late = yield* observe(pings, { firstEvent: "20 seconds", idle: "15 seconds", isEvent })
      assert.deepStrictEqual(late, {
        at: 20_000,
        exit: timedOut("firstEvent", "20 seconds"),
        seen: ["ping", "ping", "ping"]
      })
      const inTime = yield* observe(pings, { firstEvent: "26 seconds", isEvent })
      assert.deepStrictEqual([inTime.at, inTime.exit], [25_000, Exit.void])
    }))

  it.effect("firstEvent no longer matters after the first event", () =>
    Effect.gen(function*() {
      const stream = paced(["1 second", "text"], ["1 hour", "text"])
      const { at, exit } = yield* observe(stream, { firstEvent: "2 seconds" })
      assert.deepStrictEqual([at, exit], [3_601_000, Exit.void])
    }))

  it.effect("idle is kept off by five minutes of pings, and fires when they end", () =>
    Effect.gen(function*() {
      const pings = Array.from({ length: 60 }, () => ["5 seconds", "ping"] as const)
      const stream = paced(["1 second", "text"], ...pings, ["Infinity", "never"])
      const { at, exit, seen } = yield* observe(stream, { firstEvent: "20 seconds", idle: "10 seconds", isEvent })
      assert.deepStrictEqual([at, exit, seen.length], [311_000, timedOut("idle", "10 seconds"), 61])
    }))

  it.effect("idle is kept off by activity that makes no element, and is counted from the last of it", () =>
    Effect.gen(function*() {
      let lastActivity: number | undefined
      const dripping = Effect.forEach(
        Array.from({ length: 10 }),
        () =>
          Effect.andThen(
            Effect.sleep("8 seconds"),
            Effect.map(Clock.clockWith((clock) => Effect.succeed(clock.monotonicTimeNanosUnsafe())), (nanos) => {
              lastActivity = Number(nanos) / 1_000_000
            })
          ),
        { discard: true }
      )
      const stream = Stream.concat(Stream.make("a"), Stream.fromEffect(Effect.andThen(dripping, Effect.never)))
      const { at, exit } = yield* observe(stream, { idle: "10 seconds", lastActivity: () => lastActivity })
      assert.deepStrictEqual([at, exit], [90_000, timedOut("idle", "10 seconds")])
    }))

  it.effect("idle is the exact gap, wherever the timer was when it began", () =>
    Effect.gen(function*() {
      for (const lead of [1, 999, 5000, 9999, 10_000]) {
        const stream = paced([lead, "a"], [1, "b"], [10_001, "late"])
        const { at, exit, seen } = yield* observe(stream, { idle: "10 seconds", firstEvent: "1 hour" })
        assert.deepStrictEqual([at, exit, seen], [lead + 1 + 10_000, timedOut("idle", "10 seconds"), ["a", "b"]])
      }
      const justInTime = paced([1, "a"], [9999, "b"], [9999, "c"])
      assert.deepStrictEqual((yield* observe(justInTime, { idle: "10 seconds" })).exit, Exit.void)
    }))

  it.effect("idle also covers the first element if there is no firstEvent, and not if there is", () =>
    Effect.gen(function*() {
      const stream = paced(["15 seconds", "text"])
      assert.deepStrictEqual((yield* observe(stream, { idle: "10 seconds" })).at, 10_000)
      const both = yield* observe(stream, { idle: "10 seconds", firstEvent: "20 seconds" })
      assert.deepStrictEqual([both.at, both.exit], [15_000, Exit.void])
    }))

  it.effect("idle does not count a slow consumer", () =>
    Effect.gen(function*() {
      const stream = paced([1, "a"], [1, "b"], [1, "c"], ["Infinity", "never"])
      const { at, exit, seen } = yield* observe(stream, { idle: "10 seconds" }, "1 hour")
      assert.deepStrictEqual(seen, ["a", "b", "c"])
      assert.deepStrictEqual(exit, timedOut("idle", "10 seconds"))
      assert.strictEqual(at, 3 * 3_600_000 + 3 + 10_000)
    }))

  it.effect("attempt limits the whole, the consumer's time included", () =>
    Effect.gen(function*() {
      const endless = Stream.forever(paced(["1 second", "text"]))
      const { at, exit, seen } = yield* observe(endless, { attempt: "10500 millis", idle: "2 seconds" })
      assert.deepStrictEqual([at, exit, seen.length], [10_500, timedOut("attempt", "10500 millis"), 10])
      const slow = yield* observe(endless, { attempt: "10 seconds" }, "7 seconds")
      assert.deepStrictEqual([slow.at, slow.exit], [16_000, timedOut("attempt", "10 seconds")])
    }))

  it.effect("fails with an error of the caller's own", () =>
    Effect.gen(function*() {
      const { exit } = yield* timed(Stream.runDrain(
        Stream.never.pipe(AttemptTimeout.streamWithTimeouts({
          idle: "1 second",
          onTimeout: (phase, limit) => `${phase} after ${Duration.format(limit)}`
        }))
      ))
      assert.deepStrictEqual(exit, Exit.fail("idle after 1s"))
    }))

  it.effect("covers what the stream does before its first pull, such as connecting", () =>
    Effect.gen(function*() {
      const connecting = Stream.unwrap(Effect.as(Effect.sleep("1 minute"), Stream.make("text")))
      const { at, exit } = yield* observe(connecting, { firstEvent: "20 seconds" })
      assert.deepStrictEqual([at, exit], [20_000, timedOut("firstEvent", "20 seconds")])
    }))

  it.effect("interrupts the pull, then closes the stream, before the failure comes out", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const resource = Stream.scoped(Stream.fromEffect(Effect.acquireRelease(
        Effect.void,
        () => Effect.sync(() => log.push("closed"))
      )))
      const stalled = Stream.flatMap(resource, () =>
        Stream.fromEffect(Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("interrupted")))))
      const handled = stalled.pipe(
        AttemptTimeout.streamWithTimeouts({ idle: "1 second" }),
        Stream.catch(() =>
          Stream.fromEffect(Effect.sync(() => log.push("handled")))
        )
      )
      yield* timed(Stream.runDrain(handled))
      assert.deepStrictEqual(log, ["interrupted", "closed", "handled"])
    }))

  it.effect("passes elements, the end, failures and defects through", () =>
    Effect.gen(function*() {
      const limits = { attempt: "1 minute", firstEvent: "1 minute", idle: "1 minute" } as const
      const guarded = AttemptTimeout.streamWithTimeouts(limits)
      assert.deepStrictEqual(
        yield* Stream.runCollect(guarded(Stream.range(1, 5000))),
        Array.from(
          { length: 5000 },
          (_, i) => i + 1
        )
      )
      assert.deepStrictEqual(yield* Effect.exit(Stream.runDrain(guarded(Stream.fail("own")))), Exit.fail("own"))
      assert.deepStrictEqual(yield* Effect.exit(Stream.runDrain(guarded(Stream.die("bug")))), Exit.die("bug"))
      const interrupted = yield* Effect.exit(Stream.runDrain(guarded(Stream.fromEffect(Effect.interrupt))))
      assert.isTrue(Exit.isFailure(interrupted) && Exit.hasInterrupts(interrupted))
    }))

  it.effect("pulls nothing ahead of the consumer", () =>
    Effect.gen(function*() {
      let pulled = 0
      const numbers = Stream.range(1, 100).pipe(Stream.rechunk(1), Stream.tap(() => Effect.sync(() => pulled++)))
      const taken = numbers.pipe(AttemptTimeout.streamWithTimeouts({ idle: "1 second" }), Stream.take(3))
      yield* Stream.runDrain(taken)
      assert.strictEqual(pulled, 3)
    }))

  it.effect("keeps what a stream forked alive for as long as the stream", () =>
    Effect.gen(function*() {
      let beats = 0
      const stream = Stream.unwrap(Effect.map(
        Effect.forkChild(Effect.repeat(Effect.sync(() => beats++), Schedule.spaced("1 second"))),
        () => paced(["5 seconds", "a"], ["5 seconds", "b"])
      ))
      yield* observe(stream, { attempt: "1 minute" })
      assert.isAtLeast(beats, 10)
      assert.isAtMost(beats, 12)
    }))

  it.effect("leaves no timer, fiber or resource behind, however it ends", () =>
    countSleeps(({ active }) =>
      Effect.gen(function*() {
        let open = 0
        const resource = Stream.scoped(Stream.fromEffect(Effect.acquireRelease(
          Effect.sync(() => open++),
          () => Effect.sync(() => open--)
        )))
        const guarded = (inner: Stream.Stream<string, string>) =>
          Stream.flatMap(resource, () => inner).pipe(
            AttemptTimeout.streamWithTimeouts({ attempt: "1 minute", firstEvent: "20 seconds", idle: "10 seconds" })
          )
        const endings = [
          Stream.runDrain(guarded(Stream.make("a"))),
          Stream.runDrain(guarded(Stream.fail("own"))),
          Stream.runDrain(guarded(Stream.die("bug"))),
          Stream.runDrain(Stream.take(guarded(Stream.forever(Stream.make("a"))), 2)),
          Stream.runDrain(guarded(Stream.never)),
          Stream.runForEach(guarded(Stream.make("a", "b")), () => Effect.fail("consumer")),
          Stream.runForEach(guarded(Stream.never), () => Effect.void).pipe(Effect.timeout("3 seconds")),
          Stream.runForEach(guarded(Stream.make("a")), () => Effect.never).pipe(Effect.timeout("3 seconds"))
        ].map(Effect.exit)
        for (let round = 0; round < 50; round++) {
          for (const ending of endings) yield* timed(ending)
        }
        assert.deepStrictEqual([active(), open], [0, 0])
        // Ended, but its scope still open: the timer is gone all the same.
        const after = Stream.concat(guarded(Stream.make("a")), Stream.fromEffect(Effect.sync(() => active())))
        assert.deepStrictEqual(yield* Stream.runCollect(after), ["a", 0])
      })
    ))

  it.effect("is done with its timer and the stream's resources when the stream is, whatever the scope around it", () =>
    countSleeps(({ active }) =>
      Effect.gen(function*() {
        let open = 0
        const resource = Effect.acquireRelease(Effect.sync(() => open++), () => Effect.sync(() => open--))
        const stream = Stream.unwrap(Effect.as(resource, Stream.make("a")))
        const pull = yield* Stream.toPull(AttemptTimeout.streamWithTimeouts(stream, { attempt: "1 minute" }))
        assert.deepStrictEqual(yield* pull, ["a"])
        yield* Effect.yieldNow
        assert.deepStrictEqual([active(), open], [1, 1])
        assert.isTrue(Exit.isFailure(yield* Effect.exit(pull)))
        assert.deepStrictEqual([active(), open], [0, 0])
      })
    ))

  it.effect("starts one timer for many elements", () =>
    countSleeps(({ started }) =>
      Effect.gen(function*() {
        const stream = Stream.rechunk(Stream.range(1, 10_000), 1)
        yield* Stream.runDrain(AttemptTimeout.streamWithTimeouts(stream, { idle: "10 seconds", attempt: "1 minute" }))
        assert.isAtMost(started(), 1)
      })
    ))

  it.effect("interruption of the consumer reaches the pull before the stream is closed", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const resource = Effect.acquireRelease(Effect.void, () => Effect.sync(() => log.push("closed")))
      const pending = Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("interrupted")))
      const stream = Stream.unwrap(Effect.as(resource, Stream.fromEffect(pending)))
      const fiber = yield* Effect.forkChild(
        Stream.runDrain(AttemptTimeout.streamWithTimeouts(stream, { idle: "1 hour" }))
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(log, ["interrupted", "closed"])
    }))

  it.effect("a pull that was interrupted stops at once, and the stream can be pulled again", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const slow = Effect.sleep("5 seconds").pipe(
        Effect.as("a"),
        Effect.onInterrupt(() => Effect.sync(() => log.push("interrupted")))
      )
      const stream = Stream.fromPull(Effect.succeed(Effect.map(slow, (element) => [element] as const)))
      const limited = AttemptTimeout.streamWithTimeouts(stream, { idle: "10 seconds", attempt: "30 seconds" })
      const pull = yield* Stream.toPull(limited)
      const first = yield* timed(Effect.timeoutOption(pull, "3 seconds"))
      assert.deepStrictEqual([first.at, first.exit, log], [3000, Exit.succeed(Option.none()), ["interrupted"]])
    }))

  it.effect("goes on after an interrupted pull, its limits still in force", () =>
    Effect.gen(function*() {
      const element = Effect.as(Effect.sleep("5 seconds"), ["a"] as const)
      const stream = Stream.fromPull(Effect.succeed(element))
      const pull = yield* Stream.toPull(AttemptTimeout.streamWithTimeouts(stream, { attempt: "12 seconds" }))
      const program = Effect.gen(function*() {
        const cut = yield* Effect.timeoutOption(pull, "3 seconds")
        const again = yield* pull
        return [cut, again, yield* Effect.exit(pull)] as const
      })
      const { at, exit } = yield* timed(program)
      assert.deepStrictEqual(at, 12_000)
      assert.deepStrictEqual(exit, Exit.succeed([Option.none(), ["a"], timedOut("attempt", "12 seconds")]))
    }))

  it.effect("works inside of a stream retry: each attempt is timed, the last timeout comes out", () =>
    Effect.gen(function*() {
      const starts: Array<number> = []
      const stalled = Stream.unwrap(Effect.map(Clock.currentTimeMillis, (now) => {
        starts.push(now)
        return paced([0, "ping"], ["Infinity", "never"])
      }))
      const { exit } = yield* timed(stalled.pipe(
        AttemptTimeout.streamWithTimeouts({ firstEvent: "20 seconds", isEvent }),
        Retry.retryStream({
          schedule: RetrySchedule.standard({ jitter: "none" }),
          isContent: isEvent,
          isTransparent: (element) => element === "ping"
        }),
        Stream.runDrain
      ))
      assert.deepStrictEqual(starts, [0, 20_500, 41_500])
      assert.deepStrictEqual(exit, timedOut("firstEvent", "20 seconds"))
    }))

  it("refuses limits that could never be reached, and wrong ones", () => {
    const refuses = (options: AttemptTimeout.StreamTimeouts<string> & { readonly onTimeout?: undefined }) => {
      try {
        assert.isDefined(AttemptTimeout.streamWithTimeouts(Stream.empty, options))
      } catch (error) {
        assert.instanceOf(error, RangeError)
        return error.message
      }
      return assert.fail("nothing was thrown")
    }
    const owner = "AttemptTimeout.streamWithTimeouts"
    assert.strictEqual(
      refuses({ firstEvent: "2 minutes", attempt: "1 minute" }),
      `${owner}: option "firstEvent" must not be longer than "attempt", got 2m and 1m`
    )
    assert.strictEqual(
      refuses({ idle: "61 seconds", attempt: "1 minute" }),
      `${owner}: option "idle" must not be longer than "attempt", got 1m 1s and 1m`
    )
    assert.strictEqual(refuses({ idle: 0 }), `${owner}: option "idle" must be a duration longer than zero, got 0`)
  })

  it("leaves a stream without limits as it is", () => {
    const stream = Stream.make("a")
    assert.strictEqual(AttemptTimeout.streamWithTimeouts(stream, {}), stream)
    assert.strictEqual(AttemptTimeout.streamWithTimeouts(stream, { idle: "Infinity" }), stream)
  })
})
