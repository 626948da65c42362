import { ClaudeService, type ClaudeServiceShape, type MessageRequest } from "@effect-claude/client/ClaudeService"
import * as Chaos from "@effect-claude/testing/Chaos"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Reply from "@effect-claude/testing/Reply"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

/** Callers that ask and think in turn while a profile is on, in milliseconds of virtual time. */
export interface Scenario {
  readonly callers: number
  readonly think: number
  readonly end: number
  readonly method: "createMessage" | "streamMessage"
}

/** What a storm came to. */
export interface Tally {
  readonly calls: number
  readonly succeeded: number
  /** What was sent, or would have been if the trouble had not been injected before. */
  readonly requests: number
  /** The largest number of requests that a call made. */
  readonly requestsOfOne: number
  readonly failures: Readonly<Record<string, number>>
  /** The time below which 99 of 100 calls ended, in milliseconds. */
  readonly p99: number
}

export type Pipeline = (base: Layer.Layer<ClaudeService>) => Layer.Layer<ClaudeService>

const quiet = Logger.layer([Logger.make(() => undefined)])

const requestOf = (caller: number, number: number): MessageRequest => ({
  model: "claude-sonnet-5-5",
  max_tokens: 256,
  messages: [{ role: "user", content: `Question ${number} of caller ${caller}` }]
})

const message = Reply.message("The quick brown fox jumps over the lazy dog, and then it sleeps.")

/** All events come in one read, as from a connection that is behind: many reads would only make the storm slow. */
const events = Array.from(
  Stream.runCollect(
    Stream.unwrap(Effect.map(ClaudeService, (claude) => claude.streamMessage(requestOf(0, 0))))
  ).pipe(Effect.provide(ClaudeTest.script([Reply.of(message)])), Effect.runSync)
)

const latency = "500 millis"

const healthyApi = Layer.succeed(ClaudeService, {
  createMessage: () => Effect.delay(Effect.succeed(message), latency),
  streamMessage: () => Stream.unwrap(Effect.delay(Effect.succeed(Stream.fromIterable(events)), latency)),
  countTokens: () => Effect.die(new Error("The storm does not count tokens"))
})

/** Counts the requests of each call at the place where they are sent. */
const counted = (requests: Map<string, number>): Pipeline => (base) => {
  const count = ({ messages }: MessageRequest) => {
    const name = JSON.stringify(messages[0]?.content)
    requests.set(name, (requests.get(name) ?? 0) + 1)
  }
  const wrap = (inner: ClaudeServiceShape): ClaudeServiceShape => ({
    ...inner,
    createMessage: (request, options) =>
      Effect.suspend(() => {
        count(request)
        return inner.createMessage(request, options)
      }),
    streamMessage: (request, options) =>
      Stream.suspend(() => {
        count(request)
        return inner.streamMessage(request, options)
      })
  })
  return Layer.effect(ClaudeService, Effect.map(ClaudeService, wrap)).pipe(Layer.provide(base))
}

const storm = (scenario: Scenario, ended: (millis: number, failure: string | undefined) => void) =>
  Effect.gen(function*() {
    const claude = yield* ClaudeService
    const { end, method, think } = scenario
    const ask = (request: MessageRequest) =>
      method === "createMessage"
        ? Effect.asVoid(claude.createMessage(request))
        : Stream.runDrain(claude.streamMessage(request))
    const caller = (name: number) =>
      Effect.gen(function*() {
        yield* Effect.sleep(think * (yield* Random.next))
        for (let number = 1; (yield* Clock.currentTimeMillis) < end; number++) {
          const startedAt = yield* Clock.currentTimeMillis
          const exit = yield* Effect.exit(ask(requestOf(name, number)))
          const error = exit._tag === "Success" ? undefined : Cause.findErrorOption(exit.cause)
          const failure = error === undefined
            ? undefined
            : Option.match(error, { onNone: () => "defect", onSome: ({ _tag }) => _tag })
          ended((yield* Clock.currentTimeMillis) - startedAt, failure)
          yield* Effect.sleep(think * (0.5 + (yield* Random.next)))
        }
      })
    yield* Effect.all(Array.from({ length: scenario.callers }, (_, name) => caller(name)), {
      concurrency: "unbounded",
      discard: true
    })
  })

/** Lets a profile rage around a pipeline. */
export const rage = (
  scenario: Scenario,
  profile: ReadonlyArray<Chaos.Injection>,
  pipeline: Pipeline,
  seed = "storm"
): Effect.Effect<Tally> =>
  Effect.gen(function*() {
    const requests = new Map<string, number>()
    const times: Array<number> = []
    const failures: Record<string, number> = {}
    const layer = healthyApi.pipe(
      Chaos.withChaos(profile, { enabled: true, seed }),
      counted(requests),
      pipeline
    )
    const fiber = yield* storm(scenario, (millis, failure) => {
      times.push(millis)
      if (failure !== undefined) failures[failure] = (failures[failure] ?? 0) + 1
    }).pipe(
      Effect.provide(Layer.merge(layer, quiet), { local: true }),
      Random.withSeed(seed),
      Effect.forkChild
    )
    yield* TestClock.adjust(scenario.end + 30 * 60_000)
    yield* Fiber.join(fiber)
    const counts = [...requests.values()]
    const failed = Object.values(failures).reduce((sum, count) => sum + count, 0)
    times.sort((a, b) => a - b)
    return {
      calls: times.length,
      succeeded: times.length - failed,
      requests: counts.reduce((sum, count) => sum + count, 0),
      requestsOfOne: Math.max(...counts),
      failures,
      p99: times[Math.ceil(times.length * 0.99) - 1] ?? 0
    }
  }).pipe(Effect.provide(TestClock.layer(), { local: true }))
