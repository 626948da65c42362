import type { ClaudeError, PartialAnswer } from "../ClaudeError.ts"

const origins = new WeakMap<ClaudeError, ClaudeError>()

// The two fields that errors of JavaScript hide from whoever lists them.
const shown = ({ cause, message }: ClaudeError) => ({ message, ...(cause === undefined ? undefined : { cause }) })

/** The same failure with more in `partial`. Its class, message and fields stay; whoever counts failures counts the two as one. */
export const withPartial = <E extends ClaudeError>(error: E, partial: PartialAnswer): E => {
  const Same = error.constructor as new(fields: object) => E
  const copy = new Same(Object.assign({}, error, shown(error), { partial }))
  origins.set(copy, originOf(error))
  return copy
}

/** The error that this one is a copy of, or itself. */
export const originOf = (error: ClaudeError): ClaudeError => origins.get(error) ?? error
