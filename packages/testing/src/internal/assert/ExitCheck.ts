import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import type { Check } from "./Check.ts"

/** The tag of what an effect failed with, or how it ended otherwise. */
export const endOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "success"
  const error = Cause.findErrorOption(exit.cause)
  if (error._tag === "Some") return tagOf(error.value)
  return Cause.hasInterruptsOnly(exit.cause) ? "an interrupt" : `a defect (${tagOf(Cause.squash(exit.cause))})`
}

const tagOf = (error: unknown): string => {
  if (Predicate.hasProperty(error, "_tag") && typeof error._tag === "string") return error._tag
  return error instanceof Error ? error.name : typeof error
}

export const failsWith = (exit: Exit.Exit<unknown, unknown>, tag: string): Check => {
  const actual = endOf(exit)
  return { pass: actual === tag, promise: "a failure with", actual, expected: tag }
}
