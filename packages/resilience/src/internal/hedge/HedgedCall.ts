import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { emit, isHeard } from "../../ResilienceEvent.ts"
import { type BudgetAccount, CurrentBudgetAccount } from "../budget/BudgetAccount.ts"
import * as MonotonicTime from "../MonotonicTime.ts"
import { recoverableError } from "../RecoverableError.ts"
import type { HedgeDelay } from "./HedgeDelays.ts"

/** What a loser is known to have used. */
export interface LoserUsage {
  readonly inputTokens?: number | undefined
  readonly outputTokens?: number | undefined
}

export interface HedgePlan<A, E, R> {
  readonly delay: HedgeDelay
  readonly max: number
  readonly mayHedge: (() => boolean) | undefined
  /** Holds for failures that another attempt at the same would meet too. */
  readonly isFinal: (error: E) => boolean
  /** Holds for failures of attempts that a policy turned away before anything was sent. */
  readonly wasRejected: (error: E) => boolean
  /** One attempt. It reports how it went by its exit, or by `report` if it is to go on living. */
  readonly attempt: (hedge: number, report: (exit: Exit.Exit<A, E>) => void) => Effect.Effect<A, E, R>
  /** Told of each attempt that is cancelled because the call is settled. */
  readonly onLoser: ((hedge: number, elapsed: Duration.Duration) => LoserUsage | void) | undefined
}

interface Attempt {
  readonly hedge: number
  readonly startedAt: number
  isRunning: boolean
  isLost: boolean
  fiber: Fiber.Fiber<unknown, unknown> | undefined
}

type Suppression = "budget" | "load" | "refused"

/**
 * One call and its hedges, each on a detached fiber of its own: a winner does not wait for the finalizers of losers, as it
 * would for those of its children.
 */
export class HedgedCall<A, E, R> {
  /** How the call went, once that is settled. */
  exit: Exit.Exit<A, E> | undefined
  private readonly plan: HedgePlan<A, E, R>
  private readonly caller: Fiber.Fiber<unknown, unknown>
  private readonly clock: Clock.Clock
  private readonly account: BudgetAccount | undefined
  private readonly attempts: Array<Attempt> = []
  private running = 0
  private isOverdue = false
  private firstFailure: Exit.Exit<A, E> | undefined
  private timer: Fiber.Fiber<void> | undefined
  private onSettled: ((exit: Exit.Exit<A, E>) => void) | undefined

  constructor(caller: Fiber.Fiber<unknown, unknown>, plan: HedgePlan<A, E, R>) {
    this.plan = plan
    this.caller = caller
    this.clock = caller.getRef(Clock.Clock)
    this.account = caller.getRef(CurrentBudgetAccount)
  }

  /** Starts the first attempt, and the clock unless that attempt is through already. Not to be interrupted. */
  get begin(): Effect.Effect<void, never, R> {
    return Effect.flatMap(this.start(0), () =>
      Effect.contextWith((context: Context.Context<R>) => {
        if (this.exit !== undefined) return Effect.void
        const timer = this.timer = Effect.runForkWith(context)(this.afterDelay(1))
        timer.addObserver((exit) => {
          if (Exit.isFailure(exit)) this.settle(Exit.failCause(exit.cause), undefined)
        })
        return Effect.void
      }))
  }

  /** Calls back once, when the call is settled. */
  whenSettled(onSettled: (exit: Exit.Exit<A, E>) => void): void {
    if (this.exit === undefined) this.onSettled = onSettled
    else onSettled(this.exit)
  }

