import * as Predicate from "effect/Predicate"

const framesOf = ({ stack = "" }: Error): string => {
  const start = stack.search(/^ +at /m)
  return start < 0 ? "" : stack.slice(start)
}

const hasJson = (error: Error): error is Error & { readonly toJSON: () => unknown } =>
  Predicate.hasProperty(error, "toJSON") && typeof error.toJSON === "function"

/** The same error with a timeline at the end of its message. The error itself may be somebody's value and stays as it is. */
export const withTimeline = (error: unknown, timeline: string): Error => {
  if (!(error instanceof Error)) return new Error(`the test failed\n\n${timeline}`, { cause: error })
  if (error.message.includes(timeline)) return error
  const message = `${error.message}\n\n${timeline}`
  const copy = Object.create(Object.getPrototypeOf(error) as object, Object.getOwnPropertyDescriptors(error)) as Error
  const own = { configurable: true, enumerable: false, writable: true }
  Object.defineProperty(copy, "message", { ...own, value: message })
  // A DOMException, as an abort is, tells its name to none but itself.
  Object.defineProperty(copy, "name", { ...own, value: error.name })
  Object.defineProperty(copy, "stack", { ...own, value: `${error.name}: ${message}\n${framesOf(error)}` })
  // Vitest shows an error by its JSON if it has some.
  if (hasJson(error)) {
    Object.defineProperty(copy, "toJSON", { ...own, value: () => ({ ...Object(error.toJSON()), message }) as unknown })
  }
  return copy
}
