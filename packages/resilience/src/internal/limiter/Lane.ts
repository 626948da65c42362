import * as Clock from "effect/Clock"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as MonotonicTime from "../MonotonicTime.ts"
import { Alarm } from "./Alarm.ts"
import type { BucketPlan, Report } from "./Bucket.ts"
import { Bucket } from "./Bucket.ts"
import type { Lease, Refusal } from "./Lease.ts"
import { Line } from "./Line.ts"
import { Pause } from "./Pause.ts"
import type { RampPlan } from "./Ramp.ts"
import { Ramp } from "./Ramp.ts"

/** What the lanes of a limiter have in common; times in milliseconds. */
export interface LanePlan {
  readonly buckets: ReadonlyArray<BucketPlan>
  /** The longest window of a bucket. */
  readonly window: number
  readonly queue: number
  readonly queueTimeout: number
  readonly pauseJitter: number
  readonly ramp: RampPlan | undefined
}

type AnyFiber = Fiber.Fiber<unknown, unknown>

// Calls go at this pace as long as no limit is known: within what any account may do, and enough to learn of the limits.
const probing: BucketPlan = {
  limit: 60,
  window: 60_000,
  burst: 10_000,
  rounding: 0,
  headroom: 1,
  mayRaise: false
}
const slowRamp = { least: 0.05, doubling: 60_000 }

const nowOf = (fiber: AnyFiber): number => MonotonicTime.now(fiber.getRef(Clock.Clock))

/**
 * The calls of one key: the buckets they take from, those who wait, and those who hold what they took.
 *
 * Everything happens at once, without a suspension, in the fiber of the call that causes it, or in that of the alarm. The
 * first in the queue is the only one whose turn is computed; one alarm wakes the lane when it comes.
 */
export class Lane {
  private readonly plan: LanePlan
  private readonly buckets: ReadonlyArray<Bucket>
  private readonly line: Line
  private readonly ramp: Ramp
  private readonly pause = new Pause()
  private readonly alarm = new Alarm((fiber) => this.drain(fiber))
  private probe: Bucket | undefined
  private held = 0
  private sequence = 0
  private lastReported = -1
  private lastSlowed = 0
  private lastStart = Number.NEGATIVE_INFINITY

  constructor(plan: LanePlan) {
    this.plan = plan
    this.buckets = plan.buckets.map((bucket) => new Bucket(bucket))
    this.line = new Line(plan.buckets.length)
    this.ramp = new Ramp(plan.window)
    this.probe = this.isLimited ? undefined : new Bucket(probing)
  }

  get isIdle(): boolean {
    return this.held === 0 && this.line.size === 0
  }

  /** Lets a call through at once if nobody waits and there is room, all of it or nothing. */
  tryTake(lease: Lease, fiber: AnyFiber): boolean {
    if (this.line.size > 0) return false
    const now = nowOf(fiber)
    if (this.turnIn(lease, now, fiber) > 0) return false
    this.take(lease, now)
    return true
  }

  /** Puts a call into the queue, or refuses it, or another one that has to go last in a queue that is full. */
  join(lease: Lease, rank: number, deadlineAt: number, fiber: AnyFiber): void {
    const now = nowOf(fiber)
    const wait = this.estimate(lease, rank, now)
    const random = fiber.getRef(Random.Random)
    if (now + wait > deadlineAt) {
      return this.refuse(lease, { reason: "deadline", retryAfter: spreadAfter(wait, random) })
    }
    const isFull = this.line.size >= this.plan.queue
    const last = isFull ? this.line.lastAfter(rank) : undefined
    if (isFull && last === undefined) {
      return this.refuse(lease, { reason: "queueFull", retryAfter: spread(wait, random) })
    }
    if (wait > this.plan.queueTimeout) {
      const excess = wait - this.plan.queueTimeout
      const retryAfter = excess + random.nextDoubleUnsafe() * this.plan.queueTimeout / 2
      return this.refuse(lease, { reason: "queueTimeout", retryAfter })
    }
    if (last !== undefined) this.refuse(last, { reason: "queueFull", retryAfter: spread(wait, random) })
    lease.phase = "waiting"
    lease.queuedAt = now
    lease.expiresAt = now + this.plan.queueTimeout
    lease.deadlineAt = deadlineAt
    this.line.add(lease, rank)
    this.drain(fiber)
  }

