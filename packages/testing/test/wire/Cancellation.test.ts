import type { ClaudeErrorTag } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { Agent, fetch as pooledFetch, type RequestInit as PooledInit } from "@effect/platform-node/Undici"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { getActiveResourcesInfo } from "node:process"
import { apiKey, connect, type Operation, request, run, type Wire, withWire } from "./support.ts"

/** Asks until the answer is as it should be, for ten seconds at most. */
const eventually = <A>(ask: Effect.Effect<A>, isAsItShouldBe: (answer: A) => boolean): Effect.Effect<A> =>
  Effect.gen(function*() {
    const end = performance.now() + 10_000
    let answer = yield* ask
    while (!isAsItShouldBe(answer) && performance.now() < end) {
      yield* Effect.sleep("5 millis")
      answer = yield* ask
    }
    assert.isTrue(isAsItShouldBe(answer), "not after ten seconds either")
    return answer
  })

const stalls = { after: FaultStep.message({ interrupt: { how: "stall", afterEvents: 4 } }) } as const

interface Leaving {
  readonly plan: FaultPlan.FaultPlanInput
  /** The pipeline of a client that gives up after a time. */
  readonly pipeline?: (limit: Duration.Duration) => ClaudeLayer.Combinator
  /** Makes a call, leaves it, and says when the client was done with it. */
  readonly leave: (wire: Wire) => Effect.Effect<number, unknown>
}

const silent = { after: FaultStep.slowFirstByte("1 minute") } as const

const now = Effect.sync(() => Date.now())

const interrupted = (operation: Operation): Leaving => ({
  plan: silent,
  leave: ({ api, claude }) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(run(claude, operation))
      yield* api.awaitRequests(1)
      const doneAt = Date.now()
      yield* Fiber.interrupt(fiber)
      return doneAt
    })
})

const failing = (operation: Operation, tag: ClaudeErrorTag): Leaving["leave"] => ({ claude }) =>
  Effect.flatMap(Effect.flip(run(claude, operation)), (error) => {
    assert.strictEqual(error._tag, tag)
    return now
  })

const ways: Readonly<Record<string, Leaving>> = {
  "an interrupt of createMessage before headers": interrupted("createMessage"),
  "an interrupt of streamMessage before headers": interrupted("streamMessage"),
  "an interrupt of countTokens before headers": interrupted("countTokens"),
  "an attempt timeout of a body that has begun": {
    plan: { after: FaultStep.slowBody("1 minute") },
    pipeline: (attempt) => ClaudeLayer.withAttemptTimeout({ attempt }),
    leave: failing("createMessage", "AttemptTimeoutError")
  },
  "an idle timeout of a stalled stream": {
    plan: stalls,
    pipeline: (idle) => ClaudeLayer.withAttemptTimeout({ idle }),
    leave: failing("streamMessage", "AttemptTimeoutError")
  },
  "a deadline over a stalled stream": {
    plan: stalls,
    pipeline: (limit) => ClaudeLayer.withDeadline(limit),
    leave: failing("streamMessage", "DeadlineExceededError")
  },
  "an interrupt of a stalled stream": {
    plan: stalls,
    leave: ({ claude }) =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const fiber = yield* claude.streamMessage(request).pipe(
          Stream.runForEach((event) => Effect.sync(() => seen.push(event.type))),
          Effect.forkChild
        )
        while (seen.length < 4) yield* Effect.sleep("1 millis")
        const doneAt = Date.now()
        yield* Fiber.interrupt(fiber)
        return doneAt
      })
  },
  "a consumer that takes what it needs": {
    plan: stalls,
    leave: ({ claude }) => Effect.andThen(claude.streamMessage(request).pipe(Stream.take(2), Stream.runDrain), now)
  }
}

/** How long after the client was done the server saw the connection close, if the request had arrived by then. */
const closedAfter = ({ leave, pipeline, plan }: Leaving, limit: Duration.Duration) =>
  withWire(plan, (wire) =>
    Effect.gen(function*() {
      const doneAt = yield* leave(wire)
      yield* wire.api.awaitClosed.pipe(Effect.timeout("10 seconds"))
      if ((yield* wire.api.requests).length === 0) return Number.POSITIVE_INFINITY
      const [request] = yield* wire.api.awaitEnded(1).pipe(Effect.timeout("10 seconds"))
      assert.strictEqual(request?.outcome, "clientClosed")
      return (request?.endedAt ?? Number.POSITIVE_INFINITY) - doneAt
    }), pipeline?.(limit))

