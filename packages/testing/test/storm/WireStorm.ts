import { Anthropic } from "@anthropic-ai/sdk"
import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import type { Combinator } from "@effect-claude/client/ClaudeLayer"
import { ClaudeService, type MessageRequest } from "@effect-claude/client/ClaudeService"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import type * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { EventTally } from "./EventTally.ts"
import { type CallOutcome, openLoop, quantile } from "./OpenLoop.ts"
import { stormServer } from "./stormServerClient.ts"

/** A server of limited capacity that is down for a while, and calls that keep coming. */
export interface Scenario {
  readonly perSecond: number
  readonly seconds: number
  readonly capacity: number
  readonly serviceTime: number
  readonly outage: { readonly from: number; readonly to: number }
  readonly deadline: number
}

/** What a contestant made of a storm. */
export interface StormResult {
  readonly name: string
  readonly calls: number
  readonly succeeded: number
  readonly failures: Readonly<Record<string, number>>
  readonly requests: number
  readonly requestsPerCall: number
  /** Of the calls that succeeded, in milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly longest: number
  readonly seconds: ReadonlyArray<Readonly<Record<string, number>>>
  /** What its policies decided, if it has any. */
  readonly decisions: ReadonlyArray<string>
}

/** A client under test: how one call is made, given the address of the server. */
export interface Contestant {
  readonly name: string
  readonly connect: (url: string, scenario: Scenario) => Effect.Effect<Call, never, Scope.Scope>
  readonly tally?: EventTally | undefined
}

type Call = (index: number, dueAt: number) => Promise<unknown>

const request: MessageRequest = {
  model: "claude-sonnet-5-5",
  max_tokens: 256,
  messages: [{ role: "user", content: "Hello" }]
}

const planOf = ({ capacity, outage, serviceTime }: Scenario): FaultPlan.FaultPlanInput => ({
  outages: [{
    from: outage.from,
    to: outage.to,
    step: { kind: "error", status: 529, error: { type: "overloaded_error" } }
  }],
  after: { kind: "capacity", limit: capacity, serviceTime }
})

const client = (url: string, maxRetries: number) =>
  new Anthropic({ apiKey: "sk-ant-storm", baseURL: url, maxRetries, openTelemetry: false, logLevel: "off" })

/** The SDK with its own retries. */
export const plainSdk = (maxRetries: number): Contestant => ({
  name: `SDK, maxRetries ${maxRetries}`,
  connect: (url, { deadline }) =>
    Effect.sync(() => {
      const { messages } = client(url, maxRetries)
      return () => messages.create(request, { signal: AbortSignal.timeout(deadline) })
    })
})

// Lines are made and thrown away: printing thousands would be what is measured.
const discardingLogger = Logger.layer([Logger.make(() => undefined)])

/** A pipeline of ours. */
export const pipeline = (name: string, combinator: Combinator): Contestant => {
  const tally = new EventTally()
  const connect = (url: string) =>
    Effect.gen(function*() {
      const base = AnthropicClient.layer({ apiKey: Redacted.make("sk-ant-storm"), baseUrl: url })
      const claude = Context.get(yield* Layer.build(combinator(base)), ClaudeService)
      const runPromise = Effect.runPromiseWith(yield* Layer.build(discardingLogger))
      return () => runPromise(ResilienceEvent.listen(claude.createMessage(request), tally.listener))
    })
  return { name, connect, tally }
}

/**
 * A client that knows the server: it sends nothing that would be refused, and everything else in order as soon as it can.
 * What it does not reach, the storm's own processes do not let anyone reach.
 */
export const perfect: Contestant = {
  name: "perfect client",
  connect: (url, { capacity, outage }) =>
    Effect.sync(() => {
      const { messages } = client(url, 0)
      const queue: Array<() => void> = []
      let startedAt: number | undefined
      let inFlight = 0
      // The outage is the server's, and requests take a moment to get there.
      const margin = 40
      const next = () => {
        const now = performance.now() - (startedAt ?? 0)
        if (now >= outage.from - margin && now < outage.to + margin) return
        // The server's own view lags behind by the answers on their way.
        for (const send of queue.splice(0, capacity - 2 - inFlight)) send()
      }
      return (_index, dueAt) => {
        startedAt ??= dueAt
        return new Promise((resolve, reject) => {
          queue.push(() => {
            inFlight++
            messages.create(request).then(resolve, reject).finally(() => {
              inFlight--
              next()
            })
          })
          next()
          if (queue.length > 0) setTimeout(next, Math.max(1, (startedAt ?? 0) + outage.to + margin - performance.now()))
        })
      }
    })
}

const countFailures = (outcomes: ReadonlyArray<CallOutcome>): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const { failure } of outcomes) {
    if (failure !== undefined) counts[failure] = (counts[failure] ?? 0) + 1
  }
  return counts
}

/** Lets a contestant meet the storm, against a server process of its own. */
export const runWireStorm = (contestant: Contestant, scenario: Scenario): Effect.Effect<StormResult> =>
  Effect.scoped(Effect.gen(function*() {
    const server = yield* stormServer
    const call = yield* contestant.connect(server.url, scenario)
    yield* server.start(planOf(scenario))
    contestant.tally?.start()
    const outcomes = yield* openLoop(scenario, call)
    const seconds = yield* server.report
    const requests = seconds.flatMap((second) => Object.values(second)).reduce((sum, count) => sum + count, 0)
    const latencies = outcomes.filter(({ failure }) => failure === undefined).map(({ latency }) => latency)
    return {
      name: contestant.name,
      calls: outcomes.length,
      succeeded: latencies.length,
      failures: countFailures(outcomes),
      requests,
      requestsPerCall: requests / outcomes.length,
      p50: quantile(latencies, 0.5),
      p99: quantile(latencies, 0.99),
      longest: Math.max(...latencies),
      seconds,
      decisions: contestant.tally?.lines() ?? []
    }
  }))

/** The results as a table, a line for each contestant. */
export const table = (results: ReadonlyArray<StormResult>): string =>
  [
    ["client", "succeeded", "requests a call", "p50", "p99", "longest", "failures"],
    ...results.map((result) => [
      result.name,
      `${(100 * result.succeeded / result.calls).toFixed(1)} %`,
      result.requestsPerCall.toFixed(3),
      ...[result.p50, result.p99, result.longest].map((millis) => `${(millis / 1000).toFixed(2)} s`),
      Object.entries(result.failures).map(([tag, count]) => `${tag} ${count}`).join(", ")
    ])
  ].map((cells) => cells.map((cell, index) => cell.padEnd(index === 0 ? 24 : 17)).join("").trimEnd()).join("\n")

/** What the server answered in each second, as `200s/others`, and what the policies decided meanwhile. */
export const timeline = (result: StormResult): string =>
  [`${result.name}: ${answers(result)}`, ...result.decisions].join("\n")

const answers = (result: StormResult): string =>
  result.seconds.map((second) => {
    const total = Object.values(second).reduce((sum, count) => sum + count, 0)
    const good = second["200"] ?? 0
    return `${good}/${total - good}`
  }).join(" ")
