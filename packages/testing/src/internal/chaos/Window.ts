import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Duration from "effect/Duration"

/**
 * When an injection may happen, counted from when the chaos was turned on.
 *
 * **Details**
 *
 * - `from`: not before that; at once by default.
 * - `to`: not from that on; no end by default.
 * - `every` and `for`: at the beginning of each period `every`, counted from `from`, for that long. Both or none.
 *
 * @category models
 * @since 0.1.0
 */
export interface WindowOptions {
  readonly from?: Duration.Input | undefined
  readonly to?: Duration.Input | undefined
  readonly every?: Duration.Input | undefined
  readonly for?: Duration.Input | undefined
}

export interface Window {
  readonly from: Duration.Duration
  readonly to: Duration.Duration | undefined
  readonly period: { readonly every: Duration.Duration; readonly for: Duration.Duration } | undefined
}

const periodOf = (owner: string, options: WindowOptions): Window["period"] => {
  if (options.every === undefined && options.for === undefined) return undefined
  if (options.every === undefined || options.for === undefined) {
    const [given, missing] = options.every === undefined ? ["for", "every"] : ["every", "for"]
    throw new RangeError(`${owner}: option "${given}" needs "${missing}" beside it`)
  }
  const every = OptionCheck.duration(owner, "every", options.every, { positive: true })
  const lasting = OptionCheck.duration(owner, "for", options.for, { positive: true })
  if (Duration.isGreaterThan(lasting, every)) {
    throw OptionCheck.refuse(owner, "for", `at most "every" (${Duration.format(every)})`, lasting)
  }
  return { every, for: lasting }
}

export const makeWindow = (owner: string, options: WindowOptions): Window => {
  const from = OptionCheck.duration(owner, "from", options.from ?? Duration.zero)
  const to = options.to === undefined ? undefined : OptionCheck.duration(owner, "to", options.to, { infinite: true })
  if (to !== undefined && Duration.isLessThanOrEqualTo(to, from)) {
    throw OptionCheck.refuse(owner, "to", `later than "from" (${Duration.format(from)})`, to)
  }
  return { from, to, period: periodOf(owner, options) }
}

/** Whether the window is open, so many milliseconds after the chaos was turned on. */
export const isOpen = ({ from, period, to }: Window, elapsed: number): boolean => {
  const since = elapsed - Duration.toMillis(from)
  if (since < 0 || (to !== undefined && elapsed >= Duration.toMillis(to))) return false
  return period === undefined || since % Duration.toMillis(period.every) < Duration.toMillis(period.for)
}
