import * as BatchJob from "@effect-claude/client/BatchJob"
import * as BatchOutcome from "@effect-claude/client/BatchOutcome"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { itemOf, itemsOf, quickly, type Wire, withBatches } from "./support.ts"

const runAll = (items: BatchJob.BatchItems, options: BatchJob.RunOptions = quickly) =>
  Stream.runCollect(BatchJob.run(items, options))

const byId = (outcomes: ReadonlyArray<BatchOutcome.BatchOutcome>) =>
  Object.fromEntries(outcomes.map((outcome) => [outcome.customId, `${outcome._tag} ${outcome.submissions}`]))

/** The ids of the requests of each batch that was made. */
const submissions = ({ api }: Pick<Wire, "api">) =>
  Effect.map(
    api.requests,
    (requests) =>
      requests.filter(({ method, path }) => method === "POST" && path === "/v1/messages/batches").map(({ body }) =>
        (body as { requests: Array<{ custom_id: string }> }).requests.map(({ custom_id: id }) => id)
      )
  )

describe("run", () => {
  it.live("submits again what expired or failed for the server's reasons, and nothing else", () =>
    withBatches({
      batches: {
        processingTime: "150 millis",
        outcomes: [
          { customId: "^doc-1$", outcome: "expired", times: 1 },
          { customId: "^doc-2$", outcome: "errored", error: { type: "overloaded_error" }, times: 2 },
          { customId: "^doc-3$", outcome: "errored", error: { type: "invalid_request_error", message: "too short" } },
          { customId: "^doc-4$", outcome: "canceled" },
          { customId: "^doc-5$", outcome: "expired" },
          {
            customId: "^doc-6$",
            outcome: "errored",
            error: { type: "invalid_request_error", message: "Your credit balance is too low to access the API" }
          }
        ]
      }
    }, (wire) =>
      Effect.gen(function*() {
        const events: Array<BatchJob.BatchEvent> = []
        const outcomes = yield* runAll(itemsOf(8), { ...quickly, onEvent: (event) => events.push(event) })
        assert.deepStrictEqual(byId(outcomes), {
          "doc-0": "Succeeded 1",
          "doc-1": "Succeeded 2",
          "doc-2": "Succeeded 3",
          "doc-3": "Errored 1",
          "doc-4": "Canceled 1",
          "doc-5": "Expired 3",
          "doc-6": "Errored 1",
          "doc-7": "Succeeded 1"
        })
        assert.strictEqual(outcomes.length, 8)
        assert.deepStrictEqual(yield* submissions(wire), [
          itemsOf(8).map(({ custom_id: id }) => id),
          ["doc-1", "doc-2", "doc-5"],
          ["doc-2", "doc-5"]
        ])
        assert.deepStrictEqual(
          events.flatMap((event) => event._tag === "Submitted" ? [[event.count, event.submissions]] : []),
          [[8, 1], [3, 2], [2, 3]]
        )
        assert.isTrue(
          events.some((event) => event._tag === "Polled" && event.batch.processing_status === "in_progress")
        )
        assert.strictEqual(wire.logged.filter((line) => line.includes("submitting them again")).length, 2)
      })))

  it.live("cuts a job into batches and gives one outcome for each item", () =>
    withBatches(
      { batches: { outcomes: [{ outcome: "expired", share: 0.3 }, { outcome: "errored", share: 0.3 }], seed: "b" } },
      (wire) =>
        Effect.gen(function*() {
          const outcomes = yield* runAll(itemsOf(100), { ...quickly, maxItems: 30, submissions: 20 })
          assert.deepStrictEqual(new Set(outcomes.map(({ _tag }) => _tag)), new Set(["Succeeded"]))
          assert.strictEqual(new Set(outcomes.map(({ customId }) => customId)).size, 100)
          assert.strictEqual(outcomes.length, 100)
          assert.isAbove((yield* submissions(wire)).length, 6)
        })
    ))

  it.live("lets the outcomes stand when they cannot be submitted again", () =>
    withBatches({
      batches: {
        outcomes: [{ customId: "doc-[12]", outcome: "expired" }],
        steps: { create: [FaultStep.message(), FaultStep.invalidRequest()] }
      }
    }, (wire) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(byId(yield* runAll(itemsOf(3))), {
          "doc-0": "Succeeded 1",
          "doc-1": "Expired 1",
          "doc-2": "Expired 1"
        })
        assert.strictEqual((yield* submissions(wire)).length, 2)
        assert.isTrue(wire.logged.some((line) => line.includes("2 requests of batches could not be submitted again")))
      })))

  it.live("tells for each request which result is not readable, and does not pay for it again", () =>
    withBatches({
      batches: {
        results: Array.from({ length: 10 }, () => ({
          edits: [
            { how: "replace" as const, line: 2, text: "{" },
            {
              how: "replace" as const,
              line: 4,
              text: JSON.stringify({ custom_id: "a stranger", result: { type: "expired" } })
            }
          ]
        }))
      }
    }, (wire) =>
      Effect.gen(function*() {
        const outcomes = yield* runAll(itemsOf(5))
        assert.strictEqual(outcomes.length, 5)
        const lost = outcomes.filter(({ _tag }) => _tag === "Errored")
        assert.deepStrictEqual(lost.map(BatchOutcome.advice), ["look", "look"])
        assert.isFalse(outcomes.some(({ customId }) => customId === "a stranger"))
        assert.strictEqual((yield* submissions(wire)).length, 1)
      })))

  it.live("fails when results never come whole, and submits nothing for it", () =>
    withBatches(
      { batches: { results: Array.from({ length: 10 }, () => ({ how: "end" as const, afterLines: 2 })) } },
      (wire) =>
        Effect.gen(function*() {
          const seen: Array<string> = []
          const error = yield* Effect.flip(
            Stream.runForEach(
              BatchJob.run(itemsOf(5), quickly),
              ({ customId }) => Effect.sync(() => seen.push(customId))
            )
          )
          assert.strictEqual(error._tag, "StreamInterruptedError")
          assert.strictEqual(seen.length, 2)
          assert.strictEqual((yield* submissions(wire)).length, 1)
          // Picked up again, it pays for nothing twice.
          const again = yield* runAll(itemsOf(5), { ...quickly, onDuplicate: "adopt" })
          assert.strictEqual(again.length, 5)
          assert.strictEqual((yield* submissions(wire)).length, 1)
        })
    ))

  it.live("reads its items once for the check and once for each round", () =>
    withBatches(
      { batches: { outcomes: [{ customId: "doc-1", outcome: "expired", times: 1 }] } },
      () =>
        Effect.gen(function*() {
          let readings = 0
          const items = Stream.suspend(() => {
            readings++
            return Stream.fromIterable(itemsOf(3))
          })
          assert.strictEqual((yield* runAll(items)).length, 3)
          assert.strictEqual(readings, 3)
        })
    ))

  it.live("gives outcomes of before for items that are gone when they are read again", () =>
    withBatches({ batches: { outcomes: [{ outcome: "expired" }] } }, () =>
      Effect.gen(function*() {
        let readings = 0
        const items = Stream.suspend(() => Stream.fromIterable(itemsOf(readings++ < 2 ? 3 : 1)))
        assert.deepStrictEqual(byId(yield* runAll(items, { ...quickly, submissions: 2 })), {
          "doc-0": "Expired 2",
          "doc-1": "Expired 1",
          "doc-2": "Expired 1"
        })
      })))

  it.live("passes on how its items fail", () =>
    withBatches({}, ({ api }) =>
      Effect.gen(function*() {
        const items = Stream.concat(Stream.fromIterable(itemsOf(3)), Stream.fail("the database is gone" as const))
        assert.strictEqual(yield* Effect.flip(Stream.runDrain(BatchJob.run(items, quickly))), "the database is gone")
        assert.deepStrictEqual(yield* api.requests, [])
      })))

  it("refuses items that can be read once only", () => {
    assert.throws(() => BatchJob.run(itemsOf(3).values(), quickly), RangeError, "readable more than once")
  })

  it.live("does nothing for no items", () =>
    withBatches({}, ({ api }) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* runAll([]), [])
        assert.deepStrictEqual(yield* api.requests, [])
      })))
})

