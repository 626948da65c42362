import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { SubmitError } from "../../BatchJob.ts"
import type { BatchOutcome } from "../../BatchOutcome.ts"
import type { BatchItem } from "../../ClaudeBatches.ts"
import type { ResultsFailure } from "./rereadResults.ts"
import type { Work } from "./Work.ts"

/** A batch and the requests in it. */
export interface WorkBatch {
  readonly id: string
  readonly customIds: ReadonlyArray<string>
}

export interface WorkPlan<E, R> {
  readonly work: Work
  /** All items, to be read once more for each round. */
  readonly items: Stream.Stream<BatchItem, E, R>
  readonly rounds: number
  readonly submit: (
    items: Stream.Stream<BatchItem, E, R>,
    round: number
  ) => Stream.Stream<WorkBatch, E | SubmitError, R>
  readonly collect: (id: string) => Stream.Stream<BatchOutcome, ResultsFailure>
  readonly onResubmitting: (count: number, round: number) => void
}

type Outcomes<E, R> = Stream.Stream<BatchOutcome, E | SubmitError | ResultsFailure, R>

/**
 * The outcomes of a piece of work, one for each request. What these batches hold is waited for and read; what the server failed at
 * is submitted again in another round, and what is left after the last comes out as it is.
 */
export const runWork = <E, R>(
  plan: WorkPlan<E, R>,
  batches: Stream.Stream<WorkBatch, E | SubmitError, R>,
  round = 1,
  isLast: () => boolean = () => round >= plan.rounds
): Outcomes<E, R> => {
  const { work } = plan
  return batches.pipe(
    Stream.tap(({ customIds, id }) => Effect.sync(() => work.submitted(customIds, id, round))),
    Stream.flatMap(({ id }) => readable(plan.collect(id)), { concurrency: "unbounded", bufferSize: 1 }),
    Stream.filterMap((outcome) => {
      const final = work.settle(outcome)
      return final === undefined ? Result.failVoid : Result.succeed(final)
    }),
    Stream.concat(Stream.suspend(() => Stream.fromIterable(work.unanswered()))),
    Stream.concat(
      Stream.suspend(() =>
        work.waiting === 0 || isLast() ? Stream.fromIterable(work.givenUp()) : nextRound(plan, round + 1)
      )
    )
  )
}

// The file is there and stays as it is: what it does not hold is told for each request, and ends nothing.
const readable = (outcomes: Stream.Stream<BatchOutcome, ResultsFailure>) =>
  Stream.catchTag(
    outcomes,
    "IncompleteResultsError",
    (error) => Stream.fromEffectDrain(Effect.logWarning(error.message))
  )

const nextRound = <E, R>(plan: WorkPlan<E, R>, round: number): Outcomes<E, R> => {
  const { items, onResubmitting, rounds, submit, work } = plan
  let isRefused = false
  const submitted = submit(Stream.filter(items, ({ custom_id: id }) => work.isWaiting(id)), round).pipe(
    // The outcomes of the round before stand: that there is no other takes nothing from them.
    Stream.catch((error) => {
      isRefused = true
      const message = `${work.waiting} requests of batches could not be submitted again: ${reasonOf(error)}`
      return Stream.fromEffectDrain(Effect.logWarning(message))
    })
  )
  return Stream.unwrap(Effect.gen(function*() {
    const count = work.waiting
    onResubmitting(count, round)
    yield* Effect.logInfo(
      `${count} requests of batches expired or failed for the server's reasons: submitting them again`
    )
    return runWork(plan, submitted, round, () => isRefused || round >= rounds)
  }))
}

const reasonOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : "the items could not be read"
