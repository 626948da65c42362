import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { Broken, type Case, settle } from "./Case.ts"
import type { Policy } from "./Subject.ts"

/** A call that a policy lets through or not, and that ends when the case says so. */
export class GatedCall {
  readonly name: string
  readonly askedAt: number
  startedAt: number | undefined
  /** When the call itself succeeded, whatever the policy made of it. */
  succeededAt: number | undefined
  starts = 0
  running = false
  /** How the whole ended: the policy with the call in it. */
  exit: Exit.Exit<unknown, unknown> | undefined
  endedAt: number | undefined
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  #resume: ((exit: Exit.Exit<string, ClaudeError>) => void) | undefined

  constructor(name: string, askedAt: number) {
    this.name = name
    this.askedAt = askedAt
  }

  /** Neither let through nor turned away so far. */
  get isWaiting(): boolean {
    return this.exit === undefined && !this.running
  }

  get isTurnedAway(): boolean {
    return this.exit !== undefined && this.starts === 0
  }

  begin(resume: (exit: Exit.Exit<string, ClaudeError>) => void): void {
    this.#resume = resume
  }

  end(exit: Exit.Exit<string, ClaudeError>): Effect.Effect<void> {
    this.#resume?.(exit)
    return settle
  }
}

/** Sends a call through a policy. It runs until it is told to end, or as long as `work` does. */
export const ask = <E>(
  policy: Policy<E>,
  name: string,
  trial: Case,
  work?: Effect.Effect<string, ClaudeError>
): Effect.Effect<GatedCall, never, Scope.Scope> =>
  Effect.gen(function*() {
    const call = new GatedCall(name, yield* Clock.currentTimeMillis)
    const held = work ?? Effect.callback<string, ClaudeError>((resume) => call.begin(resume))
    const inner = Effect.gen(function*() {
      call.starts += 1
      call.running = true
      call.startedAt ??= yield* Clock.currentTimeMillis
      yield* trial.tell(`${name} is let through`)
      return yield* held
    }).pipe(
      Effect.onExit((exit) =>
        Effect.gen(function*() {
          call.running = false
          if (Exit.isSuccess(exit)) call.succeededAt = yield* Clock.currentTimeMillis
          yield* trial.tell(`${name} ${endOf(exit)}`)
        })
      )
    )
    yield* trial.tell(`${name} asks to be let through`)
    call.fiber = yield* policy(inner).pipe(
      Effect.onExit((exit) =>
        Effect.gen(function*() {
          call.exit = exit
          call.endedAt = yield* Clock.currentTimeMillis
          if (call.starts === 0 && !Exit.hasInterrupts(exit)) yield* trial.tell(`${name} is turned away`)
        })
      ),
      Effect.forkScoped({ startImmediately: true })
    )
    return call
  })

const endOf = (exit: Exit.Exit<string, ClaudeError>): string => {
  if (Exit.isSuccess(exit)) return "succeeds"
  if (Exit.hasInterrupts(exit)) return "is interrupted"
  const [reason] = exit.cause.reasons
  return reason?._tag === "Fail" ? `fails with ${reason.error._tag}` : "dies"
}

/** The caller loses interest, wherever the call is. */
export const interrupt = (call: GatedCall, trial: Case): Effect.Effect<void, Broken> =>
  Effect.gen(function*() {
    if (call.exit !== undefined) return
    yield* trial.tell(`the caller of ${call.name} interrupts it`)
    call.fiber?.interruptUnsafe()
    yield* settle
    if (call.running) return yield* Effect.fail(new Broken(`${call.name} runs on after it was interrupted`))
    if (call.exit === undefined) {
      return yield* Effect.fail(new Broken(`${call.name} does not end when it is interrupted`))
    }
  })
