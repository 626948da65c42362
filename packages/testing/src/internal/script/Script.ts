import * as Pipeable from "effect/Pipeable"
import type { RequestMatch } from "./RequestMatch.ts"
import { describeMatch, isLike } from "./RequestMatch.ts"
import { Sequence } from "./Sequence.ts"
import type { Step, StepCall } from "./Step.ts"

/** Steps for the calls that are like this. */
export interface Rule extends Pipeable.Pipeable {
  readonly match: RequestMatch
  readonly steps: ReadonlyArray<Step>
}

export const makeRule = (match: RequestMatch, steps: ReadonlyArray<Step>): Rule =>
  Object.assign(new Pipeable.Class(), { match, steps })

/** A part of a script that is followed on its own. */
export interface Thread {
  readonly title: string
  readonly sequence: Sequence
  /** Whether a step that goes on for ever has to be reached all the same. */
  readonly isExpected: boolean
}

interface StepThread extends Thread {
  readonly sequence: Sequence<Step>
}

class RuleThread implements StepThread {
  readonly title: string
  readonly sequence: Sequence<Step>
  readonly isExpected = true
  readonly #match: RequestMatch
  #matched = 0

  constructor({ match, steps }: Rule) {
    this.title = `when ${describeMatch(match)}`
    this.sequence = new Sequence(steps)
    this.#match = match
  }

  /** Takes note of a call, so that it has to be asked about each. */
  matches(call: StepCall): boolean {
    if (!isLike(this.#match, call)) return false
    this.#matched++
    return (this.#match.nth ?? this.#matched) === this.#matched
  }
}

/** The steps of a test, and how far they are. */
export class Script {
  readonly #rules: ReadonlyArray<RuleThread>
  readonly #inOrder: StepThread
  readonly #after: Step | undefined
  readonly #withoutStep: Array<number> = []

  constructor(parts: ReadonlyArray<Step | Rule>, after: Step | undefined) {
    this.#rules = parts.flatMap((part) => "match" in part ? [new RuleThread(part)] : [])
    const steps = parts.flatMap((part) => "match" in part ? [] : [part])
    this.#inOrder = { title: "steps in order", sequence: new Sequence(steps), isExpected: false }
    this.#after = after
  }

  /** Rules first, in the order of the script; then the steps in order; then what comes after them. */
  next(call: StepCall): Step | undefined {
    const candidates = this.#rules.filter((rule) => rule.matches(call))
    for (const { sequence } of [...candidates, this.#inOrder]) {
      const step = sequence.next(call.number)
      if (step !== undefined) return step
    }
    if (this.#after === undefined) this.#withoutStep.push(call.number)
    return this.#after
  }

  get threads(): ReadonlyArray<Thread> {
    return [...this.#rules, this.#inOrder]
  }

  get remaining(): number {
    return this.threads.reduce((sum, { sequence }) => sum + sequence.remaining, 0)
  }

  /** The numbers of the calls for which there was no step. */
  get withoutStep(): ReadonlyArray<number> {
    return this.#withoutStep
  }
}
