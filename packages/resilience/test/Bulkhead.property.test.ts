import { CurrentCallStart, withPriority } from "@effect-claude/resilience/Admission"
import * as Bulkhead from "@effect-claude/resilience/Bulkhead"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { BulkheadModel, type Status } from "./BulkheadModel.ts"

const sequences = 1500
const batchHandicap = 2

const between = (least: number, most: number) => Random.nextIntBetween(least, most)
const oneOf = <A>(...values: ReadonlyArray<A>) => Effect.orDie(Random.choice(values))

/** A call of the program's own: where it stands, and how to end it. */
interface Call {
  status: Status
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  end: ((exit: Exit.Exit<void, "failed">) => void) | undefined
}

const statusOf = (exit: Exit.Exit<unknown, "failed" | "gateClosed" | "queueFull" | "queueTimeout">): Status => {
  if (Exit.isSuccess(exit)) return "succeeded"
  const [reason] = exit.cause.reasons
  return reason?._tag === "Fail" ? reason.error : "interrupted"
}

const isLive = (status: Status): boolean => status === "queued" || status === "granted" || status === "running"

/** Runs one random sequence against the bulkhead and the model, and compares all they show after every step. */
const runSequence = Effect.fnUntraced(function*(seed: string) {
  const permits = yield* between(1, 4)
  const capacity = yield* oneOf(0, 1, 2, 3, 8)
  const timeout = yield* oneOf(Number.POSITIVE_INFINITY, 1, 20, 100)
  const callers = yield* between(2, 8)
  const streams = yield* Random.nextBoolean
  const bulkhead = yield* Bulkhead.make({
    permits,
    queue: capacity,
    batchHandicap,
    ...(Number.isFinite(timeout) ? { queueTimeout: timeout } : undefined),
    onRejected: ({ reason }) => reason
  })
  const model = new BulkheadModel({ permits, capacity, timeout, callers })
  const calls = model.callers.map((): Call => ({ status: "idle", fiber: undefined, end: undefined }))
  const log = [
    `seed ${seed}: permits ${permits}, queue ${capacity}, timeout ${timeout}, ${streams ? "streams" : "effects"}`
  ]

  const start = (call: Call, rank: number, batch: boolean, gateFails: boolean) => {
    const work = Effect.callback<void, "failed">((resume) => {
      call.status = "running"
      call.end = resume
    })
    const options = { afterWait: gateFails ? Effect.fail("gateClosed" as const) : Effect.void }
    const held = streams
      ? Stream.runDrain(bulkhead.withPermitStream(Stream.fromEffect(work), options))
      : bulkhead.withPermit(work, options)
    call.status = "queued"
    return held.pipe(
      withPriority(batch ? "batch" : "interactive"),
      Effect.provideService(CurrentCallStart, rank),
      Effect.onExit((exit) =>
        Effect.sync(() => {
          call.status = statusOf(exit)
        })
      ),
      Effect.forkChild({ startImmediately: true }),
      Effect.map((fiber) => {
        call.fiber = fiber
      })
    )
  }

  const settleAndCompare = Effect.gen(function*() {
    yield* TestClock.adjust(0)
    // Each wake may lead to another one.
    for (let i = 0; i <= 2 * callers; i++) yield* Effect.yieldNow
    yield* TestClock.adjust(0)
    model.wake()
    const story = log.join("\n")
    assert.deepStrictEqual(calls.map(({ status }) => status), model.callers.map(({ status }) => status), story)
    assert.deepStrictEqual(
      yield* bulkhead.state(),
      { permits, inFlight: model.inFlight, queued: model.queue.length },
      story
    )
  })

  const steps = yield* between(5, 30)
  for (let step = 0; step < steps; step++) {
    const index = yield* between(0, callers - 1)
    const [call, caller] = [calls[index], model.callers[index]]
    if (call === undefined || caller === undefined) continue
    const action = yield* oneOf("start", "start", "succeed", "fail", "interrupt", "pass")
    if (action === "start" && !isLive(caller.status)) {
      const [began, batch, gateFails] = [yield* between(0, 5), yield* Random.nextBoolean, (yield* between(0, 4)) === 0]
      log.push(`start ${index}, began ${began}${batch ? ", batch" : ""}${gateFails ? ", gate closed" : ""}`)
      model.start(caller, began + (batch ? batchHandicap : 0), gateFails)
      yield* start(call, began, batch, gateFails)
    } else if ((action === "succeed" || action === "fail") && caller.status === "running" && call.end !== undefined) {
      log.push(`${action} ${index}`)
      model.end(caller, action === "succeed" ? "succeeded" : "failed")
      call.end(action === "succeed" ? Exit.void : Exit.fail("failed"))
    } else if (action === "interrupt" && isLive(caller.status)) {
      log.push(`interrupt ${index}`)
      model.end(caller, "interrupted")
      call.fiber?.interruptUnsafe()
    } else if (action === "pass") {
      yield* settleAndCompare
      const millis = yield* oneOf(1, 10, 60, 1000)
      log.push(`pass ${millis} ms`)
      model.pass(millis)
      yield* TestClock.adjust(millis)
    }
    // Not after every step, so that a permit is often on its way to a fiber that something else happens to. The end of a
    // stream takes a moment by itself.
    if (streams || (yield* Random.nextBoolean)) {
      log.push("settle")
      yield* settleAndCompare
    }
  }
  yield* settleAndCompare
  for (const [index, caller] of model.callers.entries()) {
    if (isLive(caller.status)) {
      log.push(`interrupt ${index}`)
      model.end(caller, "interrupted")
      calls[index]?.fiber?.interruptUnsafe()
    }
  }
  yield* settleAndCompare
  assert.deepStrictEqual(yield* bulkhead.state(), { permits, inFlight: 0, queued: 0 }, log.join("\n"))
})

describe("Bulkhead against its model", () => {
  it.effect(`agrees in ${sequences} random sequences`, () =>
    Effect.gen(function*() {
      for (let n = 0; n < sequences; n++) {
        const seed = `bulkhead ${n}`
        yield* runSequence(seed).pipe(Random.withSeed(seed), Effect.scoped)
      }
    }), 60_000)
})
