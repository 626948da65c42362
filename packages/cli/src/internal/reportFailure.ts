import * as Cause from "effect/Cause"
import * as CliError from "effect/cli/CliError"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"

const messageOf = (error: unknown): string =>
  error instanceof Config.ConfigError
    ? error.cause.message
    : Predicate.hasProperty(error, "message") && Predicate.isString(error.message)
    ? error.message
    : String(error)

/** Tells a failure in one line. A user of the command has no use for its stack; a defect is a bug and keeps it. */
export const reportFailure = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  const error = Cause.findErrorOption(cause)
  if (Option.isNone(error)) return Console.error(Cause.pretty(cause))
  // The parser of the command line has printed its own errors, with the help.
  if (CliError.isCliError(error.value)) return Effect.void
  return Console.error(`effect-claude: ${messageOf(error.value)}`)
}
