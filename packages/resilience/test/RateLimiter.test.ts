import * as Admission from "@effect-claude/resilience/Admission"
import * as RateLimiter from "@effect-claude/resilience/RateLimiter"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"

const one = { costs: { requests: 1 } }

/** A call that notes when it starts, in milliseconds of virtual time. */
const noting = (starts: Array<number>) =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    starts.push(now)
  })

describe("RateLimiter", () => {
  describe("admission", () => {
    it.effect("lets a bucket's worth through at once and the rest as it refills", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({
          limits: { requests: { limit: 60, burst: "5 seconds" } },
          headroom: 1,
          rampUp: false
        })
        const starts: Array<number> = []
        yield* Effect.forEach(Array.from({ length: 8 }), () => Effect.forkChild(limiter.withLimit(noting(starts), one)))
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(starts, [0, 0, 0, 0, 0, 1000, 2000, 3000])
      }))

    it.effect("takes from all limits or from none", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({
          limits: { requests: { limit: 60 }, tokens: { limit: 6000 } },
          headroom: 1,
          rampUp: false
        })
        const call = limiter.withLimit(Effect.void, { costs: { requests: 1, tokens: 5000 } })
        yield* call
        const second = yield* Effect.forkChild(call)
        yield* TestClock.adjust("10 seconds")
        const { limits, waiting } = yield* limiter.levels()
        assert.strictEqual(waiting, 1)
        assert.strictEqual(limits.tokens.available, 2000)
        assert.strictEqual(limits.requests.available, 60)
        yield* TestClock.adjust("30 seconds")
        assert.isTrue(Exit.isSuccess(yield* Fiber.await(second)))
      }))

    it.effect("uses five sixths of what is configured", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 60 } } })
        const { limits } = yield* limiter.levels()
        assert.deepStrictEqual(limits.requests, { limit: 60, available: 50, capacity: 50 })
      }))

    it.effect("lets a cost larger than its bucket through when it is full, and those behind pay for it", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({
          limits: { tokens: { limit: 60 } },
          headroom: 1,
          rampUp: false,
          queueTimeout: "5 minutes"
        })
        const starts: Array<number> = []
        yield* Effect.forEach(
          [10, 150, 1],
          (tokens) => Effect.forkChild(limiter.withLimit(noting(starts), { costs: { tokens } }))
        )
        yield* TestClock.adjust("10 minutes")
        // Full at 10 s, then 90 in debt, which takes 90 s, and 1 s for the last.
        assert.deepStrictEqual(starts, [0, 10_000, 101_000])
      }))

    it.effect("keeps keys apart", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 1 } }, headroom: 1, queue: 0 })
        const call = (key: string) => Effect.exit(limiter.withLimit(Effect.void, { ...one, key }))
        assert.isTrue(Exit.isSuccess(yield* call("a")))
        assert.isTrue(Exit.isFailure(yield* call("a")))
        assert.isTrue(Exit.isSuccess(yield* call("b")))
      }))

    it.effect("serves interactive calls before batch, by age, and batch in the end", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 60, burst: 1000 } }, headroom: 1 })
        const order: Array<string> = []
        const call = (name: string) => limiter.withLimit(Effect.sync(() => order.push(name)), one)
        yield* call("first")
        yield* Effect.forkChild(Admission.withPriority(call("batch"), "batch"))
        yield* TestClock.adjust("100 millis")
        yield* Effect.forkChild(call("interactive"))
        yield* Effect.forkChild(
          Effect.provideService(call("retried"), Admission.CurrentCallStart, -1000)
        )
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(order, ["first", "retried", "interactive", "batch"])
      }))

    it.effect("batch is not starved by interactive calls that keep coming", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 60, burst: 1000 } }, headroom: 1 })
        const starts: Array<number> = []
        const interactive = Effect.forever(
          Effect.andThen(
            Effect.sleep("900 millis"),
            Effect.forkChild(Effect.ignore(limiter.withLimit(Effect.void, one)))
          )
        )
        yield* Effect.forkChild(interactive)
        yield* TestClock.adjust("5 seconds")
        yield* Effect.forkChild(Admission.withPriority(limiter.withLimit(noting(starts), one), "batch"))
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(starts.length, 1)
        assert.isAtMost(starts[0] ?? Number.NaN, 5000 + 30_000 + 5000)
      }))

    it.effect("runs the check after a wait only, and gives everything back if it fails", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 60, burst: 1000 } }, headroom: 1 })
        let ran = 0
        const call = (afterWait: Effect.Effect<void, "circuit open">) =>
          limiter.withLimit(Effect.sync(() => ++ran), { ...one, afterWait })
        yield* call(Effect.die("not to be run"))
        const refused = yield* Effect.forkChild(Effect.flip(call(Effect.fail("circuit open"))))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(refused), "circuit open")
        assert.strictEqual(ran, 1)
        assert.strictEqual((yield* limiter.levels()).limits.requests.available, 1)
      }))

    it.effect("asks nobody how a call settles that never began", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({
          limits: { requests: { limit: 60, burst: 1000 } },
          headroom: 1,
          rampUp: false
        })
        const settle = () => ({ requests: 1 })
        const refused = { ...one, settle, afterWait: Effect.fail("circuit open") }
        for (const call of [limiter.withLimit(Effect.void, refused), limiter.withLimitStream(Stream.never, refused)]) {
          const holder = yield* Effect.forkChild(limiter.withLimit(Effect.never, one), { startImmediately: true })
          const waits = yield* Effect.forkChild(
            Effect.exit(Stream.isStream(call) ? Stream.runDrain(call) : call),
            { startImmediately: true }
          )
          yield* TestClock.adjust("1 second")
          assert.isTrue(Exit.isFailure(yield* Fiber.join(waits)))
          assert.strictEqual((yield* limiter.levels()).limits.requests.available, 1)
          // Granted its turn and interrupted before it can take it.
          const taken = yield* Effect.forkChild(limiter.withLimit(Effect.never, one), { startImmediately: true })
          const gone = yield* Effect.forkChild(limiter.withLimit(Effect.void, { ...one, settle }), {
            startImmediately: true
          })
          taken.interruptUnsafe()
          gone.interruptUnsafe()
          yield* Fiber.await(gone)
          assert.strictEqual((yield* limiter.levels()).limits.requests.available, 1)
          yield* Fiber.interrupt(holder)
        }
      }))
  })

  describe("settlement", () => {
    const make = RateLimiter.make({ limits: { tokens: { limit: 6000 } }, headroom: 1, rampUp: false })

    it.effect("takes more, gives back, and hears only the first word", () =>
      Effect.gen(function*() {
        const limiter = yield* make
        const left = Effect.map(limiter.levels(), ({ limits }) => limits.tokens.available)
        yield* limiter.withReservation({ costs: { tokens: 1000 } }, (reservation) =>
          Effect.gen(function*() {
            assert.strictEqual(yield* left, 5000)
            yield* reservation.settle({ tokens: 2500 })
            assert.strictEqual(yield* left, 3500)
            yield* reservation.settle({ tokens: 0 })
            yield* reservation.refund
            assert.strictEqual(yield* left, 3500)
          }))
        assert.strictEqual(yield* left, 3500)
        yield* limiter.withReservation({ costs: { tokens: 1000 } }, (reservation) => reservation.refund)
        assert.strictEqual(yield* left, 3500)
        yield* limiter.withLimit(Effect.void, { costs: { tokens: 1000 } })
        assert.strictEqual(yield* left, 2500)
        yield* Effect.exit(limiter.withLimit(Effect.fail("refused"), { costs: { tokens: 1000 } }))
        assert.strictEqual(yield* left, 2500)
      }))

    it.effect("what is given back wakes those who wait at once", () =>
      Effect.gen(function*() {
        const limiter = yield* make
        const gate = yield* Deferred.make<void>()
        const starts: Array<number> = []
        yield* Effect.forkChild(
          limiter.withLimit(Deferred.await(gate), { costs: { tokens: 6000 }, settle: () => ({ tokens: 10 }) }),
          { startImmediately: true }
        )
        yield* Effect.forkChild(limiter.withLimit(noting(starts), { costs: { tokens: 3000 } }))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(starts, [])
        yield* Deferred.succeed(gate, undefined)
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(starts, [1000])
      }))

    it.effect("a settlement that throws frees the place of its call all the same", () =>
      Effect.gen(function*() {
        const limiter = yield* make
        const exit = yield* Effect.exit(limiter.withLimit(Effect.void, {
          costs: { tokens: 1000 },
          settle: () => {
            throw new Error("bug")
          }
        }))
        assert.isTrue(Exit.hasDies(exit))
        const levels = yield* limiter.levels()
        assert.strictEqual(levels.inFlight, 0)
        assert.strictEqual(levels.limits.tokens.available, 5000)
      }))

    it.effect("refuses costs that would spoil the bucket", () =>
      Effect.gen(function*() {
        const limiter = yield* make
        for (const tokens of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
          assert.isTrue(Exit.hasDies(yield* Effect.exit(limiter.withLimit(Effect.void, { costs: { tokens } }))))
          const settled = limiter.withReservation({ costs: { tokens: 0 } }, (reservation) =>
            reservation.settle({ tokens }))
          assert.isTrue(Exit.hasDies(yield* Effect.exit(settled)))
        }
        assert.deepStrictEqual(yield* limiter.levels(), {
          limits: { tokens: { limit: 6000, available: 6000, capacity: 6000 } },
          waiting: 0,
          inFlight: 0,
          pausedFor: Duration.zero
        })
      }))

    it.effect("a stream holds its reservation to its end, or until it is dropped", () =>
      Effect.gen(function*() {
        const limiter = yield* make
        const held: Array<readonly [number, number]> = []
        const look = Effect.map(limiter.levels(), ({ inFlight, limits }) => {
          held.push([inFlight, limits.tokens.available])
        })
        const stream = Stream.make(1, 2, 3).pipe(
          Stream.tap(() => look),
          limiter.withLimitStream({
            costs: { tokens: 1000 },
            settle: (exit) => Exit.isSuccess(exit) ? { tokens: 10 } : {}
          })
        )
        yield* Stream.runDrain(stream)
        yield* look
        yield* Stream.runDrain(Stream.take(stream, 1))
        yield* look
        yield* Effect.exit(Stream.runDrain(Stream.concat(stream, Stream.fail("cut"))))
        yield* look
        assert.deepStrictEqual(held, [
          [1, 5000],
          [1, 5000],
          [1, 5000],
          [0, 5990],
          [1, 4990],
          [0, 5980],
          [1, 4980],
          [1, 4980],
          [1, 4980],
          [0, 5970]
        ])
      }))

    it.effect("a stream that fails or waits in vain gives back what it took", () =>
      Effect.gen(function*() {
        const limiter = yield* make
        const failing = limiter.withLimitStream(Stream.fail("refused"), { costs: { tokens: 6000 } })
        yield* Effect.exit(Stream.runDrain(failing))
        assert.strictEqual((yield* limiter.levels()).limits.tokens.available, 6000)
        const holder = yield* Effect.forkChild(
          Stream.runDrain(limiter.withLimitStream(Stream.never, { costs: { tokens: 6000 } })),
          { startImmediately: true }
        )
        const waiter = yield* Effect.forkChild(
          Stream.runDrain(limiter.withLimitStream(Stream.never, { costs: { tokens: 6000 } })),
          { startImmediately: true }
        )
        assert.strictEqual((yield* limiter.levels()).waiting, 1)
        yield* Fiber.interrupt(waiter)
        yield* Fiber.interrupt(holder)
        const levels = yield* limiter.levels()
        assert.deepStrictEqual([levels.waiting, levels.inFlight, levels.limits.tokens.available], [0, 0, 6000])
      }))
  })

  describe("refusal", () => {
    it.effect("in a full queue the last in line goes, with a time to come back", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({
          limits: { requests: { limit: 60, burst: 1000 } },
          headroom: 1,
          queue: 2
        })
        yield* limiter.withLimit(Effect.void, one)
        const call = Effect.flip(limiter.withLimit(Effect.void, one))
        const batch = yield* Effect.forkChild(Admission.withPriority(call, "batch"), { startImmediately: true })
        yield* Effect.forkChild(call, { startImmediately: true })
        yield* Effect.forkChild(call, { startImmediately: true })
        const error = yield* Fiber.join(batch)
        assert.strictEqual(error.reason, "queueFull")
        assert.strictEqual(error.verdict._tag === "Retry" ? error.verdict.kind : "", "rejected")
        assert.isAbove(Duration.toMillis(error.retryAfter), 400)
        assert.strictEqual((yield* call).reason, "queueFull")
      }))

    it.effect("makes the error that is asked for", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({
          limits: { requests: { limit: 1 } },
          queue: 0,
          onRejected: ({ key, reason }) => `${key}: ${reason}` as const
        })
        yield* limiter.withLimit(Effect.void, one)
        assert.strictEqual(yield* Effect.flip(limiter.withLimit(Effect.void, one)), "default: queueFull")
      }))

    it.effect("those who wait are turned away when their time is up", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({
          limits: { requests: { limit: 60, burst: 1000 } },
          headroom: 1,
          queueTimeout: "1500 millis"
        })
        yield* limiter.withLimit(Effect.void, one)
        const waiting = yield* Effect.forkChild(Effect.flip(limiter.withLimit(Effect.void, one)))
        yield* TestClock.adjust("100 millis")
        // Older calls come back and go before it.
        yield* Effect.forEach([1, 2], () =>
          Effect.forkChild(
            Effect.provideService(limiter.withLimit(Effect.void, one), Admission.CurrentCallStart, -1000)
          ))
        yield* TestClock.adjust("1400 millis")
        assert.strictEqual((yield* Fiber.join(waiting)).reason, "queueTimeout")
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* limiter.levels()).waiting, 0)
      }))

    it("an error says why, and when to come back", () => {
      const why = (reason: RateLimiter.RateLimitedLocallyError["reason"]) =>
        new RateLimiter.RateLimitedLocallyError({ key: "k", reason, retryAfter: Duration.seconds(2) }).message
      assert.deepStrictEqual((["queueFull", "queueTimeout", "deadline"] as const).map(why), [
        `Rate limit of "k": the queue is full; retry after 2s`,
        `Rate limit of "k": the turn does not come within the queue timeout; retry after 2s`,
        `Rate limit of "k": the turn does not come within the deadline; retry after 2s`
      ])
    })

    it("refuses options that make no sense, by name", () => {
      const limits = { requests: { limit: 60 } }
      assert.throws(() => RateLimiter.make({ limits: {} }), RangeError, `"limits"`)
      assert.throws(
        () => RateLimiter.make({ limits: { requests: { limit: 0 } } }),
        RangeError,
        `"limits.requests.limit"`
      )
      assert.throws(
        () => RateLimiter.make({ limits: { requests: { window: 0 } } }),
        RangeError,
        "limits.requests.window"
      )
      assert.throws(
        () => RateLimiter.make({ limits: { requests: { burst: "2 minutes" } } }),
        RangeError,
        `"limits.requests.burst" must be no longer than the window`
      )
      assert.throws(() => RateLimiter.make({ limits, headroom: 1.2 }), RangeError, `"headroom"`)
      assert.throws(() => RateLimiter.make({ limits, queue: 1.5 }), RangeError, `"queue"`)
      assert.throws(() => RateLimiter.make({ limits, queue: -1 }), RangeError, `"queue"`)
      const adopt = "higher" as "lower"
      assert.throws(
        () => RateLimiter.make({ limits, adopt }),
        RangeError,
        `RateLimiter.make: option "adopt" must be "always" or "lower", got "higher"`
      )
      assert.throws(() => RateLimiter.make({ limits, queueTimeout: 0 }), RangeError, `"queueTimeout"`)
      assert.throws(() => RateLimiter.make({ limits, rampUp: { from: 0 } }), RangeError, `"rampUp.from"`)
      assert.throws(
        () => RateLimiter.make({ limits, rampUp: { doubling: 0 } }),
        RangeError,
        `RateLimiter.make: option "rampUp.doubling" must be a finite duration longer than zero`
      )
      assert.throws(
        () => RateLimiter.make({ limits: { requests: { rounding: -1 } } }),
        RangeError,
        `"limits.requests.rounding"`
      )
      assert.throws(() => RateLimiter.make({ limits, pauseJitter: -1 }), RangeError, `"pauseJitter"`)
      assert.throws(() => RateLimiter.make({ limits, maxKeys: 0 }), RangeError, `"maxKeys"`)
    })
  })

  describe("reports of the server", () => {
    const learning = RateLimiter.make({ limits: { requests: {} }, rampUp: false })

    it.effect("without limits ten calls go at once and one a second, until a response has told", () =>
      Effect.gen(function*() {
        const limiter = yield* learning
        const starts: Array<number> = []
        const gate = yield* Deferred.make<void>()
        yield* Effect.forEach(
          Array.from({ length: 20 }),
          (_, index) =>
            Effect.forkChild(limiter.withReservation(one, (reservation) =>
              Effect.gen(function*() {
                yield* noting(starts)
                yield* Deferred.await(gate)
                if (index === 0) yield* reservation.observe({ requests: { limit: 600, remaining: 588 } })
              })))
        )
        yield* TestClock.adjust("2500 millis")
        assert.deepStrictEqual(starts, [...Array.from({ length: 10 }, () => 0), 1000, 2000])
        yield* Deferred.succeed(gate, undefined)
        yield* TestClock.adjust(0)
        assert.strictEqual(starts.length, 20)
        assert.strictEqual((yield* limiter.levels()).limits.requests.limit, 600)
      }))

    it.effect("a response that reports nothing ends the caution", () =>
      Effect.gen(function*() {
        const limiter = yield* learning
        yield* limiter.withReservation(one, (reservation) => reservation.observe({}))
        yield* Effect.forEach(Array.from({ length: 100 }), () => limiter.withLimit(Effect.void, one))
        assert.strictEqual((yield* limiter.levels()).limits.requests.available, Number.POSITIVE_INFINITY)
      }))

    it.effect("a lower remaining is believed, a higher one is not", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 1000 } }, headroom: 1, rampUp: false })
        const left = Effect.map(limiter.levels(), ({ limits }) => limits.requests.available)
        yield* limiter.observe("default", { requests: { limit: 1000, remaining: 500 } })
        const believed = yield* left
        assert.isAtMost(believed, 480)
        yield* limiter.observe("default", { requests: { limit: 1000, remaining: 900 } })
        assert.strictEqual(yield* left, believed)
        // Recovers at the pace of the refill.
        yield* TestClock.adjust("6 seconds")
        assert.approximately(yield* left, believed + 99, 1e-6)
      }))

    it.effect("what the server may not have seen yet is subtracted", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 1000 } }, headroom: 1, rampUp: false })
        yield* limiter.withReservation(one, (reservation) =>
          Effect.gen(function*() {
            yield* Effect.forEach(Array.from({ length: 30 }), () => limiter.withLimit(Effect.void, one))
            yield* reservation.observe({ requests: { limit: 1000, remaining: 100 } })
          }))
        assert.isAtMost((yield* limiter.levels()).limits.requests.available, 70 - 20)
      }))

    it.effect("an older response never overrules a newer one", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 1000 } }, headroom: 1, rampUp: false })
        const left = Effect.map(limiter.levels(), ({ limits }) => limits.requests.available)
        yield* limiter.withReservation(one, (older) =>
          limiter.withReservation(one, (newer) =>
            Effect.gen(function*() {
              yield* newer.observe({ requests: { limit: 800, remaining: 700 } })
              const believed = yield* left
              yield* older.observe({ requests: { limit: 1000, remaining: 3 } })
              assert.strictEqual(yield* left, believed)
              assert.strictEqual((yield* limiter.levels()).limits.requests.limit, 800)
            })))
      }))

    it.effect("a missing remaining is taken from the reset, however wrong that is", () =>
      Effect.gen(function*() {
        const leftAfter = (resetAfter: Duration.Input) =>
          Effect.gen(function*() {
            const limiter = yield* RateLimiter.make({
              limits: { requests: { limit: 600 } },
              headroom: 1,
              rampUp: false
            })
            yield* limiter.observe("default", { requests: { resetAfter } })
            const left = Effect.map(limiter.levels(), ({ limits }) => limits.requests.available)
            const now = yield* left
            yield* TestClock.adjust("2 minutes")
            assert.strictEqual(yield* left, 600)
            return now
          })
        assert.approximately(yield* leftAfter("-3 hours"), 588, 1)
        assert.approximately(yield* leftAfter("30 seconds"), 288, 1)
        assert.approximately(yield* leftAfter("3 days"), -12, 1)
      }))

    it.effect("nonsense in a report is left out of account", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 600 } }, headroom: 1, rampUp: false })
        const before = yield* limiter.levels()
        yield* limiter.observe("default", { requests: { limit: Number.NaN, remaining: Number.NaN } })
        yield* limiter.observe("default", { requests: { limit: 0, remaining: -1000 } })
        yield* limiter.observe("default", { requests: { limit: -5, remaining: Number.POSITIVE_INFINITY } })
        assert.deepStrictEqual(yield* limiter.levels(), before)
      }))

    it.effect("a reported limit replaces the configured one, or only lowers it", () =>
      Effect.gen(function*() {
        const rate = (adopt: "always" | "lower", limit: number) =>
          Effect.gen(function*() {
            const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 60 } }, adopt })
            yield* limiter.observe("default", { requests: { limit } })
            return (yield* limiter.levels()).limits.requests.capacity
          })
        assert.strictEqual(yield* rate("always", 600), 594)
        assert.strictEqual(yield* rate("lower", 600), 50)
        assert.approximately(yield* rate("always", 30), 29.7, 1e-9)
        assert.approximately(yield* rate("lower", 30), 29.7, 1e-9)
      }))
  })

  describe("pause and pace", () => {
    it.effect("nobody starts during a pause, and then one after the other within a fifth of it", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 60_000 } }, rampUp: false })
        yield* limiter.pause("default", "10 seconds")
        const starts: Array<number> = []
        yield* Effect.forEach(
          Array.from({ length: 100 }),
          () => Effect.forkChild(limiter.withLimit(noting(starts), one))
        )
        yield* TestClock.adjust("9999 millis")
        assert.deepStrictEqual(starts, [])
        assert.deepStrictEqual((yield* limiter.levels()).pausedFor, Duration.millis(1))
        yield* TestClock.adjust("2001 millis")
        assert.strictEqual(starts.length, 100)
        assert.isAtLeast(Math.min(...starts), 10_000)
        const halves = starts.filter((start) => start < 11_000).length
        assert.isAbove(halves, 30)
        assert.isBelow(halves, 70)
      }).pipe(Random.withSeed("pause")))

    it.effect("a shorter pause changes nothing, a longer one extends", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 60 } } })
        const left = Effect.map(limiter.levels(), ({ pausedFor }) => Duration.toSeconds(pausedFor))
        yield* limiter.pause("default", "10 seconds")
        yield* limiter.pause("default", "3 seconds")
        assert.strictEqual(yield* left, 10)
        yield* limiter.pause("default", "12 seconds")
        assert.strictEqual(yield* left, 12)
      }))

    it.effect("starts at half the pace after a silence, and doubles it in 5 seconds", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({ limits: { requests: { limit: 6000 } }, headroom: 1 })
        const starts: Array<number> = []
        const storm = Effect.forEach(Array.from({ length: 1000 }), () =>
          Effect.forkChild(limiter.withLimit(noting(starts), one)))
        yield* storm
        yield* TestClock.adjust("20 seconds")
        const within = (from: number, to: number) =>
          starts.filter((start) => start >= from && start < to).length
        // A sixth of half a minute's worth, then 50 a second growing.
        assert.strictEqual(starts.filter((start) => start === 0).length, 500)
        assert.approximately(within(1, 1001), 54, 3)
        assert.approximately(within(4001, 5001), 93, 4)
      }))

    it.effect("slowDown halves the pace, again and again, and lets it grow slowly", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({
          limits: { requests: { limit: 1200, burst: 1000 } },
          headroom: 1,
          rampUp: false,
          queueTimeout: "1 hour",
          queue: Number.POSITIVE_INFINITY
        })
        const starts: Array<number> = []
        const perSecondAt = (time: number) =>
          starts.filter((start) => start > time - 4000 && start <= time + 4000).length / 8
        yield* limiter.slowDown("default")
        yield* limiter.slowDown("default")
        yield* Effect.forEach(Array.from({ length: 1600 }), () =>
          Effect.forkChild(limiter.withLimit(noting(starts), one)))
        yield* TestClock.adjust("3 minutes")
        assert.approximately(perSecondAt(10_000), 5 * 2 ** (1 / 6), 0.5)
        assert.approximately(perSecondAt(60_000), 10, 0.5)
        assert.approximately(perSecondAt(120_000), 20, 0.5)
      }))
  })

  it.effect("a reservation slows down once for all calls that were under way together", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make({
        limits: { requests: { limit: 6000, burst: 1000 } },
        headroom: 1,
        rampUp: false,
        queueTimeout: "1 hour"
      })
      const complaint = (at: Deferred.Deferred<void>) =>
        limiter.withReservation(one, (reservation) => Effect.andThen(Deferred.await(at), reservation.slowDown))
      const startsIn10Seconds = Effect.gen(function*() {
        const starts: Array<number> = []
        const fibers = yield* Effect.forEach(Array.from({ length: 900 }), () =>
          Effect.forkChild(limiter.withLimit(noting(starts), one)))
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.interruptAll(fibers)
        return starts.length
      })
      const first = yield* Deferred.make<void>()
      yield* Effect.forEach(Array.from({ length: 10 }), () =>
        Effect.forkChild(complaint(first)))
      yield* TestClock.adjust(0)
      yield* Deferred.succeed(first, undefined)
      yield* TestClock.adjust(0)
      assert.approximately(yield* startsIn10Seconds, 550, 60)
      // A call of later says something new.
      yield* TestClock.adjust("1 second")
      const second = yield* Deferred.make<void>()
      yield* Deferred.succeed(second, undefined)
      yield* complaint(second)
      assert.approximately(yield* startsIn10Seconds, 310, 60)
    }))

  describe("events", () => {
    it.effect("tells of waits, refusals, pauses and what was learned", () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.make({
          limits: { requests: { limit: 60, burst: 1000 } },
          headroom: 1,
          queue: 1
        })
        const seen: Array<ResilienceEvent.ResilienceEvent> = []
        yield* Effect.gen(function*() {
          yield* limiter.withLimit(Effect.void, one)
          const waiting = yield* Effect.forkChild(limiter.withLimit(Effect.void, one), { startImmediately: true })
          yield* Effect.ignore(limiter.withLimit(Effect.void, one))
          yield* TestClock.adjust("1 second")
          yield* Fiber.join(waiting)
          yield* limiter.pause("default", "5 seconds")
          yield* limiter.pause("default", "1 second")
          yield* limiter.observe("default", { requests: { limit: 50 } })
          yield* limiter.observe("default", { requests: { limit: 50 } })
        }).pipe(ResilienceEvent.listen((event) => {
          seen.push(event)
        }))
        assert.deepStrictEqual(seen, [
          { _tag: "RateLimiterRejected", key: "default", reason: "queueFull" },
          { _tag: "RateLimiterWaited", key: "default", wait: Duration.seconds(1) },
          { _tag: "RateLimiterPaused", key: "default", duration: Duration.seconds(5) },
          { _tag: "RateLimitsLearned", key: "default", limits: { requests: 50 } }
        ])
      }))
  })
})
