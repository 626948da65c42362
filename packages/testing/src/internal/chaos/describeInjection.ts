import type { Injection } from "./Injection.ts"

/** What `ClaudeLayer.describe` shows of an injection. */
export const describeInjection = (
  { action, calls, name, rate, window: { from, period, to } }: Injection<unknown>
): Readonly<Record<string, unknown>> => ({
  name,
  kind: action._tag,
  rate,
  from,
  to,
  every: period?.every,
  for: period?.for,
  calls
})
