/**
 * A `ClaudeService` that answers from a script, for tests of programs and of policies; and a `ClaudeBatches` that does
 * ({@link batches}).
 *
 * **Details**
 *
 * Each call that reaches the script gets a step, whichever method it uses; a retry is another call. Nothing leaves the
 * process and nothing takes real time: under `VirtualTime.run` an hour of outage passes in milliseconds.
 *
 * A failure looks as it does behind the real client: it has the number of the attempt, the model of the request, a request
 * id if the API answered, and what had arrived of a stream. A request that the client would refuse before sending (no
 * messages, no `max_tokens`) is refused here too and takes no step.
 *
 * A script that is not used up, or that had too few steps, fails the test: see {@link script}.
 *
 * **Example** (Surviving an overload and a cut stream)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import * as VirtualTime from "@effect-claude/testing/VirtualTime"
 * import { assert, it } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
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
 *     const message = yield* claude.createMessage({
 *       model: "claude-sonnet-5-5",
 *       max_tokens: 100,
 *       messages: [{ role: "user", content: "Hello" }]
 *     })
 *     assert.strictEqual(message.stop_reason, "end_turn")
 *
 *     const { calls } = yield* ClaudeTest.ClaudeTest
 *     assert.deepStrictEqual((yield* calls).map(({ attempt, step }) => [attempt, step]), [
 *       [1, "OverloadedError"],
 *       [2, "cut after 3 events"],
 *       [3, `text "hi"`]
 *     ])
 *   }).pipe(Effect.provide(Claude), VirtualTime.run))
 * ```
 *
 * @since 0.1.0
 */
import * as BatchLedger from "@effect-claude/client/BatchLedger"
import { ClaudeBatches } from "@effect-claude/client/ClaudeBatches"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import { isClaudeError } from "@effect-claude/client/ClaudeError"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Fault from "./Fault.ts"
import * as InternalBatchStep from "./internal/script/batch/BatchStep.ts"
import * as ItemAnswer from "./internal/script/batch/ItemAnswer.ts"
import type * as OperationLog from "./internal/script/batch/OperationLog.ts"
import type { BatchScenario } from "./internal/script/batch/ScriptedBatches.ts"
import { makeScriptedBatches } from "./internal/script/batch/ScriptedBatches.ts"
import type * as CallLog from "./internal/script/CallLog.ts"
import * as OptionCheck from "./internal/script/OptionCheck.ts"
import { checkMatch } from "./internal/script/RequestMatch.ts"
import type * as InternalMatch from "./internal/script/RequestMatch.ts"
import type * as InternalScript from "./internal/script/Script.ts"
import { makeRule, Script } from "./internal/script/Script.ts"
import { makeScriptedService } from "./internal/script/ScriptedService.ts"
import { checkSteps } from "./internal/script/Sequence.ts"
import type * as InternalStep from "./internal/script/Step.ts"
import { makeStep } from "./internal/script/Step.ts"
import * as Reply from "./Reply.ts"

/**
 * A step of a script: what `Reply.*` and `Fault.*` make.
 *
 * @category models
 * @since 0.1.0
 */
export interface Step extends InternalStep.Step {}

/**
 * What can stand for a step: a step, or an error with which to fail (see `Fault.of`).
 *
 * @category models
 * @since 0.1.0
 */
export type StepInput = Step | ClaudeError

/**
 * Steps for the calls that are like this. Made by {@link when}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rule extends InternalScript.Rule {}

/**
 * What a call has to be like for a {@link Rule}, in all of the fields that are set.
 *
 * **Details**
 *
 * - `model`: its model. A string is the whole name.
 * - `text`: a text in its messages, of any turn; results of tools included. A string is a part of it.
 * - `system`: a text in its system prompt. A string is a part of it.
 * - `tool`: the name of a tool that it offers.
 * - `toolResult`: the name of a tool whose result its last message brings.
 * - `method`: how it was called. `attempt`: the number that the retry around it gave to the attempt.
 * - `call`: its number among all calls of the script. `nth`: its number among those that are like the rest of the match,
 *   whoever answered them. Both count from 1.
 * - `where`: whatever else; asked about each call.
 *
 * @category models
 * @since 0.1.0
 */
