import * as BatchJob from "@effect-claude/client/BatchJob"
import * as BatchLedger from "@effect-claude/client/BatchLedger"
import * as ClaudeBatches from "@effect-claude/client/ClaudeBatches"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import type * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Stream from "effect/Stream"
import { itemOf, itemsOf, quickly, type Wire, withBatches } from "./support.ts"

const submitAll = (items: BatchJob.BatchItems, options: BatchJob.SubmitOptions = quickly) =>
  Stream.runCollect(BatchJob.submit(items, options))

const creates = ({ api }: Pick<Wire, "api">) =>
  Effect.map(
    api.requests,
    (requests) => requests.filter(({ method, path }) => method === "POST" && path === "/v1/messages/batches")
  )

/** The batch is made and the client does not hear of it. */
const lostAnswer = FaultStep.message({ interrupt: { how: "reset", afterBytes: 0 } })

const batchesOnServer = ({ batches }: Pick<Wire, "batches">) => Stream.runCount(batches.list())

describe("submit", () => {
  it.live("cuts items into batches by their number, in order", () =>
    withBatches({}, (wire) =>
      Effect.gen(function*() {
        const submitted = yield* submitAll(itemsOf(7), { ...quickly, maxItems: 3 })
        assert.deepStrictEqual(submitted.map(({ customIds }) => customIds), [
          ["doc-0", "doc-1", "doc-2"],
          ["doc-3", "doc-4", "doc-5"],
          ["doc-6"]
        ])
        assert.deepStrictEqual(
          (yield* creates(wire)).map(({ body }) => (body as { requests: Array<unknown> }).requests),
          [itemsOf(7).slice(0, 3), itemsOf(7).slice(3, 6), itemsOf(7).slice(6)]
        )
      })))

  it.live("measures a batch as it is sent, to the byte", () =>
    withBatches({}, (wire) =>
      Effect.gen(function*() {
        const items = ["the longest one", "\ud800", "\u0001", "\"\\", "🎉", "ü"].map((
          text,
          index
        ): ClaudeBatches.BatchItem => ({
          params: { ...itemOf("x").params, messages: [{ role: "user", content: text }], metadata: { user_id: null } },
          custom_id: `doc-${index}`
        }))
        const size = (part: ReadonlyArray<object>) => Buffer.byteLength(JSON.stringify({ requests: part }))
        for (let count = 1; count < items.length; count++) {
          const exact = size(items.slice(0, count))
          const fits = yield* submitAll(items, { ...quickly, maxBytes: exact, onDuplicate: "submit" })
          assert.strictEqual(fits[0]?.customIds.length, count)
        }
        for (const { headers } of yield* creates(wire)) assert.isDefined(headers["content-length"])
        const one = size(items.slice(0, 1))
        const error = yield* Effect.flip(submitAll(items, { ...quickly, maxBytes: one - 1, onDuplicate: "submit" }))
        assert.strictEqual(error._tag, "RequestTooLargeError")
        assert.include(error.message, `"doc-0" has ${one} bytes`)
        assert.strictEqual(error._tag === "RequestTooLargeError" ? error.customId : "", "doc-0")
      })))

  const wrong: ReadonlyArray<readonly [string, ClaudeBatches.BatchItem, string]> = [
    ["a custom_id twice", itemOf("doc-1"), "there twice"],
    ["a custom_id that is none", itemOf("not an id"), "requests[5].custom_id: must be 1 to 64"],
    ["a custom_id that is too long", itemOf("x".repeat(65)), "must be 1 to 64"],
    ["a request without messages", {
      custom_id: "wrong",
      params: { ...itemOf("x").params, messages: [] }
    }, "custom_id \"wrong\": messages"],
    ["a request that streams", {
      custom_id: "wrong",
      params: { ...itemOf("x").params, stream: true as never }
    }, "does not stream"]
  ]
  for (const [what, item, message] of wrong) {
    it.live(`sends nothing when the last item has ${what}`, () =>
      withBatches({}, (wire) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(submitAll([...itemsOf(5), item], { ...quickly, maxItems: 2 }))
          assert.strictEqual(error._tag, "InvalidRequestError")
          assert.include(error.message, message)
          assert.deepStrictEqual(yield* wire.api.requests, [])
        })))
  }

  it.live("allows answers that take longer than ten minutes", () =>
    withBatches({}, () =>
      Effect.gen(function*() {
        const item = { ...itemOf("long"), params: { ...itemOf("long").params, max_tokens: 128_000 } }
        assert.strictEqual((yield* submitAll([item])).length, 1)
      })))

  it.live("reads a generator once, and no further than it has sent", () =>
    withBatches({}, (wire) =>
      Effect.gen(function*() {
        let read = 0
        function* generated() {
          for (const item of itemsOf(10)) {
            read++
            yield item
          }
        }
        const first = yield* Stream.runCollect(
          Stream.take(BatchJob.submit(generated(), { ...quickly, maxItems: 2 }), 1)
        )
        assert.deepStrictEqual(first[0]?.customIds, ["doc-0", "doc-1"])
        assert.strictEqual(read, 3)
        assert.strictEqual((yield* creates(wire)).length, 1)
      })))

  it.live("makes no batch of no items", () =>
    withBatches({}, ({ api }) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* submitAll([]), [])
        assert.deepStrictEqual(yield* api.requests, [])
      })))

  it.live("tries again what the server did not take", () =>
    withBatches(
      { batches: { steps: { create: [FaultStep.overloaded(), FaultStep.rateLimit(), FaultStep.internalServer()] } } },
      (wire) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* submitAll(itemsOf(3))).length, 1)
          assert.strictEqual((yield* creates(wire)).length, 4)
          assert.strictEqual(yield* batchesOnServer(wire), 1)
        })
    ))
})

