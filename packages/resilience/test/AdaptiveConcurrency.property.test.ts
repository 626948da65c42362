import * as AdaptiveConcurrency from "@effect-claude/resilience/AdaptiveConcurrency"
import * as Verdict from "@effect-claude/resilience/Verdict"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"

const sequences = 1000

const between = (least: number, most: number) => Random.nextIntBetween(least, most)
const oneOf = <A>(...values: ReadonlyArray<A>) => Effect.orDie(Random.choice(values))

interface Call {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  /** Set once the call runs: which round trip it belongs to, whether the limit was in full use, and how to end it. */
  running: {
    readonly round: number
    readonly wasFull: boolean
    readonly end: (exit: Exit.Exit<void, Verdict.HasVerdict>) => void
  } | undefined
}

/** Runs random calls, and holds every move of the limit against what may move it. */
const runSequence = Effect.fnUntraced(function*(seed: string) {
  const minimum = yield* between(1, 5)
  const maximum = minimum + (yield* between(0, 20))
  const initial = yield* between(minimum, maximum)
  // Halving shows every decrease in whole permits.
  const limiter = yield* AdaptiveConcurrency.make({ initial, minimum, maximum, decrease: 0.5, latency: false })
  const log = [`seed ${seed}: ${minimum} to ${maximum} from ${initial}`]
  let calls: Array<Call> = []
  let round = 0
  let sawSuccess = false

  const start = Effect.suspend(() => {
    const work = Effect.flatMap(
      limiter.state(),
      ({ inFlight, permits }) =>
        Effect.callback<void, Verdict.HasVerdict>((resume) => {
          assert.isAtMost(inFlight, permits, `let in above the limit\n${log.join("\n")}`)
          running = { round, wasFull: inFlight >= permits, end: resume }
          if (call !== undefined) call.running = running
        })
    )
    let running: Call["running"]
    let call: Call | undefined
    return Effect.map(Effect.forkChild(limiter.withPermit(work), { startImmediately: true }), (fiber) => {
      call = { fiber, running }
      calls.push(call)
    })
  })
  const settle = Effect.gen(function*() {
    for (let i = 0; i < 4; i++) yield* Effect.yieldNow
  })

  for (let step = 0; step < 60; step++) {
    const before = yield* limiter.state()
    const runningCalls = calls.filter(({ running }) => running !== undefined)
    const call = runningCalls[yield* between(0, Math.max(0, runningCalls.length - 1))]
    const action = yield* oneOf("start", "start", "success", "success", "overloaded", "other", "interrupt")
    let overload = false
    if (action === "start") {
      const count = yield* between(1, 12)
      log.push(`start ${count}`)
      for (let i = 0; i < count; i++) yield* start
    } else if (call?.running !== undefined) {
      log.push(`${action}, of round ${call.running.round} in ${round}`)
      calls = calls.filter((other) => other !== call)
      overload = action === "overloaded" && call.running.round === round
      // A service that has taken none of the round may be down; then a call that was all but alone moves nothing.
      const isFull = call.running.wasFull || before.inFlight >= before.permits
      overload &&= round === 0 || sawSuccess || isFull
      if (overload) {
        round += 1
        sawSuccess = false
      }
      if (action === "success" && call.running.round === round) sawSuccess = true
      if (action === "success") call.running.end(Exit.void)
      if (action === "overloaded") call.running.end(Exit.fail({ verdict: Verdict.retry("overloaded") }))
      if (action === "other") {
        const kinds = Verdict.retryKinds.filter((kind) => kind !== "overloaded").map((kind) => Verdict.retry(kind))
        call.running.end(Exit.fail({ verdict: yield* oneOf<Verdict.Verdict>(Verdict.stop, ...kinds) }))
      }
      if (action === "interrupt") call.fiber.interruptUnsafe()
    }
    yield* settle
    const after = yield* limiter.state()
    const story = `${log.join("\n")}\n${JSON.stringify({ before, after })}`
    assert.isTrue(after.permits >= minimum && after.permits <= maximum, story)
    assert.isTrue(after.queued === 0 || after.inFlight >= after.permits, `idle permits beside a queue\n${story}`)
    if (after.permits > before.permits) assert.strictEqual(action, "success", story)
    const mayFall = overload && before.permits > minimum
    assert.strictEqual(after.permits < before.permits, mayFall, story)
    assert.isAtLeast(after.permits, mayFall ? Math.floor(before.permits / 2) : before.permits, story)
  }
  for (const { fiber } of calls) fiber.interruptUnsafe()
  yield* settle
  assert.include(yield* limiter.state(), { inFlight: 0, queued: 0 })
})

describe("AdaptiveConcurrency under random use", () => {
  it.effect(`keeps its rules in ${sequences} sequences`, () =>
    Effect.gen(function*() {
      for (let n = 0; n < sequences; n++) {
        const seed = `adaptive ${n}`
        yield* runSequence(seed).pipe(Random.withSeed(seed), Effect.scoped)
      }
    }), 60_000)
})
