import * as Effect from "effect/Effect"
import { CurrentUsageScope } from "../callContext.ts"

/** A budget that nobody keeps to is worse than none. */
export const unseen = (owner: string): Error =>
  new Error(
    `${owner}: nobody sees what the ClaudeService here sends, so nothing would be counted; put ClaudeLayer.withUsageLedger() `
      + `around it`
  )

/**
 * Dies if what is about to be sent would be counted and is not: whoever counts an attempt takes it out of the scope that asks
 * for it. Only so is it noticed where a service is provided inside of the region that counts.
 */
export const refuseUncounted: Effect.Effect<void> = Effect.flatMap(
  CurrentUsageScope,
  (scope) => scope === undefined ? Effect.void : Effect.die(unseen("A usage budget, ledger or key"))
)
