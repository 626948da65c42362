import * as Predicate from "effect/Predicate"
import { CassetteMismatchError } from "../../CassetteError.ts"
import type { StoredRequest } from "./Redaction.ts"
import { type NoMatch, titleOf } from "./Tape.ts"

// Begins as the codes of requests that were wrong from the start, which no client retries. The number behind it is what is
// left of the error itself after a client has made a copy of it.
const prefix = "ERR_INVALID_CASSETTE_REQUEST_"

const longestChain = 8

/** The requests that a cassette had no answer for. */
export class Mismatches {
  readonly all: Array<CassetteMismatchError> = []
  readonly #file: string

  constructor(file: string) {
    this.#file = file
  }

  none(request: StoredRequest, { difference, message, nearest }: NoMatch): CassetteMismatchError {
    return this.#add(request, `${this.#file} has no answer for ${titleOf(request)}: ${message}`, {
      ...(nearest === undefined ? undefined : { nearest }),
      ...(difference === undefined ? undefined : { difference })
    })
  }

  overrun(request: StoredRequest, what: string): CassetteMismatchError {
    return this.#add(
      request,
      `${this.#file} goes no further for ${titleOf(request)}: the recorded caller gave up when it had not got ${what}`,
      {}
    )
  }

  #add(
    { method, path }: StoredRequest,
    message: string,
    found: { readonly nearest?: number; readonly difference?: string }
  ): CassetteMismatchError {
    const mismatch = new CassetteMismatchError({
      message,
      code: `${prefix}${this.all.length + 1}`,
      method,
      path,
      ...found
    })
    this.all.push(mismatch)
    return mismatch
  }

  /** The mismatch that a client made this error of. */
  readonly find = (error: unknown): CassetteMismatchError | undefined => {
    let link = error
    for (let depth = 0; depth < longestChain && Predicate.isObjectKeyword(link); depth++) {
      const code: unknown = Predicate.hasProperty(link, "code") ? link.code : undefined
      const found = this.all.find((mismatch) => mismatch.code === code)
      if (found !== undefined) return found
      link = Predicate.hasProperty(link, "cause") ? link.cause : undefined
    }
    return undefined
  }
}
