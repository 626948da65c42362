import * as Effect from "effect/Effect"

/** How one call ended, and how long it took from the instant it was due, in milliseconds. */
export interface CallOutcome {
  readonly dueAt: number
  readonly latency: number
  /** What it failed with; `undefined` for a success. */
  readonly failure: string | undefined
}

const nameOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error
    ? String(error._tag)
    : error instanceof Error
    ? error.constructor.name
    : String(error)

/**
 * Starts calls at even intervals, whether or not those before them have ended, as many users at once do. A call's latency
 * counts from when it was due, so that a client that is too busy to start calls does not look fast.
 */
export const openLoop = (
  options: { readonly perSecond: number; readonly seconds: number },
  call: (index: number, dueAt: number) => Promise<unknown>
): Effect.Effect<ReadonlyArray<CallOutcome>> =>
  Effect.promise(async () => {
    const { perSecond, seconds } = options
    const total = perSecond * seconds
    const startedAt = performance.now()
    const calls: Array<Promise<CallOutcome>> = []
    const start = (index: number): Promise<CallOutcome> => {
      const dueAt = index * 1000 / perSecond
      const outcome = (failure: string | undefined): CallOutcome => ({
        dueAt,
        latency: performance.now() - startedAt - dueAt,
        failure
      })
      return call(index, startedAt + dueAt).then(() => outcome(undefined), (error: unknown) => outcome(nameOf(error)))
    }
    while (calls.length < total) {
      const due = Math.min(total, Math.floor((performance.now() - startedAt) * perSecond / 1000) + 1)
      while (calls.length < due) calls.push(start(calls.length))
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    return Promise.all(calls)
  })

/** The value below which this share of the values lies. */
export const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}
