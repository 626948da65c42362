import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** Milliseconds on the clock that only moves forward. */
export const now = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000

/** What a region of the program says of the chaos within. */
export const Enabled: Context.Reference<boolean | undefined> = Context.Reference<boolean | undefined>(
  "@effect-claude/testing/Chaos/Enabled",
  { defaultValue: () => undefined }
)

/** The state of a switch: on since an instant, until another one. */
export class SwitchState {
  #on: { readonly since: number; readonly until: number } | undefined

  turnOn(instant: number, lasting: Duration.Duration): void {
    this.#on = { since: instant, until: instant + Duration.toMillis(lasting) }
  }

  turnOff(): void {
    this.#on = undefined
  }

  /** Since when it is on, if it is. While it is off not even the clock is read. */
  onSince(clock: Clock.Clock): number | undefined {
    return this.#on !== undefined && now(clock) < this.#on.until ? this.#on.since : undefined
  }
}

export interface GateOptions {
  readonly enabled: boolean | undefined
  readonly onSince: ((clock: Clock.Clock) => number | undefined) | undefined
  readonly clock: Clock.Clock
}

/** Whether chaos is on: somebody says so, and nobody says no. */
export class Gate {
  readonly #options: GateOptions
  readonly #builtAt: number

  constructor(options: GateOptions) {
    this.#options = options
    this.#builtAt = now(options.clock)
  }

  /** Whether it is on where no region says anything else. */
  get isOn(): boolean {
    return this.#since(this.#options.clock, undefined) !== undefined
  }

  /** How many milliseconds ago it was turned on, for a call of this fiber. */
  elapsed(fiber: Fiber.Fiber<unknown, unknown>): number | undefined {
    const clock = fiber.getRef(Clock.Clock)
    const since = this.#since(clock, fiber.getRef(Enabled))
    return since === undefined ? undefined : Math.max(0, now(clock) - since)
  }

  #since(clock: Clock.Clock, region: boolean | undefined): number | undefined {
    const { enabled, onSince } = this.#options
    if (region === false || enabled === false) return undefined
    if (onSince !== undefined) return onSince(clock)
    return region === true || enabled === true ? this.#builtAt : undefined
  }
}

export const currentInstant: Effect.Effect<number> = Effect.map(Clock.Clock, now)