export interface Match extends InternalMatch.RequestMatch {}

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
 * - `remaining`: how many steps nobody has asked for yet; those that go on for ever are not counted.
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
 *   assert.strictEqual(yield* test.remaining, 0)
 *   return (yield* test.calls).map(({ method, request }) => [method, request.model])
 * })
 *
 * const Claude = ClaudeTest.script([Reply.text("Hi")])
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
 * Options of {@link script}.
 *
 * **Details**
 *
 * - `after`: a step for every call that comes when the others are used up; by default there is none.
 * - `strict`: whether steps that are left, and calls for which there was no step, fail the test when it ends [true].
 *
 * @category models
 * @since 0.1.0
 */
export interface ScriptOptions {
  readonly after?: StepInput | undefined
  readonly strict?: boolean | undefined
}

/** Fails with the difference when the scope closes after a success; what failed already keeps its own failure. */
const dieOf = (difference: Effect.Effect<string | undefined>) =>
  Effect.addFinalizer((exit) =>
    Exit.isSuccess(exit)
      ? Effect.flatMap(difference, (text) => text === undefined ? Effect.void : Effect.die(new Error(text)))
      : Effect.void
  )

const stepOf = (input: StepInput): Step => isClaudeError(input) ? Fault.of(input) : input

const lasting = (step: Step): Step => step.times === undefined ? forever(step) : step

const isRule = (part: StepInput | Rule): part is Rule => "match" in part

/**
 * Provides a `ClaudeService` that answers each call with a step, and a {@link ClaudeTest} that shows the calls.
 *
 * **Details**
 *
 * Who answers a call:
 *
 * 1. the first rule (see {@link when}) that it is like and that has a step left, in the order of the script;
 * 2. the next of the steps in order; rules may stand among them and do not count;
 * 3. `after`.
 *
 * Each build of the layer starts with the first step and an empty record. Within a build, calls at the same time get the
 * steps in the order in which they came.
 *
 * A call for which there is no step is a mistake in the test, so it is a defect: no retry and no fallback hides it. The layer
 * fails with a defect, too, when its scope closes after a success and steps are left, a rule that goes on for ever has had no
 * call, or a call had no step: it shows the steps beside the calls. `strict: false` turns that off. A test that fails keeps its
 * own failure.
 *
 * **Gotchas**
 *
 * With `it.layer` the layer closes after the last test of the block, and speaks of the calls of all its tests: the last test
 * fails, or, of a block with a name, the block.
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
 * **Example** (Forgetting a call)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeService.use((claude) =>
 *   Effect.exit(claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }))
 * )
 * const Claude = ClaudeTest.script([Fault.overloaded(), Reply.text("hi")])
 *
 * const defect = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.catchDefect(Effect.succeed)))
 * assert.strictEqual(
 *   String(defect),
 *   `Error: ClaudeTest: 1 step was not used up
 *   steps in order:
 *     1. OverloadedError  call 1: createMessage claude-sonnet-5-5, attempt 1
 *   - 2. text "hi"        no call`
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const script = (
  steps: ReadonlyArray<StepInput | Rule>,
  options: ScriptOptions = {}
): Layer.Layer<ClaudeService | ClaudeTest> => {
  const parts = steps.map((part) => isRule(part) ? part : stepOf(part))
  checkSteps("ClaudeTest.script", parts.flatMap((part) => "match" in part ? [] : [part]))
  const after = options.after === undefined ? undefined : stepOf(options.after)
  const { strict = true } = options
  return Layer.effectContext(Effect.gen(function*() {
    const { calls, difference, remaining, service } = makeScriptedService(new Script(parts, after))
    if (strict) yield* dieOf(difference)
    return Context.make(ClaudeService, service).pipe(Context.add(ClaudeTest, { calls, remaining }))
  }))
}

/**
 * Answers the calls that are like this, before the steps in order do.
 *
 * **Details**
 *
 * A single step answers all of them. A list is used up, one step a call; then the calls go on to the next rule, and to
 * the steps in order. See {@link Match} for the fields and {@link script} for who goes first.
 *
 * **Example** (Letting one model be down)
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
 * const Claude = ClaudeTest.script([
 *   ClaudeTest.when({ model: "claude-opus-5-5" }, Fault.overloaded()),
 *   ClaudeTest.when({ text: /weather/, nth: 2 }, Fault.refusal()),
 *   Reply.text("It is raining.")
 * ], { strict: false }).pipe(ClaudeLayer.withFallback({ models: ["claude-haiku-4-5"] }))
 *
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const message = yield* claude.createMessage({
 *     model: "claude-opus-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "How are you?" }]
 *   })
 *   return message.model
 * })
 *
 * assert.strictEqual(await Effect.runPromise(Effect.provide(program, Claude)), "claude-haiku-4-5")
 * ```
 *
 * @category rules
 * @since 0.1.0
 */
