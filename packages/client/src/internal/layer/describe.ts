import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Duration from "effect/Duration"
import * as Schedule from "effect/Schedule"
import type { ClaudeServiceShape } from "../../ClaudeService.ts"

/**
 * A value that a test can compare and a log can write: what JSON has.
 *
 * @category models
 * @since 0.1.0
 */
export type Described = string | number | boolean | null | ReadonlyArray<Described> | {
  readonly [name: string]: Described
}

/**
 * A policy as data: its name and its options.
 *
 * @category models
 * @since 0.1.0
 */
export interface PolicyDescription {
  readonly policy: string
  readonly options: { readonly [name: string]: Described }
}

/** Stands for what has no form as data: a function, a schedule or an instance of the program's own. */
const custom = "custom"

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const describeRecord = (value: object): { readonly [name: string]: Described } =>
  Object.fromEntries(
    Object.entries(value).flatMap(([name, part]) => part === undefined ? [] : [[name, describeValue(part)]])
  )

const describeValue = (value: unknown): Described => {
  if (Duration.isDuration(value)) return Duration.format(value)
  if (typeof value === "string" || typeof value === "boolean" || value === null) return value
  // JSON has no infinity, and `attempts` may be that.
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value)
  if (Schedule.isSchedule(value)) {
    const options = RetrySchedule.optionsOf(value)
    return options === undefined ? custom : describeRecord(options)
  }
  if (Array.isArray(value)) return value.map(describeValue)
  return typeof value === "object" && isPlain(value) ? describeRecord(value) : custom
}

/** The policies around a service as data, outermost first. */
export const describePolicies = (service: ClaudeServiceShape): ReadonlyArray<PolicyDescription> =>
  (service.policies ?? []).map(({ name, options }) => ({ policy: name, options: describeRecord(options) }))
