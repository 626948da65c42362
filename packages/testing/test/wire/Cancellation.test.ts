import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { Agent, fetch as pooledFetch, type RequestInit as PooledInit } from "@effect/platform-node/Undici"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { getActiveResourcesInfo } from "node:process"
import { apiKey, connect, request, run, type Wire, withWire } from "./support.ts"

const stalls = { after: FaultStep.message({ interrupt: { how: "stall", afterEvents: 4 } }) } as const

/** How long after the client was done the server saw its connection close, for each request. */
const closedAfter = (api: Wire["api"], doneAt: number) =>
  Effect.map(api.awaitEnded(1), (requests) =>
    requests.map(({ endedAt, outcome }) => {
      assert.strictEqual(outcome, "clientClosed")
      return (endedAt ?? Number.POSITIVE_INFINITY) - doneAt
    }))

describe("the connection closes within 100 ms", () => {
  const ways: ReadonlyArray<readonly [string, (claude: ClaudeServiceShape) => Effect.Effect<unknown, unknown>]> = [
    ["createMessage", (claude) => run(claude, "createMessage")],
    ["streamMessage", (claude) => run(claude, "streamMessage")],
    ["countTokens", (claude) => run(claude, "countTokens")]
  ]
  const silent = { after: FaultStep.slowFirstByte("1 minute") } as const

  for (const [name, call] of ways) {
    it.live(`after an interrupt before headers: ${name}`, () =>
      withWire(silent, ({ api, claude }) =>
        Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(call(claude))
          yield* api.awaitRequests(1)
          const doneAt = performance.now()
          yield* Fiber.interrupt(fiber)
          for (const millis of yield* closedAfter(api, doneAt)) assert.isBelow(millis, 100)
          yield* api.awaitClosed
        })))
  }

  it.live("after an attempt timeout of a body that has begun", () =>
    withWire({ after: FaultStep.slowBody("1 minute") }, ({ api, claude }) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(run(claude, "createMessage"))
        const doneAt = performance.now()
        assert.strictEqual(error._tag, "AttemptTimeoutError")
        for (const millis of yield* closedAfter(api, doneAt)) assert.isBelow(millis, 100)
        yield* api.awaitClosed
      }), (base) => base.pipe(ClaudeLayer.withAttemptTimeout({ attempt: "100 millis" }))))

  it.live("after an idle timeout of a stalled stream", () =>
    withWire(stalls, ({ api, claude }) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(run(claude, "streamMessage"))
        const doneAt = performance.now()
        assert.strictEqual(error._tag, "AttemptTimeoutError")
        for (const millis of yield* closedAfter(api, doneAt)) assert.isBelow(millis, 100)
        yield* api.awaitClosed
      }), (base) => base.pipe(ClaudeLayer.withAttemptTimeout({ idle: "100 millis" }))))

  it.live("after a deadline over a stalled stream", () =>
    withWire(stalls, ({ api, claude }) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(run(claude, "streamMessage"))
        const doneAt = performance.now()
        assert.strictEqual(error._tag, "DeadlineExceededError")
        for (const millis of yield* closedAfter(api, doneAt)) assert.isBelow(millis, 100)
      }), (base) => base.pipe(ClaudeLayer.withDeadline("100 millis"))))

  it.live("after an interrupt of a stalled stream", () =>
    withWire(stalls, ({ api, claude }) =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const fiber = yield* claude.streamMessage(request).pipe(
          Stream.runForEach((event) => Effect.sync(() => seen.push(event.type))),
          Effect.forkChild
        )
        while (seen.length < 4) yield* Effect.sleep("1 millis")
        const doneAt = performance.now()
        yield* Fiber.interrupt(fiber)
        for (const millis of yield* closedAfter(api, doneAt)) assert.isBelow(millis, 100)
      })))

  it.live("when the consumer takes what it needs and leaves", () =>
    withWire(stalls, ({ api, claude }) =>
      Effect.gen(function*() {
        yield* claude.streamMessage(request).pipe(Stream.take(2), Stream.runDrain)
        const doneAt = performance.now()
        for (const millis of yield* closedAfter(api, doneAt)) assert.isBelow(millis, 100)
      })))
})

describe("nothing is left behind", () => {
  const timers = (): number => getActiveResourcesInfo().filter((name) => name === "Timeout").length
  const limits = ClaudeLayer.withAttemptTimeout({ attempt: "300 millis", idle: "200 millis" })
  const streamed = "claude-opus-5-5"

  /** Calls that all time out, half of them messages without headers, half of them streams that stall. */
  const timeOut = (claude: ClaudeServiceShape, calls: number) =>
    Effect.gen(function*() {
      const fibers = { started: 0, ended: 0 }
      const tracked = <A, E>(effect: Effect.Effect<A, E>) =>
        Effect.suspend(() => {
          fibers.started++
          return Effect.ensuring(effect, Effect.sync(() => fibers.ended++))
        })
      const errors = yield* Effect.forEach(
        Array.from({ length: calls }, (_, index) => index % 2 === 0),
        (isMessage) =>
          Effect.flip(tracked(
            isMessage
              ? Effect.asVoid(claude.createMessage(request))
              : Stream.runDrain(claude.streamMessage({ ...request, model: streamed }))
          )),
        { concurrency: 100 }
      )
      assert.deepStrictEqual(new Set(errors.map(({ _tag }) => _tag)), new Set(["AttemptTimeoutError"]))
      assert.deepStrictEqual(fibers, { started: calls, ended: calls })
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

      const requests = yield* api.awaitEnded(1000)
      assert.strictEqual(requests.length, 1000)
      assert.isTrue(requests.every(({ outcome }) => outcome === "clientClosed"))
      const busy = () => {
        const stats = agent.stats[api.url]
        return stats === undefined ? 0 : stats.pending + stats.running + stats.size
      }
      // The pool hears of a closed socket a moment after the server does.
      while (busy() > 0) yield* Effect.sleep("5 millis")
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
        for (const calls of [300, 600, 900]) {
          yield* timeOut(claude, 300)
          const requests = yield* api.awaitEnded(calls)
          assert.isTrue(requests.every(({ outcome }) => outcome === "clientClosed"))
          // 100 calls at a time; Node's pool opens up to two connections for each, some of which never see a request.
          assert.isAtMost(yield* api.openConnections, 200)
        }
      })),
    60_000
  )
})
