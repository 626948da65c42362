import type { ClaudeError, PartialAnswer } from "../ClaudeError.ts"

const origins = new WeakMap<ClaudeError, ClaudeError>()

/** The same failure with more in `partial`. Its class, message and fields stay; whoever counts failures counts the two as one. */
export const withPartial = <E extends ClaudeError>(error: E, partial: PartialAnswer): E => {
  const Same = error.constructor as new(fields: object) => E
  const copy = new Same(Object.assign({}, error, { message: error.message, partial }))
  origins.set(copy, originOf(error))
  return copy
}

/** The error that this one is a copy of, or itself. */
export const originOf = (error: ClaudeError): ClaudeError => origins.get(error) ?? error
