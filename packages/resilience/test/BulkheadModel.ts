/** What a caller of the bulkhead may be seen to be. */
export type Status =
  | "idle"
  | "queued"
  | "granted"
  | "running"
  | "succeeded"
  | "failed"
  | "interrupted"
  | "queueFull"
  | "queueTimeout"
  | "gateClosed"

export interface Caller {
  status: Status
  rank: number
  arrival: number
  expiresAt: number
  gateFails: boolean
}

/** The bulkhead as a list that is sorted anew each time: slow and easy to believe. */
export class BulkheadModel {
  readonly callers: ReadonlyArray<Caller>
  now = 0
  private readonly permits: number
  private readonly capacity: number
  private readonly timeout: number
  private arrivals = 0
  private wakes: Array<Caller> = []

  constructor(options: { permits: number; capacity: number; timeout: number; callers: number }) {
    this.permits = options.permits
    this.capacity = options.capacity
    this.timeout = options.timeout
    this.callers = Array.from({ length: options.callers }, () => ({
      status: "idle",
      rank: 0,
      arrival: 0,
      expiresAt: 0,
      gateFails: false
    }))
  }

  get inFlight(): number {
    return this.callers.filter(({ status }) => status === "running" || status === "granted").length
  }

  get queue(): ReadonlyArray<Caller> {
    return this.callers
      .filter(({ status }) => status === "queued")
      .sort((left, right) => left.rank - right.rank || left.arrival - right.arrival)
  }

  start(caller: Caller, rank: number, gateFails: boolean): void {
    Object.assign(caller, { rank, gateFails, arrival: this.arrivals++, expiresAt: this.now + this.timeout })
    if (this.inFlight < this.permits) {
      caller.status = "running"
      return
    }
    if (this.queue.length >= this.capacity) {
      const last = this.queue.at(-1)
      if (last === undefined || last.rank <= rank) {
        caller.status = "queueFull"
        return
      }
      last.status = "queueFull"
    }
    caller.status = "queued"
  }

  end(caller: Caller, status: "succeeded" | "failed" | "interrupted"): void {
    caller.status = status
    this.admit()
  }

  pass(millis: number): void {
    this.now += millis
    for (const caller of this.queue) {
      if (caller.expiresAt <= this.now) caller.status = "queueTimeout"
    }
  }

  /** Everybody who was given a permit gets to know, and looks at the gate. */
  wake(): void {
    for (let caller = this.wakes.shift(); caller !== undefined; caller = this.wakes.shift()) {
      if (caller.status !== "granted") continue
      caller.status = caller.gateFails ? "gateClosed" : "running"
      this.admit()
    }
  }

  private admit(): void {
    for (const caller of this.queue.slice(0, Math.max(0, this.permits - this.inFlight))) {
      caller.status = "granted"
      this.wakes.push(caller)
    }
  }
}
