import type { BatchItem } from "@effect-claude/client/ClaudeBatches"
import * as ClaudeBatches from "@effect-claude/client/ClaudeBatches"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import type * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"

export const apiKey = "sk-ant-api03-batch-test"

export const itemOf = (customId: string): BatchItem => ({
  custom_id: customId,
  params: {
    model: "claude-sonnet-5-5",
    max_tokens: 100,
    messages: [{ role: "user", content: `Summarise document ${customId}` }]
  }
})

export const itemsOf = (count: number): ReadonlyArray<BatchItem> =>
  Array.from({ length: count }, (_, index) => itemOf(`doc-${index}`))

const quick = { base: "1 millis", cap: "2 millis" } as const

export const quickRetries = ClaudeSchedule.make({
  attempts: 6,
  ...quick,
  kinds: { rateLimited: quick, overloaded: quick, timeout: { ...quick, attempts: 2 } }
})

/** Options that keep a job on loopback from waiting. */
export const quickly = { retry: quickRetries, schedule: Schedule.spaced("5 millis"), settle: 0 } as const

export interface Wire {
  readonly api: FakeClaudeApi.FakeClaudeApi["Service"]
  readonly batches: ClaudeBatches.ClaudeBatchesShape
  readonly logged: ReadonlyArray<string>
}

/** A fake API with this plan, and a client of it in the context, whose log lines are collected. */
export const withBatches = <A, E, R>(
  plan: FaultPlan.FaultPlanInput,
  use: (wire: Wire) => Effect.Effect<A, E, R>
) =>
  Effect.scoped(Effect.gen(function*() {
    const api = yield* FakeClaudeApi.make({ plan })
    const layer = ClaudeBatches.layer({ apiKey: Redacted.make(apiKey), baseUrl: api.url })
    const context = yield* Layer.build(layer)
    const batches = Context.get(context, ClaudeBatches.ClaudeBatches)
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => {
      logged.push(String(message))
    })
    return yield* use({ api, batches, logged }).pipe(
      Effect.provideService(ClaudeBatches.ClaudeBatches, batches),
      Effect.provide(Logger.layer([logger]))
    )
  }))
