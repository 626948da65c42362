import type { CallOptions } from "../ClaudeService.ts"

const confidential = /auth|key|token|secret|cookie|password/i

/** What a call sends in headers that may hold a credential. */
export const confidentialHeaders = (call: CallOptions | undefined): ReadonlyArray<string> =>
  Object.entries(call?.headers ?? {}).flatMap(([name, value]) => confidential.test(name) ? [value] : [])

/** The options of a call for somebody who has credentials of his own, and is not to see those of others. */
export const withoutCredentials = (call: CallOptions | undefined): CallOptions | undefined => {
  const entries = Object.entries(call?.headers ?? {})
  const kept = entries.filter(([name]) => !confidential.test(name))
  return kept.length === entries.length ? call : { ...call, headers: Object.fromEntries(kept) }
}
