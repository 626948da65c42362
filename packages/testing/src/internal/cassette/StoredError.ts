import * as Predicate from "effect/Predicate"
import type { StoredError } from "./RecordingSchema.ts"

const deepest = 8

const typeOf = (thrown: unknown): StoredError["type"] => {
  if (thrown instanceof DOMException) return "DOMException"
  if (thrown instanceof AggregateError) return "AggregateError"
  return thrown instanceof TypeError ? "TypeError" : "Error"
}

const text = (value: unknown): string | undefined => typeof value === "string" ? value : undefined

const own = (thrown: unknown, key: string): unknown => Predicate.hasProperty(thrown, key) ? thrown[key] : undefined

/** What the HTTP client threw, with its causes; `clean` goes over every text of it. */
export const storedError = (thrown: unknown, clean: (text: string) => string, depth = 0): StoredError => {
  const cause = own(thrown, "cause")
  const code = text(own(thrown, "code"))
  const errno = own(thrown, "errno")
  const syscall = text(own(thrown, "syscall"))
  return {
    type: typeOf(thrown),
    name: clean(text(own(thrown, "name")) ?? "Error"),
    message: clean(text(own(thrown, "message")) ?? (Predicate.isObjectKeyword(thrown) ? "" : String(thrown))),
    ...(code === undefined ? undefined : { code: clean(code) }),
    ...(typeof errno === "number" && Number.isFinite(errno) ? { errno } : undefined),
    ...(syscall === undefined ? undefined : { syscall: clean(syscall) }),
    ...(cause === undefined || cause === null || depth >= deepest
      ? undefined
      : { cause: storedError(cause, clean, depth + 1) })
  }
}

const bare = ({ message, name, type }: StoredError, options: ErrorOptions | undefined): Error => {
  switch (type) {
    case "DOMException":
      return new DOMException(message, name)
    case "AggregateError":
      return new AggregateError([], message, options)
    case "TypeError":
      return new TypeError(message, options)
    case "Error":
      return new Error(message, options)
  }
}

/** An error that nobody can tell from the one that was stored, but for its stack. */
export const thrownError = (stored: StoredError): Error => {
  const { cause, code, errno, name, syscall } = stored
  const error = bare(stored, cause === undefined ? undefined : { cause: thrownError(cause) })
  if (error.name !== name) Object.defineProperty(error, "name", { value: name, configurable: true, writable: true })
  // A `DOMException` has a number of its own for its code.
  return error instanceof DOMException ? error : Object.assign(error, {
    ...(code === undefined ? undefined : { code }),
    ...(errno === undefined ? undefined : { errno }),
    ...(syscall === undefined ? undefined : { syscall })
  })
}