export const when = (match: Match, answer: StepInput | ReadonlyArray<StepInput>): Rule => {
  const steps = isList(answer) ? answer.map(stepOf) : [lasting(stepOf(answer))]
  if (steps.length === 0) throw new RangeError("ClaudeTest.when: a rule needs a step")
  return makeRule(checkMatch("ClaudeTest.when", match), checkSteps("ClaudeTest.when", steps))
}

/**
 * Fails all calls in the same way; or gives all of them the same answer.
 *
 * **Example** (Stopping at a spend limit)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.always(Fault.spendLimit()).pipe(ClaudeLayer.withRetry())
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const { calls } = yield* ClaudeTest.ClaudeTest
 *   const error = yield* Effect.flip(claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }))
 *   return [error._tag, (yield* calls).length]
 * })
 *
 * assert.deepStrictEqual(await Effect.runPromise(Effect.provide(program, Claude)), ["SpendLimitError", 1])
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const always = (step: StepInput): Layer.Layer<ClaudeService | ClaudeTest> => script([], { after: step })

/**
 * Fails so many calls and answers all that come after them, with `then` [the text "OK"].
 *
 * **Details**
 *
 * As with every script, fewer calls than `count` fail the test.
 *
 * **Example** (Recovering from two overloads)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as VirtualTime from "@effect-claude/testing/VirtualTime"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.failTimes(2, Fault.overloaded()).pipe(ClaudeLayer.withRetry())
 * const program = ClaudeService.use((claude) =>
 *   claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * )
 *
 * const message = await Effect.runPromise(program.pipe(Effect.provide(Claude), VirtualTime.run))
 * assert.deepStrictEqual(message.content, [{ type: "text", text: "OK", citations: null }])
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const failTimes = (
  count: number,
  error: StepInput,
  then: StepInput = Reply.text("OK")
): Layer.Layer<ClaudeService | ClaudeTest> =>
  script([repeated("ClaudeTest.failTimes", "count", stepOf(error), count)], { after: then })

/**
 * A script without a step, for a test that no call is made.
 *
 * **Example** (Asking nobody for nothing)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const summarize = (text: string) =>
 *   text === "" ? Effect.succeed("") : Effect.map(
 *     ClaudeService.use((claude) =>
 *       claude.createMessage({
 *         model: "claude-sonnet-5-5",
 *         max_tokens: 100,
 *         messages: [{ role: "user", content: text }]
 *       })
 *     ),
 *     ({ content }) => content.flatMap((block) => block.type === "text" ? [block.text] : []).join("")
 *   )
 *
 * assert.strictEqual(await Effect.runPromise(summarize("").pipe(Effect.provide(ClaudeTest.empty))), "")
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const empty: Layer.Layer<ClaudeService | ClaudeTest> = script([])

/**
 * A step for an operation on batches.
 *
 * **Details**
 *
 * - `"works"`: as it does when there are no steps.
 * - A fault (or an error) that fails, or that hangs: the operation is not done.
 * - `{ done: fault }`: the operation is done, and its answer is lost; of `create`, the batch is made and nobody knows.
 *
 * @category models
 * @since 0.1.0
 */
export type BatchStep = InternalBatchStep.OperationStep

/**
 * A step for the download of results: a {@link BatchStep}; or `{ cutAfter: 2 }`, which breaks off after two of them; or
 * `{ unreadable: 1 }`, of which one line cannot be read.
 *
 * @category models
 * @since 0.1.0
 */
export type ResultsStep = InternalBatchStep.ResultsStep

/**
 * What becomes of a request of a batch: a reply, a fault (or an error), `"expired"` or `"canceled"`.
 *
 * @category models
 * @since 0.1.0
 */
export type BatchAnswer = ItemAnswer.ItemAnswer

