import type * as Effect from "effect/Effect"
import { Changes } from "./Changes.ts"
import type { Ending, RequestHeaders } from "./Connection.ts"

/** How a request ended, or that it has not. */
export type Outcome = "pending" | Ending

export interface RecordedRequest {
  readonly number: number
  readonly requestId: string
  readonly method: string
  readonly path: string
  readonly headers: { readonly [name: string]: string }
  readonly body: unknown
  readonly receivedAt: number
  readonly did: string
  readonly bytesSent: number
  readonly status: number | undefined
  readonly outcome: Outcome
  readonly endedAt: number | undefined
}

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

export type RequestEntry = Mutable<RecordedRequest>

/** The requests a server got, in the order in which they were complete, and a way to wait for more. */
export class RequestLog {
  #entries: Array<RequestEntry> = []
  readonly #pending = new Set<RequestEntry>()
  #recorded = 0
  readonly #changes = new Changes()

  /** Numbers a request and keeps it. A request that is in the log stays as it is. */
  add(entry: RequestEntry): void {
    if (entry.number !== 0) return
    entry.number = ++this.#recorded
    entry.requestId = `req_fake${String(entry.number).padStart(20, "0")}`
    this.#entries.push(entry)
    if (entry.outcome === "pending") this.#pending.add(entry)
    this.#changes.announce()
  }

  /** Notes how a request ended, and that it came at all if it never arrived whole. */
  end(entry: RequestEntry, ending: Ending, at: number): void {
    entry.outcome = ending
    entry.endedAt = at
    this.#pending.delete(entry)
    this.add(entry)
    this.#changes.announce()
  }

  clear(): void {
    this.#entries = []
    this.#pending.clear()
    this.#changes.announce()
  }

  /** Removes the requests that are over, and returns them. */
  takeEnded(): ReadonlyArray<RecordedRequest> {
    const ended = this.#entries.filter(({ outcome }) => outcome !== "pending")
    this.#entries = [...this.#pending]
    return ended
  }

  get count(): number {
    return this.#entries.length
  }

  get endedCount(): number {
    return this.#entries.length - this.#pending.size
  }

  snapshot(): ReadonlyArray<RecordedRequest> {
    return this.#entries.map((entry) => ({ ...entry }))
  }

  /** Completes as soon as the condition holds; it is looked at again whenever a request arrives or ends. */
  awaitUntil(condition: () => boolean): Effect.Effect<void> {
    return this.#changes.awaitUntil(condition)
  }
}

const secretHeaders = new Set(["x-api-key", "authorization", "proxy-authorization", "cookie"])

/** Header values as text, those that carry a secret replaced. */
export const recordedHeaders = (headers: RequestHeaders): Record<string, string> => {
  const recorded: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    if (value !== undefined) recorded[name] = secretHeaders.has(name) ? "<redacted>" : String(value)
  }
  return recorded
}