describe("the same work", () => {
  it.live("is not submitted twice", () =>
    withBatches({}, (wire) =>
      Effect.gen(function*() {
        const [batch] = yield* submitAll(itemsOf(3))
        const error = yield* Effect.flip(submitAll(itemsOf(3)))
        assert.strictEqual(error._tag, "DuplicateBatchError")
        assert.strictEqual(error._tag === "DuplicateBatchError" ? error.batchId : "", batch?.id)
        assert.include(error.message, batch?.id ?? "no batch")
        assert.strictEqual(yield* batchesOnServer(wire), 1)
      })))

  it.live("is other work with another item, another order, or for another workspace", () =>
    withBatches({}, (wire) =>
      Effect.gen(function*() {
        yield* submitAll(itemsOf(3))
        yield* submitAll(itemsOf(4))
        yield* submitAll(itemsOf(3).toReversed())
        yield* submitAll(itemsOf(3), { ...quickly, headers: { "anthropic-workspace-id": "wrkspc_2" } })
        assert.strictEqual(yield* batchesOnServer(wire), 4)
      })))

  it.live("is adopted when asked for, and what is missing of it submitted", () =>
    withBatches({}, (wire) =>
      Effect.gen(function*() {
        const options = { ...quickly, maxItems: 2, onDuplicate: "adopt" } as const
        const before = yield* submitAll(itemsOf(4), options)
        const after = yield* submitAll(itemsOf(6), options)
        assert.deepStrictEqual(after.map(({ adopted }) => adopted), [true, true, false])
        assert.deepStrictEqual(after.slice(0, 2).map(({ id }) => id), before.map(({ id }) => id))
        assert.strictEqual(yield* batchesOnServer(wire), 3)
        assert.isTrue(wire.logged.some((line) => line.includes("already")))
      })))

  it.live("is submitted again when asked for, with a warning", () =>
    withBatches({}, (wire) =>
      Effect.gen(function*() {
        yield* submitAll(itemsOf(3))
        yield* submitAll(itemsOf(3), { ...quickly, onDuplicate: "submit" })
        assert.strictEqual(yield* batchesOnServer(wire), 2)
        assert.isTrue(wire.logged.some((line) => line.includes("submitted before")))
      })))

  it.live("is submitted when its batch has been deleted, or its results are gone", () =>
    withBatches({}, (wire) =>
      Effect.gen(function*() {
        const options = { ...quickly, onDuplicate: "adopt" } as const
        const [batch] = yield* submitAll(itemsOf(3), options)
        yield* wire.batches.delete(batch?.id ?? "")
        yield* wire.api.setPlan({ batches: { archived: true } })
        const again = yield* submitAll(itemsOf(3), options)
        assert.isFalse(again[0]?.adopted)
        const oncemore = yield* submitAll(itemsOf(3), options)
        assert.isFalse(oncemore[0]?.adopted)
      })))

  it.live("is recognised by another process through its store", () =>
    withBatches({}, ({ batches }) =>
      Effect.gen(function*() {
        const process = Effect.gen(function*() {
          const ledger = yield* BatchLedger.fromKeyValueStore({ prefix: "jobs/" })
          return yield* Effect.provideService(
            Stream.runCollect(BatchJob.submit(itemsOf(3), { ...quickly, onDuplicate: "adopt" })),
            ClaudeBatches.ClaudeBatches,
            { ...batches, ledger }
          )
        })
        const [first] = yield* process
        const [second] = yield* process
        assert.strictEqual(second?.id, first?.id)
        assert.isTrue(second?.adopted)
      }).pipe(Effect.provide(KeyValueStore.layerMemory))))

  it.live("is waited for by another fiber that adopts, however long it is under way", () =>
    withBatches({}, (wire) =>
      Effect.gen(function*() {
        let sent = 0
        const { batches } = wire
        const slow: ClaudeBatches.ClaudeBatchesShape = {
          ...batches,
          create: (items, call) => Effect.delay(batches.create(items, call), ++sent === 1 ? "150 millis" : 0)
        }
        const job = submitAll(itemsOf(2), { ...quickly, onDuplicate: "adopt" }).pipe(
          Effect.provideService(ClaudeBatches.ClaudeBatches, slow)
        )
        const both = (yield* Effect.all([job, job], { concurrency: 2 })).flat()
        assert.deepStrictEqual(both.map(({ adopted }) => adopted), [false, true])
        assert.strictEqual(both[0]?.id, both[1]?.id)
        assert.strictEqual(yield* batchesOnServer(wire), 1)
      })))

  it.live("is waited for by nobody who only wants to know", () =>
    withBatches({}, ({ batches }) =>
      Effect.gen(function*() {
        const stuck = { ...batches, create: () => Effect.never }
        const job = submitAll(itemsOf(2)).pipe(Effect.provideService(ClaudeBatches.ClaudeBatches, stuck))
        yield* Effect.forkChild(job, { startImmediately: true })
        yield* Effect.yieldNow
        assert.strictEqual((yield* Effect.flip(job))._tag, "DuplicateBatchError")
      })))

  for (const writes of [1, 2, 3, 4]) {
    it.live(`is told from other work by a process that follows one which died after ${writes} writes to the ledger`, () =>
      // The second submission breaks off, so that the batch of the first is looked at as one that may be it.
      withBatches(
        { batches: { steps: { create: [FaultStep.message(), FaultStep.reset()] } } },
        (wire) =>
          Effect.gen(function*() {
            const memory = yield* BatchLedger.makeMemory
            const died = yield* Deferred.make<void>()
            let left = writes
            const alive = <A, E>(write: Effect.Effect<A, E>) =>
              Effect.suspend((): Effect.Effect<A, E> =>
                --left < 0 ? Effect.andThen(Deferred.succeed(died, undefined), Effect.never) : write
              )
            const dying: BatchLedger.BatchLedger = {
              ...memory,
              claim: (key, entry) => alive(memory.claim(key, entry)),
              set: (key, entry) => alive(memory.set(key, entry))
            }
            const job = (ledger: BatchLedger.BatchLedger) =>
              submitAll(itemsOf(4), { ...quickly, maxItems: 2, onDuplicate: "adopt" }).pipe(
                Effect.provideService(ClaudeBatches.ClaudeBatches, { ...wire.batches, ledger })
              )
            // Nobody waits for it to end: the dead do not.
            yield* Effect.forkDetach(job(dying))
            yield* Deferred.await(died)
            const submitted = yield* job(memory)
            assert.strictEqual(new Set(submitted.map(({ id }) => id)).size, 2)
            assert.strictEqual(yield* batchesOnServer(wire), 2)
          })
      ))
  }

  it.live("is not submitted when the ledger cannot be read", () =>
    withBatches({}, ({ api, batches }) =>
      Effect.gen(function*() {
        const store = yield* KeyValueStore.KeyValueStore
        const unreadable = yield* Effect.provideService(
          BatchLedger.fromKeyValueStore({ prefix: "" }),
          KeyValueStore.KeyValueStore,
          KeyValueStore.make({ ...store, get: () => Effect.succeed("no entry") })
        )
        const error = yield* Effect.flip(Effect.provideService(
          submitAll(itemsOf(2)),
          ClaudeBatches.ClaudeBatches,
          { ...batches, ledger: unreadable }
        ))
        assert.strictEqual(error._tag, "BatchLedgerError")
        assert.deepStrictEqual(yield* api.requests, [])
      }).pipe(Effect.provide(KeyValueStore.layerMemory))))
})

