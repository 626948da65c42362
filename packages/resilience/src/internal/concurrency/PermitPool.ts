import * as Effect from "effect/Effect"
import type { State } from "../../Bulkhead.ts"
import { type Entry, WaitQueue } from "../WaitQueue.ts"

type Phase = "waiting" | "granted" | "displaced" | "expired" | "left"

/** What a call that had to queue has at a pool: a place in the queue, then a permit or a refusal. */
export class Claim {
  phase: Phase = "waiting"
  entry: Entry<Claim> | undefined
  private wake: (() => void) | undefined

  /** Ends once the call no longer waits. */
  readonly settled: Effect.Effect<void> = Effect.withFiber((fiber) =>
    Effect.callback<void>((resume) => {
      if (this.phase !== "waiting") return resume(Effect.void)
      // Not at once: a resumed fiber runs there and then, and a line of calls that end at once would recurse.
      this.wake = () => fiber.currentDispatcher.scheduleTask(() => resume(Effect.void), 0)
    })
  )

  settle(phase: Exclude<Phase, "waiting">): void {
    this.phase = phase
    this.wake?.()
  }
}

/**
 * A number of permits and the queue for them.
 *
 * A permit that becomes free belongs at once to the first in the queue, before its fiber knows of it: nobody barges in
 * between, and what a claim holds is known whatever happens to its fiber.
 */
export class PermitPool {
  private permitCount: number
  private inUse = 0
  private readonly queue = new WaitQueue<Claim>()
  private readonly onIdle: () => void

  constructor(permits: number, onIdle: () => void) {
    this.permitCount = permits
    this.onIdle = onIdle
  }

  get state(): State {
    return { permits: this.permitCount, inFlight: this.inUse, queued: this.queue.size }
  }

  get permits(): number {
    return this.permitCount
  }

  get isIdle(): boolean {
    return this.inUse === 0 && this.queue.size === 0
  }

  /** Whether every permit is taken. Nobody queues unless they are. */
  get isFull(): boolean {
    return this.inUse >= this.permitCount
  }

  tryTake(): boolean {
    if (this.isFull) return false
    this.inUse += 1
    return true
  }

  /**
   * Stands in line, if there is a place. In a full queue the call that would be let in last is turned away, be it this one
   * or one that waits.
   */
  join(rank: number, capacity: number): Claim | undefined {
    if (this.queue.size >= capacity) {
      const last = this.queue.last()
      if (last === undefined || last.rank <= rank) return undefined
      this.queue.remove(last)
      last.value.settle("displaced")
    }
    const claim = new Claim()
    claim.entry = this.queue.add(claim, rank)
    return claim
  }

  expire(claim: Claim): void {
    if (claim.phase === "waiting") this.withdraw(claim, "expired")
  }

  /** Gives up a claim: its place in the queue, or the permit it may have got without knowing. */
  leave(claim: Claim): void {
    if (claim.phase === "waiting") return this.withdraw(claim, "left")
    const held = claim.phase === "granted"
    claim.phase = "left"
    if (held) this.release()
  }

  release(): void {
    this.inUse -= 1
    this.admit()
    if (this.isIdle) this.onIdle()
  }

  /** Permits in use beyond the new number stay with their calls and are not given out again. */
  resize(permits: number): void {
    this.permitCount = permits
    this.admit()
  }

  private withdraw(claim: Claim, phase: "expired" | "left"): void {
    if (claim.entry !== undefined) this.queue.remove(claim.entry)
    claim.settle(phase)
  }

  private admit(): void {
    while (!this.isFull) {
      const next = this.queue.shift()
      if (next === undefined) return
      this.inUse += 1
      next.value.settle("granted")
    }
  }
}
