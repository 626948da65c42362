/**
 * What happened in a test, as text: each call that reached the script with its time, attempt, model and end, and what the
 * policies decided in between.
 *
 * **When to use**
 *
 * `ClaudeVitest` and `ClaudeAssert` print a timeline by themselves when a test fails. Use this module to print one in another
 * runner, in a demo, or while a test is written.
 *
 * **Details**
 *
 * A timeline shows nothing of a prompt, of an answer or of an error's message, and no key: of an answer it has the name of the
 * script's step. Under `TestClock` it is the same in each run, so that it can be compared as text. A long one is shortened in
 * its middle.
 *
 * **Example** (Printing what a retry did)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import * as Timeline from "@effect-claude/testing/Timeline"
 * import * as VirtualTime from "@effect-claude/testing/VirtualTime"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 *
 * const Claude = ClaudeTest.script([Fault.overloaded(), Reply.text("hi")]).pipe(
 *   ClaudeLayer.withRetry(Schedule.spaced("2 seconds"))
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   return yield* Timeline.current
 * }).pipe(Timeline.watch, Effect.provide(Claude), VirtualTime.run)
 *
 * assert.deepStrictEqual((await Effect.runPromise(program)).split("\n"), [
 *   `     0.000 s  #1 attempt 1  claude-sonnet-5-5  createMessage  OverloadedError (529)`,
 *   `     0.000 s     retry in 2s after OverloadedError, overloaded`,
 *   `     2.000 s  #2 attempt 2  claude-sonnet-5-5  createMessage  text "hi"`
 * ])
 * ```
 *
 * @since 0.1.0
 */
import type { CallEvent } from "@effect-claude/client/ClaudeEvents"
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import type { ResilienceEvent } from "@effect-claude/resilience/ResilienceEvent"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { RecordedCall } from "./ClaudeTest.ts"
import { ClaudeTest } from "./ClaudeTest.ts"
import { linesOf, shorten } from "./internal/timeline/Lines.ts"
import { begin, CurrentRecording, watchInto } from "./internal/timeline/Recording.ts"

/**
 * An event with its time, such as those of `ClaudeEvents.stream`. `afterCalls` is how many calls had reached the script, which
 * places an event among calls of the same time; without it, it comes after them.
 *
 * @category models
 * @since 0.1.0
 */
export interface TimelineEvent {
  readonly at: number
  readonly event: CallEvent | ResilienceEvent
  readonly afterCalls?: number | undefined
}

/**
 * Options of {@link render}.
 *
 * **Details**
 *
 * - `events`: what else happened; nothing.
 * - `from`: the time that is shown as 0, in milliseconds; 0.
 * - `maxLines`: how many lines are shown before the middle is left out; 40.
 *
 * @category models
 * @since 0.1.0
 */
export interface RenderOptions {
  readonly events?: ReadonlyArray<TimelineEvent> | undefined
  readonly from?: number | undefined
  readonly maxLines?: number | undefined
}

const defaultLines = 40

const nothing = "no call was made"

/**
 * Writes calls, and events if there are some, as lines in the order of time. Throws a `RangeError` for `maxLines` that are no
 * whole number of at least 1.
 *
 * **Example** (Writing the calls of a script)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import * as Timeline from "@effect-claude/testing/Timeline"
 * import * as VirtualTime from "@effect-claude/testing/VirtualTime"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   yield* claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 *   const test = yield* ClaudeTest.ClaudeTest
 *   return Timeline.render(yield* test.calls)
 * }).pipe(Effect.provide(ClaudeTest.script([Reply.text("hi")])), VirtualTime.run)
 *
 * assert.strictEqual(
 *   await Effect.runPromise(program),
 *   `     0.000 s  #1 attempt 1  claude-sonnet-5-5  countTokens  text "hi"`
 * )
 * ```
 *
 * @category rendering
 * @since 0.1.0
 */
export const render = (calls: ReadonlyArray<RecordedCall>, options: RenderOptions = {}): string => {
  const most = options.maxLines ?? defaultLines
  if (!Number.isSafeInteger(most) || most < 1) {
    throw OptionCheck.refuse("Timeline.render", "maxLines", "a whole number of at least 1", most)
  }
  const lines = linesOf(calls, options.events ?? [], options.from ?? 0)
  return lines.length === 0 ? nothing : shorten(lines, most).join("\n")
}

/**
 * Notes what policies decide while an effect runs, so that {@link current} can show it. Needs neither telemetry nor a hub of events.
 *
 * **Details**
 *
 * Put it inside of the `Effect.provide` of the layer: where it can see the script, it knows which call an event followed. The
 * first 5,000 events are kept.
 *
 * **Example** (Seeing when a circuit opened)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Timeline from "@effect-claude/testing/Timeline"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Fault.overloaded()]).pipe(
 *   ClaudeLayer.withCircuitBreaker({ failures: 1, openFor: "1 minute" })
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   yield* Effect.flip(claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }))
 *   return yield* Timeline.current
 * }).pipe(Timeline.watch, Effect.provide(Claude))
 *
 * assert.include(await Effect.runPromise(program), `circuit "claude-sonnet-5-5" opened for 1m: consecutive`)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const watch = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(begin, (recording) => watchInto(self, recording))

/**
 * The timeline so far: the calls of the script in the context, if there is one, and what {@link watch} has noted.
 *
 * **Example** (Asking where nothing happened)
 *
 * ```ts
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Timeline from "@effect-claude/testing/Timeline"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const current = Timeline.current.pipe(Effect.provide(ClaudeTest.empty))
 * assert.strictEqual(await Effect.runPromise(current), "no call was made")
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const current: Effect.Effect<string> = Effect.gen(function*() {
  const script = yield* Effect.serviceOption(ClaudeTest)
  const recording = yield* CurrentRecording
  const calls = Option.isSome(script) ? yield* script.value.calls : []
  const timeline = render(calls, { events: recording?.events, from: recording?.startedAt })
  return timeline === nothing && Option.isNone(script)
    ? "no call is known: there is no ClaudeTest in the context"
    : timeline
})
