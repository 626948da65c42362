import * as Schema from "effect/Schema"
import type { Rejection } from "../../Bulkhead.ts"
import type { Verdict } from "../../Verdict.ts"
import * as Verdicts from "../../Verdict.ts"

/** The fields of the errors that stand for a {@link Rejection}. */
export const rejectionFields = {
  key: Schema.String,
  reason: Schema.Literals(["queueFull", "queueTimeout"]),
  permits: Schema.Number,
  inFlight: Schema.Number,
  queued: Schema.Number
}

export const rejectionMessage = ({ inFlight, key, permits, queued, reason }: Rejection): string => {
  const why = reason === "queueFull" ? "the queue is full" : "none became free in time"
  return `No permit for "${key}": ${inFlight} of ${permits} in use, and ${why} (${queued} waiting)`
}

export const rejectionVerdict: Verdict = Verdicts.retry("rejected")
