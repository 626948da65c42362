import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { quiet } from "./Quiet.ts"
import { SleeperQueue } from "./SleeperQueue.ts"

/** How much real time passes, with nothing to wake, before an effect is given up: so many times so long. */
const patience = { times: 100, step: Duration.millis(5) }

type End<A, E> = { readonly exit: Exit.Exit<A, E> } | { readonly stuck: string }

/** Moves time until a fiber ends. */
const untilEnd = <A, E>(
  fiber: Fiber.Fiber<A, E>,
  clock: TestClock.TestClock,
  limit: Duration.Duration
): Effect.Effect<End<A, E>> =>
  Effect.gen(function*() {
    const sleepers = new SleeperQueue(clock, yield* Effect.context())
    const start = clock.currentTimeMillisUnsafe()
    const passed = () => Duration.millis(clock.currentTimeMillisUnsafe() - start)
    const isOver = () => fiber.pollUnsafe() !== undefined

    const moveUntilEnd = Effect.gen(function*() {
      let waits = 0
      while (true) {
        yield* quiet(isOver)
        const exit = fiber.pollUnsafe()
        if (exit !== undefined) return { exit }
        const before = clock.currentTimeMillisUnsafe()
        const move = sleepers.wakeNext()
        if (move === "Endless" || (move === "Empty" && waits >= patience.times)) {
          return { stuck: waitsForNothing(passed()) }
        }
        if (move === "Empty") {
          waits++
          yield* clock.withLive(Effect.sleep(patience.step))
        } else if (clock.currentTimeMillisUnsafe() > before) {
          waits = 0
          if (Duration.isGreaterThan(passed(), limit)) return { stuck: isLate(limit, before - start) }
        }
      }
    })
    // The first move takes back the clock's warning that nobody moves it.
    return yield* Effect.andThen(clock.adjust(0), moveUntilEnd).pipe(
      Effect.ensuring(Effect.sync(() => sleepers.stop()))
    )
  })

const waitsForNothing = (passed: Duration.Duration): string =>
  `VirtualTime.run: the effect waits for something that cannot happen any more: nobody sleeps, and nothing comes from `
  + `outside (after ${Duration.format(passed)} of virtual time)`

const isLate = (limit: Duration.Duration, lastMove: number): string =>
  `VirtualTime.run: the effect has not ended after ${Duration.format(limit)} of virtual time, the limit. `
  + `Sleeps still wake (the last one after ${Duration.format(Duration.millis(lastMove))}); if all of them are of the `
  + `background, the effect itself waits for something that cannot happen any more`

const isTestClock = (clock: Clock.Clock): clock is TestClock.TestClock => "adjust" in clock && "withLive" in clock

/** The clocks that are moved already, for an effect that runs within another one. */
const moved = new WeakSet<Clock.Clock>()

/** The clock for the effect itself: who moves it within has to wait for its turn, as a sleep does. */
const withoutMoves = (clock: TestClock.TestClock): TestClock.TestClock => {
  // An endless sleep is none that time could pass.
  const sleep = (duration: Duration.Duration) => Duration.isFinite(duration) ? clock.sleep(duration) : Effect.never
  const own: TestClock.TestClock = {
    ...clock,
    sleep,
    adjust: (duration) => sleep(Duration.fromInputUnsafe(duration)),
    setTime: (timestamp) => Effect.suspend(() => sleep(Duration.millis(timestamp - clock.currentTimeMillisUnsafe())))
  }
  moved.add(own)
  return own
}

const driven = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  clock: TestClock.TestClock,
  limit: Duration.Duration
): Effect.Effect<A, E, R> =>
  Effect.uninterruptible(Effect.withFiber((parent) =>
    Effect.gen(function*() {
      // Not as a child: one that cannot be ended would be waited for.
      const fiber = yield* Effect.forkDetach(Effect.provideService(effect, Clock.Clock, withoutMoves(clock)), {
        startImmediately: true
      })
      const finish = Effect.suspend(() => {
        fiber.interruptUnsafe(parent.id)
        return untilEnd(fiber, clock, limit)
      })
      const end = yield* Effect.interruptible(untilEnd(fiber, clock, limit)).pipe(Effect.onInterrupt(() => finish))
      if ("exit" in end) return yield* end.exit
      yield* finish
      return yield* Effect.die(new Error(end.stuck))
    })
  ))

/** Runs an effect while time moves whenever nothing else is left to do. */
export const underVirtualTime = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  limit: Duration.Duration
): Effect.Effect<A, E, R> =>
  Effect.flatMap(Clock.clockWith(Effect.succeed), (clock) =>
    moved.has(clock)
      ? effect
      : isTestClock(clock)
      ? driven(effect, clock, limit)
      : Effect.provide(
        TestClock.testClockWith((own) => driven(effect, own, limit)),
        TestClock.layer()
      ))
