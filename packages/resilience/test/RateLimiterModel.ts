/**
 * What the limiter should do, as plainly as it can be said: every millisecond is looked at, one after the other. The numbers
 * of the tests are powers of two, so that nothing is rounded.
 */
export interface Settings {
  readonly window: number
  readonly limits: ReadonlyArray<number>
  readonly queue: number
  readonly queueTimeout: number
}

export interface Call {
  readonly id: number
  readonly costs: ReadonlyArray<number>
  readonly rank: number
  readonly deadlineAt: number
  arrival: number
  queuedAt: number
  state: "waiting" | "running" | "queueFull" | "queueTimeout" | "deadline" | "over"
}

export class Model {
  private readonly settings: Settings
  readonly levels: Array<number>
  readonly started: Array<number> = []
  calls: Array<Call> = []
  now = 0
  pausedUntil = 0
  private arrivals = 0

  constructor(settings: Settings) {
    this.settings = settings
    this.levels = [...settings.limits]
  }

  get waiting(): ReadonlyArray<Call> {
    return this.calls.filter(({ state }) => state === "waiting")
      .sort((one, other) => one.rank - other.rank || one.arrival - other.arrival)
  }

  start(call: Call): void {
    call.arrival = this.arrivals++
    call.queuedAt = this.now
    this.calls.push(call)
    call.state = "over"
    if (this.waiting.length === 0 && this.fits(call)) {
      this.admit(call)
      return
    }
    const wait = this.waitOf(call)
    if (this.now + wait > call.deadlineAt) {
      call.state = "deadline"
      return
    }
    const last = this.waiting.at(-1)
    const isFull = this.waiting.length >= this.settings.queue
    if (isFull && (last === undefined || last.rank <= call.rank)) {
      call.state = "queueFull"
      return
    }
    if (wait > this.settings.queueTimeout) {
      call.state = "queueTimeout"
      return
    }
    if (isFull && last !== undefined) last.state = "queueFull"
    call.state = "waiting"
    this.serve()
  }

  /** Ends a call that ran, at this cost, or one that waited. */
  end(call: Call, actual: ReadonlyArray<number>): void {
    if (call.state === "running") {
      call.costs.forEach((cost, index) => {
        const limit = this.settings.limits[index] ?? 0
        this.levels[index] = Math.min(limit, (this.levels[index] ?? 0) + cost - (actual[index] ?? 0))
      })
    }
    call.state = "over"
    this.serve()
  }

  pause(duration: number): void {
    this.levels.forEach((level, index) => {
      this.levels[index] = Math.min(0, level)
    })
    this.pausedUntil = Math.max(this.pausedUntil, this.now + duration)
    for (const call of this.waiting) {
      if (call.deadlineAt < this.pausedUntil) call.state = "deadline"
      else if (call.queuedAt + this.settings.queueTimeout < this.pausedUntil) call.state = "queueTimeout"
    }
    this.serve()
  }

  pass(millis: number): void {
    for (let i = 0; i < millis; i++) {
      this.now += 1
      this.levels.forEach((level, index) => {
        const limit = this.settings.limits[index] ?? 0
        this.levels[index] = Math.min(limit, level + limit / this.settings.window)
      })
      this.serve()
    }
  }

  private serve(): void {
    for (const call of this.calls) {
      if (call.state === "waiting" && call.queuedAt + this.settings.queueTimeout <= this.now) {
        call.state = "queueTimeout"
      }
    }
    for (const call of this.waiting) {
      if (!this.fits(call)) return
      this.admit(call)
    }
  }

  private fits(call: Call): boolean {
    if (this.now < this.pausedUntil) return false
    return call.costs.every((cost, index) => {
      const limit = this.settings.limits[index] ?? 0
      return (this.levels[index] ?? 0) >= Math.min(cost, limit)
    })
  }

  private admit(call: Call): void {
    call.costs.forEach((cost, index) => {
      this.levels[index] = (this.levels[index] ?? 0) - cost
    })
    call.state = "running"
    this.started.push(call.id)
  }

  private waitOf(call: Call): number {
    const before = this.waiting.filter(({ rank }) => rank <= call.rank)
    let wait = Math.max(0, this.pausedUntil - this.now)
    call.costs.forEach((cost, index) => {
      const limit = this.settings.limits[index] ?? 0
      const needed = before.reduce((sum, other) => sum + (other.costs[index] ?? 0), Math.min(cost, limit))
      wait = Math.max(wait, (needed - (this.levels[index] ?? 0)) * this.settings.window / limit)
    })
    return wait
  }
}
