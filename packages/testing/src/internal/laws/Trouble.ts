import type { ClaudeError, ClaudeErrorTag } from "@effect-claude/client/ClaudeError"
import * as Duration from "effect/Duration"
import { classes, usualFields } from "../script/FaultDefaults.ts"

/** Failures that another attempt may help. */
export const retryable = [
  "OverloadedError",
  "RateLimitError",
  "InternalServerError",
  "ConnectionError",
  "GatewayTimeoutError",
  "ConflictError"
] as const satisfies ReadonlyArray<ClaudeErrorTag>

/** Failures that nothing helps. */
export const final = [
  "InvalidRequestError",
  "SpendLimitError",
  "AuthenticationError"
] as const satisfies ReadonlyArray<ClaudeErrorTag>

export type Trouble = typeof retryable[number] | typeof final[number]

const mayAsk: ReadonlySet<Trouble> = new Set(["OverloadedError", "RateLimitError", "InternalServerError"])

/** The failure of this tag; `after` is the wait that the server asks for, of those that it may ask for one with. */
export const make = <Tag extends Trouble>(tag: Tag, after = 0): Extract<ClaudeError, { readonly _tag: Tag }> => {
  const retryAfter = after > 0 && mayAsk.has(tag) ? { retryAfter: Duration.millis(after) } : undefined
  return new classes[tag]({ ...usualFields(tag, {}), ...retryAfter })
}

/** How long the server asked to wait, in milliseconds; 0 if it did not. */
export const askedWait = ({ verdict }: ClaudeError): number =>
  verdict._tag === "Retry" && verdict.after !== undefined ? Duration.toMillis(verdict.after) : 0