/**
 * Options of {@link batches}.
 *
 * **Details**
 *
 * - `endsAfter`: how long each batch is in progress [1 minute]. After 24 hours it ends in any case, and what had not had its
 *   turn is expired.
 * - `outcomes`: what becomes of a request, by its `custom_id`, or by a function of the request and how many times it has been
 *   submitted. The nth entry of a list is for the nth submission, the last for all after it. The rest is answered with "OK".
 * - `steps`: what the operations do in order, one list each; after them they work.
 * - `strict`: whether steps that are left fail the test when it ends [true].
 *
 * @category models
 * @since 0.1.0
 */
export interface BatchOptions {
  readonly endsAfter?: Duration.Input | undefined
  readonly outcomes?: ItemAnswer.ItemAnswers | undefined
  readonly steps?: {
    readonly create?: ReadonlyArray<BatchStep> | undefined
    readonly retrieve?: ReadonlyArray<BatchStep> | undefined
    readonly list?: ReadonlyArray<BatchStep> | undefined
    readonly cancel?: ReadonlyArray<BatchStep> | undefined
    readonly delete?: ReadonlyArray<BatchStep> | undefined
    readonly results?: ReadonlyArray<ResultsStep> | undefined
  } | undefined
  readonly strict?: boolean | undefined
}

/**
 * An operation on batches that was asked for.
 *
 * **Details**
 *
 * - `operation`: which of them. `batchId`: of which batch; of `create`, the one that was made, if it was.
 * - `items`: what `create` was given.
 * - `attempt`, `at`, `endedAt`, `step`, `outcome`: as of a {@link RecordedCall}.
 *
 * @category models
 * @since 0.1.0
 */
export type RecordedOperation = OperationLog.RecordedOperation

