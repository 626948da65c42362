import * as BatchLedger from "@effect-claude/client/BatchLedger"
import type { BatchOutcome } from "@effect-claude/client/BatchOutcome"
import type { BatchItem } from "@effect-claude/client/ClaudeBatches"
import { InternalServerError, InvalidRequestError } from "@effect-claude/client/ClaudeError"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { checkBatch, envelopeBytes, maxItems } from "../src/internal/batch/batchCheck.ts"
import { isBatch, isDeletedBatch, isPage, requestCount } from "../src/internal/batch/batchShape.ts"
import { ItemCheck, itemTooLarge, notJson } from "../src/internal/batch/itemCheck.ts"
import { isReadOnce, streamOf } from "../src/internal/batch/itemSource.ts"
import { runSettings, submitSettings, waitSettings } from "../src/internal/batch/jobSettings.ts"
import { oneAtATime } from "../src/internal/batch/oneAtATime.ts"
import { splitItems } from "../src/internal/batch/splitItems.ts"
import { Work } from "../src/internal/batch/Work.ts"

const item = (customId: string): BatchItem => ({
  custom_id: customId,
  params: { model: "claude-sonnet-5-5", max_tokens: 100, messages: [{ role: "user", content: "Hi" }] }
})

const canceled = (customId: string, batchId = "b1"): BatchOutcome => ({
  _tag: "Canceled",
  customId,
  batchId,
  submissions: 1
})

const expired = (customId: string, batchId = "b1"): BatchOutcome => ({
  ...canceled(customId, batchId),
  _tag: "Expired"
})

describe("the outcomes of a piece of work", () => {
  it("are final once for each request of it", () => {
    const work = new Work()
    work.submitted(["a", "b"], "b1", 1)
    assert.deepStrictEqual(work.settle(canceled("a")), canceled("a"))
    assert.isUndefined(work.settle(canceled("a")))
    assert.isUndefined(work.settle(canceled("another")))
  })

  it("wait for another submission where that may help, and say how many there were", () => {
    const work = new Work()
    work.submitted(["a", "b", "c"], "b1", 1)
    assert.isUndefined(work.settle(expired("a")))
    assert.isUndefined(work.settle(expired("b")))
    // Said twice in the same file.
    assert.isUndefined(work.settle(canceled("a")))
    assert.strictEqual(work.waiting, 2)
    assert.deepStrictEqual(["a", "b", "c", "d"].map((id) => work.isWaiting(id)), [true, true, false, false])
    work.submitted(["a"], "b2", 2)
    assert.strictEqual(work.waiting, 1)
    assert.isFalse(work.isWaiting("a"))
    assert.deepStrictEqual(work.settle(canceled("a", "b2")), { ...canceled("a", "b2"), submissions: 2 })
    assert.deepStrictEqual(work.givenUp(), [expired("b")])
    assert.strictEqual(work.waiting, 0)
    assert.deepStrictEqual(work.unanswered(), [])
  })

  it("are errors for requests that the results left out, and for no others", () => {
    const work = new Work()
    work.submitted(["a", "b"], "b1", 2)
    work.settle(expired("a"))
    const [only, ...others] = work.unanswered()
    assert.deepStrictEqual(others, [])
    assert.deepStrictEqual([only?._tag, only?.customId, only?.batchId, only?.submissions], ["Errored", "b", "b1", 2])
    assert.strictEqual(only?._tag === "Errored" ? only.error._tag : "", "InvalidResponseError")
    assert.deepStrictEqual(work.unanswered(), [])
    assert.strictEqual(work.waiting, 1)
  })
})

describe("an answer that is a batch", () => {
  const counts = { processing: 1, succeeded: 20, errored: 300, canceled: 4000, expired: 50_000 }
  const batch = { type: "message_batch", id: "b1", processing_status: "ended", request_counts: counts }

  it("has everything that is decided by", () => {
    assert.isTrue(isBatch(batch))
    assert.strictEqual(requestCount(batch as never), 54_321)
    const broken = [
      { type: "message" },
      { id: 5 },
      { processing_status: undefined },
      { request_counts: undefined },
      ...Object.keys(counts).flatMap((name) =>
        [-1, 1.5, "1", undefined].map((value) => ({ request_counts: { ...counts, [name]: value } }))
      )
    ]
    for (const fields of broken) assert.isFalse(isBatch({ ...batch, ...fields }), JSON.stringify(fields))
  })

  it("stands in a page with others, and is deleted with a type of its own", () => {
    assert.deepStrictEqual(
      [{ data: [] }, { data: [batch] }, { data: [batch, null] }, { data: [batch, {}] }, { data: batch }, {}].map(
        isPage
      ),
      [true, true, false, false, false, false]
    )
    assert.isTrue(isDeletedBatch({ type: "message_batch_deleted" }))
    assert.isFalse(isDeletedBatch(batch))
  })
})

