import * as Clock from "effect/Clock"
import type * as Fiber from "effect/Fiber"
import * as MonotonicTime from "../MonotonicTime.ts"

/** Tokens that are taken and given back, and come by themselves if `perMilli` says so. Never more than `capacity`. */
export class TokenBucket {
  readonly capacity: number
  private readonly perMilli: number
  private tokens: number
  private filledAt: number | undefined

  constructor(capacity: number, perMilli: number) {
    this.capacity = capacity
    this.perMilli = perMilli
    this.tokens = capacity
  }

  level(fiber: Fiber.Fiber<unknown, unknown>): number {
    if (this.perMilli === 0) return this.tokens
    const now = MonotonicTime.now(fiber.getRef(Clock.Clock))
    const since = this.filledAt ?? now
    this.filledAt = now
    this.tokens = Math.min(this.capacity, this.tokens + Math.max(0, now - since) * this.perMilli)
    return this.tokens
  }

  withdraw(fiber: Fiber.Fiber<unknown, unknown>, amount: number): boolean {
    if (this.level(fiber) < amount) return false
    this.tokens -= amount
    return true
  }

  /** What of `amount` there was room for. */
  deposit(fiber: Fiber.Fiber<unknown, unknown>, amount: number): number {
    const level = this.level(fiber)
    this.tokens = Math.min(this.capacity, level + amount)
    return this.tokens - level
  }
}
