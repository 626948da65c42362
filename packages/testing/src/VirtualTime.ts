/**
 * Time that passes by itself when a program waits, in no real time.
 *
 * **When to use**
 *
 * Use in place of a fork, `TestClock.adjust` and a join, wherever a test is about what happens and not about when a test
 * looks: {@link run} moves the clock to the next sleep whenever nothing else is left to do.
 *
 * **Example** (Testing retries without moving a clock)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import * as VirtualTime from "@effect-claude/testing/VirtualTime"
 * import { assert, it } from "@effect/vitest"
 * import * as Clock from "effect/Clock"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([
 *   Fault.rateLimit({ retryAfter: "12 seconds" }),
 *   Reply.text("hi")
 * ]).pipe(ClaudeLayer.withRetry())
 *
 * it.effect("waits as long as the server asks", () =>
 *   Effect.gen(function*() {
 *     const claude = yield* ClaudeService
 *     yield* claude.createMessage({
 *       model: "claude-sonnet-5-5",
 *       max_tokens: 100,
 *       messages: [{ role: "user", content: "Hello" }]
 *     })
 *     assert.isAtLeast(yield* Clock.currentTimeMillis, 12_000)
 *   }).pipe(Effect.provide(Claude), VirtualTime.run))
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as OptionCheck from "./internal/script/OptionCheck.ts"
import { underVirtualTime } from "./internal/time/Drive.ts"

/**
 * Options of {@link run}. `limit` is how much virtual time the effect may take [1 day]; it is there for effects that would
 * never end while something in the background goes on sleeping.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunOptions {
  readonly limit?: Duration.Input | undefined
}

/**
 * Runs an effect under a `TestClock` and moves the clock to the next sleep whenever nothing else is left to do.
 *
 * **Details**
 *
 * The clock is that of the test (`it.effect`, `it.layer`), so that sleeps of layers and of fibers that were there before
 * pass as well; without a `TestClock` the effect gets one of its own. Sleeps wake one at a time, in order, and each sees
 * exactly its time. Before the clock moves, all fibers and all promises have come as far as they can: also the SDK
 * over a `fetch` in memory.
 *
 * The effect passes time with `Effect.sleep`. `TestClock.adjust` within it is such a sleep.
 *
 * It fails with a defect
 *
 * - when it has not ended after `limit` [1 day] of virtual time;
 * - when it waits and nobody sleeps, so that nothing could ever end it. For what comes from outside of the process (a file, a
 *   thread) it waits half a second of real time before.
 *
 * **Gotchas**
 *
 * - A fiber that never rests, such as a loop without a sleep in this or another test of the process, keeps time from moving. The
 *   timeout of the runner ends that.
 * - Fake timers of a runner stop Effect itself, unless they leave out `setImmediate`: `vi.useFakeTimers({ toFake: ["Date"] })`.
 * - Time does not wait for sockets and files: a program that uses them next to timeouts is tested with `it.live`.
 * - A fiber of the background that sleeps a second at a time makes the default limit 86,400 steps, some seconds of real time;
 *   one that sleeps for less needs a lower `limit`.
 * - One run at a time moves a clock. A run within another leaves the time, and the limit, to the outer one; in place of two
 *   runs side by side, run both effects in one.
 *
 * **Example** (Passing an hour of sleep)
 *
 * ```ts
 * import * as VirtualTime from "@effect-claude/testing/VirtualTime"
 * import { assert } from "@effect/vitest"
 * import * as Clock from "effect/Clock"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   yield* Effect.sleep("1 hour")
 *   return yield* Clock.currentTimeMillis
 * })
 *
 * assert.strictEqual(await Effect.runPromise(VirtualTime.run(program)), 3_600_000)
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const run = <A, E, R>(self: Effect.Effect<A, E, R>, options: RunOptions = {}): Effect.Effect<A, E, R> =>
  underVirtualTime(self, OptionCheck.duration("VirtualTime.run", "limit", options.limit ?? "1 day"))
