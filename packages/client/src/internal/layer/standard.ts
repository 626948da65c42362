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
  attempt: Duration.seconds(30)
}

const owner = "ClaudeLayer.standard"

/**
 * The timeouts given, and for each that is not the default, as far as it fits: a stream into the deadline, and what can be
 * retried into half of it, so that an attempt that hangs leaves time for another.
 */
const timeoutsWithin = (total: Duration.Duration, given: AttemptTimeoutOptions): AttemptTimeoutOptions => {
  const half = Duration.isFinite(total) ? Duration.divideUnsafe(total, 2) : total
  const stream = given.stream ?? Duration.min(longGeneration.stream, total)
  const silence = Duration.min(half, OptionCheck.duration(owner, "attemptTimeout.stream", stream, { positive: true }))
  return {
    ...given,
    attempt: given.attempt ?? Duration.min(longGeneration.attempt, half),
    stream,
    firstEvent: given.firstEvent ?? Duration.min(longGeneration.firstEvent, silence),
    idle: given.idle ?? Duration.min(longGeneration.idle, silence)
  }
}

type Fallback = StandardOptions["fallback"]

// With models, the static answer is their last target as well: only there is it known of each why it did not answer.
const modelsOf = (options: Fallback): PolicyLayer | undefined => {
  if (options === undefined || options === false) return undefined
  return options.models === undefined && options.answer !== undefined ? undefined : fallback(options)
}

// A static answer takes no time, so it stands outside of the deadline too and is there for a missed one.
const answerOf = (options: Fallback): PolicyLayer | undefined => {
  if (options === undefined || options === false || options.answer === undefined) return undefined
  const { models: _, ...answer } = options
  return fallback(answer)
}

/** The policies of the standard pipeline, the innermost first. */
export const standard = (options: StandardOptions): ReadonlyArray<PolicyLayer> => {
  const total = options.deadline === false
    ? Duration.infinity
    : OptionCheck.duration(owner, "deadline", options.deadline ?? defaultDeadline, { positive: true })
  const parts = [
    options.attemptTimeout === false ? undefined : attemptTimeout(timeoutsWithin(total, options.attemptTimeout ?? {})),
    options.retry === false ? undefined : retry(options.retry ?? ClaudeSchedule.standard),
    modelsOf(options.fallback),
    Duration.isFinite(total) ? deadline(total) : undefined,
    answerOf(options.fallback),
    options.telemetry === false ? undefined : telemetry(options.telemetry ?? {})
  ]
  return parts.filter((part) => part !== undefined)
}