describe("resume", () => {
  it.live("goes on with batches by their ids", () =>
    withBatches(
      { batches: { outcomes: [{ customId: "doc-[15]", outcome: "expired", times: 1 }] } },
      (wire) =>
        Effect.gen(function*() {
          const batches = yield* Stream.runCollect(BatchJob.submit(itemsOf(6), { ...quickly, maxItems: 4 }))
          const ids = batches.map(({ id }) => id)
          const outcomes = yield* Stream.runCollect(BatchJob.resume(ids, { ...quickly, items: itemsOf(6) }))
          assert.deepStrictEqual(
            outcomes.map(({ _tag, customId }) => `${customId} ${_tag}`).sort(),
            itemsOf(6).map(({ custom_id: id }) => `${id} Succeeded`)
          )
          assert.deepStrictEqual((yield* submissions(wire)).at(-1), ["doc-1", "doc-5"])
        })
    ))

  it.live("takes the final outcome where several batches have one", () =>
    withBatches(
      { batches: { outcomes: [{ customId: "doc-1", outcome: "expired", times: 1 }] } },
      (wire) =>
        Effect.gen(function*() {
          const first = yield* wire.batches.create(itemsOf(3))
          const second = yield* wire.batches.create([itemOf("doc-1")])
          for (const ids of [[first.id, second.id], [second.id, first.id]]) {
            const outcomes = yield* Stream.runCollect(BatchJob.resume(ids, { ...quickly, items: itemsOf(3) }))
            assert.deepStrictEqual(byId(outcomes), {
              "doc-0": "Succeeded 1",
              "doc-1": "Succeeded 1",
              "doc-2": "Succeeded 1"
            })
          }
          assert.strictEqual((yield* submissions(wire)).length, 2)
        })
    ))

  it.live("tells of items that are in none of the batches", () =>
    withBatches({}, (wire) =>
      Effect.gen(function*() {
        const { id } = yield* wire.batches.create(itemsOf(2))
        const outcomes = yield* Stream.runCollect(BatchJob.resume([id], { ...quickly, items: itemsOf(3) }))
        assert.deepStrictEqual(
          outcomes.filter(({ customId }) => customId === "doc-2").map(BatchOutcome.advice),
          ["look"]
        )
        assert.strictEqual((yield* submissions(wire)).length, 1)
      })))

  it.live("gives what is there without the items", () =>
    withBatches(
      { batches: { outcomes: [{ customId: "doc-1", outcome: "expired" }] } },
      (wire) =>
        Effect.gen(function*() {
          const { id } = yield* wire.batches.create(itemsOf(2))
          assert.deepStrictEqual(byId(yield* Stream.runCollect(BatchJob.resume([id], quickly))), {
            "doc-0": "Succeeded 1",
            "doc-1": "Expired 1"
          })
          assert.strictEqual((yield* submissions(wire)).length, 1)
        })
    ))

  it.live("says that a batch is not there", () =>
    withBatches({}, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Stream.runDrain(BatchJob.resume(["msgbatch_nope"], quickly)))
        assert.strictEqual(error._tag, "NotFoundError")
      })))
})

describe("a batch that is canceled", () => {
  it.live("ends with what was done, and the rest is not submitted again", () =>
    withBatches({ batches: { processingTime: "1 hour" } }, (wire) =>
      Effect.gen(function*() {
        const { id } = yield* wire.batches.create(itemsOf(4))
        assert.strictEqual((yield* wire.batches.cancel(id)).processing_status, "canceling")
        const outcomes = yield* Stream.runCollect(BatchJob.resume([id], { ...quickly, items: itemsOf(4) }))
        assert.deepStrictEqual(outcomes.map(({ _tag }) => _tag), Array(4).fill("Canceled"))
        assert.strictEqual((yield* submissions(wire)).length, 1)
      })))
})
