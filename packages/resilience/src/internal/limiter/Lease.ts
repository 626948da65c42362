import type { Entry } from "../WaitQueue.ts"

/** Why a call is turned away, and after how many milliseconds it may come back. */
export interface Refusal {
  readonly reason: "queueFull" | "queueTimeout" | "deadline"
  readonly retryAfter: number
}

/** One call at a limiter: what it costs, where it stands, and what it took. */
export class Lease {
  /** What was reserved for the call, by dimension. */
  readonly costs: ReadonlyArray<number>
  phase: "new" | "waiting" | "held" | "ended" = "new"
  refusal: Refusal | undefined

  /** The place in the order in which calls were let through. */
  sequence = 0
  startedAt = 0
  /** What each bucket had given away when this call was let through. */
  reserved: ReadonlyArray<number> = []

  queuedAt = 0
  expiresAt = Number.POSITIVE_INFINITY
  deadlineAt = Number.POSITIVE_INFINITY
  entry: Entry<Lease> | undefined
  wake: (() => void) | undefined

  constructor(costs: ReadonlyArray<number>) {
    this.costs = costs
  }
}
