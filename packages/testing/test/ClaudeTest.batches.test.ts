import * as BatchJob from "@effect-claude/client/BatchJob"
import * as BatchOutcome from "@effect-claude/client/BatchOutcome"
import { type BatchItem, ClaudeBatches } from "@effect-claude/client/ClaudeBatches"
import { OverloadedError } from "@effect-claude/client/ClaudeError"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as ClaudeTest from "../src/ClaudeTest.ts"
import * as Fault from "../src/Fault.ts"
import * as Reply from "../src/Reply.ts"
import * as VirtualTime from "../src/VirtualTime.ts"

const itemOf = (id: string): BatchItem => ({
  custom_id: id,
  params: { model: "claude-sonnet-5-5", max_tokens: 100, messages: [{ role: "user", content: `Read ${id}` }] }
})
const itemsOf = (count: number) => Array.from({ length: count }, (_, index) => itemOf(`doc-${index + 1}`))

const operations = ClaudeTest.ClaudeBatchTest.use((test) => test.operations)
const asked = Effect.map(operations, (all) => all.map(({ at, operation }) => [at, operation]))

const byId = (outcomes: ReadonlyArray<BatchOutcome.BatchOutcome>) =>
  Object.fromEntries(outcomes.map((outcome) => [outcome.customId, `${outcome._tag} ${outcome.submissions}`]))

const everyMinute = { schedule: Schedule.spaced("1 minute") }

const under = <A, E>(
  test: Effect.Effect<A, E, ClaudeBatches | ClaudeTest.ClaudeBatchTest>,
  options: ClaudeTest.BatchOptions = {}
) => VirtualTime.run(Effect.provide(test, ClaudeTest.batches(options), { local: true }))

const runAll = (count: number, options: BatchJob.RunOptions = {}) =>
  Stream.runCollect(BatchJob.run(itemsOf(count), { ...everyMinute, ...options }))

