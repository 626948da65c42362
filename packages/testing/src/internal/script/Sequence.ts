import type { Entry } from "./Step.ts"
import { describeStep } from "./Step.ts"

/** A step in its place, and the numbers of the calls that got it. */
export interface Place<out S extends Entry = Entry> {
  readonly step: S
  readonly times: number
  readonly calls: Array<number>
}

/** Steps that are handed out one after another. */
export class Sequence<out S extends Entry = Entry> {
  readonly places: ReadonlyArray<Place<S>>
  #position = 0

  constructor(steps: ReadonlyArray<S>) {
    this.places = steps.map((step) => ({ step, times: step.times ?? 1, calls: [] }))
  }

  /** The step for a call; `undefined` when all are used up. */
  next(call: number): S | undefined {
    const place = this.places[this.#position]
    if (place === undefined) return undefined
    place.calls.push(call)
    if (place.calls.length >= place.times) this.#position++
    return place.step
  }

  /** How many calls could still come before it is used up, a step that goes on for ever not counted. */
  get remaining(): number {
    return this.places.reduce((sum, { calls, times }) => sum + (times === Infinity ? 0 : times - calls.length), 0)
  }
}

/** Steps of which one can never be reached are a mistake in a test. */
export const checkSteps = <S extends Entry>(owner: string, steps: ReadonlyArray<S>): ReadonlyArray<S> => {
  const endless = steps.findIndex(({ times }) => times === Infinity)
  const next = endless === -1 ? undefined : steps[endless + 1]
  if (next === undefined) return steps
  throw new RangeError(`${owner}: step ${endless + 2} (${describeStep(next)}) comes after one that goes on for ever`)
}
