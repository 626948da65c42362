import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import type * as Duration from "effect/Duration"

/** A duration of zero or more, infinity included. */
export const duration = (owner: string, option: string, value: Duration.Input): Duration.Duration =>
  OptionCheck.duration(owner, option, value, { infinite: true })

/** How many calls: at least one. */
export const count = (owner: string, option: string, value: number): number => {
  if (!Number.isInteger(value) || value < 1) {
    throw OptionCheck.refuse(owner, option, "a whole number of at least 1", value)
  }
  return value
}

/** How many events pass before a fault: fewer than the answer has, or the fault would never show. */
export const afterEvents = (owner: string, value: number, total: number): number => {
  if (!Number.isInteger(value) || value < 0 || value >= total) {
    throw OptionCheck.refuse(
      owner,
      "afterEvents",
      `a whole number from 0 to ${total - 1} (the answer has ${total} events)`,
      value
    )
  }
  return value
}
