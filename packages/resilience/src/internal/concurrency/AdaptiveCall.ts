import type * as Clock from "effect/Clock"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { emit } from "../../ResilienceEvent.ts"
import type { Verdict } from "../../Verdict.ts"
import * as MonotonicTime from "../MonotonicTime.ts"
import { recoverableError } from "../RecoverableError.ts"
import type { AdaptivePool, LimitChange, Outcome, Started } from "./AdaptivePool.ts"

/** A call that holds a permit of an adaptive pool, and reports to it. */
export class AdaptiveCall<Failure> {
  private readonly key: string
  private readonly pool: AdaptivePool
  private readonly classify: (error: Failure) => Verdict
  private readonly clock: Clock.Clock | undefined
  private readonly started: Started
  private readonly startedAt: number
  private sawEvent = false

  /** Without a clock the call is not timed. */
  constructor(
    key: string,
    pool: AdaptivePool,
    classify: (error: Failure) => Verdict,
    clock: Clock.Clock | undefined
  ) {
    this.key = key
    this.pool = pool
    this.classify = classify
    this.clock = clock
    this.started = pool.start()
    this.startedAt = clock === undefined ? 0 : MonotonicTime.now(clock)
  }

  get awaitsEvent(): boolean {
    return this.clock !== undefined && !this.sawEvent
  }

  firstEvent(): void {
    if (this.clock === undefined || this.sawEvent) return
    this.sawEvent = true
    this.tell(this.pool.firstEvent(this.started, MonotonicTime.now(this.clock) - this.startedAt))
  }

  /** Gives the permit back, also if `classify` throws. */
  end(exit: Exit.Exit<unknown, Failure>): void {
    let outcome: Outcome = "other"
    try {
      outcome = this.outcomeOf(exit)
    } finally {
      this.tell(this.pool.end(this.started, outcome))
    }
  }

  private outcomeOf(exit: Exit.Exit<unknown, Failure>): Outcome {
    if (exit._tag === "Success") return "success"
    const error = recoverableError(exit.cause)
    if (Option.isNone(error)) return "other"
    const verdict = this.classify(error.value)
    if (verdict._tag === "Stop") return "other"
    // A first event that did not come in time was at least that late.
    if (verdict.kind === "timeout") this.firstEvent()
    return verdict.kind === "overloaded" ? "overload" : "other"
  }

  private tell(change: LimitChange | undefined): void {
    if (change === undefined) return
    const fiber = Fiber.getCurrent()
    if (fiber !== undefined) emit(fiber, { _tag: "ConcurrencyLimitChanged", key: this.key, ...change })
  }
}
