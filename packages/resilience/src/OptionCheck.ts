/**
 * Checks for static options: a wrong one throws a `RangeError` that names the function, the option and the value.
 *
 * Every combinator of this package checks its options here. Packages that build on it can do the same, so that a user
 * reads one kind of message throughout.
 *
 * **Example** (Checking the options of a policy)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
 * import type * as Duration from "effect/Duration"
 *
 * const poll = (options: { readonly every: Duration.Input }) =>
 *   OptionCheck.duration("Poller.poll", "every", options.every, { positive: true })
 *
 * assert.throws(
 *   () => poll({ every: 0 }),
 *   RangeError,
 *   `Poller.poll: option "every" must be a finite duration longer than zero, got 0`
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"

const describe = (value: unknown): string =>
  Duration.isDuration(value)
    ? Duration.format(value)
    : typeof value === "string" || (typeof value === "object" && value !== null)
    ? JSON.stringify(value)
    : String(value)

/**
 * Makes the error that every wrong option throws.
 *
 * **Gotchas**
 *
 * The value is part of the message. Pass nothing that may hold a secret.
 *
 * **Example** (Refusing a value)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
 *
 * const error = OptionCheck.refuse("Poller.poll", "order", "one of newest, oldest", "random")
 *
 * assert.strictEqual(error.message, `Poller.poll: option "order" must be one of newest, oldest, got "random"`)
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export const refuse = (owner: string, option: string, expected: string, value: unknown): RangeError =>
  new RangeError(`${owner}: option "${option}" must be ${expected}, got ${describe(value)}`)

// `Duration` turns NaN into zero, which would hide a broken computation in the caller.
const containsNaN = (value: Duration.Input): boolean => {
  if (typeof value === "number") return Number.isNaN(value)
  // Options may come from JSON, which has null where the types have none.
  if (typeof value !== "object" || value === null || Duration.isDuration(value)) return false
  return Object.values(value).some((part) => Number.isNaN(part))
}

const parse = (value: Duration.Input): Duration.Duration | undefined => {
  if (containsNaN(value)) return undefined
  try {
    return Duration.fromInputUnsafe(value)
  } catch {
    return undefined
  }
}

/**
 * Checks a duration: zero or more and finite, unless `bounds` ask for more than zero or allow infinity.
 *
 * **Details**
 *
 * NaN, which `Duration` reads as zero, is refused, and so is text that is no duration.
 *
 * **Example** (Allowing an infinite limit)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
 * import * as Duration from "effect/Duration"
 *
 * assert.deepStrictEqual(OptionCheck.duration("Poller.poll", "limit", "Infinity", { infinite: true }), Duration.infinity)
 * assert.throws(() => OptionCheck.duration("Poller.poll", "limit", Number.NaN), RangeError)
 * ```
 *
 * @category checks
 * @since 0.1.0
 */
export const duration = (owner: string, option: string, value: Duration.Input, bounds: {
  readonly positive?: boolean
  readonly infinite?: boolean
} = {}): Duration.Duration => {
  const parsed = parse(value)
  if (
    parsed === undefined
    || Duration.isNegative(parsed)
    || (bounds.positive === true && Duration.isZero(parsed))
    || (bounds.infinite !== true && !Duration.isFinite(parsed))
  ) {
    const sort = bounds.infinite === true ? "a duration" : "a finite duration"
    throw refuse(owner, option, `${sort} ${bounds.positive === true ? "longer than zero" : "of zero or more"}`, value)
  }
  return parsed
}

/**
 * Checks a number between `minimum` and `maximum`, both included; NaN and infinity are refused.
 *
 * **Example** (Checking a ratio)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
 *
 * assert.strictEqual(OptionCheck.number("Poller.poll", "jitter", 0.2, 0, 1), 0.2)
 * assert.throws(() => OptionCheck.number("Poller.poll", "jitter", 20, 0, 1), RangeError, "from 0 to 1")
 * ```
 *
 * @category checks
 * @since 0.1.0
 */
export const number = (owner: string, option: string, value: number, minimum: number, maximum?: number): number => {
  if (!Number.isFinite(value) || value < minimum || (maximum !== undefined && value > maximum)) {
    const expected = maximum === undefined
      ? `a finite number of at least ${minimum}`
      : `a number from ${minimum} to ${maximum}`
    throw refuse(owner, option, expected, value)
  }
  return value
}

/**
 * Checks a count of attempts: a whole number of at least 1, or `Infinity` for no limit.
 *
 * **Example** (Checking a number of attempts)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
 *
 * assert.strictEqual(OptionCheck.attempts("Poller.poll", "attempts", 3), 3)
 * assert.throws(() => OptionCheck.attempts("Poller.poll", "attempts", 0), RangeError, "at least 1")
 * ```
 *
 * @category checks
 * @since 0.1.0
 */
export const attempts = (owner: string, option: string, value: number): number => {
  if (value !== Number.POSITIVE_INFINITY && (!Number.isInteger(value) || value < 1)) {
    throw refuse(owner, option, "a whole number of at least 1, or Infinity", value)
  }
  return value
}
