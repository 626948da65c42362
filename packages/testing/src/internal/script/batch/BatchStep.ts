import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import { isClaudeError } from "@effect-claude/client/ClaudeError"
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Duration from "effect/Duration"
import type { Entry, Failure, Hang, Step } from "../Step.ts"

export const operations = ["create", "retrieve", "list", "cancel", "delete", "results"] as const

export type Operation = (typeof operations)[number]

/** What goes wrong with an operation: an error in place of its answer, or no answer. */
export type OperationFault = Step<Failure> | Step<Hang> | ClaudeError

/** One step for an operation: it works; it fails; it is done and the answer is lost; results break off. */
export type OperationStep = "works" | OperationFault | { readonly done: OperationFault }

export type ResultsStep = OperationStep | { readonly cutAfter: number } | { readonly unreadable: number }

/** A step for an operation in the form that is followed. `isDone` says whether the operation takes effect all the same. */
export interface OperationEntry extends Entry {
  readonly isDone: boolean
  readonly fault: Failure | Hang | undefined
  readonly cutAfter: number | undefined
  readonly unreadable: number
}

const works: OperationEntry = {
  label: "works",
  delay: Duration.zero,
  times: undefined,
  isDone: true,
  fault: undefined,
  cutAfter: undefined,
  unreadable: 0
}

const entryOf = (owner: string, fault: OperationFault, isDone: boolean): OperationEntry => {
  const lost = isDone ? "done, then " : ""
  if (isClaudeError(fault)) {
    const behavior: Failure = { _tag: "Failure", error: () => fault, midStream: () => fault }
    return { ...works, label: `${lost}${fault._tag}`, isDone, fault: behavior }
  }
  const { behavior, delay, label, times } = fault
  if (behavior?._tag !== "Failure" && behavior?._tag !== "Hang") {
    throw new RangeError(`${owner}: an operation on batches works or fails, it does not answer with a message`)
  }
  return { ...works, label: `${lost}${label}`, delay, times, isDone, fault: behavior }
}

const count = (owner: string, option: string, value: number, minimum: number): number => {
  if (Number.isInteger(value) && value >= minimum) return value
  throw OptionCheck.refuse(owner, option, `a whole number of at least ${minimum}`, value)
}

export const operationEntry = (owner: string, step: ResultsStep): OperationEntry => {
  if (step === "works") return works
  if ("done" in step) return entryOf(owner, step.done, true)
  if ("cutAfter" in step) {
    const cutAfter = count(owner, "cutAfter", step.cutAfter, 0)
    return { ...works, label: `cut after ${cutAfter} results`, cutAfter }
  }
  if ("unreadable" in step) {
    const unreadable = count(owner, "unreadable", step.unreadable, 1)
    return { ...works, label: `${unreadable} unreadable results`, unreadable }
  }
  return entryOf(owner, step, false)
}