/**
 * What a script of batches knows: the `operations` that were asked for, in order, and how many steps `remain`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClaudeBatchTestShape {
  readonly operations: Effect.Effect<ReadonlyArray<RecordedOperation>>
  readonly remaining: Effect.Effect<number>
}

/**
 * Shows what was asked of scripted batches. Provided by {@link batches} beside the `ClaudeBatches`.
 *
 * **Example** (Counting the polls)
 *
 * ```ts
 * import * as BatchJob from "@effect-claude/client/BatchJob"
 * import { ClaudeBatches } from "@effect-claude/client/ClaudeBatches"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as VirtualTime from "@effect-claude/testing/VirtualTime"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 *
 * const program = Effect.gen(function*() {
 *   const batches = yield* ClaudeBatches
 *   const { id } = yield* batches.create([{
 *     custom_id: "doc-1",
 *     params: { model: "claude-sonnet-5-5", max_tokens: 100, messages: [{ role: "user", content: "Hello" }] }
 *   }])
 *   yield* BatchJob.wait(id, { schedule: Schedule.spaced("25 seconds") })
 *   const test = yield* ClaudeTest.ClaudeBatchTest
 *   return (yield* test.operations).map(({ at, operation }) => [at, operation])
 * })
 *
 * assert.deepStrictEqual(await Effect.runPromise(program.pipe(Effect.provide(ClaudeTest.batches()), VirtualTime.run)), [
 *   [0, "create"],
 *   [0, "retrieve"],
 *   [25_000, "retrieve"],
 *   [50_000, "retrieve"],
 *   [75_000, "retrieve"]
 * ])
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class ClaudeBatchTest extends Context.Service<ClaudeBatchTest, ClaudeBatchTestShape>()(
  "@effect-claude/testing/ClaudeBatchTest"
) {}

const scenarioOf = ({ endsAfter = "1 minute", outcomes = {}, steps = {} }: BatchOptions): BatchScenario => {
  const owner = "ClaudeTest.batches"
  const entries = (list: ReadonlyArray<ResultsStep> = []) =>
    checkSteps(owner, list.map((step) => InternalBatchStep.operationEntry(owner, step)))
  const ok = Reply.text("OK")
  return {
    processing: OptionCheck.duration(owner, "endsAfter", endsAfter),
    answer: (item, submission) => ItemAnswer.answerFor(outcomes, item, submission) ?? ok,
    steps: {
      create: entries(steps.create),
      retrieve: entries(steps.retrieve),
      list: entries(steps.list),
      cancel: entries(steps.cancel),
      delete: entries(steps.delete),
      results: entries(steps.results)
    }
  }
}

/**
 * Provides a `ClaudeBatches` in memory, and a {@link ClaudeBatchTest} that shows what was asked of it.
 *
 * **Details**
 *
 * Batches are what they are at the API: in progress, then ended for all of their requests, canceled in between, expired after
 * 24 hours, without results after 29 days. All time is the `Clock`'s. Results come one at a time and not in the order of
 * the requests. Requests that the client would refuse before sending are refused here too and take no step.
 *
 * Steps that are left when the scope of the layer closes after a success are a defect, as with {@link script}.
 *
 * **Example** (Losing the answer, then a request, then half of the results)
 *
 * ```ts
 * import * as BatchJob from "@effect-claude/client/BatchJob"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import * as VirtualTime from "@effect-claude/testing/VirtualTime"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const Batches = ClaudeTest.batches({
 *   endsAfter: "10 minutes",
 *   outcomes: { "doc-2": ["expired", Reply.text("At last")] },
 *   steps: { create: [{ done: Fault.connection() }], results: [{ cutAfter: 1 }] }
 * })
 * const item = (id: string) => ({
 *   custom_id: id,
 *   params: { model: "claude-sonnet-5-5", max_tokens: 100, messages: [{ role: "user" as const, content: `Read ${id}` }] }
 * })
 * const job = BatchJob.run([item("doc-1"), item("doc-2")], { onDuplicate: "adopt" })
 *
 * const outcomes = await Effect.runPromise(Stream.runCollect(job).pipe(Effect.provide(Batches), VirtualTime.run))
 * assert.deepStrictEqual(
 *   outcomes.map(({ _tag, customId, submissions }) => [customId, _tag, submissions]).toSorted(),
 *   [["doc-1", "Succeeded", 1], ["doc-2", "Succeeded", 2]]
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const batches = (options: BatchOptions = {}): Layer.Layer<ClaudeBatches | ClaudeBatchTest> => {
  const scenario = scenarioOf(options)
  return Layer.effectContext(Effect.gen(function*() {
    const { difference, operations, remaining, service } = makeScriptedBatches(scenario, yield* BatchLedger.makeMemory)
    if (options.strict !== false) yield* dieOf(difference)
    return Context.make(ClaudeBatches, service).pipe(Context.add(ClaudeBatchTest, { operations, remaining }))
  }))
}

const isList = (input: StepInput | ReadonlyArray<StepInput>): input is ReadonlyArray<StepInput> => Array.isArray(input)

const repeated = <S extends Step>(
  owner: string,
  option: string,
  { behavior, delay, label }: S,
  count: number
): InternalStep.Step<S["behavior"]> =>
  makeStep(label, behavior, { delay, times: OptionCheck.count(owner, option, count) })

/**
 * Gives a step to so many calls, one after another.
 *
 * **Example** (Failing in two ways)
 *
 * ```ts
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 *
 * const Claude = ClaudeTest.script([
 *   Fault.overloaded().pipe(ClaudeTest.times(3)),
 *   Fault.connection().pipe(ClaudeTest.times(2)),
 *   Reply.text("At last")
 * ])
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const times: {
  (count: number): <S extends Step>(self: S) => InternalStep.Step<S["behavior"]>
  <S extends Step>(self: S, count: number): InternalStep.Step<S["behavior"]>
} = dual(
  2,
  <S extends Step>(self: S, count: number): InternalStep.Step<S["behavior"]> =>
    repeated("ClaudeTest.times", "count", self, count)
)

/**
 * Gives a step to all calls from here on. No step in order may come after it.
 *
 * **Example** (Answering in a conversation of any length)
 *
 * ```ts
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 *
 * const Claude = ClaudeTest.script([
 *   ClaudeTest.when({ text: "Goodbye" }, [Reply.text("Bye!")]),
 *   Reply.text("Hello"),
 *   ClaudeTest.forever(Reply.text("And then?"))
 * ])
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const forever = <S extends Step>({ behavior, delay, label }: S): InternalStep.Step<S["behavior"]> =>
  makeStep(label, behavior, { delay, times: Infinity })

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
    makeStep(self.label, self.behavior, {
      delay: Duration.sum(self.delay, OptionCheck.duration("ClaudeTest.delayed", "duration", duration)),
      times: self.times
    })
)
