import * as BatchJob from "@effect-claude/client/BatchJob"
import type { BatchItem } from "@effect-claude/client/ClaudeBatches"
import * as ClaudeBatches from "@effect-claude/client/ClaudeBatches"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { stormServer } from "./stormServerClient.ts"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

const count = 100_000

/** Items that are made as they are read, each time anew. */
const items: Iterable<BatchItem> = {
  *[Symbol.iterator]() {
    for (let index = 0; index < count; index++) {
      yield {
        custom_id: `doc-${index}`,
        params: {
          model: "claude-sonnet-5-5",
          max_tokens: 100,
          messages: [{ role: "user", content: `Summarise document ${index}` }]
        }
      }
    }
  }
}

const megabyte = 1024 * 1024

const heapAfterGarbage = (): number => {
  collectGarbage()
  return process.memoryUsage().heapUsed / megabyte
}

const quick = { base: "1 millis", cap: "2 millis" } as const

describe("a batch of 100,000", () => {
  it.live(
    "gives one outcome for each custom_id, with 1 % of each failure and the results cut three times, in flat memory",
    () =>
      Effect.gen(function*() {
        const server = yield* stormServer
        yield* server.start({
          batches: {
            processingTime: "100 millis",
            outcomes: [
              { outcome: "errored", share: 0.01, times: 1, error: { type: "overloaded_error" } },
              {
                outcome: "errored",
                share: 0.01,
                times: 1,
                error: { type: "invalid_request_error", message: "too long" }
              },
              { outcome: "expired", share: 0.01, times: 1 },
              { outcome: "canceled", share: 0.01, times: 1 }
            ],
            results: [
              { how: "end", afterLines: 20_000 },
              { how: "end", afterBytes: 25_000_001 },
              { how: "reset", afterLines: 70_000 }
            ]
          }
        })

        const seen = new Uint8Array(count)
        const tally: Record<string, number> = {}
        const heap: Array<number> = []
        const events: Array<BatchJob.BatchEvent> = []
        let outcomes = 0
        yield* BatchJob.run(items, {
          schedule: Schedule.spaced("50 millis"),
          retry: ClaudeSchedule.make({ attempts: 6, ...quick }),
          onEvent: (event) => events.push(event)
        }).pipe(
          Stream.runForEach((outcome) =>
            Effect.sync(() => {
              const index = Number(outcome.customId.slice("doc-".length))
              seen[index] = (seen[index] ?? 0) + 1
              const what = `${outcome._tag} ${outcome.submissions}`
              tally[what] = (tally[what] ?? 0) + 1
              if (outcome._tag === "Succeeded") assert.strictEqual(outcome.message.id, `msg_${outcome.customId}`)
              if (++outcomes % 10_000 === 0) heap.push(heapAfterGarbage())
            })
          ),
          Effect.provide(ClaudeBatches.layer({ apiKey: Redacted.make("sk-ant-example"), baseUrl: server.url }))
        )

        assert.strictEqual(outcomes, count)
        assert.isTrue(seen.every((times) => times === 1))
        const { "Canceled 1": canceled = 0, "Errored 1": atFault = 0, "Succeeded 2": again = 0 } = tally
        for (const each of [canceled, atFault, again / 2]) {
          assert.isTrue(each > 900 && each < 1_100, JSON.stringify(tally))
        }
        assert.deepStrictEqual(Object.keys(tally).sort(), ["Canceled 1", "Errored 1", "Succeeded 1", "Succeeded 2"])
        assert.strictEqual(
          events.filter(({ _tag }) => _tag === "ResultsInterrupted").length,
          3
        )
        // The results are about 60 MB, and more than twice as much once they are objects.
        const [first = 0, ...later] = heap
        assert.isBelow(
          Math.max(...later) - first,
          25,
          `MB on the heap, each 10,000 outcomes: ${heap.map(Math.round).join(" ")}`
        )
      }).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(Logger.layer([Logger.make(() => undefined)])))),
    120_000
  )
})