  /** Takes a call that gave up out of the queue. */
  leave(lease: Lease, fiber: AnyFiber): void {
    if (lease.phase !== "waiting") return
    this.remove(lease)
    this.drain(fiber)
  }

  /** Counts what a call has really cost. Only the first time counts. */
  settle(lease: Lease, actual: ReadonlyArray<number>, fiber: AnyFiber): void {
    if (lease.phase !== "held") return
    lease.phase = "ended"
    this.held -= 1
    const now = nowOf(fiber)
    for (let index = 0; index < this.buckets.length; index++) {
      this.buckets[index]?.settle(lease.costs[index] ?? 0, actual[index] ?? 0, now - lease.startedAt, now)
    }
    this.drain(fiber)
  }

  /**
   * Takes over what a response reports, unless one to a later call has been heard already. Returns whether a limit is
   * another one now.
   */
  observe(lease: Lease | undefined, reports: ReadonlyArray<Report | undefined>, fiber: AnyFiber): boolean {
    const sequence = lease?.sequence ?? this.sequence
    if (sequence < this.lastReported) return false
    this.lastReported = sequence
    const now = nowOf(fiber)
    const wasLimited = this.isLimited
    let changed = false
    for (let index = 0; index < this.buckets.length; index++) {
      const bucket = this.buckets[index]
      const report = reports[index]
      if (bucket === undefined || report === undefined) continue
      const mark = { at: lease?.startedAt ?? now, reserved: lease?.reserved[index] ?? bucket.reserved }
      if (bucket.observe(report, mark, now)) changed = true
    }
    this.probe = undefined
    if (!wasLimited && this.isLimited && this.plan.ramp !== undefined) this.ramp.begin(this.plan.ramp, now)
    this.drain(fiber)
    return changed
  }

  /** Lets nobody start for a while. Returns whether that is longer than what was in force. */
  pauseFor(duration: number, fiber: AnyFiber): boolean {
    const now = nowOf(fiber)
    const isLonger = this.pause.extend(now, duration, Math.min(duration * this.plan.pauseJitter, this.plan.window))
    for (const bucket of this.buckets) bucket.empty(now)
    const end = now + this.pause.left(now)
    const random = fiber.getRef(Random.Random)
    for (const lease of this.line) {
      if (lease.deadlineAt < end) {
        this.refuse(lease, { reason: "deadline", retryAfter: spreadAfter(end - now, random) })
      } else if (lease.expiresAt < end) {
        this.refuse(lease, { reason: "queueTimeout", retryAfter: spread(end - now, random) })
      }
    }
    this.drain(fiber)
    return isLonger
  }

  /**
   * Halves the pace, and lets it grow again slowly. What is said of a call that was let through before the last time says
   * nothing new: calls that were sent together are complained of together.
   */
  slowDown(lease: Lease | undefined, fiber: AnyFiber): void {
    if (lease !== undefined && lease.sequence <= this.lastSlowed) return
    this.lastSlowed = this.sequence
    this.ramp.slowDown(slowRamp.least, slowRamp.doubling, nowOf(fiber))
  }

  read(now: number) {
    return {
      buckets: this.buckets.map((bucket) => ({
        limit: bucket.limit,
        available: bucket.available(now),
        capacity: bucket.size
      })),
      waiting: this.line.size,
      inFlight: this.held,
      pausedFor: this.pause.left(now)
    }
  }

  private get isLimited(): boolean {
    for (const bucket of this.buckets) {
      if (bucket.isLimited) return true
    }
    return false
  }

