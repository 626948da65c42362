import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"

/**
 * Milliseconds on the clock that only moves forward. The wall clock would stretch or cut a deadline whenever the host's
 * time is corrected.
 */
export const now = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000

/** What is left until `instant`, never below zero. */
export const until = (clock: Clock.Clock, instant: number): Duration.Duration =>
  Duration.millis(Math.max(0, instant - now(clock)))
