import type { Described, PolicyDescription } from "@effect-claude/client/ClaudeLayer"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import { type Check, equal } from "./Check.ts"

/**
 * Options of a policy as a test writes them: those that matter, durations in any form.
 *
 * @category models
 * @since 0.1.0
 */
export interface ExpectedOptions {
  readonly [name: string]: unknown
}

const names = (policies: ReadonlyArray<PolicyDescription>): ReadonlyArray<string> =>
  policies.map(({ policy }) => policy)

export const policies = (actual: ReadonlyArray<PolicyDescription>, expected: ReadonlyArray<string>): Check =>
  equal("the policies (outermost first)", names(actual), expected)

const durationOf = (value: unknown): Duration.Duration | undefined => {
  if (Duration.isDuration(value)) return value
  return typeof value === "string" ? Option.getOrUndefined(Duration.fromInput(value as Duration.Input)) : undefined
}

/** A described duration is as short as `2m`, or as the program wrote it. */
const isDuration = (actual: string, expected: Duration.Duration): boolean => {
  const given = durationOf(actual)
  return actual === Duration.format(expected) || (given !== undefined && Duration.equals(given, expected))
}

/** Whether a described value is what was expected; of an object, as far as it is named. */
const agrees = (actual: Described | undefined, expected: unknown): boolean => {
  if (expected === actual) return true
  if (typeof actual === "string") {
    const duration = durationOf(expected)
    return duration !== undefined && isDuration(actual, duration)
  }
  if (Array.isArray(expected)) {
    return Array.isArray(actual) && actual.length === expected.length
      && expected.every((part, index) => agrees((actual as ReadonlyArray<Described>)[index], part))
  }
  if (typeof expected !== "object" || expected === null || typeof actual !== "object" || actual === null) return false
  return Object.entries(expected).every(([name, part]) =>
    part === undefined || agrees((actual as { readonly [name: string]: Described })[name], part)
  )
}

export const hasPolicy = (
  actual: ReadonlyArray<PolicyDescription>,
  name: string,
  options: ExpectedOptions
): Check => {
  const found = actual.filter(({ policy }) => policy === name)
  // A policy that is there with other options is compared by them, else all that are there are shown.
  if (found.length === 0) return { pass: false, promise: "a policy", actual: names(actual), expected: name }
  const wanted = Object.fromEntries(
    Object.entries(options).map((
      [option, value]
    ) => [option, Duration.isDuration(value) ? Duration.format(value) : value])
  )
  return {
    pass: found.some((policy) => agrees(policy.options, options)),
    promise: `the policy ${name} with`,
    actual: found.length === 1 ? found[0]?.options : found.map((policy) => policy.options),
    expected: wanted
  }
}

export const order = (actual: ReadonlyArray<PolicyDescription>, expected: ReadonlyArray<string>): Check => {
  const there = names(actual)
  let position = -1
  const inOrder = expected.every((name) => {
    position = there.indexOf(name, position + 1)
    return position >= 0
  })
  return { pass: inOrder, promise: "the policies, outermost first and others between them,", actual: there, expected }
}

export const lacksPolicy = (actual: ReadonlyArray<PolicyDescription>, name: string): Check => {
  const there = names(actual)
  return { pass: !there.includes(name), promise: `no policy`, actual: there, expected: name }
}
