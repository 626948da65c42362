/**
 * Work that is done in message batches: submitted, waited for, collected, and submitted again where the server failed.
 *
 * **When to use**
 *
 * Use {@link run} for a job from beginning to end. The other functions are its parts, for a program that submits in one process
 * and collects in another.
 *
 * **Details**
 *
 * - {@link submit} checks the items, cuts them into batches, and keeps a ledger of what was submitted;
 * - {@link wait} asks for a batch until it has ended;
 * - {@link results} and {@link collect} read outcomes, each once, also when the file of results breaks off;
 * - {@link run} does all of it, and {@link resume} goes on with batches whose ids are known.
 *
 * The items are a `Stream` or anything iterable. They are read as they are needed: no more than one batch of them is in memory.
 *
 * **Gotchas**
 *
 * An interrupt or a failure ends the job and leaves its batches alone: they go on, are billed, and can be picked up again.
 * `ClaudeBatches.cancel` ends one.
 *
 * The error of an `Errored` outcome has the API's own words. For other calls they are searched for text of the prompt; here the
 * requests are no longer in memory to compare with.
 *
 * **Example** (Doing a job)
 *
 * ```ts
 * import * as BatchJob from "@effect-claude/client/BatchJob"
 * import * as ClaudeBatches from "@effect-claude/client/ClaudeBatches"
 * import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 * import * as Stream from "effect/Stream"
 *
 * const items = ["Paris", "Rome", "Oslo"].map((city): ClaudeBatches.BatchItem => ({
 *   custom_id: city,
 *   params: {
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: `What is ${city} known for?` }]
 *   }
 * }))
 *
 * // The middle one expires the first time.
 * const plan = { batches: { outcomes: [{ outcome: "expired", customId: "^Rome$", times: 1 }] } } as const
 * const Batches = Layer.unwrap(Effect.gen(function*() {
 *   const api = yield* FakeClaudeApi.FakeClaudeApi
 *   return ClaudeBatches.layer({ apiKey: Redacted.make("sk-ant-example"), baseUrl: api.url })
 * })).pipe(Layer.provide(FakeClaudeApi.layer({ plan })))
 *
 * const outcomes = await Effect.runPromise(
 *   BatchJob.run(items).pipe(Stream.runCollect, Effect.provide(Batches))
 * )
 * const rome = outcomes.find(({ customId }) => customId === "Rome")
 * assert.strictEqual(outcomes.length, 3)
 * assert.strictEqual(rome?._tag, "Succeeded")
 * assert.strictEqual(rome?.submissions, 2)
 * ```
 *
 * @since 0.1.0
 */
import type { MessageBatch } from "@anthropic-ai/sdk/resources/messages/batches"
import { retry } from "@effect-claude/resilience/Retry"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type {
  BatchLedgerError,
  BatchNotEndedError,
  DuplicateBatchError,
  IncompleteResultsError,
  UnknownSubmissionError
} from "./BatchError.ts"
import type { BatchOutcome } from "./BatchOutcome.ts"
import { type BatchItem, ClaudeBatches } from "./ClaudeBatches.ts"
import type { ClaudeError } from "./ClaudeError.ts"
import type { ClaudeSchedule } from "./ClaudeSchedule.ts"
import { isReadOnce, reread, streamOf } from "./internal/batch/itemSource.ts"
import { collectBatch, outcomesOf, planOf, submitItems, waitFor } from "./internal/batch/jobParts.ts"
import { jobSettings, runSettings, submitSettings, waitSettings } from "./internal/batch/jobSettings.ts"
import { runWork } from "./internal/batch/runWork.ts"
import { checkItems } from "./internal/batch/splitItems.ts"
import { defaultPolls } from "./internal/batch/waitForBatch.ts"

