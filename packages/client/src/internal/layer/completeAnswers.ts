import { createWhole, streamWhole } from "../answer/completeService.ts"
import { settingsOf } from "../answer/settings.ts"
import type { Shortfall } from "../answer/shortfall.ts"
import { type PolicyLayer, stateless } from "./PolicyLayer.ts"

/**
 * What `withCompleteAnswers` takes for a whole answer.
 *
 * **Details**
 *
 * - `accept`: what is let through although it is not whole; nothing.
 * - `continuations`: how many further requests a turn that the API pauses may take; 10.
 *
 * @category models
 * @since 0.1.0
 */
export interface CompleteAnswersOptions {
  readonly accept?: ReadonlyArray<Shortfall> | undefined
  readonly continuations?: number | undefined
}

export const completeAnswers = (options: CompleteAnswersOptions): PolicyLayer => {
  const settings = settingsOf("ClaudeLayer.withCompleteAnswers", options)
  return stateless({
    name: "completeAnswers",
    options: { accept: options.accept ?? [], continuations: settings.continuations },
    wrap: (inner) => ({
      createMessage: (request, call) => createWhole(inner, settings, request, call),
      streamMessage: (request, call) => streamWhole(inner, settings, request, call),
      countTokens: inner.countTokens
    })
  })
}
