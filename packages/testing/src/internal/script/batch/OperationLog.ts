import type { BatchItem } from "@effect-claude/client/ClaudeBatches"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Operation } from "./BatchStep.ts"

/** How an operation ended. The errors of batches are more than those of messages. */
export type OperationOutcome =
  | { readonly _tag: "Pending" }
  | { readonly _tag: "Succeeded" }
  | { readonly _tag: "Failed"; readonly error: { readonly _tag: string; readonly message: string } }
  | { readonly _tag: "Interrupted" }
  | { readonly _tag: "Died"; readonly defect: unknown }

export interface RecordedOperation {
  readonly operation: Operation
  readonly batchId: string | undefined
  readonly items: ReadonlyArray<BatchItem>
  readonly attempt: number
  readonly at: number
  readonly endedAt: number | undefined
  readonly step: string | undefined
  readonly outcome: OperationOutcome
}

type OperationExit = Exit.Exit<unknown, { readonly _tag: string; readonly message: string }>

const outcomeOf = (exit: OperationExit): OperationOutcome => {
  if (Exit.isSuccess(exit)) return { _tag: "Succeeded" }
  const error = Cause.findErrorOption(exit.cause)
  if (Option.isSome(error)) return { _tag: "Failed", error: error.value }
  return Cause.hasInterruptsOnly(exit.cause)
    ? { _tag: "Interrupted" }
    : { _tag: "Died", defect: Cause.squash(exit.cause) }
}

/** The operations that were asked for, in the order in which they came. */
export class OperationLog {
  readonly #operations: Array<RecordedOperation> = []

  snapshot(): ReadonlyArray<RecordedOperation> {
    return [...this.#operations]
  }

  get size(): number {
    return this.#operations.length
  }

  open(operation: Omit<RecordedOperation, "endedAt" | "outcome">): void {
    this.#operations.push({ ...operation, endedAt: undefined, outcome: { _tag: "Pending" } })
  }

  /** The id of a batch that an operation has made, which may be known although the answer is lost. */
  made(number: number, batchId: string): void {
    const operation = this.#operations[number - 1]
    if (operation !== undefined) this.#operations[number - 1] = { ...operation, batchId }
  }

  close(number: number, exit: OperationExit, endedAt: number): void {
    const operation = this.#operations[number - 1]
    if (operation?.outcome._tag !== "Pending") return
    this.#operations[number - 1] = { ...operation, endedAt, outcome: outcomeOf(exit) }
  }
}