/**
 * The requests of a job. For anything asynchronous use `Stream.fromAsyncIterable`.
 *
 * **Gotchas**
 *
 * {@link run} reads them twice, to check them all before it sends the first, and once more for each further round. A stream or
 * an iterable has to give the same items each time; an iterator that is used up by one reading is refused.
 *
 * @category models
 * @since 0.1.0
 */
export type BatchItems<E = never, R = never> = Iterable<BatchItem> | Stream.Stream<BatchItem, E, R>

/**
 * How a submission fails.
 *
 * @category errors
 * @since 0.1.0
 */
export type SubmitError = ClaudeError | DuplicateBatchError | UnknownSubmissionError | BatchLedgerError

/**
 * How waiting for a batch, or reading its results, fails.
 *
 * @category errors
 * @since 0.1.0
 */
export type CollectError = ClaudeError | BatchNotEndedError | IncompleteResultsError

/**
 * A batch that holds a part of the work. `adopted` says that it was there already and nothing was submitted; `customIds` are
 * its requests, in order.
 *
 * @category models
 * @since 0.1.0
 */
export interface SubmittedBatch {
  readonly id: string
  readonly customIds: ReadonlyArray<string>
  readonly adopted: boolean
}

/**
 * Something that happened to a job.
 *
 * **Details**
 *
 * | event | when |
 * | --- | --- |
 * | `Submitted` | a batch was made, or found to be there already (`adopted`); `submissions` is 1 for the first round |
 * | `Polled` | a batch was asked for; `batch` is what the API says of it |
 * | `PollFailed` | it was asked for and did not answer. It will be asked for again |
 * | `ResultsInterrupted` | a file of results broke off after so many outcomes. It is read again if the schedule allows |
 * | `Resubmitting` | so many requests are submitted again |
 *
 * @category models
 * @since 0.1.0
 */
export type BatchEvent =
  | {
    readonly _tag: "Submitted"
    readonly batchId: string
    readonly count: number
    readonly submissions: number
    readonly adopted: boolean
  }
  | { readonly _tag: "Polled"; readonly batchId: string; readonly batch: MessageBatch }
  | { readonly _tag: "PollFailed"; readonly batchId: string; readonly error: ClaudeError }
  | {
    readonly _tag: "ResultsInterrupted"
    readonly batchId: string
    readonly received: number
    readonly expected: number
    readonly error: CollectError
  }
  | { readonly _tag: "Resubmitting"; readonly count: number; readonly submissions: number }

/**
 * What all parts of a job take.
 *
 * **Details**
 *
 * - `headers`: sent along with each request, such as `anthropic-workspace-id`;
 * - `retry`: what to do when a request of the job itself fails [`ClaudeSchedule.patient`, 10 attempts];
 * - `onEvent`: hears what happens. It runs within the job, so it has to be quick.
 *
 * @category options
 * @since 0.1.0
 */
export interface JobOptions {
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly retry?: ClaudeSchedule | undefined
  readonly onEvent?: ((event: BatchEvent) => void) | undefined
}

/**
 * How items are submitted.
 *
 * **Details**
 *
 * - `maxItems` [100,000] and `maxBytes` [256 MB]: where a batch ends. The defaults are the API's limits;
 * - `onDuplicate`: what to do about work that the ledger knows. `"fail"` [default] with a `DuplicateBatchError`; `"adopt"` takes
 *   the batch that is there, if its results are still kept, and submits otherwise; `"submit"` submits it a second time;
 * - `settle` [1 minute]: a submission that broke off may have made a batch. For so long it is looked for, by its time and its
 *   number of requests. None means that it was not made, and is submitted again as `retry` says. One or more are an
 *   `UnknownSubmissionError`; with `"adopt"` a single one is taken for it. With `"submit"` nothing is looked for.
 *
 * @category options
 * @since 0.1.0
 */
export interface SubmitOptions extends JobOptions {
  readonly maxItems?: number | undefined
  readonly maxBytes?: number | undefined
  readonly onDuplicate?: "fail" | "adopt" | "submit" | undefined
  readonly settle?: Duration.Input | undefined
}

