import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import type * as UsageLedger from "@effect-claude/client/UsageLedger"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** The ledger of the service in the context. */
export const ledger = Effect.flatMap(ClaudeService, (claude) => {
  const { usage } = ClaudeLayer.controls(claude)
  return usage === undefined ? Effect.die("no ledger") : Effect.succeed(usage)
})

export const totals = Effect.flatMap(ledger, ({ totals }) => totals)

/** The entries that are booked while an effect runs. */
export const entriesOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const { entries } = yield* ledger
    const seen: Array<UsageLedger.UsageEntry> = []
    yield* Effect.forkScoped(
      Stream.runForEach(entries, (entry) => Effect.sync(() => seen.push(entry))),
      { startImmediately: true }
    )
    const result = yield* Effect.exit(effect)
    yield* Effect.yieldNow
    return { result, entries: seen }
  })

/** What an entry says beside numbers. */
export const shown = (
  { attempt, error, hedge, isEstimated, model, outcome, reason }: UsageLedger.UsageEntry
): ReadonlyArray<unknown> => [
  reason,
  outcome,
  ...(error === undefined ? [] : [error]),
  ...(attempt === 1 ? [] : [`attempt ${attempt}`]),
  ...(hedge === 0 ? [] : [`hedge ${hedge}`]),
  ...(model === "claude-sonnet-5-5" ? [] : [model]),
  ...(isEstimated ? ["estimated"] : [])
]
