import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as MonotonicTime from "./MonotonicTime.ts"

export type StreamPhase = "attempt" | "firstEvent" | "idle"

/** Finite limits; an absent one is not watched. */
export interface StreamLimits<A> {
  readonly attempt?: Duration.Duration | undefined
  readonly firstEvent?: Duration.Duration | undefined
  readonly idle?: Duration.Duration | undefined
  readonly isEvent?: ((element: A) => boolean) | undefined
  readonly lastActivity?: (() => number | undefined) | undefined
}

/** A limit that ends at a time. */
export interface Expiry {
  readonly phase: StreamPhase
  readonly limit: Duration.Duration
  readonly at: number
}

/** Knows which limit ends when; reads the clock, arms nothing. */
export class StreamWatch<A> {
  private readonly clock: Clock.Clock
  private readonly limits: StreamLimits<A>
  private readonly startedAt: number
  private sawElement = false
  private sawEvent = false
  private pullStartedAt: number | undefined

  constructor(clock: Clock.Clock, limits: StreamLimits<A>) {
    this.clock = clock
    this.limits = limits
    this.startedAt = MonotonicTime.now(clock)
  }

  now(): number {
    return MonotonicTime.now(this.clock)
  }

  pullStarted(): void {
    if (this.limits.idle !== undefined) this.pullStartedAt = this.now()
  }

  pullEnded(elements: ReadonlyArray<A> | undefined): void {
    this.pullStartedAt = undefined
    if (elements === undefined) return
    this.sawElement = true
    if (!this.sawEvent) this.sawEvent = this.limits.isEvent === undefined || elements.some(this.limits.isEvent)
  }

  private silentSince(): number {
    if (this.pullStartedAt === undefined) return this.now()
    return Math.max(this.pullStartedAt, this.limits.lastActivity?.() ?? this.pullStartedAt)
  }

  /**
   * The limit that ends first, and `idle` counted from now while nobody pulls: it may start at any moment, and looking
   * again after that time is early enough for whatever started in between.
   */
  next(): Expiry | undefined {
    const { attempt, firstEvent, idle } = this.limits
    const candidates: Array<Expiry> = []
    const add = (phase: StreamPhase, limit: Duration.Duration, since: number) =>
      candidates.push({ phase, limit, at: since + Duration.toMillis(limit) })
    if (firstEvent !== undefined && !this.sawEvent) add("firstEvent", firstEvent, this.startedAt)
    if (attempt !== undefined) add("attempt", attempt, this.startedAt)
    // Until something arrives it is the first event that is late, not the next one.
    if (idle !== undefined && (this.sawElement || firstEvent === undefined)) {
      add("idle", idle, this.silentSince())
    } else if (idle !== undefined) {
      add("idle", idle, this.now())
    }
    return candidates.reduce<Expiry | undefined>(
      (first, candidate) => first === undefined || candidate.at < first.at ? candidate : first,
      undefined
    )
  }
}