/**
 * How a batch is waited for.
 *
 * **Details**
 *
 * - `schedule` [{@link pollSchedule}]: the waits between two polls. Its input is what the last poll said, if it answered;
 * - `deadline` [25 hours]: the API ends a batch after 24. `"Infinity"` for none.
 *
 * @category options
 * @since 0.1.0
 */
export interface WaitOptions extends JobOptions {
  readonly schedule?: Schedule.Schedule<unknown, MessageBatch | undefined> | undefined
  readonly deadline?: Duration.Input | undefined
}

/**
 * How a job is done: how it is submitted and waited for, and how many `submissions` [3] a request gets before an outcome that
 * is worth another one is final.
 *
 * @category options
 * @since 0.1.0
 */
export interface RunOptions extends SubmitOptions, WaitOptions {
  readonly submissions?: number | undefined
}

/**
 * The waits between two polls of a batch: 5 seconds, half as long again each time, up to 60 seconds, 20 % more or less.
 *
 * **Example** (Polling at an even pace)
 *
 * ```ts
 * import * as BatchJob from "@effect-claude/client/BatchJob"
 * import * as Schedule from "effect/Schedule"
 *
 * const ended = BatchJob.wait("msgbatch_1", { schedule: Schedule.spaced("30 seconds"), deadline: "2 hours" })
 * ```
 *
 * @category schedules
 * @since 0.1.0
 */
export const pollSchedule: Schedule.Schedule<unknown> = defaultPolls

/**
 * Submits items, in as many batches as it takes, and emits each batch as soon as it is made.
 *
 * **Details**
 *
 * All items are checked before the first is sent, unless they come from an iterator that can be read once only: then each is
 * checked as it comes. A batch is sent when its items are there, and the next item is not read before.
 *
 * Each batch has a key in the ledger, from its items. The same items in the same order make the same batches, so that work of
 * which a part was submitted can be submitted again with `onDuplicate: "adopt"`: only what is missing is sent.
 *
 * **Gotchas**
 *
 * The API has no idempotency key. A submission that is cut off may have made a batch; see `settle` for what is done about it.
 *
 * **Example** (Submitting what a part of was submitted before)
 *
 * ```ts
 * import * as BatchJob from "@effect-claude/client/BatchJob"
 * import type { BatchItem } from "@effect-claude/client/ClaudeBatches"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const submitAll = (items: ReadonlyArray<BatchItem>, save: (id: string) => Effect.Effect<void>) =>
 *   BatchJob.submit(items, { onDuplicate: "adopt" }).pipe(Stream.runForEach((batch) => save(batch.id)))
 * ```
 *
 * @category operations
 * @since 0.1.0
 */
export const submit = <E = never, R = never>(
  items: BatchItems<E, R>,
  options: SubmitOptions = {}
): Stream.Stream<SubmittedBatch, E | SubmitError, R | ClaudeBatches> => {
  const settings = submitSettings("BatchJob.submit", options)
  const source = streamOf(items)
  return Stream.unwrap(Effect.gen(function*() {
    const batches = yield* ClaudeBatches
    if (!isReadOnce(items)) yield* checkItems(source)
    return submitItems(batches, source, settings, 1)
  }))
}

/**
 * Waits until a batch has ended, and returns it.
 *
 * **Details**
 *
 * A poll that fails is followed by the next one: an outage of hours does not end the wait. What a repetition cannot change (a
 * wrong key, a batch that does not exist) fails at once. A `DeadlineExceededError` or, when the schedule ends, a
 * `BatchNotEndedError` leaves the batch to go on.
 *
 * **Example** (Waiting for a batch)
 *
 * ```ts
 * import * as BatchJob from "@effect-claude/client/BatchJob"
 * import * as Effect from "effect/Effect"
 *
 * const succeeded = Effect.map(
 *   BatchJob.wait("msgbatch_1", { deadline: "2 hours" }),
 *   ({ request_counts: counts }) => counts.succeeded
 * )
 * ```
 *
 * @category operations
 * @since 0.1.0
 */
