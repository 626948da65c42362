import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Predicate from "effect/Predicate"
import { IncompleteResultsError } from "../../BatchError.ts"
import type { BatchOutcome } from "../../BatchOutcome.ts"
import { type ClaudeError, InvalidResponseError, StreamInterruptedError } from "../../ClaudeError.ts"
import * as SdkFailure from "../../SdkFailure.ts"
import { property } from "../foreignError.ts"

// Far beyond the longest answer a model can write; what is longer is no line of results.
const longestLine = 64 * 1024 * 1024

/** Cuts text that comes in pieces into lines, and looks at each character once. */
class LineCutter {
  readonly #decoder = new TextDecoder()
  #pieces: Array<string> = []
  #length = 0

  /** The lines that these bytes complete; `undefined` when the one that is not complete is too long to be one. */
  push(bytes: Uint8Array): ReadonlyArray<string> | undefined {
    const lines = this.#decoder.decode(bytes, { stream: true }).split("\n")
    const rest = lines.pop() ?? ""
    const first = lines[0]
    if (first !== undefined) {
      lines[0] = this.#pieces.join("") + first
      this.#pieces = []
      this.#length = 0
    }
    this.#pieces.push(rest)
    this.#length += rest.length
    return this.#length > longestLine ? undefined : lines
  }

  /** What came after the last end of a line. */
  rest(): string {
    return this.#pieces.join("") + this.#decoder.decode()
  }
}

const parse = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

const isMessage = (value: unknown): value is Message =>
  property(value, "type") === "message" && Array.isArray(property(value, "content"))

/** The body of the error answer: an envelope around the error, though examples of the API have been seen without. */
const errorBody = (error: object): object => Predicate.isObject(property(error, "error")) ? error : { error }

const outcomeOf = (line: string, batchId: string, context: SdkFailure.Context): BatchOutcome | undefined => {
  const value = parse(line)
  const customId = property(value, "custom_id")
  const result = property(value, "result")
  if (!Predicate.isString(customId)) return undefined
  const origin = { customId, batchId, submissions: 1 }
  switch (property(result, "type")) {
    case "succeeded": {
      const message = property(result, "message")
      return isMessage(message) ? { _tag: "Succeeded", ...origin, message } : undefined
    }
    case "errored": {
      const body = property(result, "error")
      return Predicate.isObject(body)
        ? { _tag: "Errored", ...origin, error: SdkFailure.fromAnswer({ body: errorBody(body) }, context) }
        : undefined
    }
    case "canceled":
      return { _tag: "Canceled", ...origin }
    case "expired":
      return { _tag: "Expired", ...origin }
    default:
      return undefined
  }
}

/** What a results file should hold, and who is not to be told of what. */
export interface ResultsFile {
  readonly batchId: string
  readonly total: number
  readonly context: SdkFailure.Context
}

/**
 * The outcomes of a results file, as many at a time as the body brings. Ends only if there were as many lines as the batch has
 * requests and each could be read; a body that ends between two lines looks whole otherwise. Throws a typed error.
 */
export async function* readResults(
  response: Response,
  { batchId, context, total }: ResultsFile
): AsyncGenerator<ReadonlyArray<BatchOutcome>, void, unknown> {
  const requestId = response.headers.get("request-id")
  const shared = requestId === null ? {} : { requestId }
  // The outcomes of other requests are none of this one's: its attempt and its time stay out of their errors.
  const ofItem: SdkFailure.Context = { secrets: context.secrets }
  if (response.body === null || /html/i.test(response.headers.get("content-type") ?? "")) {
    throw new InvalidResponseError({ message: `The results of batch ${batchId} are not a file of results`, ...shared })
  }
  const cutter = new LineCutter()
  let lines = 0
  let read = 0

  const outcomes = (texts: ReadonlyArray<string>): ReadonlyArray<BatchOutcome> => {
    const found: Array<BatchOutcome> = []
    for (const text of texts) {
      if (text.trim() === "") continue
      lines++
      const outcome = outcomeOf(text, batchId, ofItem)
      if (outcome !== undefined) found.push(outcome)
    }
    read += found.length
    return found
  }

  const interrupted = (cause?: ClaudeError): StreamInterruptedError =>
    new StreamInterruptedError({
      message: `The results of batch ${batchId} broke off after ${read} of ${total}`,
      ...shared,
      ...(cause === undefined ? {} : { cause })
    })

  const reader = response.body.getReader()
  let isOpen = true
  try {
    while (true) {
      const { done, value } = await reader.read()
      if (done) break
      const texts = cutter.push(value)
      if (texts === undefined) {
        throw new InvalidResponseError({ message: `A line of the results of batch ${batchId} is too long`, ...shared })
      }
      const found = outcomes(texts)
      if (found.length > 0) yield found
    }
    isOpen = false
  } catch (thrown) {
    const error = SdkFailure.fromThrown(thrown, { ...context, streaming: true })
    throw error._tag === "StreamInterruptedError" ? interrupted(error) : error
  } finally {
    if (isOpen) await reader.cancel().catch(() => undefined)
  }
  // The last line of a file may lack its end. One that cannot be read was cut: then it does not count.
  const last = outcomes([cutter.rest()].filter((text) => parse(text) !== undefined))
  if (last.length > 0) yield last
  if (lines > 0 && read === 0) {
    throw new InvalidResponseError({ message: `The results of batch ${batchId} are not a file of results`, ...shared })
  }
  if (lines < total) throw interrupted()
  if (read < lines) {
    throw new IncompleteResultsError({
      message: `The results of batch ${batchId} hold ${lines - read} of ${lines} lines that cannot be read`,
      batchId,
      expected: total,
      received: read
    })
  }
}