describe("a submission whose answer is lost", () => {
  const lost = (steps: NonNullable<NonNullable<FaultPlan.FaultPlanInput["batches"]>["steps"]>) => ({
    batches: { steps }
  })

  it.live("is told of with what may be its batch, and not repeated", () =>
    withBatches(lost({ create: [lostAnswer] }), (wire) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(submitAll(itemsOf(3)))
        if (error._tag !== "UnknownSubmissionError") return assert.fail(error._tag)
        assert.strictEqual(error.candidates.length, 1)
        assert.strictEqual((error.cause as ClaudeError)._tag, "ConnectionError")
        assert.strictEqual(yield* batchesOnServer(wire), 1)
        // Whoever asks again hears that it is not known.
        const again = yield* Effect.flip(submitAll(itemsOf(3)))
        assert.strictEqual(again._tag === "DuplicateBatchError" ? again.batchId : again._tag, undefined)
        assert.strictEqual((yield* creates(wire)).length, 1)
        // And whoever adopts gets it.
        const [adopted] = yield* submitAll(itemsOf(3), { ...quickly, onDuplicate: "adopt" })
        assert.deepStrictEqual([adopted?.id ?? ""], error.candidates)
        assert.strictEqual(yield* batchesOnServer(wire), 1)
      })))

  it.live("is found when it may be adopted, among other batches of the same size", () =>
    withBatches(lost({ create: [FaultStep.message(), lostAnswer] }), (wire) =>
      Effect.gen(function*() {
        const submitted = yield* submitAll(itemsOf(6), { ...quickly, maxItems: 3, onDuplicate: "adopt" })
        assert.deepStrictEqual(submitted.map(({ adopted }) => adopted), [false, true])
        assert.strictEqual(new Set(submitted.map(({ id }) => id)).size, 2)
        assert.strictEqual(yield* batchesOnServer(wire), 2)
      })))

  it.live("is repeated when no batch was made", () =>
    withBatches(lost({ create: [FaultStep.reset()] }), (wire) =>
      Effect.gen(function*() {
        const [batch] = yield* submitAll(itemsOf(3))
        assert.isFalse(batch?.adopted)
        assert.strictEqual((yield* creates(wire)).length, 2)
        assert.strictEqual(yield* batchesOnServer(wire), 1)
      })))

  it.live("is unknown when the server cannot be asked", () =>
    withBatches(
      lost({ create: [lostAnswer], list: [FaultStep.overloaded({ times: 20 })] }),
      (wire) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(submitAll(itemsOf(3), { ...quickly, onDuplicate: "adopt" }))
          assert.strictEqual(error._tag === "UnknownSubmissionError" ? error.candidates.length : -1, 0)
          assert.strictEqual((yield* creates(wire)).length, 1)
        })
    ))

  it.live("is unknown when the answer to the question is a page of a proxy", () =>
    withBatches(
      lost({
        create: [lostAnswer],
        list: [FaultStep.response({ status: 200, contentType: "text/html", body: "<html>", times: 20 })]
      }),
      (wire) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(submitAll(itemsOf(3)))
          assert.strictEqual(error._tag, "UnknownSubmissionError")
          assert.strictEqual((yield* creates(wire)).length, 1)
        })
    ))

  it.live("is unknown when the list does not say how large batches are", () =>
    withBatches(
      lost({
        create: [lostAnswer],
        list: [FaultStep.response({
          status: 200,
          contentType: "application/json",
          body: JSON.stringify({ data: [{ type: "message_batch", id: "msgbatch_1", request_counts: {} }] }),
          times: 20
        })]
      }),
      (wire) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(submitAll(itemsOf(3)))
          assert.strictEqual(error._tag, "UnknownSubmissionError")
          assert.strictEqual((yield* creates(wire)).length, 1)
        })
    ))

  it.live("is unknown to the ledger when the program was interrupted meanwhile", () =>
    withBatches(lost({ create: [FaultStep.message({ delay: "1 hour" })] }), (wire) =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(submitAll(itemsOf(3)))
        yield* wire.api.awaitRequests(1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* wire.api.awaitEnded(1))[0]?.outcome, "clientClosed")
        const error = yield* Effect.flip(submitAll(itemsOf(3)))
        assert.strictEqual(error._tag === "DuplicateBatchError" ? error.batchId : error._tag, undefined)
        const [adopted] = yield* submitAll(itemsOf(3), { ...quickly, onDuplicate: "adopt" })
        assert.isTrue(adopted?.adopted)
        assert.strictEqual(yield* batchesOnServer(wire), 1)
      })))

  it.live("leaves no trace when the API refused it", () =>
    withBatches(lost({ create: [FaultStep.authentication()] }), () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* Effect.flip(submitAll(itemsOf(3))))._tag, "AuthenticationError")
        assert.strictEqual((yield* submitAll(itemsOf(3))).length, 1)
      })))
})

describe("options", () => {
  for (
    const [options, message] of [
      [{ maxItems: 0 }, "maxItems"],
      [{ maxItems: 100_001 }, "maxItems"],
      [{ maxItems: 1.5 }, "maxItems"],
      [{ maxBytes: 300 * 1024 * 1024 }, "maxBytes"],
      [{ settle: "-1 seconds" }, "settle"]
    ] as const
  ) {
    it(`refuses ${JSON.stringify(options)} at once`, () => {
      assert.throws(() => BatchJob.submit([], options), RangeError, message)
    })
  }
})