describe("what is wrong with an item", () => {
  const errorOf = (value: unknown) => new ItemCheck().next(value)

  it("is said by place and by id", () => {
    const check = new ItemCheck()
    assert.isUndefined(check.next(item("a")))
    const error = check.next({ ...item("b"), params: { ...item("b").params, max_tokens: 0 } })
    assert.deepStrictEqual([error?._tag, error?.field, error?.customId], [
      "InvalidRequestError",
      "requests[1].params.max_tokens",
      "b"
    ])
    const twice = check.next(item("a"))
    assert.deepStrictEqual([twice?.field, twice?.customId], ["requests[2].custom_id", "a"])
  })

  it("is an id that is none, which is not shown", () => {
    for (const customId of ["", "a b", "x".repeat(65), 5, undefined]) {
      const error = errorOf({ ...item("a"), custom_id: customId })
      assert.strictEqual(error?.field, "requests[0].custom_id")
      assert.isFalse(error !== undefined && "customId" in error)
    }
    assert.isUndefined(errorOf(item("x".repeat(64))))
  })

  it("is a request that is none, or one that streams", () => {
    for (const params of [undefined, null, "text"]) {
      const error = errorOf({ custom_id: "a", params })
      assert.deepStrictEqual([error?.field, error?.customId], ["requests[0].params", "a"])
    }
    const streams = errorOf({ custom_id: "a", params: { ...item("a").params, stream: true } })
    assert.strictEqual(streams?.field, "requests[0].params.stream")
    assert.isUndefined(errorOf({ custom_id: "a", params: { ...item("a").params, stream: false } }))
  })

  it("is its size alone, or that JSON has no form for it", () => {
    const { _tag, actual, customId, field, limit } = itemTooLarge("a", 6, 5)
    assert.deepStrictEqual([_tag, field, customId, actual, limit], ["RequestTooLargeError", "params", "a", 6, 5])
    assert.deepStrictEqual([notJson("a").field, notJson("a").customId], ["params", "a"])
  })
})

describe("what is wrong with a batch", () => {
  it("is that it has no items, or too many", () => {
    assert.deepStrictEqual([checkBatch([])?.limit, checkBatch([])?.actual], [1, 0])
    const many = checkBatch(Array.from({ length: maxItems + 1 }, () => item("a")))
    assert.deepStrictEqual([many?._tag, many?.limit, many?.actual], ["InvalidRequestError", maxItems, maxItems + 1])
  })

  it("is the first of its items", () => {
    assert.isUndefined(checkBatch([item("a"), item("b")]))
    assert.strictEqual(checkBatch([item("a"), item("a")])?.field, "requests[1].custom_id")
  })
})

describe("items", () => {
  it.effect("are read one at a time", () =>
    Effect.gen(function*() {
      let read = 0
      const items: Iterable<BatchItem> = {
        *[Symbol.iterator]() {
          for (const id of ["a", "b", "c"]) {
            read++
            yield item(id)
          }
        }
      }
      assert.isFalse(isReadOnce(items))
      const [first] = yield* Stream.runCollect(Stream.take(streamOf<never, never>(items), 1))
      assert.strictEqual(first?.custom_id, "a")
      assert.strictEqual(read, 1)
    }))

  it("that a generator gives are read once only", () => {
    assert.isTrue(isReadOnce((function*() {
      yield item("a")
    })()))
    assert.isFalse(isReadOnce([item("a")]))
    assert.isFalse(isReadOnce(Stream.make(item("a"))))
  })
})

