import * as AttemptTimeout from "@effect-claude/resilience/AttemptTimeout"
import * as CircuitBreaker from "@effect-claude/resilience/CircuitBreaker"
import * as Retry from "@effect-claude/resilience/Retry"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import type { HasVerdict } from "@effect-claude/resilience/Verdict"
import * as Verdict from "@effect-claude/resilience/Verdict"
import * as Effect from "effect/Effect"
import { attemptTimeout, failures, openFor } from "./peers.ts"

/** Retry, breaker and timeout of this toolkit, with the numbers of the peers. */
export const toolkit = Effect.map(
  CircuitBreaker.make({ failures, openFor }),
  (breaker) => <A, E extends HasVerdict>(action: Effect.Effect<A, E>) =>
    action.pipe(
      AttemptTimeout.withAttemptTimeout(attemptTimeout),
      breaker.execute({ key: "model" }),
      Retry.retry(RetrySchedule.standard())
    )
)

const down = { verdict: Verdict.retry("overloaded") }

/** The breaker of this toolkit, opened by failures. */
export const toolkitOpen = Effect.gen(function*() {
  const breaker = yield* CircuitBreaker.make({ failures, openFor })
  const fail = breaker.execute(Effect.fail(down), { key: "model" })
  for (let failed = 0; failed < failures; failed++) yield* Effect.exit(fail)
  return breaker
})
