import * as Retry from "@effect-claude/resilience/Retry"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { type Contestant, inOneFiber } from "./compare.ts"

const answer = Effect.succeed(1)
const schedule = RetrySchedule.standard()

/** An immediate success: what a retry costs when there is nothing to retry. */
export const retry: Effect.Effect<ReadonlyArray<Contestant>> = Effect.succeed([
  inOneFiber("Effect.retry, exponential", Effect.suspend(() => Effect.retry(answer, Schedule.exponential("1 second")))),
  inOneFiber("Effect.retry, RetrySchedule", Effect.suspend(() => Effect.retry(answer, schedule))),
  inOneFiber("Retry.retry", Effect.suspend(() => Retry.retry(answer, schedule)))
])
