import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import { ClaudeService, type ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import * as Retry from "@effect-claude/resilience/Retry"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Reply from "@effect-claude/testing/Reply"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { compare } from "./compare.ts"
import { request } from "./stubs.ts"

const calls = 1000
const many = <A, E>(call: Effect.Effect<A, E>) => () => Effect.runPromise(Effect.repeat(call, { times: calls - 1 }))

const message = Reply.message("Hello!")

const instant: ClaudeServiceShape = {
  createMessage: () => Effect.succeed(message),
  streamMessage: () => Stream.empty,
  countTokens: () => Effect.succeed({ input_tokens: 1 })
}

const retried = Effect.map(
  Layer.build(Layer.succeed(ClaudeService, instant).pipe(ClaudeLayer.withRetry())),
  (context) => Context.get(context, ClaudeService)
)

/** An immediate success, a thousand times a run: what a retry costs when there is nothing to retry. */
export const benchRetry = async (): Promise<ReadonlyArray<string>> => {
  const claude = await Effect.runPromise(Effect.scoped(retried))
  const lines = await compare([
    {
      name: "Effect.retry, exponential",
      run: many(Effect.retry(instant.createMessage(request), Schedule.exponential("1 second")))
    },
    {
      name: "Effect.retry, RetrySchedule",
      run: many(Effect.retry(instant.createMessage(request), ClaudeSchedule.standard))
    },
    { name: "Retry.retry", run: many(Retry.retry(instant.createMessage(request), RetrySchedule.standard())) },
    { name: "ClaudeLayer.withRetry", run: many(Effect.suspend(() => claude.createMessage(request))) },
    { name: "nothing", run: many(Effect.suspend(() => instant.createMessage(request))) }
  ])
  return [`(times are for ${calls} calls)`, ...lines]
}
