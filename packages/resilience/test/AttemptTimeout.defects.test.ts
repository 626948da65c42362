import * as AttemptTimeout from "@effect-claude/resilience/AttemptTimeout"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

const broken = new Error("a function of the user's")

const throws = () => {
  throw broken
}

/** What the consumer of a stream gets within a minute, and whether the source was released. */
const consume = <E>(
  source: Stream.Stream<number>,
  guard: (source: Stream.Stream<number>) => Stream.Stream<number, E>
) =>
  Effect.gen(function*() {
    let isReleased = false
    const tracked = Stream.ensuring(source, Effect.sync(() => (isReleased = true)))
    const fiber = yield* Effect.forkChild(Stream.runDrain(guard(tracked)))
    yield* TestClock.adjust("1 minute")
    const exit = fiber.pollUnsafe()
    yield* Fiber.interrupt(fiber)
    return { exit, isReleased }
  })

describe("streamWithTimeouts with a function that throws", () => {
  it.effect("onTimeout: the consumer gets the defect and does not wait for ever", () =>
    Effect.gen(function*() {
      const { exit, isReleased } = yield* consume(
        Stream.never,
        AttemptTimeout.streamWithTimeouts({ idle: "1 second", onTimeout: throws })
      )
      assert.strictEqual(exit !== undefined && Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit, broken)
      assert.isTrue(isReleased)
    }))

  it.effect("isEvent: the same", () =>
    Effect.gen(function*() {
      const { exit, isReleased } = yield* consume(
        Stream.concat(Stream.make(1), Stream.never),
        AttemptTimeout.streamWithTimeouts({ firstEvent: "1 second", isEvent: throws })
      )
      assert.strictEqual(exit !== undefined && Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit, broken)
      assert.isTrue(isReleased)
    }))
})
