import type { AdaptiveLimit, Move } from "./AdaptiveLimit.ts"
import { PermitPool } from "./PermitPool.ts"

/** What a call tells of the limit by its end. */
export type Outcome = "success" | "overload" | "other"

/** A call that holds a permit, and what the limit was when it got it. */
export interface Started {
  readonly epoch: number
  readonly wasFull: boolean
}

export interface LimitChange {
  readonly from: number
  readonly to: number
  readonly reason: Move
}

/** A pool whose number of permits follows what the calls report. */
export class AdaptivePool extends PermitPool {
  private readonly limit: AdaptiveLimit

  constructor(limit: AdaptiveLimit, onIdle: () => void) {
    super(limit.permits, onIdle)
    this.limit = limit
  }

  /** To be called by whoever has just got a permit. */
  start(): Started {
    return { epoch: this.limit.epoch, wasFull: this.isFull }
  }

  firstEvent({ epoch, wasFull }: Started, millis: number): LimitChange | undefined {
    this.limit.firstEvent(epoch, wasFull || this.isFull, millis)
    return this.follow("latency")
  }

  /** Gives the permit back. */
  end({ epoch, wasFull }: Started, outcome: Outcome): LimitChange | undefined {
    const inFullUse = wasFull || this.isFull
    if (outcome === "success") this.limit.succeeded(epoch, inFullUse)
    if (outcome === "overload") this.limit.overloaded(epoch, inFullUse)
    const change = this.follow(outcome === "overload" ? "overload" : "success")
    this.release()
    return change
  }

  private follow(reason: Move): LimitChange | undefined {
    const [from, to] = [this.permits, this.limit.permits]
    if (from === to) return undefined
    this.resize(to)
    return { from, to, reason }
  }
}
