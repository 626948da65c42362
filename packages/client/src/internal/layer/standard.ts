import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Duration from "effect/Duration"
import type * as Schedule from "effect/Schedule"
import type { ClaudeError } from "../../ClaudeError.ts"
import * as ClaudeSchedule from "../../ClaudeSchedule.ts"
import { attemptTimeout, type AttemptTimeoutOptions } from "./attemptTimeout.ts"
import { deadline } from "./deadline.ts"
import { fallback, type FallbackOptions } from "./fallback.ts"
import type { PolicyLayer } from "./PolicyLayer.ts"
import { retry } from "./retry.ts"
import { telemetry, type TelemetryOptions } from "./telemetry.ts"

/**
 * The parts of the standard pipeline. What is left out is as `standard` describes it; `false` leaves a part out.
 *
 * @category models
 * @since 0.1.0
 */
export interface StandardOptions {
  readonly attemptTimeout?: AttemptTimeoutOptions | false | undefined
  readonly retry?: Schedule.Schedule<unknown, ClaudeError> | false | undefined
  readonly fallback?: FallbackOptions | false | undefined
  readonly deadline?: Duration.Input | false | undefined
  readonly telemetry?: TelemetryOptions | false | undefined
}

export const defaultDeadline = Duration.minutes(10)

export const longGeneration = {
  firstEvent: Duration.seconds(30),
  idle: Duration.seconds(60),
  attempt: Duration.seconds(120),
  stream: Duration.minutes(10)
}

export const shortQuestion = {
  firstEvent: Duration.seconds(10),
  idle: Duration.seconds(15),
  attempt: Duration.seconds(30),
  stream: Duration.seconds(60)
}

const owner = "ClaudeLayer.standard"

/** The timeouts given, and for each that is not the default, as far as it fits into what was given. */
const timeoutsWithin = (total: Duration.Duration, given: AttemptTimeoutOptions): AttemptTimeoutOptions => {
  const stream = given.stream ?? Duration.min(longGeneration.stream, total)
  const wholeStream = OptionCheck.duration(owner, "attemptTimeout.stream", stream, { positive: true })
  return {
    ...given,
    attempt: given.attempt ?? Duration.min(longGeneration.attempt, total),
    stream,
    firstEvent: given.firstEvent ?? Duration.min(longGeneration.firstEvent, wholeStream),
    idle: given.idle ?? Duration.min(longGeneration.idle, wholeStream)
  }
}

/** The policies of the standard pipeline, the innermost first. */
export const standard = (options: StandardOptions): ReadonlyArray<PolicyLayer> => {
  const total = options.deadline === false
    ? Duration.infinity
    : OptionCheck.duration(owner, "deadline", options.deadline ?? defaultDeadline, { positive: true })
  const parts = [
    options.attemptTimeout === false ? undefined : attemptTimeout(timeoutsWithin(total, options.attemptTimeout ?? {})),
    options.retry === false ? undefined : retry(options.retry ?? ClaudeSchedule.standard),
    options.fallback === undefined || options.fallback === false ? undefined : fallback(options.fallback),
    Duration.isFinite(total) ? deadline(total) : undefined,
    options.telemetry === false ? undefined : telemetry(options.telemetry ?? {})
  ]
  return parts.filter((part) => part !== undefined)
}