export const wait = (
  id: string,
  options: WaitOptions = {}
): Effect.Effect<MessageBatch, ClaudeError | BatchNotEndedError, ClaudeBatches> => {
  const settings = waitSettings("BatchJob.wait", options)
  return Effect.flatMap(ClaudeBatches, (batches) => waitFor(batches, id, settings))
}

/**
 * The outcomes of a batch that has ended, each once and in any order.
 *
 * **Details**
 *
 * A file of results that breaks off, at the end of a line too, is fetched again as `retry` says; what was given already is
 * passed over. If it never comes whole, a `StreamInterruptedError` says how many of how many arrived. Before the batch has
 * ended this fails with a `BatchNotEndedError`: {@link collect} waits.
 *
 * **Example** (Counting answers)
 *
 * ```ts
 * import * as BatchJob from "@effect-claude/client/BatchJob"
 * import * as Stream from "effect/Stream"
 *
 * const answered = BatchJob.results("msgbatch_1").pipe(
 *   Stream.filter(({ _tag }) => _tag === "Succeeded"),
 *   Stream.runCount
 * )
 * ```
 *
 * @category operations
 * @since 0.1.0
 */
export const results = (
  id: string,
  options: JobOptions = {}
): Stream.Stream<BatchOutcome, CollectError, ClaudeBatches> =>
  Stream.unwrap(Effect.gen(function*() {
    const batches = yield* ClaudeBatches
    const settings = jobSettings(options)
    const batch = yield* retry(batches.retrieve(id, settings.call), settings.retry)
    return outcomesOf(batches, batch, settings)
  }))

/**
 * Waits for a batch and reads its outcomes, each once and in any order.
 *
 * **Example** (Picking up a batch by its id)
 *
 * ```ts
 * import * as BatchJob from "@effect-claude/client/BatchJob"
 * import * as Console from "effect/Console"
 * import * as Stream from "effect/Stream"
 *
 * const printed = BatchJob.collect("msgbatch_1").pipe(
 *   Stream.runForEach(({ _tag, customId }) => Console.log(`${customId}: ${_tag}`))
 * )
 * ```
 *
 * @category operations
 * @since 0.1.0
 */
export const collect = (
  id: string,
  options: WaitOptions = {}
): Stream.Stream<BatchOutcome, CollectError, ClaudeBatches> => {
  const settings = waitSettings("BatchJob.collect", options)
  return Stream.unwrap(Effect.map(ClaudeBatches, (batches) => collectBatch(batches, id, settings)))
}

/**
 * Does a job: submits its items, waits for the batches, and emits one outcome for each `custom_id`, as the batches end.
 *
 * **Details**
 *
 * Requests that expired or failed for the server's reasons (`BatchOutcome.advice` says `submitAgain`) are submitted again together
 * once the others are read, `submissions` [3] times in all. Those at fault are not, nor those for which the account has to be
 * changed. The `submissions` of an outcome say how often its request was submitted; what is left after the last time
 * comes out as it is. Results that a batch does not hold in a readable form are an `Errored` outcome with an
 * `InvalidResponseError`: such a request may have been answered and billed, so it is not submitted again.
 *
 * Once a round of its own fails (no credit, say) the job does not: the outcomes of the round before stand, and a warning is logged.
 * A failure in the first round fails the stream.
 *
 * **Gotchas**
 *
 * A `custom_id` has to be unique in the whole job, also where it takes several batches.
 *
 * Outcomes come as fast as they are consumed: a slow consumer slows down the download.
 *
 * **Example** (Picking up after a restart)
 *
 * ```ts
 * import * as BatchJob from "@effect-claude/client/BatchJob"
 * import * as BatchLedger from "@effect-claude/client/BatchLedger"
 * import * as ClaudeBatches from "@effect-claude/client/ClaudeBatches"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as KeyValueStore from "effect/persistence/KeyValueStore"
 * import * as Stream from "effect/Stream"
 *
 * // The same program before and after: what the ledger knows is not submitted again, but collected.
 * const job = (items: ReadonlyArray<ClaudeBatches.BatchItem>, save: (id: string) => Effect.Effect<void>) =>
 *   BatchJob.run(items, { onDuplicate: "adopt" }).pipe(
 *     Stream.runForEach(({ customId }) => save(customId)),
 *     Effect.provide(ClaudeBatches.layerConfig.pipe(
 *       ClaudeBatches.withLedger(BatchLedger.fromKeyValueStore({ prefix: "nightly/" })),
 *       Layer.provide(KeyValueStore.layerMemory)
 *     ))
 *   )
 * ```
 *
 * @category operations
 * @since 0.1.0
 */
