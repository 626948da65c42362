import type { RetryKind } from "@effect-claude/resilience/Verdict"

export interface Options {
  readonly capacity: number
  readonly refillPerMilli: number
  readonly rejectedCost: number
  /** Retries that the schedule allows, and the time before each. */
  readonly retries: number
  readonly wait: number
}

/**
 * A request of a call. What it costs is taken when it is decided (`prepaid`), or, if it takes the place of one that a policy
 * turned away, only once it has failed (`postpaid`).
 */
interface Request {
  readonly prepaid: number
  readonly postpaid: number
  readonly startsAt: number
}

export type Outcome = "succeeded" | "failed" | "exhausted" | "interrupted"

interface Call {
  readonly weight: number
  readonly requests: Array<Request>
}

const costs = { rateLimited: 5, overloaded: 5, serverError: 14, connection: 14, timeout: 14, conflict: 14 }

/** The budget as its documentation tells it, and nothing of how it is built: the history of each call, and what follows. */
export class RetryBudgetModel {
  level: number
  private readonly options: Options
  private readonly calls = new Map<number, Call>()
  private time = 0

  constructor(options: Options) {
    this.options = options
    this.level = options.capacity
  }

  advance(millis: number): void {
    this.time += millis
    this.level = Math.min(this.options.capacity, this.level + millis * this.options.refillPerMilli)
  }

  isIdle(caller: number): boolean {
    return !this.calls.has(caller)
  }

  isWaiting(caller: number): boolean {
    return this.lastOf(this.callOf(caller)).startsAt > this.time
  }

  start(caller: number, weight: number): void {
    this.calls.set(caller, { weight, requests: [{ prepaid: 0, postpaid: 0, startsAt: this.time }] })
  }

  succeed(caller: number): Outcome {
    const call = this.end(caller)
    this.give(call.requests.every(({ prepaid }) => prepaid === 0) ? 1 : this.lastOf(call).prepaid)
    return "succeeded"
  }

  fail(caller: number, kind: RetryKind | "stop"): Outcome | undefined {
    const call = this.callOf(caller)
    const last = this.lastOf(call)
    const wasSent = kind !== "rejected"
    if (!wasSent) this.give(last.prepaid)
    const due = wasSent ? last.postpaid : 0
    if (kind === "stop" || call.requests.length > this.options.retries) {
      this.end(caller)
      this.collect(due)
      return "failed"
    }
    const cost = kind === "rejected" ? this.options.rejectedCost : costs[kind]
    const price = Math.min(this.options.capacity, cost * call.weight)
    if (!this.take(Math.min(this.options.capacity, due + price))) {
      this.end(caller)
      this.collect(due)
      return "exhausted"
    }
    call.requests.push({
      prepaid: price,
      postpaid: wasSent ? 0 : Math.max(last.prepaid, last.postpaid),
      startsAt: this.time + this.options.wait
    })
    return undefined
  }

  interrupt(caller: number): Outcome {
    const call = this.callOf(caller)
    if (this.isWaiting(caller)) this.give(this.lastOf(call).prepaid)
    else this.collect(this.lastOf(call).postpaid)
    this.end(caller)
    return "interrupted"
  }

  give(amount: number): void {
    this.level = Math.min(this.options.capacity, this.level + amount)
  }

  take(amount: number): boolean {
    if (this.level < amount) return false
    this.level -= amount
    return true
  }

  /** What is due for a request that was sent, as far as it is there. */
  private collect(due: number): void {
    this.level -= Math.min(this.level, due)
  }

  private callOf(caller: number): Call {
    const call = this.calls.get(caller)
    if (call === undefined) throw new Error(`caller ${caller} has no call`)
    return call
  }

  private lastOf(call: Call): Request {
    return call.requests[call.requests.length - 1] as Request
  }

  private end(caller: number): Call {
    const call = this.callOf(caller)
    this.calls.delete(caller)
    return call
  }
}
