import * as Predicate from "effect/Predicate"
import { type RetryKind, retryKinds } from "../Verdict.ts"

const kinds: ReadonlySet<unknown> = new Set(retryKinds)
const isRetryKind = (value: unknown): value is RetryKind => kinds.has(value)

/** The kind of trouble that an error says of itself, for whoever got no `classify`. */
export const retryKindOf = (error: unknown): RetryKind | undefined => {
  if (!Predicate.hasProperty(error, "verdict") || !Predicate.hasProperty(error.verdict, "kind")) return undefined
  const { kind } = error.verdict
  return isRetryKind(kind) ? kind : undefined
}

/**
 * Whether an error says of itself that a policy of this program caused it and nothing was sent. By its tag too: a circuit
 * that was opened by hand says `Stop`, as waiting for it is in vain.
 */
export const wasRejected = (error: unknown): boolean =>
  retryKindOf(error) === "rejected" || Predicate.isTagged(error, "CircuitOpenError")

/** What an event may call an error: its tag or its name, never its message. */
export const nameOf = (error: unknown): string => {
  if (Predicate.hasProperty(error, "_tag") && typeof error._tag === "string") return error._tag
  return error instanceof Error ? error.name : typeof error
}
