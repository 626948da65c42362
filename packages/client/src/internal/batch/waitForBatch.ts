import type { MessageBatch } from "@anthropic-ai/sdk/resources/messages/batches"
import * as Deadline from "@effect-claude/resilience/Deadline"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import { BatchNotEndedError } from "../../BatchError.ts"
import type { ClaudeBatchesShape } from "../../ClaudeBatches.ts"
import { type ClaudeError, DeadlineExceededError, isTransportError } from "../../ClaudeError.ts"
import type { CallOptions } from "../../ClaudeService.ts"

export type PollSchedule = Schedule.Schedule<unknown, MessageBatch | undefined>

/** 5 seconds, half as long again each time, up to 60 seconds, 20 % more or less. */
export const defaultPolls: Schedule.Schedule<unknown> = Schedule.jittered(
  Schedule.min([Schedule.exponential("5 seconds", 1.5), Schedule.spaced("60 seconds")])
)

export interface WaitPolicy {
  readonly schedule: PollSchedule
  readonly deadline: Duration.Duration
  readonly call: CallOptions
  readonly onPolled: (batch: MessageBatch) => void
  readonly onPollFailed: (error: ClaudeError) => void
}

/** The wait that the server asked for with a failed poll, on top of that of the schedule. */
const serversWait = (polled: Result.Result<MessageBatch, ClaudeError>): Duration.Duration => {
  const verdict = Result.isFailure(polled) ? polled.failure.verdict : undefined
  return verdict?._tag === "Retry" ? verdict.after ?? Duration.zero : Duration.zero
}

/** Asks for a batch until it has ended. */
export const waitForBatch = (
  batches: ClaudeBatchesShape,
  batchId: string,
  { call, deadline, onPolled, onPollFailed, schedule }: WaitPolicy
): Effect.Effect<MessageBatch, ClaudeError | BatchNotEndedError> =>
  Effect.suspend(() => {
    let last: MessageBatch | undefined

    // A service that has answered once is there: what cannot be reached after that is a network that will be back.
    const isPassing = (error: ClaudeError): boolean =>
      error.verdict._tag === "Retry" || (last !== undefined && isTransportError(error))

    const status = (): string => last === undefined ? "nothing is known of it" : `it is ${last.processing_status}`

    const notEnded = (): BatchNotEndedError =>
      new BatchNotEndedError({
        message: `The schedule gave up waiting for batch ${batchId}; ${status()}`,
        batchId,
        ...(last === undefined ? {} : { processingStatus: last.processing_status })
      })

    const polls = Effect.gen(function*() {
      const step = yield* Schedule.toStepWithSleep(schedule)
      while (true) {
        const polled = yield* Effect.result(batches.retrieve(batchId, call))
        if (Result.isSuccess(polled)) {
          last = polled.success
          onPolled(last)
          if (last.processing_status === "ended") return last
        } else {
          if (!isPassing(polled.failure)) return yield* polled.failure
          onPollFailed(polled.failure)
        }
        yield* Effect.all([
          Pull.catchDone(step(last), () => Effect.fail(notEnded())),
          Effect.sleep(serversWait(polled))
        ], { concurrency: 2, discard: true })
      }
    })

    return Duration.isFinite(deadline)
      ? Deadline.withDeadlineOrElse(polls, {
        duration: deadline,
        orElse: () =>
          Effect.fail(
            new DeadlineExceededError({
              message: `Batch ${batchId} did not end within ${Duration.format(deadline)}; ${status()}`,
              limit: deadline
            })
          )
      })
      : polls
  })
