import * as BatchJob from "@effect-claude/client/BatchJob"
import * as BatchOutcome from "@effect-claude/client/BatchOutcome"
import type * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { itemsOf, quickly, withBatches } from "./support.ts"

type Fault = NonNullable<NonNullable<FaultPlan.FaultPlanInput["batches"]>["results"]>[number]

/** The outcomes that arrive of a batch with these faults in its downloads, and how it ends. */
const readWith = (results: ReadonlyArray<Fault>, options: BatchJob.JobOptions = quickly, count = 5) =>
  withBatches({ batches: { results } }, ({ api, batches }) =>
    Effect.gen(function*() {
      const { id } = yield* batches.create(itemsOf(count))
      const seen: Array<string> = []
      const error = yield* BatchJob.results(id, options).pipe(
        Stream.runForEach(({ customId }) => Effect.sync(() => seen.push(customId))),
        Effect.flip,
        Effect.orElseSucceed(() => undefined)
      )
      const downloads = (yield* api.requests).filter(({ path }) => path.endsWith("/results")).length
      return { downloads, error, seen }
    }))

const all = itemsOf(5).map(({ custom_id: id }) => id)

describe("the service's results, read once", () => {
  const once = (fault: Fault) =>
    withBatches({ batches: { results: [fault] } }, ({ batches }) =>
      Effect.gen(function*() {
        const { id } = yield* batches.create(itemsOf(5))
        const seen: Array<string> = []
        const error = yield* Effect.flip(
          Stream.runForEach(batches.results(id), ({ customId }) => Effect.sync(() => seen.push(customId)))
        )
        return { error, seen }
      }))

  for (const how of ["end", "reset", "close"] as const) {
    it.live(`notices a file that is cut at the end of a line (${how})`, () =>
      Effect.gen(function*() {
        const { error, seen } = yield* once({ how, afterLines: 2 })
        assert.strictEqual(error._tag, "StreamInterruptedError")
        assert.match(error.message, /broke off after 2 of 5/)
        assert.strictEqual(seen.length, 2)
      }))

    it.live(`notices a file that is cut inside a line (${how})`, () =>
      Effect.gen(function*() {
        const { error, seen } = yield* once({ how, afterBytes: 700 })
        assert.strictEqual(error._tag, "StreamInterruptedError")
        assert.isBelow(seen.length, 5)
      }))
  }

  it.live("tells a line that cannot be read from one that is missing", () =>
    Effect.gen(function*() {
      const { error, seen } = yield* once({ edits: [{ how: "replace", line: 3, text: "{\"custom_id\": \"doc-" }] })
      assert.strictEqual(error._tag, "IncompleteResultsError")
      assert.match(error.message, /1 of 5 lines that cannot be read/)
      assert.strictEqual(seen.length, 4)
    }))

  it.live("takes a page of a proxy for no results", () =>
    withBatches(
      {
        batches: { steps: { results: [FaultStep.response({ status: 200, contentType: "text/html", body: "<html>" })] } }
      },
      ({ batches }) =>
        Effect.gen(function*() {
          const { id } = yield* batches.create(itemsOf(2))
          const error = yield* Effect.flip(Stream.runDrain(batches.results(id)))
          assert.strictEqual(error._tag, "InvalidResponseError")
        })
    ))

  it.live("takes text of another kind for no results", () =>
    withBatches(
      { batches: { steps: { results: [FaultStep.response({ status: 200, body: "a\nb\nc\nd\n" })] } } },
      ({ batches }) =>
        Effect.gen(function*() {
          const { id } = yield* batches.create(itemsOf(2))
          const error = yield* Effect.flip(Stream.runDrain(batches.results(id)))
          assert.strictEqual(error._tag, "InvalidResponseError")
        })
    ))

  it.live("says that a batch has not ended, and which results are gone", () =>
    Effect.gen(function*() {
      yield* withBatches({ batches: { processingTime: "1 hour" } }, ({ batches }) =>
        Effect.gen(function*() {
          const { id } = yield* batches.create(itemsOf(2))
          const error = yield* Effect.flip(Stream.runDrain(batches.results(id)))
          assert.strictEqual(error._tag, "BatchNotEndedError")
        }))
      yield* withBatches({ batches: { archived: true } }, ({ batches }) =>
        Effect.gen(function*() {
          const { id } = yield* batches.create(itemsOf(2))
          const error = yield* Effect.flip(Stream.runDrain(batches.results(id)))
          assert.strictEqual(error._tag, "NotFoundError")
          assert.match(error.message, /29 days/)
        }))
    }))
})

