import { BatchNotEndedError, IncompleteResultsError } from "@effect-claude/client/BatchError"
import type { BatchLedger } from "@effect-claude/client/BatchLedger"
import type { BatchOutcome } from "@effect-claude/client/BatchOutcome"
import type { BatchItem, ClaudeBatchesShape } from "@effect-claude/client/ClaudeBatches"
import * as ClaudeBatches from "@effect-claude/client/ClaudeBatches"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import { StreamInterruptedError } from "@effect-claude/client/ClaudeError"
import * as SdkFailure from "@effect-claude/client/SdkFailure"
import { CurrentAttempt } from "@effect-claude/resilience/Attempt"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { difference } from "../ScriptDifference.ts"
import { Sequence } from "../Sequence.ts"
import { describeStep } from "../Step.ts"
import type { Operation, OperationEntry } from "./BatchStep.ts"
import { operations } from "./BatchStep.ts"
import type { ItemAnswer } from "./ItemAnswer.ts"
import type { RecordedOperation } from "./OperationLog.ts"
import { OperationLog } from "./OperationLog.ts"
import { ScriptedBatch } from "./ScriptedBatch.ts"

/** What happens to batches, and to those who ask for them. */
export interface BatchScenario {
  readonly processing: Duration.Duration
  readonly answer: (item: BatchItem, submission: number) => ItemAnswer
  readonly steps: { readonly [O in Operation]: ReadonlyArray<OperationEntry> }
}

interface Asked {
  readonly operation: Operation
  readonly batchId?: string | undefined
  readonly items?: ReadonlyArray<BatchItem> | undefined
}

/** An operation that is on record, with its step if there is one left. */
interface Admitted {
  readonly number: number
  readonly attempt: number
  readonly at: number
  readonly step: OperationEntry | undefined
}

const refused = (status: number, type: string, message: string, attempt: number): Effect.Effect<never, ClaudeError> =>
  Effect.fail(SdkFailure.fromAnswer({ status, body: { type: "error", error: { type, message } } }, { attempt }))

const notFound = (id: string, attempt: number) => refused(404, "not_found_error", `Batch ${id} not found`, attempt)

const invalid = (message: string, attempt: number) => refused(400, "invalid_request_error", message, attempt)

const fail = ({ attempt, at, number, step }: Admitted): Effect.Effect<void, ClaudeError> => {
  if (step === undefined) return Effect.void
  const { delay, fault } = step
  const end = fault === undefined
    ? Effect.void
    : fault._tag === "Hang"
    ? Effect.never
    : Effect.fail(fault.error(
      {
        method: "createMessage",
        number,
        attempt,
        model: "",
        requestId: `req_test_batches_${number}`,
        request: { model: "", messages: [] },
        options: undefined
      },
      at
    ))
  return Duration.isZero(delay) ? end : Effect.delay(end, delay)
}

const describeOperation = (asked: RecordedOperation | undefined): string =>
  [asked?.operation, asked?.batchId].filter((word) => word !== undefined).join(" ")

export interface ScriptedBatches {
  readonly service: ClaudeBatchesShape
  readonly operations: Effect.Effect<ReadonlyArray<RecordedOperation>>
  readonly remaining: Effect.Effect<number>
  readonly difference: Effect.Effect<string | undefined>
}

