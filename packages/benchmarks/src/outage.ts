import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import { ClaudeService, type MessageRequest } from "@effect-claude/client/ClaudeService"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as Fault from "@effect-claude/testing/Fault"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import * as Reply from "@effect-claude/testing/Reply"
import * as VirtualTime from "@effect-claude/testing/VirtualTime"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { line, median } from "./compare.ts"
import { request } from "./stubs.ts"

const rounds = 5
const callers = 1000

const hour = 3_600_000

const waits = { base: "20 minutes", cap: "40 minutes", attempts: 12 } as const
const patient = ClaudeSchedule.make({ ...waits, jitter: "equal", kinds: { overloaded: waits } })

/** The API in memory, behind the SDK: everything that a call does but for the network. */
const inMemory: Layer.Layer<ClaudeService> = Layer.unwrap(Effect.map(
  FakeClaudeApi.makeInMemory({ plan: { outages: [{ from: 0, to: "1 hour", step: FaultStep.overloaded() }] } }),
  ({ fetch }) => AnthropicClient.layer({ apiKey: Redacted.make("sk-ant-benchmark"), sdk: { fetch } })
))

const scripted = (step: ClaudeTest.StepInput) =>
  Effect.map(Layer.build(ClaudeTest.always(step)), (services) => Context.get(services, ClaudeService))

/** Two scripts: that of the outage, and the one after it. */
const script: Layer.Layer<ClaudeService> = Layer.effect(
  ClaudeService,
  Effect.gen(function*() {
    const during = yield* scripted(Fault.overloaded())
    const after = yield* scripted(Reply.text("Hello!"))
    return {
      ...after,
      createMessage: (request: MessageRequest) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => (now < hour ? during : after).createMessage(request))
    }
  })
)

/** The same service, with its requests counted. */
const counted = (claude: Layer.Layer<ClaudeService>, onRequest: () => void): Layer.Layer<ClaudeService> =>
  Layer.effect(
    ClaudeService,
    Effect.map(Effect.service(ClaudeService), (service) => ({
      ...service,
      createMessage: (request: MessageRequest) =>
        Effect.suspend(() => {
          onRequest()
          return service.createMessage(request)
        })
    }))
  ).pipe(Layer.provide(claude))

/** A thousand callers who ask as the outage begins, and all get their answer in the end; the requests that took. */
const storm = (claude: Layer.Layer<ClaudeService>, pipeline: ClaudeLayer.Combinator): Effect.Effect<number> =>
  Effect.suspend(() => {
    let requests = 0
    const calls = Effect.flatMap(Effect.service(ClaudeService), (service) =>
      Effect.forEach(
        Array.from({ length: callers }, (_, index) => ({ ...request, max_tokens: index + 1 })),
        // A pipeline gives up long before the hour is over; who called it asks again.
        (own) => Effect.retry(service.createMessage(own), Schedule.spaced("20 minutes")),
        { concurrency: "unbounded", discard: true }
      ))
    return calls.pipe(
      Effect.provide(pipeline(counted(claude, () => requests++))),
      Effect.orDie,
      Effect.map(() => requests)
    )
  }).pipe(Random.withSeed("an hour"), VirtualTime.run)

const withRetry = ClaudeLayer.withRetry(patient)
const standard = ClaudeLayer.standard({ deadline: "10 seconds", telemetry: false })

const contestants: ReadonlyArray<readonly [name: string, Effect.Effect<number>]> = [
  ["script, withRetry()", storm(script, withRetry)],
  ["script, standard()", storm(script, standard)],
  ["in memory, withRetry()", storm(inMemory, withRetry)],
  ["in memory, standard()", storm(inMemory, standard)]
]

const millis = (values: ReadonlyArray<number>): string =>
  `${Math.round(median(values))} ms (${Math.round(Math.min(...values))} to ${Math.round(Math.max(...values))})`

/** What an hour of outage for a thousand callers takes under a virtual clock; the first round only warms up. */
export const benchOutage = async (): Promise<ReadonlyArray<string>> => {
  const results: Array<string> = []
  for (const [name, run] of contestants) {
    const real: Array<number> = []
    const processor: Array<number> = []
    let requests = 0
    for (let round = 0; round <= rounds; round++) {
      const before = process.cpuUsage()
      const startedAt = performance.now()
      requests = await Effect.runPromise(run)
      if (round === 0) continue
      real.push(performance.now() - startedAt)
      const { system, user } = process.cpuUsage(before)
      processor.push((system + user) / 1000)
    }
    results.push(`${line(name, `${requests}`)} requests   ${millis(real)}, ${millis(processor)} of processor time`)
  }
  return results
}
