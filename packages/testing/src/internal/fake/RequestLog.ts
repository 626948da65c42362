import * as Effect from "effect/Effect"

/** How a request ended, or that it has not. */
export type Outcome = "pending" | "answered" | "clientClosed" | "cut"

export interface RecordedRequest {
  readonly number: number
  readonly requestId: string
  readonly method: string
  readonly path: string
  readonly headers: { readonly [name: string]: string }
  readonly body: unknown
  readonly receivedAt: number
  readonly status: number | undefined
  readonly outcome: Outcome
  readonly endedAt: number | undefined
}

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

export type RequestEntry = Mutable<RecordedRequest>

/** The requests a server got, in the order in which they were complete, and a way to wait for more. */
export class RequestLog {
  #entries: Array<RequestEntry> = []
  #recorded = 0
  readonly #waiting = new Set<() => void>()

  /** Numbers a request and keeps it. A request that is in the log stays as it is. */
  add(entry: RequestEntry): void {
    if (entry.number !== 0) return
    entry.number = ++this.#recorded
    entry.requestId = `req_fake${String(entry.number).padStart(20, "0")}`
    this.#entries.push(entry)
    this.changed()
  }

  clear(): void {
    this.#entries = []
    this.changed()
  }

  /** Removes the requests that are over, and returns them. */
  takeEnded(): ReadonlyArray<RecordedRequest> {
    const ended = this.#entries.filter(({ outcome }) => outcome !== "pending")
    this.#entries = this.#entries.filter(({ outcome }) => outcome === "pending")
    return ended
  }

  changed(): void {
    for (const check of this.#waiting) check()
  }

  get count(): number {
    return this.#entries.length
  }

  get endedCount(): number {
    return this.#entries.reduce((count, { outcome }) => outcome === "pending" ? count : count + 1, 0)
  }

  snapshot(): ReadonlyArray<RecordedRequest> {
    return this.#entries.map((entry) => ({ ...entry }))
  }

  /** Completes as soon as the condition holds; it is looked at again on every `changed`. */
  awaitUntil(condition: () => boolean): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (condition()) return resume(Effect.void)
      const check = () => {
        if (!condition()) return
        this.#waiting.delete(check)
        resume(Effect.void)
      }
      this.#waiting.add(check)
      return Effect.sync(() => {
        this.#waiting.delete(check)
      })
    })
  }
}

const secretHeaders = new Set(["x-api-key", "authorization", "proxy-authorization", "cookie"])

/** Header values as text, those that carry a secret replaced. */
export const recordedHeaders = (headers: NodeJS.Dict<string | Array<string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, secretHeaders.has(name) ? "<redacted>" : String(value)]]
    )
  )