describe("results that break off are read on", () => {
  it.live("wherever the body ends (each byte of it: resultLines.test.ts)", () =>
    withBatches({}, ({ api, batches }) =>
      Effect.gen(function*() {
        const { id } = yield* batches.create(itemsOf(3))
        const whole = yield* Effect.promise(() =>
          fetch(`${api.url}/v1/messages/batches/${id}/results`, { headers: { "x-api-key": "key" } })
            .then((response) => response.text())
        )
        assert.isAbove(whole.length, 500)
        for (let afterBytes = 0; afterBytes < whole.length; afterBytes += 61) {
          yield* api.setPlan({ batches: { results: [{ how: "end", afterBytes }] } })
          const outcomes = yield* Stream.runCollect(BatchJob.results(id, quickly))
          assert.deepStrictEqual(
            outcomes.map(({ customId }) => customId).sort(),
            ["doc-0", "doc-1", "doc-2"],
            `cut after ${afterBytes} bytes`
          )
        }
      })))

  it.live("also by a reset, several times", () =>
    Effect.gen(function*() {
      const { downloads, error, seen } = yield* readWith([
        { how: "end", afterLines: 1 },
        { how: "reset", afterBytes: 900 },
        { how: "close", afterLines: 3 }
      ])
      assert.isUndefined(error)
      assert.deepStrictEqual(seen.sort(), all)
      assert.strictEqual(downloads, 4)
    }))

  it.live("until the schedule gives up, which says how many arrived", () =>
    Effect.gen(function*() {
      const events: Array<BatchJob.BatchEvent> = []
      const { downloads, error, seen } = yield* readWith(
        Array.from({ length: 20 }, (): Fault => ({ how: "end", afterLines: 4 })),
        { ...quickly, onEvent: (event) => events.push(event) }
      )
      assert.strictEqual(error?._tag, "StreamInterruptedError")
      assert.match(error?.message ?? "", /4 of 5 outcomes arrived/)
      assert.strictEqual(seen.length, 4)
      assert.strictEqual(downloads, 6)
      const interrupted = events.filter((event) => event._tag === "ResultsInterrupted")
      assert.deepStrictEqual(
        interrupted.map(({ expected, received }) => [received, expected]),
        Array.from({ length: 6 }, () => [4, 5])
      )
    }))

  it.live("a line that was garbled once is read the next time", () =>
    Effect.gen(function*() {
      const { error, seen } = yield* readWith([{ edits: [{ how: "replace", line: 2, text: "\u0000garbage" }] }])
      assert.isUndefined(error)
      assert.deepStrictEqual(seen.sort(), all)
    }))

  it.live("a line in the place of another is not taken for it", () =>
    Effect.gen(function*() {
      const twice = JSON.stringify({ custom_id: "doc-3", result: { type: "expired" } })
      const edits = Array.from({ length: 20 }, (): Fault => ({ edits: [{ how: "replace", line: 1, text: twice }] }))
      const { error, seen } = yield* readWith(edits)
      assert.strictEqual(error?._tag, "IncompleteResultsError")
      assert.strictEqual(seen.length, new Set(seen).size)
      assert.strictEqual(seen.length, 4)
    }))

  it.live("a download that is refused is tried again", () =>
    withBatches(
      {
        batches: { steps: { results: [FaultStep.overloaded(), FaultStep.reset()], retrieve: [FaultStep.overloaded()] } }
      },
      ({ batches }) =>
        Effect.gen(function*() {
          const { id } = yield* batches.create(itemsOf(5))
          assert.strictEqual(yield* Stream.runCount(BatchJob.results(id, quickly)), 5)
        })
    ))

  it.live("the socket closes when the reader leaves", () =>
    withBatches({}, ({ api, batches }) =>
      Effect.gen(function*() {
        const { id } = yield* batches.create(itemsOf(20_000))
        assert.strictEqual(yield* Stream.runCount(Stream.take(BatchJob.results(id, quickly), 10)), 10)
        const ended = yield* api.awaitEnded((yield* api.requests).length)
        assert.strictEqual(ended.at(-1)?.outcome, "clientClosed")
      })))
})

describe("outcomes", () => {
  it.live("are typed, with the error that a call would have had", () =>
    withBatches({
      batches: {
        outcomes: [
          { customId: "doc-0", outcome: "errored", error: { type: "overloaded_error" } },
          { customId: "doc-1", outcome: "errored", error: { type: "invalid_request_error", message: "max_tokens: 0" } },
          {
            customId: "doc-2",
            outcome: "errored",
            error: { type: "invalid_request_error", message: "Your credit balance is too low to access the API" }
          },
          { customId: "doc-3", outcome: "expired" },
          { customId: "doc-4", outcome: "canceled" },
          { customId: "doc-5", outcome: "errored", error: { type: "not_found_error", message: "model: nope" } },
          { customId: "doc-6", outcome: "errored", error: { type: "api_error" } }
        ]
      }
    }, ({ batches }) =>
      Effect.gen(function*() {
        const batch = yield* batches.create(itemsOf(8))
        assert.deepStrictEqual(
          (yield* batches.retrieve(batch.id)).request_counts,
          { processing: 0, succeeded: 1, errored: 5, canceled: 1, expired: 1 }
        )
        const outcomes = (yield* Stream.runCollect(batches.results(batch.id)))
          .sort((one, other) => one.customId < other.customId ? -1 : 1)
        assert.deepStrictEqual(
          outcomes.map((outcome) => [
            outcome._tag === "Errored" ? outcome.error._tag : outcome._tag,
            BatchOutcome.advice(outcome)
          ]),
          [
            ["OverloadedError", "submitAgain"],
            ["InvalidRequestError", "fixRequest"],
            ["BillingError", "fixAccount"],
            ["Expired", "submitAgain"],
            ["Canceled", "keep"],
            ["NotFoundError", "fixRequest"],
            ["InternalServerError", "submitAgain"],
            ["Succeeded", "keep"]
          ]
        )
        const last = outcomes[7]
        assert.strictEqual(last?._tag === "Succeeded" ? last.message.id : "", "msg_doc-7")
        assert.strictEqual(outcomes[0]?._tag === "Errored" ? typeof outcomes[0].error.requestId : "", "string")
        const messages = yield* Effect.forEach(
          outcomes,
          (outcome) => Effect.exit(BatchOutcome.requireSucceeded(outcome))
        )
        assert.deepStrictEqual(messages.map(({ _tag }) => _tag), [...Array(7).fill("Failure"), "Success"])
        const reasons = [3, 4].map((index) => {
          const outcome = outcomes[index]
          return outcome === undefined ? Effect.undefined : Effect.flip(BatchOutcome.requireSucceeded(outcome))
        })
        assert.deepStrictEqual(
          (yield* Effect.all(reasons)).map((error) =>
            error?._tag === "RequestNotProcessedError" ? error.reason : error
          ),
          ["expired", "canceled"]
        )
      })))
})