describe("scripted batches", () => {
  it.effect("are in progress, and then ended for all of their requests", () =>
    under(
      Effect.gen(function*() {
        const batches = yield* ClaudeBatches
        const made = yield* batches.create(itemsOf(3))
        assert.deepInclude(made, { processing_status: "in_progress", ended_at: null, results_url: null })
        assert.deepStrictEqual(made.request_counts, {
          processing: 3,
          succeeded: 0,
          errored: 0,
          canceled: 0,
          expired: 0
        })
        const early = yield* Effect.flip(Stream.runDrain(batches.results(made.id)))
        assert.strictEqual(early._tag, "BatchNotEndedError")
        assert.include((yield* Effect.flip(batches.delete(made.id))).message, "has not ended")

        yield* Effect.sleep("5 minutes")
        const ended = yield* batches.retrieve(made.id)
        assert.deepInclude(ended, { processing_status: "ended", ended_at: "1970-01-01T00:05:00.000Z" })
        assert.strictEqual(ended.request_counts.succeeded, 3)
        const outcomes = yield* Stream.runCollect(batches.results(made.id))
        assert.deepStrictEqual(outcomes.map(({ customId }) => customId), ["doc-3", "doc-2", "doc-1"])
        const tiers = outcomes.map((outcome) => outcome._tag === "Succeeded" ? outcome.message.usage.service_tier : "")
        assert.deepStrictEqual(tiers, ["batch", "batch", "batch"])
        assert.include((yield* Effect.flip(batches.cancel(made.id))).message, "has ended")

        const other = yield* batches.create(itemsOf(1))
        assert.deepStrictEqual((yield* Stream.runCollect(batches.list())).map(({ id }) => id), [other.id, made.id])
        yield* batches.delete(made.id)
        const gone = yield* Effect.flip(batches.retrieve(made.id))
        assert.deepStrictEqual([gone._tag, gone.status], ["NotFoundError", 404])
      }),
      { endsAfter: "5 minutes" }
    ))

  it.effect("end when they are canceled, with what had had its turn", () =>
    under(
      Effect.gen(function*() {
        const batches = yield* ClaudeBatches
        const { id } = yield* batches.create(itemsOf(10))
        yield* Effect.sleep("3 minutes")
        assert.strictEqual((yield* batches.cancel(id)).processing_status, "canceling")
        yield* Effect.sleep("1 second")
        const { request_counts: counts } = yield* batches.retrieve(id)
        assert.deepStrictEqual(counts, { processing: 0, succeeded: 3, errored: 0, canceled: 7, expired: 0 })
      }),
      { endsAfter: "10 minutes" }
    ))

  it.effect("expire after a day, and keep their results for 29", () =>
    Effect.gen(function*() {
      const batches = yield* ClaudeBatches
      const { id } = yield* batches.create(itemsOf(4))
      yield* Effect.sleep("24 hours")
      assert.strictEqual((yield* batches.retrieve(id)).request_counts.expired, 2)
      yield* Effect.sleep("28 days")
      assert.isNotNull((yield* batches.retrieve(id)).archived_at)
      assert.strictEqual((yield* Effect.flip(Stream.runDrain(batches.results(id))))._tag, "NotFoundError")
    }).pipe(
      Effect.provide(ClaudeTest.batches({ endsAfter: "2 days" })),
      (test) => VirtualTime.run(test, { limit: "40 days" })
    ))

  it.effect("have no more lines that cannot be read than they have lines", () =>
    under(
      Effect.gen(function*() {
        const batches = yield* ClaudeBatches
        const { id } = yield* batches.create(itemsOf(2))
        yield* Effect.sleep("1 minute")
        const read: Array<string> = []
        const error = yield* Effect.flip(
          Stream.runForEach(batches.results(id), ({ customId }) => Effect.sync(() => read.push(customId)))
        )
        assert.deepStrictEqual(read, [])
        assert(error._tag === "IncompleteResultsError")
        assert.deepStrictEqual([error.expected, error.received], [2, 0])
        assert.include(error.message, "hold 2 of 2 lines that cannot be read")
      }),
      { steps: { results: [{ unreadable: 3 }] } }
    ))

  it.effect("say what becomes of each request, each time that it is submitted", () =>
    under(
      Effect.gen(function*() {
        const outcomes = yield* runAll(6, { submissions: 3 })
        assert.deepStrictEqual(byId(outcomes), {
          "doc-1": "Succeeded 2",
          "doc-2": "Succeeded 3",
          "doc-3": "Errored 1",
          "doc-4": "Canceled 1",
          "doc-5": "Expired 3",
          "doc-6": "Succeeded 1"
        })
        const errored = outcomes.find(({ customId }) => customId === "doc-3")
        assert.strictEqual(errored?._tag === "Errored" && errored.error._tag, "ContextWindowExceededError")
        const first = outcomes.find(({ customId }) => customId === "doc-1")
        assert.isTrue(first !== undefined)
        if (first === undefined) return
        const { content, model } = yield* BatchOutcome.requireSucceeded(first)
        assert.deepStrictEqual([model, content.map((block) => block.type)], ["claude-sonnet-5-5", ["text"]])
        assert.deepStrictEqual(
          (yield* operations).flatMap(({ batchId, items, operation }) =>
            operation === "create" ? [[batchId, items.map(({ custom_id: id }) => id)]] : []
          ),
          [
            ["msgbatch_test_1", ["doc-1", "doc-2", "doc-3", "doc-4", "doc-5", "doc-6"]],
            ["msgbatch_test_2", ["doc-1", "doc-2", "doc-5"]],
            ["msgbatch_test_3", ["doc-2", "doc-5"]]
          ]
        )
      }),
      {
        outcomes: {
          "doc-1": ["expired", Reply.text("At last")],
          "doc-2": [
            Fault.overloaded(),
            new OverloadedError({ message: "no type", status: 529 }),
            Reply.text("At last")
          ],
          "doc-3": Fault.contextWindowExceeded(),
          "doc-4": "canceled",
          "doc-5": "expired"
        }
      }
    ))

  it.effect("take the outcome from a function", () =>
    under(
      Effect.gen(function*() {
        const outcomes = yield* runAll(4)
        assert.deepStrictEqual(byId(outcomes), {
          "doc-1": "Succeeded 1",
          "doc-2": "Succeeded 2",
          "doc-3": "Succeeded 1",
          "doc-4": "Succeeded 2"
        })
      }),
      { outcomes: ({ custom_id: id }, submission) => submission === 1 && /[24]$/.test(id) ? "expired" : undefined }
    ))

  it.effect("refuse what the client would refuse, and take no step for it", () =>
    under(
      Effect.gen(function*() {
        const batches = yield* ClaudeBatches
        assert.strictEqual((yield* Effect.flip(batches.create([])))._tag, "InvalidRequestError")
        const twice = yield* Effect.flip(batches.create([itemOf("a"), itemOf("a")]))
        assert.strictEqual(twice._tag, "InvalidRequestError")
        assert.deepStrictEqual(yield* operations, [])
      })
    ))

  it.effect("need nothing but the TestClock", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(runAll(2))
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(byId(yield* Fiber.join(fiber)), { "doc-1": "Succeeded 1", "doc-2": "Succeeded 1" })
    }).pipe(Effect.provide(ClaudeTest.batches())))
})