describe("the portions of a stream of items", () => {
  const bytes = JSON.stringify(item("a")).length
  const portions = (ids: ReadonlyArray<string>, limits: { maxItems?: number; maxBytes?: number }, seed = "seed") =>
    Stream.runCollect(
      splitItems(Stream.fromIterable(ids.map(item)), { maxItems: 100, maxBytes: 1e9, ...limits }, seed)
    )
  const idsOf = (found: ReadonlyArray<{ readonly items: ReadonlyArray<BatchItem> }>) =>
    found.map(({ items }) => items.map(({ custom_id: id }) => id).join(""))

  it.effect("hold as many items as they may, and as many bytes", () =>
    Effect.gen(function*() {
      const ids = ["a", "b", "c", "d", "e"]
      assert.deepStrictEqual(idsOf(yield* portions(ids, { maxItems: 2 })), ["ab", "cd", "e"])
      const two = envelopeBytes + 2 * bytes + 1
      assert.deepStrictEqual(idsOf(yield* portions(ids, { maxBytes: two })), ["ab", "cd", "e"])
      assert.deepStrictEqual(idsOf(yield* portions(ids, { maxBytes: two - 1 })), ids)
      assert.deepStrictEqual(idsOf(yield* portions([], {})), [])
    }))

  it.effect("have a key by their items and the seed", () =>
    Effect.gen(function*() {
      const [first, second] = yield* portions(["a", "b", "c", "d"], { maxItems: 2 })
      const [same] = yield* portions(["a", "b"], {})
      const [other] = yield* portions(["c", "d"], {}, "other seed")
      const [alone] = yield* portions(["c", "d"], {})
      assert.strictEqual(first?.key, same?.key)
      assert.strictEqual(second?.key, alone?.key)
      assert.strictEqual(new Set([first, second, other].map((portion) => portion?.key)).size, 3)
    }))

  it.effect("fail at an item that fits into none", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* portions(["a"], { maxBytes: envelopeBytes + bytes })).length, 1)
      const error = yield* Effect.flip(portions(["a"], { maxBytes: envelopeBytes + bytes - 1 }))
      assert.deepStrictEqual([error._tag, error.customId, error.actual, error.limit], [
        "RequestTooLargeError",
        "a",
        envelopeBytes + bytes,
        envelopeBytes + bytes - 1
      ])
    }))
})

describe("the options of a job", () => {
  it("have defaults", () => {
    const settings = runSettings("owner", {})
    assert.deepStrictEqual(
      [settings.maxItems, settings.maxBytes, settings.onDuplicate, settings.rounds, settings.call],
      [maxItems, 256 * 1024 * 1024, "fail", 3, {}]
    )
    assert.deepStrictEqual([settings.settle, settings.deadline].map(Duration.toSeconds), [60, 25 * 3600])
    assert.deepStrictEqual(waitSettings("owner", { headers: { a: "b" } }).call, { headers: { a: "b" } })
  })

  it("are refused by name", () => {
    for (const value of [0, 1.5, maxItems + 1]) {
      assert.throws(() => submitSettings("owner", { maxItems: value }), RangeError, /owner.*maxItems/)
    }
    assert.throws(() => submitSettings("owner", { maxBytes: 0.5 }), RangeError, /owner.*maxBytes/)
    assert.throws(() => submitSettings("owner", { settle: -1 }), RangeError, /owner.*settle/)
    assert.throws(() => waitSettings("owner", { deadline: 0 }), RangeError, /owner.*deadline/)
    assert.throws(() => runSettings("owner", { submissions: 0 }), RangeError, /owner.*submissions/)
  })
})

describe("the same work at the same time", () => {
  const meeting = (isPatient: boolean, keys: readonly [string, string]) =>
    Effect.gen(function*() {
      const ledger = yield* BatchLedger.makeMemory
      const gate = yield* Deferred.make<void>()
      let running = 0
      const submission = Effect.suspend(() => {
        running++
        return Deferred.await(gate)
      })
      const [one, two] = keys
      const first = yield* Effect.forkChild(oneAtATime(submission, { ledger, key: one, isPatient }))
      const second = yield* Effect.forkChild(oneAtATime(submission, { ledger, key: two, isPatient }))
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      const together = running
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      return { together, all: running }
    })

  it.effect("waits for the other if it is patient, and else goes on", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* meeting(true, ["a", "a"]), { together: 1, all: 2 })
      assert.deepStrictEqual(yield* meeting(false, ["a", "a"]), { together: 2, all: 2 })
      assert.deepStrictEqual(yield* meeting(true, ["a", "b"]), { together: 2, all: 2 })
    }))

  it.effect("fails as it fails, and leaves the place to the next", () =>
    Effect.gen(function*() {
      const ledger = yield* BatchLedger.makeMemory
      const run = <A, E>(submission: Effect.Effect<A, E>) =>
        oneAtATime(submission, { ledger, key: "a", isPatient: true })
      for (
        const error of [new InternalServerError({ message: "m" }), new InvalidRequestError({ message: "m" })]
      ) assert.strictEqual(yield* Effect.flip(run(Effect.fail(error))), error)
      assert.strictEqual(yield* run(Effect.succeed(5)), 5)
    }))
})