  private drain(fiber: AnyFiber): void {
    if (this.line.size === 0) return this.alarm.stop()
    const now = nowOf(fiber)
    for (const lease of this.line) {
      if (lease.expiresAt > now) break
      const retryAfter = spread(this.estimate(lease, Number.NEGATIVE_INFINITY, now), fiber.getRef(Random.Random))
      this.refuse(lease, { reason: "queueTimeout", retryAfter })
    }
    for (let lease = this.line.first; lease !== undefined; lease = this.line.first) {
      const wait = this.turnIn(lease, now, fiber)
      if (wait > 0) {
        const expiresAt = this.line.oldest?.expiresAt ?? Number.POSITIVE_INFINITY
        return this.alarm.set(Math.min(now + wait, expiresAt), now, fiber)
      }
      this.remove(lease)
      this.take(lease, now)
      lease.wake?.()
    }
    this.alarm.stop()
  }

  /** Milliseconds until this call may go if it is the next one. */
  private turnIn(lease: Lease, now: number, fiber: AnyFiber): number {
    let wait = this.pause.isOver(now) ? 0 : this.pause.waitFor(this.line.size, now, fiber.getRef(Random.Random))
    if (this.probe !== undefined) wait = Math.max(wait, this.probe.waitFor(1, 0, now))
    for (let index = 0; index < this.buckets.length; index++) {
      wait = Math.max(wait, this.buckets[index]?.waitFor(lease.costs[index] ?? 0, 0, now) ?? 0)
    }
    if (now - this.lastStart > this.plan.window) this.wakeUp(now)
    return this.ramp.isActive(now) ? Math.max(wait, this.ramp.waitFor(this.shareOf(lease), 0, now)) : wait
  }

  private wakeUp(now: number): void {
    const { ramp } = this.plan
    if (ramp === undefined || this.ramp.isActive(now) || !this.isLimited) return
    this.ramp.begin(ramp, now)
    this.lastStart = now
  }

  private take(lease: Lease, now: number): void {
    const reserved: Array<number> = []
    for (let index = 0; index < this.buckets.length; index++) {
      const bucket = this.buckets[index]
      bucket?.take(lease.costs[index] ?? 0)
      reserved.push(bucket?.reserved ?? 0)
    }
    this.probe?.take(1)
    if (this.ramp.isActive(now)) this.ramp.take(this.shareOf(lease), now)
    this.pause.started()
    this.held += 1
    lease.phase = "held"
    lease.sequence = ++this.sequence
    lease.startedAt = now
    lease.reserved = reserved
    this.lastStart = now
  }

  /**
   * About how long a call of this rank would have to wait: as long as what is ahead of it and its own cost take to refill.
   * As long as no limit is known, nobody can tell, and nobody is turned away for it.
   */
  private estimate(lease: Lease, rank: number, now: number): number {
    const { calls, costs } = this.line.before(rank)
    let wait = Math.max(this.pause.left(now), this.pause.estimate(calls + 1, now))
    if (this.ramp.isActive(now)) {
      let shares = 0
      for (const waiting of this.line.leasesBefore(rank)) shares += this.shareOf(waiting)
      wait = Math.max(wait, this.ramp.waitFor(this.shareOf(lease), shares, now))
    }
    this.buckets.forEach((bucket, index) => {
      wait = Math.max(wait, bucket.waitFor(lease.costs[index] ?? 0, costs[index] ?? 0, now))
    })
    return wait
  }

  /** The part of a window's limits that a call takes, of the dimension of which it takes most. */
  private shareOf(lease: Lease): number {
    let share = 0
    this.buckets.forEach(({ limit }, index) => {
      if (limit !== undefined) share = Math.max(share, (lease.costs[index] ?? 0) / limit)
    })
    return share
  }

  private remove(lease: Lease): void {
    this.line.remove(lease)
    lease.phase = "ended"
  }

  private refuse(lease: Lease, refusal: Refusal): void {
    if (lease.phase === "waiting") this.remove(lease)
    lease.phase = "ended"
    lease.refusal = refusal
    lease.wake?.()
  }
}

/** Between half and all of a wait, so that those who were turned away together do not come back together. */
const spread = (wait: number, random: (typeof Random.Random)["Service"]): number =>
  wait * (0.5 + random.nextDoubleUnsafe() / 2)

/**
 * From all of a wait to a fifth more. Not less: who cannot wait that long would come back within the deadline only to be turned
 * away again.
 */
const spreadAfter = (wait: number, random: (typeof Random.Random)["Service"]): number =>
  wait * (1 + random.nextDoubleUnsafe() / 5)
