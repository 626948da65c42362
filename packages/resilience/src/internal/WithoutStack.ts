const descriptor = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit")

// Hardened environments freeze it, and other engines do not have it.
const isWritable = descriptor?.writable === true

/**
 * Makes an error without a stack, which is most of what an error costs. For rejections only: they come in masses when a
 * service is down, and their place in this package tells nobody anything.
 */
export const withoutStack = <A>(make: () => A): A => {
  if (!isWritable) return make()
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return make()
  } finally {
    Error.stackTraceLimit = limit
  }
}