describe("the server sees the connection close within 100 ms", () => {
  for (const [name, leaving] of Object.entries(ways)) {
    it.live(`after ${name}`, () =>
      Effect.gen(function*() {
        // The best of four: a busy machine can only add to the time. There the limit can also pass before the request
        // arrives, so each round has a longer one.
        let best = Number.POSITIVE_INFINITY
        for (let limit = 100; limit <= 6_400 && best >= 100; limit *= 4) {
          best = Math.min(best, yield* closedAfter(leaving, Duration.millis(limit)))
        }
        assert.isBelow(best, 100)
      }), 60_000)
  }
})

describe("nothing is left behind", () => {
  const timers = (): number => getActiveResourcesInfo().filter((name) => name === "Timeout").length
  const limits = ClaudeLayer.withAttemptTimeout({ attempt: "300 millis", idle: "200 millis" })
  const streamed = "claude-opus-5-5"

  /** Calls that all time out, half of them messages without headers, half of them streams that stall. */
  const timeOut = (claude: ClaudeServiceShape, calls: number) =>
    Effect.gen(function*() {
      const fibers = { started: 0, ended: 0 }
      const counting: Metric.FiberRuntimeMetricsService = {
        recordFiberStart: () => fibers.started++,
        recordFiberEnd: () => fibers.ended++
      }
      const errors = yield* Effect.forEach(
        Array.from({ length: calls }, (_, index) => index % 2 === 0),
        (isMessage) =>
          Effect.flip(
            isMessage
              ? Effect.asVoid(claude.createMessage(request))
              : Stream.runDrain(claude.streamMessage({ ...request, model: streamed }))
          ),
        { concurrency: 100 }
      ).pipe(Effect.provideService(Metric.FiberRuntimeMetrics, counting))
      assert.deepStrictEqual(new Set(errors.map(({ _tag }) => _tag)), new Set(["AttemptTimeoutError"]))
      assert.isAtLeast(fibers.started, calls)
      yield* eventually(Effect.sync(() => fibers.started - fibers.ended), (running) => running === 0)
    })

  const silentApi = FakeClaudeApi.make({
    plan: FaultPlan.make({ after: FaultStep.slowFirstByte("1 minute"), models: { [streamed]: stalls } })
  })

  it.live("1,000 timed-out calls leave no socket, timer or fiber", () =>
    Effect.scoped(Effect.gen(function*() {
      const api = yield* silentApi
      // A pool of our own, which can be asked what it is doing; the one behind the global fetch cannot.
      const agent = new Agent()
      const claude = yield* connect({
        apiKey: Redacted.make(apiKey),
        baseUrl: api.url,
        sdk: {
          fetch: (url, init) => pooledFetch(url as string, { ...init, dispatcher: agent } as PooledInit) as never
        }
      }, limits)
      const before = timers()
      yield* timeOut(claude, 1000)

      // On a busy machine a call may time out before its request has left, so not all of them need to have arrived.
      const requests = yield* eventually(api.requests, (all) => all.every(({ outcome }) => outcome !== "pending"))
      assert.isAbove(requests.length, 0)
      assert.deepStrictEqual(new Set(requests.map(({ outcome }) => outcome)), new Set(["clientClosed"]))
      yield* eventually(
        Effect.sync(() => agent.stats[api.url]),
        (stats) => stats === undefined || stats.pending + stats.running + stats.size === 0
      )
      // Closing waits for whatever still runs, so it is prompt only because nothing does.
      yield* Effect.promise(() => agent.close()).pipe(Effect.timeout("2 seconds"))
      yield* api.awaitClosed.pipe(Effect.timeout("2 seconds"))
      assert.strictEqual(yield* api.openConnections, 0)
      // The HTTP client keeps a timer or two of its own.
      assert.isAtMost(timers() - before, 5)
    })), 60_000)

  it.live(
    "the pool behind the global fetch keeps idle connections, and no more of them for more calls",
    () =>
      Effect.scoped(Effect.gen(function*() {
        const api = yield* silentApi
        const claude = yield* connect({ apiKey: Redacted.make(apiKey), baseUrl: api.url }, limits)
        for (let round = 0; round < 3; round++) {
          yield* timeOut(claude, 300)
          const requests = yield* eventually(api.requests, (all) => all.every(({ outcome }) => outcome !== "pending"))
          assert.deepStrictEqual(new Set(requests.map(({ outcome }) => outcome)), new Set(["clientClosed"]))
          // 100 calls at a time; Node's pool opens two connections or so for each, some of which never see a request.
          assert.isAtMost(yield* api.openConnections, 280)
        }
      })),
    60_000
  )
})
