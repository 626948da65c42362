import * as Predicate from "effect/Predicate"
import { InvalidRequestError, RequestTooLargeError } from "../../ClaudeError.ts"
import * as RequestCheck from "../../RequestCheck.ts"
import { property } from "../foreignError.ts"

/** The form of a `custom_id`, from the API's documentation. */
const customIdForm = /^[a-zA-Z0-9_-]{1,64}$/

/** Checks the items of one piece of work, one after the other. Remembers their ids, and nothing else of them. */
export class ItemCheck {
  readonly #seen = new Set<string>()
  #index = -1

  /** The first thing that is wrong with the next item. */
  next(item: unknown): InvalidRequestError | RequestTooLargeError | undefined {
    this.#index++
    const place = `requests[${this.#index}]`
    const customId = property(item, "custom_id")
    const params = property(item, "params")
    // What is no id may hold any text, so it is not shown.
    if (!Predicate.isString(customId) || !customIdForm.test(customId)) {
      return invalid(`${place}.custom_id`, "must be 1 to 64 letters, digits, underscores or hyphens")
    }
    if (this.#seen.has(customId)) {
      return invalid(`${place}.custom_id`, `"${customId}" is there twice`, customId)
    }
    this.#seen.add(customId)
    if (!Predicate.isObject(params)) return invalid(`${place}.params`, "must be a request", customId)
    if (property(params, "stream") === true) {
      return invalid(`${place}.params.stream`, `a batch does not stream (custom_id "${customId}")`, customId)
    }
    const error = RequestCheck.check(params, "batches")
    return error === undefined ? undefined : located(error, place, customId)
  }
}

const invalid = (field: string, message: string, customId?: string): InvalidRequestError =>
  new InvalidRequestError({ message: `${field}: ${message}`, field, ...(customId === undefined ? {} : { customId }) })

const located = (error: InvalidRequestError | RequestTooLargeError, place: string, customId: string) => {
  const fields = {
    message: `custom_id "${customId}": ${error.message}`,
    field: `${place}.params${error.field === undefined || error.field === "body" ? "" : `.${error.field}`}`,
    customId,
    ...(error.limit === undefined ? {} : { limit: error.limit }),
    ...(error.actual === undefined ? {} : { actual: error.actual })
  }
  return error._tag === "InvalidRequestError" ? new InvalidRequestError(fields) : new RequestTooLargeError(fields)
}

/** The error for an item that alone has more bytes than a batch may have. */
export const itemTooLarge = (customId: string, actual: number, limit: number): RequestTooLargeError =>
  new RequestTooLargeError({
    message: `The request with custom_id "${customId}" has ${actual} bytes; a batch takes at most ${limit}`,
    field: "params",
    customId,
    actual,
    limit
  })

/** The error for an item that JSON has no form for. */
export const notJson = (customId: string): InvalidRequestError =>
  new InvalidRequestError({
    message: `The request with custom_id "${customId}" cannot be written as JSON`,
    field: "params",
    customId
  })