/** A `ClaudeBatches` that keeps its batches in memory, and what it was asked. */
export const makeScriptedBatches = (scenario: BatchScenario, ledger: BatchLedger): ScriptedBatches => {
  const log = new OperationLog()
  const batches = new Map<string, ScriptedBatch>()
  const submissions = new Map<string, number>()
  const sequences = new Map(
    operations.map((operation) => [operation, new Sequence<OperationEntry>(scenario.steps[operation])])
  )
  let made = 0
  let itemsMade = 0

  const admit = ({ batchId, items = [], operation }: Asked): Effect.Effect<Admitted> =>
    Effect.gen(function*() {
      const attempt = yield* CurrentAttempt
      const at = yield* Clock.currentTimeMillis
      const number = log.size + 1
      const step = sequences.get(operation)?.next(number)
      log.open({ operation, batchId, items, attempt, at, step: step === undefined ? undefined : describeStep(step) })
      return { number, attempt, at, step }
    })

  const close = ({ number }: Admitted, exit: Exit.Exit<unknown, { readonly _tag: string; readonly message: string }>) =>
    Effect.map(Clock.currentTimeMillis, (now) => log.close(number, exit, now))

  const ask = <A>(
    asked: Asked,
    act: (admitted: Admitted) => Effect.Effect<A, ClaudeError>
  ): Effect.Effect<A, ClaudeError> =>
    Effect.flatMap(admit(asked), (admitted) => {
      const failure = fail(admitted)
      const { isDone = true } = admitted.step ?? {}
      const answer = isDone
        ? Effect.flatMap(act(admitted), (done) => Effect.as(failure, done))
        : Effect.andThen(failure, act(admitted))
      return Effect.onExit(answer, (exit) => close(admitted, exit))
    })

  const find = (
    id: string,
    attempt: number
  ): Effect.Effect<{ readonly batch: ScriptedBatch; readonly now: number }, ClaudeError> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const batch = batches.get(id)
      return batch === undefined ? notFound(id, attempt) : Effect.succeed({ batch, now })
    })

  const create = (items: ReadonlyArray<BatchItem>, now: number): ScriptedBatch => {
    const planned = items.map((item) => {
      const submission = (submissions.get(item.custom_id) ?? 0) + 1
      submissions.set(item.custom_id, submission)
      return { item, number: ++itemsMade, submission, answer: scenario.answer(item, submission) }
    })
    const batch = new ScriptedBatch(`msgbatch_test_${++made}`, planned, scenario.processing, now)
    batches.set(batch.id, batch)
    return batch
  }

  const results = (
    id: string,
    admitted: Admitted
  ): Effect.Effect<
    Stream.Stream<BatchOutcome, StreamInterruptedError | IncompleteResultsError>,
    ClaudeError | BatchNotEndedError
  > =>
    Effect.gen(function*() {
      const { attempt, step } = admitted
      yield* fail(admitted)
      const { batch, now } = yield* find(id, attempt)
      if (!batch.hasEnded(now)) {
        const { processing_status: status } = batch.view(now)
        return yield* new BatchNotEndedError({
          message: `Batch ${id} has not ended (${status}): wait for it`,
          batchId: id,
          processingStatus: status
        })
      }
      if (batch.isArchived(now)) return yield* notFound(id, attempt)
      const outcomes = batch.results()
      const { cutAfter = Infinity } = step ?? {}
      const unreadable = Math.min(step?.unreadable ?? 0, outcomes.length)
      const read = Stream.fromIterable(outcomes.slice(0, Math.min(cutAfter, outcomes.length - unreadable)), {
        chunkSize: 1
      })
      if (cutAfter < outcomes.length) {
        return Stream.concat(
          read,
          Stream.fail(
            new StreamInterruptedError({
              message: `The results of batch ${id} broke off after ${cutAfter} of ${batch.size}`
            })
          )
        )
      }
      if (unreadable === 0) return read
      return Stream.concat(
        read,
        Stream.fail(
          new IncompleteResultsError({
            message: `The results of batch ${id} hold ${unreadable} of ${batch.size} lines that cannot be read`,
            batchId: id,
            expected: batch.size,
            received: batch.size - unreadable
          })
        )
      )
    })

  const service: ClaudeBatchesShape = {
    create: (items) => {
      const error = ClaudeBatches.check(items)
      if (error !== undefined) return Effect.fail(error)
      return ask(
        { operation: "create", items: [...items] },
        ({ number }) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            const batch = create(items, now)
            log.made(number, batch.id)
            return batch.view(now)
          })
      )
    },
    retrieve: (id) =>
      ask(
        { operation: "retrieve", batchId: id },
        ({ attempt }) => Effect.map(find(id, attempt), ({ batch, now }) => batch.view(now))
      ),
    cancel: (id) =>
      ask({ operation: "cancel", batchId: id }, ({ attempt }) =>
        Effect.flatMap(find(id, attempt), ({ batch, now }) => {
          if (batch.hasEnded(now)) return invalid(`Batch ${id} has ended and cannot be canceled`, attempt)
          batch.cancel(now)
          return Effect.succeed(batch.view(now))
        })),
    delete: (id) =>
      ask({ operation: "delete", batchId: id }, ({ attempt }) =>
        Effect.flatMap(find(id, attempt), ({ batch, now }) => {
          if (!batch.hasEnded(now)) return invalid(`Batch ${id} has not ended and cannot be deleted`, attempt)
          batches.delete(id)
          return Effect.succeed({ id, type: "message_batch_deleted" as const })
        })),
    list: () =>
      Stream.unwrap(Effect.map(
        ask({ operation: "list" }, () => Clock.currentTimeMillis),
        (now) => Stream.fromIterable([...batches.values()].toReversed().map((batch) => batch.view(now)))
      )),
    results: (id) =>
      Stream.unwrap(Effect.gen(function*() {
        const admitted = yield* admit({ operation: "results", batchId: id })
        // A consumer that has enough drops the stream, and nothing but its scope hears of that.
        yield* Effect.addFinalizer(() => close(admitted, Exit.interrupt()))
        return Stream.unwrap(results(id, admitted)).pipe(
          Stream.onEnd(close(admitted, Exit.void)),
          Stream.tapCause((cause) => close(admitted, Exit.failCause(cause)))
        )
      })),
    ledger
  }

  return {
    service,
    operations: Effect.sync(() => log.snapshot()),
    remaining: Effect.sync(() => [...sequences.values()].reduce((sum, { remaining }) => sum + remaining, 0)),
    difference: Effect.sync(() => {
      const all = log.snapshot()
      return difference({
        threads: [...sequences].map(([title, sequence]) => ({ title, sequence, isExpected: false })),
        withoutStep: [],
        describe: (number) => describeOperation(all[number - 1])
      })
    })
  }
}