describe("the steps of operations", () => {
  it.effect("fail in order, and are recorded with their times", () =>
    under(
      Effect.gen(function*() {
        const { id } = yield* Stream.runHead(BatchJob.submit(itemsOf(1))).pipe(Effect.flatMap(Effect.fromOption))
        yield* BatchJob.wait(id, everyMinute)
        const all = yield* operations
        assert.deepStrictEqual(all.map(({ operation, outcome, step }) => [operation, step, outcome._tag]), [
          ["create", "OverloadedError, delayed by 2s", "Failed"],
          ["create", undefined, "Succeeded"],
          ["retrieve", "works", "Succeeded"],
          ["retrieve", "HTTP 502 api_error", "Failed"],
          ["retrieve", undefined, "Succeeded"],
          ["retrieve", undefined, "Succeeded"]
        ])
        assert.deepInclude(all[0], { at: 0, endedAt: 2_000, batchId: undefined, attempt: 1 })
        const [failed] = all
        assert.isTrue(failed?.outcome._tag === "Failed" && !("model" in failed.outcome.error))
        assert.deepInclude(all[1], { batchId: "msgbatch_test_1", attempt: 2 })
      }),
      {
        endsAfter: "3 minutes",
        steps: {
          create: [Fault.overloaded().pipe(ClaudeTest.delayed("2 seconds"))],
          retrieve: ["works", Fault.http({ status: 502 })]
        }
      }
    ))

  it.effect("lose the answer of a batch that was made: it is found, and not made twice", () =>
    under(
      Effect.gen(function*() {
        assert.deepStrictEqual(byId(yield* runAll(3, { onDuplicate: "adopt" })), {
          "doc-1": "Succeeded 1",
          "doc-2": "Succeeded 1",
          "doc-3": "Succeeded 1"
        })
        const [first, ...others] = yield* operations
        assert.deepInclude(first, { step: "done, then ConnectionError", batchId: "msgbatch_test_1" })
        assert.isFalse(others.some(({ operation }) => operation === "create"))
      }),
      { steps: { create: [{ done: Fault.connection() }] } }
    ))

  it.effect("lose a batch that was not made: it is looked for, and made again", () =>
    under(
      Effect.gen(function*() {
        assert.lengthOf(yield* runAll(2, { onDuplicate: "adopt" }), 2)
        assert.deepStrictEqual(
          (yield* operations).filter(({ operation }) => operation === "create").map(({ batchId }) => batchId),
          [undefined, "msgbatch_test_1"]
        )
      }),
      { steps: { create: [Fault.connection()] } }
    ))

  it.effect("cut results short, which are read again", () =>
    under(
      Effect.gen(function*() {
        const batches = yield* ClaudeBatches
        const { id } = yield* batches.create(itemsOf(4))
        yield* Effect.sleep("1 minute")
        const seen: Array<string> = []
        const error = yield* Effect.flip(
          Stream.runForEach(batches.results(id), ({ customId }) => Effect.sync(() => seen.push(customId)))
        )
        assert.strictEqual(error._tag, "StreamInterruptedError")
        assert.deepStrictEqual(seen, ["doc-4", "doc-3"])
        const incomplete = yield* Effect.flip(Stream.runDrain(batches.results(id)))
        assert.deepInclude(incomplete, { _tag: "IncompleteResultsError", expected: 4, received: 3 })
        assert.lengthOf(yield* Stream.runCollect(BatchJob.results(id)), 4)
        assert.deepStrictEqual(
          (yield* operations).flatMap(({ operation, outcome }) => operation === "results" ? [outcome._tag] : []),
          ["Failed", "Failed", "Failed", "Succeeded"]
        )
      }),
      { steps: { results: [{ cutAfter: 2 }, { unreadable: 1 }, { cutAfter: 1 }] } }
    ))

  it.effect("never answer, until the caller loses interest", () =>
    under(
      Effect.gen(function*() {
        const batches = yield* ClaudeBatches
        const made = yield* Effect.timeoutOption(batches.create(itemsOf(1)), "1 minute")
        assert.strictEqual(made._tag, "None")
        assert.deepInclude((yield* operations)[0], {
          endedAt: 60_000,
          outcome: { _tag: "Interrupted" },
          batchId: undefined
        })
        yield* batches.create(itemsOf(1))
        yield* Effect.sleep("1 minute")
        yield* Stream.runDrain(Stream.take(batches.results("msgbatch_test_1"), 0))
        assert.deepStrictEqual(yield* asked, [[0, "create"], [60_000, "create"]])
      }),
      { steps: { create: [Fault.hang()] } }
    ))

  it.effect("that are left fail the test", () =>
    Effect.gen(function*() {
      const steps = { create: [Fault.overloaded()], results: [{ cutAfter: 1 }] }
      const exit = yield* Effect.exit(under(
        ClaudeBatches.use((batches) => Effect.exit(batches.create(itemsOf(1)))),
        { steps }
      ))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.strictEqual(
        Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "",
        [
          "Error: ClaudeTest: 1 step was not used up",
          "  create:",
          "    1. OverloadedError  call 1: create",
          "  results:",
          "  - 1. cut after 1 results  no call"
        ].join("\n")
      )
      yield* under(Effect.void, { steps, strict: false })
    }))

  it("refuses what cannot be", () => {
    const refused = (options: ClaudeTest.BatchOptions, message: RegExp) =>
      assert.throws(() => ClaudeTest.batches(options), RangeError, message)
    refused({ endsAfter: -1 }, /ClaudeTest.batches: option "endsAfter"/)
    refused({ steps: { results: [{ cutAfter: -1 }] } }, /ClaudeTest.batches: option "cutAfter"/)
    refused({ steps: { results: [{ unreadable: 0 }] } }, /ClaudeTest.batches: option "unreadable"/)
    refused(
      { steps: { create: [ClaudeTest.forever(Fault.overloaded()), "works"] } },
      /ClaudeTest.batches: step 2 \(works\) comes after one that goes on for ever/
    )
  })
})