  /** Ends what runs, for a caller that gives up, and waits until it has ended. */
  get abandon(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.exit !== undefined) return Effect.void
      this.exit = Exit.interrupt()
      this.observe(false)
      const fibers = this.attempts.flatMap(({ fiber, isRunning }) => isRunning && fiber !== undefined ? [fiber] : [])
      for (const attempt of this.attempts) attempt.isRunning = false
      return Fiber.interruptAll(this.timer === undefined ? fibers : [this.timer, ...fibers])
    })
  }

  private now(): number {
    return MonotonicTime.now(this.clock)
  }

  private afterDelay(hedge: number): Effect.Effect<void, never, R> {
    return Effect.flatMap(Effect.sleep(Duration.millis(this.plan.delay.millis)), () => this.hedge(hedge))
  }

  private hedge(hedge: number): Effect.Effect<void, never, R> {
    const { delay, max, mayHedge } = this.plan
    this.isOverdue = true
    if (mayHedge?.() === false) return this.suppressed("refused")
    if (!delay.take()) return this.suppressed("load")
    const paid = this.account === undefined ? Effect.succeed(undefined) : this.account.payHedge()
    return Effect.flatMap(
      // What is paid is either used or given back.
      Effect.uninterruptible(Effect.flatMap(paid, (unpaid) => {
        if (unpaid === undefined) return this.start(hedge)
        delay.giveBack()
        return Effect.as(this.exit === undefined ? this.suppressed("budget") : Effect.void, false)
      })),
      (started) => started && hedge < max ? this.afterDelay(hedge + 1) : Effect.void
    )
  }

  private suppressed(reason: Suppression): Effect.Effect<void> {
    if (isHeard(this.caller)) emit(this.caller, { _tag: "HedgeSuppressed", reason })
    return Effect.void
  }

  /** A hedge that was not sent after all. */
  private get giveBack(): Effect.Effect<false> {
    this.plan.delay.giveBack()
    return this.account === undefined ? Effect.succeed(false) : Effect.as(this.account.refundHedge(), false)
  }

  /**
   * Starts an attempt, unless the call is settled, and tells whether it did. In one go: of an attempt whose fiber is not known
   * when the call is settled nobody would know that it is to be cancelled.
   */
  private start(hedge: number): Effect.Effect<boolean, never, R> {
    return Effect.contextWith((context: Context.Context<R>) => {
      if (this.exit !== undefined) return this.giveBack
      const attempt: Attempt = { hedge, startedAt: this.now(), isRunning: true, isLost: false, fiber: undefined }
      this.attempts.push(attempt)
      this.running += 1
      if (hedge > 0 && isHeard(this.caller)) {
        emit(this.caller, { _tag: "HedgeStarted", hedge, delay: Duration.millis(this.plan.delay.millis) })
      }
      const report = (exit: Exit.Exit<A, E>) => this.ended(attempt, exit)
      const effect = this.plan.attempt(hedge, report)
      const accounted = hedge === 0
        ? effect
        : Effect.tapError(effect, (error) => this.plan.wasRejected(error) ? this.giveBack : Effect.void)
      const fiber = Effect.runForkWith(context)(accounted)
      attempt.fiber = fiber
      fiber.addObserver(report)
      // What it began with may have let another attempt win.
      if (attempt.isLost) fiber.interruptUnsafe(this.caller.id)
      return Effect.succeed(true)
    })
  }

  private ended(attempt: Attempt, exit: Exit.Exit<A, E>): void {
    if (!attempt.isRunning) return
    attempt.isRunning = false
    this.running -= 1
    if (Exit.isSuccess(exit)) return this.settle(exit, attempt)
    if (attempt.hedge === 0) this.firstFailure = exit
    try {
      if (this.isFinal(exit.cause)) return this.settle(exit, undefined)
    } catch (defect) {
      return this.settle(Exit.die(defect), undefined)
    }
    // An error of a hedge is one that the call would not have met without it.
    if (this.running === 0) this.settle(this.firstFailure ?? exit, undefined)
  }

  private isFinal(cause: Cause.Cause<E>): boolean {
    const error = recoverableError(cause)
    return Option.isNone(error) || this.plan.isFinal(error.value)
  }

  private settle(exit: Exit.Exit<A, E>, winner: Attempt | undefined): void {
    if (this.exit !== undefined) return
    this.exit = exit
    this.observe(winner?.hedge === 0)
    this.timer?.interruptUnsafe()
    if (winner !== undefined && winner.hedge > 0 && isHeard(this.caller)) {
      emit(this.caller, { _tag: "HedgeWon", hedge: winner.hedge })
    }
    for (const attempt of this.attempts) {
      if (attempt.isRunning) this.lose(attempt)
    }
    this.onSettled?.(exit)
  }

  private lose(attempt: Attempt): void {
    attempt.isRunning = false
    attempt.isLost = true
    const usage = this.usageOf(attempt)
    if (isHeard(this.caller)) {
      emit(this.caller, {
        _tag: "HedgeLost",
        hedge: attempt.hedge,
        ...(usage?.inputTokens === undefined ? undefined : { inputTokens: usage.inputTokens }),
        ...(usage?.outputTokens === undefined ? undefined : { outputTokens: usage.outputTokens })
      })
    }
    attempt.fiber?.interruptUnsafe(this.caller.id)
  }

  private usageOf({ hedge, startedAt }: Attempt): LoserUsage | void {
    try {
      return this.plan.onLoser?.(hedge, Duration.millis(this.now() - startedAt))
    } catch {
      // The call has its answer: to account for what it cost must not take that away.
    }
  }

  /**
   * Takes note of how long the first attempt took. One that ran for longer than the delay took that long at least, however
   * it ended: leaving it out would make the slow calls that are hedged look as if there were none.
   */
  private observe(firstWon: boolean): void {
    const first = this.attempts[0]
    if (first !== undefined && (firstWon || this.isOverdue)) this.plan.delay.observe(this.now() - first.startedAt)
  }
}

/** Runs an effect with its hedges. */
export const hedgedEffect = <A, E, R>(plan: HedgePlan<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((caller) => {
    const call = new HedgedCall(caller, plan)
    const settled = Effect.callback<A, E>((resume) => call.whenSettled(resume))
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        call.begin,
        () =>
          call.exit
            ?? Effect.onExitPrimitive(restore(settled), () => call.exit === undefined ? call.abandon : undefined)
      )
    )
  })
