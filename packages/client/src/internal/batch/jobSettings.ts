import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Duration from "effect/Duration"
import type { BatchEvent, JobOptions, RunOptions, SubmitOptions, WaitOptions } from "../../BatchJob.ts"
import * as ClaudeSchedule from "../../ClaudeSchedule.ts"
import type { CallOptions } from "../../ClaudeService.ts"
import { bodyLimits } from "../../RequestCheck.ts"
import { maxItems } from "./batchCheck.ts"
import { defaultPolls, type PollSchedule } from "./waitForBatch.ts"

/** The options of a job, checked and complete. */
export interface JobSettings {
  readonly call: CallOptions
  readonly retry: ClaudeSchedule.ClaudeSchedule
  readonly tell: (event: BatchEvent) => void
}

export interface SubmitSettings extends JobSettings {
  readonly maxItems: number
  readonly maxBytes: number
  readonly onDuplicate: "fail" | "adopt" | "submit"
  readonly settle: Duration.Duration
}

export interface WaitSettings extends JobSettings {
  readonly schedule: PollSchedule
  readonly deadline: Duration.Duration
}

export interface RunSettings extends SubmitSettings, WaitSettings {
  readonly rounds: number
}

// The API ends a batch 24 hours after it was made, whatever became of it.
const defaultDeadline = Duration.hours(25)

const atMost = (owner: string, option: string, value: number | undefined, maximum: number): number => {
  if (value === undefined) return maximum
  OptionCheck.number(owner, option, value, 1, maximum)
  if (!Number.isInteger(value)) throw OptionCheck.refuse(owner, option, "a whole number", value)
  return value
}

export const jobSettings = ({ headers, onEvent, retry }: JobOptions): JobSettings => ({
  call: headers === undefined ? {} : { headers },
  retry: retry ?? ClaudeSchedule.patient,
  tell: (event) => onEvent?.(event)
})

export const submitSettings = (owner: string, options: SubmitOptions): SubmitSettings => ({
  ...jobSettings(options),
  maxItems: atMost(owner, "maxItems", options.maxItems, maxItems),
  maxBytes: atMost(owner, "maxBytes", options.maxBytes, bodyLimits.batches),
  onDuplicate: options.onDuplicate ?? "fail",
  settle: OptionCheck.duration(owner, "settle", options.settle ?? "1 minute")
})

export const waitSettings = (owner: string, options: WaitOptions): WaitSettings => ({
  ...jobSettings(options),
  schedule: options.schedule ?? defaultPolls,
  deadline: OptionCheck.duration(owner, "deadline", options.deadline ?? defaultDeadline, {
    positive: true,
    infinite: true
  })
})

export const runSettings = (owner: string, options: RunOptions): RunSettings => ({
  ...submitSettings(owner, options),
  ...waitSettings(owner, options),
  rounds: OptionCheck.attempts(owner, "submissions", options.submissions ?? 3)
})
