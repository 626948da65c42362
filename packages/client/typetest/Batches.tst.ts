import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as BatchJob from "@effect-claude/client/BatchJob"
import type { BatchLedger } from "@effect-claude/client/BatchLedger"
import type { BatchOutcome } from "@effect-claude/client/BatchOutcome"
import * as ClaudeBatches from "@effect-claude/client/ClaudeBatches"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { KeyValueStore } from "effect/persistence/KeyValueStore"
import * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"

class Database extends Context.Service<Database, string>()("Database") {}
class QueryError {
  readonly _tag = "QueryError"
}

declare const items: ReadonlyArray<ClaudeBatches.BatchItem>
declare const rows: Stream.Stream<ClaudeBatches.BatchItem, QueryError, Database>
declare const outcome: BatchOutcome
declare const ledger: Effect.Effect<BatchLedger, TypeError, KeyValueStore>

describe("a job", () => {
  test("needs the service, and fails as submitting and collecting do", () => {
    expect(BatchJob.run(items)).type.toBe<
      Stream.Stream<BatchOutcome, BatchJob.SubmitError | BatchJob.CollectError, ClaudeBatches.ClaudeBatches>
    >()
    expect(BatchJob.collect("id")).type.toBe<
      Stream.Stream<BatchOutcome, BatchJob.CollectError, ClaudeBatches.ClaudeBatches>
    >()
  })

  test("has how its items fail and what they need in its type", () => {
    expect(BatchJob.submit(rows)).type.toBe<
      Stream.Stream<BatchJob.SubmittedBatch, BatchJob.SubmitError | QueryError, ClaudeBatches.ClaudeBatches | Database>
    >()
    expect(BatchJob.resume(["id"], { items: rows })).type.toBe<
      Stream.Stream<
        BatchOutcome,
        BatchJob.SubmitError | BatchJob.CollectError | QueryError,
        ClaudeBatches.ClaudeBatches | Database
      >
    >()
  })

  test("loses the tags that are handled", () => {
    expect(
      BatchJob.submit(items).pipe(Stream.catchTag("DuplicateBatchError", () => Stream.empty))
    ).type.toBe<
      Stream.Stream<
        BatchJob.SubmittedBatch,
        Exclude<BatchJob.SubmitError, { readonly _tag: "DuplicateBatchError" }>,
        ClaudeBatches.ClaudeBatches
      >
    >()
  })

  test("refuses options that are none", () => {
    expect(BatchJob.run).type.not.toBeCallableWith(items, { onDuplicate: "ignore" })
    expect(BatchJob.run).type.not.toBeCallableWith([{ custom_id: "a" }])
    expect(BatchJob.wait).type.not.toBeCallableWith("id", { maxItems: 3 })
  })
})

describe("an outcome", () => {
  test("is narrowed by its tag", () => {
    if (outcome._tag === "Succeeded") expect(outcome.message).type.toBe<Message>()
    if (outcome._tag === "Errored") expect(outcome.error).type.toBe<ClaudeError>()
    expect(outcome).type.not.toHaveProperty("message")
  })
})

describe("the layers", () => {
  test("withLedger adds what its ledger needs and fails with", () => {
    expect(ClaudeBatches.layerConfig.pipe(ClaudeBatches.withLedger(ledger))).type.toBe<
      Layer.Layer<ClaudeBatches.ClaudeBatches, Config.ConfigError | TypeError, KeyValueStore>
    >()
  })
})
