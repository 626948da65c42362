import * as Predicate from "effect/Predicate"
import { type Difference, differences, without } from "./Difference.ts"
import { canonicalJson } from "./Digest.ts"
import type { Exchange } from "./RecordingSchema.ts"
import type { StoredRequest } from "./Redaction.ts"

/** Why a request has no answer on the tape; `nearest` is the number of the exchange that is the most like it. */
export interface NoMatch {
  readonly message: string
  readonly nearest: number | undefined
  readonly difference: string | undefined
}

const shownLength = 80

const shown = (value: unknown): string => {
  if (value === undefined) return "nothing"
  const text = Predicate.isString(value) && value.startsWith("<") ? value : JSON.stringify(value)
  return text.length > shownLength ? `${text.slice(0, shownLength)}...` : text
}

const describe = ({ asked, path, recorded }: Difference): string =>
  `${path === "" ? "the body" : path} is ${shown(asked)}, recorded is ${shown(recorded)}`

const fieldsOf = ({ body }: StoredRequest): Readonly<Record<string, unknown>> => Predicate.isObject(body) ? body : {}

/** Enough of a request to find it, and nothing that it says. */
export const titleOf = (request: StoredRequest): string => {
  const { messages, model, requests, stream } = fieldsOf(request)
  const parts = [
    typeof model === "string" ? model : "",
    stream === true ? "streamed" : "",
    Array.isArray(messages) ? `messages: ${messages.length}` : "",
    Array.isArray(requests) ? `requests: ${requests.length}` : ""
  ].filter((part) => part !== "")
  return `${request.method} ${request.path}${parts.length === 0 ? "" : ` (${parts.join(", ")})`}`
}

/** Exchanges with the same request, and which of them comes next. */
interface Queue {
  readonly indices: Array<number>
  next: number
}

/** The recorded exchanges, each of which answers one request that is the same, in the order of recording. */
export class Tape {
  readonly #exchanges: ReadonlyArray<Exchange>
  readonly #ignore: ReadonlyArray<string>
  readonly #repeat: boolean
  readonly #used = new Set<number>()
  readonly #queues = new Map<string, Queue>()

  constructor(
    exchanges: ReadonlyArray<Exchange>,
    options: { readonly ignore: ReadonlyArray<string>; readonly repeat: boolean }
  ) {
    this.#exchanges = exchanges
    this.#ignore = options.ignore
    this.#repeat = options.repeat
    for (const [index, { request }] of exchanges.entries()) {
      const key = this.#keyOf(request)
      const queue = this.#queues.get(key)
      if (queue === undefined) this.#queues.set(key, { indices: [index], next: 0 })
      else queue.indices.push(index)
    }
  }

  #keyOf({ body, method, path }: StoredRequest): string {
    return canonicalJson([method, path, without(body, this.#ignore)])
  }

  /** The next exchange for a request; with `repeat`, the last one again once all are used. */
  take(request: StoredRequest): Exchange | undefined {
    const queue = this.#queues.get(this.#keyOf(request))
    if (queue === undefined) return undefined
    const index = queue.indices[queue.next++] ?? (this.#repeat ? queue.indices.at(-1) : undefined)
    if (index === undefined) return undefined
    this.#used.add(index)
    return this.#exchanges[index]
  }

  /** Exchanges that nobody has asked for, by their place in the file. */
  get unused(): ReadonlyArray<number> {
    return [...this.#exchanges.keys()].filter((index) => !this.#used.has(index))
  }

  /** What is nearest to a request that has no answer. */
  explain(request: StoredRequest): NoMatch {
    const asked = without(request.body, this.#ignore)
    const same = this.#queues.get(this.#keyOf(request))?.indices
    if (same !== undefined) {
      return {
        message: `it was recorded ${
          same.length === 1 ? "once" : `${same.length} times`
        }, all of it is used (see "repeat")`,
        nearest: Math.max(...same) + 1,
        difference: undefined
      }
    }
    const candidates = this.#exchanges.flatMap(({ request: { body, method, path } }, index) =>
      method === request.method && path === request.path
        ? [{ index, all: differences(without(body, this.#ignore), asked) }]
        : []
    )
    const [nearest] = candidates.sort((one, other) => one.all.length - other.all.length)
    const first = nearest?.all[0]
    if (nearest === undefined || first === undefined) {
      return {
        message: `nothing was recorded for ${request.method} ${request.path}`,
        nearest: undefined,
        difference: undefined
      }
    }
    const others = nearest.all.length - 1
    return {
      message: `the nearest is exchange ${nearest.index + 1} of ${this.#exchanges.length}: ${describe(first)}`
        + (others === 0 ? "" : ` (and ${others} more ${others === 1 ? "field" : "fields"})`),
      nearest: nearest.index + 1,
      difference: first.path
    }
  }
}
