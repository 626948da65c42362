import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import {
  type Call,
  checkFallbacks,
  creditBeta,
  type ServerFallbacks,
  serverFallbacksPolicy,
  withBeta,
  withDefaultFallbacks
} from "../answer/refusalCall.ts"
import { type PolicyLayer, stateless } from "./PolicyLayer.ts"

/** A policy that changes what is sent for a message, and nothing else. */
const changing = (
  name: string,
  options: Readonly<Record<string, unknown>>,
  change: (call: Call) => Call
): PolicyLayer =>
  stateless({
    name,
    options,
    wrap: (inner) => ({
      countTokens: inner.countTokens,
      createMessage: (request, options) =>
        Effect.suspend(() => {
          const call = change({ request, options })
          return inner.createMessage(call.request, call.options)
        }),
      streamMessage: (request, options) =>
        Stream.suspend(() => {
          const call = change({ request, options })
          return inner.streamMessage(call.request, call.options)
        })
    })
  })

export const serverFallbacks = (fallbacks: ServerFallbacks): PolicyLayer => {
  const checked = checkFallbacks("ClaudeLayer.withServerFallbacks", fallbacks)
  return changing(
    serverFallbacksPolicy,
    { fallbacks: checked },
    (call) => withDefaultFallbacks(call, checked)
  )
}

export const fallbackCredit = (): PolicyLayer =>
  changing("fallbackCredit", {}, ({ options, request }) => ({ request, options: withBeta(options, creditBeta) }))
