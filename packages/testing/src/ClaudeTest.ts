/**
 * A `ClaudeService` that answers from a script, for tests of programs and of policies.
 *
 * **Details**
 *
 * Each call that reaches the script gets the next step, whichever method it uses; a retry is another call. Nothing leaves
 * the process and nothing takes real time: under `TestClock` an hour of outage passes in milliseconds.
 *
 * A failure looks as it does behind the real client: it has the number of the attempt, the model of the request, a request
 * id if the API answered, and what had arrived of a stream. A request that the client would refuse before sending (no
 * messages, no `max_tokens`) is refused here too and takes no step.
 *
 * **Example** (Surviving an overload and a cut stream)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert, it } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Fiber from "effect/Fiber"
 * import * as TestClock from "effect/testing/TestClock"
 *
 * const Claude = ClaudeTest.script([
 *   Fault.overloaded(),
 *   Fault.cutStream({ afterEvents: 3 }),
 *   Reply.text("hi")
 * ]).pipe(ClaudeLayer.withRetry())
 *
 * it.effect("answers in the third attempt", () =>
 *   Effect.gen(function*() {
 *     const claude = yield* ClaudeService
 *     const test = yield* ClaudeTest.ClaudeTest
 *     const fiber = yield* Effect.forkChild(claude.createMessage({
 *       model: "claude-sonnet-5-5",
 *       max_tokens: 100,
 *       messages: [{ role: "user", content: "Hello" }]
 *     }))
 *     yield* TestClock.adjust("1 minute")
 *     const message = yield* Fiber.join(fiber)
 *
 *     assert.strictEqual(message.stop_reason, "end_turn")
 *     const calls = yield* test.calls
 *     assert.deepStrictEqual(calls.map(({ attempt, outcome }) => [attempt, outcome._tag]), [
 *       [1, "Failed"],
 *       [2, "Failed"],
 *       [3, "Succeeded"]
 *     ])
 *   }).pipe(Effect.provide(Claude)))
 * ```
 *
 * @since 0.1.0
 */
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as CallLog from "./internal/script/CallLog.ts"
import * as OptionCheck from "./internal/script/OptionCheck.ts"
import { makeScriptedService } from "./internal/script/ScriptedService.ts"
import type * as InternalStep from "./internal/script/Step.ts"
import { makeStep } from "./internal/script/Step.ts"

/**
 * A step of a script: what `Reply.*` and `Fault.*` make.
 *
 * @category models
 * @since 0.1.0
 */
export interface Step extends InternalStep.Step {}

/**
 * A call that reached the script.
 *
 * **Details**
 *
 * - `method`, `request`, `options`: what was asked, as it arrived under all policies. `method` tells the types of `request`
 *   apart.
 * - `attempt`: the number that the retry around it gave to the attempt, counted from 1.
 * - `at`, `endedAt`: when it came and when it ended, in milliseconds of the `Clock`. A stream comes when it is run; `endedAt`
 *   is undefined as long as it is `Pending`.
 * - `step`: what the script did with it, in a few words such as `OverloadedError`, `text "hi"` or `cut after 3 events`;
 *   undefined if there was no step.
 * - `outcome`: how it ended, or `Pending`.
 *
 * @category models
 * @since 0.1.0
 */
export type RecordedCall = CallLog.RecordedCall

/**
 * How a call ended.
 *
 * **Details**
 *
 * - `Pending`: it has not.
 * - `Succeeded`: the answer arrived; of a stream, its last event.
 * - `Failed`: with `error`.
 * - `Interrupted`: the caller lost interest; of a stream, before its last event.
 * - `Died`: with `defect`; such as for a call that had no step.
 *
 * @category models
 * @since 0.1.0
 */
export type CallOutcome = CallLog.CallOutcome

/**
 * What a script knows about the calls that reached it.
 *
 * **Details**
 *
 * - `calls`: what has come so far, in order.
 * - `remaining`: how many steps nobody has asked for yet; the step of `after` is not counted.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClaudeTestShape {
  readonly calls: Effect.Effect<ReadonlyArray<RecordedCall>>
  readonly remaining: Effect.Effect<number>
}

/**
 * Shows what reached a script. Provided by {@link script} beside the `ClaudeService`, and kept by the layers around it.
 *
 * **Example** (Looking at the request that a program made)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   const test = yield* ClaudeTest.ClaudeTest
 *   assert.strictEqual(yield* test.remaining, 1)
 *   return (yield* test.calls).map(({ method, request }) => [method, request.model])
 * })
 *
 * const Claude = ClaudeTest.script([Reply.text("One"), Reply.text("Two")])
 * assert.deepStrictEqual(
 *   await Effect.runPromise(Effect.provide(program, Claude)),
 *   [["createMessage", "claude-sonnet-5-5"]]
 * )
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class ClaudeTest extends Context.Service<ClaudeTest, ClaudeTestShape>()(
  "@effect-claude/testing/ClaudeTest"
) {}

/**
 * Options of {@link script}. `after` is a step for every call that comes when the others are used up; by default there is
 * none.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScriptOptions {
  readonly after?: Step | undefined
}

/**
 * Provides a `ClaudeService` that answers each call with the next step, and a {@link ClaudeTest} that shows the calls.
 *
 * **Details**
 *
 * Each build of the layer starts with the first step and an empty record. Within a build, calls at the same time get the
 * steps in the order in which they came.
 *
 * **Gotchas**
 *
 * A call that finds no step is a mistake in the test, so it is a defect: no retry and no fallback hides it. A script
 * `[]` is a test that no call is made.
 *
 * **Example** (Testing an outage that does not end)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([], { after: Fault.overloaded() }).pipe(
 *   ClaudeLayer.withFallback({ answer: () => Reply.message("Please come back later.") })
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const message = yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   return message.content
 * })
 *
 * assert.deepStrictEqual(
 *   await Effect.runPromise(Effect.provide(program, Claude)),
 *   Reply.message("Please come back later.").content
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const script = (
  steps: ReadonlyArray<Step>,
  options: ScriptOptions = {}
): Layer.Layer<ClaudeService | ClaudeTest> =>
  Layer.syncContext(() => {
    const { calls, remaining, service } = makeScriptedService({ steps: [...steps], after: options.after })
    return Context.make(ClaudeService, service).pipe(Context.add(ClaudeTest, { calls, remaining }))
  })

/**
 * Lets some time pass before anything of an answer, or of a failure, arrives. Delays of one step add up.
 *
 * **Details**
 *
 * The time passes on the `Clock`. A limit on the wait for headers (`ClaudeLayer.withAttemptTimeout({ headers })`) applies to
 * it. For a silence within a stream see `Reply.pause` and `Fault.stallStream`.
 *
 * **Example** (Answering too late)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Reply.text("hi").pipe(ClaudeTest.delayed("2 seconds"))]).pipe(
 *   ClaudeLayer.withAttemptTimeout({ headers: "10 millis" })
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * })
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag === "AttemptTimeoutError" && error.phase, "headers")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const delayed: {
  (duration: Duration.Input): <S extends Step>(self: S) => InternalStep.Step<S["behavior"]>
  <S extends Step>(self: S, duration: Duration.Input): InternalStep.Step<S["behavior"]>
} = dual(
  2,
  <S extends Step>(self: S, duration: Duration.Input): InternalStep.Step<S["behavior"]> =>
    makeStep(
      self.label,
      self.behavior,
      Duration.sum(self.delay, OptionCheck.duration("ClaudeTest.delayed", "duration", duration))
    )
)
