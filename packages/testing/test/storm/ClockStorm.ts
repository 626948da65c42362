import { OverloadedError } from "@effect-claude/client/ClaudeError"
import { ClaudeService, type ClaudeServiceShape, type MessageRequest } from "@effect-claude/client/ClaudeService"
import * as Reply from "@effect-claude/testing/Reply"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"

/** Times in milliseconds of virtual time. */
export interface OutageScenario {
  readonly callers: number
  /** A caller pauses for half to one and a half times this long between two calls. */
  readonly think: number
  /** An answer takes half to one and a half times this long, a refusal a tenth of it. */
  readonly latency: number
  readonly down: { readonly from: number; readonly to: number }
  readonly end: number
}

export interface StormCall {
  readonly startedAt: number
  readonly endedAt: number
  /** What it failed with; `undefined` for a success. */
  readonly failure: string | undefined
}

/** Everything that happened in a storm: the requests that reached the API, and the calls that were made. */
export interface StormLog {
  readonly requests: Array<{ readonly at: number; readonly succeeded: boolean }>
  readonly calls: Array<StormCall>
}

export const request: MessageRequest = {
  model: "claude-sonnet-5-5",
  max_tokens: 256,
  messages: [{ role: "user", content: "Hello" }]
}

const around = (mean: number) => Effect.map(Random.next, (random) => mean * (0.5 + random))

const answer = Reply.message("Hello!")

const overloaded = () => new OverloadedError({ message: "Overloaded", status: 529, model: request.model })

/** An API in memory that refuses everything while it is down. */
export const fragileApi = (scenario: OutageScenario, log: StormLog): Layer.Layer<ClaudeService> => {
  const { down, latency } = scenario
  const createMessage = Effect.gen(function*() {
    const at = yield* Clock.currentTimeMillis
    const succeeded = at < down.from || at >= down.to
    log.requests.push({ at, succeeded })
    yield* Effect.sleep(succeeded ? yield* around(latency) : latency / 10)
    return succeeded ? answer : yield* overloaded()
  })
  const service: ClaudeServiceShape = {
    createMessage: () => createMessage,
    streamMessage: () => Stream.die(new Error("The storm does not stream")),
    countTokens: () => Effect.die(new Error("The storm does not count tokens"))
  }
  return Layer.succeed(ClaudeService, service)
}

/** Callers that ask and think in turn until the end, and whose last calls are waited for. */
export const callers = (scenario: OutageScenario, log: StormLog) =>
  Effect.gen(function*() {
    const claude = yield* ClaudeService
    const { end, think } = scenario
    const call = Effect.gen(function*() {
      const startedAt = yield* Clock.currentTimeMillis
      const exit = yield* Effect.exit(claude.createMessage(request))
      const endedAt = yield* Clock.currentTimeMillis
      if (exit._tag === "Success") return log.calls.push({ startedAt, endedAt, failure: undefined })
      const error = Cause.findErrorOption(exit.cause)
      return log.calls.push({ startedAt, endedAt, failure: Option.isSome(error) ? error.value._tag : "defect" })
    })
    const caller = Effect.gen(function*() {
      yield* Effect.sleep(think * (yield* Random.next))
      while ((yield* Clock.currentTimeMillis) < end) {
        yield* call
        yield* Effect.sleep(yield* around(think))
      }
    })
    yield* Effect.all(Array.from({ length: scenario.callers }, () => caller), {
      concurrency: "unbounded",
      discard: true
    })
  })

/** What a storm comes down to. */
export interface StormSummary {
  readonly calls: number
  readonly succeeded: number
  readonly requests: number
  /** Over what a client sends that knows when the API is down: a request for each call that succeeds. */
  readonly overPerfect: number
  readonly requestsInOutage: number
  readonly callsInOutage: number
  /** Of the calls that waited when the API came back, or came later: how many succeeded within five seconds. */
  readonly soonAfterRecovery: number
  readonly waitingAtRecovery: number
  readonly waitingSoonAfterRecovery: number
}

const soon = 5_000

const share = (part: number, whole: number): number => whole === 0 ? 1 : part / whole

export const summarize = ({ down }: OutageScenario, { calls, requests }: StormLog): StormSummary => {
  const succeeded = calls.filter(({ failure }) => failure === undefined).length
  const recovered = ({ endedAt, failure, startedAt }: StormCall): boolean =>
    failure === undefined && endedAt - Math.max(startedAt, down.to) <= soon
  const afterwards = calls.filter(({ endedAt }) => endedAt >= down.to)
  const waiting = afterwards.filter(({ startedAt }) => startedAt < down.to)
  return {
    calls: calls.length,
    succeeded,
    requests: requests.length,
    overPerfect: requests.length / succeeded,
    requestsInOutage: requests.filter(({ at }) => at >= down.from && at < down.to).length,
    callsInOutage: calls.filter(({ endedAt, startedAt }) => startedAt < down.to && endedAt >= down.from).length,
    soonAfterRecovery: share(afterwards.filter(recovered).length, afterwards.length),
    waitingAtRecovery: waiting.length,
    waitingSoonAfterRecovery: share(waiting.filter(recovered).length, waiting.length)
  }
}
