import * as Duration from "effect/Duration"
import type { CallOutcome, RecordedCall } from "../script/CallLog.ts"
import { shortDuration } from "./seconds.ts"

/** Names an outcome for comparison: the tag of an error, or how it ended otherwise. */
export const outcomeName = (outcome: CallOutcome): string =>
  outcome._tag === "Failed" ? outcome.error._tag : outcome._tag

const status = (value: number | undefined): string => value === undefined ? "" : ` (${value})`

const asked = (wait: Duration.Duration | undefined): string =>
  wait === undefined ? "" : `, retry after ${shortDuration(wait)}`

/** How a call ended, in a few words; nothing of a request or of an error's message. */
export const describeOutcome = ({ outcome, step }: RecordedCall): string => {
  switch (outcome._tag) {
    case "Succeeded":
      return step ?? "answered"
    case "Failed": {
      const { _tag, retryAfter, status: code } = outcome.error
      return `${_tag}${status(code)}${asked(retryAfter)}`
    }
    case "Interrupted":
      return `interrupted${step === undefined ? "" : ` (${step})`}`
    case "Pending":
      return `still pending${step === undefined ? "" : ` (${step})`}`
    case "Died":
      return step === undefined ? "died: the script has no step for it" : `died (${step})`
  }
}

/** How long a call took, if that is more than no time. */
export const describeDuration = ({ at, endedAt }: RecordedCall): string =>
  endedAt === undefined || endedAt <= at ? "" : `, took ${shortDuration(Duration.millis(endedAt - at))}`
