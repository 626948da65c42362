import * as Context from "effect/Context"
import type { Deadline } from "../Deadline.ts"

// Kept apart from `Deadline.ts` so that a schedule can read the deadline without loading streams.
export const CurrentDeadline: Context.Reference<Deadline | undefined> = Context.Reference<Deadline | undefined>(
  "@effect-claude/resilience/Deadline",
  { defaultValue: () => undefined }
)
