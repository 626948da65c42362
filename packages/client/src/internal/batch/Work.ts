import { advice, type BatchOutcome } from "../../BatchOutcome.ts"
import { InvalidResponseError } from "../../ClaudeError.ts"

/** A request that was submitted and has no outcome. One object serves all the requests of a batch. */
interface Pending {
  readonly _tag: "Pending"
  readonly batchId: string
  readonly submissions: number
}

/**
 * Which requests of a piece of work have no final outcome yet. It sees to it that each gets exactly one, and keeps of a request
 * no more than its id, and its outcome if that is not final.
 */
export class Work {
  readonly #open = new Map<string, Pending | BatchOutcome>()

  /** These requests are in this batch now, whatever became of them before. */
  submitted(customIds: Iterable<string>, batchId: string, submissions: number): void {
    const pending: Pending = { _tag: "Pending", batchId, submissions }
    for (const customId of customIds) this.#open.set(customId, pending)
  }

  /** The outcome if it is a final one. One of a request that is none of this work, or has its outcome, is dropped. */
  settle(outcome: BatchOutcome): BatchOutcome | undefined {
    const { customId } = outcome
    const held = this.#open.get(customId)
    if (held === undefined || (held._tag !== "Pending" && held.batchId === outcome.batchId)) return undefined
    const known = held.submissions > 1 ? { ...outcome, submissions: held.submissions } : outcome
    if (advice(outcome) === "submitAgain") {
      this.#open.set(customId, known)
      return undefined
    }
    this.#open.delete(customId)
    return known
  }

  /** How many requests wait for another submission. */
  get waiting(): number {
    let count = 0
    for (const held of this.#open.values()) {
      if (held._tag !== "Pending") count++
    }
    return count
  }

  isWaiting(customId: string): boolean {
    const held = this.#open.get(customId)
    return held !== undefined && held._tag !== "Pending"
  }

  /** Final outcomes for the requests that all results that were to come have left without one. */
  unanswered(): ReadonlyArray<BatchOutcome> {
    const outcomes: Array<BatchOutcome> = []
    for (const [customId, held] of this.#open) {
      if (held._tag !== "Pending") continue
      this.#open.delete(customId)
      const message = `The results of batch ${held.batchId} hold nothing readable for this request`
      outcomes.push({
        _tag: "Errored",
        customId,
        batchId: held.batchId,
        submissions: held.submissions,
        error: new InvalidResponseError({ message })
      })
    }
    return outcomes
  }

  /** What waits for another submission, as final outcomes. */
  givenUp(): ReadonlyArray<BatchOutcome> {
    const outcomes: Array<BatchOutcome> = []
    for (const held of this.#open.values()) {
      if (held._tag !== "Pending") outcomes.push(held)
    }
    this.#open.clear()
    return outcomes
  }
}
