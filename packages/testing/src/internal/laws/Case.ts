import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { timeColumn } from "../timeline/seconds.ts"

/** A promise that was not kept, in words. */
export class Broken {
  readonly _tag = "Broken"
  readonly promise: string

  constructor(promise: string) {
    this.promise = promise
  }
}

/** One case of a law: what has happened in it, and what was seen that makes it worth something. */
export class Case {
  readonly #lines: Array<readonly [at: number, line: string]> = []
  readonly #seen: Map<string, number>

  constructor(seen: Map<string, number>) {
    this.#seen = seen
  }

  /** Notes a line of the story, with the time. */
  tell(line: string): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (now) => {
      this.#lines.push([now, line])
    })
  }

  /** Written only for a case that is told; most are not. */
  get story(): ReadonlyArray<string> {
    return this.#lines.map(([at, line]) => `${timeColumn(at)}  ${line}`)
  }

  /** Counts something without which a law would prove nothing. */
  see(what: string, times = 1): void {
    this.#seen.set(what, (this.#seen.get(what) ?? 0) + times)
  }

  promise(kept: boolean, words: string): Effect.Effect<void, Broken> {
    return kept ? Effect.void : Effect.fail(new Broken(words))
  }
}

/** Times are sums of floating point numbers, and durations are rounded to nanoseconds. */
export const tolerance = 1e-2

/** Lets everybody do what can be done without time passing. */
export const settle: Effect.Effect<void> = Effect.gen(function*() {
  // Each wake may lead to another one, a few fibers deep.
  for (let i = 0; i < 8; i++) yield* Effect.yieldNow
  yield* TestClock.adjust(0)
  for (let i = 0; i < 4; i++) yield* Effect.yieldNow
})

export const pass = (millis: number): Effect.Effect<void> =>
  millis === 0 ? settle : Effect.andThen(TestClock.adjust(millis), settle)
