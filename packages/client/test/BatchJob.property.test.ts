import type { MessageBatch } from "@anthropic-ai/sdk/resources/messages/batches"
import * as BatchJob from "@effect-claude/client/BatchJob"
import * as BatchLedger from "@effect-claude/client/BatchLedger"
import type { BatchOutcome } from "@effect-claude/client/BatchOutcome"
import { type BatchItem, ClaudeBatches, type ClaudeBatchesShape } from "@effect-claude/client/ClaudeBatches"
import {
  ConnectionError,
  InternalServerError,
  InvalidRequestError,
  NotFoundError,
  OverloadedError,
  StreamInterruptedError
} from "@effect-claude/client/ClaudeError"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

/** Numbers from 0 up to 1, the same for the same seed. */
const randomOf = (seed: number) => {
  let state = seed * 2_654_435_761 % 2 ** 32
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return (Math.imul(state ^ (state >>> 15), 0x85ebca6b) >>> 0) / 2 ** 32
  }
}

const hour = 3_600_000

interface Made {
  readonly id: string
  readonly endsAt: number
  readonly createdAt: number
  readonly outcomes: ReadonlyArray<BatchOutcome>
}

/** A server of batches with trouble everywhere, which remembers whom it has answered. */
const troubledServer = (random: () => number) => {
  const made: Array<Made> = []
  const answered = new Map<string, number>()
  const chance = (share: number) => random() < share

  const outcomeOf = (customId: string, batchId: string): BatchOutcome => {
    const origin = { customId, batchId, submissions: 1 }
    if (chance(0.15)) return { _tag: "Expired", ...origin }
    if (chance(0.15)) return { _tag: "Errored", ...origin, error: new OverloadedError({ message: "Overloaded" }) }
    if (chance(0.1)) return { _tag: "Errored", ...origin, error: new InvalidRequestError({ message: "at fault" }) }
    if (chance(0.1)) return { _tag: "Canceled", ...origin }
    answered.set(customId, (answered.get(customId) ?? 0) + 1)
    return { _tag: "Succeeded", ...origin, message: {} as never }
  }

  const view = ({ createdAt, endsAt, id, outcomes }: Made, now: number): MessageBatch => ({
    id,
    type: "message_batch",
    processing_status: now >= endsAt ? "ended" : "in_progress",
    request_counts: { processing: outcomes.length, succeeded: 0, errored: 0, canceled: 0, expired: 0 },
    created_at: new Date(createdAt).toISOString(),
    expires_at: new Date(createdAt).toISOString(),
    ended_at: null,
    archived_at: null,
    cancel_initiated_at: null,
    results_url: null
  })

  const lost = new ConnectionError({ message: "The connection failed (ECONNRESET)", code: "ECONNRESET" })

  const service = (ledger: BatchLedger.BatchLedger): ClaudeBatchesShape => ({
    create: (items) =>
      Effect.gen(function*() {
        if (chance(0.2)) return yield* new OverloadedError({ message: "Overloaded" })
        if (chance(0.2)) return yield* lost
        const now = yield* Clock.currentTimeMillis
        const id = `msgbatch_${made.length}`
        const batch: Made = {
          id,
          createdAt: now,
          endsAt: now + random() * hour,
          outcomes: items.map((item) => outcomeOf(item.custom_id, id))
        }
        made.push(batch)
        if (chance(0.2)) return yield* chance(0.5) ? lost : new InternalServerError({ message: "oops", status: 500 })
        return view(batch, now)
      }),
    retrieve: (id) =>
      Effect.gen(function*() {
        if (chance(0.3)) return yield* new InternalServerError({ message: "oops", status: 500 })
        const batch = made.find((one) => one.id === id)
        return batch === undefined
          ? yield* new NotFoundError({ message: "no such batch" })
          : view(batch, yield* Clock.currentTimeMillis)
      }),
    list: () =>
      Stream.unwrap(Effect.gen(function*() {
        if (chance(0.2)) return yield* new OverloadedError({ message: "Overloaded" })
        const now = yield* Clock.currentTimeMillis
        return Stream.fromIterable(made.toReversed().map((batch) => view(batch, now)))
      })),
    results: (id) => {
      const outcomes = made.find((one) => one.id === id)?.outcomes ?? []
      return Stream.suspend(() =>
        chance(0.4)
          ? Stream.concat(
            Stream.fromIterable(outcomes.slice(0, Math.floor(random() * outcomes.length))),
            Stream.fail(new StreamInterruptedError({ message: "cut" }))
          )
          : Stream.fromIterable(chance(0.5) ? outcomes : outcomes.toReversed())
      )
    },
    cancel: () => Effect.die("not used here"),
    delete: () => Effect.die("not used here"),
    ledger
  })
  return { service, answered, made }
}

const itemOf = (index: number): BatchItem => ({
  custom_id: `doc-${index}`,
  params: { model: "claude-sonnet-5-5", max_tokens: 1, messages: [{ role: "user", content: `${index}` }] }
})

describe("a job in trouble", () => {
  it.effect(
    "gives each request one outcome and has none answered twice, also when it is killed and started again",
    () =>
      Effect.gen(function*() {
        let kills = 0
        let resubmitted = 0
        for (let seed = 1; seed <= 120; seed++) {
          const random = randomOf(seed)
          const server = troubledServer(random)
          const items = Array.from({ length: 1 + Math.floor(random() * 30) }, (_, index) => itemOf(index))
          // Of different sizes, so that a batch whose making went unheard can be told from the others.
          const options = { maxItems: items.length, onDuplicate: "adopt" } as const
          const ledger = yield* BatchLedger.makeMemory
          const start = (outcomes: Array<BatchOutcome>) =>
            BatchJob.run(items, options).pipe(
              Stream.runForEach((outcome) => Effect.sync(() => outcomes.push(outcome))),
              Effect.provideService(ClaudeBatches, server.service(ledger)),
              Effect.forkChild
            )

          let outcomes: Array<BatchOutcome> = []
          let fiber = yield* start(outcomes)
          while (random() < 0.5) {
            yield* TestClock.adjust(random() * hour)
            yield* Fiber.interrupt(fiber)
            kills++
            outcomes = []
            fiber = yield* start(outcomes)
          }
          // In steps: a fiber that is between two sleeps while the clock is set would miss the time that passes.
          for (let step = 0; step < 500 && fiber.pollUnsafe() === undefined; step++) {
            yield* TestClock.adjust("5 minutes")
          }
          yield* Fiber.join(fiber)

          const note = `seed ${seed}`
          assert.deepStrictEqual(
            outcomes.map(({ customId }) => customId).sort(),
            items.map(({ custom_id: id }) => id).sort(),
            note
          )
          for (const [customId, times] of server.answered) {
            assert.strictEqual(times, 1, `${note}: ${customId}`)
            assert.isTrue(
              outcomes.some((outcome) => outcome.customId === customId && outcome._tag === "Succeeded"),
              note
            )
          }
          for (const outcome of outcomes) {
            const isPassing = outcome._tag === "Expired"
              || (outcome._tag === "Errored" && outcome.error._tag === "OverloadedError")
            if (isPassing) assert.strictEqual(outcome.submissions, 3, note)
            if (outcome.submissions > 1) resubmitted++
          }
        }
        assert.isAbove(kills, 50)
        assert.isAbove(resubmitted, 100)
      }).pipe(Effect.provide(Logger.layer([Logger.make(() => undefined)]))),
    60_000
  )
})