export const run = <E = never, R = never>(
  items: BatchItems<E, R>,
  options: RunOptions = {}
): Stream.Stream<BatchOutcome, E | SubmitError | CollectError, R | ClaudeBatches> => {
  const settings = runSettings("BatchJob.run", options)
  const source = streamOf(reread("BatchJob.run", items))
  return Stream.unwrap(Effect.gen(function*() {
    const batches = yield* ClaudeBatches
    yield* checkItems(source)
    const plan = planOf(batches, source, settings)
    return runWork(plan, plan.submit(source, 1))
  }))
}

/**
 * Options of {@link resume}: those of {@link run}, and `items` to submit again what the batches did not do.
 *
 * @category options
 * @since 0.1.0
 */
export interface ResumeOptions<out E = never, out R = never> extends RunOptions {
  readonly items?: BatchItems<E, R> | undefined
}

/**
 * Goes on with batches whose ids are known, from another process or another day.
 *
 * **Details**
 *
 * With the `items` of the job it ends as {@link run} does: one outcome for each item, after further rounds where they are
 * needed. If several batches have an outcome for a `custom_id`, one that is final counts. An item of which none of the batches has
 * an outcome is an `Errored` one with an `InvalidResponseError`.
 *
 * Without `items` nothing can be submitted again: the outcomes come out as they are in each batch.
 *
 * **Example** (Going on by the ids)
 *
 * ```ts
 * import * as BatchJob from "@effect-claude/client/BatchJob"
 * import type { BatchItem } from "@effect-claude/client/ClaudeBatches"
 * import * as Stream from "effect/Stream"
 *
 * const outcomes = (ids: ReadonlyArray<string>, items: Stream.Stream<BatchItem>) =>
 *   Stream.runCollect(BatchJob.resume(ids, { items, deadline: "2 hours" }))
 * ```
 *
 * @category operations
 * @since 0.1.0
 */
export const resume = <E = never, R = never>(
  ids: ReadonlyArray<string>,
  options: ResumeOptions<E, R> = {}
): Stream.Stream<BatchOutcome, E | SubmitError | CollectError, R | ClaudeBatches> => {
  const settings = runSettings("BatchJob.resume", options)
  const items = options.items === undefined ? undefined : streamOf(reread("BatchJob.resume", options.items))
  return Stream.unwrap(Effect.gen(function*() {
    const batches = yield* ClaudeBatches
    if (items === undefined) {
      return Stream.flatMap(Stream.fromIterable(ids), (id) => collectBatch(batches, id, settings), {
        concurrency: "unbounded",
        bufferSize: 1
      })
    }
    yield* checkItems(items)
    const plan = planOf(batches, items, settings)
    // Which of them holds which item only their results tell.
    const customIds = yield* Stream.runCollect(Stream.map(items, ({ custom_id: id }) => id))
    plan.work.submitted(customIds, ids.join(", "), 1)
    return runWork(plan, Stream.map(Stream.fromIterable(ids), (id) => ({ id, customIds: [] })))
  }))
}
